#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tool call through mcptop beside the same through npm's supergateway and mcp-proxy, and the floor: all in one run, in rounds by turns, with the
same server behind. They come from npm into the tests' cache; where they cannot be had this skips."""

import os
import subprocess
from statistics import median

from common import bridge, echo, loadgen, paths, report, tap, wait_for
from harness.http import Http
from harness.images import host_tools, npm_folder
from harness.mcptop import free_port

ROUNDS = 5
PACKAGES = ("supergateway@4.0.0", "mcp-proxy@6.7.19")


def commands(port):
    server = paths.built("echo_server")
    return {"supergateway": ["--stdio", server, "--outputTransport", "streamableHttp", "--stateful", "--port", str(port), "--logLevel", "none"],
            "mcp-proxy": ["--port", str(port), "--host", "127.0.0.1", "--server", "stream", "--", server]}


def peer(t, folder, name):
    """Starts it; gives loadgen's target."""
    port = free_port()
    tools = host_tools()
    with open(t.path(name + ".out"), "wb") as out:
        child = subprocess.Popen([os.path.join(tools, "node"), os.path.join(folder, "node_modules", ".bin", name), *commands(port)[name]],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    t.cleanup(child.wait)
    t.cleanup(child.terminate)

    def answers():
        try:
            return Http(f"tcp://127.0.0.1:{port}", 5).get("/mcp").status
        except OSError:
            return None

    wait_for(answers, 60, f"{name} to listen", saw=lambda: t.read(name + ".out"))
    return f"tcp:127.0.0.1:{port}"


@tap.limit(400)
def test_peers(t):
    try:
        folder = npm_folder("peers-1", *PACKAGES)
    except AssertionError as error:
        raise tap.Skip(f"npm does not give them: {error}") from error
    m = t.mcptop({"mcpServers": {"echo": echo()}}, listen=True)
    m.wait_server("echo")
    targets = {"floor": (bridge(t), {}),
               "mcptop": (f"tcp:127.0.0.1:{m.port}", {"path": "/mcp/echo", "headers": [f"X-API-Key: {m.key()}"]}),
               "supergateway": (peer(t, folder, "supergateway"), {}),
               "mcp-proxy": (peer(t, folder, "mcp-proxy"), {})}
    for connections, calls in ((1, 500), (8, 2000)):
        rounds = [{name: loadgen(target, connections=connections, calls=calls, **kw) for name, (target, kw) in targets.items()}
                  for _ in range(ROUNDS)]
        figures = {name: {key: median(r[name][key] for r in rounds) for key in ("p50_us", "calls_per_s")} for name in targets}
        report(t, f"peers, {connections} connections", **figures)
        for name in ("supergateway", "mcp-proxy"):
            t.ok(figures["mcptop"]["p50_us"] < figures[name]["p50_us"], f"a call is faster than through {name}, {connections} connections", figures)


if __name__ == "__main__":
    tap.main(__name__)
