#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of calls, and what is kept of them: figures by tool and client, the last calls, `record: true`, replay."""

import json
import os
import signal
import stat
from urllib.parse import quote

from harness import echo, fixture, limit, paths, tap, wait_for

# What no JSON parser of ours could hold has to come back as it was.
ODD = '{"jsonrpc":"2.0","id":"x\\u00e9","method":"tools/call","params":{"name":"echo","arguments":{"text":"\\ud83d\\ude00 1e400 \\u2028"},"n":1e400}}'


def call(m, server, tool, **arguments):
    return m.api.raw("POST", "/tools/call", {"server": server, "tool": tool, "arguments": arguments})


def calls(m, query=""):
    return m.api.get("/calls" + query)["calls"]


def one(m, call_id):
    return m.api.get("/calls/" + quote(call_id, safe=""))


def replay(m, call_id, body=None):
    return m.api.raw("POST", f"/calls/{quote(call_id, safe='')}/replay", body)


def detail(m, name):
    return m.api.get("/servers/" + name)


def recorded_dir(m):
    return os.path.join(m.data_dir, "recorded")


def test_seen(t):
    m = t.mcptop({"mcpServers": {"echo": echo(), "other": echo()}})
    m.wait_server("echo")
    m.wait_server("other")
    call(m, "echo", "add", a=1, b=2)
    call(m, "echo", "add", a=3, b=4)
    call(m, "echo", "echo", text="x" * 5000)
    call(m, "other", "pid")
    last = calls(m)
    t.eq([(c["server"], c["tool"], c["method"]) for c in last],
         [("other", "pid", "tools/call"), ("echo", "echo", "tools/call"), ("echo", "add", "tools/call"),
          ("echo", "add", "tools/call")], "the last calls, the newest first")
    t.eq(len({c["id"] for c in last}), 4, "each with an id of its own")
    big = last[1]
    t.ok(big["bytes_in"] > 5000 and big["bytes_out"] > 5000 and big["took_us"] > 0, "sizes and latency", big)
    t.ok(not big["error"] and not big["recorded"] and big["wall_ms"] > 0 and big["client"] == "api", "and the rest", big)
    t.eq([c["tool"] for c in calls(m, "?server=other")], ["pid"], "of one server")
    t.eq(len(calls(m, "?limit=2")), 2, "so many")
    t.eq(calls(m, "?recorded=1"), [], "none is recorded")
    t.has(one(m, big["id"])["why_not_recorded"], "record: true", "one call, and why its text is not there")
    figures = {f["name"]: f for f in m.api.get("/servers/echo/tools")["figures"]}
    t.eq({n: (f["calls"], f["errors"], f["in_flight"]) for n, f in figures.items()}, {"add": (2, 0, 0), "echo": (1, 0, 0)},
         "figures of the tools that were called")
    t.eq(detail(m, "echo")["calls"]["by_tool"], list(figures.values()), "the same in the server")
    with m.stdio("echo") as client:
        client.initialize()
        client.send("tools/call", {"name": "sleep", "arguments": {"ms": 60000}})
        wait_for(lambda: detail(m, "echo")["calls"]["open"], 10, "the call to be in flight")
        now = detail(m, "echo")["calls"]
        t.eq([(c["method"], c["name"]) for c in now["open"]], [("tools/call", "sleep")], "in flight: its tool, whole")
        t.eq([f["in_flight"] for f in now["by_tool"] if f["name"] == "sleep"], [1], "in flight by tool")
        t.eq([(c["in_flight"], c["protocol_version"] is not None) for c in now["by_client"]], [(1, True)], "by client")
        t.eq([(c["server"], c["name"]) for c in m.api.get("/calls")["open"]], [("echo", "sleep")], "among all servers'")
        m.api.post("/servers/echo/kill")
    t.eq([m.api.raw("GET", p).status for p in ("/calls?server=nope", "/calls/nope:abcd-1", "/calls/nope")], [404, 404, 404],
         "what is not there")


def test_tools_that_fail(t):
    """A result that says isError is counted beside the errors, and seen in every list."""
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    call(m, "good", "echo", text="x")
    call(m, "good", "echo", text="it went wrong", fail=True)
    m.api.raw("POST", "/tools/call", {"server": "good", "tool": "no_such", "arguments": {}})
    last = calls(m)
    t.eq([(c["tool"], c["error"], c["tool_error"]) for c in last],
         [("no_such", True, False), ("echo", False, True), ("echo", False, False)], "each call as what it was")
    figures = detail(m, "good")["calls"]
    t.eq((figures["total"], figures["errors"], figures["tool_errors"]), (3, 1, 1), "the server's figures")
    t.eq({f["name"]: (f["calls"], f["errors"], f["tool_errors"]) for f in figures["by_tool"]},
         {"echo": (2, 0, 1), "no_such": (1, 1, 0)}, "by tool")
    listed = m.cli("calls", check=0).stdout
    t.has(listed, r"echo \(tool error\)", "mcptop calls")
    t.eq(m.cli("tools", "good", check=0).stdout.splitlines()[1].split()[:3], ["echo", "2", "1"], "mcptop tools")
    one_failed = m.cli("call", "good", "echo", '{"text":"it went wrong","fail":true}')
    t.eq((one_failed.returncode, one_failed.stdout), (1, "it went wrong\n"), "mcptop call tells it by its status")
    t.has(one_failed.stderr, "echo of good says that it failed", "and why")
    text = m.api.http.get("/metrics").body.decode("utf-8")
    t.has(text, r'mcptop_server_tool_errors_total\{server="good"\} 2\n', "a metric of the server")
    t.has(text, r'mcptop_tool_errors_total\{server="good",tool="echo"\} 2\n', "and of the tool")
    view = m.view(100, 30)
    view.wait_text("good")
    view.type("55")
    view.wait_text(r"! echo \(tool failed\)")
    t.ok(True, "and in the view")


def test_record(t):
    m = t.mcptop({"mcpServers": {"rec": echo(record=True), "not": echo()}})
    m.wait_server("rec")
    m.wait_server("not")
    with m.stdio("rec") as client:
        client.initialize()
        client.write(ODD.encode() + b"\n")
        wait_for(lambda: [c for c in calls(m) if c["tool"] == "echo"], 10, "the call to end")
    call(m, "not", "echo", text="secret of not")
    note = [c for c in calls(m, "?server=rec") if c["tool"] == "echo"][0]
    t.ok(note["recorded"], "it is recorded", note)
    got = one(m, note["id"])
    t.eq(got["request"], ODD, "the call byte for byte")
    t.has(got["result"], r'"id":"x\\u00e9"', "its answer, as the client got it")
    t.ok("\\ud83d\\ude00 1e400" in got["result"], "byte for byte", got["result"])
    path = os.path.join(recorded_dir(m), "server-rec.log")
    t.eq((stat.S_IMODE(os.stat(path).st_mode), stat.S_IMODE(os.stat(recorded_dir(m)).st_mode)), (0o600, 0o700), "private")
    t.eq(os.listdir(recorded_dir(m)), ["server-rec.log"], "only of the server that says so")
    again = replay(m, note["id"])
    data = again.json()["data"]
    t.eq((again.status, data["where"], data["before"], data["after"]), (200, "server", got["result"], got["result"]),
         "sent again: the same answer")
    test = replay(m, note["id"], {"test": True}).json()["data"]
    t.eq((test["where"], test["after"]), ("test", got["result"]), "and from a start apart from it")
    call(m, "rec", "pid")
    pid = calls(m, "?server=rec")[0]
    here, there = (replay(m, pid["id"], b).json()["data"] for b in (None, {"test": True}))
    t.eq(here["after"], here["before"], "the running server is asked")
    t.ok(there["after"] != there["before"], "a test start is another process", there)
    t.eq(detail(m, "rec")["calls"]["clients"], 0, "nobody is left behind")
    hello = [c for c in calls(m, "?server=rec") if c["method"] == "initialize"]
    if hello:
        t.eq(replay(m, hello[0]["id"]).status, 409, "an initialize is not sent again")
    t.eq(replay(m, note["id"], {"test": 1}).status, 400, "a body that is none")


def test_lives_on(t):
    """What is recorded is found by the next supervisor; a change of `record` counts at once."""
    config = {"mcpServers": {"rec": echo(record=True)}}
    m = t.mcptop(config)
    pid = m.wait_server("rec")["pid"]
    call(m, "rec", "add", a=1, b=2)
    first = calls(m)[0]["id"]
    m.stop()
    m.start()
    m.wait_server("rec")
    t.eq(calls(m), [], "nothing was called yet")
    call(m, "rec", "echo", text="now")
    t.eq([c["tool"] for c in calls(m, "?server=rec")], ["echo", "add"], "of one server: those on disk too")
    t.has(one(m, first)["request"], '"a"', "with their texts")
    t.eq(replay(m, first).json()["data"]["before"], one(m, first)["result"], "and can be sent again")
    pid = m.server("rec")["pid"]
    config["mcpServers"]["rec"].pop("record")
    m.write_config(config)
    wait_for(lambda: not detail(m, "rec")["calls"]["recorded"], 10, "recording to end")
    call(m, "rec", "pid")
    t.eq((calls(m)[0]["tool"], calls(m)[0]["recorded"]), ("pid", False), "not recorded any more")
    t.eq(m.server("rec")["pid"], pid, "without a restart")
    t.eq([c["tool"] for c in calls(m, "?server=rec&recorded=1")], ["add", "echo", "add"],
         "what is recorded stays, the call that was sent again among it")


def test_bounds(t):
    m = t.mcptop({"mcpServers": {"rec": echo(record=True)}})
    m.wait_server("rec")
    call(m, "rec", "big", bytes=2 << 20)
    note = calls(m)[0]
    t.ok(not note["recorded"], "an answer of 2 MiB is not kept", note)
    t.has(one(m, note["id"])["why_not_recorded"], "too long", "and says so")
    t.has(replay(m, note["id"]).json()["error"], "too long", "nor can it be sent again")
    for _ in range(12):
        call(m, "rec", "big", bytes=900 << 10)
    files = sorted(os.listdir(recorded_dir(m)))
    sizes = [os.stat(os.path.join(recorded_dir(m), f)).st_size for f in files if ".gone-" not in f]
    t.ok(sizes and max(sizes) <= 4 << 20 and len(sizes) <= 2, "two files of 4 MiB at most", (files, sizes))
    t.ok(detail(m, "rec")["calls"]["unrecorded"] >= 1, "what is missing is counted")


def test_failed_replay(t):
    state = os.path.join(t.dir, "count")
    m = t.mcptop({"mcpServers": {"dies": fixture("die_after", 2, record=True)}})
    m.wait_server("dies")
    call(m, "dies", "echo", text="x")
    note = calls(m)[0]
    call(m, "dies", "echo", text="kills it")
    lost = [c for c in calls(m) if c["error"]]
    t.ok(lost and lost[0]["recorded"], "a call that its server did not survive is recorded, with the error", lost)
    t.has(one(m, lost[0]["id"])["result"], "ended", "which says why")
    m.api.post("/servers/dies/stop")
    m.wait_server("dies", "stopped")
    answer = replay(m, note["id"]).json()["data"]
    t.ok(answer["error"] and "stopped" in answer["after"], "to a server that is stopped", answer)
    t.ok(not os.path.exists(state), "nothing else happened")


def test_verbs(t):
    m = t.mcptop({"mcpServers": {"rec": echo(record=True), "not": echo()}})
    m.wait_server("rec")
    m.wait_server("not")
    call(m, "rec", "echo", text="line one\nline \x1b[31mtwo")
    call(m, "rec", "pid")
    call(m, "not", "add", a=1, b=2)
    pid, text = (c["id"] for c in calls(m, "?server=rec"))
    other = calls(m, "?server=not")[0]["id"]
    listed = m.cli("calls", check=0).stdout
    t.has(listed, f"add +{other}", "calls of all")
    t.has(m.cli("calls", "rec", check=0).stdout, f"\\* +pid +{pid}", "of one, and what is recorded")
    t.eq([c["id"] for c in json.loads(m.cli("calls", "rec", "--json", "-n", "1", check=0).stdout)["calls"]], [pid], "as JSON")
    shown = m.cli("calls", text, check=0).stdout
    t.has(shown, r'"name": "echo"', "one call, laid out")
    t.ok("\x1b" not in shown, "and harmless")
    t.has(m.cli("calls", other, check=0).stdout, "record: true", "one that is not recorded says what to do")
    again = m.cli("replay", text, check=0)
    t.has(again.stdout, "the answer is the same", "sent again")
    differs = m.cli("replay", pid, "--test", check=1, timeout=60)
    t.has(differs.stdout, r"(?m)^-.*\n\+", "a difference is shown")
    t.has(differs.stdout, "a test start", "where it was sent")
    t.has(m.cli("replay", other).stderr, "record: true", "what is not recorded cannot be sent again")
    t.eq(m.cli("replay", "rec:none-1").returncode, 4, "nor what is not there")


@tap.limit(60)
@limit(120)
def test_a_slow_replay_in_the_view(t):
    """A call may take as long as its server is given: the view waits for it."""
    m = t.mcptop({"mcpServers": {"rec": echo(record=True, health_check_interval="10m")}})
    pid = m.wait_server("rec")["pid"]
    call(m, "rec", "echo", text="some words")
    view = m.view(80, 24)
    view.wait_text("rec")
    view.type("55")
    view.wait_text(r"api .* \* +echo")
    os.kill(pid, signal.SIGSTOP)
    view.type("R")
    view.wait_text("send this call again")
    view.type("y")

    def age():
        return max((c["age_ms"] for c in detail(m, "rec")["calls"]["open"]), default=0)
    wait_for(lambda: age() > 31000, 60, "the call to be older than a request to the supervisor may be", saw=age)
    t.has(view.text(), "waiting for the answer", "the view waits")
    os.kill(pid, signal.SIGCONT)
    view.wait_text("the answer is the same")
    t.ok(True, "and shows what comes")


def test_view(t):
    m = t.mcptop({"mcpServers": {"rec": echo(record=True)}})
    m.wait_server("rec")
    view = m.view(80, 24)
    view.wait_text("rec")
    view.type("55")
    view.wait_text("no calls yet")
    call(m, "rec", "echo", text="some words")
    view.wait_text(r"api .* \* +echo")
    t.ok(True, "a call is seen")
    with m.stdio("rec") as client:
        client.initialize()
        client.send("tools/call", {"name": "sleep", "arguments": {"ms": 60000}})
        view.wait_text("in flight rec .*sleep")
        t.ok(True, "one in flight")
        m.api.post("/servers/rec/kill")
        view.wait_text("! sleep")
        t.ok(True, "and how it ended")
    view.type("/echo")
    view.send("Enter")
    view.wait_gone("! sleep")
    view.send("Enter")
    view.wait_text('"text": "some words"')
    t.ok(True, "one opened, with its texts")
    m.wait_server("rec")
    view.type("R")
    view.wait_text("send this call again")
    view.type("y")
    view.wait_text("the answer is the same")
    t.ok(True, "and sent again")
    view.type("q")


if __name__ == "__main__":
    tap.main(__name__)
