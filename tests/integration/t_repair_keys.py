#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide's five issues, each produced for real and repaired in a real terminal of 80x24 with three
keys: `!` shows what is wrong and how that is known, F shows the repair, y makes it. What is seen before,
between and after is kept in tests/screens/repair/*.screen and must be current in all but figures of the
moment and the log.

    UPDATE_SCREENS=1 MCPTOP_BUILDDIR=… python3 tests/integration/t_repair_keys.py      writes them anew"""

import os
import re

from harness import limit, paths, tap
from harness.registry import Registry
from harness.screens import NAMED, check, comparable

# Ports and counts of tries differ; of what is cut off, too much or too little may be left.
FIGURES = [(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (r"\d+ times since.*", "N times"),
           (r",? again in.*?(?=  |$)", ""), (r"in \d+s", "in T"), (r"stderr, line \d+", "stderr, line N"),
           (r"  \d+s$", "  T"), (r"(docker|host) ( !)?  .*T$", r"\1  T")]
ON_HOST = "/etc/debian_version"      # on every machine that runs these tests, and not in the image
# The rule above it, or what a box leaves of that.
LOG_AT = re.compile(r"^── log: |^─[^│┌└]*[│┌└]")


def alike(screen):
    """Without the log, but for what lies over it."""
    lines, in_log = [], False
    for line in screen.splitlines():
        in_log |= bool(LOG_AT.match(line))
        box = re.search(r"[┌│└].*[┐│┘]", line)
        if not in_log or line.startswith(" ? help"):
            lines.append(line)
        elif box:
            lines.append(box.group())
    return comparable("\n".join(lines), FIGURES)


def with_server(t, engine, image="tools:1"):
    """An image with the server in it, so that no path of this machine is on the screen."""
    docker = engine.docker
    ident = docker.cli("create", "mcptop-test/busybox:latest", "true").stdout.strip()
    docker.cli("cp", paths.built("echo_server"), f"{ident}:/bin/echo_server")
    docker.cli("commit", ident, image)
    docker.cli("rm", ident)
    t.cleanup(docker.cli, "rmi", "-f", image)
    return image


def start(t, engine, script, *args, **isolation):
    entry = {"command": "sh", "args": ["-c", script, *args],
             "env": {"MCPTOP_TEST_SERVER": "echo"}, "isolation": isolation}
    folder = os.path.dirname(paths.built("echo_server"))
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {"box": entry}},
                 docker_host=engine, wrapper=NAMED, env={"PATH": f"{folder}:{os.environ['PATH']}"})
    m.wait_server("box", "failed", timeout=60)
    return m, m.view(80, 24)


def repair(t, m, view, name, sentence, fix, code):
    """The journey: three keys, and what each shows."""
    keys = []

    def press(key):
        keys.append(key)
        view.send(key)

    def seen(step):
        check(t, view, f"repair/{name}-{step}.screen", alike, 10)

    view.wait_text(r"box +! failed")
    view.wait_text(sentence)
    view.wait_text(r"F fix: ")
    view.wait_text(r"^\d\d:\d\d:\d\d ")
    seen("0-found")
    press("!")
    view.wait_text(rf"^> ! box  error {code}")
    view.wait_text(rf"F fix +{fix}")
    seen("1-listed")
    press("F")
    view.wait_text("repair box\\?")
    view.wait_text("y apply")
    seen("2-asks")
    press("y")
    m.wait_server("box", timeout=60)
    view.wait_text("nothing is wrong")
    view.wait_text("1 server: 1 ready")
    view.wait_text(r"^ \? help")      # what was done has been told
    seen("3-repaired")
    t.ok(len(keys) <= 3, f"{name}: repaired with {' '.join(keys)}")
    view.send("Escape")
    view.wait_text(r"box +\* ready")
    t.eq(m.api.get("/diagnostics")["findings"], [], "and nothing else is wrong")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(120)
def test_1_docker_in_docker(t):
    engine = t.engine()
    m, view = start(t, engine, f"[ -e {ON_HOST} ] && exec echo_server; d=docker; $d run -i --rm x",
                    image=with_server(t, engine))
    repair(t, m, view, "1-docker-in-docker", "docker", "Weakens isolation: ",
           "MCPX_DOCKER_IN_DOCKER")
    t.eq(m.server("box")["where"], "host", "isolation is off for this server")


@limit(120)
def test_2_missing_mount(t):
    engine = t.engine()
    m, view = start(t, engine, 'cat "$1" >/dev/null || exit 1; exec echo_server', "sh", ON_HOST,
                    image=with_server(t, engine))
    repair(t, m, view, "2-missing-mount", ON_HOST, f"Weakens isolation: mount {ON_HOST}:{ON_HOST}:ro",
           "MCPX_DOCKER_PATH_NOT_MOUNTED")


@limit(120)
def test_3_network_none(t):
    engine = t.engine()
    m, view = start(t, engine, "[ -e /sys/class/net/eth0 ] || { wget -O- http://example.com/; exit 1; }; "
                    "exec echo_server", image=with_server(t, engine), network_mode="none")
    repair(t, m, view, "3-network-none", "network", "Weakens isolation: network_mode none → bridge",
           "MCPX_DOCKER_NETWORK_BLOCKED")


@limit(120)
def test_4_image_not_found(t):
    engine, registry = t.engine(), Registry(t)
    with_server(t, engine, f"{registry.host}/tools:1")
    m, view = start(t, engine, "exec echo_server", image=f"{registry.host}/tool:1")
    repair(t, m, view, "4-image-not-found", "not found|image", r"image .*/tool:1 → .*/tools:1",
           "MCPX_DOCKER_IMAGE_NOT_FOUND")


@limit(120)
def test_5_out_of_memory(t):
    engine = t.engine()
    m, view = start(t, engine, "dd if=/dev/zero of=/dev/null bs=48M count=1 || exit 137; exec echo_server",
                    image=with_server(t, engine), memory_limit="32m")
    repair(t, m, view, "5-out-of-memory", "OOM-killed at 32M", "memory_limit 32m → 64m",
           "MCPX_DOCKER_OOM_KILLED")


if __name__ == "__main__":
    tap.main(__name__)
