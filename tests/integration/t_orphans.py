#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that a `docker run -i` left behind: found by evidence, shown with it, removed only when asked
and only while the evidence holds. What somebody may still hold is left alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

from harness import Mcptop, echo, limit, paths, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
DEAF = "cat >/dev/null; exec sleep 1000"       # an MCP server that does not end with its input


class Run:
    """`docker run -i` as an AI client starts it. Named "": as most do, without --name."""

    def __init__(self, t, engine, name, script=DEAF, *flags, stdin=subprocess.PIPE):
        self.engine, self.name = engine, name
        self.cidfile = f"{t.dir}/{len(os.listdir(t.dir))}.cid"
        named = ["--name", name] if name else ["--cidfile", self.cidfile]
        self.process = subprocess.Popen(
            engine.docker.cli_argv("run", "-i", "--rm", *named, *flags, BUSYBOX, "sh", "-c", script),
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.cleanup(self.end)
        self.id = wait_for(self._running, 20, f"{name} to run")

    def _running(self):
        if not self.name and os.path.exists(self.cidfile):
            with open(self.cidfile, encoding="utf-8") as file:
                ident = file.read()
            self.name = self.engine.docker.inspect(ident)["Name"][1:] if ident else ""
        if not self.name or not self.engine.docker.exists(self.name):
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
        if self.process.stdin:
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


def made_by_hand(t, engine, name, holder=Attached, **labels):
    """As `docker run -i` makes one, by the API; the holder attaches to it before it starts."""
    made = engine.docker.api("POST", f"/containers/create?name={name}", {
        "Image": BUSYBOX, "Cmd": ["sh", "-c", DEAF], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True,
        "AttachStdout": True, "AttachStderr": True, "Labels": labels, "HostConfig": {"Init": True}})["Id"]
    t.cleanup(engine.docker.remove, made)
    held = holder(engine, made)
    engine.docker.api("POST", f"/containers/{made}/start")
    return made, held


def searched(m):
    """All containers by name, after a search."""
    return {c["name"]: c for c in m.api.get("/containers?orphans=1")["containers"]}


def said(container):
    return "; ".join(container["evidence"])


@limit(150)
def test_found_by_evidence(t):
    """Neither a client of the same image that lives nor a program that holds the engine's socket keeps others from being judged."""
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    t.eq(searched(m), {}, "nothing is there")
    live = Run(t, engine, "")
    left = Run(t, engine, "left").abandon()
    nameless = Run(t, engine, "").abandon()
    busy = Run(t, engine, "busy", "while :; do :; done").abandon()
    compose = Run(t, engine, "composed", DEAF, "--label", "com.docker.compose.project=x").abandon()
    engine.docker.cli("run", "-d", "-i", "--name", "detached", BUSYBOX, "sh", "-c", DEAF)
    t.cleanup(engine.docker.remove, "detached")
    by_hand, holder = made_by_hand(t, engine, "by-hand")
    for one in (left, busy, compose):
        t.ok(engine.docker.inspect(one.id)["State"]["Running"], f"{one.name} lives on without its client")

    seen = searched(m)
    t.eq({n: (c["owner"], c["orphan"]) for n, c in seen.items()},
         {live.name: ("foreign", False), "left": ("foreign", True), nameless.name: ("foreign", True),
          "busy": ("foreign", False), "by-hand": ("foreign", False)}, "what `docker run -i` made is shown and judged; nothing else is")
    t.has(said(seen[live.name]), r"docker \(pid \d+\) holds its input", "a live client is named")
    t.has(said(seen["left"]), "made by `docker run -i`.*its input has ended.*no program on this machine is left.*idle", "with the evidence")
    for who in ("docker", "python3?[0-9.]*"):
        t.has(said(seen["left"]), rf"{who} \(pid \d+\) is connected to the engine, but has ended no container's input", "who is there is named, and why he is not meant")
    t.has(said(seen["by-hand"]), r"docker \(pid \d+\) holds its input, or that of one like it", "one whose input is open may be anybody's who can have made it")
    t.has(said(seen["busy"]), "but busy: [0-9.]+ %", "one that works is none")
    t.ok(seen["left"]["memory"] > 0 and 0 <= seen["left"]["cpu"] < 1 and seen["left"]["created_wall_ms"] > 0,
         "with its cost and age", seen["left"])
    t.ok(seen["busy"]["cpu"] >= 1, "as measured", seen["busy"]["cpu"])
    holder.close()
    t.ok(searched(m)["by-hand"]["orphan"], "and is one when that has gone")
    engine.docker.api("POST", f"/containers/{by_hand}/restart?t=0")
    live.abandon()
    seen = searched(m)
    t.eq((seen["by-hand"]["orphan"], "input has ended" in said(seen["by-hand"])), (True, False),
         "so is one that was started again: its input is open, and nobody is there")
    t.ok(seen[live.name]["orphan"], "the client that lived has died: one more")

    again = subprocess.Popen(engine.docker.cli_argv("attach", "left"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    t.cleanup(again.kill)
    wait_for(lambda: not searched(m)["left"]["orphan"], 20, "a docker attach to be seen")
    reply = m.api.raw("DELETE", f"/containers/{left.id}")
    t.eq(reply.status, 409, "looked at again before it is removed")
    t.has(reply.json()["error"], r"does not look left behind: docker \(pid \d+\) is its command, or that of one like it", "and told why not")
    again.kill()
    again.communicate()
    t.eq(m.api.raw("DELETE", f"/containers/{compose.id}").status, 404, "nor what no search found")
    for ident in (left.id, live.id, compose.id):
        t.ok(engine.docker.exists(ident), f"{ident[:12]} stands")
    t.eq(m.api.raw("DELETE", f"/containers/{left.id}").status, 200, "removed")
    wait_for(lambda: "left" not in {c["name"] for c in m.api.get("/containers")["containers"]}, 5,
             "the list to follow")


@limit(120)
def test_clients_that_wait(t):
    """Who has ended the input and waits for the output is a client, whatever program it is."""
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    batch = Run(t, engine, "", stdin=subprocess.DEVNULL)
    one = searched(m)[batch.name]
    t.ok(not one["orphan"], "docker run -i … < file")
    t.has(said(one), r"docker \(pid \d+\) is its command, or that of one like it, and waits for its end", "is named")
    t.eq(m.api.raw("DELETE", f"/containers/{batch.id}").status, 409, "and not removed")
    batch.abandon()
    t.ok(searched(m)[batch.name]["orphan"], "an orphan when that has gone")
    _, holder = made_by_hand(t, engine, "by-hand")
    t.has(said(searched(m)["by-hand"]), r"python3?[0-9.]* \(pid \d+\) is connected to the engine and may hold its input",
          "a program that may hold an input that is open is named, and counts for the container")
    holder.socket.shutdown(socket.SHUT_WR)
    one = wait_for(lambda: (c := searched(m)["by-hand"])["orphan"] is False and "ended an input" in said(c) and c, 20, "its input to have ended")
    t.has(said(one), r"python3?[0-9.]* \(pid \d+\) has ended an input at the engine, and may wait for this one's output", "another program")
    holder.close()
    t.ok(searched(m)["by-hand"]["orphan"], "an orphan when that has gone")


HOLDER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"%s HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n" % sys.argv[2].encode())
print(s.recv(4096)[9:12].decode(), flush=True)
sys.stdin.read()
"""


class Elsewhere:
    """A program in a container that has the engine's socket: in a network namespace of its own."""

    def __init__(self, engine, ident=None):
        ask = f"POST /v1.41/containers/{ident}/attach?stream=1&stdin=1" if ident else "GET /v1.41/events"
        self.process = subprocess.Popen(["unshare", "--net", sys.executable, "-c", HOLDER, engine.socket, ask],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self.process.stdout.readline().strip()
        if answer not in ("101", "200"):
            raise AssertionError(f"the engine refused: {answer}")

    def close(self):
        self.process.communicate("")


@limit(150)
def test_clients_elsewhere(t):
    """Whoever holds the input may be in a container that has the engine's socket, or on another machine."""
    engine = t.own_engine()
    m = t.mcptop({"mcpServers": {}}, docker_host=engine)
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the engine")
    watcher = Elsewhere(engine)
    t.cleanup(watcher.close)
    made, there = made_by_hand(t, engine, "far", Elsewhere)
    left = Run(t, engine, "left").abandon()
    seen = searched(m)
    one = seen["far"]
    t.ok(not one["orphan"], "no orphan while a program in another network namespace is attached")
    t.has(said(one), r"python3?[0-9.]* \(pid \d+\) is connected to the engine and may hold its input", "and why")
    t.eq(m.api.raw("DELETE", f"/containers/{made}").status, 409, "it is not removed")
    t.ok(seen["left"]["orphan"], "another is one, though programs elsewhere have the engine's socket")
    t.has(said(seen["left"]), r"python3?[0-9.]* \(pid \d+\) is connected to the engine, but has ended no container's input", "and these are named")
    there.close()
    t.ok(searched(m)["far"]["orphan"], "an orphan when that has gone")
    engine.docker.remove(left.id)
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
