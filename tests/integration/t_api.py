#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API as docs/api.md has it: trust, envelopes, routes, log pages, the event stream."""

import json
import os
import subprocess
import sys

from harness import echo, fixture, paths, tap, wait_for
from harness.http import Http

TWO = {"mcpServers": [dict(echo(), name="one"), dict(fixture("good"), name="two"),
                      dict(echo(), name="off", enabled=False,
                           args=["--header", "Authorization: Bearer hunter", "-e", "PLAIN=hunter"])]}


def next_event(events, timeout):
    name, data, _ = events.next(timeout)
    return name, json.loads(data)


def test_envelope_and_errors(t):
    m = t.mcptop(TWO)
    for method, path, status, words in [
            ("GET", "/nothing", 404, "docs/api.md"),
            ("GET", "/servers/nobody", 404, 'no server "nobody"'),
            ("DELETE", "/servers/one", 405, "not possible"),
            ("GET", "/servers/one/logs?tail=x", 400, "whole numbers")]:
        reply = m.api.raw(method, path)
        t.eq(reply.status, status, f"{method} {path}")
        t.eq(reply.json()["success"], False, "says so in the envelope")
        t.has(reply.json()["error"], words, "in words")
    for body, words in [("[]", "JSON object"), ("{", "JSON object"), ('{"memroy":"1g"}', "memroy"),
                        ('{"memory":5}', "memory"), ('{"memory":"lots"}', "lots")]:
        reply = m.api.raw("PATCH", "/servers/one", body)
        t.eq(reply.status, 400, f"PATCH {body}")
        t.has(reply.json()["error"], words, "names the key")
    t.eq(m.api.raw("POST", "/tools/call", '{"server":"one"}').status, 400, "tools/call without a tool")


def test_trust_over_tcp(t):
    m = t.mcptop(TWO, listen=True)
    port, key = m.port, m.key()

    def status(path, headers=None, method="GET"):
        return Http(f"tcp://127.0.0.1:{port}", 10, headers or {}).request(method, path).status

    t.eq(status("/api/v1/status"), 401, "no key")
    t.eq(status("/api/v1/status", {"X-API-Key": "wrong"}), 401, "a wrong key")
    t.eq(status("/api/v1/status", {"X-API-Key": key}), 200, "X-API-Key")
    t.eq(status("/api/v1/status", {"Authorization": f"Bearer {key}"}), 200, "Bearer")
    t.eq(status(f"/api/v1/status?apikey={key}"), 200, "?apikey= on GET")
    t.eq(status(f"/api/v1/servers/one/restart?apikey={key}", method="POST"), 401, "not on POST")
    t.eq(status("/mcp/one", method="POST"), 401, "/mcp needs the key too")
    t.eq(status("/healthz"), 200, "healthz does not")
    t.eq(status("/api/v1/status", {"X-API-Key": key, "Host": "evil.example"}), 403, "a foreign Host")
    t.eq(status("/healthz", {"Host": "evil.example"}), 403, "on any route")
    t.eq(status("/api/v1/status", {"X-API-Key": key, "Origin": "http://evil.example"}), 403, "a foreign Origin")
    t.eq(status("/api/v1/status", {"X-API-Key": key, "Origin": "http://localhost:5173"}), 200, "our own machine's")
    t.eq(status("/api/v1/shutdown", {"X-API-Key": key}, "POST"), 403, "shutdown on the socket only")
    t.eq(status("/api/v1/servers/one/command?secrets=1", {"X-API-Key": key}), 403, "secrets on the socket only")
    t.ok(key not in m.log(), "the key is not in main.log")


def test_mcp_auth_none(t):
    m = t.mcptop(dict(TWO, mcp_auth="none"), listen=True)
    m.wait_server("one")
    http = Http(f"tcp://127.0.0.1:{m.port}", 10)
    t.eq(http.request("POST", "/mcp/one", "{}").status, 400, "/mcp without a key is heard")
    t.eq(http.request("GET", "/api/v1/status").status, 401, "the API still is not")
    t.eq(Http(f"tcp://127.0.0.1:{m.port}", 10, {"Host": "evil"}).request("POST", "/mcp/one", "{}").status, 403,
         "Host is checked all the same")


def test_auth_changes(t):
    config = dict(TWO, mcp_auth="none")
    m = t.mcptop(config, listen=True)
    m.wait_server("one")
    old = m.key()

    def status(path, method="GET", **headers):
        return Http(f"tcp://127.0.0.1:{m.port}", 10, headers).request(method, path, "{}").status

    config.update(mcp_auth="key", api_key="another-key-than-before")
    config["listen"] = "127.0.0.1:1"
    m.write_config(config)
    wait_for(lambda: status("/mcp/one", "POST") == 401, 20, "/mcp to want a key")
    t.eq(status("/api/v1/status", **{"X-API-Key": old}), 401, "the old key is none any more")
    t.eq(status("/api/v1/status", **{"X-API-Key": config["api_key"]}), 200, "the new one is")
    t.has(str(m.api.get("/status")["config"]["problems"]), "'listen', 'text': 'was changed and counts from the next start",
          "what a reload cannot change is told")


def test_undo_of_keys_over_tcp(t):
    m = t.mcptop({"mcpServers": {"one": dict(echo(), quarantined=True)}}, listen=True)
    m.wait_server("one")
    m.api.post("/servers/one/release")
    http = Http(f"tcp://127.0.0.1:{m.port}", 10, {"X-API-Key": m.key()})
    t.eq(http.request("POST", "/api/v1/servers/one/undo").status, 403, "not what only the socket may change")
    m.api.patch("/servers/one", {"memory": "64m"})
    t.eq(http.request("POST", "/api/v1/servers/one/undo").status, 200, "limits are")
    m.api.post("/servers/one/undo")
    t.ok(m.server("one")["quarantined"], "on the socket all of it")


def documented(name):
    """The example of an object in docs/api.md."""
    with open(os.path.join(paths.SRCDIR, "docs", "api.md"), encoding="utf-8") as file:
        text = file.read().split(f"\n## {name}\n")[1]
    return json.loads(text.split("```json")[1].split("```")[0])


def same_keys(t, got, example, where):
    """Objects that are null or empty in `got` cannot be compared; all others must have the same keys in the same order."""
    if isinstance(example, list):
        got, example = (got or [None])[0], (example or [None])[0]
    if not isinstance(got, dict) or not isinstance(example, dict):
        return
    t.eq(list(got), list(example), f"keys of {where}")
    for key in example:
        if key not in ("env", "isolation"):
            same_keys(t, got.get(key), example[key], f"{where}.{key}")


def test_documented_keys(t):
    m = t.mcptop(TWO)
    m.wait_server("one", lambda s: s["usage"])
    m.api.post("/servers/one/kill")
    m.wait_server("one", lambda s: s["state"] == "ready" and s["exit"])
    same_keys(t, m.api.get("/servers/one"), documented("server"), "server")
    same_keys(t, m.api.get("/status"), documented("status"), "status")


def test_status_and_servers(t):
    m = t.mcptop(TWO)
    m.wait_server("one")
    m.wait_server("two")
    status = m.api.get("/status")
    t.eq(status["servers"], {"total": 3, "ready": 2, "starting": 0, "failed": 0, "stopped": 1}, "counts")
    t.ok(status["loop"]["longest_turn_ms"] > 0, "the loop's longest turn")
    t.eq(status["config"]["path"], m.config, "the configuration's path")
    t.eq(status["engine"]["state"], "down", "no engine")
    one = m.api.get("/servers/one")
    t.eq(list(one)[:2], ["name", "state"], "name, then the state")
    t.ok(one["pid"] > 0 and one["container"] is None, "a process on the host")
    t.eq(one["env"], {"MCPTOP_TEST_SERVER": "***"}, "env is masked")
    secret = m.api.get("/servers/off")
    t.has(json.dumps(secret["args"]), r'"--header", "Authorization:\*\*\*", "-e", "PLAIN=\*\*\*"', "so are arguments")
    t.ok("hunter" not in json.dumps(m.api.get("/servers")) + json.dumps(m.api.get("/config")) +
         json.dumps(secret), "no secret is anywhere")
    t.eq(one["calls"]["open"], [], "no open calls")
    t.eq(m.api.get("/servers/off")["state"], "stopped", "a disabled server is stopped")
    t.ok(any(n["what"] == "mode" for n in one["plan"]["notes"]), "the plan says why")
    t.ok(len(m.api.get("/servers/two/tools")["tools"]) > 3, "tools")
    t.eq(m.api.raw("GET", "/servers/off/tools").status, 409, "unknown tools are told")
    result = m.api.post("/tools/call", {"server": "two", "tool": "echo", "arguments": {"text": "hi"}})
    t.eq(result["content"][0]["text"], "hi", "tools/call")


def test_start_stop(t):
    m = t.mcptop(TWO)
    first = m.wait_server("one")["pid"]
    m.api.post("/servers/one/restart")
    t.ok(m.wait_server("one", lambda s: s["state"] == "ready" and s["pid"] != first)["pid"], "restart")
    m.api.post("/servers/one/stop")
    stopped = m.wait_server("one", "stopped")
    t.eq((stopped["wanted"], stopped["pid"], stopped["reason"]), ("down", None, "stopped by user"), "stop")
    m.api.post("/servers/one/start")
    m.wait_server("one")
    t.ok('"enabled"' not in m.read_config().split('"one"')[1].split("}")[0], "start and stop are not written")
    m.api.post("/servers/one/disable")
    m.wait_server("one", "stopped")
    t.eq(json.loads(m.read_config())["mcpServers"][0]["enabled"], False, "disable is")
    m.api.post("/servers/one/enable")
    m.wait_server("one")
    m.api.post("/servers/one/kill")
    t.eq(m.wait_server("one", lambda s: s["exit"] and s["exit"]["signal"] == 9)["exit"]["signal"], 9, "kill")
    m.wait_server("one", timeout=40)


def test_change_and_undo(t):
    text = """{
  // servers
  "mcpServers": [
    { "name": "one", "command": "ECHO", "args": [], /* keep */ "env": {"MCPTOP_TEST_SERVER": "echo"} },
  ]
}
""".replace("ECHO", echo()["command"])
    m = t.mcptop(text)
    m.wait_server("one")
    dry = m.api.patch("/servers/one", {"memory": "1g", "dry_run": True})
    t.has(dry["diff"], r'\+.*"memory_limit": "1g"', "a dry run shows the line")
    t.eq(m.read_config(), text, "and writes nothing")
    done = m.api.patch("/servers/one", {"memory": "1g", "network": "none"})
    t.eq(done["applied"], "none", "nothing to apply to a server on the host")
    after = m.read_config()
    t.has(after, r'"memory_limit": "1g"', "the file has it")
    t.ok("// servers" in after and "/* keep */" in after and after.count("\n") >= text.count("\n"), "comments stay", after)
    t.has(m.server("one")["undo"], "memory_limit", "undo is offered")
    m.api.post("/servers/one/undo")
    t.eq(m.read_config(), text, "undo restores every byte")
    t.eq(m.api.raw("POST", "/servers/one/undo").status, 409, "nothing more to undo")


def test_log_pages(t):
    m = t.mcptop({"mcpServers": [dict(fixture("flood", 1000, 1), name="noisy")]})
    m.wait_server("noisy")
    wait_for(lambda: m.api.get("/servers/noisy/logs?tail=1")["next_seq"] > 1000, 20, "lines")
    page = m.api.get("/servers/noisy/logs?tail=50")
    seqs = [l["seq"] for l in page["lines"]]
    t.eq(len(seqs), 50, "tail")
    t.eq(seqs, list(range(seqs[0], seqs[0] + 50)), "numbers are contiguous")
    older = m.api.get(f"/servers/noisy/logs?before={seqs[0]}&limit=10")["lines"]
    t.eq([l["seq"] for l in older], list(range(seqs[0] - 10, seqs[0])), "paging back")
    newer = m.api.get(f"/servers/noisy/logs?since={older[-1]['seq']}&limit=3")["lines"]
    t.eq([l["seq"] for l in newer], seqs[:3], "paging forward")


def test_follow(t):
    m = t.mcptop({"mcpServers": [dict(fixture("flood", 5000, 1), name="noisy")]})
    m.wait_server("noisy")
    with m.api.http.events("/api/v1/servers/noisy/logs?follow=1&since=0", 30) as events:
        seen = 0
        while seen < 4000:
            name, data = next_event(events, 20)
            if name == "log":
                lines = data["lines"]
                t.need(lines[0]["seq"] == seen + 1, "no line is missing", (seen, lines[0]))
                seen = lines[-1]["seq"]
            elif name == "gap":
                seen = data["to"]
        t.ok(seen >= 4000, "all lines were followed")


def test_screens_get_gaps(t):
    m = t.mcptop({"mcpServers": [dict(fixture("flood", 5000, 1), name="noisy")]})
    m.wait_server("noisy")

    def flooded():
        lines = m.api.get("/servers/noisy/logs?tail=1")["lines"]
        return lines and "flood done" in lines[-1]["text"]
    wait_for(flooded, 20, "the last line of the first flood")
    with m.api.http.events("/events?log=noisy&tail=0", 30) as events:
        next_event(events, 5)
        seen = m.api.get("/servers/noisy/logs?tail=1")["next_seq"] - 1
        first, gaps = seen, 0
        m.api.post("/servers/noisy/restart")
        while seen < first + 5000:
            name, data = next_event(events, 20)
            if name == "gap":
                t.need(data["from"] == seen + 1, "a gap begins after the last line", (seen, data))
                seen, gaps = data["to"], gaps + 1
            elif name == "log":
                t.need(data["lines"][0]["seq"] == seen + 1, "no line is missing untold", (seen, data["lines"][0]))
                seen = data["lines"][-1]["seq"]
        t.ok(gaps > 0, "of a burst the last lines are sent, and what lies before is a gap", gaps)


def test_log_of_a_server_that_was_away(t):
    """Who follows it hears of it again, whether it was there when he came or not."""
    m = t.mcptop({"mcpServers": {"one": fixture("good"), "two": fixture("good")}})
    m.wait_server("one")
    whole = m.read_config()
    fewer = json.loads(whole)
    del fewer["mcpServers"]["one"]

    def lines(events, text):
        while True:
            name, data = next_event(events, 20)
            if name == "log" and data["server"] == "one" and [x for x in data["lines"] if text in x["text"]]:
                return True

    with m.api.http.events("/events?log=one&tail=0", 30) as before:
        next_event(before, 5)
        m.write_config(fewer)
        wait_for(lambda: [s["name"] for s in m.servers()] == ["two"], 20, "one to be gone")
        with m.api.http.events("/events?log=one&tail=0", 30) as between:
            next_event(between, 5)
            m.write_config(whole)
            m.wait_server("one")
            m.api.post("/tools/call", {"server": "one", "tool": "stderr", "arguments": {"text": "here again"}})
            t.ok(lines(before, "here again"), "who followed it before")
            t.ok(lines(between, "here again"), "and who came while it was away")


def test_events(t):
    m = t.mcptop(TWO)
    m.wait_server("one")
    with m.api.http.events("/events?log=one", 30) as events:
        name, hello = next_event(events, 5)
        t.eq(name, "hello", "hello first")
        t.eq([s["name"] for s in hello["servers"]], ["one", "two", "off"], "the whole picture")
        m.api.post("/servers/one/restart")
        states = []
        while not states or states[-1] != "ready":
            name, data = next_event(events, 20)
            if name == "server" and data["name"] == "one":
                states.append(data["state"])
        t.ok("stopping" in states and "initializing" in states, "every state is told", states)
        name = None
        while name != "usage":
            name, data = next_event(events, 10)
        t.ok(all(len(row) == 24 for row in data["servers"]), "usage rows have the documented shape", data)


def test_port_taken(t):
    first = t.mcptop(TWO, listen=True)
    second = t.mcptop({"mcpServers": {}}, listen=f"127.0.0.1:{first.port}", name="2")
    t.has(second.api.get("/status")["listen_error"], "in use", "the second says so, and works on its socket")
    t.has(second.api.get("/status")["listen_error"], r"in use by mcptop \(pid \d+\)", "and by whom")
    first.stop()
    wait_for(lambda: second.api.get("/status")["listen_error"] == "", 15, "the port to be taken over")


def test_names(t):
    m = t.mcptop({"mcpServers": {"../../x": echo(), "a b/ü": echo()}})
    m.wait_server("../../x")
    t.eq(m.api.get("/servers/..%2F..%2Fx")["name"], "../../x", "an encoded slash stays in the name")
    t.eq(m.api.get("/servers/a%20b%2F%C3%BC")["name"], "a b/ü", "and so does UTF-8")


def engine_double(t, rules):
    """A scripted engine: its address, and a function for what it was asked (method, path)."""
    script = t.write("script.json", json.dumps(rules + [{"path": "/events", "stream": ["@hold"]}]))
    double = subprocess.Popen([sys.executable, paths.fixture("engine_double.py"), t.path("s"),
                               script, t.path("asked")], stdout=subprocess.PIPE, text=True)
    t.cleanup(double.wait)
    t.cleanup(double.kill)
    double.stdout.readline()
    return f"unix://{t.path('s')}", lambda: [(r["method"], r["target"]) for r in
                                             map(json.loads, t.read("asked").splitlines())]


def test_removes_labelled_containers_only(t):
    ident = "ab" * 32
    listed = {"Id": ident, "Names": ["/mcpproxy-x-1234"], "Image": "i", "State": "exited",
              "Status": "Exited (0) 1 hour ago", "Created": 1,
              "Labels": {"com.mcpproxy.managed": "true", "com.mcpproxy.server": "x",
                         "com.mcpproxy.instance": "another"}}
    host, asked = engine_double(t, [
        {"path": "/containers/json", "json": [listed]},
        {"method": "DELETE", "path": f"/containers/{ident}", "status": 204}])
    m = t.mcptop({"mcpServers": {}}, docker_host=host)
    wait_for(lambda: m.api.get("/containers")["containers"], 10, "the list")
    for foreign in ("postgres", "cd" * 32, "ab", "..%2Fvolumes%2Fdata"):
        reply = m.api.raw("DELETE", f"/containers/{foreign}")
        t.eq(reply.status, 404, f"{foreign} is not ours to remove")
    t.ok(not any(method == "DELETE" for method, _ in asked()), "and the engine is not asked to")
    t.eq(m.api.raw("DELETE", f"/containers/{ident[:12]}").status, 200, "a labelled one is removed, by its short id too")
    t.ok(any(method == "DELETE" and ident in target for method, target in asked()), "by the whole one")


def test_engine_that_cannot_list(t):
    host, _ = engine_double(t, [
        {"path": "/containers/json", "times": 1, "status": 500, "json": {"message": "out of order"}},
        {"path": "/containers/json", "json": []}])
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {"box": {"command": "npx", "args": ["x"]}}},
                 docker_host=host)
    m.wait_server("box", lambda s: "out of order" in s["reason"])
    m.wait_server("box", lambda s: "engine down" not in s["reason"], timeout=10)
    t.ok(True, "the list is asked for again, and then servers start")


def test_paths_of_any_bytes(t):
    m = t.mcptop(TWO, name="\udcff")
    t.has(m.api.get("/status")["data_dir"], "\ufffd", "a path that is no UTF-8 is shown")
    t.has(m.api.get("/config")["path"], "\ufffd", "wherever it stands")
    t.has(m.api.patch("/servers/one", {"memory": "1g"})["file"], "\ufffd", "in changes too")


def test_log_of_a_server_that_comes_back(t):
    noisy = {"mcpServers": [dict(fixture("flood", 1000, 1), name="noisy")]}
    m = t.mcptop(noisy)
    m.wait_server("noisy")
    wait_for(lambda: m.api.get("/servers/noisy/logs?tail=1")["next_seq"] > 1000, 20, "lines")
    with m.api.http.events("/events?log=noisy&tail=1", 30) as events:
        next_event(events, 5)
        m.write_config({"mcpServers": []})
        m.api.post("/config/reload")
        m.write_config(noisy)
        m.api.post("/config/reload")
        first = None
        while first != 1:
            name, data = next_event(events, 20)
            if name == "log":
                first = data["lines"][0]["seq"]
        t.eq(first, 1, "its new log is followed from the first line")


if __name__ == "__main__":
    tap.main(__name__)
