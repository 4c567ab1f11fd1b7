# SPDX-License-Identifier: GPL-3.0-or-later
"""A private dockerd: own socket, directories, containerd namespace and bridge, so that it
touches no engine of the machine and several can run side by side. It must not know mcptop."""

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zlib

from . import proc
from .docker import Docker
from .wait import Hopeless, wait_for


def unavailable():
    """Why no engine can be started here, or None."""
    if os.getuid() != 0:
        return "a private dockerd needs root"
    for program in ("dockerd", "ip", "iptables"):
        if not _which(program):
            return f"{program} is not installed"
    return None


def _which(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin")


def _run(*argv, check=True):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, PATH=os.environ.get("PATH", "") +
                                   ":/usr/sbin:/sbin"))
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout.strip()}")
    return done.stdout


def _free_subnet(seed):
    """A /24 of 10.0.0.0/8 that no route of the machine covers."""
    taken = []
    for route in json.loads(_run("ip", "-4", "-j", "route", "show", "table", "all") or "[]"):
        try:
            taken.append(ipaddress.ip_network(route["dst"], strict=False))
        except (KeyError, ValueError):
            pass  # "default"
    for step in range(4096):
        number = (seed + step * 17) % 12288
        net = ipaddress.ip_network(f"10.{208 + number // 256}.{number % 256}.0/24")
        if not any(net.overlaps(other) for other in taken):
            return net
    raise AssertionError("no free subnet for a bridge")


class Engine:
    """`directory` holds everything of one engine. The images in its data root survive
    stop(); wipe() removes them."""

    def __init__(self, directory):
        self.dir = os.path.abspath(directory)
        self.socket = os.path.join(self.dir, "docker.sock")
        self.host = f"unix://{self.socket}"
        self.pidfile = os.path.join(self.dir, "pid")
        self.log = os.path.join(self.dir, "dockerd.log")
        # An interface name has 15 characters at most; the directory makes it unique.
        self.tag = f"{zlib.crc32(self.dir.encode()):08x}"
        self.bridge = f"mtt{self.tag}"
        self.docker = Docker(self.host)
        self.wrapper = []        # a command that executes dockerd
        self._process = None

    def pid(self):
        """The pid of our running dockerd, or None. A stale pid file is no engine."""
        try:
            with open(self.pidfile, encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if self.socket.encode() in file.read() else None
        except (OSError, ValueError):
            return None

    def running(self):
        try:
            return self.pid() is not None and self.docker.ping()
        except OSError:
            return False

    def start(self, *extra, timeout=60):
        reason = unavailable()
        if reason:
            raise AssertionError(reason)
        if self.running():
            return self
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        for stale in (self.socket, self.pidfile):
            if os.path.exists(stale):
                os.unlink(stale)
        self._forget_dead_containerd()
        self._make_bridge()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*self.wrapper, _which("dockerd"), *self._arguments(), *extra], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, env=self._environment())
        wait_for(self._ready, timeout, "dockerd to answer", every=0.1, saw=self.tail)
        return self

    def _forget_dead_containerd(self):
        # dockerd asks with kill(pid, 0) whether its old containerd still runs. After a crash that
        # is true of a zombie, too, which stays for a while where init reaps lazily.
        path = os.path.join(self.dir, "exec", "containerd", "containerd.pid")
        try:
            with open(path, encoding="ascii") as file:
                if not proc.alive(int(file.read())):
                    os.unlink(path)
        except (OSError, ValueError):
            pass

    def _ready(self):
        if self._process.poll() is not None:
            raise Hopeless(f"dockerd ended ({self._process.returncode}):\n{self.tail()}")
        return self.docker.ping()

    def _arguments(self):
        return ["--host", self.host,
                "--data-root", os.path.join(self.dir, "data"),
                "--exec-root", os.path.join(self.dir, "exec"),
                "--pidfile", self.pidfile,
                # Where a containerd of the machine runs, dockerd uses that one: the namespace
                # keeps our containers apart from those of the machine's own engine.
                "--containerd-namespace", f"mcptop-{self.tag}",
                "--containerd-plugins-namespace", f"mcptop-{self.tag}-plugins",
                "--bridge", self.bridge,
                # A container's packets must not be larger than the uplink's, or big replies
                # vanish where path MTU discovery is filtered.
                "--mtu", str(self._uplink_mtu())]

    def _environment(self):
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        env.pop("DOCKER_HOST", None)
        # Where the machine's iptables is the legacy one and its kernel has no legacy tables
        # this dockerd alone gets the nft one; the machine's alternative stays as it is.
        nft = _which("iptables-nft")
        if nft and subprocess.run([_which("iptables"), "-t", "nat", "-S"], check=False,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode != 0:
            private = os.path.join(self.dir, "bin")
            os.makedirs(private, exist_ok=True)
            for name in ("iptables", "ip6tables"):
                link = os.path.join(private, name)
                if not os.path.lexists(link):
                    os.symlink(nft.replace("iptables", name), link)
            env["PATH"] = private + ":" + env["PATH"]
        return env

    @staticmethod
    def _uplink_mtu():
        routes = json.loads(_run("ip", "-4", "-j", "route", "show", "default") or "[]")
        if not routes:
            return 1500
        return json.loads(_run("ip", "-j", "link", "show", routes[0]["dev"]))[0]["mtu"]

    def _make_bridge(self):
        # dockerd wants --bridge or --bip, not both; a bridge of our own name is what keeps
        # two engines from fighting over docker0.
        if os.path.exists(f"/sys/class/net/{self.bridge}"):
            return
        subnet = _free_subnet(int(self.tag, 16))
        _run("ip", "link", "add", "name", self.bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{subnet.network_address + 1}/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")

    def stop(self, timeout=60, sig=signal.SIGTERM):
        """Ends dockerd by its pid and waits for it; leaves no bridge, rule or mount behind."""
        pid = self.pid()
        if pid:
            os.kill(pid, sig)
            if self._process and self._process.pid == pid:
                self._process.wait(timeout)
            wait_for(lambda: not proc.alive(pid), timeout, "dockerd to end", every=0.05,
                     saw=self.tail)
        self._process = None
        if sig == signal.SIGTERM:
            self._remove_network()

    def kill(self):
        """As a crash: containers, bridge and containerd stay. start() picks them up again."""
        self.stop(sig=signal.SIGKILL)

    def _remove_network(self):
        for table in ("filter", "nat"):
            for rule in _run("iptables", "-t", table, "-S", check=False).splitlines():
                if re.search(rf"\b{self.bridge}\b", rule) and rule.startswith("-A"):
                    _run("iptables", "-t", table, *rule.replace("-A", "-D", 1).split(),
                         check=False)
        if os.path.exists(f"/sys/class/net/{self.bridge}"):
            _run("ip", "link", "del", self.bridge, check=False)

    def wipe(self):
        """Also after a crash: what is still there of containers and mounts goes, too."""
        self.stop()
        for shim in proc.mentioning(os.path.join(self.dir, "exec")):
            for pid in [*proc.tree(shim), shim]:
                proc.kill(pid)
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.split()[1] for line in file]
        for mount in reversed(mounts):
            if mount.startswith(self.dir + "/"):
                _run("umount", "-l", mount, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def tail(self, lines=15):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError as error:
            return str(error)
