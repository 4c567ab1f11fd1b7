#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's engine instead of Docker's: it is told apart, `podman run` is adopted there and only there,
and isolated servers run with its log driver and the default hardening."""

import glob
import os
import shutil
import subprocess

from harness import Skip, echo, images, limit, paths, tap, wait_for
from harness.http import Http

BUSYBOX = "mcptop-test/busybox:latest"
# A container may not ask for more than the machine of the tests has.
ULIMITS = ["--ulimit", "nofile=512:512", "--ulimit", "nproc=512:512"]


class Podman:
    """`podman system service` on directories of the test's own."""

    def __init__(self, t):
        if not shutil.which("podman"):
            raise Skip("podman is not installed")
        if os.getuid() != 0:
            raise Skip("a private Podman needs root")
        self.host = f"unix://{t.path('p.sock')}"
        storage = (f'[storage]\ndriver = "vfs"\ngraphroot = "{t.path("graph")}"\n'
                   f'runroot = "{t.path("run")}"\n')
        conf = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n'
        self.env = dict(os.environ, CONTAINERS_STORAGE_CONF=t.write("storage.conf", storage),
                        CONTAINERS_CONF=t.write("containers.conf", conf), TMPDIR=t.dir)
        t.cleanup(self.stop)
        with open(t.path("podman.log"), "wb") as log:
            self.process = subprocess.Popen(["podman", "system", "service", "--time=0", self.host],
                                            env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        wait_for(lambda: os.path.exists(t.path("p.sock")) and
                 Http(self.host, timeout=2).get("/_ping").status == 200, 30, "Podman to answer")
        self.run("import", "--change", "ENV PATH=/bin", images.busybox_tar(), BUSYBOX)

    def run(self, *argv):
        done = subprocess.run(["podman", *argv], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise AssertionError(f"podman {' '.join(argv)}: {done.stderr}")
        return done.stdout.strip()

    def stop(self):
        subprocess.run(["podman", "rm", "--all", "--force", "--time", "0"], env=self.env, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        self.process.terminate()
        self.process.wait(20)


def boxed(**isolation):
    program = paths.built("echo_server")
    return echo(isolation={"mode": "docker", "image": BUSYBOX, "network_mode": "none", "extra_args": ULIMITS,
                           "volumes": [f"{program}:{program}:ro"], **isolation})


def called(t, m, name):
    client = m.mcp(name)
    client.initialize()
    t.eq(client.tool("echo", {"text": "hello"})["content"][0]["text"], "hello",
         f"{name}: a call goes through")


@limit(120)
def test_podman(t):
    podman = Podman(t)
    program = paths.built("echo_server")
    run = ["run", "-i", "--rm", "--network=none", *ULIMITS, "-v", f"{program}:/echo_server:ro",
           BUSYBOX, "/echo_server"]
    m = t.mcptop({"mcpServers": {"run": {"command": "podman", "args": run}, "box": boxed(memory_limit="64m")}},
                 env={"DOCKER_HOST": podman.host})
    for name in ("run", "box"):
        one = m.wait_server(name)
        t.eq((one["where"], one["plan"]["adopted"]), ("docker", name == "run"), f"{name}: where")
        t.has(podman.run("ps", "--format", "{{.Names}}"), f"mcpproxy-{name}-",
              f"{name}: Podman has its container")
        called(t, m, name)
    t.eq(m.server("box")["plan"]["hardening"], "standard", "hardened as by default")
    t.eq([m.server(name)["restarts"] for name in ("run", "box")], [0, 0],
         "started once: what the engine is was waited for")
    m.stop()
    t.eq(podman.run("ps", "--all", "--quiet"), "", "nothing is left at the end")


def limits(m, name):
    """memory in bytes, CPUs, processes: what the kernel holds the container to."""
    ident = m.server(name)["container"]["id"]

    def read(controller, file):
        found = glob.glob(f"/sys/fs/cgroup/{controller}/**/libpod-{ident}*/{file}", recursive=True)
        return open(found[0], encoding="utf-8").read().strip() if found else None
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return read(".", "memory.max"), read(".", "cpu.max").split()[0], read(".", "pids.max")
    return (read("memory", "memory.limit_in_bytes"), read("cpu", "cpu.cfs_quota_us"), read("pids", "pids.max"))


@limit(120)
def test_limits_live(t):
    """Podman's own API, as its copy of Docker's has no update."""
    podman = Podman(t)
    m = t.mcptop({"mcpServers": {"box": boxed(memory_limit="64m"), "free": boxed(memory_limit="0", cpu_limit="0")}},
                 env={"DOCKER_HOST": podman.host})
    before = {name: m.wait_server(name)["container"]["id"] for name in ("box", "free")}
    m.cli("set", "box", "memory=96m", "cpus=0.5", "pids=77", check=0)
    t.eq(limits(m, "box"), (str(96 << 20), "50000", "77"), "memory, CPUs, processes of the one that runs")
    m.cli("set", "free", "memory=80m", check=0)
    t.eq(limits(m, "free")[0], str(80 << 20), "a limit where there was none")
    t.eq({name: m.server(name)["container"]["id"] for name in before}, before, "the same containers")
    called(t, m, "box")


@limit(120)
def test_ends(t):
    """Podman's events have other words and an exit status in each; it prepares the program when it is attached to."""
    podman = Podman(t)
    run = ["run", "-i", "--network=none", *ULIMITS, BUSYBOX]
    m = t.mcptop({"mcpServers": {"box": boxed(), "seven": {"command": "podman", "args": [*run, "sh", "-c", "exit 7"]},
                                 "nonsense": {"command": "podman", "args": [*run, "nonsense"]}}},
                 env={"DOCKER_HOST": podman.host})
    one = m.wait_server("nonsense", lambda s: s["exit"] and s["diagnostic"])
    t.eq(one["diagnostic"]["code"], "MCPX_DOCKER_EXEC_NOT_FOUND", "a program that the image lacks")
    t.has(one["diagnostic"]["user_message"], 'has no "nonsense"', "which one")
    m.wait_server("seven", lambda s: s["exit"] and s["exit"]["code"] == 7)
    first = m.wait_server("box")["container"]
    podman.run("kill", first["name"])
    m.wait_server("box", lambda s: s["state"] == "ready" and s["container"]["id"] != first["id"])
    t.eq(m.server("box")["exit"]["code"], 137, "killed behind our back")

    def listed():
        return {c["id"][:12]: (c["server"], c["exit_code"]) for c in m.api.get("/containers")["containers"]}
    def real():
        return {i[:12] for i in podman.run("ps", "--all", "--quiet", "--no-trunc").split()}
    m.api.post("/servers/seven/disable")
    m.api.post("/servers/nonsense/disable")
    wait_for(lambda: set(listed()) == real(), 20, "the list to be Podman's own", saw=lambda: (listed(), real()))
    t.ok(first["id"] not in listed(), "one that is gone is not listed")
    kept = [code for server, code in listed().values() if server == "seven"]
    t.eq(kept, [7] * len(kept), "its exit status, not that of a later event")


@limit(60)
def test_podman_run_with_docker(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"run": {"command": "podman", "args": ["run", "-i", "nowhere"]}}},
                 docker_host=engine)
    one = m.wait_server("run", lambda s: s["exit"])
    t.eq(one["where"], "host", "with Docker's engine it runs as written")
    t.ok(any("the engine is not Podman's" in note["why"] for note in one["plan"]["notes"]),
         "and the plan says why", one["plan"]["notes"])


@limit(120)
def test_orphans(t):
    """Podman does not tell what `docker run -i` made; that an input was there and has ended does."""
    podman = Podman(t)
    m = t.mcptop({"mcpServers": {}}, docker_host=podman.host)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")

    def run(name, program, stdin):
        client = subprocess.Popen([*program, "run", "-i", "--rm", "--network=none", *ULIMITS, "--name", name, BUSYBOX,
                                   "sh", "-c", "cat >/dev/null; exec sleep 1000"], env=podman.env, stdin=stdin, stdout=subprocess.DEVNULL)
        t.cleanup(client.wait)
        t.cleanup(client.kill)
        wait_for(lambda: name in podman.run("ps", "--format", "{{.Names}}").split(), 30, f"{name} to run")
        return client

    def orphans():
        return {c["name"]: c["orphan"] for c in m.api.get("/containers?orphans=1")["containers"]}

    docker, own = ["docker", "-H", podman.host], ["podman"]
    live, left = run("live", docker, subprocess.PIPE), run("left", docker, subprocess.PIPE)
    waiting, gone = run("waiting", own, subprocess.DEVNULL), run("gone", own, subprocess.PIPE)
    for client in (left, gone):
        client.kill()
        client.communicate()
    wait_for(lambda: orphans() == {"left": True, "gone": True, "waiting": False}, 30, "both to be found, and no other", saw=orphans)
    live.kill()
    live.communicate()
    waiting.kill()
    wait_for(lambda: orphans() == {"left": True, "gone": True, "waiting": True, "live": True}, 30, "the others, when their clients have gone", saw=orphans)


if __name__ == "__main__":
    tap.main(__name__)
