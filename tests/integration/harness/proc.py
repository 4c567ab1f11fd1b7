# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as /proc shows them. A pid alone can be reused: identity() adds its start time."""

import os
import signal


def _stat(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        data = file.read()
    # The name in parentheses may hold spaces and parentheses itself.
    return data[data.rindex(b")") + 2:].split()


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def alive(pid):
    """Runs, and is no zombie."""
    try:
        return _stat(pid)[0] not in (b"Z", b"X")
    except OSError:
        return False


def is_stopped(pid):
    """By SIGSTOP, which takes a moment."""
    return _stat(pid)[0] == b"T"


def identity(pid):
    """(pid, start time in ticks since boot), or None."""
    try:
        return pid, int(_stat(pid)[19])
    except OSError:
        return None


def same(identity_):
    return identity_ is not None and identity(identity_[0]) == identity_ and alive(identity_[0])


def parent(pid):
    return int(_stat(pid)[1])


def children(pid):
    found = []
    for other in all_pids():
        try:
            if parent(other) == pid:
                found.append(other)
        except OSError:
            pass
    return found


def tree(pid):
    """All descendants, not the process itself. Those adopted by another are not among them:
    for these, mentioning()."""
    parents = {}
    for other in all_pids():
        try:
            parents.setdefault(parent(other), []).append(other)
        except OSError:
            pass
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def mentioning(text):
    """Live processes whose command line or environment holds `text` (such as a test's own
    directory), wherever they stand in the tree; this process and its ancestors excepted."""
    wanted = os.fsencode(text)
    own, pid = set(), os.getpid()
    while pid > 0:
        own.add(pid)
        try:
            pid = parent(pid)
        except OSError:
            break
    found = []
    for pid in all_pids():
        if pid in own or not alive(pid):
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if wanted in file.read():
                        found.append(pid)
                        break
            except OSError:
                break
    return found


def kill(pid, sig=signal.SIGKILL):
    """True if there was something to signal."""
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


def _status_kb(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def rss_anon_kb(pid):
    """Memory of its own: what the cost budgets count."""
    return _status_kb(pid, "RssAnon")


def cpu_s(pid):
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main_thread_cpu_s(pid):
    """To the nanosecond, where cpu_s() counts ticks of 10 ms; of the main thread only."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
