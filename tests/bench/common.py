# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the harness's parts, and a result that is one JSON object and an exit status."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness import echo, fixture, paths, proc, tap, wait_for  # noqa: E402

__all__ = ["echo", "fixture", "paths", "proc", "tap", "wait_for", "loadgen", "bridge", "report"]


def loadgen(target, *, connections=1, calls=4000, path="/mcp", headers=(), handshake=True, env=None, tool=None, arguments=None):
    """One closed-loop run; see tests/fixtures/loadgen.c. target: an address, or a command as a list."""
    argv = [paths.built("loadgen"), "-c", str(connections), "-n", str(calls), "-w", str(min(300, calls // 10)), "-p", path]
    for header in headers:
        argv += ["-H", header]
    if tool:
        argv += ["-t", tool, "-a", json.dumps(arguments or {})]
    if not handshake:
        argv.append("-i")
    argv += [target] if isinstance(target, str) else ["--", *target]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=120, env=env)
    result = json.loads(done.stdout)
    if result["errors"] or result["mismatched_ids"]:
        raise AssertionError(f"{target}: {result}")
    return result


def bridge(t):
    """The floor: tests/fixtures/bridge.c before the same server. Gives loadgen's target."""
    child = subprocess.Popen([paths.built("bridge"), "0", paths.built("echo_server")], stdout=subprocess.PIPE, text=True)
    t.cleanup(child.wait)
    t.cleanup(child.terminate)
    return "tcp:127.0.0.1:" + child.stdout.readline().split()[-1]


def report(t, name, **figures):
    t.diag(json.dumps({"bench": name, **figures}))
