#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics as a scraper reads it: a parser of the text format that refuses what Prometheus would, and the figures."""

import json
import os
import re

from harness import echo, fixture, limit, paths, tap, wait_for
from harness.http import Http

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|})')
SUFFIXES = {"summary": ("", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Bad(AssertionError):
    pass


def sample(line):
    """(name, labels, value) of one line."""
    name = NAME.match(line)
    if not name:
        raise Bad(f"no name: {line!r}")
    labels, rest = {}, line[name.end():]
    if rest.startswith("{"):
        at = 1
        while True:
            label = LABEL.match(rest, at)
            if not label or label[1] in labels:
                raise Bad(f"labels: {line!r}")
            labels[label[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[2])
            at = label.end()
            if label[3] == "}":
                break
        rest = rest[at:]
    if not rest.startswith(" "):
        raise Bad(f"no value: {line!r}")
    return name[0], labels, float(rest[1:])


def parse(text):
    """{name: {labels as a frozenset: value}}, and {name: type}. Raises Bad."""
    if not text.endswith("\n"):
        raise Bad("the last line has no end")
    samples, types, helps, closed, current = {}, {}, {}, set(), None
    for line in text.split("\n")[:-1]:
        if line.startswith("# "):
            kind, name, words = line[2:].split(" ", 2)
            if name != current:
                if name in helps or name in types:
                    raise Bad(f"{name} comes in two groups")
                closed.add(current)
                current = name
            {"HELP": helps, "TYPE": types}[kind][name] = words
            if kind == "TYPE" and name in samples:
                raise Bad(f"the type of {name} after its samples")
            continue
        name, labels, value = sample(line)
        if name not in [current + s for s in SUFFIXES[types[current]]]:
            raise Bad(f"{name} in the group of {current}")
        if "quantile" in labels and types[current] != "summary":
            raise Bad(f"a quantile in {name}")
        key = frozenset(labels.items())
        if key in samples.setdefault(name, {}):
            raise Bad(f"twice: {line!r}")
        samples[name][key] = value
    for name, kind in types.items():
        if (kind == "counter") != name.endswith("_total"):
            raise Bad(f"{name} is a {kind}")
        if not helps.get(name):
            raise Bad(f"{name} has no help")
    return samples, types


def scrape(m):
    reply = m.api.http.get("/metrics")
    if reply.status != 200 or not reply.headers["Content-Type"].startswith("text/plain; version=0.0.4"):
        raise Bad(repr(reply))
    return parse(reply.body.decode("utf-8"))


def of(samples, name, **labels):
    return samples.get("mcptop_" + name, {}).get(frozenset(labels.items()))


def test_parser(t):
    """The parser itself must be able to refuse."""
    good = "# HELP a_total h\n# TYPE a_total counter\na_total{x=\"1\"} 1\n"
    t.eq(parse(good)[0], {"a_total": {frozenset({("x", "1")}): 1.0}}, "a counter")
    for text, what in ((good[:-1], "no last newline"), (good + 'a_total{x="1"} 2\n', "a sample twice"),
                       (good.replace("1\"", "1\"\""), "a quote that is not escaped"), (good + "b 1\n", "another group's"),
                       (good.replace("a_total", "a"), "a counter without _total"),
                       (good + good.replace("a_total", "b_total") + good.replace('"1"', '"2"'), "two groups of one name")):
        try:
            parse(text)
            t.ok(False, what)
        except (Bad, ValueError):
            t.ok(True, f"refused: {what}")


def test_figures(t):
    odd = 'o"d\\d \u00fc'
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "dies": fixture("exit", 3), odd: echo(),
                                 "off": echo(enabled=False), "noise": fixture("noise")}})
    for name in ("good", odd, "noise"):
        m.wait_server(name, lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["cpu"] >= 0)
    m.wait_server("dies", lambda s: s["restarts"] >= 1)
    for _ in range(5):
        m.api.post("/tools/call", {"server": "good", "tool": "echo", "arguments": {"text": "x"}})
    m.api.raw("POST", "/tools/call", {"server": "good", "tool": "nosuch", "arguments": {}})
    samples, _ = scrape(m)
    states = {dict(k)["state"]: v for k, v in samples["mcptop_servers"].items()}
    t.eq((states["ready"], states["stopped"], sum(states.values()), len(states)), (3, 1, 5, 9), "servers by state")
    t.eq((of(samples, "server_up", server="good"), of(samples, "server_up", server="off")), (1, 0), "up")
    t.eq((of(samples, "server_wanted", server="dies"), of(samples, "server_wanted", server="off")), (1, 0), "wanted")
    t.ok(of(samples, "server_restarts_total", server="dies") >= 1, "restarts")
    t.eq((of(samples, "server_calls_total", server="good"), of(samples, "server_call_errors_total", server="good")),
         (6, 1), "calls and errors")
    t.eq(of(samples, "server_call_duration_seconds_count", server="good"), 6, "how many were timed")
    p50, p99 = (of(samples, "server_call_duration_seconds", server="good", quantile=q) for q in ("0.5", "0.99"))
    t.ok(0 < p50 <= p99 < 10 and of(samples, "server_call_duration_seconds_sum", server="good") >= p99, "latency in seconds",
         (p50, p99))
    t.eq(of(samples, "server_call_duration_seconds", server="off", quantile="0.5"), None, "none of a server without calls")
    t.eq(of(samples, "server_calls_in_flight", server="good"), 0, "in flight")
    t.ok(of(samples, "server_memory_bytes", server="good") > 1e6 and 0 <= of(samples, "server_cpu_usage_ratio", server="good") < 8,
         "memory and CPU")
    t.eq((of(samples, "server_memory_bytes", server="off"), of(samples, "server_memory_limit_bytes", server="good")),
         (None, None), "what is not known, or not limited, is left out")
    t.ok(of(samples, "server_stray_lines_total", server="noise") > 0, "rubbish on stdout")
    t.eq(of(samples, "server_up", server=odd), 1, "a name that has to be escaped comes back")
    t.eq(of(samples, "engine_up"), 0, "the engine")
    t.ok(of(samples, "loop_longest_turn_seconds") > 0 and of(samples, "loop_turns_total") > 1, "the loop")
    t.eq(of(samples, "log_lines_lost_total"), 0, "lost lines")
    t.eq([of(samples, name) for name in ("config_errors", "config_missing", "listening")], [0, 0, 0], "configuration, listener")
    t.ok(abs(of(samples, "start_time_seconds") * 1000 - m.api.get("/status")["started_wall_ms"]) < 1, "start time, in ms")


def test_in_flight(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good")}})
    m.wait_server("good")
    client = m.stdio("good")
    client.initialize()
    client.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                             "params": {"name": "sleep", "arguments": {"ms": 8000}}}).encode() + b"\n")
    wait_for(lambda: of(scrape(m)[0], "server_calls_in_flight", server="good") == 1, 10, "one in flight")
    t.eq(of(scrape(m)[0], "server_clients", server="good"), 1, "and one client")


def test_counters_only_grow(t):
    m = t.mcptop({"mcpServers": {"noisy": fixture("flood", 2000, 2), "dies": fixture("exit", 1)}})
    m.wait_server("noisy")
    before, types = scrape(m)
    wait_for(lambda: of(scrape(m)[0], "server_log_lines_total", server="noisy") > 2000, 20, "lines of the log")
    m.api.post("/servers/noisy/restart")
    wait_for(lambda: of(scrape(m)[0], "server_log_lines_total", server="noisy") > 5000, 30, "more of them")
    after, _ = scrape(m)
    per_run = ("network", "disk", "ooms")
    shrunk = [(name, key, value, after[name].get(key)) for name, kind in types.items() if kind == "counter"
              for key, value in before.get(name, {}).items()
              if not any(word in name for word in per_run) and after[name].get(key, -1) < value]
    t.eq(shrunk, [], "no counter went back")
    lines, dropped = (of(after, f"server_log_lines{x}_total", server="noisy") for x in ("", "_dropped"))
    t.ok(0 <= dropped < lines, "what fell out of memory is counted", (lines, dropped))


@limit(180)
def test_limits(t):
    engine = t.engine("mcptop-test/busybox")
    server = dict(echo(), isolation={"enabled": True, "image": "mcptop-test/busybox", "memory_limit": "64m",
                                     "cpu_limit": "0.5", "pids_limit": 50,
                                     "volumes": [f"{paths.built('echo_server')}:{paths.built('echo_server')}:ro"]})
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {"box": server}}, docker_host=engine)
    m.wait_server("box", lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0, 60)
    samples, _ = scrape(m)
    t.eq([of(samples, f"server_{x}", server="box") for x in ("memory_limit_bytes", "cpu_limit_ratio", "pids_limit")],
         [64 << 20, 0.5, 50], "limits")
    t.eq(of(samples, "engine_up"), 1, "the engine is up")
    info = [dict(k) for k in samples["mcptop_server_info"]]
    t.eq(info, [{"server": "box", "state": "ready", "mode": "docker", "image": "mcptop-test/busybox"}], "info")


def test_tools(t):
    m = t.mcptop({"mcpServers": {"echo": echo(), "never": echo()}})
    m.wait_server("echo")
    m.wait_server("never")
    for n in range(3):
        m.api.post("/tools/call", {"server": "echo", "tool": "add", "arguments": {"a": n, "b": 1}})
    for n in range(70):
        m.api.raw("POST", "/tools/call", {"server": "echo", "tool": f'no"such\n{n}', "arguments": {}})
    samples, _ = scrape(m)
    t.eq(of(samples, "tool_calls_total", server="echo", tool="add"), 3, "calls of one tool")
    t.eq(of(samples, "tool_calls_total", server="echo", tool=""), 7, "what passes the bound is one series")
    t.eq(len(samples["mcptop_tool_calls_total"]), 65, "bounded, and nothing of a server that nobody calls")
    t.eq(of(samples, "tool_call_duration_seconds_count", server="echo", tool="add"), 3, "all were measured")
    t.eq(of(samples, "tool_calls_in_flight", server="echo", tool="add"), 0, "none in flight")
    t.ok(of(samples, "tool_received_bytes_total", server="echo", tool="add") > 100, "bytes of its answers")


def test_trust(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}}, listen=True)

    def status(headers=None, path="/metrics"):
        return Http(f"tcp://127.0.0.1:{m.port}", 10, headers or {}).get(path).status
    t.eq(status(), 401, "no key")
    t.eq(status({"Authorization": f"Bearer {m.key()}"}), 200, "Bearer, as a scrape job sends it")
    t.eq(status({"Authorization": f"Bearer {m.key()}", "Host": "evil.example"}), 403, "a foreign Host")


def test_documented(t):
    """docs/api.md lists every name that is served, and no other."""
    m = t.mcptop({"mcpServers": {"good": fixture("good", record=True)}})
    m.wait_server("good", lambda s: s["usage"] and s["usage"]["cpu"] >= 0)
    m.api.post("/tools/call", {"server": "good", "tool": "echo", "arguments": {"text": "x"}})
    with open(os.path.join(paths.SRCDIR, "docs", "api.md"), encoding="utf-8") as file:
        text = file.read().split("\n## Metrics\n")[1].split("\n## ")[0]
    own, servers = text.split("`mcptop_server_…`:")
    names = set(re.findall(r"`(mcptop_[a-z_]+)", own)) | {"mcptop_server_" + n for n in
                                                          re.findall(r"`([a-z_]+)(?:\{[a-z,]*\})?`", servers)}
    _, types = scrape(m)
    t.eq(sorted(set(types) - names), [], "every name is documented")
    only_docker = {"cpu_limit_ratio", "cpu_throttled_ratio", "memory_limit_bytes", "ooms_total", "pids_limit", "ping_seconds",
                   "network_receive_bytes_total", "network_transmit_bytes_total", "disk_read_bytes_total",
                   "disk_written_bytes_total", "memory_high_bytes"}
    t.eq(sorted(n for n in names - set(types) if n.removeprefix("mcptop_server_") not in only_docker), [],
         "and nothing else is")


if __name__ == "__main__":
    tap.main(__name__)
