#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal that stands still, closes, or whose view is killed changes nothing for any server, and gets its modes back where the view
could give them back. How long calls take meanwhile: tests/bench/terminal.py."""

import signal
import time

from harness import echo, fixture, limit, paths, proc, stays, tap, wait_for
from harness.terminal import Terminal

ALTERNATE_OFF = b"\x1b[?1049l"
STALL_S = 4


def noisy(t):
    """A server whose log never rests, one to call, and a view on both."""
    m = t.mcptop({"mcpServers": {"noisy": echo(args=["--flood", "50", "600", "60"]), "calm": fixture("good")}})
    for name in ("noisy", "calm"):
        m.wait_server(name)
    return m


def view_of(t, m, *args, **kw):
    view = Terminal(t, [paths.MCPTOP, *args], env=m.env, **kw)
    view.wait_bytes(b"calm")
    return view


def pids(m):
    return {s["name"]: (s["pid"], s["state"]) for s in m.servers()}


def calls(client, seconds):
    """The longest of the calls made in that time, and how many they were."""
    end, longest, count = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        start = time.monotonic()
        client.tool("echo", {"text": "x"})
        longest = max(longest, time.monotonic() - start)
        count += 1
    return longest, count


def fill(view):
    """^L repaints, so that a terminal that is not read fills up."""
    wait_for(lambda: view.type("\x0c") or view.is_full(), 20, "a terminal that takes no more", every=0.06)


@limit(90)
def test_reader_stands_still(t):
    m = noisy(t)
    view = view_of(t, m)
    view.wait_bytes(b"flood")
    before = pids(m)
    session = m.stdio("noisy")
    session.initialize()
    t.diag(f"read: longest call {calls(session, STALL_S)[0] * 1000:.1f} ms")
    view.stop()
    got = view.received
    longest, count = calls(session, STALL_S)
    t.ok(longest < 1 and count > 100, f"{count} calls in a stall of {STALL_S} s, the longest {longest * 1000:.1f} ms")
    # The pty's buffer is filled by now, or soon: ^L repaints, so it surely fills.
    fill(view)
    t.ok(True, "the terminal takes no more")
    calls(session, 1.5)
    view.type("js" + "r" + "K" + "y" * 3)
    calls(session, 0.5)
    view.go()
    wait_for(lambda: view.received > got + 4096, 5, "the view to go on")
    wait_for(lambda: not view.is_full(), 5, "and to come out of its write")
    calls(session, 1)
    t.eq(pids(m), before, "keys typed meanwhile were thrown away, and no server noticed")
    at = view.received
    view.type("?")
    wait_for(lambda: view.received > at and b"PgDn" in view.tail[-20000:], 5, "keys typed now to work", saw=lambda: view.tail[-1500:])
    view.type("q")
    view.type("q")
    t.eq(view.process.wait(10), 0, "q ends it")
    t.eq(view.modes(), view.before, "with the terminal's modes as they were")


@limit(60)
def test_tmux_stands_still(t):
    """The reader is a terminal multiplexer, stopped by SIGSTOP."""
    m = noisy(t)
    session = m.stdio("noisy")
    session.initialize()
    view = m.view(80, 24)
    view.wait_text("flood")
    reader = view.server_pid()
    proc.kill(reader, signal.SIGSTOP)
    try:
        longest, count = calls(session, STALL_S)
    finally:
        proc.kill(reader, signal.SIGCONT)
    t.ok(longest < 1 and count > 100, f"{count} calls meanwhile, the longest {longest * 1000:.1f} ms")
    now = int(m.api.get("/servers/noisy")["log"]["next_seq"])
    wait_for(lambda: any(int(w) > now - 50 for w in view.text().replace("flood", " ").split() if w.isdigit() and len(w) == 9), 10,
             "the newest lines", saw=view.text)
    view.send("q")
    t.eq(view.wait_exit(), 0, "and q leaves")


@limit(60)
def test_ends_of_the_view(t):
    m = noisy(t)
    before = pids(m)
    session = m.stdio("calm")
    session.initialize()
    for sig in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGINT):
        view = view_of(t, m)
        t.ok(view.modes() != view.before, f"{sig.name}: the view has the terminal")
        view.process.send_signal(sig)
        view.process.wait(10)
        wait_for(lambda: ALTERNATE_OFF in view.tail, 2, "the screen to be given back")
        t.eq(view.modes(), view.before, f"{sig.name}: the terminal is as it was")
        t.ok(session.tool("echo", {"text": sig.name}), f"{sig.name}: calls go on")
    view = view_of(t, m)
    view.process.kill()
    view.process.wait(10)
    t.ok(session.tool("echo", {"text": "x"}), "SIGKILL: calls go on")
    view = view_of(t, m)
    view.hang_up()
    t.ok(view.process.wait(10) in (-signal.SIGHUP, 0, 1), "a closed terminal ends the view", view.process.returncode)
    view = view_of(t, m)
    view.stop()
    fill(view)
    view.process.send_signal(signal.SIGTERM)
    view.process.wait(10)
    t.eq(view.modes(), view.before, "ended while its terminal stood still: the modes are as they were")
    stays(lambda: pids(m) == before, 1, "all servers run on")
    t.ok(True, "no server noticed")


if __name__ == "__main__":
    tap.main(__name__)
