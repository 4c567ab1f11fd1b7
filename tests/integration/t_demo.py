#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo that scripts/start opens, for real: its servers, one of them in a container, in a terminal of 80x24 and one of 160x50. What is seen
is kept in tests/screens/demo-live-*.screen and must be current in all but figures of the moment.

    UPDATE_SCREENS=1 MCPTOP_BUILDDIR=… python3 tests/integration/t_demo.py      writes them anew: look at the difference"""

import os

from harness import limit, paths, tap
from harness.screens import NAMED, check

SERVERS = ("clock", "notes", "dice", "dice-isolated")
SIZES = ((80, 24), (160, 50))


def demo_config():
    """As scripts/start writes it; the program's own directory is in PATH here, so that no path of this machine is on the screen."""
    with open(os.path.join(paths.SRCDIR, "examples", "mcp_config.json"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace('"command": "@demo_server@"', '"command": "demo_server"')
    for key, value in {"@demo_server@": os.path.join(folder(), "demo_server"), "@image@": "busybox:latest", "@isolated@": "true"}.items():
        text = text.replace(key, value)
    return text


def folder():
    return os.path.join(paths.BUILDDIR, "examples")


@limit(90)
def test_screens(t):
    engine = t.engine()
    engine.docker.cli("tag", "mcptop-test/busybox:latest", "busybox:latest")
    with open(os.path.join(folder(), "demo_server"), "rb") as file:
        file.read()      # so that its start reads nothing from the disk, which would be seen
    m = t.mcptop(demo_config(), docker_host=engine, wrapper=NAMED, env={"PATH": f"{folder()}:{os.environ['PATH']}"})
    views = {}
    for width, height in SIZES:
        views[width, height] = t.tmux(width=width, height=height, name=str(width)).start(
            [paths.MCPTOP], env={k: v for k, v in m.env.items() if k in ("HOME", "MCPTOP_SOCKET", "DOCKER_HOST")})
    for name in SERVERS:
        m.wait_server(name, lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0)
    # The clock speaks every ten seconds: after its second word there is time for both pictures.
    for (width, height), view in views.items():
        view.wait_text(r"(?s)it is \d\d:.*it is \d\d:", 30)
    for (width, height), view in views.items():
        check(t, view, f"demo-live-{width}x{height}.screen")
    for view in views.values():
        view.send("q")
        t.eq(view.wait_exit(), 0, "q leaves")
    for name in SERVERS:
        t.eq(m.server(name)["state"], "ready", f"{name} runs on")


if __name__ == "__main__":
    tap.main(__name__)
