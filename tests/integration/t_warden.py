#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warden: nothing that was started outlives supervisor and warden, whichever of them is killed."""

import os
import signal
import subprocess

from harness import Mcptop, echo, fixture, limit, paths, proc, tap, wait_for

# npx → node → worker: trees that ignore SIGTERM, also in sessions of their own, and one that is deaf.
TREES = {"mcpServers": {"tree": fixture("forks"), "sessions": fixture("forks", "SETSID"),
                        "stubborn": fixture("stubborn"), "echo": echo()}}


def grown(t):
    m = t.mcptop(TREES)
    for name in TREES["mcpServers"]:
        m.wait_server(name)
    wait_for(lambda: len(servers_of(m)) >= 12, 10, "the trees to grow", saw=lambda: servers_of(m))
    return m


def servers_of(m):
    return proc.tree(m.supervisor_pid())


def left(family):
    return [(pid, proc.cmdline(pid)) for pid, start in family if proc.same((pid, start))]


@limit(90)
def test_supervisor_killed(t):
    m = grown(t)
    before = m.supervisor_pid()
    family = [proc.identity(p) for p in servers_of(m)]
    proc.kill(before, signal.SIGKILL)
    wait_for(lambda: not left(family), 10, "all old servers to be gone", saw=lambda: left(family))
    t.ok(True, f"{len(family)} processes that it left are gone")
    wait_for(lambda: m.supervisor_pid() != before, 10, "a new supervisor")
    for name in TREES["mcpServers"]:
        m.wait_server(name)
    t.ok(True, "a new one runs, and its servers are ready again")
    t.eq(proc.parent(m.supervisor_pid()), m.pid, "under the same warden")
    t.has(m.log(), "ended by signal 9", "main.log tells of it")


@limit(90)
def test_warden_killed(t):
    m = grown(t)
    supervisor = proc.identity(m.supervisor_pid())
    family = [supervisor, *[proc.identity(p) for p in servers_of(m)]]
    proc.kill(m.pid, signal.SIGKILL)
    m.process.wait(5)
    wait_for(lambda: not left(family), 30, "supervisor and servers to be gone", saw=lambda: left(family))
    t.ok(True, "the supervisor stops in order, and takes everything along")
    t.ok(not os.path.exists(m.socket), "its socket, too")


@limit(90)
def test_stop(t):
    m = grown(t)
    family = [proc.identity(p) for p in proc.tree(m.pid)]
    m.process.send_signal(signal.SIGTERM)
    t.eq(m.process.wait(30), 0, "SIGTERM ends it with 0")
    t.eq(left(family), [], "and nothing is left")


def test_group_signal(t):
    """As a service manager or Ctrl-C does it: everybody gets the signal."""
    m = t.mcptop(TREES)
    m.wait_server("tree")
    family = [proc.identity(p) for p in proc.tree(m.pid)]
    os.killpg(m.pid, signal.SIGINT)
    t.eq(m.process.wait(30), 0, "SIGINT to the whole group ends it with 0")
    t.eq(left(family), [], "and nothing is left")


def test_second_one(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    pid = m.supervisor_pid()
    second = subprocess.run([paths.MCPTOP, "serve", *m.arguments()], env=m.env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    t.eq(second.returncode, 10, "a second supervisor of the same data directory does not start")
    t.has(second.stderr, m.data_dir, "and says why")
    t.eq(m.supervisor_pid(), pid, "the first one is untouched")
    t.eq(m.wait_server("echo")["restarts"], 0, "and so are its servers")


def test_no_warden(t):
    m = Mcptop(t, {"mcpServers": {"echo": echo()}})
    arguments = m.arguments()
    m.arguments = lambda: ["--no-warden", *arguments]
    m.start()
    t.eq(m.supervisor_pid(), m.pid, "--no-warden runs the supervisor itself")


if __name__ == "__main__":
    tap.main(__name__)
