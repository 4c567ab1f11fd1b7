#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""AI clients on supervised servers: ids, progress, many clients at once, restarts under open sessions."""

import json
import os
import signal
import threading
import time

from harness import RpcError, echo, fixture, full, limit, tap, wait_for


def text(result):
    return result["content"][0]["text"]


def test_ids_keep_their_type(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    client = m.stdio("echo")
    client.initialize()
    for ident in ["1", '"1"', "9007199254740993", "1.5", '"a\\u0041\\"b"', "-3", '""']:
        client.write(f'{{"jsonrpc":"2.0","id":{ident},"method":"tools/call","params":{{"name":"echo","arguments":'
                     f'{{"text":"x"}}}}}}\n'.encode())
        client.reply(10)
        t.ok(f'"id":{ident}'.encode() in client.seen[-1], f"id {ident} comes back as it was written", client.seen[-1])


def test_payload_is_untouched(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    client = m.stdio("good")
    client.initialize()
    odd = "\u00a0\u200d\u2028\ufeff\ufffd\\\"\u0000 \U0001f600 2^53+1"
    t.eq(text(client.tool("echo", {"text": odd})), odd, "odd characters come back")
    t.eq(len(text(client.tool("big", {"bytes": 3_000_000}, timeout=60))), 3_000_000, "3 MB come back whole")


def test_many_clients_same_ids(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    clients = [m.stdio("good") for _ in range(6)]
    wrong = []

    def use(number, client):
        client.initialize()
        for i in range(40):
            want = f"{number}-{i}"
            got = text(client.tool("echo", {"text": want}))
            if got != want:
                wrong.append((want, got))

    threads = [threading.Thread(target=use, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    t.eq(wrong, [], "every client gets its own answers")
    t.eq(m.server("good")["calls"]["clients"], 6, "six clients are shown")


def test_progress(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    a, b = m.stdio("good"), m.stdio("good")
    for client in (a, b):
        client.initialize()
    for client, token in ((a, "tok"), (b, 7)):
        client.send("tools/call", {"name": "progress", "arguments": {"steps": 3}, "_meta": {"progressToken": token}})
    for client, token in ((a, "tok"), (b, 7)):
        client.reply(20)
        tokens = [n["params"]["progressToken"] for n in client.notifications if n["method"] == "notifications/progress"]
        t.eq(tokens, [token] * 3, f"progress with the client's own token {token!r}, and nobody else's")


def test_cancel(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    a, b = m.stdio("good"), m.stdio("good")
    a.initialize()
    b.initialize()
    ident = a.send("tools/call", {"name": "sleep", "arguments": {"seconds": 30}})
    wait_for(lambda: m.server("good")["calls"]["in_flight"] == 1, 10, "the call")
    b.notify("notifications/cancelled", {"requestId": ident})
    time.sleep(0.2)
    t.eq(m.server("good")["calls"]["in_flight"], 1, "nobody cancels another's call")
    a.notify("notifications/cancelled", {"requestId": ident, "reason": "test"})
    wait_for(lambda: m.server("good")["calls"]["in_flight"] == 0, 10, "the owner's cancellation")


def test_session_survives_death(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    m.wait_server("echo")
    client = m.stdio("echo")
    client.initialize()
    t.eq(text(client.tool("echo", {"text": "a"})), "a", "before")
    for _ in range(3):
        os.kill(m.wait_server("echo")["pid"], signal.SIGKILL)
        start = time.monotonic()
        try:
            reply = text(client.tool("echo", {"text": "b"}, timeout=70))
            t.eq(reply, "b", "the open session goes on")
        except RpcError as error:
            t.has(str(error), "signal 9|SIGKILL", "or the call that was under way names the cause")
        t.diag(f"answered after {(time.monotonic() - start) * 1000:.0f} ms")
    t.has(json.dumps(m.server("echo")["exit"]), '"signal": 9', "the exit is told")


def test_quick_answer_after_first_death(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    m.wait_server("echo")
    client = m.stdio("echo")
    client.initialize()
    own = []
    for _ in range(3):
        start = time.monotonic()
        m.api.post("/servers/echo/restart")
        t.eq(text(client.tool("echo", {"text": "b"}, timeout=30)), "b", "a call during a restart is answered")
        own.append(time.monotonic() - start)
    t.ok(min(own) < 0.5, "soon", own)


def test_call_in_flight_when_it_dies(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    client = m.stdio("good")
    client.initialize()
    ident = client.send("tools/call", {"name": "progress", "arguments": {"steps": 300, "ms": 100}, "_meta": {"progressToken": 1}})
    # What it has not read would wait for its successor.
    wait_for(lambda: client.notifications, 10, "the server to work on it")
    os.kill(m.server("good")["pid"], signal.SIGKILL)
    reply = client.reply(10)
    t.eq(reply["id"], ident, "the call gets an answer at once")
    t.has(reply["error"]["message"], "good.*signal 9|signal 9.*good|SIGKILL", "that names server and cause")


def test_stopped_server_refuses(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    m.wait_server("echo")
    client = m.stdio("echo")
    client.initialize()
    m.api.post("/servers/echo/stop")
    m.wait_server("echo", "stopped")
    try:
        client.tool("echo", {"text": "x"}, timeout=10)
        t.ok(False, "a stopped server refuses")
    except RpcError as error:
        t.has(str(error), "stopped", "and says why")


def test_http_sessions(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = m.mcp("good")
    endpoint.initialize()
    t.eq(text(endpoint.tool("echo", {"text": "over http"})), "over http", "a call over HTTP")
    http = m.api.http
    call = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    t.eq(http.request("POST", "/mcp/good", call).status, 400, "no session id")
    t.eq(http.request("POST", "/mcp/good", call, headers={"Mcp-Session-Id": "x" * 48}).status, 404, "not of our making")
    t.eq(http.request("GET", "/mcp/good").status, 405, "no stream is offered")
    t.eq(http.request("POST", "/mcp/good", "[]").status, 400, "a batch is refused")
    t.eq(http.request("POST", "/mcp/nobody", call).status, 404, "no such server")
    m.restart()
    t.eq(text(endpoint.tool("echo", {"text": "again"}, timeout=60)), "again", "the session goes on after a restart of mcptop")


@limit(120)
def test_held_calls_time_out_with_the_cause(t):
    m = t.mcptop({"mcpServers": {"dead": fixture("exit", 3, "no database")}})
    m.wait_server("dead", lambda s: s["exit"] and s["exit"]["code"] == 3)
    client = m.stdio("dead")
    try:
        client.initialize(timeout=60)
        t.ok(False, "initialize of a dead server fails")
    except RpcError as error:
        t.has(str(error), "exited 3", "with the cause")


def refused(client, method, name):
    try:
        return client.request(method, {"taskId": name})
    except RpcError as error:
        return error.message


def test_tasks_are_their_clients(t):
    """Over HTTP and stdio; the server tells of all tasks whoever asks."""
    m = t.mcptop({"mcpServers": {"full": full()}})
    clients = [m.mcp("full"), m.mcp("full"), m.stdio("full")]
    names = []
    for number, client in enumerate(clients):
        client.initialize()
        made = client.request("tools/call", {"name": "echo", "arguments": {"text": str(number), "ms": 300}, "task": {"ttl": 60000}})
        names.append(made["task"]["taskId"])
    for number, client in enumerate(clients):
        t.has(text(client.request("tasks/result", {"taskId": names[number]})), f": {number}", "each has its own result")
        t.eq(client.request("tasks/get", {"taskId": names[number]})["status"], "completed", "and state")
        for other in names[:number] + names[number + 1:]:
            for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                t.has(refused(client, method, other), "no such task", f"{method} of another's is refused")
        seen, cursor = [], None
        while True:
            page = client.request("tasks/list", {"cursor": cursor} if cursor else {})
            seen += [one["taskId"] for one in page["tasks"]]
            cursor = page.get("nextCursor")
            if not cursor:
                break
        t.eq(seen, [names[number]], "lists have the own tasks, through all pages")
    wait_for(lambda: len(clients[2].notifications) >= 2, 10, "the status of its task")
    t.eq({n["params"]["taskId"] for n in clients[2].notifications if n["method"] == "notifications/tasks/status"}, {names[2]},
         "the status is told to its client only")
    slow = clients[0].request("tools/call", {"name": "echo", "arguments": {"ms": 60000}, "task": {}})["task"]["taskId"]
    t.eq(clients[0].request("tasks/cancel", {"taskId": slow})["status"], "cancelled", "the own one can be cancelled")
    t.eq(m.server("full")["calls"]["tool_errors"], 0, "no tool has failed so far")
    failing = clients[2].request("tools/call", {"name": "echo", "arguments": {"fails": True}, "task": {}})["task"]["taskId"]
    for _ in range(2):
        t.eq(clients[2].request("tasks/result", {"taskId": failing})["isError"], True, "a tool that failed as a task says so in its result")
    calls = m.api.get("/servers/full")["calls"]
    t.eq([(tool["name"], tool["tool_errors"]) for tool in calls["by_tool"]], [("echo", 1)], "which is counted once, for that tool")
    t.eq(calls["tool_errors"], 1, "and for the server")


def test_questions_without_a_client(t):
    """What nobody can be asked is answered, and is no rubbish."""
    m = t.mcptop({"mcpServers": {"full": full("full", "roots")}})
    m.wait_server("full")
    state = json.loads(text(m.api.post("/tools/call", {"server": "full", "tool": "state"})))
    t.eq((state["roots"]["id"], state["roots"]["result"]), ("roots", {"roots": []}), "no client has no roots")
    clients = [m.stdio("full") for _ in range(2)]
    for client in clients:
        client.initialize()
    state = m.api.post("/tools/call", {"server": "full", "tool": "log_at", "arguments": {"level": "error", "text": "whose"}})
    lines = m.api.get("/servers/full/logs?tail=1000")["lines"]
    t.ok(not any(line["s"] == "out" for line in lines), "nothing of it is marked as no protocol", lines[-5:])
    t.eq(m.server("full")["calls"]["stray_lines"], 0, "or counted so")


def test_noise_on_stdout(t):
    m = t.mcptop({"mcpServers": {"noise": fixture("noise")}})
    client = m.stdio("noise")
    client.initialize()
    t.eq(text(client.tool("echo", {"text": "x"})), "x", "calls work beside noise")
    lines = m.api.get("/servers/noise/logs?tail=1000")["lines"]
    t.ok(any(l["s"] == "out" for l in lines), "the noise is in the log, marked", lines[-5:])


if __name__ == "__main__":
    tap.main(__name__)
