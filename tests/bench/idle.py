#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty idle servers: what the supervisor and a view on it cost. Checked: the supervisor's share of a core (0.2 %), its own memory
(4 MB + 64 KiB a server), the view's share (0.1 %) and what it writes to an 80x24 terminal (200 B/s)."""

import os
import pty
import struct
import fcntl
import select
import subprocess
import termios
import time

from common import echo, paths, proc, report, tap

SERVERS = 50
SECONDS = 20


def open_view(m):
    """The view on a pty of 80x24; gives (process, descriptor)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = dict(m.env, TERM="xterm-256color")
    view = subprocess.Popen([paths.MCPTOP], env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    return view, master


def drain(fd, seconds):
    """Reads what the view writes for so long; how many bytes it was. None: the view has ended."""
    end, count = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            try:
                count += len(os.read(fd, 65536))
            except OSError:     # EIO: nobody has the terminal open any more
                time.sleep(left)
                return None
    return count


@tap.limit(180)
def test_idle(t):
    m = t.mcptop({"mcpServers": {f"server-{i:02}": echo() for i in range(SERVERS)}})
    for i in range(SERVERS):
        m.wait_server(f"server-{i:02}", timeout=60)
    view, terminal = open_view(m)
    t.cleanup(view.wait)
    t.cleanup(view.terminate)
    first_paint = drain(terminal, 8)
    supervisor = m.supervisor_pid()
    pids = [supervisor, view.pid] if first_paint is not None else [supervisor]
    before, began = [proc.main_thread_cpu_s(pid) for pid in pids], time.monotonic()
    written = drain(terminal, SECONDS)
    elapsed = time.monotonic() - began
    pids = pids if written is not None else [supervisor]
    percent = [100 * (proc.main_thread_cpu_s(pid) - was) / elapsed for pid, was in zip(pids, before)]
    memory_kb = proc.rss_anon_kb(supervisor)
    report(t, "idle, 50 servers", supervisor_percent=round(percent[0], 3), supervisor_kb=memory_kb)
    t.ok(memory_kb <= 4096 + 64 * SERVERS, "own memory of the supervisor", memory_kb)
    t.ok(percent[0] <= 0.2, "the supervisor's share of a core", percent[0])
    t.ok(written is not None, "the view stays", f"it ended with status {view.poll()}")
    if written is not None:
        report(t, "a view on them", view_percent=round(percent[1], 3), view_kb=proc.rss_anon_kb(view.pid),
               terminal_bytes_per_s=round(written / elapsed, 1), first_8s_bytes=first_paint)
        t.ok(written / elapsed <= 200, "bytes a second to the terminal", written / elapsed)
        t.ok(percent[1] <= 0.1, "the view's share of a core", percent[1])


if __name__ == "__main__":
    tap.main(__name__)
