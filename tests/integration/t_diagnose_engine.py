#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about engines and images, each produced for real: a disk that is full, images of another
architecture, a file system that is not ours, programs that an image lacks; and the way to ready."""

import json
import os
import subprocess
import urllib.request

from harness import images, paths, tap
from harness.engine import Engine, unavailable
from harness.find import BUSYBOX, SERVER, boxed, codes, config, found, repaired
from harness.proxy import Proxy
from harness.registry import Registry

MIB = 1 << 20
# A program for RISC-V, as far as the kernel reads one of another machine.
FOREIGN = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xf3\0" + b"\1" * 40


def private_engine(t, wrapper=()):
    reason = unavailable()
    if reason:
        raise tap.Skip(reason)
    one = Engine(t.path("e"))
    one.wrapper = list(wrapper)
    t.cleanup(one.wipe)
    return one


def python(image, **isolation):
    """A server that the default image of its command can run as well."""
    server = paths.fixture("fixture_server.py")
    return {"command": "python3", "args": [server, "good"],
            "isolation": dict({"image": image, "volumes": [f"{server}:{server}:ro"]}, **isolation)}


@tap.limit(150)
def test_4_disk_full_at_a_pull(t):
    small = private_engine(t)
    data = t.path("e", "data")
    os.makedirs(data)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", data], check=True)
    small.start()
    images.ensure(small.docker, BUSYBOX)
    image = Registry(t).publish(t.engine(), "mcptop-test/big:1", layers=(24 * MIB,) * 3)
    m = t.mcptop(config(big=boxed(image=image), small=boxed()), docker_host=small)
    one = found(t, m, "big", "MCPX_DISK_FULL", 60)
    t.ok(not one["guess"], "the engine says it: no guess", one)
    t.has(one["user_message"], "no space left on device", "its words")
    t.eq(codes(m, "small"), [], "who has his image is well")
    subprocess.run(["mount", "-o", "remount,size=400m", data], check=True)
    repaired(t, m, "big", "retry")
    m.stop()


@tap.limit(120)
def test_4_another_architecture(t):
    """A tag whose list of machines lacks this one, and an image whose program is another's."""
    engine = t.engine("python:3.11")
    registry = Registry(t)
    image = registry.publish(engine, "mcptop-test/riscv:1")
    types = "application/vnd.docker.distribution.manifest.v2+json"
    url = f"http://{registry.host}/v2/mcptop-test/riscv/manifests/1"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": types})) as reply:
        digest, size = reply.headers["Docker-Content-Digest"], len(reply.read())
    index = {"schemaVersion": 2,
             "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
             "manifests": [{"mediaType": types, "size": size, "digest": digest,
                            "platform": {"architecture": "riscv64", "os": "linux"}}]}
    urllib.request.urlopen(urllib.request.Request(
        url, json.dumps(index).encode(), {"Content-Type": index["mediaType"]}, method="PUT")).close()
    with open(t.path("python3"), "wb") as file:
        file.write(FOREIGN)
    t.write("Dockerfile", f"FROM {BUSYBOX}\nCOPY python3 /bin/python3\nRUN chmod 755 /bin/python3\n")
    foreign = "mcptop-test/foreign:1"
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", foreign, check=False))
    subprocess.run(engine.docker.cli_argv("build", "-q", "-t", foreign, t.dir), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, DOCKER_BUILDKIT="0"))
    m = t.mcptop(config(listed=python(image), program=python(foreign)), docker_host=engine)
    one = found(t, m, "listed", "MCPX_DOCKER_IMAGE_ARCHITECTURE")
    t.has(one["user_message"], "no matching manifest for linux/", "the engine's reply")
    repaired(t, m, "listed")
    one = found(t, m, "program", "MCPX_DOCKER_IMAGE_ARCHITECTURE")
    t.has(one["user_message"], "a program for another processor", "in words")
    t.eq(one["fixes"][0]["title"], f"image {foreign} → python:3.11", "the image of its command")
    repaired(t, m, "program")


@tap.limit(120)
def test_4_never_pulled(t):
    engine = t.engine()
    image = Registry(t).publish(engine, "mcptop-test/there:1")
    m = t.mcptop(config(never=boxed(image=image, pull_policy="never")), docker_host=engine)
    one = found(t, m, "never", "MCPX_DOCKER_IMAGE_NOT_FOUND")
    t.eq(one["fixes"][0]["title"], "pull_policy never → missing: the image is pulled", "what stands in the way")
    repaired(t, m, "never")
    t.has(m.read_config(), '"pull_policy": "missing"', "written")
    m.stop()
    engine.docker.cli("rmi", "-f", image, check=False)


@tap.limit(90)
def test_6_a_program_that_the_image_lacks(t):
    engine = t.engine("python:3.11")
    m = t.mcptop(config(python=python(BUSYBOX), entry=boxed(extra_args=["--entrypoint", "/nope"]),
                        device=boxed(extra_args=["--device", "/dev/nope"])), docker_host=engine)
    one = found(t, m, "entry", "MCPX_DOCKER_EXEC_NOT_FOUND")
    t.has(one["user_message"], 'image .*busybox.* has no "/nope"', "--entrypoint is the program")
    one = m.wait_server("device", lambda s: s["exit"] and s["diagnostic"])["diagnostic"]
    t.eq(one["code"], "MCPX_DOCKER_OCI_RUNTIME", "a device that is not there is no program")
    t.has(one["user_message"], "/dev/nope.*no such file", "it is named")
    one = found(t, m, "python", "MCPX_DOCKER_EXEC_NOT_FOUND")
    t.has(one["user_message"], 'image .*busybox.* has no "python3"', "which program, which image")
    repaired(t, m, "python")
    t.has(m.read_config(), '"image": "python:3.11"', "the image of its command")


@tap.limit(120)
def test_6_files_that_the_engine_does_not_see(t):
    """As a snap's docker, Colima or Docker Desktop: the directory is here, and not there."""
    hidden = t.path("hidden")
    os.makedirs(os.path.join(hidden, "docs"))
    away = private_engine(t, ["unshare", "-m", "--propagation", "slave", "sh", "-c",
                              f"mount -t tmpfs tmpfs {hidden} && exec \"$0\" \"$@\""]).start()
    images.ensure(away.docker, BUSYBOX)
    docs = os.path.join(hidden, "docs")
    volumes = [f"{SERVER}:{SERVER}:ro", f"{docs}:/docs:ro"]
    m = t.mcptop(config(sees=boxed(volumes=volumes), none=boxed(volumes=[f"{docs}-x:/docs"])),
                 docker_host=away)
    one = found(t, m, "sees", "MCPX_DOCKER_OCI_RUNTIME")
    t.has(one["user_message"], f"{docs} is on this machine, and the engine does not see it", "which is told apart")
    t.has(" ".join(one["fix_steps"]), "share the directory with the engine's machine", "what to do")
    one = found(t, m, "none", "MCPX_DOCKER_OCI_RUNTIME")
    t.has(one["user_message"], f"the server's mount of {docs}-x: there is no such", "from a path that is wrong")
    os.makedirs(docs + "-x")
    m.stop()


@tap.limit(60)
def test_6_apparmor(t):
    """No AppArmor here: the engine's refusal is put into its mouth, the rest is real."""
    proxy = Proxy(t, t.engine())
    proxy.refuse("POST", r"/start$", 500, "OCI runtime create failed: unable to apply apparmor profile: "
                 "write /proc/self/attr/apparmor/exec: permission denied: unknown")
    m = t.mcptop(config(box=boxed()), docker_host=proxy)
    one = found(t, m, "box", "MCPX_DOCKER_SNAP_APPARMOR")
    t.has(" ".join(one["fix_steps"]), "AppArmor on the engine's machine refuses it", "who refuses")
    proxy.allow()
    m.api.post("/servers/box/restart")
    m.wait_server("box")


if __name__ == "__main__":
    tap.main(__name__)
