#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No false alarm: the reference servers, on the host and isolated, with calls: no finding at all at
any moment. For MCPTOP_TEST_ALARM_S seconds (60) after all are ready."""

import http.server
import os
import subprocess
import threading
import time

from harness import limit, tap
from harness.images import host_tools

SECONDS = int(os.environ.get("MCPTOP_TEST_ALARM_S", "60"))
UVX = ["--with", "mcp<2"]


def entries(work, page):
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
        "git": (pypi("git", "--repository", work), pypi("git", "--repository", work),
                ("git_status", {"repo_path": work})),
        "fetch": (pypi("fetch", "--allow-private-ips"), pypi("fetch", "--allow-private-ips"),
                  ("fetch", {"url": page, "raw": True})),     # else it runs npm, which writes to its stdout
        "sqlite": (pypi("sqlite", "--db-path", os.path.join(work, "x.db")),
                   pypi("sqlite", "--db-path", "/tmp/x.db"), ("list_tables", {})),
    }


def config(work, page):
    servers = {}
    for name, (host, inside, _) in entries(work, page).items():
        servers[name] = {"command": host[0], "args": host[1], "isolation": {"enabled": False},
                         "env": {"MCPTOP_TEST_SERVER": name}}
        servers["d-" + name] = {"command": inside[0], "args": inside[1], "isolation": {}}
        if work in inside[1]:
            servers["d-" + name]["isolation"]["volumes"] = [f"{work}:{work}"]
    return {"docker_isolation": {"enabled": True}, "mcpServers": servers}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<html><body><p>well</p></body></html>"
        self.send_response(404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_page(t, engine):
    """A page that the host and the containers reach at one address."""
    gateway = engine.docker.api("GET", "/networks/bridge")["IPAM"]["Config"][0]["Gateway"]
    server = http.server.ThreadingHTTPServer((gateway, 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.cleanup(server.shutdown)
    return f"http://{gateway}:{server.server_address[1]}/"


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
    page = serve_page(t, engine)
    m = t.mcptop(config(work, page), docker_host=engine,
                 env={"PATH": f"{tools}:{os.environ['PATH']}"})
    names = [s["name"] for s in m.servers()]
    for name in names:
        m.wait_server(name, timeout=400)
        t.eq(findings(m), [], f"{name} is ready, and nothing is found")
    clients = {}
    for name in names:
        clients[name] = (m.mcp(name), entries(work, page)[name.removeprefix("d-")][2])
        clients[name][0].initialize()
    end, calls, failed = time.monotonic() + SECONDS, 0, None
    while time.monotonic() < end:
        for client, (tool, arguments) in clients.values():
            answer = client.tool(tool, arguments, timeout=30)
            failed = failed or (answer if answer.get("isError") else None)
            calls += 1
        found = findings(m)
        if found:
            break
    t.eq(failed, None, "every call has a result")
    t.eq(findings(m), [], f"after {calls} calls in {SECONDS} s nothing is found")
    t.eq(m.cli("doctor").returncode, 0, "and the doctor says so")
    m.stop()
    for name in names:
        for kind in ("uv", "npm"):
            engine.docker.cli("volume", "rm", f"mcpproxy-{kind}-cache-{name}", check=False)


if __name__ == "__main__":
    tap.main(__name__)
