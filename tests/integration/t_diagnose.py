#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of servers on the host, and of the supervisor: each cause is produced for real, gives
exactly one finding with its code, and where there is a fix it leads to `ready`."""

import contextlib
import json
import os
import socket
import subprocess

from harness import Mcptop, echo, fixture, paths, tap, wait_for
from harness.find import codes, found, repaired, sh


@tap.limit(60)
def test_cannot_start(t):
    script, plain, foreign = t.path("noexec.sh"), t.path("plain"), t.path("foreign")
    for path, text, mode in ((script, "#!/bin/sh\nexit 0\n", 0o600), (plain, "no program", 0o700),
                             (foreign, b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xf3\0" +
                              b"\1" * 40, 0o700)):
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
    broken = t.path("broken.sh")
    with open(broken, "w", encoding="ascii") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod(broken, 0o700)
    m = t.mcptop({"mcpServers": {
        "absent": {"command": "no-such-command-here"}, "denied": {"command": script},
        "format": {"command": plain}, "foreign": {"command": foreign},
        "interpreter": {"command": broken},
        "workdir": echo(working_dir=t.path("nowhere")),
        "client": {"command": "podman-remote", "args": ["run", "-i", "--weird", "x"]}}})
    for name, code in (("absent", "MCPX_STDIO_SPAWN_ENOENT"), ("denied", "MCPX_STDIO_SPAWN_EACCES"),
                       ("format", "MCPX_STDIO_SPAWN_EXEC_FORMAT"),
                       ("foreign", "MCPX_STDIO_SPAWN_EXEC_FORMAT"),
                       ("interpreter", "MCPX_STDIO_SPAWN_ENOENT"),
                       ("workdir", "MCPX_STDIO_SPAWN_WORKDIR"),
                       ("client", "MCPX_DOCKER_CLI_NOT_FOUND")):
        one = found(t, m, name, code)
        t.ok(not one["guess"] and one["severity"] == "error", f"{name}: known, not guessed", one)
        t.ok(one["evidence"][0]["text"] and one["fix_steps"], f"{name}: evidence and a step", one)
    absent = found(t, m, "absent", "MCPX_STDIO_SPAWN_ENOENT")
    t.has(absent["user_message"], "is not in PATH: install it, or write its full path$",
          "the sentence names the cause and the next step, and no more")
    t.has(json.dumps(absent["evidence"]), "PATH is .*/bin", "the PATH is evidence")
    t.has(m.log("absent"), "PATH is .*/bin", "and in the log")
    t.has(m.cli("why", "absent", check=0).stdout, r'^last end +never started: command ".*" is not in PATH: ',
          "why: it never started, and why")
    os.chmod(script, 0o700)
    os.makedirs(t.path("nowhere"))
    m.api.post("/servers/workdir/restart")
    m.wait_server("workdir")
    t.eq(codes(m, "workdir"), [], "gone when it is repaired by hand")


@tap.limit(90)
def test_ends_and_silence(t):
    m = t.mcptop({"mcpServers": {
        "early": fixture("exit", 3, "the flag --frobnicate is unknown"),
        "mute": fixture("mute", init_timeout="1s"),
        "invalid": fixture("invalid_initialize"),
        "rubbish": sh("while :; do echo 'Listening on port 3000'; sleep 1; done",
                      init_timeout="2s"),
        "killed": sh("kill -SEGV $$"),
        "noise": fixture("noise")}})
    one = found(t, m, "early", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE")
    t.has(one["user_message"], "frobnicate", "what it said is in the sentence")
    said = [e for e in one["evidence"] if e["what"] == "stderr"][-1]
    lines = m.api.get(f"/servers/early/logs?since={said['seq'] - 1}&limit=1")["lines"]
    t.has(lines[0]["text"], "frobnicate", "and its sequence number leads to the line")
    t.has(str(one["evidence"]), "status 3", "the exit status is evidence")
    one = found(t, m, "mute", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    t.has(one["user_message"], "no answer to initialize", "a handshake that takes too long")
    found(t, m, "invalid", "MCPX_STDIO_HANDSHAKE_INVALID")
    one = found(t, m, "rubbish", "MCPX_STDIO_HANDSHAKE_INVALID")
    t.has(one["user_message"], "Listening on port 3000", "the line that is no MCP is shown")
    found(t, m, "killed", "MCPX_STDIO_KILLED")
    m.wait_server("noise")
    one = found(t, m, "noise", "MCPX_STDIO_STDOUT_NOISE")
    t.eq(one["severity"], "warning", "noise on stdout is a warning")
    m.write_config(m.read_config().replace('"noise"\n', '"good"\n'))
    m.wait_server("noise", lambda s: s["restarts"] and s["state"] == "ready")
    t.eq(codes(m, "noise"), [], "of a run without it nothing is said")


@tap.limit(60)
def test_more_time(t):
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 3, init_timeout="1s")}})
    one = found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    t.eq(one["fixes"][0]["id"], "time", "more time is the fix")
    repaired(t, m, "slow", "time")
    t.has(m.read_config(), '"init_timeout": "120s"', "written")
    m.api.post("/servers/slow/undo")
    t.has(m.read_config(), '"init_timeout": "1s"', "and taken back by undo")


@tap.limit(60)
def test_up_again(t):
    """Up at the second try: what ended the first is still told for a while, in the same words."""
    flag = t.path("tried")
    script = f"[ -e {flag} ] || {{ touch {flag}; sleep 30; }}; exec {paths.built('echo_server')}"
    m = t.mcptop({"mcpServers": {"second": sh(script, init_timeout="1s")}})
    m.wait_server("second")
    one = found(t, m, "second", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    t.has(one["user_message"], "start timeout after 1s", "the sentence")
    t.has(one["evidence"][0]["text"], "start timeout after 1s", "and the evidence")


@tap.limit(60)
def test_repaired_while_it_tries(t):
    """A repair in the middle of a try counts at once: that try's end is not held against the new
    values."""
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 3, init_timeout="2s")}})
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    m.wait_server("slow", "initializing")
    m.api.post("/servers/slow/fix")
    m.wait_server("slow")
    t.eq(codes(m, "slow"), [], "ready, and nothing is left to say")


@tap.limit(60)
def test_long_start(t):
    """What is slow to answer is not well: what it waits for, since when, for how long at most."""
    m = t.mcptop({"mcpServers": {
        "slow": fixture("slow_start", 50, init_timeout="55s"),
        "says": sh("echo fetching parts >&2; echo >&2; echo still at it >&2; exec cat >/dev/null",
                   init_timeout="9s")}})
    m.wait_server("slow", "initializing")
    told = m.cli("doctor", "slow")
    t.eq(told.returncode, 0, "nothing is wrong so far")
    t.has(told.stdout, r"^slow: initializing: it waits for its answer to initialize, for \d+s of at most 55s",
          "but it is not said to be well")
    t.has(told.stdout, "nothing is wrong so far", "in words")
    t.has(m.cli("doctor", check=None).stdout, "^slow: initializing", "nor where all are listed")
    one = found(t, m, "says", "MCPX_STDIO_START_SLOW")
    t.eq(one["severity"], "warning", "a warning: it may still come")
    t.has(one["evidence"][0]["text"], r"^since \d{4}-\d\d-\d\dT.*, for \d+s of at most 9s$", "since when")
    t.eq([e["text"] for e in one["evidence"][1:]], ["fetching parts", "still at it"], "what it said last")
    told = m.cli("doctor", "says")
    t.eq(told.returncode, 1, "a warning")
    t.ok("all is well" not in told.stdout, "and not well", told.stdout)
    found(t, m, "says", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    m.api.post("/servers/slow/stop")


@tap.limit(60)
def test_slow_but_at_work(t):
    """npx takes as long as the network does: what still works is no worry, what stands still is."""
    t.write("bin/npx", '#!/bin/sh\ncase $1 in work) while :; do :; done;; *) sleep 60;; esac\n', 0o755)
    m = t.mcptop({"mcpServers": {name: {"command": "npx", "args": [name], "init_timeout": "15s"}
                                 for name in ("work", "stand")}},
                 env={"PATH": f"{t.path('bin')}:{os.environ['PATH']}"})
    found(t, m, "stand", "MCPX_STDIO_START_SLOW")
    t.eq((m.server("work")["state"], codes(m, "work")), ("initializing", []), "it works: nothing is said")
    found(t, m, "work", "MCPX_STDIO_HANDSHAKE_TIMEOUT")


@tap.limit(60)
def test_loops(t):
    m = t.mcptop({"mcpServers": {"loop": fixture("die_after", 1, 7)}})
    m.wait_server("loop")
    client = m.mcp("loop")
    client.initialize()
    for _ in range(5):
        try:
            client.tool("echo", {"text": "x"}, timeout=30)
        except Exception:
            pass
    one = found(t, m, "loop", "MCPX_STDIO_CRASH_LOOP")
    t.ok(one["times"] >= 1 and one["since_wall_ms"] > 0, "counted", one)


@tap.limit(60)
def test_silence(t):
    m = t.mcptop({"mcpServers": {"quiet": fixture("no_ping", health_check_interval="1s")}})
    m.wait_server("quiet", "silent")
    one = found(t, m, "quiet", "MCPX_STDIO_SILENT")
    t.eq(one["severity"], "warning", "it may be busy: a warning")


@tap.limit(60)
def test_said_on_stderr(t):
    script = ("import sys\nprint('Error: ACME_API_KEY is required', file=sys.stderr)\nsys.exit(1)")
    port = socket.socket()
    port.bind(("127.0.0.1", 0))
    port.listen()
    t.cleanup(port.close)
    listen = (f"import socket; s = socket.socket(); s.bind(('127.0.0.1', {port.getsockname()[1]}))")
    m = t.mcptop({"mcpServers": {
        "empty": {"command": "python3", "args": ["-c", script], "env": {"ACME_API_KEY": ""}},
        "none": {"command": "python3", "args": ["-c", script]},
        "unset": echo(env={"TOKEN": "${env:MCPTOP_NO_SUCH_VARIABLE}"}),
        "port": {"command": "python3", "args": ["-c", listen]},
        "tool": sh("git-of-nowhere clone x"),
        "module": {"command": "python3", "args": ["-c", "import no_such_module_here"]},
        "full": {"command": "python3",
                 "args": ["-c", "import os; os.write(os.open('/dev/full', 1), b'x')"]}}})
    one = found(t, m, "empty", "MCPX_STDIO_ENV_MISSING")
    t.ok(not one["guess"], "an empty value is known", one)
    one = found(t, m, "none", "MCPX_STDIO_ENV_MISSING")
    t.ok(one["guess"], "a name alone is a guess", one)
    t.has(one["fix_steps"][-1], r"\$\{env:ACME_API_KEY\}", "the step can be pasted")
    found(t, m, "unset", "MCPX_CONFIG_ENV_UNSET")
    found(t, m, "port", "MCPX_STDIO_PORT_IN_USE")
    one = found(t, m, "tool", "MCPX_STDIO_TOOL_MISSING")
    t.has(one["user_message"], "git-of-nowhere", "the tool is named")
    one = found(t, m, "module", "MCPX_STDIO_MODULE_MISSING")
    t.has(one["user_message"], "^python3 has no module no_such_module_here$", "which module, of which python")
    found(t, m, "full", "MCPX_DISK_FULL")


def supervisor_codes(m):
    return [f["code"] for f in m.api.get("/diagnostics")["findings"] if not f["server"]]


@tap.limit(60)
def test_supervisor(t):
    m = t.mcptop({"mcpServers": {"one": echo()}}, listen=True)
    m.wait_server("one")
    t.eq(supervisor_codes(m), [], "nothing is wrong")
    good = m.read_config()
    m.write_config('{"mcpServers": [{"name":"a","command":"x"},{"name":"a","command":"y"}]}')
    wait_for(lambda: supervisor_codes(m) == ["MCPX_CONFIG_DUPLICATE_NAME"], 10,
             "the duplicate name", saw=lambda: m.api.get("/diagnostics"))
    m.write_config('{"mcpServers": {"one": {"command": 7}}}')
    wait_for(lambda: supervisor_codes(m) == ["MCPX_CONFIG_ERROR"], 10, "the error of the file",
             saw=lambda: m.api.get("/diagnostics"))
    refused = [f for f in m.api.get("/diagnostics")["findings"] if not f["server"]]
    t.has(json.dumps(refused), "the running configuration stays as it was", "and what runs meanwhile")
    m.write_config(good)
    wait_for(lambda: supervisor_codes(m) == [], 10, "nothing")
    other = socket.socket(socket.AF_UNIX)
    other.bind(os.path.join(m.data_dir, "mcpproxy.sock"))
    other.listen()
    t.cleanup(other.close)
    t.eq(supervisor_codes(m), ["MCPX_OTHER_MCPPROXY"], "a running MCPProxy is seen")
    m.stop()
    os.unlink(os.path.join(m.data_dir, "mcpproxy.sock"))
    taken = socket.socket()
    taken.bind(("127.0.0.1", m.port))
    taken.listen()
    t.cleanup(taken.close)
    m.start()
    one = [f for f in m.api.get("/diagnostics")["findings"]]
    t.eq([f["code"] for f in one], ["MCPX_LISTEN_IN_USE"], "a port that is taken")
    t.has(one[0]["user_message"], "in use by .*: stop it, or change \"listen\"", "names who has it, and the key")


@tap.limit(60)
def test_each_variable_once(t):
    m = t.mcptop({"mcpServers": {"a": echo(env={"A": "${env:NOPE_1}", "B": "${env:NOPE_1} ${env:NOPE_2}"}),
                                 "off": echo(enabled=False, env={"A": "${env:NOPE_3}"})}})
    wait_for(lambda: m.server("a")["finding_count"] == 2, 20, "two findings")
    t.has(m.server("a")["reason"], r"variables NOPE_1 \(line \d+\) and NOPE_2 \(line \d+\) are not set", "the reason names both")
    done = m.cli("doctor")
    t.eq([done.stdout.count(name) for name in ("NOPE_1", "NOPE_2", "NOPE_3")], [1, 1, 1], "doctor tells each once")
    t.eq(done.stdout.count(": error MCPX_CONFIG_ENV_UNSET"), 2, "those of a server that is wanted as findings")
    t.has(done.stdout, "config: warning .*NOPE_3", "that of another as a warning of the file")
    t.eq(m.api.get("/status")["config"]["warnings"], 3, "the file has a warning for each")


@tap.limit(60)
def test_file_not_applied(t):
    spec = {"mcpServers": {"a": echo(), "b": echo(env={"KEY": "${env:NOPE_KEY}"})}}
    m = t.mcptop(spec)
    m.wait_server("a")
    found(t, m, "b", "MCPX_CONFIG_ENV_UNSET")
    text = json.dumps(spec).replace('"b": {"command"', '"b": {"comand"')
    m.write_config(text)
    wait_for(lambda: supervisor_codes(m) == ["MCPX_CONFIG_ERROR"], 10,
             "the error, though its server has a finding already",
             saw=lambda: m.api.get("/diagnostics"))
    t.has(m.cli("doctor").stdout, "MCPX_CONFIG_ERROR", "doctor shows it")
    done = m.cli("restart", "a", check=0)
    t.has(done.stderr, r"mcp_config\.json:1: mcpServers\.b: .*: the file is not applied, what was read before runs",
          "a restart tells that it is of what was read before")
    m.write_config("{")
    wait_for(lambda: "mcpServers" not in m.api.get("/status")["config"]["problems"][0]["key"], 10,
             "the JSON error")
    done = m.cli("set", "a", "memory=1g")
    t.ok(done.returncode and "repair it first" in done.stderr, "nothing is set", done)
    t.ok(": :" not in done.stderr, "and no colon is doubled", done)
    m.write_config(json.dumps(spec))
    wait_for(lambda: supervisor_codes(m) == [], 10, "nothing")
    t.eq(m.cli("restart", "a", check=0).stderr, "", "a good file is not mentioned")


@tap.limit(60)
def test_no_file(t):
    m = t.mcptop({"mcpServers": {"a": echo()}})
    m.stop()
    os.unlink(m.config)
    m.start()
    t.eq(supervisor_codes(m), ["MCPX_CONFIG_MISSING"], "no configuration yet")
    done = m.cli("start", "a")
    t.has(done.stderr, 'no server "a": no configuration yet, .* does not exist', "start says so")
    done = m.cli("ls", check=0)
    t.has(done.stdout, "no configuration yet: .*mcptop import CLIENT", "ls says what to do")
    t.eq(m.cli("doctor").returncode, 1, "a warning")
    config = m.api.get("/status")["config"]
    t.eq([config[k] for k in ("missing", "errors", "warnings", "problems")], [True, 0, 0, []], "and no error of the file")
    done = m.cli("status", check=0)
    t.has(done.stdout, r"config +\S+ does not exist: write it, or `mcptop import CLIENT`", "status says so")
    t.ok("stays" not in done.stdout, "nothing was read before", done)
    metrics = m.api.http.get("/metrics").text
    t.has(metrics, r"(?m)^mcptop_config_errors 0$", "the metric of errors is for errors")
    t.has(metrics, r"(?m)^mcptop_config_missing 1$", "this has its own")
    t.ok(" | ERROR | config " not in m.log(), "nor is it one in main.log", m.log())
    t.has(m.log(), r"WARN \| config \| \S+ does not exist: no servers until it is written", "which tells it")
    done = m.cli("reload")
    t.ok(done.returncode == 1 and "does not exist" in done.stdout, "there is nothing to read again", done)
    m.write_config("{")
    wait_for(lambda: supervisor_codes(m) == ["MCPX_CONFIG_ERROR"], 10, "now it is an error")
    done = m.cli("start", "a")
    t.has(done.stderr, r'no server "a": .* has an error \(`mcptop doctor` shows where\)', "start says where to look")
    m.stop()
    m.write_config(json.dumps({"mcpServers": {"notes": echo(), "notes2": {"comand": "x"}}}))
    m.start()
    m.wait_server("notes")
    done = m.cli("start", "notes2")
    t.has(done.stderr, r'did you mean "notes"\? Or look at .*, it has an error \(`mcptop doctor`',
          "one that was left out for its error is not only a slip of the pen")
    t.eq(m.cli("start", "notes", check=0).stderr, "", "and the others run by this file")


@tap.limit(60)
def test_file_removed(t):
    m = t.mcptop({"mcpServers": {"a": echo()}})
    pid = m.wait_server("a")["pid"]
    text = m.read_config()
    os.unlink(m.config)
    wait_for(lambda: supervisor_codes(m) == ["MCPX_CONFIG_MISSING"], 10, "the removal to be noticed")
    t.has(m.cli("doctor").stdout, "does not exist any more: its servers run until mcptop ends", "doctor says what that means")
    t.has(m.cli("status", check=0).stdout, r"config +\S+ does not exist; the running configuration stays", "and status")
    t.eq(m.api.get("/status")["config"]["errors"], 0, "it is no error of the file")
    t.has(m.cli("set", "a", "memory=1g").stderr, "does not exist any more, put it back first", "nothing can be changed in it")
    t.has(m.cli("start", "b").stderr, r'no server "b" in ', "another name is only not there")
    t.eq(m.server("a")["pid"], pid, "what runs goes on")
    m.write_config(text)
    wait_for(lambda: supervisor_codes(m) == [], 10, "it to be read again")
    t.eq(m.server("a")["pid"], pid, "without a restart")


@tap.limit(60)
def test_log_disk_full(t):
    if os.getuid() != 0:
        raise tap.Skip("mounting needs root")
    small = t.path("small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    t.cleanup(subprocess.run, ["umount", "-l", small])
    loud = f"yes a line of a log | head -40000 >&2; exec {paths.built('echo_server')}"
    m = Mcptop(t, {"mcpServers": {"loud": sh(loud)}})
    m.log_dir = small
    m.start()
    m.wait_server("loud")
    wait_for(lambda: supervisor_codes(m) == ["MCPX_LOG_LOST"], 10, "the loss to be found",
             saw=lambda: m.api.get("/diagnostics"))
    one = m.api.get("/diagnostics")["findings"][0]
    t.has(one["user_message"], rf"\d+ lines could not be written to log files in {small}", "how many, and where")
    t.eq(m.server("loud")["state"], "ready", "the server goes on")
    subprocess.run(["mount", "-o", "remount,size=32m", small], check=True)
    m.api.post("/servers/loud/restart")
    wait_for(lambda: supervisor_codes(m) == [], 10, "nothing to be left to say once there is room",
             saw=lambda: m.api.get("/diagnostics"))
    t.has(m.log("loud"), r"\d+ lines were lost here", "the file says what it lacks")
    m.stop()


@tap.limit(60)
def test_main_log_disk_full(t):
    """The program's own log, where the servers say nothing."""
    if os.getuid() != 0:
        raise tap.Skip("mounting needs root")
    small = t.path("small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
    t.cleanup(subprocess.run, ["umount", "-l", small])
    m = Mcptop(t, {"mcpServers": {"quiet": fixture("good")}})
    m.log_dir = small
    m.start()
    m.wait_server("quiet")
    with open(os.path.join(small, "hog"), "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 512):
            pass

    def restarts():
        m.api.post("/servers/quiet/restart")
        m.wait_server("quiet")
        found_now = m.api.get("/diagnostics")["findings"]
        return [f for f in found_now if any("main.log lacks" in e["text"] for e in f["evidence"])]
    one = wait_for(restarts, 30, "lines of main.log to be lost", saw=lambda: m.api.get("/diagnostics"))[0]
    t.eq((one["code"], one["server"]), ("MCPX_LOG_LOST", ""), "what is lost is found")
    t.has(one["evidence"][0]["text"], rf"^{small}/main.log lacks \d+ lines$", "and whose it is")
    os.unlink(os.path.join(small, "hog"))
    wait_for(lambda: not restarts() and supervisor_codes(m) == [], 30, "nothing to be left once there is room")
    t.has(t.read("small/main.log"), r"\| WARN \| log \| \d+ lines were lost here", "main.log says what it lacks")
    m.stop()


@tap.limit(60)
def test_duplicates(t):
    script = t.path("a-server-of-this-test.py")
    with open(script, "w", encoding="ascii") as file:
        file.write("import sys\nfor _ in sys.stdin: pass\n")
    m = t.mcptop({"mcpServers": {"twice": dict(fixture("good"), args=[
        paths.fixture("fixture_server.py"), "good", script]), "once": fixture("good")}})
    m.wait_server("twice")
    m.wait_server("once")
    t.eq(m.api.get("/diagnostics")["findings"], [], "our own runs do not count")
    entry = m.server("twice")
    client = subprocess.Popen([entry["command"], *entry["args"]], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL)
    t.cleanup(client.kill)
    one = wait_for(lambda: m.api.get("/diagnostics")["findings"], 10, "the second one to be seen")
    t.eq([(f["code"], f["server"]) for f in one], [("MCPX_DUPLICATE_SERVER", "twice")],
         "a client that runs it too")
    t.eq(m.api.get("/diagnostics")["of_supervisor"], 1, "which no server's own findings hold")
    t.has(str(one[0]["evidence"]), f"pid {client.pid}, started by .*pid {os.getpid()}", "which")
    t.has(one[0]["fix_steps"][0], "mcptop stdio twice", "what to do")
    client.kill()
    client.wait()
    wait_for(lambda: m.api.get("/diagnostics")["findings"] == [], 10, "it to be gone")


@tap.limit(60)
def test_no_secret_is_shown(t):
    """A secret of env stays one in a script's text, in what the server says of it, and in the lines
    around a change."""
    secret, plain = "hunter2-of-mine", "a-neighbour-value"
    dies = {"command": "sh", "args": ["-c", f"echo bad key {secret} in file >&2; # {secret}\nexit 3"],
            "env": {"ACME_API_KEY": secret, "PLAIN": plain}}
    slow = dict(fixture("slow_start", 3, init_timeout="1s"))
    slow["env"] = dict(slow["env"], ACME_API_KEY=secret, PLAIN=plain)
    m = t.mcptop({"mcpServers": {"dies": dies, "slow": slow}})
    one = found(t, m, "dies", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE")
    t.has(one["user_message"], r"bad key \*\*\* in file", "what it said is told without it")
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    dry = m.api.post("/servers/slow/fix", {"dry_run": True})
    t.has(dry["diff"], r'\+ .*"init_timeout": "120s"', "the change is shown")
    shown = {
        "its object": json.dumps(m.api.get("/servers/dies")), "the list": json.dumps(m.api.get("/servers")),
        "a dry run": json.dumps(dry), "findings": json.dumps(m.api.get("/diagnostics")),
        "events": json.dumps(m.api.get("/events?limit=200")),
        "main.log": m.log(), **{f"{verb} {name}": "".join([done.stdout, done.stderr])
                                for name in ("dies", "slow") for verb in ("doctor", "why", "test", "command")
                                for done in [m.cli(verb, name, timeout=60)]}}
    for place, text in shown.items():
        t.ok(secret not in text, f"{place} keeps the secret", text)
        t.ok("a dry run" != place or plain not in text, f"{place}: nor a neighbour's value", text)
    t.has(shown["why dies"] + shown["its object"], r"echo bad key \*\*\* in file", "the rest of the script shows")
    t.has(m.read_config(), secret, "in the file it stays")
    t.has(m.log("dies"), f"bad key {secret}", "as in the server's own log, which is as it wrote it")


@tap.limit(60)
def test_fix_api(t):
    m = t.mcptop({"mcpServers": {"well": echo(),
                                 "slow": fixture("slow_start", 3, init_timeout="1s"),
                                 "early": fixture("exit", 3, "no")}}, listen=True)
    m.wait_server("well")
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    text = m.read_config()
    dry = m.api.post("/servers/slow/fix", {"dry_run": True})
    t.has(dry["diff"], r'\+ .*"init_timeout": "120s"', "the diff is shown")
    t.eq(dry["fix"]["id"], "time", "and which fix it is")
    named = {"code": "MCPX_STDIO_HANDSHAKE_TIMEOUT", "fix": "time", "dry_run": True}
    t.eq(m.api.post("/servers/slow/fix", named)["diff"], dry["diff"], "the same by code and id")
    t.eq(m.read_config(), text, "nothing is written by a dry run")
    for path, body, status, words in (
            ("/servers/well/fix", None, 409, "nothing is wrong"),
            ("/servers/slow/fix", {"fix": "magic"}, 409, 'no fix "magic"'),
            ("/servers/slow/fix", {"code": "MCPX_ORPHANS"}, 409, "no fix for MCPX_ORPHANS"),
            ("/servers/slow/fix", {"code": "MCPX_ORPHANS", "fix": "time"}, 409, 'no fix "time"'),
            ("/servers/slow/fix", {"fux": "time"}, 400, "the body may be"),
            ("/servers/early/fix", None, 409, "only you can repair")):
        if path.startswith("/servers/early"):
            found(t, m, "early", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE")
        reply = m.api.raw("POST", path, body)
        t.eq(reply.status, status, f"{path} {body}: {status}")
        t.has(reply.json()["error"], words, "in words")
    t.eq(m.tcp().raw("GET", "/diagnostics").status, 200, "over TCP too")
    with m.api.events() as stream:
        name, data, _ = stream.next()
    listed = json.loads(data)["servers"][1]
    t.eq((name, bool(listed["diagnostic"]), listed["finding_count"]), ("hello", True, 1),
         "the stream's servers carry it, and how many there are")


@tap.limit(60)
def test_two_keys(t):
    """In a real terminal: what is wrong is on the row, F shows the repair, y makes it, u takes it
    back."""
    m = t.mcptop({"mcpServers": {"slow": fixture("slow_start", 2, init_timeout="1s")}})
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    view = m.view(80, 24)
    view.wait_text("start timeout after 1s")
    view.wait_text("F fix: init_timeout 1s → 120s")
    view.send("F")
    view.wait_text("repair slow?")
    view.wait_text('"init_timeout": "120s"')
    view.send("y")
    m.wait_server("slow")
    view.wait_text(r"\* ready")
    t.ok("F fix" not in view.text(), "two keys: F and y, and nothing is left to say", view.text())
    view.send("u")
    view.wait_text("take back the last change")
    view.send("y")
    wait_for(lambda: '"init_timeout": "1s"' in m.read_config(), 10, "undo")
    view.send("q")


@tap.limit(90)
def test_findings_screen(t):
    """`!`: what is wrong with any server and with mcptop itself, the worst first; F repairs the selected
    one; a way back from everywhere."""
    m = t.mcptop({"mcpServers": {"noise": fixture("noise"),
                                 "slow": fixture("slow_start", 2, init_timeout="1s")}})
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    found(t, m, "noise", "MCPX_STDIO_STDOUT_NOISE")
    view = m.view(80, 24)
    view.wait_text(r"· ! 2")
    view.send("5", "!")
    view.wait_text("findings: 1 error, 1 warning")
    view.wait_text(r"^> ! noise  warning MCPX_STDIO_STDOUT_NOISE")
    t.ok(True, "with the one of the server that is selected")
    view.send("g")
    view.wait_text(r"^> ! slow  error MCPX_STDIO_HANDSHAKE_TIMEOUT(.*\n)+  ! noise   +it writes lines to stdout")
    t.ok(True, "all of them, the error first, and what does not fit as a row")
    good = m.read_config()
    m.write_config(good.replace('"slow"', '"slow" "slow"'))
    view.wait_text(r"! mcptop  +line \d+: column \d+: expected")
    view.wait_text(r"· ! 3")
    t.ok(True, "what concerns no server comes up by itself, and counts")
    m.write_config(good)
    view.wait_gone(r"! mcptop  +line \d+")
    view.wait_text(r"^> ! slow  error")
    view.send("F")
    view.wait_text("repair slow?")
    view.wait_text('"init_timeout": "120s"')
    view.send("y")
    m.wait_server("slow")
    view.wait_text("findings: 0 errors, 1 warning")
    view.wait_text(r"^> ! noise ")
    view.send("Enter")
    view.wait_text(r"^ noise  \* ready")
    view.send("Escape")
    view.wait_text(r"^> ! noise ")
    view.send("Escape")
    view.wait_text(r"^  NAME +CLIENTS")
    t.ok(True, "Enter opens the server, Esc leads back, and back to the list it came from")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@tap.limit(60)
def test_doctor_and_why(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "noise": fixture("noise"),
                                 "slow": fixture("slow_start", 2, init_timeout="1s"),
                                 "asked": fixture("good", isolation={"enabled": True})}})
    m.wait_server("good")
    m.wait_server("noise")
    found(t, m, "slow", "MCPX_STDIO_HANDSHAKE_TIMEOUT")
    found(t, m, "noise", "MCPX_STDIO_STDOUT_NOISE")
    for name, code in (("good", 0), ("noise", 1), ("slow", 2)):
        t.eq(m.cli("doctor", name).returncode, code, f"doctor {name}: {code}")
    t.eq(m.cli("doctor").returncode, 2, "the worst of all decides")
    t.eq(m.cli("doctor", "nobody").returncode, 4, "no such server")
    t.has(m.cli("doctor", "good").stdout, "all is well", "where nothing is wrong")
    t.has(m.cli("ls").stdout, r"(?m)^asked .* host !", "ls marks what is not isolated against its wish")
    t.has(m.server("asked")["where_weak"], "isolation.enabled is true", "and why")
    t.eq(m.server("good")["where_weak"], "", "and nothing else")
    for verb, start in (("stop", "start"), ("disable", "enable")):
        m.cli(verb, "good", check=0)
        m.wait_server("good", "stopped")
        t.has(m.cli("doctor", "good", check=0).stdout, rf"^good is {verb[:4]}.*mcptop {start} good$", f"after {verb}: how it starts")
        m.cli(start, "good", check=0)
    told = m.cli("doctor", "slow").stdout
    t.has(told, r"^slow: error MCPX_STDIO_HANDSHAKE_TIMEOUT", "code and severity")
    t.has(told, r"  fix:  init_timeout 1s → 120s", "the fix")
    listed = json.loads(m.cli("doctor", "noise", "--json").stdout)["findings"]
    t.eq([f["code"] for f in listed], ["MCPX_STDIO_STDOUT_NOISE"], "--json, of one server")
    text = m.read_config()
    t.eq(m.cli("doctor", "--fix").returncode, 2, "--fix without a terminal wants --yes")
    t.eq(m.read_config(), text, "and does nothing")
    done = m.cli("doctor", "slow", "--fix", "--yes", timeout=60)
    t.eq(done.returncode, 0, "repaired", )
    t.has(done.stdout, r'\+ .*"init_timeout": "120s"', "it shows what it changes")
    t.has(done.stdout, "slow is ready", "and what became of it")
    why = m.cli("why", "slow", check=0).stdout
    for words in (r"^state +ready", r"^isolated +host: docker_isolation is not set",
                  r"^reach +all your files", r"^env +MCPTOP_TEST_SERVER", r"^if on +It will run in a",
                  r"^lately +\d\d:\d\d:\d\d "):
        t.has(why, words, "why")


@tap.limit(60)
def test_no_alarm_on_the_host(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "echo": echo()}})
    for name in ("good", "echo"):
        m.wait_server(name)
        client = m.mcp(name)
        client.initialize()
        for n in range(50):
            client.tool("echo", {"text": str(n)})
    m.api.post("/servers/good/restart")
    m.wait_server("good")
    m.api.post("/servers/echo/stop")
    m.wait_server("echo", "stopped")
    t.eq(m.api.get("/diagnostics")["findings"], [], "nothing is found where nothing is wrong")


if __name__ == "__main__":
    tap.main(__name__)
