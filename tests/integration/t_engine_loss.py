#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine stopped, restarted, killed, its socket taken away, while calls go to twenty isolated
servers and five on the host: what happens to the calls, and that all comes back without a key press."""

import os
import re
import signal
import threading
import time

from harness import echo, limit, paths, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
ISOLATED, HOST = [f"box{n}" for n in range(20)], [f"host{n}" for n in range(5)]
PAUSE_S = .05       # between two calls of one client
ENGINE = re.compile(r"engine", re.I)


def boxed(**isolation):
    server = paths.built("echo_server")
    return echo(isolation=dict({"mode": "docker", "image": BUSYBOX, "network_mode": "none",
                                "volumes": [f"{server}:{server}:ro"]}, **isolation))


def config(isolated=ISOLATED, host=HOST, **more):
    servers = {name: dict(boxed(), **more) for name in isolated}
    servers.update({name: echo(isolation={"mode": "none"}) for name in host})
    return {"docker_isolation": {"enabled": False}, "mcpServers": servers}


class Load:
    """One client a server, each calling again and again. What it was answered is kept by server."""

    def __init__(self, t, m, names):
        self.m, self.stop_asked = m, threading.Event()
        self.ok = dict.fromkeys(names, 0)
        self.slowest = dict.fromkeys(names, 0.)
        self.errors = {name: [] for name in names}
        self.lost = {name: [] for name in names}        # neither a result nor an error in MCP's words
        self.threads = [threading.Thread(target=self._run, args=(name,)) for name in names]
        for thread in self.threads:
            thread.start()
        t.cleanup(self.stop)

    def _run(self, name):
        client, number = self.m.mcp(name), 0
        client.initialize()
        while not self.stop_asked.wait(PAUSE_S):
            number += 1
            text, start = f"{name} {number}", time.monotonic()
            try:
                message, _ = client.send("tools/call", {"name": "echo", "arguments": {"text": text}}, timeout=150)
            except Exception as error:
                self.lost[name].append(repr(error))
                continue
            if "error" in message:
                self.errors[name].append(message["error"]["message"])
            elif message["result"]["content"][0]["text"] == text:
                self.ok[name] += 1
            else:
                self.lost[name].append(f"asked {text!r}, got {message!r}")
            self.slowest[name] = max(self.slowest[name], time.monotonic() - start)

    def counts(self):
        return dict(self.ok)

    def wait_all(self, names, timeout, what):
        """Every one of these clients is answered again, from now on."""
        before = self.counts()
        wait_for(lambda: all(self.ok[n] > before[n] + 1 for n in names), timeout, what, every=.1,
                 saw=lambda: [n for n in names if self.ok[n] <= before[n] + 1])

    def stop(self):
        self.stop_asked.set()
        for thread in self.threads:
            thread.join()


def not_ready(m):
    return {s["name"]: (s["state"], s["reason"]) for s in m.servers() if s["state"] != "ready"}


def all_ready(m, timeout, what):
    wait_for(lambda: not not_ready(m), timeout, what, every=.1, saw=lambda: not_ready(m))


def all_down(m, names, timeout):
    def seen():
        return {s["name"]: (s["state"], s["reason"]) for s in m.servers() if s["name"] in names and
                not (s["state"] == "backing-off" and s["reason"].startswith("engine down: "))}
    wait_for(lambda: not seen(), timeout, "every isolated server to say that the engine is down", every=.05,
             saw=seen)


def one_each(t, engine, m, names, what):
    def seen():
        return sorted((c["Labels"]["com.mcpproxy.server"], c["State"]) for c in engine.docker.mine())
    wait_for(lambda: seen() == [(n, "running") for n in sorted(names)], 30, what, every=.1, saw=seen)
    t.ok(True, what)


def judge(t, load, what):
    load.stop()
    t.eq({n: e[:3] for n, e in load.lost.items() if e}, {}, f"{what}: every call was answered or failed")
    t.eq({n: load.errors[n][:3] for n in HOST if load.errors.get(n)}, {}, f"{what}: none on the host failed")
    silent = {n: [e for e in load.errors[n] if not ENGINE.search(e)] for n in ISOLATED if n in load.errors}
    t.eq({n: e[:3] for n, e in silent.items() if e}, {}, f"{what}: what failed names the engine")
    failed = [e for n in load.errors for e in load.errors[n]]
    t.diag(f"{what}: {sum(load.ok.values())} answered, {len(failed)} failed, e.g. {failed[:1]}; slowest on the "
           f"host {max((load.slowest[n] for n in HOST if n in load.slowest), default=0):.3f} s")


@limit(240)
def test_stopped_and_killed_under_load(t):
    engine = t.own_engine()
    m = t.mcptop(config(), docker_host=engine)
    all_ready(m, 90, "all 25 to be ready")
    pids = {n: m.server(n)["pid"] for n in HOST}
    load = Load(t, m, ISOLATED + HOST)
    load.wait_all(ISOLATED + HOST, 20, "calls to all")
    for how, sig in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        engine.stop(sig=sig)
        all_down(m, ISOLATED, 10)
        t.ok(True, f"{how}: the states say so")
        t.has(m.api.get("/docker/status")["error"], re.escape(engine.host), f"{how}: the status names it")
        load.wait_all(HOST, 10, "calls to the host's go on")
        engine.start()
        all_ready(m, 60, f"{how}: all to come back by themselves")
        load.wait_all(ISOLATED + HOST, 30, "calls to all again")
        one_each(t, engine, m, ISOLATED, f"{how}: one container for each")
    t.eq({s["name"]: s["retry_count"] for s in m.servers() if s["retry_count"]}, {},
         "no server is blamed for it")
    judge(t, load, "under load")
    t.eq({n: m.server(n)["pid"] for n in HOST}, pids, "the host's servers never noticed")


@limit(240)
def test_live_restore(t):
    """The containers outlive their engine, but not what was in flight on their streams: they are replaced."""
    engine = t.own_engine()
    engine.stop()
    engine.start("--live-restore")
    names = ISOLATED[:6]
    m = t.mcptop(config(names, HOST[:1]), docker_host=engine)
    all_ready(m, 60, "all to be ready")
    before = {c["Id"]: engine.docker.inspect(c["Id"])["State"]["Pid"] for c in engine.docker.mine()}
    load = Load(t, m, names + HOST[:1])
    load.wait_all(names, 20, "calls to all")
    for how, sig in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        engine.stop(sig=sig)
        all_down(m, names, 10)
        t.eq([p for p in before.values() if not os.path.exists(f"/proc/{p}")], [], f"{how}: its containers live on")
        engine.start("--live-restore")
        all_ready(m, 60, "all to come back")
        one_each(t, engine, m, names, f"{how}: exactly one container for each")
        after = {c["Id"]: engine.docker.inspect(c["Id"])["State"]["Pid"] for c in engine.docker.mine()}
        t.eq(before.keys() & after.keys(), set(), f"{how}: none of them is an old one")
        load.wait_all(names, 30, "calls to all again")
        before = after
    judge(t, load, "live-restore")


@limit(120)
def test_socket_taken_away(t):
    """Connections live on, new ones find nobody."""
    engine = t.own_engine()
    names = ISOLATED[:3]
    m = t.mcptop(config(names, HOST[:1]), docker_host=engine)
    all_ready(m, 40, "all to be ready")
    load = Load(t, m, names + HOST[:1])
    load.wait_all(names, 20, "calls to all")
    before = {n: m.server(n)["container"]["id"] for n in names}
    os.rename(engine.socket, engine.socket + ".away")
    wait_for(lambda: m.api.get("/docker/status")["state"] == "down", 8, "the status to say so, asked by nobody")
    t.has(m.api.get("/docker/status")["error"], f"no Docker engine at {re.escape(engine.host)}", "and why")
    m.api.post("/servers/box0/restart")
    load.wait_all(names[1:] + HOST[:1], 10, "who needs no new connection goes on")
    one = m.wait_server("box0", lambda s: "engine down" in s["reason"], 20)
    t.has(one["reason"], "no Docker engine at unix://", "who does is told why")
    os.rename(engine.socket + ".away", engine.socket)
    all_ready(m, 8, "all to be ready again")
    one_each(t, engine, m, names, "one container for each")
    t.eq([n for n in names if m.server(n)["container"]["id"] != before[n]], ["box0"],
         "who was not restarted has kept his")
    judge(t, load, "socket away")


if __name__ == "__main__":
    tap.main(__name__)
