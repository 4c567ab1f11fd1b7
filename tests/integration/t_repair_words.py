#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change says before it is made, and that this is what happens: when it comes into force, what
is not on the host, and how a memory limit grows that is not enough again and again."""

import json
import os

from harness import echo, limit, paths, tap
from harness.find import BUSYBOX, boxed, codes, config, found, repaired, sh


def sentences(change):
    return " ".join(change["changes"])


@limit(120)
def test_when_it_counts(t):
    """A server that does not run is not changed while it runs."""
    engine = t.engine()
    dd = "dd if=/dev/zero of=/dev/null bs=48M count=1 || exit 137; exec $S"
    m = t.mcptop(config(dead=boxed(dd, memory_limit="32m"), up=boxed(memory_limit="64m"),
                        off=dict(boxed(), enabled=False), lazy=dict(boxed(), start="lazy")),
                 docker_host=engine)
    found(t, m, "dead", "MCPX_DOCKER_OOM_KILLED")
    dry = m.api.post("/servers/dead/fix", {"dry_run": True})
    t.has(sentences(dry), "It is not running; it will be started this way now", "one that failed is started")
    t.ok("running container" not in sentences(dry), "and no container is changed", dry["changes"])
    t.eq(dry["applied"], "restart", "as the answer says")
    repaired(t, m, "dead")
    m.wait_server("up")
    ident = m.server("up")["container"]["id"]
    dry = m.api.patch("/servers/up", {"memory": "128m", "dry_run": True})
    t.has(sentences(dry), "The running container is changed without a restart", "one that runs is changed")
    m.api.patch("/servers/up", {"memory": "128m"})
    t.eq(m.server("up")["container"]["id"], ident, "in the same container")
    dry = m.api.patch("/servers/up", {"network": "none", "dry_run": True})
    t.has(sentences(dry), "The server restarts", "or restarts")
    dry = m.api.patch("/servers/off", {"network": "none", "dry_run": True})
    t.has(sentences(dry), "It is stopped: this counts once it is started", "one that is stopped stays so")
    done = m.api.patch("/servers/lazy", {"network": "none"})
    t.has(sentences(done), "It counts when its next call starts it", "one that sleeps goes on sleeping")
    t.eq((done["applied"], m.server("lazy")["state"]), ("none", "stopped"), "as the answer says")


@limit(120)
def test_to_the_host(t):
    """Whether the command is there is looked up before anybody says yes."""
    engine = t.engine()
    folder = t.path("bin")
    os.mkdir(folder)
    os.symlink("/bin/sh", os.path.join(folder, "mine-alone"))
    m = t.mcptop(config(away=echo(command="only-in-the-image", isolation={"image": "nowhere:1"}),
                        own=echo(command="mine-alone", isolation={"image": "nowhere:1"},
                                 env={"PATH": folder}),
                        here=boxed()), docker_host=engine)
    m.wait_server("here")

    def preview(name):
        return sentences(m.api.get(f"/servers/{name}/plan?isolation=none"))

    t.has(preview("away"), "Careful: it would not start on the host: command \"only-in-the-image\" is not "
          "in PATH: install it, or write its full path", "what is missing, and what helps")
    t.ok("Careful" not in preview("own"), "a PATH of its own is the one that counts", preview("own"))
    t.ok("Careful" not in preview("here"), "nothing where it is there", preview("here"))
    dry = m.cli("set", "away", "isolation=none", "--dry-run", check=0)
    t.has(dry.stdout, "would not start on the host: command \"only-in-the-image\"", "the verb says it too")
    image = m.server("away")["plan"]["image"]
    t.eq(image, "nowhere:1", "and nothing was changed")


@limit(120)
def test_a_fix_that_cannot_work(t):
    """Run on the host is no repair where the host has no such command."""
    engine = t.engine()
    docker = engine.docker
    script = t.write("script", "#!/bin/sh\necho 'the input device is not a TTY' >&2\nexit 1\n", 0o755)
    ident = docker.cli("create", BUSYBOX, "true").stdout.strip()
    docker.cli("cp", script, f"{ident}:/bin/only-in-the-image")
    docker.cli("commit", ident, "own-tools:1")
    docker.cli("rm", ident)
    t.cleanup(docker.cli, "rmi", "-f", "own-tools:1")
    m = t.mcptop(config(here=boxed("echo 'the input device is not a TTY' >&2; exit 1"),
                        away=echo(command="only-in-the-image", isolation={"image": "own-tools:1"})),
                 docker_host=engine)
    one = found(t, m, "here", "MCPX_DOCKER_IN_DOCKER")
    t.eq([f["id"] for f in one["fixes"]], ["host"], "sh is on the host")
    one = found(t, m, "away", "MCPX_DOCKER_IN_DOCKER")
    t.eq(one["fixes"], [], "what is not there is no repair")
    t.has(str(one["fix_steps"]), "on the host it would not start either: command \"only-in-the-image\" is not in PATH",
          "and that is said")


@limit(200)
def test_memory_grows(t):
    """From 32 MiB to what takes 300 in three steps, each with its reason."""
    engine = t.engine()
    dd = "dd if=/dev/zero of=/dev/null bs=300M count=1 || exit 137; exec $S"
    m = t.mcptop(config(big=boxed(dd, memory_limit="32m")), docker_host=engine)
    for step, reason in (("32m → 64m", "twice as much is tried"),
                         ("64m → 256m", "killed at 32M, then at 64M: four times as much is tried"),
                         ("256m → 1g", "killed at 32M, then at 64M, then at 256M: four times")):
        one = m.wait_server("big", lambda s: step in str(s["diagnostic"]), timeout=40)["diagnostic"]
        t.eq([f["title"] for f in one["fixes"]], [f"memory_limit {step}"], "the next step")
        t.has(str(one["evidence"]), reason, "and why")
        m.api.post("/servers/big/fix", {})
    m.wait_server("big")
    t.eq(codes(m, "big"), [], "and then it works")


@limit(60)
def test_undo_is_shown(t):
    """What is taken back is seen before, and which way it went is told after."""
    engine = t.engine()
    m = t.mcptop(config(box=boxed(memory_limit="64m")), docker_host=engine)
    m.wait_server("box")
    first = m.read_config()
    m.cli("set", "box", "memory=128m", check=0)
    second = m.read_config()
    dry = m.api.post("/servers/box/undo", {"dry_run": True})
    t.eq(m.read_config(), second, "a dry run writes nothing")
    t.has(dry["diff"], r'-.*"128m".*\n\+.*"64m"', "the diff shows the way back")
    t.has(sentences(dry), "Memory: 128m → 64m. The running container is changed", "and so do the words")
    t.eq(m.server("box")["undo"], "memory_limit 64m → 128m", "it can still be taken back")
    said = m.cli("undo", "box", "--dry-run", check=0)
    t.has(said.stdout, "Memory: 128m → 64m", "the verb shows it")
    t.eq(m.read_config(), second, "and writes nothing")
    refused = m.api.raw("POST", "/servers/box/undo", {"dryrun": True})
    t.eq(refused.status, 400, "what it does not know is an error")
    done = m.api.post("/servers/box/undo")
    t.eq((done["diff"], m.read_config()), (dry["diff"], first), "it does what it showed")
    last = [e for e in json.loads(m.cli("events", "--json", check=0).stdout)["events"] if e["action"] == "taken back"]
    t.eq([e["detail"] for e in last], ["memory_limit 128m → 64m"], "the event has the direction")
    m.cli("set", "--all", "memory=1g", check=0)
    m.cli("undo", "--all", "--dry-run", check=0)
    t.has(m.read_config(), '"1g"', "of all, too, a dry run writes nothing")
    m.cli("undo", "--all", check=0)
    t.ok('"1g"' not in m.read_config(), "and then it is taken back", m.read_config())


@limit(60)
def test_what_a_bad_file_does(t):
    """The banner is true: a file that cannot be read changes nothing, a bad entry only itself."""
    engine = t.engine()
    m = t.mcptop(config(one=boxed(), two=boxed()), docker_host=engine)
    m.wait_server("one")
    view = m.view(80, 24)
    view.wait_text(r"one +\* ready")
    good = m.read_config()
    bad = config(one=boxed(extra_args=["--privilegd"]), two=boxed(), three=boxed())
    m.write_config(bad)
    view.wait_text(r"^ ! config applied, but not: line \d+: extra_args\[0\]: .*  ! shows 1 error$")
    m.wait_server("three")
    t.eq(m.api.get("/status")["config"]["kept"], False, "the others are applied")
    view.send("!")
    view.wait_text("--privilegd")
    m.write_config(good.replace("}", "", 1))
    view.wait_text("^ ! config not applied: line ")
    t.eq(m.api.get("/status")["config"]["kept"], True, "now nothing is")
    t.eq(sorted(s["name"] for s in m.servers()), ["one", "three", "two"], "what was read before holds")
    m.write_config(good)
    view.wait_text("nothing is wrong|findings: 0 errors")
    view.send("q")
    t.eq(view.wait_exit(), 0, "q leaves")


@limit(90)
def test_verbs_point_on(t):
    """A verb that ends badly names the one that helps."""
    engine = t.engine()
    dd = "dd if=/dev/zero of=/dev/null bs=48M count=1 || exit 137; exec $S"
    m = t.mcptop(config(oom=boxed(dd, memory_limit="32m"), own=boxed(extra_args=["--memory", "96m"]),
                        **{"no way": sh("echo lost >&2; exit 3", isolation={"enabled": False})}),
                 docker_host=engine)
    m.wait_server("own")
    found(t, m, "oom", "MCPX_DOCKER_OOM_KILLED")
    said = m.cli("restart", "oom", timeout=40)
    t.eq(said.returncode, 1, "a restart that fails is an error")
    t.has(said.stdout, "`mcptop doctor --fix oom` repairs it: memory_limit 32m → 64m; next try in",
          "and names the repair that is known")
    said = m.cli("restart", "no way", timeout=40)
    t.has(said.stdout, "`mcptop doctor 'no way'` tells what is wrong, `mcptop logs 'no way'` what it said",
          "or where to look")
    said = m.cli("set", "own", "memory=128m")
    t.has(said.stderr, "would still be 96m.*\n.*`mcptop why own` tells every decision", "a refusal, who decided")


if __name__ == "__main__":
    tap.main(__name__)
