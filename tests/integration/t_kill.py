#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of everything: servers, containers, the view, the supervisor, the warden, both at once. What must be noticed is noticed at once,
what must go on goes on, nothing of ours is left over and nothing of others is touched."""

import json
import os
import signal
import threading
import time

from harness import Mcptop, echo, fixture, limit, paths, proc, stays, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
NOTICED_MS = 250  # the goal is 50; machines that test are loaded


def wrapped(mode, *args, **extra):
    """As `npx` is: a shell that stays the parent of the server proper, which it does not exec."""
    one = fixture(mode, *args, **extra)
    words = " ".join([one["command"], *one["args"]])
    return dict(one, command="sh", args=["-c", f"{words}; code=$?; exit $code"])


def boxed(command=None, args=(), **isolation):
    """The echo server, or another program of busybox, in a container."""
    server = paths.built("echo_server")
    entry = echo(isolation=dict({"mode": "docker", "image": BUSYBOX, "volumes": [f"{server}:{server}:ro"]}, **isolation))
    return dict(entry, args=list(args), **({"command": command} if command else {}))


def config(**servers):
    return {"docker_isolation": {"enabled": False}, "mcpServers": servers}


def family(pid, at_least):
    """The process and all below it, once there are so many."""
    wait_for(lambda: len(proc.tree(pid)) >= at_least, 10, "its children", saw=lambda: proc.tree(pid))
    return [proc.identity(p) for p in [pid, *proc.tree(pid)]]


def gone(t, members, name, timeout=10):
    wait_for(lambda: not [i for i in members if proc.same(i)], timeout, name,
             saw=lambda: [proc.cmdline(i[0]) for i in members if proc.same(i)])
    t.ok(True, name)


def pid_of(client):
    return client.tool("pid")["content"][0]["text"]


def noticed(t, m, name, act, ended, engine=None):
    """Does act() and waits for the event that shows the end; gives the server as it was told then. Of a container the end is what its
    engine says it was: that takes its own time to notice."""
    with m.api.events() as events:
        events.wait(lambda e, d: e == "hello", 10)
        before = m.server(name)
        since = time.time() * 1000 - 5
        start = time.monotonic()
        acting = threading.Thread(target=act)   # it may return later than the event comes
        acting.start()
        _, shown, _ = events.wait(lambda e, d: e == "server" and d["name"] == name and d["exit"] and
                                  d["exit"]["at_wall_ms"] >= since, 10)
        seen = time.monotonic()
        acting.join()
        died = start if engine is None else engine_saw_end(engine, before["container"]["id"]) - time.time() + time.monotonic()
        asked = m.server(name)
    t.ok(asked["exit"] and asked["exit"]["at_wall_ms"] >= since, f"{name}: an answer of the API has it, too", asked["exit"])
    t.ok(seen - died <= NOTICED_MS / 1000, f"{name}: in the event stream {(seen - died) * 1000:.1f} ms after its end")
    t.ok(ended(shown), f"{name}: exit and reason are right", {k: shown[k] for k in ("state", "reason", "exit")})
    again = m.wait_server(name, lambda s: s["state"] == "ready" and s["pid"] != before["pid"], 20)
    t.ok(again["restarts"] == before["restarts"] + 1, f"{name}: restarted once", (before["restarts"], again["restarts"]))
    return shown


def engine_saw_end(engine, ident):
    """The moment of the container's `die` in the engine's own record."""
    def find():
        text = engine.docker.api("GET", "/events", since=int(time.time()) - 30, until=int(time.time()) + 1,
                                 filters={"container": [ident], "event": ["die"]})
        lines = text.splitlines() if isinstance(text, str) else [json.dumps(text)]
        return [json.loads(line)["timeNano"] / 1e9 for line in lines if line]
    return wait_for(find, 5, "the engine's record of the end")[-1]


def by_signal(number):
    return lambda s: s["exit"]["signal"] == number and s["exit"]["code"] == -1 and f"signal {number}" in s["reason"]


def by_status(code):
    return lambda s: s["exit"]["signal"] == 0 and s["exit"]["code"] == code and f"exited {code}" in s["reason"]


# -- servers ---------------------------------------------------------------------------------

@limit(120)
def test_server_on_the_host(t):
    m = t.mcptop(config(plain=fixture("good"), forks=fixture("forks"), sessions=fixture("forks", "SETSID"), wrapper=wrapped("good"),
                        tree=wrapped("forks", "SETSID"), stubborn=wrapped("stubborn"), bystander=fixture("good")))
    size = {"plain": 0, "forks": 4, "sessions": 4, "wrapper": 1, "tree": 5, "stubborn": 1}
    bystander = m.wait_server("bystander")["pid"]
    for name, below in size.items():
        pid = m.wait_server(name)["pid"]
        old = family(pid, below)
        noticed(t, m, name, lambda: proc.kill(pid), by_signal(9))
        gone(t, old, f"{name}: its {below} descendants went with it")
        m.wait_server(name)
    # The server proper dies, and its wrapper tells by its own exit status.
    for name in ("wrapper", "tree"):
        pid = m.server(name)["pid"]
        old = family(pid, size[name])
        noticed(t, m, name, lambda: proc.kill(proc.children(pid)[0]), by_status(137))
        gone(t, old, f"{name}: what its server left is swept")
    t.eq(m.server("bystander")["pid"], bystander, "nobody else was touched")
    m.stop()
    t.eq([proc.cmdline(p) for p in proc.mentioning(m.data_dir)], [], "nothing is left at the end")


def test_open_session(t):
    m = t.mcptop(config(echo=echo()))
    m.wait_server("echo")
    client = m.mcp("echo")
    client.initialize()
    before = pid_of(client)
    pid = m.server("echo")["pid"]
    proc.kill(pid)
    # Until it is dead it may still take a call off its pipe; such a one fails with the cause, because nobody knows what became of it.
    wait_for(lambda: not proc.alive(pid), 5, every=0.0005)
    begin = time.monotonic()
    t.ok(pid_of(client) != before, "the next call is answered by the next process")
    t.ok(time.monotonic() - begin < 0.5, "soon", time.monotonic() - begin)


@limit(60)
def test_server_that_leaves_an_orphan(t):
    """The leader ends by itself; a child that ignores signals holds its pipes."""
    m = t.mcptop(config(orphan=fixture("orphan"), bystander=fixture("good")))
    m.wait_server("bystander")
    one = m.wait_server("orphan", lambda s: s["exit"] and s["restarts"] >= 1)
    t.eq((one["exit"]["code"], one["reason"]), (0, "exited 0"), "its end is known although the pipes are held")
    m.wait_server("orphan", lambda s: s["restarts"] >= 3)
    alive = [p for p in proc.mentioning(t.dir) if "fixture_server.py orphan" in proc.cmdline(p)]
    t.ok(len(alive) <= 2, "the orphans of its runs do not pile up", [proc.cmdline(p) for p in alive])
    m.stop()
    t.eq([proc.cmdline(p) for p in proc.mentioning(t.dir)], [], "nothing is left at the end")


def strangers(t, engine, m, server):
    """What must never be touched: another instance's container of the same server name, one whose name begins alike, and one of a
    program that gives no instance at all."""
    instance = m.api.get("/status")["instance"]
    tag = f"{os.getpid() % 0xffff:04x}"
    labels = {"com.mcpproxy.managed": "true", "com.mcpproxy.server": server}
    made = []
    for name, more in [(f"mcpproxy-{server}-{tag}", {"com.mcpproxy.instance": instance[:-1]}),
                       (f"mcpproxy-{server}-hub-{tag}", {"com.mcpproxy.instance": "0" * 36, "com.mcpproxy.server": f"{server}-hub"}),
                       (f"mcpproxy-{server}-old{tag}", {})]:
        ident = engine.docker.run(BUSYBOX, "sleep", "1000", name=name, labels={**labels, **more})
        t.cleanup(engine.docker.remove, ident)
        made.append((ident, engine.docker.inspect(ident)["State"]["Pid"]))
    return made


def untouched(t, engine, made, when):
    now = [(i, engine.docker.inspect(i)["State"]["Pid"]) for i, _ in made if engine.docker.exists(i)]
    t.eq(now, made, f"other instances' containers stand, {when}")


def ours(engine, m):
    return engine.docker.containers(com_mcpproxy_instance=m.api.get("/status")["instance"])


@limit(150)
def test_containers(t):
    engine = t.engine()
    server = paths.built("echo_server")
    m = t.mcptop(config(git=boxed(), deep=boxed("sh", ["-c", f"sleep 999 & setsid sleep 999 & {server}; exit 9"]),
                        host=fixture("good")), docker_host=engine)
    for name in ("git", "deep", "host"):
        m.wait_server(name, timeout=60)
    instance, host = m.api.get("/status")["instance"], m.server("host")["pid"]
    made = strangers(t, engine, m, "git")
    for name in ("git", "deep"):
        one = m.server(name)["container"]["id"]
        noticed(t, m, name, lambda: engine.docker.kill(one), lambda s: s["exit"]["code"] == 137 and not s["exit"]["oom"],
                engine)
        two = m.wait_server(name, lambda s: s["state"] == "ready" and s["container"]["id"] != one, 30)["container"]["id"]
        shown = noticed(t, m, name, lambda: engine.docker.cli("rm", "-f", two), lambda s: s["reason"], engine)
        t.diag(f"{name}: docker rm -f shows as {shown['reason']!r}, {shown['exit']}")
        m.wait_server(name, lambda s: s["state"] == "ready" and s["container"]["id"] != two, 30)
        wait_for(lambda: not engine.docker.exists(two), 10, "the removed one to be gone")
    # The process itself, from outside the engine: its own view of the end.
    noticed(t, m, "git", lambda: proc.kill(engine.docker.inspect(m.server("git")["container"]["id"])["State"]["Pid"]),
            lambda s: s["exit"]["code"] == 137, engine)
    m.wait_server("git", timeout=30)
    m.api.post("/servers/git/restart")
    m.wait_server("git", timeout=30)
    wait_for(lambda: len(ours(engine, m)) == 2, 15, "one container a server", saw=lambda: ours(engine, m))
    untouched(t, engine, made, "after kills and restarts of their namesake")
    t.eq(m.server("host")["pid"], host, "nor was the server on the host")
    m.stop()
    t.eq(engine.docker.containers(com_mcpproxy_instance=instance), [], "no container of ours is left")
    untouched(t, engine, made, "at the end")


# -- ours ------------------------------------------------------------------------------------

@limit(60)
def test_view(t):
    m = t.mcptop(config(a=fixture("good"), tree=wrapped("forks", "SETSID")))
    pids = {name: m.wait_server(name)["pid"] for name in ("a", "tree")}
    session = m.stdio("a")
    session.initialize()
    before = pid_of(session)
    view = m.view(80, 24)
    view.wait_text("tree")
    proc.kill(view.program_pid())
    t.eq(view.wait_exit(), 128 + 9, "the view is gone")
    t.eq(pid_of(session), before, "calls go on")
    stays(lambda: {name: m.server(name)["pid"] for name in pids} == pids, 1, "the servers' pids")
    t.ok(proc.alive(m.supervisor_pid()), "no server noticed")


def everything(t, engine):
    """One of each kind: alone, wrapped, with sessions of their own, deaf, and two in containers, one of which is deaf, too."""
    deaf = ["-c", "trap '' TERM; " + paths.built("echo_server") + "; while :; do sleep 1; done"]
    m = t.mcptop(config(a=fixture("good"), tree=wrapped("forks", "SETSID"), stubborn=wrapped("stubborn"), box=boxed(),
                        deaf=boxed("sh", deaf)), docker_host=engine)
    for name in ("a", "tree", "stubborn", "box", "deaf"):
        m.wait_server(name, timeout=60)
    old = [one for name, below in (("a", 0), ("tree", 5), ("stubborn", 1)) for one in family(m.server(name)["pid"], below)]
    return m, old, {c["Id"] for c in ours(engine, m)}


def all_back(t, engine, m, containers, sessions):
    for name in ("a", "tree", "stubborn", "box", "deaf"):
        m.wait_server(name, timeout=60)
    t.ok(True, "all servers came back")
    now = wait_for(lambda: len(ours(engine, m)) == 2 and {c["Id"] for c in ours(engine, m)}, 20, "one container a server",
                   saw=lambda: ours(engine, m))
    t.eq(now & containers, set(), "in new containers; the old ones were swept")
    for name, (session, before) in sessions.items():
        after = wait_for(lambda: pid_of(session), 20, f"the open session of {name}")
        t.ok(after != before or name == "box", f"{name}: the open session goes on", (before, after))


def sessions_of(m):
    found = {}
    for name in ("a", "box"):
        session = m.stdio(name)
        session.initialize()
        found[name] = session, pid_of(session)
    return found


def end(t, engine, m, made):
    instance = m.api.get("/status")["instance"]
    m.stop()
    t.eq([proc.cmdline(p) for p in proc.mentioning(m.data_dir) if b"MCPTOP_TEST_SERVER=" in environ(p)], [], "no process is left")
    t.eq(engine.docker.containers(com_mcpproxy_instance=instance), [], "no container of ours is left")
    untouched(t, engine, made, "at the end")


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


@limit(180)
def test_supervisor(t):
    engine = t.engine()
    m, old, containers = everything(t, engine)
    made = strangers(t, engine, m, "box")
    sessions, view, supervisor = sessions_of(m), m.view(100, 30), m.supervisor_pid()
    view.wait_text("stubborn")
    proc.kill(supervisor)
    gone(t, old, "its servers are gone, sessions of their own included")
    wait_for(lambda: m.supervisor_pid() != supervisor, 15, "the warden to start it again")
    t.ok(proc.alive(m.pid), "the warden is the same")
    all_back(t, engine, m, containers, sessions)
    view.wait_text(r"a +\* ready")
    old, supervisor = family(m.server("tree")["pid"], 5), m.supervisor_pid()
    proc.kill(supervisor)
    gone(t, old, "and once more")
    wait_for(lambda: m.supervisor_pid() != supervisor and m.server("tree")["state"] == "ready", 20, "the next one")
    t.eq(m.log().count("started again by the warden: the one before ended by signal 9"), 2, "the log counts them")
    end(t, engine, m, made)


@limit(180)
def test_warden(t):
    engine = t.engine()
    m, old, containers = everything(t, engine)
    made = strangers(t, engine, m, "box")
    sessions, supervisor = sessions_of(m), proc.identity(m.supervisor_pid())
    m.process.kill()
    m.process.wait()
    gone(t, [supervisor], "a supervisor without its warden ends", 25)
    gone(t, old, "and ends its servers in order")
    wait_for(lambda: not [c for c in containers if engine.docker.exists(c)], 10, "its containers to be removed")
    m.start()
    all_back(t, engine, m, containers, sessions)
    end(t, engine, m, made)


@limit(60)
def test_hang_up_and_interrupt(t):
    m = t.mcptop(config(tree=wrapped("forks", "SETSID"), echo=echo()))
    m.wait_server("echo")
    members = family(m.wait_server("tree")["pid"], 5)
    count = m.log().count("mcp_config.json read")
    os.kill(m.supervisor_pid(), signal.SIGHUP)
    wait_for(lambda: m.log().count("mcp_config.json read") > count, 5, "SIGHUP to read the configuration")
    m.process.send_signal(signal.SIGINT)
    m.process.wait(20)
    t.eq(m.process.returncode, 0, "SIGINT ends it in order")
    gone(t, members, "its servers are gone", 2)


@limit(180)
def test_warden_and_supervisor_at_once(t):
    engine = t.engine()
    m, old, containers = everything(t, engine)
    made = strangers(t, engine, m, "box")
    other = Mcptop(t, config(stubborn=wrapped("stubborn")), name="2").start()
    theirs = family(other.wait_server("stubborn")["pid"], 1)
    sessions, direct = sessions_of(m), [proc.identity(m.server(n)["pid"]) for n in ("a", "tree", "stubborn")]
    supervisor = m.supervisor_pid()
    proc.kill(m.pid)
    proc.kill(supervisor)
    m.process.wait()
    gone(t, direct, "the servers' own processes die with the supervisor", 3)
    left = [i for i in old if proc.same(i)]
    t.diag(f"until the next start: {len(left)} processes, {[proc.cmdline(i[0])[-60:] for i in left]}")
    m.start()
    # It kills them before it serves; a busy kernel may take a moment to bury them.
    gone(t, old, "what was left is gone when the next one answers", 2)
    if left:
        # Some of those seen may have ended by themselves, as the end of their input told them.
        t.has(m.log(), r"killed \d+ process(es)? of servers that an earlier supervisor left", "and main.log says so")
    all_back(t, engine, m, containers, sessions)
    t.ok(all(proc.same(i) for i in theirs), "another instance's server of the same name lives")
    end(t, engine, m, made)


if __name__ == "__main__":
    tap.main(__name__)
