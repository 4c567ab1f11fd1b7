#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs say in their own language when they fail, with all that stands around it: the one
line that tells is found, and the repair leads to ready. And servers that use frightening words and
are well."""

import os

from harness import paths, tap, wait_for
from harness.find import SERVER, boxed, codes, config, found, repaired, sh
from harness.images import host_tools

GOOD = paths.fixture("fixture_server.py")
# A server in a line of Node.
NODE = ("let b='';process.stdin.on('data',d=>{b+=d;let i;while((i=b.indexOf('\\n'))>=0)"
        "{const m=JSON.parse(b.slice(0,i));b=b.slice(i+1);if(m.id===undefined)continue;"
        "const r=m.method==='initialize'?{protocolVersion:'2025-06-18',capabilities:{tools:{}},"
        "serverInfo:{name:'n',version:'1'}}:m.method==='tools/list'?{tools:[]}:{};"
        "process.stdout.write(JSON.stringify({jsonrpc:'2.0',id:m.id,result:r})+'\\n')}})")


def python(code, **extra):
    return dict({"command": "python3", "args": ["-c", code]}, **extra)


def node(code, **extra):
    return dict({"command": "node", "args": ["-e", code]}, **extra)


@tap.limit(90)
def test_on_the_host(t):
    m = t.mcptop({"mcpServers": {
        "python": python("import os\ndef f():\n    return os.environ['GITHUB_TOKEN']\nf()"),
        "key": python("d = {}\nd['API_KEY_OF_A_DICT']"),
        "node": node("require('child_process').spawn('no-such-tool', ['-x'])"),
        "sync": node("throw require('child_process').spawnSync('no-such-tool').error"),
        "env": {"command": "env", "args": ["A=b", "no-such-tool"]},
        "timeout": {"command": "timeout", "args": ["60", "no-such-tool"]},
        "library": python("import ctypes\nctypes.CDLL('libnowhere.so.7')"),
        "project": {"command": "npm", "args": ["start"], "working_dir": t.dir}}},
        env={"PATH": f"{host_tools()}:{os.environ['PATH']}"})
    one = found(t, m, "python", "MCPX_STDIO_ENV_MISSING")
    t.has(one["user_message"], "^it needs GITHUB_TOKEN, which its env does not have$", "which")
    t.ok(not one["guess"], "Python says whose key it was: no guess", one)
    one = found(t, m, "key", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE")
    t.has(one["user_message"], "KeyError: 'API_KEY_OF_A_DICT'$", "another key is none of env's")
    for name in ("node", "sync", "env", "timeout"):
        one = found(t, m, name, "MCPX_STDIO_TOOL_MISSING")
        t.has(one["user_message"], "^it needs no-such-tool, ", f"{name}: which")
    one = found(t, m, "library", "MCPX_STDIO_LIBRARY_MISSING")
    t.has(one["user_message"], "the library libnowhere.so.7,", "which")
    one = found(t, m, "project", "MCPX_STDIO_FILE_MISSING")
    t.has(" ".join(one["fix_steps"]), "set working_dir", "what to do")
    for name in ("node", "sync"):
        t.has(m.server(name)["last_error"], "spawn(Sync)? no-such-tool ENOENT",
              f"{name}: the line that tells, in the row")


@tap.limit(150)
def test_paths(t):
    """A file of the host, named nowhere in args."""
    engine = t.engine("mcptop-test/busybox:latest", "python:3.11", "node:20")
    file = t.write("creds.json", "{}")
    serve = f"import os; os.execvp('python3', ['python3', '{GOOD}', 'good'])"
    image = {"image": "python:3.11", "volumes": [f"{GOOD}:{GOOD}:ro"]}
    url = python(f"import sys, urllib.request as u; u.urlopen(sys.argv[1]); {serve}",
                 isolation=image)
    url["args"].append(f"file://{file}")
    m = t.mcptop(config(
        node=node(f"require('fs').readFileSync(process.env.CREDS);{NODE}", env={"CREDS": file}),
        python=python(f"import os; open(os.environ['CREDS']); {serve}", env={"CREDS": file},
                      isolation=image),
        shell=boxed(f"cat {file} >&2 || exit 1; exec $S"), url=url), docker_host=engine)
    for name in ("node", "python", "shell", "url"):
        one = found(t, m, name, "MCPX_DOCKER_PATH_NOT_MOUNTED")
        t.eq(one["fixes"][0]["title"], f"Weakens isolation: mount {file}:{file}:ro",
             f"{name}: the file")
        repaired(t, m, name)


@tap.limit(150)
def test_isolated(t):
    engine = t.engine("mcptop-test/busybox:latest", "python:3.11", "node:20")
    away = f"require('fs').existsSync('{t.dir}')"
    m = t.mcptop(config(
        spawns=node(f"if({away}){{{NODE}}}else require('child_process').spawn('docker', ['run'])"),
        pip=boxed("[ -e /sys/class/net/eth0 ] || pip install --retries 0 acme || exit 1; exec $S",
                  image="python:3.11", network_mode="none"),
        crowd=node("for(let i=0;i<15;i++)require('child_process').spawn('sleep',['99']);" + NODE,
                   isolation={"pids_limit": 20})), docker_host=engine,
        env={"PATH": f"{host_tools()}:{os.environ['PATH']}"})
    one = found(t, m, "spawns", "MCPX_DOCKER_IN_DOCKER")
    t.has(str(one["evidence"]), "spawn docker ENOENT", "the line that tells")
    repaired(t, m, "spawns")
    one = found(t, m, "pip", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.ok(not one["guess"], "where nobody can answer nothing is said of the package", one)
    repaired(t, m, "pip")
    found(t, m, "crowd", "MCPX_DOCKER_PIDS_EXHAUSTED")
    repaired(t, m, "crowd")


# A server whose one tool is the code that it is given.
TOOL = """import json, sys
def main(tool):
    for line in sys.stdin:
        m = json.loads(line)
        if "id" not in m:
            continue
        r = {"initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                            "serverInfo": {"name": "n", "version": "1"}},
             "tools/list": {"tools": [{"name": "go", "inputSchema": {"type": "object"}}]}
             }.get(m["method"], {})
        if m["method"] == "tools/call":
            try:
                tool()
            except Exception as e:
                print(type(e).__name__ + ":", e, file=sys.stderr)
            r = {"content": []}
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": r}), flush=True)
"""


def tool(line, **isolation):
    return python(f"{TOOL}\ndef tool():\n    {line}\nmain(tool)",
                  isolation=dict({"image": "python:3.11"}, **isolation))


@tap.limit(120)
def test_in_a_tool_call(t):
    """It is ready, and goes on: what its plan denies it shows when it is called."""
    engine = t.engine("python:3.11")
    file = t.write("notes.txt", "x")
    folder = os.path.dirname(file)
    os.makedirs(t.path("ro"))
    m = t.mcptop(config(
        client=tool("import subprocess; subprocess.run(['docker', 'run', 'x'])"),
        path=dict(tool("import os; open(os.environ['NOTES'])"), env={"NOTES": file}),
        write=tool("open('/data/x', 'w')", volumes=[f"{t.path('ro')}:/data:ro"]),
        net=tool("import urllib.request as u; u.urlopen('https://example.com')", network_mode="none")),
        docker_host=engine, env={"HOME": folder})
    for name, code, fix in (
            ("client", "MCPX_DOCKER_IN_DOCKER", "host"),
            ("path", "MCPX_DOCKER_PATH_NOT_MOUNTED", "mount"),
            ("write", "MCPX_DOCKER_PATH_READ_ONLY", "mount-writable"),
            ("net", "MCPX_DOCKER_NETWORK_BLOCKED", "network")):
        m.wait_server(name)
        t.eq(m.api.get(f"/servers/{name}")["findings"], [], f"{name}: nothing before")
        client = m.mcp(name)
        client.initialize()
        client.tool("go", {})
        found(t, m, name, code)
        repaired(t, m, name, fix)


@tap.limit(90)
def test_values_that_the_engine_refuses(t):
    engine = t.engine("python:3.11")
    server = {"command": "python3", "args": [GOOD, "good"]}
    volumes = [f"{GOOD}:{GOOD}:ro"]

    def entry(**isolation):
        return dict(server, isolation=dict({"image": "python:3.11", "volumes": volumes}, **isolation))
    m = t.mcptop(config(image=entry(image="Python:3.11"), cpus=entry(cpu_limit="999"),
                        network=entry(network_mode="no-such-network"),
                        device=entry(extra_args=["--device", "/dev/no-such"])), docker_host=engine)
    for name, code in (("image", "MCPX_DOCKER_IMAGE_NOT_FOUND"), ("cpus", "MCPX_DOCKER_OCI_RUNTIME"),
                       ("network", "MCPX_DOCKER_OCI_RUNTIME")):
        found(t, m, name, code)
        repaired(t, m, name)
    wait_for(lambda: "MCPX_DOCKER_OCI_RUNTIME" in codes(m, "device"), 20, "the device to be missed",
             saw=lambda: codes(m, "device"))
    t.has(m.api.get("/servers/device")["findings"][0]["user_message"], "/dev/no-such",
          "a device that is not there is no program that the image lacks")


FRIGHTENING = ["ERROR: ENOENT: no such file or directory", "connect ECONNREFUSED 127.0.0.1:6379",
               "Killed", "fatal: connection refused", "command not found", "permission denied",
               "Cannot allocate memory", "listen EADDRINUSE: address already in use",
               "BlockingIOError: [Errno 11] Resource temporarily unavailable",
               "/var/run/docker.sock is not there: container tools are off",
               "API_KEY is missing, going on without"]


@tap.limit(90)
def test_words_are_not_causes(t):
    says = "; ".join(f"echo '{line}' >&2" for line in FRIGHTENING)
    m = t.mcptop(config(
        host=sh(f"{says}; exec {SERVER}", isolation={"enabled": False}),
        box=boxed(f"{says}; exec $S"),
        alone=boxed(f"{says}; exec $S", network_mode="none")), docker_host=t.engine())
    for name in ("host", "box", "alone"):
        m.wait_server(name)
        client = m.mcp(name)
        client.initialize()
        for line in FRIGHTENING:
            client.tool("log", {"lines": 1, "text": line})
    for name in ("host", "box", "alone"):
        wait_for(lambda name=name: m.log(name).count("going on without") == 2, 10,
                 f"{name} to have said it all, twice")
    for _ in range(3):                # after each round of figures
        seen = m.server("box")["usage"]
        t.eq(m.api.get("/diagnostics")["findings"], [], "nothing is found where nothing is wrong")
        m.wait_server("box", lambda s, seen=seen: s["usage"] != seen)
    for name in ("host", "box"):
        m.cli("stop", name, check=0)
    t.eq(m.api.get("/diagnostics")["findings"], [], "nor when they are stopped")


if __name__ == "__main__":
    tap.main(__name__)
