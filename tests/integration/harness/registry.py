# SPDX-License-Identifier: GPL-3.0-or-later
"""Image registries of one test: Debian's docker-registry on loopback, with or without a password,
images pushed into it, and a gate before it that lets so many bytes through and no more."""

import io
import os
import re
import shutil
import socket
import struct
import subprocess
import tarfile
import threading
import time

from . import tap
from .mcptop import free_port
from .wait import Hopeless, wait_for

USER, PASSWORD = "alice", "s3cret-of-alice"
HTPASSWD = "alice:$2b$05$3B4eAr1RPTXsP8lCkKt9.ej9g1hUPmFMh.vBRDM3blkKs2Xj9tO.C\n"


TOO_MANY_BODY = (b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. You may '
                 b'increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit"}]}')
TOO_MANY = (b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 60\r\n"
            b"Docker-Distribution-Api-Version: registry/2.0\r\nContent-Length: %d\r\n\r\n%s"
            % (len(TOO_MANY_BODY), TOO_MANY_BODY))


class Registry:
    """Two with the same `store` have the same images."""

    def __init__(self, case, name="r", store=None, password=False):
        if not shutil.which("docker-registry"):
            raise tap.Skip("docker-registry is not installed")
        self.case = case
        self.store = store or case.path(name + ".store")
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        auth = ""
        if password:
            path = case.write(name + ".htpasswd", HTPASSWD)
            auth = f"auth: {{htpasswd: {{realm: test, path: {path}}}}}\n"
        config = case.write(name + ".yml", (
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.store}}}}}\n"
            f"http: {{addr: '{self.host}'}}\n{auth}"))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", config], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case.cleanup(self.stop)
        wait_for(self._answers, 20, "docker-registry to answer", every=0.05)

    def _answers(self):
        if self.process.poll() is not None:
            raise Hopeless("docker-registry ended")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def publish(self, engine, name, base="mcptop-test/busybox:latest", layers=(1 << 20,)):
        """base and layers of random bytes: in the registry, and not in the engine any more."""
        image = f"{self.host}/{name}"
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            lines = [f"FROM {base}"] + [f"COPY {i} /layer/" for i in range(len(layers))]
            for file, data in [("Dockerfile", "\n".join(lines).encode()),
                               *((str(i), os.urandom(n)) for i, n in enumerate(layers))]:
                entry = tarfile.TarInfo(file)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        self.case.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
        engine.docker.api("POST", "/build", context.getvalue(), t=image,
                          headers={"Content-Type": "application/x-tar"})
        engine.docker.cli("push", image)
        engine.docker.cli("rmi", image)
        return image


class Gate:
    """Forwards connections to a registry; holds what it answers after `budget` bytes, until
    slow() lets some through or open() all. `blobs` are the layers that were asked for."""

    def __init__(self, case, registry, budget=None):
        self._upstream = registry.port
        self._more = threading.Condition()
        self._budget = budget
        self._closed = self._break = self._limited = False
        self._sockets = []
        self.blobs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        case.cleanup(self.close)

    def open(self):
        with self._more:
            self._budget = None
            self._more.notify_all()

    def slow(self, bytes_per_s):
        """A thin line from now on, until open()."""
        def trickle():
            while self._budget is not None and not self._closed:
                time.sleep(0.05)
                with self._more:
                    if self._budget is not None:
                        self._budget += bytes_per_s // 20
                    self._more.notify_all()
        threading.Thread(target=trickle, daemon=True).start()

    def limit(self, on=True):
        """Manifests are refused as Docker Hub does where too many were pulled."""
        self._limited = on

    def break_next(self):
        """The next request that comes is answered by a reset of its connection."""
        self._break = True

    def close(self):
        with self._more:
            self._closed = True
            self._more.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)   # wakes the accept
        self._listener.close()
        for s in self._sockets:
            s.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, True), daemon=True).start()

    def _copy(self, source, target, answers):
        try:
            while data := source.recv(16384):
                if not answers and self._break and data.startswith(b"GET "):
                    self._break = False
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._sockets.remove(source)
                    source.close()
                    return
                if not answers and self._limited and re.match(rb"(GET|HEAD) \S+/manifests/", data):
                    source.sendall(TOO_MANY)
                    continue
                if not answers:
                    self.blobs += re.findall(rb"GET \S+/blobs/(sha256:\w+)", data)
                elif not self._wait(len(data)):
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _wait(self, n):
        with self._more:
            while self._budget is not None and self._budget < n and not self._closed:
                self._more.wait()
            if self._budget is not None:
                self._budget -= n
            return not self._closed
