#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on the host: states, reasons, back-off, stop, what is left behind, changes of the
configuration."""

import json
import os
import shutil
import signal
import time

from harness import echo, fixture, stays, tap, wait_for
from harness import proc
from harness.mcptop import Mcptop


def states(m, name):
    """The states that main.log tells of, in order."""
    found = []
    for line in m.log().splitlines():
        if f'| {{"server":"{name}"}}' in line and " → " in line:
            found.append(line.split(" → ")[1].split(" |")[0].split(":")[0])
    return found


def test_life(t):
    m = t.mcptop({"mcpServers": [dict(fixture("good"), name="good"),
                                 dict(echo(), name="off", enabled=False)]})
    good = m.wait_server("good")
    t.eq(states(m, "good"), ["starting", "initializing", "ready"], "the states of a start")
    t.ok(good["pid"] > 0 and proc.alive(good["pid"]), "its pid")
    t.eq(os.getsid(good["pid"]), good["pid"], "a session of its own")
    t.ok(good["tool_count"] > 5, "its tools were listed")
    t.eq((m.server("off")["state"], m.server("off")["reason"]),
         ("stopped", "disabled in the configuration"), "a disabled one")
    m.api.post("/servers/good/stop")
    stopped = m.wait_server("good", "stopped")
    t.eq(stopped["reason"], "stopped by user", "the reason of a stop")
    t.ok(not proc.alive(good["pid"]), "the process is gone")
    m.api.post("/servers/good/start")
    t.ok(m.wait_server("good")["pid"] != good["pid"], "started again")
    m.api.post("/servers/off/start")
    m.wait_server("off")
    t.ok('"enabled": false' in m.read_config(), "a start by hand is not written to the file")


def test_ends_and_reasons(t):
    m = t.mcptop({"mcpServers": [
        dict(fixture("exit", 3, "goodbye"), name="exits"), dict(fixture("good"), name="killed"),
        {"name": "absent", "command": "no-such-program-anywhere"},
            dict(fixture("mute"), name="mute", init_timeout="1s"),
        dict(fixture("exit_after_initialize", 7), name="later"),
            {"name": "remote", "url": "http://127.0.0.1:1/"}]})
    one = m.wait_server("exits", lambda s: s["exit"])
    t.eq((one["exit"]["code"], one["reason"]), (3, "exited 3: goodbye"), "an exit status, and its last words")
    t.has(m.log("exits"), r"\| INFO \| stderr \| goodbye", "its last words are in its log")
    t.eq(m.wait_server("later", lambda s: s["exit"])["reason"], "exited 7: cannot go on", "during the handshake")
    absent = m.wait_server("absent", "failed")
    t.has(absent["reason"], "no-such-program-anywhere.*not in PATH", "a program that is not there")
    t.ok(absent["retry_in_ms"] > 30000, "is tried again, slowly", absent)
    mute = m.wait_server("mute", lambda s: "start timeout" in s["reason"])
    t.eq(mute["reason"], "start timeout after 1s: no answer to initialize",
         "a handshake that times out")
    t.has(m.server("remote")["reason"], "remote", "what this version cannot run says so")
    t.eq(m.server("remote")["state"], "failed", "and is failed")
    killed = m.wait_server("killed")
    begin = time.monotonic()
    proc.kill(killed["pid"], signal.SIGKILL)
    shown = m.wait_server("killed", lambda s: s["exit"], 5)
    took = time.monotonic() - begin
    t.eq((shown["exit"]["signal"], shown["exit"]["code"]), (9, -1), "a signal")
    t.ok(took < 0.25, "is shown at once", took)
    t.ok(m.wait_server("killed")["pid"] != killed["pid"], "and its first restart is immediate")
    t.has(m.log("killed"), r"ended: signal 9 \(killed\)", "and in its log")


def test_back_off(t):
    m = t.mcptop({"mcpServers": [dict(fixture("exit", 1), name="dies")]})
    failed = m.wait_server("dies", "failed", 30)
    t.eq(states(m, "dies").count("backing-off"), 3, "three back-offs, then failed")
    t.ok(0 < failed["retry_in_ms"] <= 8000, "a retry is coming all the same", failed["retry_in_ms"])
    runs = failed["restarts"]
    m.api.post("/servers/dies/restart")
    again = m.wait_server("dies", lambda s: s["restarts"] > runs and s["state"] == "backing-off", 5)
    t.ok(again["retry_count"] <= 1, "a key press skips the back-off and begins anew", again)


def test_flaky_recovers(t):
    m = t.mcptop({"mcpServers": [dict(fixture("flaky", t.path("count"), 2), name="flaky")]})
    t.eq(m.wait_server("flaky", timeout=20)["restarts"], 2, "the third start is well")


@tap.limit(90)
def test_stubborn_trees_die(t):
    m = t.mcptop({"mcpServers": [dict(fixture("stubborn"), name="stubborn"),
                                 dict(fixture("forks"), name="forks"),
                                 dict(fixture("forks", "SETSID"), name="sessions"),
                                     dict(fixture("good"), name="bystander")]})
    families = {}
    for name in ("stubborn", "forks", "sessions"):
        pid = m.wait_server(name)["pid"]
        if name != "stubborn":
            wait_for(lambda: len(proc.tree(pid)) >= 4, 5, "its children")
        families[name] = [proc.identity(p) for p in [pid, *proc.tree(pid)]]
    bystander = m.wait_server("bystander")["pid"]
    begin = time.monotonic()
    for name in families:
        m.api.post(f"/servers/{name}/stop")
    for name, family in families.items():
        m.wait_server(name, "stopped", 20)
        wait_for(lambda: not [i for i in family if proc.same(i)], 2, f"all of {name} to be gone")
        t.ok(True, f"{name}: nothing is left")
    t.ok(time.monotonic() - begin < 9, "bounded: 2 s, SIGTERM, 5 s, SIGKILL",
         time.monotonic() - begin)
    m.api.post("/servers/forks/start")
    pid = m.wait_server("forks")["pid"]
    wait_for(lambda: len(proc.tree(pid)) >= 4, 5, "its children")
    family = [proc.identity(p) for p in proc.tree(pid)]
    begin = time.monotonic()
    m.api.post("/servers/forks/kill")
    wait_for(lambda: not [i for i in family if proc.same(i)], 2, "the whole tree to be gone")
    t.ok(m.wait_server("forks")["pid"] != pid, "kill starts it anew")
    t.ok(time.monotonic() - begin < 3, "at once", time.monotonic() - begin)
    leader = m.wait_server("forks")["pid"]
    wait_for(lambda: len(proc.tree(leader)) >= 4, 5, "its children")
    family = [proc.identity(p) for p in proc.tree(leader)]
    proc.kill(leader, signal.SIGKILL)
    wait_for(lambda: not [i for i in family if proc.same(i)], 3, "what it left behind to be swept")
    t.ok(True, "a killed leader's tree is swept")
    t.eq(m.server("bystander")["pid"], bystander, "nobody else was touched")


def test_environment(t):
    m = t.mcptop({"mcpServers": [dict(fixture("good", env={"MINE": "${env:OUTER}",
                                                           "HTTP_PROXY": "http://own"}),
                                                               name="s")]},
                 env={"OUTER": "from outside", "SECRET_TOKEN": "not for servers",
                      "HTTP_PROXY": "http://outer", "LC_ALL": "C.UTF-8"})
    m.wait_server("s")
    client = m.mcp("s")
    client.initialize()
    text = json.dumps(client.tool("env"))
    t.ok("SECRET_TOKEN" not in text, "what is not on the list stays outside")
    t.has(text, "from outside", "its own env, expanded")
    t.ok("http://own" in text and "http://outer" not in text, "its own value wins")
    t.ok("PATH" in text and "HOME" in text and "LC_ALL" in text, "what it needs goes through")
    t.ok("not for servers" not in m.log() and "from outside" not in m.log(), "values are in no log")


def test_strange_names(t):
    m = t.mcptop({"mcpServers": [dict(echo(), name="../../x"), dict(echo(), name="a b/ü")]})
    m.wait_server("../../x")
    m.wait_server("a b/ü")
    m.stop()
    t.eq(sorted(os.listdir(m.log_dir)), ["main.log", "server-.._.._x.log", "server-a_b___.log"],
         "logs stay in their directory")
    t.ok(not [f for f in os.listdir(t.dir) if f.startswith("x") or "server-" in f],
         "nothing above it", os.listdir(t.dir))


def test_configuration(t):
    def config(**more):
        return {"mcpServers": [dict(fixture("good"), name="same"), dict(fixture("good", **more),
            name="changes")]}
    m = t.mcptop(config())
    pids = {name: m.wait_server(name)["pid"] for name in ("same", "changes")}
    os.utime(m.config)
    wait_for(lambda: m.log().count(" read: 2 servers") >= 2, 5, "the touch to be noticed")
    stays(lambda: m.server("changes")["pid"] == pids["changes"], 0.5, "a touch restarts nothing")
    m.write_config(config(env={"X": "1"}))
    m.wait_server("changes", lambda s: s["state"] == "ready" and s["pid"] != pids["changes"])
    t.eq(m.server("same")["pid"], pids["same"], "only what changed was restarted")
    m.write_config('{"mcpServers": [ {"name": "x", ]')
    wait_for(lambda: m.api.get("/status")["config"]["errors"] > 0, 5, "the errors to be shown")
    t.eq((m.server("same")["pid"], len(m.servers())), (pids["same"], 2),
         "a broken file changes nothing")
    m.write_config({"mcpServers": [dict(fixture("good"), name="new"),
                                   dict(fixture("good"), name="same")]})
    m.wait_server("new")
    t.eq([s["name"] for s in m.servers()], ["new", "same"], "the order of the file")
    t.eq(m.server("same")["pid"], pids["same"], "what stayed was not touched")
    t.eq(m.api.get("/status")["config"]["errors"], 0, "no errors any more")


def test_started_with_an_error(t):
    """What is wrong with one server keeps no other from running, and what the file says beside it counts."""
    good = dict(fixture("good"), name="good")
    bad = dict(fixture("good"), name="bad", args="one word")
    m = t.mcptop({"listen": "none", "mcpServers": [bad, good, dict(good), dict(fixture("good"), name="last")]})
    pid = m.wait_server("good")["pid"]
    m.wait_server("last")
    t.eq([s["name"] for s in m.servers()], ["good", "last"], "those without an error run")
    status = m.api.get("/status")
    t.eq((status["config"]["errors"], status["config"]["kept"], status["listen"]), (2, False, ""), "the errors are shown")
    t.has(str(status["config"]["problems"]), "args: must be an array|must be an array", "which")
    t.has(m.cli("set", "good", "enabled=false").stderr, "errors, repair it first", "no change is made beside an error")
    m.write_config({"listen": "none", "mcpServers": [good, dict(bad, args=good["args"])]})
    m.wait_server("bad")
    t.eq(m.server("good")["pid"], pid, "repaired: what ran goes on")
    m.stop()
    m.write_config({"mcpServers": [good], "docker_isolation": {"memory_limit": []}})
    m.start()
    wait_for(lambda: m.api.get("/status")["config"]["errors"], 10, "the error to be shown")
    t.eq(m.servers(), [], "an error that concerns all lets none run")


def test_enable_and_undo(t):
    text = ('{\n  // mine\n  "mcpServers": {\n'
            '    "one": {"command": "sh", "args": ["-c", "cat >/dev/null"]}\n  }\n}\n')
    m = t.mcptop(text)
    m.api.post("/servers/one/disable")
    m.wait_server("one", "stopped")
    t.has(m.read_config(), '"enabled": false', "written")
    t.has(m.read_config(), "// mine", "the comment stays")
    t.eq(m.server("one")["undo"], "enabled true → false", "what undo would take back")
    m.api.post("/servers/one/undo")
    wait_for(lambda: m.server("one")["wanted"] == "up", 5, "it to be wanted again")
    t.eq(m.read_config(), text, "the file is byte for byte what it was")
    t.eq(m.api.raw("POST", "/servers/one/undo").status, 409, "nothing more to undo")
    changed = m.api.patch("/servers/one", {"memory": "1g", "cpus": "2", "dry_run": True})
    t.has(changed["diff"], '\\+.*"memory_limit": "1g"', "a dry run shows the change")
    t.eq(m.read_config(), text, "and makes none")
    m.api.patch("/servers/one", {"memory": "1g", "cpus": "2"})
    t.has(m.read_config(), '"memory_limit": "1g"', "limits are written")
    m.api.post("/servers/one/undo")
    t.eq(m.read_config(), text, "and taken back with the object made for them")
    t.eq(m.api.raw("PATCH", "/servers/one", {"memory": "many"}).status, 400,
         "a bad value is refused")
    t.eq(m.read_config(), text, "before anything is written")


def test_silent(t):
    m = t.mcptop({"mcpServers": [dict(fixture("freeze_after", 1), name="frozen",
                                      health_check_interval="300ms")]})
    first = m.wait_server("frozen")["pid"]
    client = m.mcp("frozen")
    client.initialize()
    client.tool("echo", {"text": "the last answer"})
    m.wait_server("frozen", lambda s: s["state"] == "silent" or s["restarts"], 15)
    t.ok(True, "a ping without an answer is noticed")
    m.wait_server("frozen",
                  lambda s: s["restarts"] >= 1 and s["state"] == "ready" and s["pid"] != first, 20)
    t.has(m.log("frozen"), "restarting: protocol silent", "and it is restarted with the reason")


def test_order_of_stop(t):
    m = t.mcptop({"mcpServers": {"stubborn": fixture("stubborn"),
                                 **{f"s{i}": fixture("good") for i in range(4)}}})
    for name in [s["name"] for s in m.servers()]:
        m.wait_server(name)
    begin = time.monotonic()
    m.process.send_signal(signal.SIGTERM)
    m.process.wait(20)
    t.eq(m.process.returncode, 0, "SIGTERM ends it in order")
    t.ok(time.monotonic() - begin < 9.5, "bounded by the slowest server's grace",
         time.monotonic() - begin)
    t.ok(not os.path.exists(m.socket), "its socket is gone")


def test_one_at_a_time(t):
    m = t.mcptop({"mcpServers": {}})
    other = m.cli("serve", *m.arguments())
    t.eq(other.returncode, 10, "a second one on the same directory ends with 10")
    t.has(other.stderr, r"another supervisor \(pid \d+\)", "and says which is there")
    with open(os.path.join(m.data_dir, "mcptop.lock"), encoding="ascii") as lock:
        t.eq(int(lock.read()), m.supervisor_pid(), "the lock holds its pid")
    for name in ("mcptop.key", "mcptop.lock", "mcptop.instance"):
        t.eq(os.stat(os.path.join(m.data_dir, name)).st_mode & 0o777, 0o600, f"{name} is private")
    t.eq(os.stat(m.data_dir).st_mode & 0o777, 0o700, "the data directory too")
    instance = m.api.get("/status")["instance"]
    m.restart()
    t.eq(m.api.get("/status")["instance"], instance, "the instance id outlives it")


def test_disks_of_the_tree(t):
    """What the server's processes read and wrote, ended ones too; it never falls."""
    data, server = t.path("data"), echo()
    script = f"dd if=/dev/zero of={data} bs=65536 count=48 conv=fsync 2>/dev/null; exec {server['command']}"
    m = t.mcptop({"mcpServers": {"a": dict(server, command="sh", args=["-c", script])}})
    used = m.wait_server("a", lambda s: s["usage"] and s["usage"]["io_write"] >= 48 << 16)["usage"]
    t.ok(used["io_read"] >= 0, "bytes written by a process that has ended count", used)
    t.eq(set(used["pressure"].values()), {-1}, "pressure is a cgroup's, and not known")
    seen = [used["io_write"]]
    wait_for(lambda: seen.append(m.server("a")["usage"]["io_write"]) or len(seen) > 10, 10, every=.1)
    t.eq(seen, sorted(seen), "it never falls")


def test_copied_data_dir(t):
    m = t.mcptop({"mcpServers": {"one": echo()}})
    before = m.wait_server("one")
    copy = Mcptop(t, {"mcpServers": {"one": echo()}}, name="copy")
    for name in ("mcptop.instance", "mcptop.key", "mcptop.place"):
        shutil.copy2(os.path.join(m.data_dir, name), copy.data_dir)
    copy.start()
    copy.wait_server("one")
    t.ok(copy.api.get("/status")["instance"] != m.api.get("/status")["instance"], "a copy is an instance of its own")
    t.eq((m.server("one")["pid"], m.server("one")["restarts"]), (before["pid"], 0), "and kills nobody else's servers")
    t.has(copy.log(), "is a copy of another one", "which is told")
    instance = copy.api.get("/status")["instance"]
    copy.restart()
    t.eq(copy.api.get("/status")["instance"], instance, "once")
    copy.stop()
    moved = os.path.join(t.dir, "moved")
    os.rename(copy.data_dir, moved)
    os.symlink(moved, copy.data_dir)
    copy.start()
    t.eq(copy.api.get("/status")["instance"], instance, "a directory that was moved is the same")


def test_key_that_is_none(t):
    m = t.mcptop({"mcpServers": {}})
    m.stop()
    key = os.path.join(m.data_dir, "mcptop.key")
    with open(key, "w", encoding="ascii") as file:
        file.write("my-own\n")
    done = m.cli("serve", *m.arguments())
    t.ok(done.returncode != 0, "a key that cannot be one is no reason to make another")
    t.has(done.stderr, "mcptop.key does not hold 64 letters.*remove it", "it is told")
    with open(key, encoding="ascii") as file:
        t.eq(file.read(), "my-own\n", "and left as it is")


def test_last_words_on_stdout(t):
    """What is no message is a line of the log, also while it is being stopped, and also without an end of line."""
    stopped = "trap 'echo farewell; exit 0' TERM; while :; do sleep 0.1; done"
    m = t.mcptop({"mcpServers": {
        "half": {"command": "sh", "args": ["-c", "printf 'missing API key'; exit 1"]},
        "late": {"command": "sh", "args": ["-c", stopped]}}})
    m.wait_server("late", "initializing")
    m.api.post("/servers/late/stop")
    m.wait_server("late", "stopped")
    t.has(m.log("late"), r"stdout \| farewell", "what it says when it is told to end")
    wait_for(lambda: "ended: exited 1" in m.log("half"), 20, "the other one to end")
    t.has(m.log("half"), r"(?s)stdout \| missing API key.*ended: exited 1", "half a line comes before the end")


def test_shared_log_is_told(t):
    m = t.mcptop({"mcpServers": {"a b": echo(), "a/b": echo()}})
    t.has(str(m.api.get("/status")["config"]["problems"]), "the same log file as server", "two names, one file")


def test_umask_is_the_users(t):
    mask = t.path("mask")
    script = f"umask > {mask}; exec {echo()['command']}"
    m = t.mcptop({"mcpServers": {"one": {"command": "sh", "args": ["-c", script], "env": echo()["env"]}}},
                 wrapper=["sh", "-c", 'umask 027; exec "$@"', "sh"])
    m.wait_server("one")
    t.eq(t.read("mask").strip(), "0027", "files that a server makes have the user's modes")


if __name__ == "__main__":
    tap.main(__name__)
