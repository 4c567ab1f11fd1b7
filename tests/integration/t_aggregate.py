#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""All servers behind one endpoint: /mcp over HTTP in both eras, and `mcptop stdio` without a name."""

import json

from harness import RpcError, echo, fixture, tap, wait_for
from t_mcp_http import EVERYTHING, IO, MODERN, call, gone, message, modern, text, until_answer

BOTH = {"mcpServers": {"b": fixture("good"), "a b": fixture("good"), "a_b": fixture("good"), "pages": fixture("pages")}}


def start(t, config=None, **kw):
    m = t.mcptop(config or BOTH, **kw)
    for one in (config or BOTH)["mcpServers"]:
        m.wait_server(one)
    return m


def test_names_and_order(t):
    m = start(t)
    client = m.mcp()
    t.eq(client.initialize()["serverInfo"]["name"], "mcptop", "it says who it is")
    names = client.tools()
    prefixes = [n.split("__")[0] for n in names if n.endswith("__echo")]
    t.eq(prefixes, ["b", "a_b", "a_b_2", "pages"], "tools of all, in the order of the file, each prefix once")
    t.eq(names, client.tools(), "always the same")
    for one, server in (("b", "b"), ("a_b", "a b"), ("a_b_2", "a_b")):
        before = m.server(server)["calls"]["total"]
        odd = "\u00a0\u2028\\\"x"
        t.eq(text(client.tool(one + "__echo", {"text": odd})), odd, f"a call of {one}")
        t.eq(m.server(server)["calls"]["total"], before + 1, f"is a call of \"{server}\"")
    for wrong in ("echo", "b__", "nobody__echo", "__echo"):
        try:
            client.tool(wrong)
            t.ok(False, f"no server has {wrong}")
        except RpcError as error:
            t.eq(error.code, -32602, f"no server has {wrong}")


def test_lists_of_all(t):
    m = start(t)
    client = m.mcp()
    client.initialize()
    got, cursor, pages = [], None, 0
    while pages < 10:
        result = client.request("prompts/list", {"cursor": cursor} if cursor else {})
        got += [p["name"] for p in result["prompts"]]
        cursor, pages = result.get("nextCursor"), pages + 1
        if not cursor:
            break
    t.eq((got, pages), (["pages__p0", "pages__p1", "pages__p2"], 3), "pages of a server that has some")
    try:
        client.request("prompts/list", {"cursor": "p1"})
        t.ok(False, "a cursor of a server is none of ours")
    except RpcError as error:
        t.eq(error.code, -32602, "a cursor of a server is none of ours")
    t.eq([r["uri"] for r in client.request("resources/list")["resources"]], ["page:1"], "resources keep their uris")
    t.eq(client.request("resources/read", {"uri": "page:1"})["contents"][0]["text"], "one", "and are found")
    t.has(text_of_error(client, "resources/read", {"uri": "page:9"}), "no resource", "or not")
    t.eq(client.request("prompts/get", {"name": "pages__p1"})["messages"], [], "a prompt is got by its name")


def text_of_error(client, method, params):
    try:
        client.request(method, params)
        return "no error"
    except RpcError as error:
        return error.message


def test_sessions(t):
    m = start(t, {"mcpServers": {"b": fixture("good"), "c": fixture("good")}})
    client = m.mcp()
    client.initialize(capabilities=EVERYTHING)
    ident, stream = client.stream("tools/call", call("b__progress", {"steps": 3}, token="tok"))
    with stream:
        seen = until_answer(stream, ident)
        t.eq([s[0]["params"]["progressToken"] for s in seen[:-1]], ["tok"] * 3, "progress")
    for server in ("b", "c"):
        ident, stream = client.stream("tools/call", call(server + "__ask", {"method": "roots/list"}))
        with stream:
            question, _ = message(stream)
            client.post({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}})
            answer = json.loads(text(until_answer(stream, ident)[-1][0]["result"]))
            t.eq(answer["result"], {"roots": []}, f"{server} asks, and is answered")
    with client.events() as stream:
        stream.next()
        m.api.post("/servers/c/stop")
        t.has(message(stream)[0]["method"], "list_changed", "a server that goes changes the lists")
        t.ok(not [n for n in client.tools() if n.startswith("c__")], "it is not in them")
        m.restart()
        m.wait_server("c")
        t.ok(gone(stream), "the supervisor is started again")
    t.eq(text(client.tool("c__echo", {"text": "again"})), "again", "the session goes on")
    client.http.request("DELETE", client.path, headers=client.headers)
    t.eq(client.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status, 404, "until it is ended")


def test_modern(t):
    m = start(t, {"mcpServers": {"b": fixture("good"), "e": echo()}})
    http = m.api.http

    def post(*args, **headers):
        body, sent = modern(http, *args, **headers)
        return http.post("/mcp", body, headers=sent)

    result = post("server/discover").json()["result"]
    t.eq((result["supportedVersions"], result["_meta"][IO + "serverInfo"]["name"]), ([MODERN], "mcptop"), "discover")
    tools = post("tools/list").json()["result"]
    t.ok("b__echo" in [x["name"] for x in tools["tools"]] and tools["resultType"] == "complete", "tools", tools)
    t.eq(text(post("tools/call", call("e__echo", {"text": "x"})).json()["result"]), "x", "a call")
    reply = post("no/such")
    t.eq((reply.status, reply.json()["error"]["code"]), (404, -32601), "an unknown method")
    body, sent = modern(http, "tools/call", call("b__sleep", {"ms": 30000}))
    connection = http.connect()
    connection.request("POST", "/mcp", body, sent)
    wait_for(lambda: m.server("b")["calls"]["in_flight"] == 1, 10, "a call")
    connection.close()
    wait_for(lambda: "cancelled" in json.dumps(m.api.get("/servers/b/logs?tail=100")), 10, "the server to be told")


def test_stdio(t):
    m = start(t, {"mcpServers": {"b": fixture("good"), "e": echo()}})
    client = m.stdio()
    t.eq(client.initialize()["serverInfo"]["name"], "mcptop", "stdio without a name is all servers")
    t.eq(text(client.tool("e__echo", {"text": "x"})), "x", "a call")
    client.tool("b__announce")
    wait_for(lambda: [n for n in client.notifications if n["method"] == "notifications/tools/list_changed"], 10, "a change")
    ident = client.send("tools/call", {"name": "b__sleep", "arguments": {"ms": 30000}})
    wait_for(lambda: m.server("b")["calls"]["in_flight"] == 1, 10, "a call")
    client.notify("notifications/cancelled", {"requestId": ident})
    t.has(client.wait_reply(ident)["error"]["message"], "cancelled", "it can be cancelled")
    t.eq(client.close(), 0, "it ends with its input")
    wait_for(lambda: m.server("b")["calls"]["clients"] == 0, 10, "its clients to be gone")


if __name__ == "__main__":
    tap.main(__name__)
