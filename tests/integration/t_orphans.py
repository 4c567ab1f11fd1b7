#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that a `docker run -i` left behind: found by evidence, shown with it, removed only when asked
and only while the evidence holds. What somebody may still hold is left alone."""

import json
import signal
import socket
import subprocess
import sys
import threading

from harness import Mcptop, echo, limit, paths, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
DEAF = "cat >/dev/null; exec sleep 1000"       # an MCP server that does not end with its input


class Run:
    """`docker run -i` as an AI client starts it."""

    def __init__(self, t, engine, name, script=DEAF, *flags):
        self.engine, self.name = engine, name
        self.process = subprocess.Popen(
            engine.docker.cli_argv("run", "-i", "--rm", "--name", name, *flags, BUSYBOX, "sh", "-c", script),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.cleanup(self.end)
        self.id = wait_for(self._running, 20, f"{name} to run")

    def _running(self):
        if not self.engine.docker.exists(self.name):
            return None
        seen = self.engine.docker.inspect(self.name)
        return seen["State"]["Running"] and seen["Id"]

    def abandon(self):
        """The client dies as it does with its parent: no chance to tell the engine."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return self

    def end(self):
        self.engine.docker.remove(self.name)
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait()


class Attached:
    """A program that is no docker command and holds a container's input."""

    def __init__(self, engine, ident):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(engine.socket)
        self.socket.sendall(f"POST /v1.41/containers/{ident}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
                            "Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        if b"101" not in self.socket.recv(4096):
            raise AssertionError("the engine refused the attach")

    def close(self):
        self.socket.close()


def made_by_hand(t, engine, name, **labels):
    """As `docker run -i` makes one, by the API."""
    made = engine.docker.api("POST", f"/containers/create?name={name}", {
        "Image": BUSYBOX, "Cmd": ["sh", "-c", DEAF], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True,
        "AttachStdout": True, "AttachStderr": True, "Labels": labels, "HostConfig": {"Init": True}})["Id"]
    t.cleanup(engine.docker.remove, made)
    holder = Attached(engine, made)
    engine.docker.api("POST", f"/containers/{made}/start")
    return made, holder


def searched(m):
    """All containers by name, after a search."""
    return {c["name"]: c for c in m.api.get("/containers?orphans=1")["containers"]}


def said(container):
    return "; ".join(container["evidence"])


@limit(150)
def test_found_by_evidence(t):
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    t.eq(searched(m), {}, "nothing is there")
    live = Run(t, engine, "live")
    left = Run(t, engine, "left").abandon()
    busy = Run(t, engine, "busy", "while :; do :; done").abandon()
    compose = Run(t, engine, "composed", DEAF, "--label", "com.docker.compose.project=x").abandon()
    engine.docker.cli("run", "-d", "-i", "--name", "detached", BUSYBOX, "sh", "-c", DEAF)
    t.cleanup(engine.docker.remove, "detached")
    by_hand, holder = made_by_hand(t, engine, "by-hand")
    for one in (left, busy, compose):
        t.ok(engine.docker.inspect(one.id)["State"]["Running"], f"{one.name} lives on without its client")

    seen = searched(m)
    t.eq({n: (c["owner"], c["orphan"]) for n, c in seen.items()},
         {"live": ("foreign", False), "left": ("foreign", False), "busy": ("foreign", False),
          "by-hand": ("foreign", False)}, "what `docker run -i` made is shown; nothing else is")
    t.has(said(seen["live"]), r"docker \(pid \d+\) holds its input", "a live client is named")
    t.has(said(seen["left"]), r"python3?[0-9.]* \(pid \d+\) is connected to the engine and may hold its input",
          "a program that may hold it is named, and counts for the container")
    holder.close()
    seen = searched(m)
    t.eq({n: c["orphan"] for n, c in seen.items()},
         {"live": False, "left": True, "busy": False, "by-hand": True}, "orphans, once nobody can hold them")
    t.has(said(seen["left"]), "made by `docker run -i`.*no program on this machine is left.*idle", "with the evidence")
    t.has(said(seen["busy"]), "but busy: [0-9.]+ %", "one that works is none")
    t.ok(seen["left"]["memory"] > 0 and 0 <= seen["left"]["cpu"] < 1 and seen["left"]["created_wall_ms"] > 0,
         "with its cost and age", seen["left"])
    t.ok(seen["busy"]["cpu"] >= 1, "as measured", seen["busy"]["cpu"])

    again = Attached(engine, left.id)       # the test itself, which is older than the container
    reply = m.api.raw("DELETE", f"/containers/{left.id}")
    t.eq(reply.status, 409, "looked at again before it is removed")
    t.has(reply.json()["error"], "does not look left behind: .*may hold its input", "and told why not")
    again.close()
    t.eq(m.api.raw("DELETE", f"/containers/{live.id}").status, 409, "nor is one with a client")
    t.eq(m.api.raw("DELETE", f"/containers/{compose.id}").status, 404, "nor what no search found")
    for ident in (left.id, live.id, compose.id):
        t.ok(engine.docker.exists(ident), f"{ident[:12]} stands")
    t.eq(m.api.raw("DELETE", f"/containers/{left.id}").status, 200, "removed")
    wait_for(lambda: "left" not in {c["name"] for c in m.api.get("/containers")["containers"]}, 5,
             "the list to follow")


HOLDER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"POST /v1.41/containers/%s/attach?stream=1&stdin=1 HTTP/1.1\\r\\nHost: x\\r\\n"
          b"Connection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n" % sys.argv[2].encode())
print(s.recv(4096)[9:12].decode(), flush=True)
sys.stdin.read()
"""


@limit(150)
def test_clients_elsewhere(t):
    """Whoever holds the input may be in a container that has the engine's socket, or on another machine."""
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    made, here = made_by_hand(t, engine, "far")
    there = subprocess.Popen(["unshare", "--net", sys.executable, "-c", HOLDER, engine.socket, made],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t.cleanup(there.kill)
    t.eq(there.stdout.readline().strip(), "101", "a program in another network namespace is attached")
    here.close()
    one = searched(m)["far"]
    t.ok(not one["orphan"], "no orphan then")
    t.has(said(one), "[12] connections? to the engine comes? from another network namespace .*may hold its input", "and why")
    t.eq(m.api.raw("DELETE", f"/containers/{made}").status, 409, "it is not removed")
    there.communicate("")
    t.ok(searched(m)["far"]["orphan"], "an orphan when that has gone")
    engine.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine.start("--host", f"tcp://127.0.0.1:{port}", "--tls=false")
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 30, "the engine again")
    Run(t, engine, "left").abandon()
    one = searched(m)["left"]
    t.ok(not one["orphan"], "nor is one of an engine that takes clients by TCP")
    t.has(said(one), f"cannot be told: the engine takes clients at (http|tcp)://127.0.0.1:{port}, too", "and by what door")


@limit(150)
def test_verbs(t):
    engine = t.own_engine()
    server = paths.built("echo_server")
    iso = {"mode": "docker", "image": BUSYBOX, "volumes": [f"{server}:{server}:ro"]}
    m = t.mcptop({"mcpServers": {"box": echo(isolation=iso)}}, docker_host=engine)
    other = Mcptop(t, {"mcpServers": {"theirs": echo(isolation=iso)}}, docker_host=engine, name="2").start()
    m.wait_server("box")
    other.wait_server("theirs")
    t.eq(m.cli("ps", "--orphans", check=0).stdout, "no container looks left behind; `mcptop ps` shows all "
         "that were looked at\n", "nothing to see")
    live = Run(t, engine, "live")
    left = [Run(t, engine, name).abandon() for name in ("left1", "left2")]
    dead, holder = made_by_hand(t, engine, "mcpproxy-gone-abcd", **{
        "com.mcpproxy.managed": "true", "com.mcpproxy.instance": "f" * 36, "com.mcpproxy.server": "gone"})
    holder.close()
    table = m.cli("ps", check=0).stdout
    t.diag(table)
    for row in (r"box +ours +running", r"theirs +other [0-9a-f]{8} +running", r"- +foreign \(orphan\) +running.* left1",
                r"- +foreign +running.* live", r"gone +other f{8} +running"):
        t.has(table, row, "ps")
    t.has(table, r"mcptop \(pid \d+\) is connected to the engine", "another mcptop that lives is named")
    listed = json.loads(m.cli("ps", "--orphans", "--json", check=0).stdout)["containers"]
    t.eq(sorted(c["name"] for c in listed), ["left1", "left2"],
         "ps --orphans --json: no other instance's while one lives that may own them")
    refused = m.cli("rm", "live", "--yes")
    t.eq(refused.returncode, 1, "rm of one that is held is refused")
    t.has(refused.stderr, "does not look left behind: docker", "and says who holds it")
    t.eq(m.cli("rm").returncode, 2, "rm of nothing is wrong usage")
    t.eq(m.cli("rm", "nonesuch", "--yes").returncode, 4, "rm of what is not there")
    kept = m.cli("rm", "--orphans", input="n\n")
    t.has(kept.stdout, r"(?s)left1.*idle.*remove these containers by force\? \[y/N\] nothing was removed",
          "rm shows what would go, and asks")
    t.eq([engine.docker.exists(one.id) for one in left], [True, True], "no is no")
    t.eq(m.cli("rm", "--orphans", input="").returncode, 1, "and so is silence")
    t.has(m.cli("rm", "--orphans", input="y\n", check=0).stdout, "left1: removed", "yes is yes")
    t.eq([engine.docker.exists(i) for i in (left[0].id, left[1].id, dead)], [False, False, True], "they are gone")
    t.ok(engine.docker.exists(live.id), "the one with a client stands")
    t.eq((m.server("box")["state"], other.server("theirs")["state"]), ("ready", "ready"), "and all servers run")
    t.eq([m.server("box")["restarts"], other.server("theirs")["restarts"]], [0, 0], "as before")
    theirs = other.server("theirs")["container"]
    t.has(m.cli("rm", theirs["name"], input="n\n").stdout, "(?s)mcptop .* is connected.*nothing was removed",
          "another instance's, by its name: asked with what is known")
    t.has(m.cli("rm", theirs["name"], "-y", check=0).stdout, "removed", "and removed when the user says so")
    other.wait_server("theirs", lambda s: s["state"] == "ready" and s["container"]["id"] != theirs["id"])
    t.has(m.cli("rm", m.server("box")["container"]["name"], "-y").stderr, "in use by server box", "ours in use is not")
    other.stop()
    t.has(m.cli("ps", check=0).stdout, r"gone +other f{8} \(orphan\) +running", "without any that could own it it is one")
    t.has(m.cli("rm", "--orphans", "-y", check=0).stdout, "^mcpproxy-gone-abcd: removed$", "and goes")
    t.ok(not engine.docker.exists(dead), "from the engine, too")


@limit(90)
def test_engine_goes(t):
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    left = Run(t, engine, "left").abandon()
    t.ok(searched(m)["left"]["orphan"], "an orphan")
    replies = []
    asking = threading.Thread(target=lambda: replies.append(m.api.raw("GET", "/containers?orphans=1")))
    asking.start()
    engine.kill()
    asking.join()
    asked = replies[0].json()
    t.ok(not asked["success"] and engine.host in asked["error"], "a search under way is told which engine went", asked)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "down", 10, "the status")
    for method, path in (("GET", "/containers?orphans=1"), ("DELETE", f"/containers/{left.id}")):
        refused = m.api.raw(method, path)
        t.has(refused.json()["error"], "Docker engine", f"{method} is refused with the cause")
    t.ok(not m.api.get("/containers?orphans=0") is None, "the list is still there to look at")
    engine.start()
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine again")
    wait_for(lambda: "left" not in searched(m), 20, "what the engine ended to be off the list", every=.2)


@limit(90)
def test_view(t):
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    left, live = Run(t, engine, "left").abandon(), Run(t, engine, "live")
    view = m.view(120, 30)
    view.wait_text("no server|servers")
    view.send("2")
    view.wait_text(r"! orphan +left")
    view.wait_text(r"not ours +live")
    view.send("/", "left", "Enter", "d")
    view.wait_text(r"remove container left\?")
    view.wait_text("no program on this machine is left")
    view.send("y")
    # On the screen, not at the engine: whoever is connected to that could hold the container.
    view.wait_gone("orphan +left")
    view.wait_gone("not ours +left")
    t.ok(not engine.docker.exists(left.id), "it is removed")
    t.ok(engine.docker.exists(live.id), "the other stands")
    view.send("q")


if __name__ == "__main__":
    tap.main(__name__)
