#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mcptop test NAME`: a run apart from the running one, its steps and times, the first that fails;
nothing of it is left, and the running server notices nothing."""

import json
import threading

from harness import echo, fixture, paths, proc, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
SERVER = paths.built("echo_server")


def steps(m, name):
    """The exit status, and (name, ok, text) of each step, none of which takes no time."""
    done = m.cli("test", name, "--json", timeout=120)
    found = json.loads(done.stdout)["steps"]
    assert all(s["us"] > 0 and s["ms"] == s["us"] // 1000 for s in found), found
    return done.returncode, [(s["name"], s["ok"], s["text"]) for s in found]


def children(m):
    return sorted(proc.tree(m.supervisor_pid()))


@tap.limit(60)
def test_on_the_host(t):
    m = t.mcptop({"mcpServers": {
        "good": fixture("good"), "early": fixture("exit", 3, "no such flag"),
        "mute": fixture("mute", init_timeout="1s"),
        "slow": fixture("slow_start", 30, init_timeout="40s"),
        "absent": {"command": "no-such-command-here"},
        "rubbish": fixture("invalid_initialize"), "off": echo(enabled=False)}})
    before = m.wait_server("good")
    code, good = steps(m, "good")
    t.eq((code, [s[:2] for s in good]), (0, [("start", True), ("initialize", True), ("tools", True),
                                            ("stop", True)]), "every step of a good one")
    t.has(good[2][2], r"^\d+ tools$", "its tools are counted")
    after = m.server("good")
    t.eq((after["pid"], after["restarts"], after["calls"]["clients"]),
         (before["pid"], 0, 0), "the running one noticed nothing")
    code, early = steps(m, "early")
    t.eq((code, early[-1][:2]), (1, ("initialize", False)), "ends before initialize")
    t.has(early[-1][2], "exited 3", "how it ended")
    t.has(m.cli("test", "early").stdout, "no such flag", "and what it said")
    code, mute = steps(m, "mute")
    t.eq([s[:2] for s in mute], [("start", True), ("initialize", False), ("stop", True)],
         "no answer to initialize")
    code, absent = steps(m, "absent")
    t.has(absent[0][2], "is not in PATH", "a command that is not there")
    code, rubbish = steps(m, "rubbish")
    t.eq((code, rubbish[1][1]), (1, False), "an answer that is none")
    code, off = steps(m, "off")
    t.eq((code, off[2][0]), (0, "tools"), "one that is disabled can be tested")
    t.eq(m.server("off")["state"], "stopped", "and stays as it is")
    m.api.post("/servers/slow/stop")
    m.wait_server("slow", "stopped")
    first = threading.Thread(target=lambda: m.cli("test", "slow", timeout=60))
    family = children(m)
    first.start()
    wait_for(lambda: len(children(m)) > len(family), 10, "the trial to run")
    refused = m.cli("test", "slow")
    t.has(refused.stderr, "under way already", "one at a time")
    m.stop()
    first.join(20)
    t.ok(not first.is_alive(), "the end of mcptop ends a trial")


@tap.limit(60)
def test_who_goes_ends_it(t):
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 50, init_timeout="55s",
                                                 enabled=False)}})
    m.wait_server("slow", "stopped")
    before = children(m)
    connection = m.api.http.connect(10)
    connection.request("POST", "/api/v1/servers/slow/test")
    wait_for(lambda: children(m) != before, 10, "the trial to run")
    connection.close()
    wait_for(lambda: children(m) == before, 10, "its process to be gone",
             saw=lambda: [proc.cmdline(p) for p in children(m)])
    t.ok(True, "a client that goes takes its trial with it")


@tap.limit(120)
def test_in_a_container(t):
    engine = t.engine()
    iso = {"image": BUSYBOX, "volumes": [f"{SERVER}:{SERVER}:ro"], "network_mode": "none"}
    failing = dict(echo(isolation=iso), command="sh", args=["-c", "echo broken >&2; exit 4"])
    missing = echo(isolation=dict(iso, image="localhost:1/no/such:image"))
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": {
        "box": echo(isolation=iso), "failing": failing, "missing": missing}}, docker_host=engine)
    before = m.wait_server("box")
    code, box = steps(m, "box")
    t.eq((code, [s[:2] for s in box]), (0, [("image", True), ("start", True), ("initialize", True),
                                           ("tools", True), ("stop", True)]), "every step")
    took = {s["name"]: s["us"] for s in
            json.loads(m.cli("test", "box", "--json", timeout=60).stdout)["steps"]}
    t.ok(took["start"] > took["image"], "a start takes longer than the look for an image that is here",
         took)
    t.ok(" 0us" not in m.cli("test", "box", timeout=60).stdout, "no step took no time")
    t.eq(m.server("box")["container"]["id"], before["container"]["id"], "the running one stays")
    wait_for(lambda: len(engine.docker.mine(server="box")) == 1, 10, "its container to be gone")
    m.api.post("/servers/failing/stop")
    m.wait_server("failing", "stopped")
    # Others than the one that is kept may be on their way out.
    before = {c["Id"] for c in engine.docker.mine(server="failing")}
    code, failing = steps(m, "failing")
    t.eq((code, failing[-1][:2]), (1, ("initialize", False)), "ends in its container")
    t.has(failing[-1][2], "exited 4", "how")
    wait_for(lambda: len(left := {c["Id"] for c in engine.docker.mine(server="failing")}) <= 1 and left <= before,
             10, "only what the server itself kept to be left", saw=lambda: engine.docker.mine(server="failing"))
    code, missing = steps(m, "missing")
    t.eq((code, missing[0][:2]), (1, ("image", False)), "an image that is not there")


if __name__ == "__main__":
    tap.main(__name__)
