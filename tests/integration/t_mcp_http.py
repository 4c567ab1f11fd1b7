#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP over streamable HTTP with more than an answer: event streams of calls and of sessions, resumption, questions of the
server and their answers, log messages, readers that are slow or leave."""

import json
import time

from harness import fixture, limit, tap, wait_for

EVERYTHING = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}


def text(result):
    return result["content"][0]["text"]


def call(name, arguments=None, token=None):
    params = {"name": name, "arguments": arguments or {}}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return params


def message(stream, timeout=20):
    """The next event with data, as (message, id)."""
    while True:
        _, data, ident = stream.next(timeout)
        if data:
            return json.loads(data), ident


def until_answer(stream, ident, timeout=20):
    """All events up to the answer of the request."""
    seen = []
    while True:
        seen.append(message(stream, timeout))
        if seen[-1][0].get("id") == ident and "method" not in seen[-1][0]:
            return seen


def gone(stream, timeout=20):
    """Whether the stream has ended."""
    try:
        while True:
            stream.next(timeout)
    except EOFError:
        return True


def open_session(m, capabilities=None, name="good"):
    endpoint = m.mcp(name)
    endpoint.initialize(capabilities=capabilities)
    return endpoint


def test_progress_is_a_stream(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m)
    _, reply = endpoint.send("tools/call", call("echo", {"text": "x"}, token=1))
    t.eq(reply.headers["Content-Type"], "application/json", "an answer that nothing precedes is plain JSON")
    ident, stream = endpoint.stream("tools/call", call("progress", {"steps": 3}, token="tok"))
    with stream:
        t.eq(stream.response.headers["Content-Type"], "text/event-stream", "progress makes it a stream")
        _, data, first = stream.next()
        t.eq(data, "", "which begins with an event that has an id and nothing else")
        seen = until_answer(stream, ident)
        t.eq([s[0]["params"]["progressToken"] for s in seen[:-1]], ["tok"] * 3, "progress first, with the client's token")
        t.eq(text(seen[-1][0]["result"]), "3 steps", "the answer last")
        numbers = [int(i.split("-")[2]) for _, i in seen]
        t.eq(numbers, [1, 2, 3, 4], "events are numbered")
        t.eq(len({"-".join(i.split("-")[:2]) for i in [first] + [i for _, i in seen]}), 1, "in one stream")
        t.ok(gone(stream), "the stream ends with the answer")
    reply = endpoint.post({"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call("progress", token=1)},
                          headers={"Accept": "application/json"})
    t.eq((reply.headers["Content-Type"], reply.json()["id"]), ("application/json", 99), "who takes no stream gets none")


def test_a_lost_connection_is_resumed(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m)
    ident, stream = endpoint.stream("tools/call", call("progress", {"steps": 40, "ms": 20}, token=1))
    with stream:
        seen = [message(stream) for _ in range(5)]
    time.sleep(0.1)         # some events find nobody
    with endpoint.events(last=seen[-1][1]) as stream:
        seen += until_answer(stream, ident)
        t.eq([s[0]["params"]["progress"] for s in seen[:-1]], list(range(1, 41)), "every event once, in order")
        t.eq(text(seen[-1][0]["result"]), "40 steps", "and the answer: to disconnect cancels nothing")
        t.ok(gone(stream), "then it ends")
    with endpoint.events(last=seen[-2][1]) as stream:
        t.eq(message(stream), seen[-1], "an answer can be asked for again")
    other = open_session(m)
    with other.events(last=seen[-2][1]) as stream:
        t.has(message(stream)[0]["error"]["message"], "not kept", "another session cannot have it")
    with other.events(last="0-1-1") as stream:
        other.tool("announce")
        t.eq(message(stream)[0]["method"], "notifications/tools/list_changed", "an unknown id gets the session's own stream")
        t.ok(stream.comments and "not kept" in stream.comments[0], "and is told so", stream.comments)


def test_streams_end_with_the_supervisor(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m, EVERYTHING)
    ident, stream = endpoint.stream("tools/call", call("progress", {"steps": 1000, "ms": 50}, token=1))
    with stream:
        _, last = message(stream)
        m.restart()
    with endpoint.events(last=last) as stream:
        seen = until_answer(stream, ident)
        t.has(seen[-1][0]["error"]["message"], "restarted", "the call's stream says that it is gone")
    # What the client can be asked for is known to the new supervisor, too.
    ask(t, endpoint, "elicitation/create", {"action": "decline"})


def ask(t, endpoint, method, answer):
    """A tool that asks its client, and the client's answer."""
    ident, stream = endpoint.stream("tools/call", call("ask", {"method": method}))
    with stream:
        question, _ = message(stream)
        t.eq(question["method"], method, f"{method} reaches the client of the call")
        reply = endpoint.post({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        t.eq((reply.status, reply.body), (202, b""), "an answer is accepted without one")
        result = until_answer(stream, ident)[-1][0]["result"]
        t.eq(json.loads(text(result))["result"], answer, "and reaches the server")


def test_questions(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    others = [open_session(m, EVERYTHING) for _ in range(3)]
    endpoint = open_session(m, EVERYTHING)
    with others[0].events() as idle:
        idle.next()
        for method, answer in (("elicitation/create", {"action": "accept", "content": {"a": 1}}), ("roots/list", {"roots": []}),
                               ("sampling/createMessage", {"role": "assistant", "model": "m", "content": {"type": "text", "text": "é"}})):
            ask(t, endpoint, method, answer)
        endpoint.tool("announce")
        t.eq(message(idle)[0]["method"], "notifications/tools/list_changed", "others never see a question")
    poor = open_session(m)
    answer = json.loads(text(poor.tool("ask", {"method": "sampling/createMessage"})))
    t.eq(answer["error"]["code"], -32601, "who did not offer it is not asked")
    client = m.stdio("good")
    client.initialize(capabilities=EVERYTHING)
    ident = client.send("tools/call", call("ask", {"method": "roots/list"}))
    wait_for(lambda: client.requests, 10, "the question on stdio")
    client.write({"jsonrpc": "2.0", "id": client.requests[0]["id"], "result": {"roots": []}})
    t.has(text(client.wait_reply(ident)["result"]), "roots", "and through mcptop stdio")


def test_the_sessions_own_stream(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    a, b = open_session(m), open_session(m)
    with a.events() as stream:
        t.eq(stream.response.headers["Content-Type"], "text/event-stream", "GET opens a stream")
        stream.next()
        b.tool("announce")
        event, last = message(stream)
        t.eq(event["method"], "notifications/tools/list_changed", "what belongs to no call is told there")
        with a.events() as second:
            t.ok(gone(stream), "a second one takes over")
            b.tool("announce")
            t.eq(message(second)[0]["method"], "notifications/tools/list_changed", "and goes on")
            second.close()
        b.tool("announce")
        with a.events(last=last) as again:
            t.eq([message(again)[0]["method"] for _ in range(2)], ["notifications/tools/list_changed"] * 2,
                 "what came since the last event seen")
            a.http.request("DELETE", a.path, headers=a.headers)
            t.ok(gone(again), "DELETE ends it")
    t.eq(a.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status, 404, "and the session")
    t.eq(b.http.request("GET", b.path, headers=dict(b.headers, Accept="application/json")).status, 405, "GET is for streams")
    t.eq(b.http.request("GET", b.path, headers={"Accept": "text/event-stream"}).status, 400, "of sessions")


def test_log_messages_are_the_callers(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    a, b = open_session(m), open_session(m)
    with b.events() as stream:
        stream.next()
        ident, mine = a.stream("tools/call", call("log_message", {"text": "for a"}))
        with mine:
            t.eq(until_answer(mine, ident)[0][0]["params"]["data"], "for a", "before the answer of the call that wrote it")
        a.request("logging/setLevel", {"level": "error"})
        _, reply = a.send("tools/call", call("log_message", {"text": "quiet"}))
        t.eq(reply.headers["Content-Type"], "application/json", "what is below the level asked for is not sent")
        b.tool("announce")
        t.eq(message(stream)[0]["method"], "notifications/tools/list_changed", "another client sees none of it")


def test_who_leaves_and_who_does_not_read(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m)
    lazy = open_session(m)
    _, stream = lazy.stream("tools/call", call("progress", {"steps": 60000, "ms": 0}, token="x" * 200), timeout=60)
    with stream:
        wait_for(lambda: "does not read" in m.log(), 60, "the reader to be cut")
        t.eq(text(endpoint.tool("echo", {"text": "fine"})), "fine", "others go on")
    connection = endpoint.http.connect()
    connection.request("POST", endpoint.path, json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call",
                                                         "params": call("sleep", {"ms": 1500})}), endpoint.headers)
    wait_for(lambda: m.server("good")["calls"]["in_flight"] >= 1, 10, "the call")
    connection.close()
    t.eq(text(endpoint.tool("echo", {"text": "still"})), "still", "a client that disconnects cancels nothing")
    t.ok("cancelled" not in json.dumps(m.api.get("/servers/good/logs?tail=100")), "the server was not told to stop")


MODERN = "2026-07-28"
IO = "io.modelcontextprotocol/"


def modern(http, method, params=None, ident=1, **headers):
    """A request of the modern era: (path, body, headers) for Http.post and Http.events."""
    params = dict(params or {})
    params["_meta"] = dict({IO + "protocolVersion": MODERN, IO + "clientCapabilities": {}}, **params.get("_meta", {}))
    sent = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if "name" in params:
        sent["Mcp-Name"] = params["name"]
    sent.update(headers)
    return json.dumps({"jsonrpc": "2.0", "id": ident, "method": method, "params": params}), sent


def test_methods_of_the_eras(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    for method in ("GET", "DELETE", "PUT"):
        reply = m.api.http.request(method, "/mcp/good", headers={"MCP-Protocol-Version": "2026-07-28", "Accept": "text/event-stream"})
        t.eq((reply.status, reply.headers["Allow"]), (405, "POST"), f"{method} of a modern client")
    reply = m.api.http.request("GET", "/mcp/good", headers={"MCP-Protocol-Version": "2025-11-25", "Accept": "text/event-stream"})
    t.eq(reply.status, 400, "one of a legacy client lacks its session")


def test_modern_requests(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    http = m.api.http

    def post(*args, **headers):
        body, sent = modern(http, *args, **headers)
        return http.post("/mcp/good", body, headers=sent)

    reply = post("tools/call", call("echo", {"text": "x"}))
    t.eq((reply.status, text(reply.json()["result"]), reply.json()["result"]["resultType"]), (200, "x", "complete"), "a call")
    t.eq(reply.headers.get("Mcp-Session-Id"), None, "there are no sessions")
    reply = post("tools/call", call("echo"), **{"Mcp-Name": "add"})
    t.eq((reply.status, reply.json()["error"]["code"], reply.json()["id"]), (400, -32020, 1), "a header that says something else")
    reply = post("no/such")
    t.eq((reply.status, reply.json()["error"]["code"]), (404, -32601), "an unknown method")
    reply = post("initialize", {"protocolVersion": MODERN})
    t.eq((reply.status, reply.json()["error"]["code"]), (404, -32601), "no initialize")
    body, sent = modern(http, "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, "sub")
    with http.events("/mcp/good", 30, sent, body) as stream:
        acknowledged, ident = message(stream)
        t.eq((acknowledged["params"]["notifications"], ident), ({"toolsListChanged": True}, None), "a subscription")
        post("tools/call", call("announce"))
        changed, _ = message(stream)
        t.eq((changed["method"], changed["params"]["_meta"][IO + "subscriptionId"]),
             ("notifications/tools/list_changed", "sub"), "is told of changes")
        m.api.post("/servers/good/restart")
        m.wait_server("good")
        wait_for(lambda: post("tools/call", call("announce")).status == 200, 10, "a call")
        t.eq(message(stream)[0]["method"], "notifications/tools/list_changed", "also by the server's next run")
    wait_for(lambda: m.server("good")["calls"]["clients"] == 0, 10, "the client to be gone with its stream")


def test_modern_clients_cancel_by_leaving(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    http = m.api.http
    body, sent = modern(http, "tools/call", call("progress", {"steps": 1000, "ms": 20}, token=1))
    with http.events("/mcp/good", 30, sent, body) as stream:
        t.eq(message(stream)[0]["method"], "notifications/progress", "a call is under way")
    wait_for(lambda: m.server("good")["calls"]["clients"] == 0, 10, "its client to be gone")
    body, sent = modern(http, "tools/call", call("sleep", {"ms": 30000}))
    connection = http.connect()
    connection.request("POST", "/mcp/good", body, sent)
    wait_for(lambda: m.server("good")["calls"]["clients"] == 1, 10, "a call")
    connection.close()
    wait_for(lambda: "cancelled" in json.dumps(m.api.get("/servers/good/logs?tail=100")), 10, "the server to be told")


@limit(90)
def test_long_calls_are_kept_alive(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m)
    ident, stream = endpoint.stream("tools/call", call("sleep", {"ms": 33000}), timeout=60)
    with stream:
        seen = until_answer(stream, ident, 60)
        t.eq(len(seen), 1, "the answer comes")
        t.ok(stream.comments, "and comments before it", stream.comments)


@limit(90)
def test_a_stream_that_comes_late_is_kept_alive(t):
    """Sessions are looked at in turn, all in 15 s, while there is something to keep alive. This stream comes when the round that its session's
    first request began is nearly over."""
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    endpoint = open_session(m)
    time.sleep(14.4)
    with endpoint.events(timeout=17) as stream:
        line = None
        while line not in (b":\n", b""):
            line = stream.response.readline()
        t.eq(line, b":\n", "it is kept alive from then on")


if __name__ == "__main__":
    tap.main(__name__)
