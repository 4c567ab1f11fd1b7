#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that takes connections and answers nothing, under load: who does not need it never notices, and
who does goes on where he was when it answers again."""

import os
import signal
import time

from harness import limit, stays, tap
from t_engine_loss import HOST, ISOLATED, Load, all_ready, config, judge, one_each


@limit(180)
def test_hangs(t):
    """An engine that takes connections and answers nothing."""
    engine = t.own_engine()
    names = ISOLATED[:4]
    m = t.mcptop(config(names, HOST[:2]), docker_host=engine)
    all_ready(m, 40, "all to be ready")
    load = Load(t, m, names + HOST[:2])
    load.wait_all(names, 20, "calls to all")
    os.kill(engine.pid(), signal.SIGSTOP)
    slowest, begin = 0, time.monotonic()
    try:
        m.api.post("/servers/box0/restart")
        while time.monotonic() < begin + 20:
            start = time.monotonic()
            m.api.get("/servers")
            slowest = max(slowest, time.monotonic() - start)
            load.wait_all(HOST[:2], 5, "calls to the host's go on")
        t.ok(slowest < 1, "the API answers all the time", slowest)
        t.has(m.server("box0")["state"], "starting|stopping|backing-off", "what needs the engine waits")
    finally:
        os.kill(engine.pid(), signal.SIGCONT)
    all_ready(m, 60, "all to be ready again")
    one_each(t, engine, m, names, "one container for each")
    load.wait_all(names + HOST[:2], 30, "calls to all again")
    judge(t, load, "hung")
    t.ok(m.api.get("/status")["loop"]["longest_turn_ms"] < 200, "no turn of the loop was long",
         m.api.get("/status")["loop"])


@limit(180)
def test_hangs_longer_than_servers_are_waited_for(t):
    """A server behind an engine that hangs does not answer its pings: it is not restarted for that."""
    engine = t.own_engine()
    names = ISOLATED[:3]
    m = t.mcptop(config(names, HOST[:1], health_check_interval="1s"), docker_host=engine)
    all_ready(m, 40, "all to be ready")
    before = {s["name"]: s["container"]["id"] for s in m.servers() if s["container"]}
    load = Load(t, m, names[:1] + HOST[:1])
    load.wait_all(names[:1], 20, "calls")
    os.kill(engine.pid(), signal.SIGSTOP)
    try:
        for name in names:
            one = m.wait_server(name, lambda s: s["state"] == "silent" and "engine down" in s["reason"], 30)
            t.has(one["reason"], "does not answer", f"{name}: the engine is named")
        t.eq(m.api.get("/docker/status")["state"], "down", "the status says so, too")
        stays(lambda: not [s for s in m.servers() if s["name"] in names and s["state"] != "silent"], 8,
              "nobody is restarted", every=.2)
    finally:
        os.kill(engine.pid(), signal.SIGCONT)
    all_ready(m, 60, "all to be ready again")
    t.eq({s["name"]: s["container"]["id"] for s in m.servers() if s["container"]}, before, "in the same containers")
    load.wait_all(names[:1] + HOST[:1], 30, "calls again")
    judge(t, load, "hung for long")
    t.eq(load.errors[names[0]], [], "and the call in flight was answered")


if __name__ == "__main__":
    tap.main(__name__)
