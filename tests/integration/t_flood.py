#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that floods stderr: nothing is lost unexplained, nobody else waits, the loop's turns
stay short."""

import os
import re
import threading
import time

from harness import Mcptop, echo, fixture, tap, wait_for

RATE, SECONDS = 100_000, 10
# A turn uses 2 to 4 ms of CPU. One of more than 10 ms (`long_turns`) is a fault, unless the kernel
# let other programs run in the middle of it: the floods take every core.
PREEMPTED_MS = 5


def waited_ms(m):
    """How long the supervisor was ready to run and did not, since its start."""
    with open(f"/proc/{m.api.get('/status')['pid']}/schedstat") as f:
        return int(f.read().split()[1]) / 1e6


def turns_are_short(t, m):
    loop = m.api.get("/status")["loop"]
    t.ok(loop["long_turns"] * PREEMPTED_MS <= waited_ms(m), "no turn is long for a reason of ours",
         (loop, f"{waited_ms(m):.1f} ms in the run queue"))
    return f"longest turn {loop['longest_turn_ms']:.1f} ms, {loop['long_turns']} over 10 ms, " \
           f"{waited_ms(m):.1f} ms waited for a core"


def answer_times(m, stop):
    """How long /status took, again and again, in seconds."""
    times = []
    while not stop.is_set():
        begin = time.monotonic()
        m.api.get("/status")
        times.append(time.monotonic() - begin)
        stop.wait(0.02)
    return sorted(times)


@tap.limit(120)
def test_flood(t):
    m = t.mcptop({"mcpServers": [dict(echo(args=["--flood", str(RATE), str(SECONDS)]),
                                      name="flood"), dict(echo(), name="calm")]})
    m.wait_server("calm")
    stop, times = threading.Event(), []
    asker = threading.Thread(target=lambda: times.extend(answer_times(m, stop)))
    asker.start()
    client, calls = m.mcp("calm"), []
    client.initialize()

    def expected():
        return RATE * SECONDS * 0.9

    def over():
        begin = time.monotonic()
        client.tool("echo", {"text": "x"})
        calls.append(time.monotonic() - begin)
        before = m.server("flood")["log"]["next_seq"]
        time.sleep(0.3)
        return before > expected() and m.server("flood")["log"]["next_seq"] == before
    wait_for(over, 60, "the flood to end", every=0.1, saw=lambda: m.server("flood")["log"])
    stop.set()
    asker.join()
    log = m.server("flood")["log"]
    t.diag(f"{log['next_seq']} lines, {turns_are_short(t, m)}, /status p99 "
           f"{1e3 * times[int(len(times) * 0.99)]:.1f} ms, max {1e3 * times[-1]:.1f} ms, "
           f"a call at most {1e3 * max(calls):.1f} ms")
    t.ok(log["next_seq"] >= expected(), "the lines are there", log)
    t.eq(log["lost"], 0, "none is missing in the file")
    t.ok(times[int(len(times) * 0.99)] <= 0.05, "the API answers meanwhile", times[-5:])
    page = m.api.get("/servers/flood/logs?tail=5000")["lines"]
    numbers = [line["seq"] for line in page]
    t.eq(numbers, list(range(numbers[0], numbers[0] + len(numbers))),
         "sequence numbers are contiguous")
    told = [re.match(r"flood (\d+)", line["text"]) for line in page]
    told = [int(found.group(1)) for found in told if found]
    t.eq([b - a for a, b in zip(told, told[1:]) if b - a != 1], [], "and so are the server's own")
    t.eq(m.server("flood")["state"], "ready", "it serves on")
    size = sum(os.path.getsize(os.path.join(m.log_dir, f)) for f in os.listdir(m.log_dir))
    t.ok(size < 70_000_000, "the files are bounded", size)


@tap.limit(60)
def test_long_line(t):
    m = t.mcptop({"mcpServers": [dict(fixture("long_line", 10_000_000), name="long")]})
    m.wait_server("long")
    wait_for(lambda: m.server("long")["log"]["next_seq"] > 10_000_000 // 65536, 20)

    def whole():
        page = m.api.get("/servers/long/logs?tail=1000")["lines"]
        return page if page[-1]["f"] & 1 == 0 else None
    lines = wait_for(whole, 10)
    pieces = [line for line in lines if line["f"] & 3]
    t.ok(len(pieces) >= 10, "a long line comes in marked pieces", len(pieces))
    t.ok(all(len(line["text"]) <= 65536 for line in pieces), "of bounded size")
    files = [os.path.join(m.log_dir, f) for f in os.listdir(m.log_dir) if "-long.log" in f]
    t.ok(sum(os.path.getsize(f) for f in files) > 10_000_000, "all of it is in the files", files)


def test_noise_on_stdout(t):
    m = t.mcptop({"mcpServers": [dict(fixture("noise"), name="noise"),
                                 dict(fixture("binary"), name="binary")]})
    m.wait_server("noise")

    def marked():
        page = m.api.get("/servers/noise/logs?tail=50")["lines"]
        return [line for line in page if line["s"] == "out"]
    wait_for(marked, 5, "marked lines")
    t.has(m.log("noise"), r"\| WARN \| stdout \| ", "what is no JSON-RPC is in the log, marked")
    m.wait_server("binary")
    t.ok(m.api.get("/servers/binary/logs?tail=50")["lines"], "bytes of any kind are lines")


@tap.limit(60)
def test_flood_on_stdout(t):
    """Rubbish where protocol should be, as fast as a pipe takes it, with all sizes of lines."""
    shell = {"rubbish": "timeout 4 yes 'this is no message'", "short": "timeout 4 yes x",
             "braces": "timeout 4 yes '{\"a\":1}'"}
    m = t.mcptop({"mcpServers": {name: {"command": "sh", "args": ["-c", f"{line}; exit 0"],
                                        "env": {"MCPTOP_TEST_SERVER": "yes"}}
                                 for name, line in shell.items()} | {"calm": echo()}})
    m.wait_server("calm")
    client = m.mcp("calm")
    client.initialize()
    times, end = [], time.monotonic() + 4
    while time.monotonic() < end:
        begin = time.monotonic()
        client.tool("echo", {"text": "x"})
        times.append(time.monotonic() - begin)
        time.sleep(0.02)
    logs = {name: m.server(name)["log"] for name in shell}
    t.diag(f"{[log['next_seq'] for log in logs.values()]} lines, "
           f"{turns_are_short(t, m)}, a call at most {1e3 * max(times):.1f} ms")
    t.ok(all(log["next_seq"] > 50_000 for log in logs.values()), "rubbish becomes lines", logs)
    t.eq([log["lost"] for log in logs.values()], [0, 0, 0], "none is missing in the files")
    t.ok(sorted(times)[len(times) // 2] <= 0.05, "another server's calls go on", sorted(times)[-5:])


def test_full_disk(t):
    """The log directory is a full device: the ring works on, what the file lost is counted."""
    if os.getuid() != 0:
        raise tap.Skip("mounting needs root")
    small = t.path("small")
    os.mkdir(small)
    if os.system(f"mount -t tmpfs -o size=256k tmpfs {small}") != 0:
        raise tap.Skip("no tmpfs can be mounted here")
    t.cleanup(os.system, f"umount -l {small}")
    m = Mcptop(t, {"mcpServers": [dict(echo(args=["--flood", "20000", "2"]), name="flood")]})
    m.log_dir = small
    m.start()
    m.wait_server("flood")

    def flooded():
        seen = m.server("flood")["log"]
        return seen if seen["next_seq"] > 35000 and seen["lost"] > 0 else None
    log = wait_for(flooded, 20, saw=lambda: m.server("flood")["log"])
    t.ok(log["lost"] > 1000, "what the file could not take is counted", log)
    t.eq(len(m.api.get("/servers/flood/logs?tail=1000")["lines"]), 1000,
         "the ring has the last lines")


if __name__ == "__main__":
    tap.main(__name__)
