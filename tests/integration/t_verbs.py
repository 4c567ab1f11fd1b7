#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs as scripts and people use them: output, exit status, errors that say what to do."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

from harness import Mcptop, echo, fixture, limit, paths, proc, tap, wait_for

OK, REFUSED, USAGE, NO_SUPERVISOR, NO_SERVER = range(5)


def test_without_supervisor(t):
    m = Mcptop(t, {"mcpServers": {}})
    for verb in (["ls"], ["status"], ["logs", "x"], ["stop", "x"], ["shutdown"]):
        done = m.cli(*verb)
        t.eq(done.returncode, NO_SUPERVISOR, f"{verb[0]}: exit status without a supervisor")
        t.has(done.stderr, "no mcptop supervisor.*mcptop serve", f"{verb[0]} says what to do")
    t.eq(m.cli("version").returncode, OK, "version needs none")
    view = m.cli()
    t.ok(view.returncode == REFUSED and "mcptop ls" in view.stderr, "the view without a terminal says what to use", view)
    t.eq(m.cli("ls").returncode, NO_SUPERVISOR, "and has started none")


def test_usage(t):
    m = Mcptop(t, {"mcpServers": {}})
    for words, says in ((["lss"], 'did you mean "ls"'), (["ls", "--jsn"], "did you mean --json"),
                        (["frobnicate"], "mcptop help"), (["restart"], "NAME"), (["restart", "x", "--all"], "not both"),
                        (["logs"], "needs NAME"), (["logs", "a", "b"], '"b"'), (["ls", "-f"], "takes no --follow"),
                        (["logs", "-n", "ten", "x"], "a number"), (["--json"], "needs a verb")):
        done = m.cli(*words)
        t.eq(done.returncode, USAGE, f"mcptop {' '.join(words)}: exit status")
        t.has(done.stderr, re.escape(says), f"mcptop {' '.join(words)}: says what is wrong")
    for words, says in ((["replay", ""], "takes CALL"), (["tools", ""], "argument 1 is empty"), (["tools", "a", ""], "argument 2 is empty"),
                        (["call", "", "x"], "takes NAME TOOL"), (["logs", ""], "takes NAME"), (["restart", "", "x"], "takes NAME…"),
                        (["set", "", "memory=1g"], "argument 1 is empty"), (["stdio", ""], "takes [NAME]"), (["import", ""], "takes FILE|CLIENT"),
                        (["help", ""], "takes [VERB]"), (["ls", "--socket", ""], "--socket PATH"), (["ls", "--data-dir="], "--data-dir DIR"),
                        (["logs", "-n", "", "x"], "--lines N"),
                        (["serve", "--data-dir", ""], "--data-dir DIR"), (["serve", "--config="], "--config FILE")):
        done = m.cli(*words)
        t.eq(done.returncode, USAGE, f"mcptop {words}: exit status")
        t.has(done.stderr, "is empty .+ variable of the shell", f"mcptop {words}: says what is wrong, and why that may be")
        t.has(done.stderr, re.escape(says), f"mcptop {words}: and what it takes")
    overview = m.cli("help", check=0).stdout
    verbs = re.findall(r"^  ([a-z]+) ", overview.split("verbs:")[1].split("options")[0], re.M)
    t.ok(len(verbs) > 20, "help lists the verbs", verbs)
    for verb in verbs:
        done = m.cli(verb, "--help")
        t.ok(done.returncode == OK and verb in done.stdout, f"{verb} --help", done)
    t.eq(m.cli("--help").stdout, overview, "--help is the same")


def test_long_socket(t):
    m = Mcptop(t, {"mcpServers": {}})
    done = m.cli("ls", "--socket", "/" + "x" * 120)
    t.eq(done.returncode, USAGE, "a socket path that is too long")
    t.has(done.stderr, "107.*--socket", "says the limit")


def test_look(t):
    m = t.mcptop({"mcpServers": {"echo": echo(), "dies": fixture("exit", 3, "goodbye"), "off": echo(enabled=False)}})
    m.wait_server("echo")
    m.wait_server("dies", lambda s: s["exit"])
    table = m.cli("ls", check=0).stdout
    t.has(table, r"^NAME +STATE +WHERE +IMAGE +CPU% +MEM +LIMIT +TOOLS +CALLS +ERR +P95 +RST +UP$", "the columns")
    t.has(table, r"^echo +\* ready +host +- ", "a ready server")
    t.has(table, r"^dies +! (backing-off|failed) .*\n    ended before initialize \(exit 3\): goodbye$", "a failed one, and why")
    t.has(table, r"^off +- stopped ", "a disabled one")
    t.ok("\033" not in table, "no escape sequence off a terminal")
    t.has(m.cli(check=0).stdout, r"^NAME +STATE .*\necho +\* ready ", "mcptop alone is the table, once, off a terminal")
    t.eq([s["name"] for s in json.loads(m.cli("ls", "--json").stdout)["servers"]], ["echo", "dies", "off"], "ls --json")
    t.eq([s["name"] for s in json.loads(m.cli("ls", "--json", "off").stdout)["servers"]], ["off"], "ls --json NAME")
    t.has(m.cli("tools").stderr, r'"dies" are not known: it (has failed|is backing-off)', "of a failed one no tools")
    for word, use in [("list", "`mcptop ls`"), ("tail", "`mcptop logs -f NAME`"), ("remove", "take it out of the config"),
                      ("staus", 'did you mean "status"')]:
        wrong = m.cli(word)
        t.eq(wrong.returncode, USAGE, f"{word} is no verb")
        t.has(wrong.stderr, f'no verb "{word}": {use}', "but there is another word for it")
    wrong = m.cli("ls", "ecko")
    t.eq(wrong.returncode, NO_SERVER, "ls of no server")
    t.has(wrong.stderr, 'did you mean "echo"', "says what was meant")
    status = m.cli("status")
    t.eq(status.returncode, REFUSED, "status tells by its exit status that something failed")
    t.has(status.stdout, r"^supervisor +mcptop .*pid \d+", "status")
    t.eq(json.loads(m.cli("status", "--json").stdout)["pid"], m.supervisor_pid(), "status --json")
    doctor = m.cli("doctor")
    t.eq(doctor.returncode, 2, "doctor tells of an error")
    t.has(doctor.stdout, "^dies: error MCPX_STDIO_EXIT_BEFORE_INITIALIZE\n  .*3", "and names it")
    t.has(m.cli("why", "echo", check=0).stdout, r"^isolated +host: ", "why")
    t.has(m.cli("command", "dies", check=0).stdout, r"fixture_server.py exit 3 goodbye$", "command")
    t.has(m.cli("events", check=0).stdout, r" supervisor +server ", "events")
    t.has(m.cli("ps").stderr, "no Docker engine at .*: start Docker", "ps says that there is no engine")
    t.has(m.cli("containers").stderr, "containers", "and is the one verb for containers")


def test_names_are_foreign(t):
    m = t.mcptop({"mcpServers": {"d\u202ex": fixture("exit", 3)}})
    done = m.cli("restart", "--all")
    t.ok("mcptop logs 'd<202E>x'" in done.stdout and "\u202e" not in done.stdout, "a name is harmless wherever it is printed", done)


def test_broken_config(t):
    m = t.mcptop('{ "mcpServers": { "a": { "command": 5 } } }')
    done = m.cli("ls")
    t.ok(done.returncode == REFUSED and "has an error" in done.stdout, "ls of a configuration that cannot be used", done)


def test_tools_and_calls(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "echo": echo(), "off": echo(enabled=False),
                                 "mute": fixture("mute")}})
    m.wait_server("good")
    m.wait_server("echo")
    t.has(m.cli("tools", "good", check=0).stdout, r"^TOOL +CALLS +ERR +P95 +DESCRIPTION\n(?:.*\n)*echo +0 +- +- +\S", "tools of one")
    every = m.cli("tools", check=0)
    t.has(every.stdout, r"^SERVER +TOOL +CALLS +ERR +P95 +DESCRIPTION\n(?:good .*\n)*good +add +\S", "tools of all")
    t.has(every.stdout, r"\necho +echo +\S", "of the second one too")
    t.has(every.stderr, r'"mute" are not known: it is initializing', "and which are not known")
    t.has(m.cli("call", "good", "echo", "{text:1}").stderr, "are not a JSON object: .+; one is '", "what no JSON is")
    t.ok("\noff " not in every.stdout and '"off"' not in every.stderr, "one that is not wanted is not missed", every)
    listed = json.loads(m.cli("tools", "--json", check=0).stdout)["servers"]
    t.eq([(s["name"], "echo" in [x["name"] for x in s["tools"]]) for s in listed], [("good", True), ("echo", True)],
         "tools --json")
    t.ok("tools" in json.loads(m.cli("tools", "good", "--json", check=0).stdout), "tools NAME --json")
    t.eq(m.cli("tools", "nosuch").returncode, NO_SERVER, "tools of no server")
    t.eq(m.cli("tools", "off").returncode, REFUSED, "tools of one that never ran")
    t.eq(m.cli("call", "good", "add", '{"a":1,"b":2}', check=0).stdout, "3\n", "call")
    t.eq(m.cli("call", "good", "echo", "-", input='{"text":"from stdin"}', check=0).stdout, "from stdin\n", "call … -")
    t.eq(json.loads(m.cli("call", "good", "echo", '{"text":"x"}', "--json", check=0).stdout)["content"][0]["text"], "x",
         "call --json")
    failed = m.cli("call", "good", "echo", '{"text":"it went wrong","fail":true}')
    t.eq((failed.returncode, failed.stdout), (REFUSED, "it went wrong\n"), "a tool that says that it failed")
    t.eq(json.loads(m.cli("call", "good", "echo", '{"structured":{"a":[1]}}', check=0).stdout), {"a": [1]},
         "a result that is structured only")
    t.eq(m.cli("call", "good", "echo", "[1]").returncode, USAGE, "arguments that are no object")
    wrong = m.cli("call", "good", "eco")
    t.eq(wrong.returncode, REFUSED, "a tool that does not exist")
    t.has(wrong.stderr, r'"good" has no tool "eco": did you mean "echo"\? There are: .*\badd\b', "is told which there are")
    t.has(m.cli("tools", "good", check=0).stdout, r"\necho +4 +1 +[\d.]+[um]?s +\S", "tools: how it was used")
    t.eq(m.cli("call", "bad", "echo").returncode, NO_SERVER, "a server that does not exist")


@limit(120)
def test_act(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "echo": echo(), "dies": fixture("exit", 3)}})
    first = m.wait_server("good")["pid"]
    done = m.cli("restart", "good", check=0)
    t.has(done.stdout, r"^good: \* ready \(host\)$", "restart returns when it is ready")
    t.ok(m.server("good")["pid"] != first, "again")
    done = m.cli("restart", "dies")
    t.eq(done.returncode, REFUSED, "restart of one that dies")
    t.has(done.stdout, r"^dies: ! (backing-off|failed): exited 3$", "says why")
    t.eq(m.cli("restart", "nosuch").returncode, NO_SERVER, "restart of no server")
    t.has(m.cli("restart", "god").stderr, 'did you mean "good"', "one that is nearly right")
    done = m.cli("restart", "echo", "nosuch")
    t.eq((done.returncode, "echo: * ready" in done.stdout), (NO_SERVER, True), "the others are restarted all the same")
    t.eq(m.cli("stop", "good", "echo", check=0).stdout.count("- stopped: stopped by user"), 2, "stop")
    t.eq([m.server(n)["state"] for n in ("good", "echo")], ["stopped"] * 2, "has stopped when it returns")
    t.eq(m.cli("stop", "good").returncode, OK, "stop of a stopped one")
    t.eq(m.cli("start", "good", "echo", check=0).stdout.count("* ready"), 2, "start")
    t.eq(m.cli("start", "good").returncode, OK, "start of a started one")
    pid = m.server("good")["pid"]
    m.cli("kill", "good", check=0)
    wait_for(lambda: m.server("good")["state"] == "ready" and m.server("good")["pid"] != pid, 20, "it to come back")
    t.ok(not proc.alive(pid), "kill")
    t.eq(json.loads(m.cli("restart", "echo", "--json", check=0).stdout)["state"], "ready", "restart --json")
    t.ok(m.cli("restart", "good", "--no-wait", check=0).stdout.startswith("good: ~"), "--no-wait does not")
    for _ in range(3):      # answers and events cross: neither may be taken for the end too early or too late
        out = m.cli("disable", "--all", check=0).stdout
        t.eq(len(re.findall("^[a-z]+: - stopped", out, re.M)), 3, "disable --all")
        out = m.cli("enable", "--all").stdout
        t.eq(len(re.findall(r"^[a-z]+: \* ready", out, re.M)), 2, "enable --all")


def test_slow_start(t):
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 20)}})
    done = m.cli("restart", "slow", "--timeout", "1")
    t.eq(done.returncode, REFUSED, "a wait that is too short")
    t.has(done.stderr, "slow is still [a-z]+ after 1 s.*--timeout", "says so")


def test_set_and_undo(t):
    m = t.mcptop('{\n  // mine\n  "mcpServers": {\n    "echo": ' + json.dumps(echo()) + '\n  }\n}\n')
    m.wait_server("echo")
    before = m.read_config()
    dry = m.cli("set", "echo", "memory=1g", "--dry-run", check=0)
    t.has(dry.stdout, r"^  \+.*memory_limit.*1g", "--dry-run shows the change")
    t.eq(m.read_config(), before, "and writes nothing")
    dry = m.cli("set", "echo", "isolation=docker", "--dry-run", "--timeout", "5", check=0)
    t.has(dry.stdout, r"^  \+.*isolation", "nor does it wait for a restart that will not be")
    m.cli("set", "echo", "memory=1g", "network=none", check=0)
    t.has(m.read_config(), r'"memory_limit": ?"1g"', "set writes it")
    t.has(m.read_config(), "// mine", "and leaves the rest")
    t.eq(m.cli("set", "echo", "memory=lots").returncode, REFUSED, "a value that is none")
    t.eq(m.cli("set", "echo", "memroy=1g").returncode, USAGE, "a key that is none")
    t.has(m.cli("set", "echo", "cpus=2", check=0).stdout, "No effect while it runs on the host", "which does not limit it here")
    told = [m.api.patch("/servers/echo", {**change, "dry_run": True})["no_effect"] for change in ({"cpus": "3"}, {"enabled": False})]
    t.eq(told, ["no effect while it runs on the host", ""], "the API has a field for it")
    m.cli("undo", "echo", check=0)
    m.cli("undo", "echo", check=0)
    t.eq(m.read_config(), before, "undo takes it back, byte for byte")
    m.cli("set", "echo", "enabled=false", check=0)
    m.wait_server("echo", "stopped")
    t.ok(True, "enabled=false stops it")
    m.cli("start", "echo", check=0)
    told = m.cli("enable", "echo", check=0).stdout
    t.ok("No effect" not in told, "enable after a start by hand is no change of limits", told)
    t.ok('"enabled": false' not in m.read_config(), "and it is written")


def test_undo_of_what_was_edited_since(t):
    m = t.mcptop({"mcpServers": {"echo": echo(isolation={"memory_limit": "2g"})}})
    m.wait_server("echo")
    m.cli("set", "echo", "memory=3g", check=0)
    before = m.read_config()
    m.write_config(before.replace('"3g"', '"9g"'))
    wait_for(lambda: m.cli("undo", "echo", "--dry-run").returncode == REFUSED, 10, "undo to be refused")
    done = m.cli("undo", "echo")
    t.has(done.stderr, "echo: isolation.memory_limit was changed since", "what somebody wrote since is not taken back")
    t.has(m.read_config(), '"9g"', "and stands")
    m.write_config(before)
    wait_for(lambda: m.cli("undo", "echo").returncode == 0, 10, "undo of what is as mcptop wrote it")
    t.has(m.read_config(), '"memory_limit": ?"2g"', "takes it back")


def test_undo_after_a_restart(t):
    m = t.mcptop({"mcpServers": {"echo": echo(), "other": echo()}})
    m.wait_server("echo")
    before = m.read_config()
    m.cli("set", "echo", "memory=1g", check=0)
    m.cli("set", "echo", "cpus=2", check=0)
    m.cli("set", "other", "enabled=false", check=0)
    store = os.path.join(m.data_dir, "undo.json")
    t.eq(os.stat(store).st_mode & 0o777, 0o600, "what undo needs is its user's alone")
    m.restart()
    m.wait_server("echo")
    t.has(m.cli("undo", "echo", check=0).stdout, "cpu_limit", "the last change is taken back by the next supervisor")
    m.process.kill()
    os.kill(m.supervisor_pid(), signal.SIGKILL)
    m.process.wait()
    m.start()
    m.wait_server("echo")
    m.cli("undo", "echo", check=0)
    m.cli("undo", "other", check=0)
    t.eq(m.read_config(), before, "and all of them by the one after that, byte for byte")
    t.eq(m.cli("undo", "echo").returncode, REFUSED, "what is taken back is not there any more")
    m.cli("set", "echo", "memory=1g", check=0)
    m.stop()
    with open(store, "w") as file:
        file.write('{"config": 7')
    m.start()
    m.wait_server("echo")
    t.has(m.log(), "undo.json is broken: what was changed before this start cannot be taken back", "a broken one is said")
    t.has(m.cli("undo", "echo").stderr, "no change of echo by mcptop", "and nothing is made of it")


@limit(90)
def test_logs(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "noise": fixture("noise")}})
    m.wait_server("good")
    m.wait_server("noise")
    for i in range(20):
        m.cli("call", "good", "stderr", json.dumps({"text": f"line {i}"}))
    lines = m.cli("logs", "good", "-n", "5", check=0).stdout.splitlines()
    t.eq([line[9:] for line in lines], [f"line {i}" for i in range(15, 20)], "logs -n 5")
    t.has(m.cli("logs", "noise", check=0).stdout, r"^\d\d:\d\d:\d\d out\| ", "noise on stdout is marked")
    t.has(m.cli("logs", "good", check=0).stdout, r" mcptop\| ", "the supervisor's own words, too")
    page = json.loads(m.cli("logs", "good", "-n", "3", "--json", check=0).stdout)
    t.eq(len(page["lines"]), 3, "logs --json")
    since = page["lines"][0]["seq"]
    t.eq(m.cli("logs", "good", "--since", str(since), check=0).stdout.count("\n"), 2, "logs --since")
    t.eq(m.cli("logs", "nosuch").returncode, NO_SERVER, "logs of no server")
    t.has(m.cli("logs", "nosuch").stderr, "`mcptop ls` lists them", "and where the names are")
    t.has(m.cli("logs", "godo").stderr, 'did you mean "good"', "one that is nearly right")
    t.eq(m.cli("logs", "-f", "nosuch").returncode, NO_SERVER, "logs -f of no server")

    follow = Follow(t, m, "logs", "-f", "-n", "2", "good")
    wait_for(lambda: len(follow.lines) == 2, 10, "the tail", saw=lambda: follow.lines)
    m.cli("call", "good", "stderr", '{"text":"fresh"}')
    wait_for(lambda: "fresh" in follow.text(), 10, "what follows", saw=follow.text)
    proc.kill(m.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: m.server("good")["state"] == "ready", 20, "it to come back")
    m.cli("call", "good", "stderr", '{"text":"after the restart"}')
    wait_for(lambda: "after the restart" in follow.text(), 10, "logs -f to go on under the next supervisor", saw=follow.text)
    t.eq(follow.text().count("fresh"), 1, "nothing comes twice")


class Follow:
    def __init__(self, t, m, *args):
        self.process = subprocess.Popen([paths.MCPTOP, *args], env=m.env, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        t.cleanup(self.process.kill)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def text(self):
        return "".join(self.lines)


@limit(90)
def test_follow_flood(t):
    """A follower that cannot keep up pages what it missed; what fell out of the ring is counted."""
    m = t.mcptop({"mcpServers": {"flood": fixture("flood", 20000, 2)}})
    follow = Follow(t, m, "logs", "-f", "-n", "0", "--json", "flood")
    m.wait_server("flood")
    wait_for(lambda: settled(m, follow), 40, "the follower to catch up", saw=lambda: follow.lines[-3:])
    expected, wrong, lost = None, [], 0
    for line in follow.lines:
        one = json.loads(line)
        first, last = (one["gap"]["from"], one["gap"]["to"]) if "gap" in one else (one["seq"], one["seq"])
        if expected is not None and first != expected:
            wrong.append((expected, one))
        lost += last - first + 1 if "gap" in one else 0
        expected = last + 1
    t.diag(f"{len(follow.lines)} lines, {lost} told as lost")
    t.eq(wrong[:3], [], "every sequence number is there, or told as lost")
    t.ok(len(follow.lines) > 1000, "and most are there")


def settled(m, follow):
    log = m.server("flood")["log"]
    if log["next_seq"] < 30000 or not follow.lines:
        return False
    last = json.loads(follow.lines[-1])
    return last.get("seq", 0) == m.server("flood")["log"]["next_seq"] - 1


def test_terminal(t):
    """What a server writes cannot reach the terminal as anything but text."""
    m = t.mcptop({"mcpServers": {"binary": fixture("binary"), "dies": fixture("exit", 1)}})
    m.wait_server("binary")
    m.wait_server("dies", lambda s: s["exit"])
    seen = on_terminal(m, "logs", "binary")
    t.ok(len(seen) > 50, "logs on a terminal")
    t.eq(set(re.findall(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", seen)), set(), "have no control characters")
    seen = on_terminal(m, "ls")
    t.eq(re.findall(rb"\x1b(?!\[[0-9;]*m)", seen), [], "ls on a terminal uses colours only")
    t.has(seen.decode(), "\033\\[32m\\* ready\033\\[m", "and it does")
    t.ok(b"\x1b" not in on_terminal(m, "ls", NO_COLOR="1"), "but not with NO_COLOR")
    narrow = on_terminal(m, "ls", columns=60)
    t.ok(max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", narrow.decode()).splitlines()) <= 60, "60 columns are enough",
         narrow)


def test_long_text(t):
    """A tool's description is cut to the terminal in the list, whole when it is asked for; the command is laid out."""
    lines = {"command": "sh", "args": ["-c", "if :\nthen sleep 60\nfi", "a long word of no use"]}
    m = t.mcptop({"mcpServers": {"good": fixture("good", env={"A_VARIABLE": "x", "ANOTHER": "y"}), "lines": lines}})
    m.wait_server("good")
    narrow = on_terminal(m, "tools", "good", columns=60).decode()
    t.ok(max(len(line) for line in narrow.splitlines()) <= 60, "60 columns are enough for the list", narrow)
    t.has(narrow, "announce .*…\n", "and what is cut says so")
    piped = m.cli("tools", "good", check=0).stdout
    t.has(piped, "Sends notifications/tools/list_changed and offers another tool\n", "a pipe gets all")
    one = m.cli("tools", "good", "announce", check=0).stdout
    t.has(one, r"^announce of good\nSends notifications/tools/list_changed and offers another tool\nits arguments:\n\{", "one tool, whole")
    t.eq(json.loads(m.cli("tools", "good", "announce", "--json", check=0).stdout)["name"], "announce", "and as JSON")
    t.eq(m.cli("tools", "good", "no_such").returncode, NO_SERVER, "neither a tool nor a server")
    plain = m.cli("command", "good", check=0).stdout
    laid = on_terminal(m, "command", "good", columns=60).decode()
    t.ok("\n" not in plain.rstrip("\n") and laid.count("\n") > 3, "a line for a pipe, several on a terminal", laid)
    t.eq(laid.replace(" \\\n    ", " "), plain, "of the same words")
    with_notes = on_terminal(m, "command", "good", stderr=subprocess.STDOUT).decode()
    t.has(with_notes, r"not in it: `mcptop command --secrets good` prints them", "a terminal is told of the values")
    t.ok("--secrets" not in on_terminal(m, "command", "lines", stderr=subprocess.STDOUT).decode(), "where there are some")
    t.has(laid, r"(?m)^    A_VARIABLE=\S* \\$", "one variable a line")
    t.eq(on_terminal(m, "command", "lines", columns=60).decode().replace(" \\\n    ", " "), m.cli("command", "lines", check=0).stdout,
         "newlines in quotes stay newlines")
    for text in (plain, laid):
        shown = subprocess.run(["sh", "-c", f"printf '%s|' {text.strip()}"], stdout=subprocess.PIPE, text=True, check=True).stdout
        t.has(shown, r"^env\|-i\|.*fixture_server", "a shell reads it")


def on_terminal(m, *args, columns=120, stderr=subprocess.DEVNULL, **env):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([paths.MCPTOP, *args], env={**m.env, "TERM": "xterm", **env}, stdin=subprocess.DEVNULL,
                               stdout=follower, stderr=follower if stderr == subprocess.STDOUT else stderr)
    os.close(follower)
    seen = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(leader)
    process.wait(10)
    return seen.replace(b"\r\n", b"\n")


def test_output_fails(t):
    m = t.mcptop({"mcpServers": {"echo": echo()}})
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([paths.MCPTOP, "ls"], env=m.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20,
                              check=False)
    t.eq(done.returncode, REFUSED, "output that cannot be written is a failure")
    t.has(done.stderr, "No space left", "that is told")


def test_shutdown(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "stubborn": fixture("stubborn")}})
    m.wait_server("stubborn")
    family = [proc.identity(p) for p in proc.tree(m.pid)]
    t.eq(m.cli("shutdown", check=0, timeout=40).stdout, "stopped 2 servers and the supervisor\n", "it says how many it stopped")
    # The socket goes before the last of its processes does.
    wait_for(lambda: not [i for i in family if proc.same(i)], 5, "nothing to be left",
             saw=lambda: [proc.cmdline(i[0]) for i in family if proc.same(i)])
    t.eq(m.process.wait(10), 0, "and the warden ended with 0")


if __name__ == "__main__":
    tap.main(__name__)
