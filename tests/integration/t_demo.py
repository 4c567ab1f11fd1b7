#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo that scripts/start opens, for real: its servers, one of them in a container, in a terminal of 80x24 and one of 160x50. What is seen
is kept in tests/screens/demo-live-*.screen and must be current in all but figures of the moment.

    UPDATE_SCREENS=1 MCPTOP_BUILDDIR=… python3 tests/integration/t_demo.py      writes them anew: look at the difference"""

import difflib
import os
import re

from harness import limit, paths, tap, wait_for

SERVERS = ("clock", "notes", "dice", "dice-isolated")
SIZES = ((80, 24), (160, 50))
# A name of its own for the machine, as far as the supervisor can see.
NAMED = ["unshare", "--uts", "sh", "-c", 'echo devbox >/proc/sys/kernel/hostname; exec "$@"', "sh"]
# What differs from run to run, and what it is compared as.
FIGURES = [
    (r"\d\d:\d\d:\d\d", "HH:MM:SS"), (r"engine [0-9][^ ·]*", "engine VERSION"), (r"[▁-█]+", " "), (r"\bpid \d+", "pid N"),
    (r"cpu +\d+%", "cpu N%"), (r"mem [\d.]+[KMGT](/[\d.]+[KMGT])?", "mem N"), (r"(up|for) \d+[smhd]\b", r"\1 T"),
    (r"(ready +(?:host|docker)) +[\d.]+ +[\d.]+[KMG]", r"\1 CPU MEM"), (r" \d+s(?= *(│|$))", " T"), (r"mcpproxy-dice-isolated-\w{4}", "mcpproxy-dice-isolated-xxxx"),
    (r"memory +[\d.]+[KMG]", "memory N"), (r"peak [\d.]+[KMG]", "peak N"), (r"[\d.]+% of a core", "N% of a core"), (r"ping \S+", "ping N"), (r" {2,}", "  "),
]


def demo_config():
    """As scripts/start writes it; the program's own directory is in PATH here, so that no path of this machine is on the screen."""
    with open(os.path.join(paths.SRCDIR, "examples", "mcp_config.json"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace('"command": "@demo_server@"', '"command": "demo_server"')
    for key, value in {"@demo_server@": os.path.join(folder(), "demo_server"), "@image@": "busybox:latest", "@isolated@": "true"}.items():
        text = text.replace(key, value)
    return text


def folder():
    return os.path.join(paths.BUILDDIR, "examples")


def comparable(screen):
    lines = []
    for line in screen.splitlines():
        for pattern, instead in FIGURES:
            line = re.sub(pattern, instead, line, flags=re.M)
        lines.append(line.rstrip())
    return lines


def check(t, view, name):
    path = os.path.join(paths.SRCDIR, "tests", "screens", name)
    if os.environ.get("UPDATE_SCREENS"):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(line.rstrip() for line in view.capture()) + "\n")
    with open(path, encoding="utf-8") as file:
        wanted = comparable(file.read())
    try:
        wait_for(lambda: comparable(view.text()) == wanted, 4)
        t.ok(True, f"{name} is current")
    except AssertionError:
        t.ok(False, f"{name} is current")
        t.diag(*difflib.unified_diff(wanted, comparable(view.text()), name, "now", lineterm=""), *view.capture())


@limit(90)
def test_screens(t):
    engine = t.engine()
    engine.docker.cli("tag", "mcptop-test/busybox:latest", "busybox:latest")
    m = t.mcptop(demo_config(), docker_host=engine, wrapper=NAMED, env={"PATH": f"{folder()}:{os.environ['PATH']}"})
    views = {}
    for width, height in SIZES:
        views[width, height] = t.tmux(width=width, height=height, name=str(width)).start(
            [paths.MCPTOP], env={k: v for k, v in m.env.items() if k in ("HOME", "MCPTOP_SOCKET", "DOCKER_HOST")})
    for name in SERVERS:
        m.wait_server(name, lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0)
    # The clock speaks every ten seconds: after its second word there is time for both pictures.
    for (width, height), view in views.items():
        view.wait_text(r"(?s)it is \d\d:.*it is \d\d:", 30)
    for (width, height), view in views.items():
        check(t, view, f"demo-live-{width}x{height}.screen")
    for view in views.values():
        view.send("q")
        t.eq(view.wait_exit(), 0, "q leaves")
    for name in SERVERS:
        t.eq(m.server(name)["state"], "ready", f"{name} runs on")


if __name__ == "__main__":
    tap.main(__name__)
