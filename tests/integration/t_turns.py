#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No answer keeps the loop: with 1,000 servers what lists them all is written over many turns (loop.turns and loop.long_turns of /status), and a
subscriber that was told meanwhile of changes ends up with the truth. A large result of a tool goes out as it came."""

import json
import os
import threading

from harness import echo, limit, tap

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


if __name__ == "__main__":
    tap.main(__name__)
