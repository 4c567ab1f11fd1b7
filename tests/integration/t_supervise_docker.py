#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in containers, on a real engine: limits, states, ends, OOM, pulls, sweeps, and the engine
lost and found."""

import os
import signal
import time

from harness import echo, fixture, paths, stays, tap, wait_for
from harness.proxy import Proxy

BUSYBOX = "mcptop-test/busybox:latest"


def boxed(command=None, args=(), **isolation):
    """The echo server (or another command) in a container."""
    server = paths.built("echo_server")
    iso = {"enabled": True, "image": BUSYBOX, "volumes": [f"{server}:{server}:ro"]}
    iso.update(isolation)
    entry = echo(isolation=iso, args=list(args))
    if command:
        entry["command"] = command
    return entry


def another(server, container_before):
    """Ready, in another container."""
    return server["state"] == "ready" and server["container"]["id"] != container_before["id"]


def config(**servers):
    return {"docker_isolation": {"enabled": True}, "mcpServers": servers}


def container(engine, server):
    mine = engine.docker.mine(server=server, all=False)
    return engine.docker.inspect(mine[0]["Id"]) if mine else None


def cgroup_limits(engine, server):
    """Memory, CPUs and pids as the container's cgroup has them; version 1 or 2."""
    pid = container(engine, server)["State"]["Pid"]
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        paths_of = dict(line.strip().split(":", 2)[1:] for line in file)

    def read(controller, name):
        below = paths_of.get(controller, paths_of.get(""))
        root = f"/sys/fs/cgroup/{controller}" if controller in paths_of else "/sys/fs/cgroup"
        with open(f"{root}{below}/{name}", encoding="utf-8") as file:
            return file.read().split()
    if "memory" in paths_of:
        quota, period = read("cpu", "cpu.cfs_quota_us"), read("cpu", "cpu.cfs_period_us")
        return (int(read("memory", "memory.limit_in_bytes")[0]), int(quota[0]) / int(period[0]),
                int(read("pids", "pids.max")[0]))
    quota, period = read("", "cpu.max")
    return int(read("", "memory.max")[0]), int(quota) / int(period), int(read("", "pids.max")[0])


@tap.limit(90)
def test_life(t):
    engine = t.engine()
    m = t.mcptop(config(box=boxed(memory_limit="64m", cpu_limit="0.5", network_mode="none")),
                 docker_host=engine)
    one = m.wait_server("box")
    inside = container(engine, "box")
    host = inside["HostConfig"]
    t.eq((host["Memory"], host["NanoCpus"], host["NetworkMode"], host["Init"]),
         (64 << 20, 500_000_000, "none", True), "limits")
    t.eq(inside["Config"]["Labels"]["com.mcpproxy.server"], "box", "labels")
    t.eq(inside["Config"]["Labels"]["com.mcpproxy.instance"], m.api.get("/status")["instance"],
         "of our instance")
    t.has(inside["Name"], r"^/mcpproxy-box-[a-z0-9]{4}$", "its name")
    t.eq(one["container"]["name"], inside["Name"][1:], "in the API")
    t.eq(one["pid"], inside["State"]["Pid"], "its pid")
    used = m.wait_server("box", lambda s: (u := s["usage"]) and u["memory"] and u["cpu"] >= 0)["usage"]
    t.eq((used["memory_limit"], used["pids"] >= 1, used["ooms"]), (64 << 20, True, 0),
         "use is read from its cgroup")
    client = m.mcp("box")
    client.initialize()
    t.eq(client.tool("echo", {"text": "hello"})["content"][0]["text"], "hello",
         "a call goes through")
    begin = time.monotonic()
    m.api.post("/servers/box/stop")
    m.wait_server("box", "stopped")
    t.ok(time.monotonic() - begin < 3, "stopped by the end of its input", time.monotonic() - begin)
    wait_for(lambda: not engine.docker.mine(server="box"), 5, "the container to be removed")
    m.api.post("/servers/box/restart")
    m.wait_server("box")
    m.stop()
    t.eq(engine.docker.mine(server="box"), [], "nothing is left at the end")


def takes_too_much(t, m, name):
    """More than its 32 MiB."""
    client = m.mcp(name)
    client.initialize()
    try:
        told = client.tool("alloc", {"mb": 200}, timeout=20)
    except Exception as error:
        told = error
    t.has(str(told), "OOM-killed at 32M", "the open call gets the cause")
    one = m.wait_server(name, lambda s: s["exit"])
    t.eq((one["exit"]["oom"], one["exit"]["code"]), (True, 137), "an OOM kill")


@tap.limit(90)
def test_late_oom(t):
    """An engine on a busy machine: it tells of the memory limit after the end that this led to, and does not know it when it is asked."""
    proxy = Proxy(t, t.engine())
    m = t.mcptop(config(oom=boxed(memory_limit="32m")), docker_host=proxy)
    m.wait_server("oom")
    proxy.delay_event(rb'"(?:status|Action)":"oom"', rb'"(?:status|Action)":"die"', 0.03)
    proxy.change(rb'"OOMKilled":true', b'"OOMKilled":null')
    takes_too_much(t, m, "oom")


@tap.limit(90)
def test_ends(t):
    engine = t.engine()
    m = t.mcptop(config(exits=boxed("sh", ["-c", "echo last words >&2; exit 4"]),
                        oom=boxed(memory_limit="32m"),
                        absent=boxed("no-such-program"), killed=boxed()), docker_host=engine)
    one = m.wait_server("exits", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["exit"]["oom"]), (4, False), "an exit status")
    t.has(m.log("exits"), "stderr .* last words", "its last words")
    m.api.post("/servers/exits/stop")
    kept = wait_for(lambda: [c for c in engine.docker.mine(server="exits") if c["State"] == "exited"], 5, "`docker ps -a` to show it")
    t.eq(len(engine.docker.mine(server="exits")), 1, "the last failed one is kept")
    t.eq(engine.docker.inspect(kept[0]["Id"])["State"]["ExitCode"], 4, "`docker inspect` too")
    t.has(engine.docker.cli("logs", kept[0]["Id"]).stderr, "last words", "and `docker logs`")
    t.has(m.cli("ps", check=0).stdout, r"exits +ours \(kept\) +exited .*Exited \(4\)", "`mcptop ps` says what it is")
    view = m.view(100, 24)
    view.wait_text("exits")
    view.send("2")
    view.wait_text(r"exits +exited +kept +mcpproxy-exits")
    view.send("q")
    t.has(m.wait_server("absent", "failed", 40)["reason"], "no-such-program",
          "a program the image has not")
    m.wait_server("oom")
    takes_too_much(t, m, "oom")
    m.wait_server("oom")
    wait_for(lambda: len(engine.docker.mine(server="oom")) == 1, 5,
             "the failed one to go once its successor is ready")
    t.ok(True, "its post-mortem goes with its successor's health")
    before = m.wait_server("killed")["container"]
    begin = time.monotonic()
    engine.docker.kill(before["id"])
    m.wait_server("killed", lambda s: s["exit"], 5)
    t.ok(time.monotonic() - begin < 1.5, "a kill behind our back is noticed",
         time.monotonic() - begin)
    after = m.wait_server("killed", lambda s: another(s, before))
    engine.docker.remove(after["container"]["id"])
    m.wait_server("killed", lambda s: another(s, after["container"]))
    t.ok(True, "and so is a removal")


@tap.limit(90)
def test_limits_live(t):
    engine = t.engine()
    m = t.mcptop(config(box=boxed(memory_limit="128m")), docker_host=engine)
    one = m.wait_server("box",
                        lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0)
    refused = m.api.raw("PATCH", "/servers/box", '{"cpus":"999"}')
    t.eq(refused.status, 400, "more cpus than the machine has are refused")
    t.has(refused.json()["error"], "cpus 999 is more than the engine's machine has", "before anything is written")
    change = m.api.patch("/servers/box", {"memory": "256m", "cpus": "0.25", "pids": 100})
    t.eq(change["applied"], "live", "memory and cpus change while it runs")
    host = container(engine, "box")["HostConfig"]
    t.eq((host["Memory"], host["NanoCpus"], host["PidsLimit"]), (256 << 20, 250_000_000, 100),
         "the engine has done it when the answer comes")
    t.eq(cgroup_limits(engine, "box"), (256 << 20, 0.25, 100), "the kernel's files agree")
    m.wait_server("box", lambda s: s["usage"]["memory_limit"] == 256 << 20, 5)
    t.eq(m.server("box")["container"]["id"], one["container"]["id"], "the same container")
    t.has(m.read_config(), '"memory_limit": "256m"', "written")
    change = m.api.post("/servers/box/undo")
    t.eq(change["applied"], "live", "undo is live too")
    wait_for(lambda: container(engine, "box")["HostConfig"]["Memory"] == 128 << 20, 5,
             "the limit to be back")
    refused = m.api.raw("PATCH", "/servers/box", {"pids": 1})
    t.eq(refused.status, 409, "fewer processes than there are: refused")
    t.has(refused.json()["error"], "pids 1 is below what box has now", "in words")
    client = m.mcp("box")
    client.initialize()
    client.tool("alloc", {"mb": 40})
    m.wait_server("box", lambda s: s["usage"]["memory"] > 30 << 20, 5)
    text = m.read_config()
    refused = m.api.raw("PATCH", "/servers/box", {"memory": "8m"})
    t.eq(refused.status, 409, "a limit below what is in use is refused")
    t.has(refused.json()["error"], "below what box uses now", "in words")
    t.eq(m.read_config(), text, "before anything is written")
    change = m.api.patch("/servers/box", {"network": "none"})
    t.eq(change["applied"], "restart", "the network needs a restart")
    m.wait_server("box", lambda s: another(s, one["container"]))
    t.eq(container(engine, "box")["HostConfig"]["NetworkMode"], "none", "and has it then")
    change = m.api.patch("/servers/box", {"isolation": "none"})
    m.wait_server("box", lambda s: s["state"] == "ready" and s["where"] == "host")
    wait_for(lambda: not engine.docker.mine(server="box"), 5, "the container to be gone")
    m.api.patch("/servers/box", {"isolation": "docker"})
    m.wait_server("box", lambda s: s["state"] == "ready" and s["where"] == "docker")
    t.ok(container(engine, "box"), "isolated again")


@tap.limit(90)
def test_limits_where_there_were_none(t):
    """They are set while it runs, a supervisor's restart in between or not; only taking one away needs a new container."""
    engine = t.engine()
    m = t.mcptop(config(box=boxed(memory_limit="0", cpu_limit="0", pids_limit=0)), docker_host=engine)
    one = m.wait_server("box", lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0)
    t.eq(one["usage"]["memory_limit"], 0, "without any limit")
    change = m.api.patch("/servers/box", {"memory": "128m", "cpus": "0.25", "pids": 100, "dry_run": True})
    t.eq((change["applied"], change["changes"][-1]), ("live", "The running container is changed without a restart."), "a preview says so")
    change = m.api.patch("/servers/box", {"memory": "128m", "cpus": "0.25", "pids": 100})
    t.eq(change["applied"], "live", "limits are set while it runs")
    host = container(engine, "box")["HostConfig"]
    t.eq((host["Memory"], host["NanoCpus"], host["PidsLimit"]), (128 << 20, 250_000_000, 100), "the engine has them")
    t.eq(cgroup_limits(engine, "box"), (128 << 20, 0.25, 100), "the kernel's files agree")
    m.wait_server("box", lambda s: s["usage"]["memory_limit"] == 128 << 20, 5)
    t.eq(m.server("box")["container"]["id"], one["container"]["id"], "in the same container")
    change = m.api.patch("/servers/box", {"pids": 0})
    t.eq(change["applied"], "live", "a limit of processes can be taken away, too")
    dry = m.cli("set", "box", "memory=0", "--dry-run", check=0)
    t.has(dry.stdout, "Memory: 128m → none.\nThe server restarts: the engine takes no limit away from a running container", "a memory limit not: the verb says so")
    change = m.api.patch("/servers/box", {"memory": "0"})
    t.eq(change["applied"], "restart", "so it restarts")
    two = m.wait_server("box", lambda s: another(s, one["container"]))
    t.eq((container(engine, "box")["HostConfig"]["Memory"], container(engine, "box")["HostConfig"]["NanoCpus"]), (0, 250_000_000), "and has none")
    client = m.mcp("box")
    client.initialize()
    client.tool("alloc", {"mb": 40})
    m.wait_server("box", lambda s: s["usage"] and s["usage"]["memory"] > 30 << 20, 5)
    refused = m.api.raw("PATCH", "/servers/box", {"memory": "8m"})
    t.eq((refused.status, "below what box uses now" in refused.json()["error"]), (409, True), "a first limit below what is in use is refused like any other")
    os.kill(m.supervisor_pid(), signal.SIGKILL)
    three = m.wait_server("box", lambda s: another(s, two["container"]))
    t.eq(m.api.patch("/servers/box", {"memory": "64m", "pids": 100})["applied"], "live", "after a supervisor's death the same")
    t.eq((cgroup_limits(engine, "box"), m.server("box")["container"]["id"]), ((64 << 20, 0.25, 100), three["container"]["id"]), "in the container that runs")


@tap.limit(60)
def test_pull(t):
    engine = t.engine()
    m = t.mcptop(config(gone=boxed(image="localhost:1/no/such:image")), docker_host=engine)
    one = m.wait_server("gone", lambda s: s["last_error"])
    t.has(one["reason"], "localhost:1/no/such:image", "a pull that fails names the image")
    t.has(m.log("gone"), "pull of image localhost:1/no/such:image failed",
          "the guide's grep finds it")


def leftovers(engine, m):
    """A container of ours from an earlier run, and another instance's with the same server name."""
    instance = m.api.get("/status")["instance"]
    labels = {"com.mcpproxy.managed": "true", "com.mcpproxy.server": "box"}
    ours = engine.docker.run(BUSYBOX, "sleep", "1000",
                             labels=dict(labels, **{"com.mcpproxy.instance": instance}))
    theirs = engine.docker.run(BUSYBOX, "sleep", "1000",
                               name=f"mcpproxy-box-{os.getpid() % 10000:04}",
                               labels=dict(labels, **{"com.mcpproxy.instance": instance + "0"}))
    return ours, theirs


@tap.limit(120)
def test_many_starts(t):
    """More servers than the engine is asked to start at once, and one that is stopped while it waits for its turn."""
    engine = t.engine()
    since = time.time()
    many = {f"box-{i:02}": boxed(memory_limit="32m", network_mode="none") for i in range(40)}
    m = t.mcptop(config(**many), docker_host=engine)
    m.api.post("/servers/box-39/stop")
    for name in list(many)[:39]:
        m.wait_server(name, timeout=90)
    t.eq(m.server("box-39")["state"], "stopped", "one that waits can be stopped")
    t.eq([name for name in list(many)[:39] if m.server(name)["restarts"]], [], "nobody was given up for being late")
    told = engine.docker.cli("events", "--since", str(since), "--until", str(time.time()), "--filter", "type=container",
                             "--filter", "label=com.mcpproxy.instance=" + m.api.get("/status")["instance"],
                             "--format", "{{.Action}}").stdout.split()
    open_now = most = 0
    for action in told:
        open_now += {"create": 1, "start": -1}.get(action, 0)
        most = max(most, open_now)
    # Sixteen; the engine tells of a start a little after it has answered.
    t.ok(told.count("start") == 39 and 1 < most <= 24, "so many are made at once and no more", (most, told.count("start")))


@tap.limit(120)
def test_kill_9_and_sweep(t):
    engine = t.engine()
    m = t.mcptop(config(box=boxed()), docker_host=engine)
    m.wait_server("box")
    ours, theirs = leftovers(engine, m)
    t.cleanup(engine.docker.remove, theirs)
    first, supervisor = m.server("box")["container"]["id"], m.supervisor_pid()
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: m.supervisor_pid() != supervisor, 15, "the warden to start it again")
    m.wait_server("box")
    second = m.server("box")["container"]["id"]
    t.ok(second != first, "a new container")
    t.ok(not engine.docker.exists(first) and not engine.docker.exists(ours),
         "our leftovers are swept")
    t.ok(engine.docker.exists(theirs), "another instance's are not")
    t.has(m.log(), "started again by the warden: .* signal 9", "the log tells")
    shown = {c["id"][:12]: c["owner"] for c in m.api.get("/containers")["containers"]}
    t.eq((shown.get(theirs[:12]), shown.get(second[:12])), ("other", "ours"),
         "both are shown, by owner")
    m.process.kill()
    m.process.wait()
    wait_for(lambda: not engine.docker.exists(second), 20,
             "a supervisor without its warden to stop in order")
    wait_for(lambda: not os.path.exists(m.socket), 10, "and to be gone")
    t.ok(engine.docker.exists(theirs), "the stranger's still stands")


@tap.limit(240)
def test_engine_lost_and_found(t):
    engine = t.own_engine()
    m = t.mcptop(dict(config(box=boxed(), host=echo(isolation={"enabled": False}))),
                 docker_host=engine)
    host = m.wait_server("host")["pid"]
    first = m.wait_server("box")["container"]["id"]
    engine.stop()
    lost = m.wait_server("box",
                         lambda s: s["state"] == "backing-off" and "engine down" in s["reason"], 20)
    t.ok(lost["pid"] is None, "the server waits for its engine", lost["reason"])
    stays(lambda: m.server("host")["pid"] == host, 1, "the host's servers are untouched")
    m.api.post("/servers/box/restart")
    t.has(m.wait_server("box", "backing-off", 5)["reason"], "engine down",
          "a key press cannot help")
    engine.start()
    again = m.wait_server("box", timeout=40)
    t.ok(again["container"]["id"] != first, "rebuilt when the engine is back")
    wait_for(lambda: len(engine.docker.mine()) == 1, 10, "the old one to be swept")
    engine.kill()
    m.wait_server("box", lambda s: "engine down" in s["reason"], 20)
    engine.start()
    m.wait_server("box", timeout=40)
    wait_for(lambda: len(engine.docker.mine()) == 1, 10, "what survived the crash to be swept",
             saw=lambda: [(c["Id"][:12], c["Names"], c["State"],
                           c["Status"]) for c in engine.docker.mine()])
    t.eq(m.server("host")["pid"], host, "the host's servers never noticed")


@tap.limit(60)
def test_engine_comes_late(t):
    m = t.mcptop(config(box=boxed(), host=fixture("good", isolation={"enabled": False})))
    m.wait_server("host")
    one = m.wait_server("box", "backing-off", 5)
    t.has(one["reason"], "^engine down: no Docker engine at unix:", "says which engine and why")
    t.eq(one["retry_count"], 0, "nothing the server can be blamed for")
    t.eq(m.api.get("/docker/status")["state"], "down", "the status too")


if __name__ == "__main__":
    tap.main(__name__)
