#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tool call through /mcp/NAME beside the shortest C bridge, in one run: rounds of both by turns, medians of the
rounds' p50 and calls/s compared. Goal: p50 at most floor + 10 µs (here checked as a ratio of 1.5), as many calls/s."""

from statistics import median

from common import bridge, echo, loadgen, report, tap

ROUNDS = 5


def compare(t, name, floor, ours, **kw):
    rounds = []
    for _ in range(ROUNDS):
        rounds.append((loadgen(floor, **kw), loadgen(ours[0], path=ours[1], headers=ours[2], **kw)))
    p50 = [median(r[i]["p50_us"] for r in rounds) for i in (0, 1)]
    p99 = [median(r[i]["p99_us"] for r in rounds) for i in (0, 1)]
    rate = [median(r[i]["calls_per_s"] for r in rounds) for i in (0, 1)]
    report(t, name, p50_us=p50, p99_us=p99, calls_per_s=rate, p50_ratio=round(p50[1] / p50[0], 3),
           rate_ratio=round(rate[1] / rate[0], 3))
    return p50[1] / p50[0], rate[1] / rate[0]


@tap.limit(240)
def test_calls(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}}, listen=True)
    m.wait_server("echo")
    floor = bridge(t)
    ours = (f"tcp:127.0.0.1:{m.port}", "/mcp/echo", [f"X-API-Key: {m.key()}"])
    ratio, _ = compare(t, "call, 1 connection", floor, ours, connections=1, calls=5000)
    t.ok(ratio <= 1.5, "p50 of a call at most 1.5 times the floor's", ratio)
    _, rate = compare(t, "call, 8 connections", floor, ours, connections=8, calls=20000)
    t.ok(rate >= 0.6, "calls/s at 8 connections", rate)


if __name__ == "__main__":
    tap.main(__name__)
