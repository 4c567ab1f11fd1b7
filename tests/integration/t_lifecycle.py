#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty isolated servers on a real engine: their supervisor killed and started again, how long a stop
takes, and what is done to a container behind our back."""

import json
import os
import threading
import time

from harness import echo, limit, paths, proc, stays, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
STDIN_GRACE_S, TERM_GRACE_S = 2, 5


def boxed(command=None, args=(), **isolation):
    """The echo server (or another command) in a container."""
    server = paths.built("echo_server")
    entry = echo(isolation=dict({"mode": "docker", "image": BUSYBOX, "network_mode": "none",
                                 "volumes": [f"{server}:{server}:ro"]}, **isolation))
    return dict(entry, args=list(args), **({"command": command} if command else {}))


def config(**servers):
    return {"docker_isolation": {"enabled": False}, "mcpServers": servers}


def ours(engine, m):
    return engine.docker.containers(com_mcpproxy_instance=m.api.get("/status")["instance"])


def states(m):
    return {s["name"]: (s["state"], s["reason"]) for s in m.servers() if s["state"] != "ready"}


def all_ready(m, count, timeout):
    wait_for(lambda: len([s for s in m.servers() if s["state"] == "ready"]) == count, timeout,
             f"{count} servers to be ready", every=0.1, saw=lambda: states(m))


def one_each(t, engine, m, names, what):
    """Exactly one running container for each name, and none of ours besides."""
    def seen():
        return sorted((c["Labels"]["com.mcpproxy.server"], c["State"]) for c in ours(engine, m))
    wanted = [(name, "running") for name in sorted(names)]
    wait_for(lambda: seen() == wanted, 20, what, every=0.1, saw=seen)
    t.ok(True, what)


def planted(t, engine, name, **labels):
    ident = engine.docker.run(BUSYBOX, "sleep", "1000", name=name, labels=dict(
        {"com.mcpproxy.managed": "true"}, **{f"com.mcpproxy.{k}": v for k, v in labels.items()}))
    t.cleanup(engine.docker.remove, ident)
    return ident, engine.docker.inspect(ident)["State"]["Pid"]


def stand(t, engine, made, when):
    now = [(i, engine.docker.inspect(i)["State"]["Pid"]) for i, _ in made if engine.docker.exists(i)]
    t.eq(now, made, f"containers of others stand, {when}")


@limit(150)
def test_twenty_killed_and_started_again(t):
    # Of its own: twenty containers that end at once can lock an engine of 20.10 up for good.
    engine = t.own_engine()
    names = ["git", *[f"s{n}" for n in range(19)]]
    m = t.mcptop(config(**{name: boxed() for name in names}), docker_host=engine)
    all_ready(m, 20, 60)
    instance, tag = m.api.get("/status")["instance"], f"{os.getpid() & 0xffff:04x}"
    made = [planted(t, engine, f"mcpproxy-git-{tag}", server="git", instance=instance[:-1] + "x"),
            planted(t, engine, f"mcpproxy-git-hub-{tag}", server="git-hub", instance="0" * 36)]
    before = {c["Id"] for c in ours(engine, m)}
    t.eq(len(before), 20, "a container for each")
    supervisor = m.supervisor_pid()
    proc.kill(m.pid)
    proc.kill(supervisor)
    m.process.wait()
    m.start()       # at once, as a client does that finds nobody: the kernel may still be burying the other
    all_ready(m, 20, 60)
    one_each(t, engine, m, names, "20 containers, one for each")
    t.eq(before & {c["Id"] for c in ours(engine, m)}, set(), "all new: the old ones were swept")
    stand(t, engine, made, "after the sweep")
    m.cli("restart", "git", check=0)
    one_each(t, engine, m, names, "git restarted: still one for each")
    stand(t, engine, made, "after a restart of git")
    owner = {c["id"]: c["owner"] for c in m.api.get("/containers")["containers"]}
    t.eq([owner.get(i) for i, _ in made], ["other", "other"], "they are shown as others'")
    m.stop()
    t.eq(engine.docker.containers(com_mcpproxy_instance=instance), [], "none of ours is left")
    stand(t, engine, made, "at the end")


def stop_time(t, m, name):
    """Seconds from the request to the state, as the event stream tells it."""
    with m.api.events() as events:
        events.wait(lambda e, d: e == "hello", 10)
        start = time.monotonic()
        m.api.post(f"/servers/{name}/stop")
        events.wait(lambda e, d: e == "server" and d["name"] == name and d["state"] == "stopped", 30)
        return time.monotonic() - start


@limit(120)
def test_how_long_a_stop_takes(t):
    engine = t.engine()
    deaf = ["-c", "trap '' TERM; " + paths.built("echo_server") + "; while :; do sleep 1; done"]
    hears = ["-c", paths.built("echo_server") + "; exec sleep 1000"]
    m = t.mcptop(config(obeys=boxed(), deaf=boxed("sh", deaf), term=boxed("sh", hears)),
                 docker_host=engine)
    all_ready(m, 3, 40)
    took = {name: stop_time(t, m, name) for name in ("obeys", "term", "deaf")}
    t.diag(took)
    t.ok(took["obeys"] <= 1, "at most a second when it obeys the end of its input", took)
    t.ok(STDIN_GRACE_S <= took["term"] <= STDIN_GRACE_S + 1, "then SIGTERM", took)
    t.ok(took["deaf"] <= STDIN_GRACE_S + TERM_GRACE_S + 1, "then SIGKILL, after its grace", took)
    one_each(t, engine, m, [], "no container is left")
    t.eq(states(m), {n: ("stopped", "stopped by user") for n in took}, "and each says why")


@limit(60)
def test_how_it_is_made(t):
    """Its input is that of one attachment, which is there before it runs: nothing of it is lost or left open."""
    engine = t.engine()
    m = t.mcptop(config(box=boxed()), docker_host=engine)
    ident = m.wait_server("box")["container"]["id"]
    made = engine.docker.inspect(ident)["Config"]
    t.eq([made[k] for k in ("OpenStdin", "StdinOnce", "AttachStdin", "Tty")], [True, True, True, False],
         "its input ends with us")
    told = engine.docker.api("GET", "/events", since=int(time.time()) - 60, until=int(time.time()) + 1,
                             filters={"container": [ident]})
    lines = told.splitlines() if isinstance(told, str) else [json.dumps(told)]
    actions = [json.loads(line)["Action"] for line in lines if line]
    t.eq([a for a in actions if a in ("create", "attach", "start")], ["create", "attach", "start"],
         "created, attached, started")


@limit(120)
def test_how_it_ended(t):
    """The exact exit, and an OOM kill told from a grandchild's."""
    engine = t.engine()
    eats = "echo $$ >/dev/null; x=$(head -c 100000000 /dev/zero | tr '\\0' x); exit 7"
    m = t.mcptop(config(code=boxed("sh", ["-c", "exit 41"]), oom=boxed(memory_limit="32m"),
                        child=boxed("sh", ["-c", f"( {eats} ) ; {paths.built('echo_server')}; exit 9"],
                                    memory_limit="32m"),
                        killed=boxed("sh", ["-c", "kill -9 $$"])), docker_host=engine)
    one = m.wait_server("code", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["exit"]["oom"]), (41, False), "an exit status")
    one = m.wait_server("killed", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["exit"]["oom"]), (137, False), "137 alone is no OOM kill")
    m.wait_server("oom")
    client = m.mcp("oom")
    client.initialize()
    try:
        client.tool("alloc", {"mb": 100}, timeout=20)
    except Exception as error:  # RpcError or HTTP, whichever way it is told
        t.has(str(error), "OOM-killed at 32M", "the open call has the cause")
    one = m.wait_server("oom", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["exit"]["oom"]), (137, True), "an OOM kill")
    m.wait_server("child")
    wait_for(lambda: "oom" in [e["action"] for e in m.api.get("/events?limit=200")["events"]
                               if e["server"] == "child"], 10, "the engine's oom event of a grandchild")
    client = m.mcp("child")
    client.initialize()
    try:
        client.tool("exit", {"code": 0})
    except Exception as error:
        t.has(str(error), "exited 9", "what ends it later is told as it is")
    one = m.wait_server("child", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["exit"]["oom"]), (9, False), "a grandchild's OOM kill is not its own")


@tap.limit(60)
def test_paused(t):
    """Whoever pauses a container wants it to go on later: it is told as that, and nobody restarts it."""
    engine = t.engine()
    m = t.mcptop(config(a=dict(boxed(), health_check_interval="1s")), docker_host=engine)
    ident = m.wait_server("a")["container"]["id"]
    engine.docker.cli("pause", ident)
    one = m.wait_server("a", lambda s: s["state"] == "silent" and s["reason"].startswith("paused"), 20)
    t.has(one["reason"], rf"docker unpause {one['container']['name']} lets it go on", "the reason says who and what to do")
    t.has(one["diagnostic"]["user_message"], "somebody paused its container", "so does the finding")
    stays(lambda: m.server("a")["state"] == "silent", 10, "the paused one left alone")
    engine.docker.cli("unpause", ident)
    m.wait_server("a", "ready", 20)
    t.eq((m.server("a")["container"]["id"], m.server("a")["restarts"]), (ident, 0), "it goes on where it was")


@limit(120)
def test_behind_our_back(t):
    engine = t.engine()
    names = ("gone", "killed", "stopped", "paused", "unplugged")
    servers = {name: boxed() for name in names}
    servers["unplugged"] = boxed(network_mode="bridge")
    m = t.mcptop(config(**servers), docker_host=engine)
    all_ready(m, len(names), 40)
    ident = {s["name"]: s["container"]["id"] for s in m.servers()}

    def another(name):
        return lambda s: s["state"] == "ready" and s["container"]["id"] != ident[name]

    engine.docker.cli("rm", "-f", ident["gone"])
    engine.docker.cli("kill", ident["killed"])
    engine.docker.cli("stop", "-t", "1", ident["stopped"])
    for name, how in (("gone", "137"), ("killed", "exited 137"), ("stopped", "exited 143")):
        m.wait_server(name, another(name))
        t.has(m.log(name), f"ended: .*{how}", f"{name}: told and started again")
    one_each(t, engine, m, names, "one container for each")

    engine.docker.cli("network", "disconnect", "bridge", ident["unplugged"])
    client = m.mcp("unplugged")
    client.initialize()
    t.eq(client.tool("echo", {"text": "still"})["content"][0]["text"], "still",
         "a network that is taken away does not cut its stdin")
    t.eq(m.server("unplugged")["container"]["id"][:12], ident["unplugged"][:12],
         "nor does it cost the container")

    engine.docker.cli("pause", ident["paused"])
    shown = wait_for(lambda: [c for c in m.api.get("/containers")["containers"]
                              if c["server"] == "paused" and c["state"] == "paused"], 10,
                     "the pause to be shown")
    t.ok(shown[0]["in_use"], "a paused container is still in use")
    took = stop_time(t, m, "paused")
    t.ok(took <= STDIN_GRACE_S + TERM_GRACE_S + 1, "a paused one can be stopped", took)
    wait_for(lambda: not engine.docker.mine(server="paused") or not
             [c for c in ours(engine, m) if c["Labels"]["com.mcpproxy.server"] == "paused"], 10,
             "and its container goes")
    m.api.post("/servers/paused/start")
    m.wait_server("paused", another("paused"))
    engine.docker.cli("pause", m.server("paused")["container"]["id"])
    m.api.post("/servers/paused/kill")
    m.wait_server("paused", lambda s: s["state"] == "ready" and s["restarts"] >= 2)
    one_each(t, engine, m, names, "one container for each, after all that")


@limit(150)
def test_races(t):
    """Whatever the engine's other users and ours do to a container at the same time, one is left, and it is ready."""
    engine = t.engine()
    names = [f"r{n}" for n in range(5)]
    m = t.mcptop(config(**{name: boxed() for name in names}), docker_host=engine)
    all_ready(m, len(names), 40)
    outside = [("kill",), ("stop", "-t", "1"), ("rm", "-f"), ("restart", "-t", "0"), ("pause",)]
    inside = ["restart", "kill", "stop", "restart", "kill"]
    for turn in range(5):
        doing = []
        for n, name in enumerate(names):
            ident, act = m.server(name)["container"]["id"], outside[(n + turn) % 5]
            verb = inside[n]
            doing += [threading.Thread(target=engine.docker.cli, args=(*act, ident), kwargs={"check": False}),
                      threading.Thread(target=m.api.post, args=(f"/servers/{name}/{verb}",))]
        for one in doing:
            one.start()
        for one in doing:
            one.join()
        for name in names:
            if m.server(name)["wanted"] == "down":
                m.api.post(f"/servers/{name}/start")
        all_ready(m, len(names), 30)
        for name in names:
            client = m.mcp(name)
            client.initialize()
            t.eq(client.tool("echo", {"text": "on"})["content"][0]["text"], "on", f"turn {turn}: {name} answers")
        one_each(t, engine, m, names, f"turn {turn}: one container for each")
    m.stop()
    t.eq([c["Names"] for c in engine.docker.mine() if c["Labels"]["com.mcpproxy.server"] in names], [],
         "none is left at the end")


if __name__ == "__main__":
    tap.main(__name__)
