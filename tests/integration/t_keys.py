#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys pressed in a real terminal, with a real engine: limits, start, stop, kill, an orphan container, search, sizes, --readonly, :shutdown. (Restart,
isolation and undo are in t_real.py.)"""

import difflib
import os
import re

from harness import echo, fixture, limit, paths, proc, stays, tap, wait_for
from harness.proxy import Proxy

BUSYBOX = "mcptop-test/busybox:latest"


def boxed(**isolation):
    server = paths.built("echo_server")
    return echo(isolation=dict({"mode": "docker", "image": BUSYBOX, "volumes": [f"{server}:{server}:ro"]}, **isolation))


def select(view, name):
    """Moves to the row of this name in a list."""
    view.send("g")
    for _ in range(20):
        if re.search(rf"^> {name}\b", view.text(), re.M):
            return
        before = view.text()
        view.send("j")
        wait_for(lambda: view.text() != before, 5, "the selection to move")
    raise AssertionError(f"no row {name}:\n{view.text()}")


def changed(before, after):
    """The lines that differ, as (old, new)."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return [l[1:].strip() for l in lines if l[0] == "-"], [l[1:].strip() for l in lines if l[0] == "+"]


@limit(120)
def test_limits(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"box": boxed(memory_limit="128m", cpu_limit="1.0"), "other": fixture("good")}}, docker_host=engine)
    m.wait_server("box", lambda s: s["state"] == "ready" and s["usage"] and s["usage"]["memory"] > 0, 60)
    ident, before = m.server("box")["container"]["id"], m.read_config()

    def host():
        return engine.docker.inspect(ident)["HostConfig"]

    view = m.view(100, 30)
    view.wait_text(r"box +\* ready +docker")
    select(view, "box")
    view.send("L")
    view.wait_text("limits of box")
    view.send("C-u")
    view.type("256m")
    view.wait_text("memory +256m")
    view.send("Enter")
    wait_for(lambda: host()["Memory"] == 256 << 20, 10, "docker inspect to show it")
    view.wait_gone("limits of box")
    view.wait_text(r"box .*\b256M\b")
    t.eq(changed(before, m.read_config()), (['"memory_limit": "128m",'], ['"memory_limit": "256m",']), "that value of the file changed")
    between = m.read_config()
    view.send("L")
    view.wait_text("limits of box")
    view.send("Tab")
    view.type("0.25")           # in the place of what stood there
    view.wait_text(r"cpus +0\.25")
    view.send("Enter")
    wait_for(lambda: host()["NanoCpus"] == 250_000_000, 10, "docker inspect to show it", saw=host)
    view.wait_gone("limits of box")     # it closes when the engine's answer has come back
    t.eq(changed(between, m.read_config()), (['"cpu_limit": "1.0"'], ['"cpu_limit": "0.25"']), "that value of the file changed")
    view.send("L")
    view.wait_text("limits of box")
    view.send("C-u")
    view.type("rubbish")
    view.send("Enter")
    view.wait_text('"rubbish" is no')
    view.send("Escape")
    view.wait_gone("limits of box")
    view.send("L")
    view.wait_text("limits of box")
    view.send("Tab", "Tab", "Tab", "Space", "Space")
    view.wait_text("weakens: the network is the host's; restarts")
    view.send("Enter")
    view.wait_text("change the limits of box")
    view.wait_text("Careful: the network is the host's, so this container isolates little")
    view.send("n")
    view.wait_gone("change the limits of box")
    t.ok('"host"' not in m.read_config(), "n changes nothing")
    t.eq(m.server("box")["container"]["id"], ident, "all of it in the same container")
    view.send("Enter")
    view.wait_text(r"256M")
    view.send("Escape")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(120)
def test_limits_refused_and_all(t):
    """What the engine refuses becomes a question; ^T takes the suggestion; what all inherit is shown before it changes."""
    engine = t.engine()
    proxy = Proxy(t, engine)
    m = t.mcptop({"docker_isolation": {"enabled": True, "total_memory": "600m"},
                  "mcpServers": {"box": boxed(memory_limit="128m"), "heir": boxed()}}, docker_host=proxy)
    ident = m.wait_server("box")["container"]["id"]
    heir = m.wait_server("heir")["container"]["id"]
    view = m.view(80, 24)
    view.wait_text("come to 640M")
    select(view, "box")
    proxy.refuse("POST", r"/update$", 500, "device or resource busy")
    view.send("L")
    view.wait_text("no suggestion for memory yet: its peak of .* is of less than a minute")
    client = m.mcp("box")
    client.initialize()
    client.tool("alloc", {"mb": 118})
    view.wait_text(r"suggested: memory 192m \(peak .* is 9\d% of the limit\)")
    view.send("C-t", "Enter")
    view.wait_text("change the limits of box")
    view.send("y")
    view.wait_text("restart box with the new limits")
    view.wait_text("device or resource busy")
    t.has(m.read_config(), '"memory_limit": "128m"', "the file is as it was")
    view.send("y")
    m.wait_server("box", lambda s: s["state"] == "ready" and s["container"]["id"] != ident)
    t.has(m.read_config(), '"memory_limit": "192m"', "y restarts it with the suggestion")
    proxy.allow()
    view.wait_gone("restart box")
    view.send("L")
    view.wait_text("limits of box")
    view.send("Tab", "Tab", "Tab", "Tab", "Space")
    view.wait_text("limits of all isolated servers")
    view.send("Tab", "C-u")
    view.type("256m")
    view.wait_text("memory +256m")
    view.send("Enter")
    view.wait_text("Changed while they run: heir")
    view.send("y")
    wait_for(lambda: engine.docker.inspect(heir)["HostConfig"]["Memory"] == 256 << 20, 10, "the heir's limit to change while it runs")
    view.wait_gone("come to 5|come to 6")
    t.ok(True, "and the header has nothing to warn about any more")
    view.send(":")
    view.type("undo *")
    view.send("Enter")
    view.wait_text("take back the last change of all")
    view.send("y")
    wait_for(lambda: engine.docker.inspect(heir)["HostConfig"]["Memory"] == 512 << 20, 10, "it to be taken back")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(90)
def test_start_stop_kill(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"box": boxed(), "host": fixture("forks", "SETSID")}}, docker_host=engine)
    view = m.view(80, 24)
    for name in ("box", "host"):
        old = m.wait_server(name, timeout=60)
        view.wait_text(rf"{name} +\* ready")
        select(view, name)
        tree = [proc.identity(p) for p in [old["pid"], *proc.tree(old["pid"])]]
        view.send("s")
        view.wait_text(f"stop {name}")
        view.send("n")
        view.wait_gone(f"stop {name}\\?")
        t.eq(m.server(name)["pid"], old["pid"], f"{name}: s asks, and n leaves it")
        view.send("s")
        view.wait_text(f"stop {name}")
        view.send("y")
        m.wait_server(name, "stopped")
        view.wait_text(rf"{name} +- stopped")
        t.ok(not [i for i in tree if proc.same(i)], f"{name}: stopped, nothing of it is left")
        view.send("S")
        again = m.wait_server(name, timeout=60)
        view.wait_text(rf"{name} +\* ready")
        view.send("K")
        view.wait_text(f"kill {name}")
        view.send("y")
        m.wait_server(name, lambda s: s["state"] == "ready" and s["pid"] != again["pid"], 60)
        t.ok(not proc.same(proc.identity(again["pid"])) or m.server(name)["pid"] != again["pid"], f"{name}: killed, and started again")
    t.eq(len(engine.docker.containers(com_mcpproxy_instance=m.api.get("/status")["instance"])), 1, "one container")
    view.send("q")
    view.wait_exit()


@limit(90)
def test_orphan_of_another_instance(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"box": boxed()}}, docker_host=engine)
    m.wait_server("box", timeout=60)
    name = f"mcpproxy-lost-{os.getpid() % 0xffff:04x}"
    ident = engine.docker.run(BUSYBOX, "sleep", "1000", name=name, labels={
        "com.mcpproxy.managed": "true", "com.mcpproxy.server": "lost", "com.mcpproxy.instance": "0" * 36})
    t.cleanup(engine.docker.remove, ident)
    view = m.view(100, 24)
    view.wait_text("box +\\* ready")
    view.send("2")
    view.wait_text(name)
    select(view, "box")
    view.send("d")
    stays(lambda: "(default)" not in view.text(), 0.5, "the container of a running server is not offered for removal")
    select(view, "lost")
    view.send("d")
    view.wait_text("another mcptop")
    view.send("n")
    view.wait_gone("another mcptop")
    t.ok(engine.docker.exists(ident), "it asks, and n leaves it")
    view.send("d")
    view.wait_text("another mcptop")
    view.send("y")
    wait_for(lambda: not engine.docker.exists(ident), 20, "y to remove it")
    view.wait_gone(name)
    t.eq(m.server("box")["state"], "ready", "ours runs on")
    view.send("q")
    view.wait_exit()


@limit(60)
def test_log(t):
    m = t.mcptop({"mcpServers": {"talks": echo()}})
    m.wait_server("talks")
    client = m.mcp("talks")
    client.initialize()
    view = m.view(80, 24)
    view.wait_text(r"talks +\* ready")
    client.tool("log", {"lines": 1, "text": "a needle in it"})
    client.tool("log", {"lines": 60, "text": "hay"})
    wait_for(lambda: view.text().count("hay") > 10, 10, "the newest lines", saw=view.text)
    t.ok("needle" not in view.text(), "the old ones have scrolled out", view.text())
    view.send("Tab", "/")
    view.type("needle")
    view.send("Enter")
    view.wait_text("a needle in it")
    view.wait_text("log: talks / needle .*paused")
    t.ok(True, "/ goes to the match, in a paused log")
    client.tool("log", {"lines": 5, "text": "newest"})
    view.wait_text(r"paused, \d+ newer")
    t.ok("a needle in it" in view.text() and "newest" not in view.text(), "which stays where it is", view.text())
    view.send("G")
    view.wait_text("newest")
    view.wait_text("following")
    view.send("f")
    view.wait_text("paused")
    client.tool("log", {"lines": 3, "text": "later"})
    view.wait_text(r"paused, \d+ newer")
    t.ok("later" not in view.text(), "f holds the log", view.text())
    view.send("f")
    view.wait_text("later")
    view.wait_text("following")
    t.ok(True, "and goes on where it is now: nothing was lost")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(90)
def test_sizes(t):
    m = t.mcptop({"mcpServers": {"noisy": echo(args=["--flood", "20", "300", "60"]), **{f"s{i}": echo() for i in range(12)}}})
    m.wait_server("s11")
    view = m.view(80, 24)
    view.wait_text(r"noisy +\* ready")
    for width, height in [(160, 50), (40, 8), (10, 3), (160, 50), (1, 1), (80, 24), (10, 3), (40, 8), (39, 7), (80, 24)]:
        view.resize(width, height)
        if width >= 40 and height >= 8:
            view.wait_text(r"noisy")
        for key in ("j", "2", "Enter", "Escape", "?", "Escape", "L", "Escape", "1", "Tab", "Tab", "g"):
            view.send(key)
        t.eq(view.exit_status(), None, f"{width}x{height}: it runs")
    view.wait_text(r"noisy +\* ready")
    # Storms of sizes, faster than any frame.
    for i in range(60):
        view.resize(20 + (i * 37) % 140, 3 + (i * 13) % 47)
    view.resize(80, 24)
    wait_for(lambda: re.search(r"noisy +\* ready", view.text()) and "? help" in view.capture()[-1], 10, "the whole picture", saw=view.text)
    view.send("q")
    t.eq(view.wait_exit(), 0, "and leaves in order")


@limit(60)
def test_read_only(t):
    m = t.mcptop({"mcpServers": {"a": fixture("good")}})
    pid, config = m.wait_server("a")["pid"], m.read_config()
    view = m.view(80, 24, "--readonly")
    view.wait_text(r"a +\* ready")
    for key in ("r", "s", "S", "x", "L", "K", "u"):
        view.send(key)
        view.wait_text("read only: ")
        t.ok("(default)" not in view.text(), f"{key} does nothing", view.text())
        view.send("y", "Up")
        view.wait_gone("read only: ", 15)
    view.send(":")
    view.type("shutdown")
    view.send("Enter")
    view.wait_text("read only: ")
    t.eq((m.server("a")["pid"], m.read_config()), (pid, config), "nothing was changed")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(60)
def test_shutdown(t):
    engine = t.engine()
    m = t.mcptop({"mcpServers": {"box": boxed(), "host": fixture("forks", "SETSID")}}, docker_host=engine)
    instance = m.api.get("/status")["instance"]
    tree = [proc.identity(p) for p in proc.tree(m.wait_server("host")["pid"])]
    m.wait_server("box", timeout=60)
    view = m.view(80, 24)
    view.wait_text(r"host +\* ready")
    view.send(":")
    view.type("shutdown")
    view.send("Enter")
    view.wait_text("shut down the supervisor")
    view.send("n")
    stays(lambda: m.server("host")["state"] == "ready", 0.5, "n leaves it")
    view.send(":")
    view.type("shutdown")
    view.send("Enter")
    view.wait_text("shut down the supervisor")
    view.send("y")
    t.eq(m.process.wait(30), 0, "the supervisor ended in order")
    t.eq(view.wait_exit(), 0, "and the view with it")
    t.has(view.tmux("capture-pane", "-p", "-S", "-"), "stopped 2 servers and the supervisor", "which says how many")
    t.ok(not [i for i in tree if proc.same(i)], "no process is left")
    t.eq(engine.docker.containers(com_mcpproxy_instance=instance), [], "and no container")


if __name__ == "__main__":
    tap.main(__name__)
