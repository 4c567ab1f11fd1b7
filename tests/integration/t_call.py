#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mcptop call` while it waits: the line on a terminal, progress, and who gives up has cancelled the call."""

import json
import re
import signal
import subprocess

from harness import fixture, paths, proc, tap, wait_for
from harness.terminal import Terminal

OK, REFUSED = range(2)


def good(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    return m


def call(t, m, tool, **arguments):
    """`mcptop call` on a terminal; its stdout is a file, whose name comes with it."""
    out = t.path("out")
    return Terminal(t, ["sh", "-c", 'exec "$0" call good "$1" "$2" >"$3"', paths.MCPTOP, tool, json.dumps(arguments), out], env=m.env), out


def end(terminal):
    terminal.process.wait(20)
    return terminal.process.returncode


def cancelled(m):
    """What the server says of calls that it was told to stop."""
    return re.findall(r"cancelled \d+", m.cli("logs", "good", check=0).stdout)


def test_line(t):
    m = good(t)
    terminal, out = call(t, m, "sleep", ms=2500)
    terminal.wait_bytes(b"\rwaiting for sleep of good, 1 s (Ctrl-C cancels it)\x1b[K")
    terminal.wait_bytes(b"\rwaiting for sleep of good, 2 s (Ctrl-C cancels it)\x1b[K")
    t.eq(end(terminal), OK, "it ends well")
    wait_for(lambda: terminal.tail.endswith(b"\r\x1b[K"), 5, "the line to be gone", saw=lambda: terminal.tail)
    with open(out, encoding="utf-8") as file:
        t.eq(file.read(), "slept 2500 ms\n", "stdout has the result alone")


def test_a_short_one_says_nothing(t):
    m = good(t)
    terminal, out = call(t, m, "add", a=1, b=2)
    t.eq(end(terminal), OK, "it ends well")
    with open(out, encoding="utf-8") as file:
        t.eq(file.read(), "3\n", "the result")
    t.eq(terminal.tail, b"", "no line")
    terminal, _ = call(t, m, "big", bytes=40 << 20)
    t.eq(end(terminal), OK, "a result of 40 MiB comes on a terminal, too")
    terminal, _ = call(t, m, "echo", structured_text='{"n": 123456789012345678901234567890}')
    t.eq(end(terminal), REFUSED, "a number that we cannot hold")
    wait_for(lambda: b"mcptop: the answer cannot be read: too big integer" in terminal.tail, 5, "that to be said", saw=lambda: terminal.tail)
    terminal, _ = call(t, m, "nosuch")
    t.eq(end(terminal), REFUSED, "one that fails")
    wait_for(lambda: b'mcptop: "good" has no tool "nosuch"' in terminal.tail, 5, "what is wrong is told", saw=lambda: terminal.tail)


def test_progress(t):
    m = good(t)
    terminal, _ = call(t, m, "progress", steps=60, ms=50, message="now \x1b[31mred")
    wait_for(lambda: re.search(rb"\rwaiting for progress of good, \d s: \d+/60 now [^\x1b]*red\x1b\[K", terminal.tail), 15, "progress in the line",
             saw=lambda: terminal.tail)
    t.eq(end(terminal), OK, "it ends well")
    t.ok(b"\x1b[31m" not in terminal.tail, "what the server says is harmless", terminal.tail)
    alone = m.cli("call", "good", "progress", '{"steps":2}', check=0)
    t.eq((alone.stdout, alone.stderr), ("2 steps\n", ""), "nothing where stderr is no terminal")


def test_ctrl_c(t):
    m = good(t)
    terminal, _ = call(t, m, "sleep", ms=60000)
    terminal.wait_bytes(b"waiting for sleep")
    terminal.type("\x03")
    t.eq(end(terminal), REFUSED, "its exit status")
    wait_for(lambda: b"mcptop: sleep of good: cancelled; the server is told to stop it" in terminal.tail, 5, "it to say so",
             saw=lambda: terminal.tail)
    wait_for(lambda: len(cancelled(m)) == 1, 10, "the server to be told")
    process = subprocess.Popen([paths.MCPTOP, "call", "good", "sleep", '{"ms":60000}'], env=m.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.cleanup(process.kill)
    wait_for(lambda: m.server("good")["calls"]["in_flight"] == 1, 10, "the call")
    proc.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    t.eq((process.returncode, out, err), (REFUSED, "", "mcptop: sleep of good: cancelled; the server is told to stop it\n"), "without a terminal")
    wait_for(lambda: len(cancelled(m)) == 2, 10, "the server to be told then, too")
    done = m.cli("call", "good", "sleep", '{"ms":60000}', "--timeout", "1")
    t.eq(done.returncode, REFUSED, "a time-out")
    wait_for(lambda: len(cancelled(m)) == 3, 10, "which cancels the call as well")
    t.eq(m.server("good")["calls"]["in_flight"], 0, "none is left")


def test_ctrl_c_before_it_is_ready(t):
    """A call that waits for its server is dropped, and never comes to it."""
    m = t.mcptop({"mcpServers": {"good": fixture("slow_start", 4)}})
    terminal, _ = call(t, m, "stderr", text="it came")
    wait_for(lambda: m.server("good")["calls"]["held"] == 1, 10, "it to be held")
    terminal.wait_bytes(b"waiting for stderr of good")
    terminal.type("\x03")
    t.eq(end(terminal), REFUSED, "its exit status")
    wait_for(lambda: m.server("good")["calls"]["held"] == 0, 10, "none to be held")
    m.wait_server("good")
    t.eq(m.cli("call", "good", "add", '{"a":1,"b":2}', check=0).stdout, "3\n", "the next one is answered")
    t.ok("it came" not in m.cli("logs", "good", check=0).stdout, "and the server never saw the first")


def test_of_the_api(t):
    m = good(t)
    body = {"server": "good", "tool": "progress", "arguments": {"steps": 2}}
    events = m.api.http.events("/api/v1/tools/call", body=body)
    said = [json.loads(events.next()[1]) for _ in range(3)]
    t.eq([e.get("method") for e in said], ["notifications/progress"] * 2 + [None], "progress comes before the answer")
    t.eq([e["params"]["progress"] for e in said[:2]], [1, 2], "as the server said it")
    t.eq(said[2]["data"]["content"][0]["text"], "2 steps", "the answer in its envelope")
    try:
        events.next()
        t.ok(False, "nothing follows")
    except EOFError:
        t.ok(True, "nothing follows")
    events = m.api.http.events("/api/v1/tools/call", body={"server": "good", "tool": "nosuch"})
    t.has(json.loads(events.next()[1])["error"], "no tool nosuch", "an error is the last event, too")
    reply = m.api.http.post("/api/v1/tools/call", {"server": "none", "tool": "x"}, headers={"Accept": "text/event-stream"})
    t.eq(reply.status, 404, "what is refused before is no stream")


if __name__ == "__main__":
    tap.main(__name__)
