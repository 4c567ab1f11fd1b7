#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""sharing: per-session: every session has a process of its own, seen as one server."""

import json
import os
import signal

from harness import RpcError, echo, fixture, paths, proc, tap, wait_for


def pid_of(client, tool="pid"):
    return json.loads(client.tool(tool, {})["content"][0]["text"])["pid"]


def refusal(call, *args):
    try:
        call(*args)
    except RpcError as error:
        return str(error)
    raise AssertionError(f"{args} was not refused")


def per_session(**extra):
    return fixture("good", sharing="per-session", **extra)


def processes(m, name="s"):
    """pid by member."""
    return {x["name"]: x["pid"] for x in m.server(name)["members"] if x["pid"]}


def wait_known(m, name="s"):
    """It has run once, to know its tools, and sleeps."""
    return m.wait_server(name, lambda s: s["asleep"] and s["tool_count"] > 0)


def end(endpoint):
    """DELETE of a session over HTTP."""
    endpoint.http.request("DELETE", endpoint.path, headers=endpoint.headers)


def test_own_process(t):
    m = t.mcptop({"mcpServers": {"s": per_session(), "o": fixture("good")}})
    one = wait_known(m)
    t.eq((one["sharing"], one["members"], one["tool_count"]), ("per-session", [], 11),
         "without a session it does not run, and its tools are known")
    t.eq((m.server("o")["sharing"], m.server("o")["members"]), ("shared", None), "another is shared")
    sessions = []
    for begin in (m.stdio, m.stdio, m.mcp):      # one after the other: members are numbered
        one = begin("s")
        one.initialize()
        sessions.append(one)
        t.ok("pid" in one.tools(), "a session knows the tools")
    a, b, h = sessions
    t.eq(processes(m), {}, "before its first call no process is there")
    pids = [pid_of(one) for one in (a, b, h)]
    t.eq(len(set(pids)), 3, "each session has a process of its own")
    t.eq([pid_of(one) for one in (a, b, h)], pids, "and keeps it")
    t.eq(processes(m), {"s#1": pids[0], "s#2": pids[1], "s#3": pids[2]}, "they are members of the row")
    one = m.wait_server("s", lambda s: s["usage"] and s["usage"]["pids"] == 3)
    t.eq((one["state"], one["calls"]["total"], one["calls"]["clients"]), ("ready", 12, 3),
         "whose figures are the sum")
    own = [x["usage"]["memory"] for x in one["members"]]
    t.ok(one["usage"]["memory"] > max(own), "of memory, too", own)
    t.eq([x["clients"] for x in one["members"]], [["mcptop-test 1"]] * 3, "with their client")
    a.tool("stderr", {"text": "hello from a"})
    b.tool("stderr", {"text": "hello from b"})
    log = wait_for(lambda: [x for x in [m.cli("logs", "s", check=0).stdout] if "from b" in x], 20, "the log")
    t.has(log[0], "#1 hello from a", "lines of the log are marked")
    t.has(log[0], "#2 hello from b", "with the session")
    t.has(m.log("s"), r"#2 hello from b", "in the file, too")
    text = m.api.http.get("/metrics").text
    t.has(text, r'mcptop_server_calls_total\{server="s"\} 14', "metrics count all")

    a.close()
    wait_for(lambda: "s#1" not in {x["name"] for x in m.server("s")["members"]}, 20, "the first to go")
    t.ok(not proc.alive(pids[0]), "a session that is closed takes its process along")
    end(h)
    wait_for(lambda: list(processes(m)) == ["s#2"], 20, "DELETE to end the third")
    t.eq(pid_of(b), pids[1], "the second goes on")
    t.eq(m.server("s")["calls"]["total"], 15, "and what the others did is not forgotten")
    b.close()
    m.wait_server("s", lambda s: s["asleep"] and not s["members"])
    wait_for(lambda: not proc.alive(pids[1]), 20, "the last to end")


def test_without_session(t):
    m = t.mcptop({"mcpServers": {"s": per_session()}})
    wait_known(m)
    first = json.loads(m.cli("call", "s", "pid", check=0).stdout)
    t.ok("pid" in json.dumps(first), "what comes without a session is served")
    t.eq(list(processes(m)), ["s"], "by the row's own process")
    client = m.stdio("s")
    client.initialize()
    t.ok(pid_of(client) not in [processes(m)["s"]], "which no session shares")


def test_aggregate(t):
    m = t.mcptop({"mcpServers": {"s": per_session(), "o": fixture("good")}})
    wait_known(m)
    m.wait_server("o")
    a, b = m.mcp(), m.stdio()
    for one in (a, b):
        one.initialize()
        t.ok("s__pid" in one.tools() and "o__pid" in one.tools(), "/mcp lists its tools")
    t.eq(m.server("s")["members"], [], "that needs no process")
    t.ok(pid_of(a, "s__pid") != pid_of(b, "s__pid"), "every session of /mcp has its own")
    t.eq(pid_of(a, "o__pid"), pid_of(b, "o__pid"), "of the shared one they have the same")
    t.eq(pid_of(a, "s__pid"), processes(m)["s#1"], "and keep it")
    end(a)
    wait_for(lambda: list(processes(m)) == ["s#2"], 20, "it to go with the session")


def test_maximum(t):
    m = t.mcptop({"mcpServers": {"s": per_session(max_sessions=2)}})
    wait_known(m)
    clients = [m.stdio("s") for _ in range(3)]
    for one in clients:
        one.initialize()
    pid_of(clients[0])
    pid_of(clients[1])
    t.has(refusal(clients[2].tool, "pid", {}), r'"s" has 2 sessions with a process, and 2 is the most \(max_sessions',
          "one more is refused, with the figure and the key")
    t.eq(len(processes(m)), 2, "and not started")
    m.cli("call", "s", "pid", check=0)
    t.eq(len(processes(m)), 3, "what comes without a session has its process beside these")
    clients[0].close()
    wait_for(lambda: len(processes(m)) == 2, 20, "room")
    t.ok(pid_of(clients[2]), "then the same session can have its process")
    config = json.loads(m.read_config())
    config["mcpServers"]["s"]["max_sessions"] = 0
    m.write_config(config)
    wait_for(lambda: m.api.get("/status")["config"]["errors"], 20, "the error")
    t.has(json.dumps(m.api.get("/status")["config"]["problems"]), "whole number from 1 to 1000", "0 is no number")


def test_places(t):
    """Who has one of the places: a session, not a process."""
    m = t.mcptop({"mcpServers": {"s": fixture("stubborn", sharing="per-session", max_sessions=1)}})
    wait_known(m)
    a, b = m.stdio("s"), m.stdio("s")
    for one in (a, b):
        one.initialize()
    first = pid_of(a)
    os.kill(first, signal.SIGKILL)
    t.has(refusal(b.tool, "pid", {}), "has 1 session with a process, and 1 is the most", "while its process is started again a session keeps its place")
    wait_for(lambda: list(processes(m).values()) not in ([], [first]), 20, "its next one")
    second = pid_of(a)
    a.close()
    wait_for(lambda: [x["state"] for x in m.server("s")["members"] if x["pid"] == second] in ([], ["stopping"]), 20, "the end of the session to be known")
    pid = pid_of(b)
    t.ok(not proc.alive(second), "the next one has waited for a process that ignores its end")
    t.eq(set(processes(m).values()), {pid}, "so there never were two")


def test_idle(t):
    m = t.mcptop({"mcpServers": {"s": per_session(idle_stop="200ms")}})
    wait_known(m)
    client = m.mcp("s")
    client.initialize()
    first = pid_of(client)
    wait_for(lambda: not processes(m), 20, "an idle session's process to end")
    t.ok(pid_of(client) != first, "the session goes on with another one")


def test_applies_to_all(t):
    """Restarts, stops, changes of the plan, rules for tools."""
    m = t.mcptop({"mcpServers": {"s": per_session()}})
    wait_known(m)
    a, b = m.stdio("s"), m.mcp("s")
    for one in (a, b):
        one.initialize()
    before = {pid_of(a), pid_of(b)}
    m.cli("restart", "s", check=0)
    wait_for(lambda: len(processes(m)) == 2 and not before & set(processes(m).values()), 20,
             "both to be restarted")
    t.ok({pid_of(a), pid_of(b)} == set(processes(m).values()), "sessions go on")

    config = json.loads(m.read_config())
    config["mcpServers"]["s"]["env"]["EXTRA"] = "1"
    before = {pid_of(a), pid_of(b)}
    m.write_config(config)
    wait_for(lambda: len(processes(m)) == 2 and not before & set(processes(m).values()), 20,
             "a changed plan to reach both")
    t.eq([one.tool("env", {"name": "EXTRA"})["content"][0]["text"] for one in (a, b)], ["1", "1"],
         "with what it says")

    config["mcpServers"]["s"]["disabled_tools"] = ["env"]
    before = {pid_of(a), pid_of(b)}
    m.write_config(config)
    wait_for(lambda: "env" not in a.tools() and "env" not in b.tools(), 20, "rules for tools")
    t.has(refusal(b.tool, "env", {}), "disabled_tools", "they hold for all")
    t.eq({pid_of(a), pid_of(b)}, before, "and restart nothing")

    m.cli("stop", "s", check=0)
    t.eq(processes(m), {}, "stop ends all")
    t.has(refusal(a.tool, "pid", {}), "stopped by user", "and says so")
    m.cli("start", "s", check=0)
    t.ok(pid_of(a) != pid_of(b), "start lets them come back, each with its own")

    first = pid_of(a)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(processes(m)) == 3 and first not in processes(m).values(), 20,
             "one that is killed to be started again")
    t.eq(pid_of(a), processes(m)["s#1"], "inside its session")
    config["mcpServers"]["s"]["sharing"] = "shared"
    m.write_config(config)
    m.wait_server("s", lambda s: s["sharing"] == "shared" and s["state"] == "ready")
    c, d = m.stdio("s"), m.stdio("s")
    for one in (c, d):
        one.initialize()
    t.eq(pid_of(c), pid_of(d), "new sessions share, once that is wanted")
    t.ok(pid_of(a) not in (pid_of(b), pid_of(c)), "old ones keep what they have")
    del config["mcpServers"]["s"]
    m.write_config(config)
    wait_for(lambda: not m.servers(), 20, "the server to go")
    wait_for(lambda: not [p for p in proc.mentioning(m.data_dir) if m._is_server(p)], 20,
             "all its processes to go with it")


def test_changed_tools(t):
    """What one session's process lists counts for all."""
    path = t.path("tools.json")

    def write(*names):
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump([{"name": n, "inputSchema": {}} for n in names], file)
        os.replace(path + ".new", path)

    write("announce", "a")
    m = t.mcptop({"mcpServers": {"s": fixture("listed", path, sharing="per-session",
                                              on_tool_change="hold")}})
    wait_known(m)
    a, b = m.stdio("s"), m.stdio("s")
    for one in (a, b):
        one.initialize()
        t.eq(one.tool("a", {})["content"][0]["text"], "a", "at first all is fine")
    write("announce", "a", "b")
    a.tool("announce", {})
    m.wait_server("s", lambda s: s["quarantine"])
    t.eq((a.tools(), b.tools()), (["announce", "a"], ["announce", "a"]), "no session gets the new one")
    t.has(refusal(b.tool, "b", {}), "waits for approval", "nor by name")
    m.cli("approve", "s", "-y", check=0)
    t.eq((a.tools(), b.tools()), (["announce", "a", "b"], ["announce", "a", "b"]), "approval is for all")


def test_failing_member(t):
    """A process of a session that does not start is told as the server's."""
    flag = t.path("flag")
    entry = per_session()
    inner = " ".join([entry["command"], *entry["args"]])
    entry.update(command="sh", args=["-c", f"test -e {flag} && exec {inner}; echo no flag >&2; exit 3"])
    t.write("flag", "")
    m = t.mcptop({"mcpServers": {"s": entry}})
    wait_known(m)
    client = m.stdio("s")
    client.initialize()
    os.unlink(flag)
    call = client.send("tools/call", {"name": "pid", "arguments": {}})
    one = m.wait_server("s", lambda s: s["state"] in ("backing-off", "failed"))
    t.has(one["reason"], "exited 3.*no flag", "the row says why")
    one = m.wait_server("s", lambda s: s["diagnostic"])
    t.eq((one["diagnostic"]["code"], one["diagnostic"]["server"]),
         ("MCPX_STDIO_EXIT_BEFORE_INITIALIZE", "s"), "that is a finding of the server")
    t.eq([x["state"] == one["state"] for x in one["members"]], [True], "the member is marked, too")
    t.write("flag", "")
    t.ok(client.wait_reply(call).get("result"), "the call waited for it to come back")
    m.wait_server("s", lambda s: s["state"] == "ready")


def test_killed_supervisor(t):
    m = t.mcptop({"mcpServers": {"s": per_session()}})
    wait_known(m)
    client, http = m.stdio("s"), m.mcp("s")
    client.initialize()
    http.initialize()
    before = [pid_of(client), pid_of(http)]
    os.kill(m.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not any(proc.alive(p) for p in before), 20, "what it left to be swept")
    wait_for(m._answers, 20, "the next supervisor")
    t.ok(pid_of(client), "a bridge's session goes on, with a new process")
    t.ok(pid_of(http) != pid_of(client), "so does one over HTTP")


@tap.limit(120)
def test_containers(t):
    engine = t.engine("mcptop-test/busybox:latest")
    server = paths.built("echo_server")
    entry = echo(sharing="per-session", isolation={
        "enabled": True, "image": "mcptop-test/busybox:latest", "memory_limit": "64m",
        "volumes": [f"{server}:{server}:ro"]})
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {"s": entry}},
                 docker_host=engine)

    def containers():
        return [c["Id"] for c in engine.docker.mine(server="s", all=True)]

    m.wait_server("s", lambda s: s["asleep"] and s["tool_count"] > 0, timeout=60)
    wait_for(lambda: not containers(), 30, "the container that told the tools to go")
    a, b = m.stdio("s"), m.stdio("s")
    for one in (a, b):
        one.initialize()
        one.tool("echo", {"text": "x"})
    t.eq(len(containers()), 2, "each session has a container of its own")
    one = m.wait_server("s", lambda s: s["usage"] and s["usage"]["memory_limit"] == 2 * (64 << 20))
    t.eq(sorted(x["container"]["id"] for x in one["members"]), sorted(c[:12] for c in containers()),
         "each member has its own")
    t.eq([c["server"] for c in m.api.get("/containers")["containers"] if c["in_use"]], ["s", "s"],
         "they are in use by the server")
    m.cli("set", "s", "memory=96m", check=0)
    wait_for(lambda: [engine.docker.inspect(c)["HostConfig"]["Memory"] for c in containers()]
             == 2 * [96 << 20], 30, "new limits to reach both while they run")
    a.close()
    wait_for(lambda: len(containers()) == 1, 30, "a container to go with its session")
    before = containers()
    os.kill(m.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not set(before) & set(containers()), 60, "what a killed supervisor left to be swept")
    wait_for(m._answers, 30, "the next supervisor")
    t.ok(b.tool("echo", {"text": "y"}, timeout=60), "the session goes on")
    t.eq(len(containers()), 1, "with another container")


if __name__ == "__main__":
    tap.main(__name__)
