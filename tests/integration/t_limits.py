#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of containers: what the engine refuses, what all isolated servers inherit, the budget, and figures of containers
whose cgroup is not readable here."""

import re
import time

from harness import echo, limit, paths, tap, wait_for
from harness.proxy import Proxy

BUSYBOX = "mcptop-test/busybox:latest"
REFUSED = 1


def boxed(**isolation):
    server = paths.built("echo_server")
    return echo(isolation={"image": BUSYBOX, "volumes": [f"{server}:{server}:ro"], **isolation})


def config(_all=None, **servers):
    return {"docker_isolation": {"enabled": True, **(_all or {})}, "mcpServers": servers}


def container(engine, server):
    return engine.docker.inspect(engine.docker.mine(server=server, all=False)[0]["Id"])


def memory(engine, server):
    return container(engine, server)["HostConfig"]["Memory"] >> 20


@limit(120)
def test_engine_refuses(t):
    """Its words are shown, the file is as it was, and a restart is offered."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(config(box=boxed(memory_limit="128m")), docker_host=proxy)
    ident = m.wait_server("box")["container"]["id"]
    text = m.read_config()
    proxy.refuse("POST", r"/update$", 500, "runc: device or resource busy")
    refused = m.api.raw("PATCH", "/servers/box", {"memory": "256m"})
    t.eq(refused.status, 502, "what the engine refuses is its error")
    t.has(refused.json()["error"], "refuses it while box runs: .*runc: device or resource busy.*Nothing was changed; a restart",
          "in its words, with what holds and what would help")
    t.eq(m.read_config(), text, "the file is what it was")
    one = m.server("box")
    t.eq((one["container"]["id"], one["state"], one["undo"]), (ident, "ready", ""), "the server runs on, with nothing to undo")
    wait_for(lambda: proxy.count("/update$") == 2, 5, "what held before to be sent again")
    said = m.cli("set", "box", "memory=256m")
    t.eq(said.returncode, REFUSED, "the verb fails")
    t.has(said.stderr, "mcptop set box memory=256m --restart", "and names the command that would do it")
    t.eq(m.read_config(), text, "the file is what it was")
    m.cli("set", "box", "memory=256m", "--restart", check=0)
    one = m.wait_server("box", lambda s: s["state"] == "ready" and s["container"]["id"] != ident)
    t.eq(memory(engine, "box"), 256, "with --restart it has the new limit, in a new container")
    t.has(m.read_config(), '"memory_limit": "256m"', "and the file too")
    proxy.allow()
    t.eq(m.api.patch("/servers/box", {"memory": "192m"})["applied"], "live", "an engine that agrees")
    t.eq(memory(engine, "box"), 192, "has done it when the answer comes")
    t.eq(m.server("box")["container"]["id"], one["container"]["id"], "in the same container")
    proxy.refuse("POST", r"/update$", 409, "not now")
    t.eq(m.api.raw("POST", "/servers/box/undo").status, 502, "an undo that is refused says so too")


@limit(90)
def test_a_docker_run_without_limits(t):
    """It has none, and gets its first ones while it runs."""
    engine = t.engine()
    server = paths.built("echo_server")
    m = t.mcptop({"mcpServers": {"box": {"command": "docker", "args": ["run", "-i", "--rm", "-v", f"{server}:{server}:ro",
                                                                       BUSYBOX, server]}}}, docker_host=engine)
    ident = m.wait_server("box", lambda s: s["state"] == "ready" and s["where"] == "docker")["container"]["id"]
    t.eq(memory(engine, "box"), 0, "its words name none")
    said = m.cli("set", "box", "memory=64m", "cpus=0.5", check=0)
    t.has(said.stdout, "changed without a restart", "the verb says what it does")
    host = container(engine, "box")["HostConfig"]
    t.eq((host["Memory"], host["MemorySwap"], host["NanoCpus"]), (64 << 20, 128 << 20, 500_000_000), "the engine has them, with docker run's swap")
    t.eq((m.server("box")["container"]["id"], m.server("box")["restarts"]), (ident, 0), "in the same container")


@limit(90)
def test_engine_refuses_the_first(t):
    """Where there was no limit, none is again, and that takes no restart."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(config(box=boxed(memory_limit="0")), docker_host=proxy)
    ident = m.wait_server("box")["container"]["id"]
    text = m.read_config()
    proxy.refuse("POST", r"/update$", 500, "runc: device or resource busy")
    refused = m.api.raw("PATCH", "/servers/box", {"memory": "256m"})
    t.eq((refused.status, m.read_config()), (502, text), "refused, and the file is what it was")
    wait_for(lambda: proxy.count("/update$") == 2, 5, "what held before to be sent again")
    t.eq((m.server("box")["container"]["id"], m.server("box")["state"]), (ident, "ready"), "the server runs on")
    proxy.allow()
    m.cli("set", "box", "memory=256m", check=0)
    t.eq((memory(engine, "box"), m.server("box")["container"]["id"]), (256, ident), "the next try is live")
    m.cli("undo", "box", check=0)
    m.wait_server("box", lambda s: s["state"] == "ready" and s["container"]["id"] != ident)
    t.eq(memory(engine, "box"), 0, "taken back by a restart")


@limit(120)
def test_engine_refuses_a_session(t):
    """Of a server with a process for every session: one answer for all of them."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(config(box=dict(boxed(memory_limit="128m"), sharing="per-session")), docker_host=proxy)
    m.wait_server("box", lambda s: s["asleep"] and s["tool_count"] > 0, timeout=60)
    sessions = [m.stdio("box") for _ in range(2)]
    for one in sessions:
        one.initialize()
        one.tool("echo", {"text": "x"})

    def containers():
        return {x["name"]: x["container"]["id"] for x in m.server("box")["members"] if x["container"]}

    def limits():
        return [engine.docker.inspect(one)["HostConfig"]["Memory"] >> 20 for _, one in sorted(containers().items())]

    wait_for(lambda: len(engine.docker.mine(server="box", all=False)) == 2, 30, "the one that told the tools to go")
    before, text = containers(), m.read_config()
    proxy.refuse("POST", f"/containers/{before['box#2']}[0-9a-f]*/update$", 500, "device or resource busy")
    refused = m.api.raw("PATCH", "/servers/box", {"memory": "256m"})
    t.eq(refused.status, 502, "one that is refused is an error")
    t.has(refused.json()["error"], "refuses it while box runs: .*device or resource busy.*Nothing was changed", "and nothing is changed")
    t.eq((m.read_config(), containers()), (text, before), "the file and the processes are what they were")
    wait_for(lambda: limits() == [128, 128], 20, "the limits, too", saw=limits)
    answer = m.api.patch("/servers/box", {"memory": "256m", "restart": True})
    t.eq(answer["applied"], "restart", "where that is asked for, the one that was refused restarts")
    wait_for(lambda: containers().get("box#2") not in (None, before["box#2"]) and limits() == [256, 256], 30, "new limits of both", saw=limits)
    t.eq(containers()["box#1"], before["box#1"], "and the other does not")
    proxy.allow()
    t.eq(m.api.patch("/servers/box", {"memory": "192m"})["applied"], "live", "an engine that agrees")
    t.eq(limits(), [192, 192], "has changed all when the answer comes")


@limit(120)
def test_refused_by_hand(t):
    """The file was edited by hand: it holds, so the server restarts."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop(config(box=boxed(memory_limit="128m")), docker_host=proxy)
    ident = m.wait_server("box")["container"]["id"]
    proxy.refuse("POST", r"/update$", 500, "device or resource busy")
    m.write_config(m.read_config().replace("128m", "256m"))
    m.wait_server("box", lambda s: s["state"] == "ready" and s["container"]["id"] != ident)
    t.eq(memory(engine, "box"), 256, "restarted with what the file says")
    t.has(m.log("box"), "could not be changed while it runs: .*device or resource busy", "the log tells why")


@limit(120)
def test_all(t):
    """What every isolated server inherits: changed live where it can be, the servers named before."""
    engine = t.engine()
    m = t.mcptop(config({"memory_limit": "128m"}, one=boxed(), two=boxed(), own=boxed(memory_limit="64m"),
                        host=echo(isolation={"enabled": False})), docker_host=engine)
    before = {name: m.wait_server(name)["container"]["id"] for name in ("one", "two", "own")}
    text = m.read_config()
    dry = m.api.patch("/docker_isolation", {"memory": "192m", "dry_run": True})
    t.eq(m.read_config(), text, "a preview writes nothing")
    t.has("\n".join(dry["changes"]), r"Changed while they run: one, two\.\nNot changed, they have their own: own\.", "and names the servers")
    t.eq([s["applied"] for s in dry["servers"]], ["live", "live"], "what would become of each")
    done = m.cli("set", "--all", "memory=192m", "pids=64", check=0)
    t.has(done.stdout, "Changed while they run: one, two, own", "the verb says which are changed")
    t.eq([memory(engine, name) for name in ("one", "two", "own")], [192, 192, 64], "the engine has done it when it is answered")
    t.eq(container(engine, "own")["HostConfig"]["PidsLimit"], 64, "and what a server inherits of it")
    t.eq({name: m.server(name)["container"]["id"] for name in before}, before, "in the same containers")
    t.has(m.read_config(), r'"docker_isolation": \{[^}]*"memory_limit": "192m"[^}]*"pids_limit": 64', "written where all inherit it from")
    t.eq(m.api.get("/status")["isolation"]["undo"], "memory_limit 128m → 192m, pids_limit 512 → 64", "it can be undone")
    for body, status in (({"memory": "rubbish"}, 400), ({"isolation": "none"}, 400), ({"cpus": "999"}, 400)):
        t.eq(m.api.raw("PATCH", "/docker_isolation", body).status, status, f"refused: {body}")
    m.cli("undo", "--all", check=0)
    t.eq(m.read_config(), text, "undo gives the file back, byte for byte")
    wait_for(lambda: [memory(engine, name) for name in ("one", "two", "own")] == [128, 128, 64], 5, "the limits to be back")
    client = m.mcp("two")
    client.initialize()
    client.tool("alloc", {"mb": 40})
    m.wait_server("two", lambda s: s["usage"] and s["usage"]["memory"] > 30 << 20, 10)
    refused = m.api.raw("PATCH", "/docker_isolation", {"memory": "16m"})
    t.eq((refused.status, "two uses now" in refused.json()["error"]), (409, True), "below the use of one of them: refused, with its name")
    change = m.api.patch("/docker_isolation", {"network": "none"})
    t.eq((change["applied"], sorted(s["name"] for s in change["servers"])), ("restart", ["one", "own", "two"]), "a network restarts them")
    for name, ident in before.items():
        m.wait_server(name, lambda s, ident=ident: s["state"] == "ready" and s["container"]["id"] != ident)


@limit(60)
def test_what_no_container_could_have(t):
    """The engine may take it for the one that runs, and make none with it."""
    engine = t.engine()
    m = t.mcptop(config({"memory_limit": "64m"}, swap=boxed(extra_args=["--memory-swap", "96m"]),
                        least=boxed(extra_args=["--memory-reservation", "48m"])), docker_host=engine)
    for name, value, words in (("swap", "128m", "128M is above its --memory-swap (96M)"),
                               ("least", "32m", "32M is below its --memory-reservation (48M)")):
        m.wait_server(name)
        text = m.read_config()
        for more in ({}, {"restart": True}, {"dry_run": True}):
            refused = m.api.raw("PATCH", f"/servers/{name}", {"memory": value, **more})
            t.eq((refused.status, words in refused.json()["error"]), (409, True), f"{name}: {value} {more}")
        t.eq((m.read_config(), memory(engine, name)), (text, 64), f"{name}: nothing is changed")
        m.cli("set", name, "memory=80m", check=0)
        t.eq(memory(engine, name), 80, f"{name}: what is between them is taken")


@limit(90)
def test_budget(t):
    """The sum of the limits is warned about before it is passed, and never refused."""
    engine = t.engine()
    m = t.mcptop(config({"memory_limit": "128m", "total_memory": "300m"}, one=boxed(), two=boxed()), docker_host=engine)
    m.wait_server("one")
    m.wait_server("two")
    isolation = m.api.get("/status")["isolation"]
    t.eq((isolation["servers"], isolation["limits_sum"], isolation["total_memory"], isolation["warning"]), (2, 256 << 20, 300 << 20, ""),
         "the status has the sum")
    t.has(m.cli("status", check=None).stdout, r"isolated +2 servers, memory limits of 256M together, of 300M", "the verb shows it")
    words = r"the memory limits of 2 isolated servers would come to 384M, and docker_isolation.total_memory is 300M"
    t.has("\n".join(m.api.patch("/servers/one", {"memory": "256m", "dry_run": True})["changes"]), "Careful: " + words, "a preview warns")
    t.has(m.cli("set", "one", "memory=256m", check=0).stdout, words, "so does the change, which is made")
    t.eq(memory(engine, "one"), 256, "made")
    t.has(m.api.get("/status")["isolation"]["warning"], "come to 384M", "the status warns")
    t.has(m.cli("status", check=None).stdout, "! the memory limits of 2", "and the verb")
    t.has(m.log(), "come to 384M", "and the log")
    preview = m.api.patch("/docker_isolation", {"total_memory": "100m", "dry_run": True})
    t.has("\n".join(preview["changes"]), "total_memory is 100M", "a budget that is too small already")
    m.cli("set", "--all", "total_memory=1g", check=0)
    t.eq(m.api.get("/status")["isolation"]["warning"], "", "a larger one is kept")
    words = r"1 of 2 isolated servers has no memory limit: docker_isolation.total_memory \(1G\) cannot hold for them"
    t.has("\n".join(m.api.patch("/servers/two", {"memory": "0", "dry_run": True})["changes"]), "Careful: " + words,
          "a limit that is taken away leaves the budget without meaning: a preview says it")
    m.cli("set", "two", "memory=0", check=0)
    t.has(m.cli("status", check=None).stdout, rf"isolated +2 servers, 1 without a memory limit, a memory limit of 256M, of 1G .*\n +! {words}", "so does the status")


@limit(120)
def test_engine_elsewhere(t):
    """Where no cgroup can be read the engine is asked, in turn, and the more rarely the more there are."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    proxy.change(rb'"Pid":\d+', lambda found: b'"Pid":' + b"0".rjust(len(found[0]) - 6))
    m = t.mcptop(config({"memory_limit": "64m"}, **{f"box-{i}": boxed() for i in range(6)}), docker_host=proxy)
    for i in range(6):
        m.wait_server(f"box-{i}", lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0, 30)
    one = m.server("box-3")["usage"]
    t.eq((one["memory_limit"], one["pids"] > 0), (64 << 20, True), "the engine's figures")
    before, began = proxy.count("/stats"), time.monotonic()
    wait_for(lambda: proxy.count("/stats") >= before + 12, 30, "two more rounds")
    took = time.monotonic() - began
    t.ok(took > 2.5, "six containers: not more than one in half a second", took)
    t.ok(all(re.search("stream=false.*one-shot=true", path) for _, path in proxy.asked if "/stats" in path), "in one-shot form")


if __name__ == "__main__":
    tap.main(__name__)
