#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mcptop stdio`: starts a supervisor, survives its death, holds nothing without end, says nothing but protocol."""

import json
import os
import signal
import subprocess
import threading
import time

from harness import Mcptop, RpcError, Stdio, echo, fixture, full, limit, paths, proc, tap, wait_for


def text(result):
    return result["content"][0]["text"]


def bridge(t, m, name):
    """A client that knows where things are but has no supervisor yet."""
    client = Stdio([paths.MCPTOP, "stdio", name, *m.arguments()], env=m.env, cwd=m.env["HOME"])
    t.cleanup(client.close)
    return client


def idle(t, config):
    """An Mcptop that is not started; whatever the test starts is shut down."""
    m = Mcptop(t, config)
    t.cleanup(lambda: m.cli("shutdown"))
    return m


def only_protocol(t, client):
    bad = [line for line in client.seen if not line.endswith(b"\n") or "jsonrpc" not in json.loads(line)]
    t.eq(bad, [], "nothing but whole messages on stdout")


def test_starts_supervisor(t):
    m = idle(t, {"mcpServers": {"echo": echo()}})
    client = bridge(t, m, "echo")
    t.eq(client.initialize()["serverInfo"]["name"], "echo", "a supervisor is started, and the server answers")
    t.eq(text(client.tool("echo", {"text": "x"})), "x", "a call")
    pid = m.supervisor_pid()
    t.ok(os.getsid(pid) not in (os.getsid(0), os.getsid(client.pid)), "it has a session of its own")
    t.eq(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null", "and no terminal")
    t.eq(client.close(), 0, "the client ends")
    t.ok(proc.alive(pid), "the supervisor lives on")
    second = bridge(t, m, "echo")
    second.initialize()
    t.eq(m.supervisor_pid(), pid, "the next client finds it")


def test_config_of_a_project(t):
    """An AI client runs us wherever its project is: a configuration that lies there is not ours."""
    m = idle(t, {"mcpServers": {"echo": echo()}})
    project = t.path("project")
    os.mkdir(project)
    with open(os.path.join(project, "mcp_config.json"), "w", encoding="utf-8") as file:
        json.dump({"mcpServers": {"echo": {"command": "touch", "args": [t.path("executed")]}}}, file)
    client = Stdio([paths.MCPTOP, "stdio", "echo", "--data-dir", m.data_dir, "--log-dir", m.log_dir,
                    "--listen", "none"], env=m.env, cwd=project)
    t.cleanup(client.close)
    t.eq(client.initialize()["serverInfo"]["name"], "echo", "the data directory's configuration counts")
    t.ok(not os.path.exists(t.path("executed")), "what lies in the project was not executed")


def test_many_start_at_once(t):
    m = idle(t, {"mcpServers": {"echo": echo()}})
    clients = [bridge(t, m, "echo") for _ in range(5)]
    got = []
    threads = [threading.Thread(target=lambda c=c: got.append(c.initialize()["serverInfo"]["name"])) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    t.eq(got, ["echo"] * 5, "five clients at once and no supervisor: all are served")
    wait_for(lambda: len(supervisors(m)) == 1, 10, "one supervisor", saw=lambda: supervisors(m))
    t.ok(True, "by one supervisor")


def supervisors(m):
    """The wardens of this test's directory."""
    return [p for p in proc.mentioning(m.data_dir) if " serve " in proc.cmdline(p) and proc.parent(p) in (1, *subreapers())]


def subreapers():
    """Where orphans go here: init, or what stands in for it."""
    pid, found = os.getpid(), []
    while pid > 1:
        pid = proc.parent(pid)
        found.append(pid)
    return found


def test_unknown_server(t):
    m = t.mcptop({"mcpServers": {"github": echo(), "gitlab": echo()}})
    client = m.stdio("gihub")
    try:
        client.initialize(10)
        t.ok(False, "an unknown server is refused")
    except RpcError as error:
        t.has(str(error), 'no server "gihub".*did you mean "github".*gitlab', "initialize is answered with what there is")
    t.eq(client.process.wait(10), 4, "and the exit code says so")


def test_no_start_possible(t):
    m = Mcptop(t, {"mcpServers": {"echo": echo()}})
    os.makedirs(m.socket)           # a directory where the socket should be
    client = bridge(t, m, "echo")
    try:
        client.initialize(20)
        t.ok(False, "a supervisor that cannot start")
    except RpcError as error:
        t.has(str(error), "mcptop.sock", "initialize is answered with why")
    t.eq(client.process.wait(10), 3, "exit code")


@limit(90)
def test_supervisor_killed(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    client = m.stdio("good")
    client.initialize()
    t.eq(text(client.tool("add", {"a": 1, "b": 2})), "3", "before")
    before = m.supervisor_pid()
    ident = client.send("tools/call", {"name": "sleep", "arguments": {"ms": 30000}})
    wait_for(lambda: m.server("good")["calls"]["in_flight"] == 1, 10, "the call in flight")
    proc.kill(before, signal.SIGKILL)
    begin = time.monotonic()
    error = client.wait_reply(ident, 5)["error"]
    t.eq(error["code"], -32000, "the call in flight is answered with an error")
    t.has(error["message"], "server good.*may or may not have run", "that names the cause")
    t.ok(time.monotonic() - begin < 1, "at once", time.monotonic() - begin)
    t.eq(text(client.tool("add", {"a": 2, "b": 2}, timeout=30)), "4", "the session goes on")
    t.ok(m.supervisor_pid() != before, "under a new supervisor")
    t.eq(m.server("good")["calls"]["clients"], 1, "which knows the client")
    inits = [line for line in client.seen if b"protocolVersion" in line]
    t.eq(len(inits), 1, "the second answer to initialize is kept from the client")
    wait_for(lambda: "fixture" not in str(m.server("good")["calls"].get("open")), 5, "nothing open")
    only_protocol(t, client)


@limit(90)
def test_wishes_survive(t):
    m = t.mcptop({"mcpServers": {"x": full("x")}})
    client = m.stdio("x")
    client.initialize()
    for uri in ("x:///1", "x:///2"):
        client.request("resources/subscribe", {"uri": uri})
    client.request("resources/unsubscribe", {"uri": "x:///2"})
    client.request("logging/setLevel", {"level": "error"})
    before = m.supervisor_pid()
    proc.kill(before, signal.SIGKILL)

    def state():
        try:
            return json.loads(text(client.tool("state", timeout=30)))
        except RpcError as error:       # it was on its way when the supervisor died
            return {"watched": [], "level": error.message}

    wait_for(lambda: "x:///1" in state()["watched"], 20, "the new server to hear of the resource", saw=state)
    t.ok(m.supervisor_pid() != before, "a new supervisor")
    t.eq((state()["watched"], state()["level"]), (["x:///1"], "error"), "the client watches what it did, at its level")
    client.tool("touch", {"uri": "x:///1"})
    wait_for(lambda: [n for n in client.notifications if n.get("params") == {"uri": "x:///1"}], 10, "the change",
             saw=lambda: client.notifications)
    t.ok(not [line for line in client.seen if b"mcptop-again" in line], "it sees nothing of how")
    only_protocol(t, client)


@limit(90)
def test_killed_before_initialize_is_answered(t):
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 3)}})
    client = m.stdio("slow")
    ident = client.send("initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                       "clientInfo": {"name": "t", "version": "1"}})
    time.sleep(0.5)
    proc.kill(m.supervisor_pid(), signal.SIGKILL)
    t.ok("result" in client.wait_reply(ident, 40), "initialize is asked again and answered once")
    only_protocol(t, client)


@limit(120)
def test_shutdown_and_revival(t):
    m = idle(t, {"mcpServers": {"echo": echo()}})
    client = bridge(t, m, "echo")
    client.initialize()
    pid = m.supervisor_pid()
    m.cli("shutdown", check=0)
    t.ok(not proc.alive(pid), "the supervisor is shut down")
    time.sleep(1)
    t.eq(m.cli("ls").returncode, 3, "an idle client does not start it again")
    t.eq(text(client.tool("echo", {"text": "again"}, timeout=40)), "again", "one that asks does, and is answered")
    only_protocol(t, client)


def test_end_of_input(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    client = m.stdio("good")
    client.initialize()
    client.send("tools/call", {"name": "sleep", "arguments": {"ms": 700}}, ident="last")
    client.process.stdin.close()
    t.eq(text(client.wait_reply("last", 10)["result"]), "slept 700 ms", "what was asked before the end is answered")
    t.eq(client.process.wait(10), 0, "and then it ends")

    broken = m.stdio("good")
    broken.initialize()
    broken.write(b'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{broken}}\n'
                 b'{"jsonrpc":"2.0","id":10,"id":11,"method":"ping"}\n')
    wait_for(lambda: b"".join(broken.seen).count(b'"error"') == 2, 10, "the refusal of rubbish", saw=lambda: broken.seen)
    broken.process.stdin.close()
    t.eq(broken.process.wait(10), 0, "messages that are refused do not hold up the end")

    cut = m.stdio("good")
    cut.initialize()
    cut.write(b'{"jsonrpc":"2.0","id":77,"method":"ping"}')
    cut.process.stdin.close()
    t.ok("result" in cut.wait_reply(77, 10), "a last line without its newline counts")


def test_end_with_a_subscription(t):
    io = "io.modelcontextprotocol/"
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    client = m.stdio("good")
    params = {"notifications": {"toolsListChanged": True},
              "_meta": {io + "protocolVersion": "2026-07-28", io + "clientCapabilities": {}}}
    first = client.send("subscriptions/listen", params)
    wait_for(lambda: client.notifications, 10, "the acknowledgement")
    client.notify("notifications/cancelled", {"requestId": first})
    t.eq(client.wait_reply(first)["result"]["resultType"], "complete", "one that is taken back is answered")
    client.send("subscriptions/listen", params)
    wait_for(lambda: len(client.notifications) == 2, 10, "another one")
    t.eq(client.close(), 0, "one that is open does not hold up the end")
    wait_for(lambda: m.server("good")["calls"]["clients"] == 0, 10, "the client to be gone")


@limit(120)
def test_slow_reader(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    client = Reader(t, m, "echo")
    client.say({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
    client.line()
    for i in range(1, 41):
        client.say({"method": "tools/call", "params": {"name": "big", "arguments": {"bytes": 1_000_000}},
                    "jsonrpc": "2.0", "id": i})
    wait_for(lambda: client.stopped(), 20, "it to stop reading")
    t.ok(proc.rss_anon_kb(client.pid) < (40_000 if paths.sanitized() else 12_000), "40 MB of answers to a client that does not read are not held",
         proc.rss_anon_kb(client.pid))
    t.eq(m.cli("call", "echo", "echo", '{"text":"x"}', check=0).stdout, "x\n", "nor is anybody else")
    sizes = [len(client.line()) for _ in range(40)]
    t.ok(min(sizes) > 1_000_000, "they all come once it reads", sizes)


class Reader:
    """A client that reads when it is told to."""

    def __init__(self, t, m, name):
        self.process = subprocess.Popen([paths.MCPTOP, "stdio", name], env=m.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid
        t.cleanup(self.process.kill)
        self._last = -1

    def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline()

    def stopped(self):
        """No byte was read for 300 ms."""
        with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
            now = int(file.readline().split()[1])
        time.sleep(0.3)
        same, self._last = now == self._last, now
        return same


def test_cost(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    m.wait_server("echo")
    times = []
    for _ in range(5):
        begin = time.monotonic()
        client = m.stdio("echo")
        client.initialize()
        times.append(time.monotonic() - begin)
        last = client
    t.diag(f"start to first answer {min(times) * 1000:.1f} ms, RssAnon {proc.rss_anon_kb(last.pid)} kB")
    t.ok(proc.rss_anon_kb(last.pid) < (20_000 if paths.sanitized() else 3000), "little memory of its own", proc.rss_anon_kb(last.pid))
    t.ok(min(times) < 0.5, "starts fast", times)


if __name__ == "__main__":
    tap.main(__name__)
