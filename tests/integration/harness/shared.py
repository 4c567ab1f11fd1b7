# SPDX-License-Identifier: GPL-3.0-or-later
"""The one engine that all tests of a run share. The first test that asks starts it; a keeper
process stops it when no test has held its lease for a while, so that neither a `make check`
that was interrupted nor one run by hand leaves a dockerd behind."""

import contextlib
import fcntl
import os
import signal
import sys
import time

from . import paths
from .engine import Engine, unavailable
from .wait import wait_for

IDLE_S = 90
_lease = None


def directory():
    return os.path.join(paths.test_dir(), "engine")


@contextlib.contextmanager
def _locked(name):
    with open(os.path.join(paths.test_dir(), name), "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def engine():
    """The shared engine, running, leased to this process until it ends."""
    global _lease
    if _lease is None:
        # Not inherited by children: a server left over must not keep the engine alive.
        _lease = os.open(os.path.join(paths.test_dir(), "engine.lease"),
                         os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(_lease, fcntl.LOCK_SH)
    with _locked("engine.lock"):
        shared = Engine(directory())
        if not shared.running():
            _start_keeper(IDLE_S)
        return shared


def start(idle_s):
    """For `engine.py start`: idle_s 0 means until `engine.py stop`."""
    with _locked("engine.lock"):
        shared = Engine(directory())
        if not shared.running():
            _start_keeper(idle_s)
        return shared


def _start_keeper(idle_s):
    reason = unavailable()
    if reason:
        raise AssertionError(reason)
    shared = Engine(directory())
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            if os.fork() == 0:  # not a child of the test, which waits for its own children only
                _keep(idle_s)
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, 0)
    wait_for(shared.running, 90, "the shared engine", every=0.1, saw=shared.tail)


def _keep(idle_s):
    """The keeper: starts dockerd, then watches the lease. Never returns."""
    os.makedirs(directory(), mode=0o700, exist_ok=True)
    log = os.open(os.path.join(directory(), "keeper.log"),
                  os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # Descriptors of the test that forked us, its lease and lock among them.
    os.closerange(3, 1024)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    shared = Engine(directory()).start()
    shared.docker.remove_all()  # what a run that was killed left behind
    last_used = time.monotonic()
    while shared.pid():
        time.sleep(1)
        if idle_s == 0 or _leased():
            last_used = time.monotonic()
        elif time.monotonic() - last_used > idle_s:
            with _locked("engine.lock"):
                if not _leased():
                    shared.stop()
    os._exit(0)


def _leased():
    fd = os.open(os.path.join(paths.test_dir(), "engine.lease"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def stop():
    with _locked("engine.lock"):
        shared = Engine(directory())
        if shared.running():
            shared.docker.remove_all()
        shared.stop()


def wipe():
    stop()
    Engine(directory()).wipe()
