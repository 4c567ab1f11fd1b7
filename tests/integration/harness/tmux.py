# SPDX-License-Identifier: GPL-3.0-or-later
"""A real terminal to look at: one window of a tmux server of the test's own."""

import os
import re
import shlex
import shutil
import subprocess

from . import proc
from .wait import wait_for


class Tmux:
    def __init__(self, case, width=80, height=24, term="tmux-256color", name=""):
        from .tap import Skip
        if not shutil.which("tmux"):
            raise Skip("tmux is not installed")
        self.socket = case.path("tmux" + name)
        self.width, self.height = width, height
        self.case = case
        self._conf = case.write(f"tmux{name}.conf",
                                f'set -g default-terminal "{term}"\nset -g status off\n'
                                "set -g escape-time 0\nset -g remain-on-exit on\n"
                                "set -g history-limit 20000\n")
        case.cleanup(self.kill)

    def tmux(self, *args, check=True):
        done = subprocess.run(["tmux", "-S", self.socket, "-f", self._conf, *args],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=20, check=False,
                              env=dict(os.environ, LC_ALL="C.UTF-8", TMUX=""))
        if check and done.returncode != 0:
            raise AssertionError(f"tmux {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, argv, env=None):
        """Runs argv (a list, or a line for the shell) in the window."""
        line = argv if isinstance(argv, str) else " ".join(shlex.quote(a) for a in argv)
        # The shell around it notes the exit status: tmux 3.3 loses that of a program whose end
        # it sees first as the terminal's. It outlives Ctrl-C and the like to do so.
        self._status = self.socket + ".status"
        if os.path.exists(self._status):
            os.unlink(self._status)
        line = f"trap : HUP INT QUIT TERM; {line}; echo $? >{shlex.quote(self._status)}"
        sets = [x for k, v in dict({"LC_ALL": "C.UTF-8"}, **(env or {})).items()
                for x in ("-e", f"{k}={v}")]
        self.tmux("new-session", "-d", "-x", str(self.width), "-y", str(self.height), *sets,
                  line)
        # Also makes the size manual; as a setting in the file that ends tmux 3.3 at start.
        self.tmux("resize-window", "-x", str(self.width), "-y", str(self.height))
        return self

    def send(self, *keys):
        """Keys by tmux's names: "r", "Enter", "Escape", "C-c", "F5", "Down"."""
        self.tmux("send-keys", "--", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", "--", text)

    def capture(self, colours=False):
        """The screen's lines; with colours, the escape sequences, too."""
        args = ["capture-pane", "-p"] + (["-e"] if colours else [])
        return self.tmux(*args).split("\n")[:self.height]

    def text(self):
        return "\n".join(self.capture())

    def wait_text(self, pattern, timeout=15):
        """Waits until the regular expression is on the screen; gives the match."""
        return wait_for(lambda: re.search(pattern, self.text(), re.M), timeout,
                        f"{pattern!r} on the screen", every=0.05, saw=lambda: "\n" + self.text())

    def wait_gone(self, pattern, timeout=15):
        wait_for(lambda: not re.search(pattern, self.text(), re.M), timeout,
                 f"{pattern!r} gone from the screen", every=0.05,
                 saw=lambda: "\n" + self.text())

    def resize(self, width, height):
        self.width, self.height = width, height
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def _format(self, what):
        return self.tmux("display-message", "-p", what).strip()

    def program_pid(self):
        """The pid of the program in the window."""
        shell = int(self._format("#{pane_pid}"))
        return wait_for(lambda: proc.children(shell), 5, "the program to start")[0]

    def server_pid(self):
        """The reader of the terminal: stop it and the terminal hangs."""
        return int(self._format("#{pid}"))

    def exit_status(self):
        """The program's exit status, 128+N for signal N, None while it runs."""
        try:
            with open(self._status, encoding="ascii") as file:
                text = file.read()
            return int(text) if text.endswith("\n") else None
        except FileNotFoundError:
            return None

    def wait_exit(self, timeout=15):
        wait_for(lambda: self.exit_status() is not None, timeout, "the program to end",
                 every=0.05, saw=lambda: "\n" + self.text())
        return self.exit_status()

    def kill(self):
        if os.path.exists(self.socket):
            pid = self.tmux("display-message", "-p", "#{pid}", check=False).strip()
            self.tmux("kill-server", check=False)
            if pid:
                wait_for(lambda: not proc.alive(int(pid)), 10, "tmux to end")
