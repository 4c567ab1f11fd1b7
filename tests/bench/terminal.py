#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls through `mcptop stdio` while the terminal of a view that follows a busy log stands still for STALL_S seconds, beside rounds in which it is
read. Goal: p99 of the rounds with at most 1.2 times that of the rounds without."""

from statistics import median

from common import echo, loadgen, paths, report, tap, wait_for

from harness.terminal import Terminal

ROUNDS, STALL_S = 5, 30


@tap.limit(600)
def test_terminal_that_stands_still(t):
    m = t.mcptop({"mcpServers": {"echo": echo(), "noisy": echo(args=["--flood", "100", "3600", "60"])}})
    for name in ("echo", "noisy"):
        m.wait_server(name)
    view = Terminal(t, [paths.MCPTOP], env=m.env)
    view.wait_bytes(b"noisy")
    view.type("j")
    view.wait_bytes(b"flood")

    def calls(count):
        return loadgen([paths.MCPTOP, "stdio", "echo"], env=m.env, calls=count)

    rate = calls(5000)["calls_per_s"]
    count = max(1000, int(rate * STALL_S))
    rounds = []
    for _ in range(ROUNDS):
        read = calls(count)
        view.stop()
        wait_for(lambda: view.type("\x0c") or view.is_full(), 30, "a terminal that takes no more", every=0.06)
        rounds.append((read, calls(count)))
        t.ok(view.is_full(), "it stood still for the whole round")
        view.go()
        wait_for(lambda: not view.is_full(), 10, "the view to go on")
    p50, p99, longest = ([median(r[i][key] for r in rounds) for i in (0, 1)] for key in ("p50_us", "p99_us", "max_us"))
    ratio = median(still["p99_us"] / read["p99_us"] for read, still in rounds)
    report(t, "terminal stands still", calls_a_round=count, seconds=STALL_S, p50_us=p50, p99_us=p99, max_us=longest,
           p99_ratio=round(ratio, 3), p99_ratios=[round(s["p99_us"] / r["p99_us"], 3) for r, s in rounds])
    t.ok(ratio <= 1.2, "p99 at most 1.2 times that with a terminal that is read", ratio)


if __name__ == "__main__":
    tap.main(__name__)
