#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about limits and about ends that the engine tells of, on a real engine: out of memory,
throttled, crowded; killed by somebody."""

from harness import paths, tap
from harness.find import boxed, config, found, repaired

# A server in a line of Node.
LINES = ("let b='';process.stdin.on('data',d=>{b+=d;let i;while((i=b.indexOf('\\n'))>=0)"
         "{const m=JSON.parse(b.slice(0,i));b=b.slice(i+1);if(m.id===undefined)continue;"
         "const r=m.method==='initialize'?{protocolVersion:'2025-06-18',capabilities:{tools:{}},"
         "serverInfo:{name:'n',version:'1'}}:m.method==='tools/list'?{tools:[]}:{};"
         "process.stdout.write(JSON.stringify({jsonrpc:'2.0',id:m.id,result:r})+'\\n')}})")


@tap.limit(150)
def test_5_memory(t):
    engine = t.engine()
    m = t.mcptop(config(oom=boxed(memory_limit="32m"), tight=boxed(memory_limit="64m"),
                        child=boxed("dd if=/dev/zero of=/dev/null bs=100M count=1 & exec $S",
                                    memory_limit="64m")), docker_host=engine)
    m.wait_server("oom")
    client = m.mcp("oom")
    client.initialize()
    try:
        client.tool("alloc", {"mb": 60}, timeout=20)
    except Exception:
        pass
    one = found(t, m, "oom", "MCPX_DOCKER_OOM_KILLED")
    t.has(one["user_message"], r"OOM-killed at 32M \(exit 137\)", "the limit and the status")
    t.eq(one["fixes"][0]["title"], "memory_limit 32m → 64m", "twice the limit")
    m.wait_server("oom")
    container = m.server("oom")["container"]["id"]
    repaired(t, m, "oom")
    t.eq(m.server("oom")["container"]["id"], container, "changed while it runs")
    m.wait_server("tight")
    client = m.mcp("tight")
    client.initialize()
    client.tool("alloc", {"mb": 58})
    one = found(t, m, "tight", "MCPX_DOCKER_MEMORY_TIGHT")
    t.eq(one["severity"], "warning", "close to it is a warning")
    repaired(t, m, "tight")
    m.wait_server("child")
    one = found(t, m, "child", "MCPX_DOCKER_MEMORY_TIGHT")
    t.has(one["user_message"], "a process in it was killed for memory at 64M", "not itself")


@tap.limit(150)
def test_5_cpu_and_pids(t):
    engine = t.engine("python:3.11")
    server = paths.fixture("fixture_server.py")
    # Beside the server a third of a CPU, counted in CPU time: on a busy machine, too, that is above
    # the first limit, and below the second.
    busy = ("import time\nwhile True:\n t = time.process_time()\n"
            " while time.process_time() - t < .03: pass\n time.sleep(.07)")
    burn = {"command": "sh", "args": ["-c", f"python3 -c '{busy}' & exec python3 {server} good"], "init_timeout": "60s",
            "isolation": {"image": "python:3.11", "cpu_limit": "0.03",
                          "volumes": [f"{server}:{server}:ro"]}}
    crowd = "i=0; while [ $i -lt 18 ]; do sleep 1000 & i=$((i+1)); done; exec $S"
    m = t.mcptop(config(burn=burn, crowd=boxed(crowd, pids_limit=20)), docker_host=engine)
    m.wait_server("burn", timeout=60)
    m.wait_server("crowd")
    one = found(t, m, "crowd", "MCPX_DOCKER_PIDS_EXHAUSTED")
    t.eq(one["fixes"][0]["title"], "pids_limit 20 → 40", "twice as many")
    repaired(t, m, "crowd")
    one = found(t, m, "burn", "MCPX_DOCKER_CPU_THROTTLED", 60)
    t.has(one["fixes"][0]["title"], "cpu_limit 0.03 → 0.5", "more CPU is the fix")
    container = m.server("burn")["container"]["id"]
    repaired(t, m, "burn")
    t.eq(engine.docker.inspect(container)["HostConfig"]["NanoCpus"], 5 * 10**8, "changed while it runs")


@tap.limit(240)
def test_5_too_little_to_start(t):
    """A limit that an interpreter cannot even start with: one fix is enough."""
    engine = t.engine("node:20", "python:3.11")
    server = paths.fixture("fixture_server.py")
    m = t.mcptop(config(
        node={"command": "node", "args": ["-e", LINES], "isolation": {"memory_limit": "6m"}},
        python={"command": "python3", "args": [server, "good"],
                "isolation": {"memory_limit": "6m", "image": "python:3.11",
                              "volumes": [f"{server}:{server}:ro"]}}), docker_host=engine)
    for name in ("node", "python"):
        one = found(t, m, name, "MCPX_DOCKER_OOM_KILLED", 60)
        t.eq(one["fixes"][0]["title"], "memory_limit 6m → 128m", f"{name}: enough to start with")
        repaired(t, m, name)


@tap.limit(150)
def test_5_held_back_at_the_start(t):
    """Nothing is said, nothing is killed: the counters tell why it does not come."""
    engine = t.engine("node:20", "python:3.11")
    server = paths.fixture("fixture_server.py")
    m = t.mcptop(config(
        cpu={"command": "python3", "init_timeout": "10s",
             "args": ["-c", "t = 0\nfor i in range(20000000): t += i\nimport os\n"
                            f"os.execvp('python3', ['python3', '{server}', 'good'])"],
             "isolation": {"cpu_limit": "0.02", "timeout": "10s", "image": "python:3.11",
                           "volumes": [f"{server}:{server}:ro"]}},
        threads={"command": "node", "args": ["-e", LINES], "init_timeout": "10s",
                 "isolation": {"pids_limit": 3, "timeout": "10s"}}), docker_host=engine)
    one = found(t, m, "cpu", "MCPX_DOCKER_CPU_THROTTLED")
    t.has(one["user_message"], "its CPU limit of 0.02 (held it back|holds it back)", "what it is")
    repaired(t, m, "cpu")
    one = found(t, m, "threads", "MCPX_DOCKER_PIDS_EXHAUSTED")
    t.has(one["user_message"], "did not start in time", "that it did not start")
    repaired(t, m, "threads")


@tap.limit(240)
def test_5_too_little_for_npx(t):
    """What installs its package first needs more than what it installs."""
    engine = t.engine("node:20")
    m = t.mcptop(config(npx={
        "command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"],
        "init_timeout": "120s", "isolation": {"memory_limit": "24m"}}), docker_host=engine)
    one = found(t, m, "npx", "MCPX_DOCKER_OOM_KILLED", 60)
    t.eq(one["fixes"][0]["title"], "memory_limit 24m → 256m", "enough to install with")
    repaired(t, m, "npx", timeout=150)
    m.stop()
    engine.docker.cli("volume", "rm", "mcpproxy-npm-cache-npx", check=False)


@tap.limit(120)
def test_killed_by_somebody(t):
    """The engine tells of the signal: not a word of memory."""
    engine = t.engine()
    m = t.mcptop(config(kill=boxed(), stop=boxed(), gone=boxed(), child=boxed()),
                 docker_host=engine)
    for name, words, how in (("kill", ("kill",), "signal 9 .*docker kill"),
                             ("stop", ("stop", "-t", "5"), "signal 15 .*docker stop"),
                             ("gone", ("rm", "-f"), "signal 9 .*docker rm -f")):
        ident = m.wait_server(name)["container"]["id"]
        engine.docker.cli(*words, ident)
        one = found(t, m, name, "MCPX_STDIO_KILLED")
        t.has(one["user_message"], f"somebody ended its container through the engine, by {how}",
              f"{name}: what the engine told")
        t.ok(not one["guess"] and "memory" not in str(one) and "OOM" not in str(one),
             f"{name}: known, and no word of memory", one)
        t.has(str(one["evidence"]), "event: kill, signal", f"{name}: the event is evidence")
        shown = m.server(name)["exit"]
        t.eq((shown["engine_signal"], shown["oom"]), (15 if name == "stop" else 9, False),
             f"{name}: in its end")
        t.has(m.log(name), "ended: exited .*: somebody sent it signal .* through the engine",
              f"{name}: and in its log")
    old = m.wait_server("child")
    engine.docker.cli("exec", old["container"]["id"], "sh", "-c", "kill -9 -1", check=False)
    one = found(t, m, "child", "MCPX_STDIO_KILLED")
    t.ok("through the engine" not in one["user_message"], "from inside the engine tells nothing", one)
    t.has(str(one["fix_steps"]), "somebody's kill -9, or the machine's own OOM killer", "both are named")


if __name__ == "__main__":
    tap.main(__name__)
