#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""All servers behind one endpoint: /mcp over HTTP in both eras, and `mcptop stdio` without a name."""

import json
import os
import signal

from harness import RpcError, echo, fixture, full, modern_server, proc, tap, wait_for
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


def test_long_names(t):
    """Clients take names of so many characters only."""
    long = "a-server-whose-name-says-all-that-can-be-said-of-it-and-more"
    m = start(t, {"mcpServers": {long: echo(), long + "-still": echo()}})
    client = m.mcp()
    client.initialize()
    names = client.tools()
    t.ok(max(len(n) for n in names) < 128 - len("mcp__mcptop__"), "names stay short", names)
    for cut, server in ((long[:48], long), (long[:48] + "_2", long + "-still")):
        before = m.server(server)["calls"]["total"]
        t.eq(text(client.tool(cut + "__echo", {"text": "x"})), "x", f"{cut} is called")
        t.eq(m.server(server)["calls"]["total"], before + 1, f"and is {server}")


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


def test_headers_of_tools(t):
    """What a tool's schema wants in a header is looked at in front of all servers, too."""
    m = start(t, {"mcpServers": {"x": full("x"), "y": full("y")}})
    for path, name in (("/mcp/y", "region"), ("/mcp", "y__region")):
        for sent, status in (({"Mcp-Param-Region": "north"}, 200), ({"Mcp-Param-Region": "south"}, 400), ({}, 400)):
            body, headers = modern(m.api.http, "tools/call", call(name, {"region": "north"}), **sent)
            reply = m.api.http.post(path, body, headers=headers)
            t.eq(reply.status, status, f"{path}: {sent or 'no header'}")
            t.eq(reply.json().get("error", {}).get("code"), None if status == 200 else -32020, f"{path}: the code")


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


def walk(client, method, key):
    """All pages of a list."""
    got, cursor, pages = [], None, 0
    while pages < 20:
        result = client.request(method, {"cursor": cursor} if cursor else {})
        got.append([one[{"resources": "uri", "tasks": "taskId"}.get(key, "name")] for one in result[key]])
        cursor, pages = result.get("nextCursor"), pages + 1
        if not cursor:
            return got
    return None


FULL = {"mcpServers": {"lax": full("lax", "lax"), "pages": fixture("pages"), "x": full("x"), "y": full("y")}}


def test_pages_of_many(t):
    m = start(t, FULL)
    client = m.mcp()
    client.initialize()
    uris = [f"{name}:///{i}" for name in ("lax", "x", "y") for i in range(7)]
    first = walk(client, "resources/list", "resources")
    t.eq([len(page) for page in first], [16, 6], "each page has a page of each server")
    t.eq(sorted(sum(first, [])), sorted(uris + ["page:1"]), "each resource once, in a page of its server")
    t.eq(walk(client, "resources/list", "resources"), first, "in the same order each time")
    t.eq(walk(client, "prompts/list", "prompts")[0][:6], [f"lax__p{i}" for i in range(5)] + ["pages__p0"], "prompts in order")
    t.eq(walk(client, "resources/templates/list", "resourceTemplates"), [["a", "b"] * 3], "templates")
    names = walk(client, "tools/list", "tools")
    t.eq(len(names), 1, "tools are known, with all their pages")
    client.tool("x__change", {"what": "tools"})
    t.ok("x__later" in sum(walk(client, "tools/list", "tools"), []), "who hears of a change and asks at once gets the changed list")
    t.eq(client.request("prompts/get", {"name": "y__p1", "arguments": {"who": "me"}})["messages"][0]["content"]["text"],
         "y p1 me", "a prompt of its server")
    for ref, want in (({"type": "ref/prompt", "name": "y__p1"}, "y p1 v"),
                      ({"type": "ref/resource", "uri": "y:///a/{id}"}, "y y:///a/{id} v")):
        done = client.request("completion/complete", {"ref": ref, "argument": {"name": "id", "value": "v"}})
        t.eq(done["completion"]["values"], [want], f"completion of {ref['type']}")
    t.has(text_of_error(client, "resources/read", {"uri": "nobody:///1"}), "no resource", "what nobody has")


def state(m, name):
    return json.loads(text(m.api.post("/tools/call", {"server": name, "tool": "state"})))


def test_subscriptions(t):
    m = start(t, FULL)
    a, b = m.mcp(), m.mcp()
    for client in (a, b):
        client.initialize()
        t.eq(client.request("resources/subscribe", {"uri": "y:///1"}), {}, "subscribed")
    t.eq((state(m, "y")["watched"], state(m, "x")["watched"]), (["y:///1"], []), "the server that has it hears of it once")
    t.has(text_of_error(a, "resources/subscribe", {"uri": "nobody:///1"}), "no error", "one that says yes to all is believed")
    with a.events() as stream:
        stream.next()
        a.tool("y__touch", {"uri": "y:///1"})
        t.eq(message(stream)[0]["params"], {"uri": "y:///1"}, "a change is told")
        a.request("resources/unsubscribe", {"uri": "y:///1"})
        t.eq(state(m, "y")["watched"], ["y:///1"], "one of two leaves")
        m.api.post("/servers/y/restart", {"hard": True})
        t.eq(a.request("resources/read", {"uri": "y:///3"})["contents"][0]["text"], "y has y:///3", "a server that comes back is waited for")
        m.wait_server("y")
        wait_for(lambda: state(m, "y")["watched"] == ["y:///1"], 10, "its new process to hear of it", saw=lambda: state(m, "y"))
        m.api.post("/servers/y/stop")
        m.wait_server("y", "stopped")
        a.request("resources/subscribe", {"uri": "x:///1"})
        t.eq(b.request("resources/unsubscribe", {"uri": "y:///1"}), {}, "one leaves while it is down")
        m.api.post("/servers/y/start")
        m.wait_server("y")
        t.eq(state(m, "y")["watched"], [], "and it does not hear of it again")
        t.eq(state(m, "x")["watched"], ["x:///1"], "another's stay")
        b.request("resources/subscribe", {"uri": "y:///1"})
    for client in (a, b):
        client.http.request("DELETE", client.path, headers=client.headers)
    wait_for(lambda: state(m, "x")["watched"] == [], 10, "x to hear that nobody watches", saw=lambda: state(m, "x"))
    wait_for(lambda: state(m, "y")["watched"] == [], 10, "the server to hear that nobody watches", saw=lambda: state(m, "y"))
    # Of the modern era.
    body, sent = modern(m.api.http, "subscriptions/listen", {"notifications": {"resourceSubscriptions": ["x:///1", "y:///2"]}}, "l")
    with m.api.http.events("/mcp", 30, sent, body) as stream:
        t.eq(message(stream)[0]["params"]["notifications"], {"resourceSubscriptions": ["x:///1", "y:///2"]}, "acknowledged")
        for name, uri in (("y", "y:///2"), ("x", "x:///1")):
            wait_for(lambda: uri in state(m, name)["watched"], 10, f"{name} to hear of it")
            m.api.post("/tools/call", {"server": name, "tool": "touch", "arguments": {"uri": uri}})
            told = message(stream)[0]
            t.eq((told["params"]["uri"], told["params"]["_meta"][IO + "subscriptionId"]), (uri, "l"), f"{uri} is told")
    wait_for(lambda: not state(m, "x")["watched"] + state(m, "y")["watched"], 10, "them to hear that it has gone")


def test_modern_listen(t):
    m = start(t, {"mcpServers": {"x": full("x"), "y": full("y")}})
    http = m.api.http
    m.api.post("/servers/y/stop")
    m.wait_server("y", "stopped")

    def change(name, what):
        m.api.post("/tools/call", {"server": name, "tool": "change", "arguments": {"what": what}})

    body, sent = modern(http, "subscriptions/listen", {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}, "l")
    with http.events("/mcp", 30, sent, body) as stream:
        t.eq(message(stream)[0]["params"], {"_meta": {IO + "subscriptionId": "l"}, "notifications": {
            "toolsListChanged": True, "promptsListChanged": True}}, "one acknowledgement")
        change("x", "resources")
        change("x", "prompts")
        told = message(stream)[0]
        t.eq((told["method"], told["params"]["_meta"][IO + "subscriptionId"]), ("notifications/prompts/list_changed", "l"),
             "what was asked for is told, and nothing else")
        m.api.post("/servers/y/start")
        t.eq([message(stream)[0]["method"] for _ in range(2)],
             ["notifications/tools/list_changed", "notifications/prompts/list_changed"], "a server that comes changes the lists")
        change("y", "tools")
        t.eq(message(stream)[0]["method"], "notifications/tools/list_changed", "and is heard, too")
    for name in ("x", "y"):
        wait_for(lambda: m.server(name)["calls"]["clients"] == 0, 10, f"{name}'s client to be gone with the stream")
    client = m.stdio()
    meta = {IO + "protocolVersion": MODERN, IO + "clientCapabilities": {}}
    filtered = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    first = client.send("subscriptions/listen", filtered)
    wait_for(lambda: client.notifications, 10, "the acknowledgement")
    client.notify("notifications/cancelled", {"requestId": first})
    t.eq(client.wait_reply(first)["result"], {"resultType": "complete", "_meta": {IO + "subscriptionId": first}},
         "one that is taken back is answered")
    second = client.send("subscriptions/listen", filtered)
    wait_for(lambda: len(client.notifications) == 2, 10, "another one")
    change("x", "tools")
    wait_for(lambda: len(client.notifications) == 3, 10, "the change")
    told = client.notifications[-1]
    t.eq((told["method"], told["params"]["_meta"][IO + "subscriptionId"]), ("notifications/tools/list_changed", second),
         "on stdio, and not for one that was taken back")
    t.eq(client.close(), 0, "an open subscription does not hold up the end")
    wait_for(lambda: m.server("x")["calls"]["clients"] == 0, 10, "it to be gone")


def test_log_level(t):
    m = start(t, {"mcpServers": {"x": full("x"), "y": full("y")}})
    m.api.post("/servers/y/stop")
    m.wait_server("y", "stopped")
    client = m.mcp()
    client.initialize()
    t.has(text_of_error(client, "logging/setLevel", {"level": "loud"}), "debug, info", "no level")
    client.request("logging/setLevel", {"level": "warning"})
    wait_for(lambda: state(m, "x")["level"] == "warning", 10, "x to hear of it")
    m.api.post("/servers/y/start")
    m.wait_server("y")
    wait_for(lambda: state(m, "y")["level"] == "warning", 10, "y, which came later", saw=lambda: state(m, "y"))
    for level, wanted in (("info", []), ("error", ["notifications/message"])):
        ident, stream = client.stream("tools/call", call("y__log_at", {"level": level, "text": "x"}))
        with stream:
            if "event-stream" not in stream.response.headers["Content-Type"]:
                t.eq(wanted, [], f"{level} is not wanted")
                continue
            t.eq([one[0]["method"] for one in until_answer(stream, ident)[:-1]], wanted, f"{level} is told")


def test_comes_back(t):
    """A server that is taken out of the configuration and put back, under the same name: what was watched is watched."""
    m = start(t, {"mcpServers": {"x": full("x"), "y": full("y")}})
    whole = m.read_config()
    fewer = json.loads(whole)
    del fewer["mcpServers"]["y"]
    client = m.mcp()
    client.initialize()
    client.request("resources/subscribe", {"uri": "y:///1"})
    client.request("resources/subscribe", {"uri": "x:///1"})
    client.request("resources/subscribe", {"uri": "y:///2"})
    client.request("resources/unsubscribe", {"uri": "y:///2"})
    body, sent = modern(m.api.http, "subscriptions/listen", {"notifications": {"resourceSubscriptions": ["y:///3"]}}, "l")
    with client.events() as stream, m.api.http.events("/mcp", 30, sent, body) as listening:
        stream.next()
        t.eq(message(listening)[0]["params"]["notifications"], {"resourceSubscriptions": ["y:///3"]}, "acknowledged")
        first = m.server("y")["pid"]
        m.write_config(fewer)
        wait_for(lambda: [s["name"] for s in m.servers()] == ["x"], 20, "y to be gone")
        t.has(text_of_error(client, "tools/call", call("y__state")), "no server has this", "what it had is nobody's")
        m.write_config(whole)
        m.wait_server("y")
        t.ok(m.server("y")["pid"] != first, "another y")
        wait_for(lambda: state(m, "y")["watched"] == ["y:///1", "y:///3"], 10, "it to hear what is watched", saw=lambda: state(m, "y"))
        t.eq(state(m, "x")["watched"], ["x:///1"], "the other is not told again")
        t.eq(json.loads(text(client.tool("y__state")))["watched"], ["y:///1", "y:///3"], "it is called, too")
        for uri in ("y:///1", "y:///3"):
            m.api.post("/tools/call", {"server": "y", "tool": "touch", "arguments": {"uri": uri}})
        told = message(stream)[0]
        while told["method"].endswith("list_changed"):
            told = message(stream)[0]
        t.eq(told["params"], {"uri": "y:///1"}, "a change is told to who watched it")
        t.eq(message(listening)[0]["params"]["uri"], "y:///3", "and to who listens")


def test_watched_while_one_comes(t):
    """A server becomes ready while another has yet to answer the client's resources/subscribe."""
    m = start(t, {"mcpServers": {"y": full("y")}})
    one = json.loads(m.read_config())
    client = m.stdio()
    client.initialize()
    slow = m.server("y")["pid"]
    os.kill(slow, signal.SIGSTOP)
    try:
        ident = client.send("resources/subscribe", {"uri": "x:///1"})
        one["mcpServers"]["x"] = full("x")
        m.write_config(one)
        m.wait_server("x")
    finally:
        os.kill(slow, signal.SIGCONT)
    client.wait_reply(ident)
    wait_for(lambda: state(m, "x")["watched"] == ["x:///1"], 10, "the new one to hear of it", saw=lambda: state(m, "x"))
    t.ok(True, "it hears of what is watched")
    client.request("resources/subscribe", {"uri": "x:///2"})
    t.eq(state(m, "x")["watched"], ["x:///1", "x:///2"], "and each of them once")


def test_watched_while_one_is_down(t):
    m = start(t, {"mcpServers": {"x": full("x"), "y": full("y", "lax")}})
    client = m.stdio()
    client.initialize()
    client.tool("x__state")
    m.cli("stop", "x", check=0)
    client.request("resources/subscribe", {"uri": "x:///1"})
    client.request("resources/unsubscribe", {"uri": "y:///1"})
    m.cli("start", "x", check=0)
    wait_for(lambda: state(m, "x")["watched"] == ["x:///1"], 10, "the one that was down to hear of it", saw=lambda: state(m, "x"))
    t.ok(True, "what is watched meanwhile is told to a server when it comes")


def test_wishes_survive(t):
    """What a client of all watches, when the supervisor is killed: the server comes later than the client."""
    m = start(t, {"mcpServers": {"y": full("y"), "x": full("x")}})
    client = m.stdio()
    client.initialize()
    client.request("resources/subscribe", {"uri": "x:///1"})
    client.request("logging/setLevel", {"level": "error"})
    before = m.supervisor_pid()
    proc.kill(before, signal.SIGKILL)
    m.wait_server("x", timeout=30)
    wait_for(lambda: state(m, "x")["watched"] == ["x:///1"], 20, "the new server to hear of it", saw=lambda: state(m, "x"))
    t.ok(m.supervisor_pid() != before, "a new supervisor")
    wait_for(lambda: state(m, "x")["level"] == "error", 20, "and of the level", saw=lambda: state(m, "x"))
    m.api.post("/tools/call", {"server": "x", "tool": "touch", "arguments": {"uri": "x:///1"}})
    wait_for(lambda: [n for n in client.notifications if n.get("params") == {"uri": "x:///1"}], 10, "the change",
             saw=lambda: client.notifications)
    t.ok(not [line for line in client.seen if b"mcptop-again" in line], "the client sees nothing of how")


RELATED = IO + "related-task"


def test_tasks(t):
    """Both servers count theirs from 1, and tell of all of them whoever asks."""
    m = start(t, {"mcpServers": {"x": full("x"), "y_z": echo(), "y:z": full("y")}})
    clients = [m.mcp(), m.stdio()]
    names = []
    for number, client in enumerate(clients):
        t.ok("list" in client.initialize(capabilities=EVERYTHING)["capabilities"]["tasks"], "tasks are among what it can")
        made = [client.request("tools/call", {"name": server + "__echo", "arguments": {"text": str(number)}, "task": {}})["task"]["taskId"]
                for server in ("x", "y_z_2")]
        names.append(made)
    t.eq(names, [["x:task 1", "y_z_2:task 1"], ["x:task 2", "y_z_2:task 2"]], "a task says whose it is")
    for number, client in enumerate(clients):
        for name in names[number]:
            result = client.request("tasks/result", {"taskId": name})
            t.eq((text(result), result["_meta"][RELATED]), (f"{name.split(':')[1]}: {number}", {"taskId": name}), "its result")
            state = client.request("tasks/get", {"taskId": name})
            t.eq((state["taskId"], state["status"]), (name, "completed"), "and its state")
        for name in names[1 - number] + ["task 1", "nobody:task 1", "y_z:task 1", "x:", ":", ""]:
            for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                t.has(text_of_error(client, method, {"taskId": name}), "no such task", f"{method} of {name or 'nothing'} is refused")
        t.eq(sorted(sum(walk(client, "tasks/list", "tasks"), [])), names[number], "lists have the own tasks of all servers, through all pages")
    stdio = clients[1]

    def told(method):
        return [n for n in stdio.notifications if n["method"] == method]

    wait_for(lambda: len(told("notifications/tasks/status")) >= 4, 10, "the status of its tasks")
    t.eq({n["params"]["taskId"] for n in told("notifications/tasks/status")}, set(names[1]), "is told by the same names, to its client")
    slow = stdio.request("tools/call", {"name": "x__echo", "arguments": {"ms": 60000}, "task": {}})["task"]["taskId"]
    gone = stdio.request("tasks/cancel", {"taskId": slow})
    t.eq((gone["taskId"], gone["status"]), (slow, "cancelled"), "the own one can be cancelled")
    asks = stdio.request("tools/call", {"name": "y_z_2__echo", "arguments": {"ask": True}, "task": {}})["task"]["taskId"]
    wait_for(lambda: stdio.requests, 10, "a question of a task")
    question = stdio.requests[-1]
    t.eq(question["params"]["_meta"][RELATED], {"taskId": asks}, "says of which")
    stdio.write({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline", "_meta": {RELATED: {"taskId": asks}}}})
    answer = json.loads(text(stdio.request("tasks/result", {"taskId": asks})))
    t.eq(answer, {"action": "decline", "_meta": {RELATED: {"taskId": asks.split(":")[1]}}}, "its answer finds the server, and names its task")
    m.restart()
    m.wait_server("x")
    t.has(text_of_error(clients[0], "tasks/get", {"taskId": names[0][0]}), "no such task", "a restart forgets them")


def test_modern_tasks(t):
    m = start(t, {"mcpServers": {"a": modern_server("a"), "b": modern_server("b")}})
    http = m.api.http
    can = {"_meta": {IO + "clientCapabilities": {"extensions": {IO + "tasks": {}}}}}

    def post(method, params, ident=1, **headers):
        body, sent = modern(http, method, dict(params, **can), ident, **headers)
        return http.post("/mcp", body, headers=sent)

    body, sent = modern(http, "tools/call", call("a__work"))
    t.eq(text(http.post("/mcp", body, headers=sent).json()["result"]), "done at once", "who does not know tasks gets none")
    made = [post("tools/call", call(server + "__work")).json()["result"] for server in ("a", "b")]
    t.eq([(one["resultType"], one["taskId"]) for one in made], [("task", "a:t:1"), ("task", "b:t:1")], "a task says whose it is")
    t.eq(post("tasks/get", {"taskId": "b:t:1"}, **{"Mcp-Name": "b:t:1"}).json()["result"]["status"], "working", "its state is asked of its server")
    reply = post("tasks/get", {"taskId": "b:t:1"}, **{"Mcp-Name": "a:t:1"})
    t.eq((reply.status, reply.json()["error"]["code"]), (400, -32020), "a header that says something else is refused")
    t.eq(post("tasks/get", {"taskId": "c:t:1"}).json()["error"]["code"], -32602, "nobody's")
    reply = post("tasks/list", {})
    t.eq((reply.status, reply.json()["error"]["code"]), (404, -32601), "the era has no list of them")
    body, sent = modern(http, "subscriptions/listen", {"notifications": {"taskIds": ["a:t:1"]}}, "l")
    t.eq(http.post("/mcp", body, headers=sent).json()["error"]["data"], {"requiredCapabilities": can["_meta"][IO + "clientCapabilities"]},
         "who does not know tasks cannot listen to them")
    body, sent = modern(http, "subscriptions/listen", dict({"notifications": {"taskIds": ["a:t:1", "c:t:1", "b:t:1"]}}, **can), "l")
    with http.events("/mcp", 30, sent, body) as stream:
        t.eq(sorted(message(stream)[0]["params"]["notifications"]["taskIds"]), ["a:t:1", "b:t:1"], "acknowledged")
        for server in ("a", "b"):
            t.eq(json.loads(text(post("tools/call", call(server + "__state")).json()["result"])), ["t:1"], f"{server} hears of its own task, by its own name")
        for server, name in (("b", "b:t:1"), ("a", "a:t:1")):
            post("tools/call", call(server + "__finish", {"task": "t:1"}))
            params = message(stream)[0]["params"]
            t.eq((params["taskId"], params["status"], text(params["result"]), params["_meta"][IO + "subscriptionId"]),
                 (name, "completed", f"{server} has done it", "l"), "the end of a task is told")
    for server in ("a", "b"):
        wait_for(lambda: json.loads(text(post("tools/call", call(server + "__state")).json()["result"])) == [], 10, f"{server} to hear that nobody listens")


def test_cancelled_at_all(t):
    """A list that one server does not give, a resource that is looked for: taken back, they are over."""
    m = start(t, {"mcpServers": {"x": full("x"), "slow": fixture("pages"), "y": full("y")}})
    client = m.stdio()
    client.initialize()
    pid = m.server("slow")["pid"]
    proc.kill(pid, signal.SIGSTOP)
    try:
        for method, params in (("prompts/list", {}), ("resources/read", {"uri": "y:///1"})):
            ident = client.send(method, params)
            wait_for(lambda: m.server("slow")["calls"]["in_flight"] == 1, 10, f"slow to be asked for {method}")
            client.notify("notifications/cancelled", {"requestId": ident})
            t.has(client.wait_reply(ident)["error"]["message"], "cancelled", f"{method} can be taken back")
            wait_for(lambda: m.server("slow")["calls"]["in_flight"] == 0, 10, "nobody to wait for slow")
    finally:
        proc.kill(pid, signal.SIGCONT)


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
