#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No answer keeps the loop: with 1,000 servers what lists them all is written over many turns (loop.turns and loop.long_turns of /status), and a
subscriber that was told meanwhile of changes ends up with the truth. A large message is scanned as it comes and goes out in its own memory."""

import json
import os
import threading

from harness import echo, limit, tap, wait_for

MANY = 1000
# A turn also takes long where the machine gives the time to others: see undisturbed(), and the best of so many attempts counts.
ATTEMPTS = 25


def loop(m):
    return m.api.get("/status")["loop"]


def undisturbed(m):
    """Other processes of a busy machine wait for the supervisor, where we may ask for that."""
    try:
        os.sched_setscheduler(m.supervisor_pid(), os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


def many():
    return {f"server-{i:04}": echo(enabled=False) if i % 2 else echo(start="lazy") for i in range(MANY)}


def best(m, work):
    """Over some attempts: the fewest long turns, and the turns of the last attempt."""
    fewest = MANY
    for _ in range(ATTEMPTS):
        before = loop(m)
        work()
        after = loop(m)
        fewest = min(fewest, after["long_turns"] - before["long_turns"])
        if not fewest:
            break
    return fewest, after["turns"] - before["turns"]


def hello(m):
    with m.api.events() as events:
        return json.loads(events.next(60)[1])


@limit(240)
def test_a_thousand_servers(t):
    m = t.mcptop({"mcpServers": many()})
    undisturbed(m)
    t.eq(len(m.api.get("/servers", timeout=60)["servers"]), MANY, "all are listed")
    for name, work in (("GET /servers", lambda: m.api.raw("GET", "/servers", timeout=60)),
                       ("GET /config", lambda: m.api.raw("GET", "/config", timeout=60)),
                       ("the hello of /events", lambda: hello(m))):
        long_turns, turns = best(m, work)
        t.eq(long_turns, 0, f"{name}: no turn over 10 ms")
        t.ok(turns > 4, f"{name}: it takes turns", turns)
    text = m.api.raw("GET", "/servers", timeout=60).text
    t.eq(text, json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", "written as one document is")
    names = [s["name"] for s in hello(m)["servers"]]
    t.eq(names, sorted(names), "in the configuration's order")


@limit(240)
def test_a_changed_file(t):
    """It is read, planned and applied in one piece, because half of a configuration is none; by so few passes that it is no long turn."""
    servers = many()
    m = t.mcptop({"mcpServers": servers})
    undisturbed(m)

    def change():
        for server in servers.values():
            server["env"] = {"MCPTOP_TEST_SERVER": "echo", "ROUND": str(change.round)}
        change.round += 1
        before = m.api.get("/status")["config"]["loaded_wall_ms"]
        m.write_config({"mcpServers": servers})
        wait_for(lambda: m.api.get("/status")["config"]["loaded_wall_ms"] > before, 30, "the file to be read")
    change.round = 0
    t.eq(best(m, change)[0], 0, "a file in which a thousand servers changed: no turn over 10 ms")
    reads, changes = m.log().count("mcp_config.json read:"), 40
    for i in range(changes):
        m.api.post("/servers/server-0001/" + ("disable" if i % 2 else "enable"))
    os.utime(m.config)
    wait_for(lambda: m.log().count("mcp_config.json read:") > reads + changes, 10, "a touch to be heard")
    t.eq(m.log().count("mcp_config.json read:"), reads + changes + 1, "what was written through the API is read once")


@limit(240)
def test_a_change_by_key(t):
    """Of the other servers nothing is read, planned or told again (t_change counts them)."""
    m = t.mcptop({"mcpServers": many()})
    undisturbed(m)
    m.api.get("/servers", timeout=60)

    def change():
        change.round += 1
        m.api.patch("/servers/server-0501", {"memory": f"{600 + change.round}m"})
    change.round = 0
    change()        # makes the key, so the servers behind it are on other lines then
    t.eq(best(m, change)[0], 0, "a limit of one of a thousand servers: no turn over 10 ms")
    for _ in range(ATTEMPTS):
        change()
    t.eq(best(m, lambda: m.api.post("/servers/server-0501/undo"))[0], 0, "and back")


def mirror(events, until):
    """Follows the stream until until(state of all servers) is true."""
    seen = {}
    while not until(seen):
        name, data, _ = events.next(60)
        data = json.loads(data)
        if name == "hello":
            t_hello = {s["name"]: s["enabled"] for s in data["servers"]}
            seen.update(t_hello)
        elif name == "server":
            seen[data["name"]] = data["enabled"]
        elif name == "server_removed":
            seen.pop(data["name"], None)


@limit(240)
def test_changes_during_hello(t):
    m = t.mcptop({"mcpServers": many()})
    turn = ["server-0001", "server-0501", "server-0999"]
    for enabled in (True, False):
        go, failed = threading.Event(), []

        def change():
            go.wait(60)
            for name in turn:
                m.api.post(f"/servers/{name}/{'enable' if enabled else 'disable'}", timeout=60)

        changer = threading.Thread(target=change)
        changer.start()

        def follow():
            try:
                with m.api.events() as events:
                    go.set()
                    mirror(events, lambda seen: len(seen) == MANY and all(seen[name] == enabled for name in turn))
            except (AssertionError, EOFError, TimeoutError, KeyError) as error:
                failed.append(repr(error))

        followers = [threading.Thread(target=follow) for _ in range(4)]
        for thread in followers:
            thread.start()
        for thread in [*followers, changer]:
            thread.join(120)
        t.eq(failed, [], f"every subscriber ends up with enabled={enabled}")


@limit(120)
def test_large_results(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    m.wait_server("echo")
    reply = m.api.raw("POST", "/tools/call", '{"server":"echo","tool":"echo","arguments":{"text":"x"}}')
    t.eq(reply.body, b'{"success":true,"data":{"content":[{"type":"text","text":"x"}]}}\n', "the result's bytes in the envelope")
    reply = m.api.raw("POST", "/tools/call", '{"server":"echo","tool":"none"}')
    t.eq((reply.status, reply.json()["success"]), (502, False), "an error of the server")
    t.has(reply.json()["error"], "no tool", "in its words")
    undisturbed(m)
    size = 4_000_000
    call = {"server": "echo", "tool": "big", "arguments": {"bytes": size}}
    t.eq(len(m.api.post("/tools/call", call, timeout=60)["content"][0]["text"]), size, "4 MB arrive")
    t.eq(best(m, lambda: m.api.raw("POST", "/tools/call", call, timeout=60))[0], 0, "without a turn over 10 ms")


LARGE = 60_000_000
HEAD, TAIL = b'{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"', b'"}]}}'
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def check_large(text, want, head=HEAD):
    """Without a second copy: `want` is what is repeated."""
    view = memoryview(text)
    n = len(view) - len(head) - len(TAIL)
    if bytes(view[:len(head)]) != head or bytes(view[-len(TAIL):]) != TAIL or n % len(want) or view[len(head):-len(TAIL)] != want * (n // len(want)):
        raise AssertionError(f"{len(view)} bytes: {bytes(view[:200])!r} … {bytes(view[-80:])!r}")


def poster(endpoint, params, want, headers=None, head=HEAD):
    body = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":' + (params if isinstance(params, bytes) else json.dumps(params).encode()) + b"}"

    def post():
        reply = endpoint.post(body, timeout=120, headers=headers)
        if reply.status != 200:
            raise AssertionError(reply)
        check_large(reply.body, want, head)
    return post


def echoed(unit):
    return b'{"name":"echo","arguments":{"text":"' + unit * (LARGE // len(unit)) + b'"}}'


@limit(480)
def test_large_messages(t):
    """In both directions, and whatever they are made of."""
    m = t.mcptop({"mcpServers": {"echo": echo(), "own": echo(sharing="per-session")}})
    m.wait_server("echo")
    undisturbed(m)
    one, every, modern, stdio = m.mcp("echo"), m.mcp(), m.mcp("echo"), m.stdio("echo")
    for client in (one, every, stdio):
        client.initialize()
    big = {"name": "big", "arguments": {"bytes": LARGE}}

    def through_bridge():
        stdio.write({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": big})
        stdio.wait_reply(7, 120)
        check_large(stdio.seen[-1].rstrip(b"\n"), b"x")
        stdio.seen.clear()

    def before_it_runs():
        client = m.mcp("own")
        client.initialize()
        poster(client, echoed(b"x"), b"x")()
        client.http.request("DELETE", client.path, headers=client.headers)

    for name, work in (
            ("over HTTP", poster(one, big, b"x")),
            ("at the endpoint of all", poster(every, dict(big, name="echo__big"), b"x")),
            ("for a modern client", poster(modern, dict(big, _meta=META), b"x", {
                "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "big"},
                                           HEAD.replace(b"{\"content", b"{\"resultType\":\"complete\",\"content"))),
            ("through mcptop stdio", through_bridge),
            ("to a server that is yet to start", before_it_runs),
            ("there and back, plain", poster(one, echoed(b"x"), b"x")),
            ("there and back, of escapes", poster(one, echoed(b"\\n"), b"\\n")),
            ("there and back, not ASCII", poster(one, echoed("中文ü".encode()), "中文ü".encode()))):
        t.eq(best(m, work)[0], 0, f"60 MB {name}: no turn over 10 ms")


if __name__ == "__main__":
    tap.main(__name__)
