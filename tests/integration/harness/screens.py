# SPDX-License-Identifier: GPL-3.0-or-later
"""Screens of a real terminal that are kept in tests/screens, and must be current in all but figures of
the moment. UPDATE_SCREENS=1 writes them anew: look at the difference."""

import difflib
import os
import re

from . import paths
from .wait import wait_for

# What differs from run to run, and what it is compared as.
FIGURES = [
    (r"\d\d:\d\d:\d\d", "HH:MM:SS"), (r"engine [0-9][^ ·]*", "engine VERSION"), (r"[▁-█]+", " "),
    (r"\bpid \d+", "pid N"), (r" +cpu +\d+% +(mem )?[\d.]+[KMGT]/[\d.]+[KMGT]", "  cpu N% mem N"), (r" +cpu +\d+%", "  cpu N%"),
    (r"mem [\d.]+[KMGT](/[\d.]+[KMGT])?", "mem N"), (r"(up|for) \d+[smhd]\b", r"\1 T"),
    (r"(ready +(?:host|docker)) +[\d.]+ +[\d.]+[KMG]", r"\1 CPU MEM"), (r" \d+s(?= *(│|$))", " T"),
    (r"(mcpproxy-[a-z-]+)-\w{4}\b", r"\1-xxxx"), (r"memory +[\d.]+[KMG]", "memory N"),
    (r"peak [\d.]+[KMG]", "peak N"), (r"[\d.]+% of a core", "N% of a core"),
    (r"ping \S+", "ping N"), (r" {2,}", "  "),
]
# A name of its own for the machine, as far as the program under it can see.
NAMED = ["unshare", "--uts", "sh", "-c", 'echo devbox >/proc/sys/kernel/hostname; exec "$@"', "sh"]


def comparable(screen, figures=()):
    lines = []
    for line in screen.splitlines():
        for pattern, instead in [*figures, *FIGURES]:
            line = re.sub(pattern, instead, line, flags=re.M)
        lines.append(line.rstrip())
    return lines


def check(t, view, name, alike=comparable, timeout=4):
    """The picture is as kept in tests/screens/NAME, by what `alike` makes of both."""
    path = os.path.join(paths.SRCDIR, "tests", "screens", name)
    if os.environ.get("UPDATE_SCREENS"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(line.rstrip() for line in view.capture()) + "\n")
    with open(path, encoding="utf-8") as file:
        wanted = alike(file.read())
    try:
        wait_for(lambda: alike(view.text()) == wanted, timeout)
        t.ok(True, f"{name} is current")
    except AssertionError:
        t.ok(False, f"{name} is current")
        t.diag(*difflib.unified_diff(wanted, alike(view.text()), name, "now", lineterm=""),
               *view.capture())
