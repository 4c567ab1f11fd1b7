#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that takes connections and answers nothing, under load: who does not need it never notices, and
who does goes on where he was when it answers again."""

import json
import os
import signal
import threading
import time

from harness import Api, Mcptop, limit, stays, tap, wait_for
from harness.proxy import Proxy
from t_engine_loss import BUSYBOX, HOST, ISOLATED, Load, all_ready, boxed, config, judge, one_each


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


def impatient(**more):
    return {"docker_isolation": {"enabled": False, "timeout": "10s"},
            "mcpServers": {"one": dict(boxed(), **more)}}


def waits(m, text, name="one"):
    return m.wait_server(name, lambda s: s["waits"] and text in s["waits"]["text"], 20)


@limit(180)
def test_a_step_is_never_answered(t):
    """Create, attach and start: the row says what the engine was asked, the time for the start bounds it,
    and what the engine makes of it later goes."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(impatient(enabled=False), docker_host=proxy)
    for path, doing in (("/containers/create", "creating the container"),
                        ("/containers/[0-9a-f]+/attach", "attaching to the container"),
                        ("/containers/[0-9a-f]+/start", "starting the container")):
        proxy.hold("POST", path)
        m.api.post("/servers/one/enable")
        one = waits(m, f"engine is slow: {doing}")
        t.eq(one["state"], "starting", f"{doing}: the row says it while it starts")
        shown = time.time() - one["waits"]["since_wall_ms"] / 1e3
        t.ok(shown < 10, f"{doing}: before the time is over", shown)
        t.has(m.cli("ls", check=None).stdout, f"engine is slow: {doing}, [2-9]s", f"{doing}: ls says it")
        t.has(m.cli("doctor", "one", check=None).stdout, f"one: starting: it waits for the engine: {doing}",
              "doctor, too")
        one = m.wait_server("one", lambda s: s["state"] == "backing-off" and "engine" in s["reason"], 20)
        t.has(one["reason"], rf"^engine does not answer: {doing}, and the start took over 10s \(the Docker engine at unix://\S+\)\. See whether",
              "then the engine is named, and what to do")
        t.eq((one["waits"], one["diagnostic"]["code"]), (None, "MCPX_DOCKER_ENGINE_TIMEOUT"), "as a finding")
        held = len(proxy.held)
        wait_for(lambda: len(proxy.held) > held, 20, "the next try")
        proxy.release()
        m.wait_server("one", "ready", 40)
        one_each(t, engine, m, ["one"], f"{doing}, answered late: one container")
        m.api.post("/servers/one/disable")
        m.wait_server("one", "stopped", 20)
    wait_for(lambda: not engine.docker.mine(), 10, "no container to be left", saw=engine.docker.mine)


@limit(120)
def test_the_steps_have_one_time_together(t):
    """Each of them is answered in time, all of them are not: `timeout` is how long the container's start may take."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(impatient(enabled=False), docker_host=proxy)
    proxy.hold("POST", "/containers/create")
    began = time.monotonic()
    m.api.post("/servers/one/enable")
    wait_for(lambda: proxy.held and time.monotonic() > began + 6, 20, "most of the time to be spent on the create")
    proxy.release()
    proxy.hold("POST", "/containers/[0-9a-f]+/start")
    one = m.wait_server("one", lambda s: s["state"] == "backing-off", 20)
    took = time.monotonic() - began
    t.has(one["reason"], "^engine does not answer: starting the container, and the start took over 10s", "given up")
    t.ok(9 <= took < 15, "10 s after it began, not after the last step did", took)
    proxy.release()
    m.wait_server("one", "ready", 40)
    one_each(t, engine, m, ["one"], "one container")


@limit(90)
def test_stopped_while_the_engine_hangs(t):
    """Nobody waits for an answer that nobody wants any more; the container that comes then is removed."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    proxy.hold("POST", "/containers/create")
    m = t.mcptop(impatient(), docker_host=proxy)
    wait_for(lambda: proxy.held, 20, "a create")
    m.api.post("/servers/one/disable")
    m.wait_server("one", "stopped", 4)
    t.ok(True, "stopped at once")
    proxy.release()
    wait_for(lambda: "came too late: it is removed" in m.log(), 20, "the late container to be noticed")
    wait_for(lambda: not engine.docker.mine(), 10, "and removed", saw=engine.docker.mine)


def created(engine, name, since):
    """Whether the engine has told of such a container since then (s)."""
    now = int(time.time())
    told = engine.docker.http.get(f"/v1.41/events?since={int(since)}&until={now + 1}").text.splitlines()
    return [e for e in map(json.loads, told) if e["Action"] == "create" and e["Actor"]["Attributes"].get("name") == name]


@limit(90)
def test_the_supervisor_stops_while_the_engine_hangs(t):
    """The engine makes a container when nobody reads its events any more."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    proxy.hold("POST", "/containers/create")
    began = time.time()
    m = t.mcptop(impatient(), docker_host=proxy)
    wait_for(lambda: proxy.held, 20, "a create")
    name = proxy.held[0][1].split("name=")[1].split("&")[0]
    stopping = threading.Thread(target=m.stop)
    stopping.start()
    wait_for(lambda: ("DELETE", f"/v1.41/containers/{name}?v=true&force=true") in proxy.asked, 20, "its removal by name",
             saw=lambda: proxy.asked)
    proxy.release()
    wait_for(lambda: created(engine, name, began), 20, "the container to be made")
    stopping.join()
    t.eq(engine.docker.mine(), [], "it was removed before the supervisor ended")


@limit(90)
def test_killed_while_one_is_created(t):
    """What a supervisor asked for before it was killed comes when its successor has swept. Somebody's own,
    with the labels of a line of main.log, stays."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    proxy.hold("POST", "/containers/create")
    m = Mcptop(t, impatient(), docker_host=proxy, warden=False).start()
    wait_for(lambda: proxy.held, 20, "a create")
    os.kill(m.pid, signal.SIGKILL)
    m.process.wait()
    m.write_config(impatient(enabled=False))
    m.start()
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "the successor to know the engine")
    wait_for(lambda: proxy.count("/containers/json") == 2, 20, "and to have listed its containers")
    proxy.release()
    late = wait_for(engine.docker.mine, 20, "the container to be made")[0]
    other = engine.docker.run(BUSYBOX, "sleep", "60", labels=late["Labels"])
    t.cleanup(lambda: engine.docker.remove(other))
    wait_for(lambda: not engine.docker.exists(late["Id"]), 30, "it to be removed", saw=m.log)
    t.has(m.log(), "container mcpproxy-one-.{4}, asked for by an earlier run of ours, came late: it is removed", "and told")
    t.eq(engine.docker.inspect(other)["State"]["Status"], "running", "one that runs, with our labels, is its maker's")


@limit(90)
def test_an_end_that_nobody_tells(t):
    """The connection to a container breaks, and the engine does not say what became of it."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(impatient(), docker_host=proxy)
    m.wait_server("one")
    wait_for(lambda: proxy.count("/containers/[0-9a-f]+/json"), 20, "its pid to be asked for")
    proxy.hold("GET", "/containers/[0-9a-f]+/json")
    proxy.cut("/attach")
    one = m.wait_server("one", lambda s: s["exit"], 20)
    t.eq(one["exit"]["why"], "how it ended is not known: the engine did not answer within 5 s", "that is said")
    proxy.release()
    m.wait_server("one", "ready", 40)
    one_each(t, engine, m, ["one"], "another one instead of it")


@limit(90)
def test_swept_while_one_is_created(t):
    """The engine is gone for a moment while it makes a container: what is swept then is not this one."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    proxy.keep("POST", "/containers/create")
    one = boxed(timeout="60s")
    m = t.mcptop(dict(impatient(), mcpServers={"one": one, "two": dict(one, enabled=False)}), docker_host=proxy)
    tried = []
    trial = threading.Thread(target=lambda: tried.append(Api(f"unix://{m.socket}", timeout=80).raw("POST", "/servers/two/test")))
    wait_for(lambda: proxy.kept, 20, "a server's container to be made, and the answer to be kept")
    trial.start()
    wait_for(lambda: len(proxy.kept) == 2, 20, "and a trial's", saw=lambda: tried and tried[0].text)
    made = engine.docker.mine(server="one")
    proxy.refuse("GET", "/version", 500, "not now")
    wait_for(lambda: m.api.get("/docker/status")["state"] == "down", 20, "the engine to be down")
    proxy.allow()
    wait_for(lambda: m.api.get("/docker/status")["state"] == "up", 20, "and up again")
    wait_for(lambda: proxy.count("/containers/json") == 2, 20, "its containers to be listed again, for the sweep")
    proxy.release()
    m.wait_server("one", "ready", 30)
    t.eq([m.server("one")["restarts"], m.server("one")["container"]["id"]], [0, made[0]["Id"][:12]],
         "the container becomes the server's")
    trial.join()
    t.eq(tried[0].json()["data"]["ok"], True, "and the other the trial's")
    t.ok("of an earlier run of ours" not in m.log(), "nothing was swept")


@limit(120)
def test_hangs_before_a_start(t):
    """An engine that answers nobody at all."""
    engine = t.own_engine()
    m = t.mcptop(impatient(), docker_host=engine)
    m.wait_server("one", "ready", 30)       # so what the engine is asked at first is answered
    m.api.post("/servers/one/disable")
    m.wait_server("one", "stopped", 20)
    os.kill(engine.pid(), signal.SIGSTOP)
    try:
        m.api.post("/servers/one/enable")
        waits(m, "engine does not answer: looking for the image")
        one = m.wait_server("one", lambda s: s["state"] == "backing-off", 20)
        t.has(one["reason"], "not answer: looking for the image, and the start took over 10s|engine down: ", "and then why")
    finally:
        os.kill(engine.pid(), signal.SIGCONT)
    all_ready(m, 60, "ready by itself when it answers again")
    one_each(t, engine, m, ["one"], "one container")


if __name__ == "__main__":
    tap.main(__name__)
