# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare pseudo terminal whose reader can stop, and whose modes can be looked at. For what a program paints there is tmux."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading

from . import proc
from .wait import wait_for


class Terminal:
    """`argv` in a session of its own on the terminal. It is read (and what came is counted and its end kept) but between stop() and go()."""

    def __init__(self, case, argv, env=None, width=80, height=24):
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = self.modes()
        self.received, self.tail = 0, b""
        self._go = threading.Event()
        self._go.set()

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, preexec_fn=own_terminal,
                                        env=dict(env or os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8"))
        threading.Thread(target=self._read, daemon=True).start()
        case.cleanup(self.close)

    def _read(self):
        while True:
            self._go.wait()
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.received += len(data)
            self.tail = (self.tail + data)[-200000:]

    def stop(self):
        """The reader stands still: one read that is under way still ends."""
        self._go.clear()

    def go(self):
        self._go.set()

    def type(self, text):
        os.write(self.master, text.encode())

    def modes(self):
        return termios.tcgetattr(self.slave)

    def wait_bytes(self, pattern, timeout=15):
        wait_for(lambda: pattern in self.tail, timeout, f"{pattern!r} from the terminal", saw=lambda: self.tail[-2000:])

    def is_full(self):
        """The terminal takes no more: who writes to it now stands still."""
        return not select.select([], [self.slave], [], 0)[1]

    def hang_up(self):
        """As when the terminal's window is closed."""
        self.go()
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self):
        self.go()
        if proc.alive(self.process.pid) and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        for fd in (self.slave, self.master):
            if fd >= 0:
                os.close(fd)
