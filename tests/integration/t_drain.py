#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls in flight end before a server that is to stop or restart does, for ten seconds at most."""

import threading

from harness import fixture, tap, wait_for


def text(reply):
    return reply["result"]["content"][0]["text"] if "result" in reply else reply["error"]["message"]


def busy(m, client, ms):
    """A call in flight that takes so long; its id."""
    ident = client.send("tools/call", {"name": "sleep", "arguments": {"ms": ms}})
    wait_for(lambda: m.server("good")["calls"]["in_flight"] >= 1, 20, "the call in flight")
    return ident


def open_one(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    client = m.stdio("good")
    client.initialize()
    return m, client


def test_restart_waits(t):
    m, client = open_one(t)
    pid = m.server("good")["pid"]
    ident = busy(m, client, 2000)
    one = m.api.post("/servers/good/restart")
    t.eq((one["state"], one["pid"]), ("stopping", pid), "it waits, and the server goes on")
    t.has(one["reason"], "restarted by user: waits for 1 call in flight", "and says for what")
    later = client.send("tools/call", {"name": "pid", "arguments": {}})
    t.eq(text(client.wait_reply(ident)), "slept 2000 ms", "the call ends as if nothing were")
    t.ok(f'"pid": {pid},' not in text(client.wait_reply(later)),
         "a call made meanwhile waited for the new process")
    t.ok(m.wait_server("good")["pid"] != pid, "then it was restarted")


def test_stop_waits(t):
    m, client = open_one(t)
    ident = busy(m, client, 2000)
    verb = threading.Thread(target=lambda: m.cli("stop", "good", check=0))
    verb.start()
    m.wait_server("good", "stopping")
    later = client.send("tools/call", {"name": "echo", "arguments": {}})
    t.has(text(client.wait_reply(later)), "is being stopped: stopped by user", "a new call is refused")
    t.eq(text(client.wait_reply(ident)), "slept 2000 ms", "the one before ends well")
    verb.join(30)
    t.eq(m.server("good")["state"], "stopped", "the verb has waited for it")


def test_start_after_all(t):
    m, client = open_one(t)
    pid = m.server("good")["pid"]
    ident = busy(m, client, 2000)
    m.api.post("/servers/good/stop")
    m.wait_server("good", "stopping")
    m.api.post("/servers/good/start")
    later = client.send("tools/call", {"name": "pid", "arguments": {}})
    t.eq(text(client.wait_reply(ident)), "slept 2000 ms", "wanted again, the call in flight ends well all the same")
    t.ok(f'"pid": {pid},' not in text(client.wait_reply(later)), "a new one waits for the new process")


def test_now(t):
    m, client = open_one(t)
    ident = busy(m, client, 60000)
    m.api.post("/servers/good/restart")
    m.wait_server("good", "stopping")
    done = m.cli("restart", "--now", "good", check=0)
    t.has(done.stdout, "ready", "--now ends the waiting, too")
    t.has(text(client.wait_reply(ident)), "restarted by user.*before it answered",
          "who was cut off is told why")


def test_bounded(t):
    m, client = open_one(t)
    ident = busy(m, client, 600000)
    m.cli("restart", "good", check=0, timeout=60)
    t.has(text(client.wait_reply(ident)), "before it answered", "ten seconds are the most")
    t.has(m.log("good"), "1 call did not end within 10 s", "and that is told")
    t.ok([e for e in m.api.get("/events")["events"] if e["action"] == "not drained"], "as an event, too")


def test_it_dies_meanwhile(t):
    m, client = open_one(t)
    ident = busy(m, client, 600000)
    m.api.post("/servers/good/restart")
    m.wait_server("good", "stopping")
    m.api.post("/servers/good/kill")
    t.has(text(client.wait_reply(ident)), "before it answered", "a kill waits for nothing")
    m.wait_server("good")
    t.ok(True, "and it comes back")


def test_disable_waits(t):
    m, client = open_one(t)
    ident = busy(m, client, 1500)
    m.cli("disable", "good", check=0)
    t.eq(text(client.wait_reply(ident)), "slept 1500 ms", "disable lets calls end")
    t.eq(m.server("good")["state"], "stopped", "and then it is down")


if __name__ == "__main__":
    tap.main(__name__)
