#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers from npm and PyPI, on the host and isolated in a real engine's containers, used by the official SDK's client
through `mcptop stdio`; the guide's commands; keys pressed in a real terminal."""

import difflib
import json
import os
import subprocess

from harness import limit, paths, tap, wait_for
from harness.images import host_tools, npm_folder, npm_program
from harness.mcp import Stdio

SQLITE = ["--with", "mcp<2", "mcp-server-sqlite", "--db-path"]


def sdk():
    """The program that uses the SDK's client."""
    return npm_program(npm_folder("sdk-client-2", "@modelcontextprotocol/sdk@1"), "sdk_client.mjs")


def servers(t, tools):
    """Each of three servers twice: on the host and isolated."""
    work = t.path("db")
    os.makedirs(work)
    def npm(package):
        return {"command": "npx", "args": ["-y", package]}
    host = {"everything": npm("@modelcontextprotocol/server-everything"),
            "memory": npm("@modelcontextprotocol/server-memory"),
            "sqlite": {"command": "uvx", "args": [*SQLITE, os.path.join(work, "x.db")]}}
    inside = {"everything": host["everything"], "memory": host["memory"],
              "sqlite": {"command": "uvx", "args": [*SQLITE, "/data/x.db"]}}
    config = {"docker_isolation": {"enabled": True, "memory_limit": "512m", "cpu_limit": "1.0"}, "mcpServers": {}}
    for name, one in host.items():
        config["mcpServers"][name] = dict(one, isolation={"enabled": False}, init_timeout="120s",
                                          env={"MCPTOP_TEST_SERVER": name})
    for name, one in inside.items():
        config["mcpServers"]["d-" + name] = dict(one, init_timeout="180s", isolation={"timeout": "180s"})
    config["mcpServers"]["d-sqlite"]["isolation"].update(memory_limit="1g", volumes=[f"{work}:/data"])
    config["mcpServers"]["d-memory"]["isolation"].update(cpu_limit="0.5")
    return config


CALLS = {"everything": ("echo", {"message": "hello"}, "hello"),
         "memory": ("create_entities", {"entities": [{"name": "a", "entityType": "t", "observations": ["o"]}]}, "entityType"),
         "sqlite": ("list_tables", {}, "")}


def call(m, program, tools, name):
    tool, arguments, want = CALLS[name.removeprefix("d-")]
    done = subprocess.run([os.path.join(tools, "node"), program, tool, json.dumps(arguments),
                           paths.MCPTOP, "stdio", name], env=m.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout), tool, want


@limit(600)
def test_real_servers(t):
    tools = host_tools()
    engine = t.engine("python:3.11", "node:20")
    program = sdk()
    m = t.mcptop(servers(t, tools), docker_host=engine, listen=True, env={"PATH": f"{tools}:{os.environ['PATH']}"})
    for name in CALLS:
        for one in (name, "d-" + name):
            m.wait_server(one, timeout=240)
            got, tool, want = call(m, program, tools, one)
            t.ok(tool in got["tools"] and want in json.dumps(got["result"]), f"{one}: the SDK's client calls {tool}", got)
    check_limits(t, m, engine)
    check_guide(t, m, engine)
    check_command_line(t, m, engine)
    check_keys(t, m, engine)


@limit(300)
def test_hardened_filesystem(t):
    """A directory of the user's that is closed to others, mounted for the reference server, under the default hardening."""
    engine = t.engine("node:20")
    data = t.path("closed")
    os.makedirs(data)
    with open(os.path.join(data, "note.txt"), "w", encoding="ascii") as file:
        file.write("closed to others")
    os.chmod(data, 0o700)
    os.chown(data, 1000, 1000)
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {"files": {
        "command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"], "init_timeout": "180s",
        "isolation": {"volumes": [f"{data}:/data"], "timeout": "180s"}}}}, docker_host=engine)
    one = m.wait_server("files", timeout=240)
    t.eq(one["plan"]["hardening"], "standard", "hardened as by default")
    client = m.mcp("files")
    client.initialize()
    got = client.tool("read_file", {"path": "/data/note.txt"}, timeout=60)
    t.has(json.dumps(got), "closed to others", "it reads what its owner closed to others")
    client.tool("write_file", {"path": "/data/new.txt", "content": "x"}, timeout=60)
    t.ok(os.path.exists(os.path.join(data, "new.txt")), "and writes there")


def check_limits(t, m, engine):
    for name, memory, cpus in [("d-everything", 512 << 20, 10**9), ("d-memory", 512 << 20, 5 * 10**8), ("d-sqlite", 1 << 30, 10**9)]:
        host = engine.docker.inspect(m.server(name)["container"]["id"])["HostConfig"]
        t.eq((host["Memory"], host["NanoCpus"], host["NetworkMode"]), (memory, cpus, "bridge"), f"{name}: limits as asked for")
    usage = wait_for(lambda: m.server("d-memory")["usage"], 10)
    t.ok(usage["memory"] > 1 << 20 and usage["memory_limit"] == 512 << 20 and usage["pids"] >= 1, "its use is measured", usage)
    t.eq(m.server("d-sqlite")["plan"]["bootstrap"], True, "python:3.11 has no uvx: the plan says it is installed first")


def check_guide(t, m, engine):
    """The guide's own commands, on Linux paths."""
    env = dict(os.environ, DOCKER_HOST=engine.host)

    def run(command):
        return subprocess.run(["sh", "-c", command], env=env, stdout=subprocess.PIPE, text=True, check=False).stdout

    log = f"{m.log_dir}/server-d-memory.log"
    out = run(f'grep -i "docker isolation enabled\\|docker isolation setup" {log} | tail -5')
    t.has(out, "Docker isolation enabled for server: d-memory", "isolation enabled is in the log")
    t.has(out, "Docker isolation setup successful", "and its success")
    out = run(f'grep "docker_run_args" {m.log_dir}/main.log | tail -3')
    t.has(out, r'docker_run_args: \["run", "-i", "--rm"', "docker_run_args")
    t.has(run("docker ps | grep mcpproxy-d-memory"), "mcpproxy-d-memory-", "docker ps shows the container")
    out = run(f'curl -s "http://127.0.0.1:{m.port}/api/v1/servers?apikey={m.key()}" | python3 -m json.tool | '
              'grep -A 10 \'"name": "d-memory"\'')
    t.has(out, '"state": "ready"', "curl shows the state")


def check_command_line(t, m, engine):
    for name in ("d-memory", "memory"):
        line = m.cli("command", name, check=0).stdout.strip()
        client = Stdio(["sh", "-c", line], env=dict(m.env, DOCKER_HOST=engine.host))
        t.cleanup(client.close)
        t.ok(client.initialize(timeout=120)["serverInfo"]["name"], f"the line of `command {name}` answers a handshake", line)


def press_and_confirm(view, key, question):
    view.send(key)
    view.wait_text(question)
    view.send("y")


def check_keys(t, m, engine):
    before = m.read_config()
    view = m.view(120, 30)
    view.wait_text("d-sqlite")
    view.send("g")
    for _ in range(4):
        view.send("j")
    wait_for(lambda: [l for l in view.text().splitlines() if l.startswith("> d-memory")], 10, "the row", saw=view.text)
    first = m.server("d-memory")["container"]["id"]
    view.send("r")
    second = m.wait_server("d-memory", lambda s: s["state"] == "ready" and s["container"]["id"] != first, 120)["container"]["id"]
    t.ok(not engine.docker.exists(first) or first != second, "r: another container")
    press_and_confirm(view, "x", "(?i)isolat")
    m.wait_server("d-memory", lambda s: s["where"] == "host" and s["state"] == "ready", 120)
    t.eq(engine.docker.mine(server="d-memory", all=False), [], "x: no container runs any more")
    after = m.read_config()
    changed = [l for l in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)][3:]
    t.ok(len(changed) <= 3 and any('"enabled": false' in l for l in changed), "the file changed in that value", changed)
    view.wait_text(r"d-memory +\* ready +host")
    view.send("u")
    view.wait_text("(?i)undo|take back")
    view.send("y")
    m.wait_server("d-memory", lambda s: s["where"] == "docker" and s["state"] == "ready", 120)
    t.eq(m.read_config(), before, "u: the file is as it was")
    view.send("q")
    view.wait_exit()
    t.eq(m.server("d-memory")["state"], "ready", "q leaves the view, the servers go on")


if __name__ == "__main__":
    tap.main(__name__)
