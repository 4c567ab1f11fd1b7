#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching 20 and 100 isolated servers at 1 Hz, beside `docker stats` on the same containers in the same run: CPU of everything that takes
part (supervisor, or docker's client; the daemon and containerd in both). And what an isolated server costs in memory: the supervisor's own
growth a server, beside the `docker run -i` child that other clients keep for each. Checked: both at least 100 times less.

Ours is the supervisor, and what the daemon takes beyond what it took without containers; theirs docker's client, and what the daemon takes
beyond what it takes while mcptop alone watches. Health checks of the servers are no watching and are turned off."""

import os
import pty
import struct
import fcntl
import subprocess
import termios
import threading
import time

from common import echo, paths, proc, report, tap

from harness.docker import docker_cli
from harness.engine import Engine

BUSYBOX = "mcptop-test/busybox:latest"
SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
CHILDREN = 5
GOAL = 100


def config(count):
    server = paths.built("echo_server")
    isolation = {"image": BUSYBOX, "network_mode": "none", "volumes": [f"{server}:{server}:ro"]}
    return {"docker_isolation": {"enabled": True, "memory_limit": "64m", "cpu_limit": "0.5"},
            "health_check_interval": "1h",
            "mcpServers": {f"box-{i:03}": echo(isolation=isolation) for i in range(count)}}


def cpu_s(pid):
    """Of all threads that live now; /proc/PID/stat counts in 10 ms, and misses what is shorter."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def daemon_pids(engine):
    dockerd = Engine(os.path.dirname(engine.host[len("unix://"):])).pid()
    return [dockerd] + [pid for pid in proc.children(dockerd) if "containerd" in proc.cmdline(pid)]


def measure(*groups, seconds=SECONDS):
    """CPU seconds a second of each group of processes."""
    before, began = [[cpu_s(pid) for pid in group] for group in groups], time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    return [sum(cpu_s(pid) - was for pid, was in zip(group, befores)) / elapsed for group, befores in zip(groups, before)]


def drained(fd):
    def read():
        try:
            while os.read(fd, 65536):
                pass
        except OSError:
            pass
    threading.Thread(target=read, daemon=True).start()


def on_terminal(t, argv, env):
    """A program on a terminal of 80x24 that is read."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(argv, env=dict(env, TERM="xterm-256color"), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    drained(master)
    t.cleanup(child.wait)
    t.cleanup(child.kill)
    return child


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def start(t, engine, count):
    m = t.mcptop(config(count), docker_host=engine)
    empty_kb = proc.rss_anon_kb(m.supervisor_pid())
    for i in range(count):
        m.wait_server(f"box-{i:03}", timeout=300)
    time.sleep(15)      # young servers are looked at more closely; the daemon settles
    return m, empty_kb


def watch(t, engine, count):
    daemon = daemon_pids(engine)
    quiet, = measure(daemon)
    m, _ = start(t, engine, count)
    stats = on_terminal(t, [docker_cli(engine.host), "-H", engine.host, "stats"], os.environ)
    time.sleep(5)
    client, daemon_stats = measure([stats.pid], daemon)
    stats.kill()
    stats.wait()
    time.sleep(10)
    supervisor = [m.supervisor_pid()]
    own, daemon_own = measure(supervisor, daemon)
    view = on_terminal(t, [paths.MCPTOP], m.env)
    time.sleep(3)
    with_view, viewing, daemon_view = measure(supervisor, [view.pid], daemon)
    view.terminate()
    view.wait()
    ours = own + max(0, daemon_own - quiet)
    ours_view = with_view + viewing + max(0, daemon_view - quiet)
    theirs = client + max(0, daemon_stats - daemon_own)
    report(t, f"watching {count} containers", supervisor_percent=round(100 * own, 4), daemon_percent=round(100 * daemon_own, 4),
           daemon_before_percent=round(100 * quiet, 4), view_percent=round(100 * viewing, 4),
           stats_client_percent=round(100 * client, 3), stats_daemon_percent=round(100 * daemon_stats, 3),
           times_less=round(theirs / ours, 1), times_less_supervisor_alone=round(theirs / own, 1),
           times_less_with_a_view=round(theirs / ours_view, 1))
    return theirs / ours


@tap.limit(600)
def test_watch_20(t):
    ratio = watch(t, t.engine(), 20)
    t.ok(ratio >= GOAL, "CPU of watching 20 containers, times less than docker stats", ratio)


@tap.limit(1200)
def test_watch_100(t):
    ratio = watch(t, t.engine(), 100)
    t.ok(ratio >= GOAL, "CPU of watching 100 containers, times less than docker stats", ratio)


@tap.limit(600)
def test_memory(t):
    count, engine = 20, t.engine()
    m, empty_kb = start(t, engine, count)
    ours = (proc.rss_anon_kb(m.supervisor_pid()) - empty_kb) / count
    children = []
    for _ in range(CHILDREN):
        child = subprocess.Popen([docker_cli(engine.host), "-H", engine.host, "run", "-i", "--rm", "--network=none", BUSYBOX, "cat"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        t.cleanup(child.wait)
        t.cleanup(child.stdin.close)
        child.stdin.write(b"up\n")
        child.stdin.flush()
        child.stdout.readline()     # it runs, and passes on what it is given
        children.append(child.pid)
    anon = sum(proc.rss_anon_kb(pid) for pid in children) / CHILDREN
    pss = sum(pss_kb(pid) for pid in children) / CHILDREN
    report(t, "memory an isolated server", supervisor_kb=round(ours, 1), supervisor_empty_kb=empty_kb, docker_run_anon_kb=round(anon),
           docker_run_pss_kb=round(pss), times_less=round(anon / ours, 1), times_less_pss=round(pss / ours, 1))
    t.ok(anon / ours >= GOAL, "memory of our own an isolated server, times less than a `docker run -i` child", anon / ours)


if __name__ == "__main__":
    tap.main(__name__)
