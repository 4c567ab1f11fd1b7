#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients on one shared server: the TypeScript SDKs of both eras, the Inspector's command line, PyPI's `mcp`; over HTTP
and through `mcptop stdio`, on one server's endpoint and on that of all."""

import json
import os
import signal
import subprocess

from harness import full, limit, paths, tap, wait_for
from harness.images import npm_folder, npm_program, pip_python

PACKAGES = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0",
            "@modelcontextprotocol/inspector@2.12.0", "node@22")


def start(t):
    """Two servers: a client of all of them has to find its own."""
    m = t.mcptop({"mcpServers": {"first": full("first"), "full": full("full")}}, listen=True)
    for name in ("first", "full"):
        m.wait_server(name)
    return m


def places(m):
    """Every way to a server: (what it is called, the job's part, which server answers, the prefix of its tools)."""
    headers = {"Authorization": f"Bearer {m.key()}"}
    here = f"http://127.0.0.1:{m.port}"
    return [("/mcp/full", {"url": here + "/mcp/full", "headers": headers}, "full", ""),
            ("/mcp", {"url": here + "/mcp", "headers": headers}, "mcptop", "full__"),
            ("stdio full", {"command": paths.MCPTOP, "args": ["stdio", "full", "--socket", m.socket]}, "full", ""),
            ("stdio", {"command": paths.MCPTOP, "args": ["stdio", "--socket", m.socket]}, "mcptop", "full__")]


def program(argv, m, timeout=100, check=True):
    done = subprocess.run(argv, env=m.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, cwd=m.env["HOME"])
    if check and done.returncode:
        raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def npm():
    folder = npm_folder("clients-1", *PACKAGES)
    return folder, os.path.join(folder, "node_modules", "node", "bin", "node")


def run_sdks(m, jobs):
    folder, node = npm()
    return json.loads(program([node, npm_program(folder, "real_clients.mjs"), json.dumps(jobs)], m).stdout)



@limit(120)
def test_sdks(t):
    """Each SDK in each place, one after the other's place, beside each other."""
    m = start(t)
    for era in ("legacy", "dual"):
        wanted, jobs = [], []
        for place, how, server, prefix in places(m):
            jobs.append(dict(how, kind=era, prefix=prefix, times=1))
            wanted.append((place, server, prefix))
        seen = run_sdks(m, jobs)
        for (place, server, prefix), one in zip(wanted, seen):
            what = f"{era} SDK, {place}"
            if "error" in one:
                t.ok(False, what, one["error"])
                continue
            t.eq((one["server"], one["wrong"], one["heard"]), (server, [], True), f"{what}: calls, progress, a change heard")
            t.eq(one["modern"], era == "dual", f"{what}: its era")
            t.ok(one["tools"] >= 15 and one["read"].endswith(f"has {one['uri']}"), f"{what}: lists, and a resource read", one)
            if server == "full" and era == "legacy":    # the other SDK asks for all pages by itself
                t.ok(one["pages"] > 1, f"{what}: pages of the server", one["pages"])


@limit(120)
def test_eight_at_once(t):
    """Of both eras, over HTTP and stdio; all count their ids from 0, with progress, cancellation and large results."""
    m = start(t)
    ways = places(m)
    jobs = [dict(ways[i % 4][1], kind=("legacy", "dual")[i // 4], prefix=ways[i % 4][3], times=12, hears=False) for i in range(8)]
    for job, one in zip(jobs, run_sdks(m, jobs)):
        t.eq(one.get("wrong", one.get("error")), [], f"{job['kind']} {job.get('url', 'stdio')}: each gets its own")
    calls = m.server("full")["calls"]
    t.ok(calls["total"] >= 8 * 12 * 4, "all on one server", calls)
    t.eq(m.server("full")["restarts"], 0, "in one process")


def inspect(m, where, *args):
    folder, node = npm()
    env = dict(m.env, PATH=f"{os.path.dirname(node)}:{m.env['PATH']}")
    target = ["--server-url", where["url"], "--transport", "http", "--header", f"Authorization: {where['headers']['Authorization']}"] \
        if "url" in where else [where["command"], *where["args"], "--transport", "stdio"]
    done = subprocess.run([node, os.path.join(folder, "node_modules", ".bin", "mcp-inspector"), "--cli", *target, "--format", "json",
                           *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, cwd=m.env["HOME"])
    if done.returncode:
        raise AssertionError(f"inspector {args}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


@limit(120)
def test_inspector(t):
    m = start(t)
    for place, how, _, prefix in places(m)[:2] + places(m)[2:3]:
        tools = inspect(m, how, "--method", "tools/list")
        t.ok(f"{prefix}echo" in json.dumps(tools), f"{place}: tools/list", tools)
        result = inspect(m, how, "--method", "tools/call", "--tool-name", f"{prefix}echo", "--tool-arg", "text=from the inspector")
        t.has(json.dumps(result), "from the inspector", f"{place}: tools/call")
        resource = inspect(m, how, "--method", "resources/read", "--uri", "full:///1")
        t.has(json.dumps(resource), "full has full:///1", f"{place}: resources/read")


@limit(120)
def test_python(t):
    m = start(t)
    python = pip_python("py-clients-1", "mcp==2.3.0")
    wanted, jobs = [], []
    for mode in ("legacy", "auto"):
        for place, how, server, prefix in places(m):
            jobs.append(dict(how, mode=mode, prefix=prefix, key=f"{mode} {place}"))
            wanted.append((f"mcp, {mode}, {place}", mode, server))
    seen = json.loads(program([python, paths.fixture("real_client.py"), json.dumps(jobs)], m).stdout)
    for (what, mode, server), one in zip(wanted, seen):
        if "error" in one:
            t.ok(False, what, one["error"])
            continue
        t.eq((one["server"], one["steps"], one["echo"], one["heard"]), (server, [1, 2, 3], True, True),
             f"{what}: calls, progress, a change heard")
        t.eq(one["version"], "2026-07-28" if mode == "auto" else "2025-11-25", f"{what}: its era")
        t.ok(one["tools"] >= 15 and one["read"].endswith(f"has {one['uri']}"), f"{what}: lists, and a resource read", one)


class Session:
    """A client of the legacy SDK that does what it is told."""

    def __init__(self, t, m, path):
        folder, node = npm()
        self.process = subprocess.Popen([node, npm_program(folder, "real_session.mjs"), f"http://127.0.0.1:{m.port}{path}",
                                         f"Bearer {m.key()}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=m.env)
        t.cleanup(self.close)
        self.id = self.answer()["id"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the client has ended")
        return json.loads(line)

    def do(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def another(m, before):
    """Whether a supervisor answers that is not this one."""
    try:
        return m.supervisor_pid() != before
    except OSError:
        return False


@limit(120)
def test_a_session_of_the_sdk(t):
    """It survives broken connections and the end of the supervisor, until it is deleted."""
    m = start(t)
    for path, prefix in (("/mcp/full", ""), ("/mcp", "full__")):
        session = Session(t, m, path)
        t.has(session.id, r"^[\x21-\x7e]{32,}$", f"{path}: an id")
        if not prefix:
            told = session.do("resumed", "60", "5")
            t.eq((told.get("seen"), told.get("text")), (list(range(1, 61)), "60 steps"),
                 "a broken connection is resumed: each step once, in order, and the answer")
            t.ok(told["lastEventId"], "by Last-Event-ID", told)
        echo = f'call {prefix}echo {{"text":"x"}}'
        m.restart()
        t.eq(session.do(echo), {"text": "x"}, f"{path}: the session goes on under a new supervisor")
        before = m.supervisor_pid()
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: another(m, before), 20, "the warden to start another")
        t.eq(session.do(echo), {"text": "x"}, f"{path}: also after it was killed")
        t.eq(session.do("id"), {"id": session.id}, f"{path}: with its id")
        headers = {"Mcp-Session-Id": session.id, "Authorization": f"Bearer {m.key()}"}
        ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
        t.eq(m.tcp().http.post(path, ping, headers=headers).status, 200, f"{path}: which is known")
        t.eq(session.do("delete"), {"id": None}, f"{path}: DELETE ends it")
        t.eq(m.tcp().http.post(path, ping, headers=headers).status, 404, f"{path}: for good")
        m.restart()
        t.eq(m.tcp().http.post(path, ping, headers=headers).status, 404, f"{path}: also for the next supervisor")


if __name__ == "__main__":
    tap.main(__name__)
