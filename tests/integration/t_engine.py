#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker/ of the program, as engine_client (C), against the shared engine and, where docker-registry is
installed, a registry of its own on loopback. engine_client's TAP is ours."""

import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

from harness import images, shared

BUSYBOX = "mcptop-test/busybox"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_registry(directory, port):
    config = os.path.join(directory, "config.yml")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory}/data}}}}\n"
                f"http: {{addr: '127.0.0.1:{port}'}}\n")
    registry = subprocess.Popen(["docker-registry", "serve", config],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return registry
        time.sleep(0.1)
    registry.kill()
    raise AssertionError("the registry did not start")


def publish(docker, directory, image):
    """An image nobody has, in the registry and no longer in the engine."""
    layer = os.path.join(directory, "layer.tar")
    with tarfile.open(layer, "w") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = 1 << 20
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    docker.cli("import", layer, image)
    docker.cli("push", image)
    docker.cli("rmi", image)


def main():
    engine = shared.engine()
    images.ensure(engine.docker, f"{BUSYBOX}:latest")
    env = {**os.environ, "DOCKER_HOST": engine.host}
    program = os.path.join(os.environ.get("MCPTOP_BUILDDIR", "."), "tests/integration/engine_client")
    if not shutil.which("docker-registry"):
        return subprocess.run([program], env=env, check=False).returncode
    port = free_port()
    image = f"127.0.0.1:{port}/mcptop-test/pulled:1"
    with tempfile.TemporaryDirectory() as directory:
        registry = start_registry(directory, port)
        try:
            publish(engine.docker, directory, image)
            return subprocess.run([program], env={**env, "PULL_IMAGE": image}, check=False).returncode
        finally:
            registry.terminate()
            registry.wait()
            subprocess.run(["docker", "-H", engine.host, "rmi", image], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
