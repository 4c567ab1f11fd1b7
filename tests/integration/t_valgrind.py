#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor under valgrind: servers of all kinds, API and MCP calls, an event stream, changes, then SIGTERM. No error, nothing lost. A
build with sanitizers, which valgrind cannot run, judges itself: its end is not 0 then, either."""

import shutil
import signal

from harness import Mcptop, Skip, echo, fixture, limit, paths, tap, wait_for

# Not --trace-children: servers are not ours to judge; between fork and exec the child is silent.
VALGRIND = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
            "--child-silent-after-fork=yes", "--num-callers=25"]
FAILURE = 9


def supervisor(t, config, **kw):
    """`mcptop serve --no-warden` under valgrind; its report stands in `report`."""
    wrapper = [*VALGRIND, f"--log-file={t.path('report')}"]
    if paths.sanitized():
        wrapper = []
    elif not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    return Mcptop(t, config, wrapper=wrapper, warden=False, **kw).start(timeout=60)


def end(t, m):
    m.process.send_signal(signal.SIGTERM)
    status = m.process.wait(60)
    t.ok(status == 0, "SIGTERM ends it with 0" if status != FAILURE else "no error, no leak", status)
    report = m.told() if paths.sanitized() else t.read("report")
    if not t.ok("ERROR" not in report if paths.sanitized() else not report.strip(), "and there is nothing to report"):
        t.diag(report[-12000:])


def use(t, m, name):
    """What clients do: one over HTTP, one through a bridge that goes away with a call under way."""
    client = m.mcp(name)
    client.initialize(timeout=60)
    client.tools()
    client.tool("echo", {"text": "x" * 100000}, timeout=60)
    session = m.stdio(name)
    session.initialize(timeout=60)
    session.tool("echo", {"text": "y"}, timeout=60)
    session.send("tools/call", {"name": "sleep", "arguments": {"ms": 5000}})
    session.close()


@limit(240)
def test_host(t):
    m = supervisor(t, {"mcpServers": {"a": fixture("good"), "b": echo(), "dies": fixture("exit", 3), "absent": {"command": "no-such-program"},
                                      "noise": fixture("noise"), "off": echo(enabled=False)}}, listen=True)
    with m.api.http.events("/events?log=*") as events:
        events.wait(lambda e, d: e == "hello", 60)
        for name in ("a", "b", "noise"):
            m.wait_server(name, timeout=60)
        for name in ("a", "b"):
            use(t, m, name)
        for path in ("/status", "/servers", "/servers/a", "/servers/a/logs?tail=50", "/servers/a/tools", "/servers/a/command", "/containers",
                     "/events?limit=50", "/config", "/diagnostics", "/docker/status", "/servers/a/plan?isolation=docker"):
            t.eq(m.api.raw("GET", path, timeout=60).status, 200, path)
        t.eq(m.tcp().raw("GET", "/servers", timeout=60).status, 200, "over TCP")
        t.eq(m.tcp(key="wrong").raw("GET", "/servers", timeout=60).status, 401, "with a wrong key")
        m.api.raw("PATCH", "/servers/b", {"memory": "1g"}, timeout=60)
        m.api.raw("POST", "/servers/b/undo", timeout=60)
        m.api.post("/servers/a/restart", timeout=60)
        m.wait_server("a", timeout=60)
        config = m.read_config()
        m.write_config("{ broken")
        wait_for(lambda: m.api.get("/status")["config"]["errors"] > 0, 30, "the broken file to be noticed")
        m.write_config(config.replace('"off"', '"renamed"'))
        wait_for(lambda: m.server("renamed"), 30)
        # A call that waits when the end comes.
        waiting = m.stdio("b")
        waiting.initialize(timeout=60)
        waiting.send("tools/call", {"name": "sleep", "arguments": {"ms": 60000}})
        wait_for(lambda: m.server("b")["calls"]["in_flight"] > 0, 30)
        end(t, m)


@limit(240)
def test_containers(t):
    from t_kill import boxed
    engine = t.engine()
    m = supervisor(t, {"mcpServers": {"box": boxed(memory_limit="64m"), "host": fixture("good"), "exits": boxed("sh", ["-c", "exit 4"])}},
                   docker_host=engine)
    m.wait_server("box", lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0, 60)
    m.wait_server("exits", lambda s: s["exit"], 60)
    use(t, m, "box")
    t.eq(m.api.patch("/servers/box", {"memory": "128m"}, timeout=60)["applied"], "live", "a limit changes live")
    engine.docker.kill(m.server("box")["container"]["id"])
    m.wait_server("box", lambda s: s["exit"], 60)
    m.wait_server("box", timeout=60)
    m.api.post("/servers/exits/stop", timeout=60)
    m.api.patch("/servers/box", {"isolation": "none"}, timeout=60)
    m.wait_server("box", lambda s: s["where"] == "host" and s["state"] == "ready", 60)
    instance = m.api.get("/status")["instance"]
    end(t, m)
    t.eq(engine.docker.containers(com_mcpproxy_instance=instance), [], "and no container is left")


if __name__ == "__main__":
    tap.main(__name__)
