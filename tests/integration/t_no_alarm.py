#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No false alarm: the reference servers, on the host and isolated, with calls: no finding at all at
any moment. For MCPTOP_TEST_ALARM_S seconds (60) after all are ready."""

import os
import subprocess
import time

from harness import limit, tap
from harness.images import host_tools

SECONDS = int(os.environ.get("MCPTOP_TEST_ALARM_S", "60"))
UVX = ["--with", "mcp<2"]


def entries(work):
    """name → (command, arguments on the host, in the container, a call)."""
    def npm(package, *args):
        return "npx", ["-y", f"@modelcontextprotocol/server-{package}", *args]

    def pypi(package, *args):
        return "uvx", [*UVX, f"mcp-server-{package}", *args]
    return {
        "everything": (npm("everything"), npm("everything"), ("echo", {"message": "x"})),
        "memory": (npm("memory"), npm("memory"), ("read_graph", {})),
        "thinking": (npm("sequential-thinking"), npm("sequential-thinking"),
                     ("sequentialthinking", {"thought": "x", "nextThoughtNeeded": False,
                                             "thoughtNumber": 1, "totalThoughts": 1})),
        "filesystem": (npm("filesystem", work), npm("filesystem", work),
                       ("list_directory", {"path": work})),
        "time": (pypi("time"), pypi("time"), ("get_current_time", {"timezone": "UTC"})),
        "git": (pypi("git", "--repository", work), None, ("git_status", {"repo_path": work})),
        "fetch": (pypi("fetch"), pypi("fetch"), None),
        "sqlite": (pypi("sqlite", "--db-path", os.path.join(work, "x.db")),
                   pypi("sqlite", "--db-path", "/tmp/x.db"), ("list_tables", {})),
    }


def config(work):
    servers = {}
    for name, (host, inside, _) in entries(work).items():
        servers[name] = {"command": host[0], "args": host[1], "isolation": {"enabled": False},
                         "env": {"MCPTOP_TEST_SERVER": name}}
        if inside:
            servers["d-" + name] = {"command": inside[0], "args": inside[1], "isolation": {}}
            if work in inside[1]:
                servers["d-" + name]["isolation"]["volumes"] = [f"{work}:{work}"]
    return {"docker_isolation": {"enabled": True}, "mcpServers": servers}


def findings(m):
    return m.api.get("/diagnostics")["findings"]


@limit(900 + SECONDS)
def test_reference_servers(t):
    tools = host_tools()
    engine = t.engine("python:3.11", "node:20")
    work = t.path("work")
    os.makedirs(work)
    os.chmod(work, 0o777)
    subprocess.run(["git", "init", "-q", work], check=True)
    m = t.mcptop(config(work), docker_host=engine,
                 env={"PATH": f"{tools}:{os.environ['PATH']}"})
    names = [s["name"] for s in m.servers()]
    for name in names:
        m.wait_server(name, timeout=400)
        t.eq(findings(m), [], f"{name} is ready, and nothing is found")
    clients = {}
    for name in names:
        tool = entries(work)[name.removeprefix("d-")][2]
        if tool:
            clients[name] = (m.mcp(name), tool)
            clients[name][0].initialize()
    end, calls = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for client, (tool, arguments) in clients.values():
            client.tool(tool, arguments, timeout=30)
            calls += 1
        found = findings(m)
        if found:
            break
    t.eq(findings(m), [], f"after {calls} calls in {SECONDS} s nothing is found")
    t.eq(m.cli("doctor").returncode, 0, "and the doctor says so")
    m.stop()
    for name in names:
        for kind in ("uv", "npm"):
            engine.docker.cli("volume", "rm", f"mcpproxy-{kind}-cache-{name}", check=False)


if __name__ == "__main__":
    tap.main(__name__)
