#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's engine instead of Docker's: it is told apart, `podman run` is adopted there and only there,
and isolated servers run with its log driver and the default hardening."""

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
    boxed = echo(isolation={"mode": "docker", "image": BUSYBOX, "network_mode": "none",
                            "memory_limit": "64m", "extra_args": ULIMITS,
                            "volumes": [f"{program}:{program}:ro"]})
    m = t.mcptop({"mcpServers": {"run": {"command": "podman", "args": run}, "box": boxed}},
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


@limit(60)
def test_podman_run_with_docker(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"run": {"command": "podman", "args": ["run", "-i", "nowhere"]}}},
                 docker_host=engine)
    one = m.wait_server("run", lambda s: s["exit"])
    t.eq(one["where"], "host", "with Docker's engine it runs as written")
    t.ok(any("the engine is not Podman's" in note["why"] for note in one["plan"]["notes"]),
         "and the plan says why", one["plan"]["notes"])


if __name__ == "__main__":
    tap.main(__name__)
