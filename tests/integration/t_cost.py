#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tool call costs the supervisor, counted and not timed: system calls (strace) and instructions of its own (callgrind). The limits are
what a change must not pass unseen; tests/bench/calls.py measures the time."""

import glob
import shutil
import signal
import subprocess

from harness import Mcptop, Skip, echo, limit, paths, tap, wait_for

CALLS = 4000
SYSTEM_CALLS = 9
# 17,000 are counted.
INSTRUCTIONS = 19500


def load(m, connections, calls=CALLS):
    argv = [paths.built("loadgen"), "-c", str(connections), "-n", str(calls), "-w", "0", "-p", "/mcp/echo",
            "-H", f"X-API-Key: {m.key()}", f"tcp:127.0.0.1:{m.port}"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(f"loadgen: {done.stdout}")


def traced(t, pid, work):
    """What strace counted of `pid` while work() ran: {system call: how often}."""
    report = t.path("strace")
    with open(t.path("strace.err"), "wb") as err:
        tracer = subprocess.Popen(["strace", "-c", "-U", "calls,name", "-o", report, "-p", str(pid)], stderr=err)
    t.cleanup(tracer.wait)
    t.cleanup(tracer.terminate)
    wait_for(lambda: "attached" in t.read("strace.err"), 20, "strace to attach", saw=lambda: t.read("strace.err"))
    work()
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    counts = {}
    for line in t.read("strace").splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1] != "total":
            counts[words[1]] = int(words[0])
    return counts


@limit(120)
def test_system_calls(t):
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    m = t.mcptop({"mcpServers": {"echo": echo()}}, listen=True)
    m.wait_server("echo")
    for connections in (1, 8):
        counts = traced(t, m.supervisor_pid(), lambda: load(m, connections))
        per_call = sum(counts.values()) / CALLS
        t.diag(f"{connections} connections: {per_call:.2f} a call: {counts}")
        t.ok(sum(counts.values()) > 2 * CALLS and per_call <= SYSTEM_CALLS,
             f"at most {SYSTEM_CALLS} system calls a call, {connections} connections", counts)


@limit(240)
def test_instructions(t):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if paths.sanitized():
        raise Skip("a build with sanitizers does not run under valgrind")
    out = t.path("callgrind")
    m = Mcptop(t, {"mcpServers": {"echo": echo()}}, listen=True, warden=False,
               wrapper=["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]).start(timeout=60)
    m.wait_server("echo", timeout=60)
    load(m, 8, 200)
    tell = ["callgrind_control", "--dump", str(m.pid)]
    subprocess.run(tell, stdout=subprocess.DEVNULL, check=True, timeout=30)
    load(m, 8)
    subprocess.run(tell, stdout=subprocess.DEVNULL, check=True, timeout=30)
    total = [int(line.split()[1]) for line in t.read(sorted(glob.glob(out + ".*"))[-1]).splitlines() if line.startswith("totals:")]
    t.ok(len(total) == 1 and 1000 < total[0] / CALLS <= INSTRUCTIONS, f"at most {INSTRUCTIONS} instructions a call",
         [n / CALLS for n in total])
    t.diag(f"{total[0] / CALLS:.0f} instructions a call")


if __name__ == "__main__":
    tap.main(__name__)
