#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes as people make them in an MCP configuration, each made for real: what doctor says of it, and
where one key repairs it, that it does."""

import os
import shutil
import subprocess

from harness import paths, tap
from harness.find import BUSYBOX, config, found, repaired
from harness.images import host_tools

GOOD = paths.fixture("fixture_server.py")


def tools_env(**more):
    """A PATH with node and uvx, and what reaches the package indexes from here."""
    keep = {k: v for k, v in os.environ.items()
            if k.lower().endswith("_proxy") or k.startswith(("npm_", "NPM_", "UV_", "PIP_")) or "CERT" in k}
    return {"PATH": f"{host_tools()}:{os.environ['PATH']}", **keep, **more}


def python(*args, **extra):
    return dict({"command": "python3", "args": [*args]}, **extra)


@tap.limit(180)
def test_packages(t):
    """Names and versions that no index has."""
    nobody = "@nobody/no-such-package-of-mcptop"
    m = t.mcptop({"mcpServers": {
        "typo": {"command": "uvx", "args": ["mcp-server-tme"]},
        "npm": {"command": "npx", "args": ["-y", nobody]},
        "tag": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory@99.9.9"]},
        "pin": {"command": "uvx", "args": ["mcp-server-time==99.9"]},
        "old": {"command": "uvx", "args": ["--python", "3.99", "mcp-server-time"]}}}, env=tools_env())
    one = found(t, m, "npm", "MCPX_STDIO_PACKAGE_NOT_FOUND", 100)
    t.has(one["user_message"], f"no package {nobody}$", "npm's 404 names the package")
    t.eq(one["fixes"], [], "nothing is guessed for a name that is like no other")
    for name, version in (("tag", "@modelcontextprotocol/server-memory@99.9.9"), ("pin", "mcp-server-time==99.9")):
        one = found(t, m, name, "MCPX_STDIO_PACKAGE_NOT_FOUND", 100)
        t.has(one["user_message"], f"no such version: {version}$", f"{name}: a version that is not there is told apart")
        t.ok("complete log" not in str(one), f"{name}: no line that says nothing", one)
    one = found(t, m, "old", "MCPX_STDIO_TOOL_MISSING", 100)
    t.has(one["user_message"], "another Python than it gets: .*3.99", "a Python that is not there")
    t.has(m.server("old")["reason"], "No interpreter found", "the reason is the line that tells it, not the hint after it")
    one = found(t, m, "typo", "MCPX_STDIO_PACKAGE_NOT_FOUND", 100)
    t.eq(one["fixes"][0]["title"], "args[0] mcp-server-tme → mcp-server-time", "a typing error in a known name")
    repaired(t, m, "typo", timeout=100)


@tap.limit(60)
def test_misspelt(t):
    """A runner and a directory with a letter wrong."""
    os.makedirs(t.path("bin"), exist_ok=True)
    with open(t.path("bin", "npx"), "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec '{shutil.which('python3')}' '{GOOD}' good\n")
    os.chmod(t.path("bin", "npx"), 0o755)
    os.makedirs(t.path("Documents", "notes"), exist_ok=True)
    opens = "import os, sys; os.listdir(sys.argv[1])"
    m = t.mcptop({"mcpServers": {
        "runner": {"command": "nxp", "args": ["-y", "x"], "env": {"PATH": f"{t.path('bin')}:/usr/bin:/bin"}},
        "none": {"command": "nxp", "env": {"PATH": t.path("Documents")}},
        "folder": python("-c", opens, t.path("Documnets", "notes")),
        "program": {"command": t.path("bni", "npx")},
        "start": python(GOOD, "good", working_dir=t.path("Documnets"))}})
    one = found(t, m, "runner", "MCPX_STDIO_SPAWN_ENOENT")
    t.eq(one["fixes"][0]["title"], "command nxp → npx", "one runner of its PATH is nearly that")
    one = found(t, m, "none", "MCPX_STDIO_SPAWN_ENOENT")
    t.eq(one["fixes"], [], "a runner that its PATH does not have is not offered")
    one = found(t, m, "folder", "MCPX_STDIO_FILE_MISSING")
    t.eq(one["fix_steps"][0], f"did you mean {t.path('Documents', 'notes')}?", "the directory beside it, and what follows")
    one = found(t, m, "program", "MCPX_STDIO_SPAWN_ENOENT")
    t.eq(one["fix_steps"][0], f"did you mean {t.path('bin', 'npx')}?", "of a command, too")
    one = found(t, m, "start", "MCPX_STDIO_SPAWN_WORKDIR")
    t.eq(one["fix_steps"][0], f"did you mean {t.path('Documents')}?", "and of a working_dir")
    repaired(t, m, "runner")


@tap.limit(90)
def test_paths(t):
    """Files, scripts and directories that are not there, and a ~ that nobody expands."""
    home = t.path("home", "docs")
    os.makedirs(home, exist_ok=True)
    opens = f"import os, sys; os.listdir(sys.argv[1]); os.execv('{shutil.which('python3')}', ['python3', '{GOOD}', 'good'])"
    env = {"MCPTOP_TEST_SERVER": "good"}
    m = t.mcptop({"mcpServers": {
        "script": python("/opt/nowhere/server.py"), "relative": python("server.py"),
        "dir": python("-c", opens, "/no/such/dir"),
        "variable": python("-c", opens, "$HOME/docs", env=env),
        "tilde": python("-c", opens, "~/docs", env=env)}})
    one = found(t, m, "script", "MCPX_STDIO_FILE_MISSING")
    t.has(one["user_message"], "^/opt/nowhere/server.py in its arguments does not exist$", "which path")
    t.ok(not one["guess"], "it is looked for: no guess", one)
    one = found(t, m, "relative", "MCPX_STDIO_FILE_MISSING")
    t.has(" ".join(one["fix_steps"]), "begins at working_dir", "where a relative path begins")
    found(t, m, "dir", "MCPX_STDIO_FILE_MISSING")
    one = found(t, m, "tilde", "MCPX_STDIO_FILE_MISSING")
    t.eq(one["fixes"][0]["title"], f"args[2] ~/docs → {home}", "written out")
    repaired(t, m, "tilde")
    one = found(t, m, "variable", "MCPX_STDIO_FILE_MISSING")
    t.has(one["user_message"], r"^\$HOME/docs in its arguments stays as it is: no shell expands \$HOME there$", "nor a variable")
    t.eq(one["fixes"][0]["title"], f"args[2] $HOME/docs → {home}", "written out")
    repaired(t, m, "variable")


@tap.limit(60)
def test_volumes_of_a_shell(t):
    """What a shell would expand in a volume: a warning with its line, and the hint where the engine refuses it."""
    m = t.mcptop(config(
        words={"command": "docker", "args": ["run", "-i", "--rm", "-v", "~/data:/data", BUSYBOX, "sh"]},
        own={"command": "sh", "isolation": {"image": BUSYBOX, "volumes": ["$HOME/data:/data"]}}), docker_host=t.engine())
    one = found(t, m, "words", "MCPX_DOCKER_OCI_RUNTIME")
    t.has(one["fix_steps"][0], r"^~/data: .*no shell is involved, so ~ and \$NAME stand for themselves", "why the engine refuses it")
    one = found(t, m, "own", "MCPX_CONFIG_REFUSED")
    t.has(one["user_message"], r"isolation\.volumes\[0\] \(line \d+\): .*no shell reads this.*\$\{env:NAME\}", "where it stands")
    t.has(m.cli("doctor").stdout, r"(?m)^config: warning line \d+: mcpServers\S*words\S*\.args: ~/data: ", "the file's warning")
    t.has(m.cli("doctor", "words").stdout, r"(?m)^config: warning line \d+: mcpServers\S*words\S*\.args: ~/data: ", "told of that server, too")
    t.ok("config: warning" not in m.cli("doctor", "own").stdout, "and of no other")


@tap.limit(60)
def test_command_with_arguments(t):
    m = t.mcptop({"mcpServers": {
        "all": {"command": f"python3 {GOOD} good", "env": {"MCPTOP_TEST_SERVER": "good"}},
        "some": {"command": f"python3 {GOOD}", "args": ["good"], "env": {"MCPTOP_TEST_SERVER": "good"}},
        "windows": {"command": "C:\\Python\\python.exe"}}})
    for name in ("all", "some"):
        one = found(t, m, name, "MCPX_STDIO_SPAWN_ENOENT")
        t.has(one["user_message"], "holds its arguments, too", f"{name}: what is wrong")
        repaired(t, m, name)
        t.eq((m.server(name)["command"], m.server(name)["args"]), ("python3", [GOOD, "good"]), f"{name}: split")
    one = found(t, m, "windows", "MCPX_STDIO_SPAWN_ENOENT")
    t.has(" ".join(one["fix_steps"]), "path of Windows", "a path of another system")


@tap.limit(90)
def test_what_it_needs(t):
    """A module, a library, a right, a service, a proxy."""
    lib, program = t.path("libnowhere.so"), t.path("program")
    t.write("l.c", "int f(void) { return 0; }\n")
    t.write("p.c", "int f(void); int main(void) { return f(); }\n")
    compiler = shutil.which("cc") or shutil.which("gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", lib, t.path("l.c")], check=True)
    subprocess.run([compiler, "-o", program, t.path("p.c"), f"-L{t.dir}", "-lnowhere"], check=True)
    os.unlink(lib)
    t.write("locked", "x", 0o600)
    m = t.mcptop({"mcpServers": {
        "module": python("-m", "no_such_server"), "library": {"command": program},
        "denied": python("-c", f"import os; os.setuid(65534) if os.getuid() == 0 else 0; open('{t.path('locked')}', 'w')")
        if os.getuid() == 0 else python("-c", "open('/etc/shadow')"),
        "service": python("-c", "import socket; socket.create_connection(('127.0.0.1', 1))"),
        "proxy": {"command": "uvx", "args": ["mcp-server-time"], "env": {
            "HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "", "no_proxy": "", "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": t.path("cache")}},
        "http": python("-c", "import sys, time; print('INFO:     Uvicorn running on http://127.0.0.1:8000', file=sys.stderr); "
                       "time.sleep(60)", init_timeout="2s")}}, env=tools_env())
    one = found(t, m, "module", "MCPX_STDIO_MODULE_MISSING")
    t.has(" ".join(one["fix_steps"]), "python3 -m pip install no_such_server", "what to do")
    one = found(t, m, "library", "MCPX_STDIO_LIBRARY_MISSING")
    t.has(one["user_message"], "the library libnowhere.so,", "which library")
    found(t, m, "denied", "MCPX_STDIO_ACCESS_DENIED")
    one = found(t, m, "service", "MCPX_STDIO_NETWORK_FAILED")
    t.has(one["user_message"], "on this machine does not answer", "nobody listens there")
    one = found(t, m, "http", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    t.has(one["user_message"], "serves HTTP, and not stdio", "a server in the wrong mode")
    one = found(t, m, "proxy", "MCPX_STDIO_NETWORK_FAILED", 80)
    t.has(" ".join(one["fix_steps"]), "is the proxy right that HTTPS_PROXY", "the proxy is asked about")


@tap.limit(240)
def test_isolated(t):
    """The same in containers: an image without a runner, localhost, too little to install with."""
    engine = t.engine("python:3.11")
    m = t.mcptop(config(
        runner={"command": "uvx", "args": ["mcp-server-time"], "isolation": {"image": BUSYBOX}},
        local=python("-c", "import socket; socket.create_connection(('127.0.0.1', 1))"),
        little={"command": "uvx", "args": ["mcp-server-time"], "isolation": {"memory_limit": "40m"}}),
        docker_host=engine)
    one = found(t, m, "local", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.has(one["user_message"], "localhost, which in a container is the container itself", "whose localhost that is")
    one = found(t, m, "little", "MCPX_DOCKER_OOM_KILLED", 60)
    t.has(one["user_message"], "a process in it was OOM-killed at 40M while it started", "not itself, but what installs it")
    t.eq(one["fixes"][0]["title"], "memory_limit 40m → 256m", "enough to install with")
    repaired(t, m, "little", timeout=150)
    one = found(t, m, "runner", "MCPX_DOCKER_EXEC_NOT_FOUND", 60)
    t.has(one["user_message"], "has no uvx, and it could not be installed in it", "what it lacks")
    repaired(t, m, "runner", timeout=150)
    m.stop()
    engine.docker.cli("volume", "rm", "mcpproxy-uv-cache-little", "mcpproxy-uv-cache-runner", check=False)


if __name__ == "__main__":
    tap.main(__name__)
