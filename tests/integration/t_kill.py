#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of a server, of the supervisor, of the warden, with process trees that leave their session: noticed, started again or swept, and
nothing is left. Containers: t_supervise_docker.py."""

import os
import signal
import time

from harness import echo, fixture, tap, wait_for
from harness import proc

TREES = {"mcpServers": [dict(fixture("forks", "SETSID"), name="sessions"), dict(fixture("forks"), name="group"), dict(echo(), name="echo")]}


def family(m, names):
    """Everything that runs below these servers, as identities."""
    found = []
    for name in names:
        pid = m.wait_server(name)["pid"]
        if name != "echo":
            wait_for(lambda: len(proc.tree(pid)) >= 4, 5, f"children of {name}")
        found += [proc.identity(p) for p in [pid, *proc.tree(pid)]]
    return found


def gone(members, seconds, what):
    wait_for(lambda: not [i for i in members if proc.same(i)], seconds, what,
             saw=lambda: [(i, proc.cmdline(i[0])) for i in members if proc.same(i)])


def test_server_killed(t):
    m = t.mcptop(TREES)
    client = m.mcp("echo")
    client.initialize()
    client.tool("echo", {"text": "before"})
    pid = m.server("echo")["pid"]
    proc.kill(pid)
    begin = time.monotonic()
    t.eq(client.tool("echo", {"text": "after"})["content"][0]["text"], "after", "the open session goes on")
    t.ok(time.monotonic() - begin < 0.5, "soon", time.monotonic() - begin)
    t.ok(m.wait_server("echo")["pid"] != pid, "in a new process")
    for name in ("sessions", "group"):
        members = family(m, [name])
        proc.kill(members[0][0])
        gone(members, 5, f"the tree of {name} to be swept")
        t.ok(m.wait_server(name)["pid"] != members[0][0], f"{name} is started again")


@tap.limit(90)
def test_supervisor_killed(t):
    m = t.mcptop(TREES)
    members = family(m, ["sessions", "group", "echo"])
    first = m.supervisor_pid()
    os.kill(first, signal.SIGKILL)
    gone(members, 10, "all it had started to be gone")
    wait_for(lambda: m.supervisor_pid() != first, 15, "the warden to start another")
    for name in ("sessions", "group", "echo"):
        m.wait_server(name)
    t.ok(True, "all servers are back")
    members = family(m, ["sessions", "group", "echo"])
    os.kill(m.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: m.server("echo")["state"] == "ready", 20, "and again")
    gone(members, 10, "all it had started to be gone, again")
    t.eq(m.log().count("the one before ended by signal 9"), 2, "the log counts them")


@tap.limit(60)
def test_warden_killed(t):
    m = t.mcptop(TREES)
    members = family(m, ["sessions", "group", "echo"]) + [proc.identity(m.supervisor_pid())]
    m.process.kill()
    m.process.wait()
    gone(members, 20, "the supervisor to stop in order, and all of its servers")
    t.has(m.log(), "stopping: SIGTERM", "in order")
    t.ok(not os.path.exists(m.socket), "the socket is gone")


@tap.limit(60)
def test_hang_up_and_interrupt(t):
    m = t.mcptop(TREES)
    m.wait_server("echo")
    count = m.log().count("mcp_config.json read")
    os.kill(m.supervisor_pid(), signal.SIGHUP)
    wait_for(lambda: m.log().count("mcp_config.json read") > count, 5, "SIGHUP to read the configuration")
    members = family(m, ["sessions", "group", "echo"])
    m.process.send_signal(signal.SIGINT)
    m.process.wait(20)
    t.eq(m.process.returncode, 0, "SIGINT ends it in order")
    gone(members, 2, "its servers to be gone")


if __name__ == "__main__":
    tap.main(__name__)
