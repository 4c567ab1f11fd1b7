#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images pulled from a registry on loopback: progress, sharing, cancelling, policies, passwords, and
what is said when it fails."""

import base64
import json
import os
import subprocess
import threading
import time

from harness import Api, echo, paths, tap, wait_for
from harness.engine import Engine, unavailable
from harness import images
from harness.find import found, repaired
from harness.registry import PASSWORD, USER, Gate, Registry

MIB = 1 << 20


def boxed(image, **isolation):
    server = paths.built("echo_server")
    iso = {"image": image, "volumes": [f"{server}:{server}:ro"], **isolation}
    return echo(isolation=iso)


def config(**servers):
    return {"docker_isolation": {"enabled": True}, "mcpServers": servers}


def registry_of(t, engine, layers=(MIB,), name="mcptop-test/pulled:1", **kw):
    one = Registry(t)
    return one, one.publish(engine, name, layers=layers, **kw)


def through(gate, registry, image):
    return image.replace(registry.host, gate.host)


def pulls_of(engine, image):
    """How many pulls of the image the engine has told of."""
    now = int(time.time())      # whole seconds: the one that runs is waited for
    events = engine.docker.http.get(f"/v1.41/events?since={now - 600}&until={now + 1}").text
    told = [json.loads(line) for line in events.splitlines()]
    return sum(e.get("status") == "pull" and e["id"] == image for e in told)


def has_image(engine, image):
    return engine.docker.http.get(f"/v1.41/images/{image}/json").status == 200


@tap.limit(120)
def test_progress_and_sharing(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (8 * MIB, 4 * MIB))
    gate = Gate(t, registry, budget=MIB)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    m = t.mcptop(config(a=boxed(image, timeout="5s"), b=boxed(image, timeout="5s"), other=boxed("mcptop-test/busybox:latest")),
                 docker_host=engine)
    with m.api.events() as events:
        events.wait(lambda e, d: e == "hello")
        m.wait_server("other")
        t.ok(True, "a server with another image is ready meanwhile")
        gate.slow(2 * MIB)
        moved = events.wait(lambda e, d: e == "pull" and d["pull"] and d["pull"]["done"] > MIB)[1]
        t.eq((moved["image"], sorted(moved["servers"])), (image, ["a", "b"]), "the event names image and servers")
        pull = moved["pull"]
        t.ok(0 < pull["done"] < pull["total"] and pull["rate"] > 0, "bytes, total and rate", pull)
        t.eq(pull["layers"], 3, "three layers")
        t.eq([len(p) for p in pull["parts"]], [4, 4, 4], "each with id, bytes, total and whether it is complete")
        t.has(pull["text"], r"^layer \d/3 \d+%$", "in words")
        one = m.wait_server("a", "pulling")
        t.eq(list(one["pull"])[:4], ["image", "text", "layer", "layers"], "the server has it too")
        t.has(m.log("a") + m.log("b"), "is not here: pull begins", "the log says so")
        t.has(m.log("a") + m.log("b"), "being pulled already: waiting for that", "and of the second that it waits")
        t.eq(m.api.http.get("/readyz").status, 503, "not ready yet")
        gate.open()
        events.wait(lambda e, d: e == "pull" and d["pull"] is None, 60)
    m.wait_server("a", timeout=60)
    m.wait_server("b", timeout=60)
    t.eq(pulls_of(engine, image), 1, "one pull for both")
    t.eq(len(gate.blobs), len(set(gate.blobs)), "no layer was asked for twice")
    t.eq(m.server("a")["pull"], None, "and it is over")
    t.eq(m.server("a")["restarts"], 0, "no start was given up for the time it took")


@tap.limit(120)
def test_cancel(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (24 * MIB,))
    gate = Gate(t, registry, budget=MIB)
    gate.slow(2 * MIB)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    m = t.mcptop(config(a=boxed(image), b=boxed(image),
                        host=echo(isolation={"enabled": False})), docker_host=engine)

    def pulling(name):
        return m.wait_server(name, lambda s: s["pull"] and s["pull"]["done"] > 0)
    pulling("a")
    m.api.post("/servers/a/stop")
    t.eq(m.wait_server("a", "stopped")["reason"], "stopped by user", "one of two leaves")
    t.ok(m.server("b")["pull"], "the other's pull goes on")
    m.api.post("/servers/b/stop")
    m.wait_server("b", "stopped")
    t.eq(m.server("b")["pull"], None, "the last one takes the pull with him")
    t.has(m.log(), "pull of image .* cancelled: nobody waits", "main.log says so")
    m.api.post("/servers/a/start")
    pulling("a")
    m.api.post("/servers/b/start")
    m.wait_server("b", "pulling")
    gone = m.api.call("DELETE", "/servers/a/pull")
    t.eq((gone["image"], sorted(gone["stopped"])), (image, ["a", "b"]), "cancelled for all")
    for name in ("a", "b"):
        t.has(m.wait_server(name, "stopped")["reason"], "pull of image .* cancelled by user", f"{name} is stopped")
    t.eq(m.api.raw("DELETE", "/servers/a/pull").status, 409, "nothing is left to cancel")
    t.has(m.api.raw("POST", "/servers/host/pull").json()["error"], "runs on the host", "a server without an image")
    t.ok(not has_image(engine, image), "the image is not there")
    gate.open()
    m.api.post("/servers/a/start")
    m.wait_server("a", timeout=60)
    t.ok(True, "started again, it is pulled")


@tap.limit(120)
def test_asked_for(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (24 * MIB,))
    gate = Gate(t, registry, budget=MIB)
    gate.slow(2 * MIB)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    off = dict(boxed(image), enabled=False)
    m = t.mcptop(config(a=off, b=dict(off)), docker_host=engine)
    # A client that goes away wants it no more.
    connection = m.api.http.connect()
    connection.request("POST", "/api/v1/servers/a/pull")
    m.wait_server("a", lambda s: s["pull"] and s["pull"]["done"])
    t.eq(m.server("a")["state"], "stopped", "a stopped server's image is pulled, and it stays stopped")
    connection.close()
    m.wait_server("a", lambda s: not s["pull"])
    t.ok(True, "gone with its client")
    answers = []

    def ask():
        answers.append(Api(f"unix://{m.socket}", timeout=60).raw("POST", "/servers/b/pull"))
    asking = threading.Thread(target=ask)
    asking.start()
    m.wait_server("b", lambda s: s["pull"])
    m.api.call("DELETE", "/servers/b/pull")
    asking.join(20)
    t.eq(answers[0].status, 409, "cancelled under it")
    t.has(answers[0].json()["error"], "was cancelled", "in words")
    gate.open()
    data = m.api.post("/servers/a/pull", timeout=60)
    t.eq((data["image"], data["id"][:7], data["size"] > 24 * MIB), (image, "sha256:", True), "pulled")
    t.ok(has_image(engine, image), "it is there")


@tap.limit(120)
def test_verb(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (2 * MIB, 2 * MIB))
    off = dict(boxed(image), enabled=False)
    m = t.mcptop(config(a=off, b=dict(off), host=echo(isolation={"enabled": False}),
                        none=dict(boxed(image + "-none"), enabled=False)), docker_host=engine)
    done = m.cli("pull", "a", "b", check=0, timeout=60)
    t.has(done.stdout, rf"^{image}: layer \d/3", "lines off a terminal")
    t.eq(done.stdout.splitlines()[-1], f"{image}: pulled", "and its end")
    t.eq(pulls_of(engine, image), 1, "two servers, one pull")
    done = m.cli("pull", "--all", "--json", timeout=60)
    t.eq(done.returncode, 1, "one of them failed")
    first, second = json.loads(done.stdout)
    t.eq((first["image"], first["servers"], first["pulled"]), (image, ["a", "b"], True), "as JSON, by image")
    t.ok(first["id"].startswith("sha256:") and first["size"] > 4 * MIB, "with id and size", first)
    t.has(second["error"], "manifest .*unknown.*Check the name", "and why not")
    t.has(done.stderr, "mcptop: image not found: ", "which people are told on stderr")
    refused = m.cli("pull", "host")
    t.eq(refused.returncode, 1, "a server on the host")
    t.has(refused.stderr, "runs on the host: it has no image", "has none")
    t.eq(m.cli("pull", "nobody").returncode, 4, "no such server")
    t.eq(m.cli("pull").returncode, 2, "no name")


@tap.limit(60)
def test_a_connection_that_breaks(t):
    engine = t.engine()
    registry, image = registry_of(t, engine)
    gate = Gate(t, registry)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    gate.break_next()
    m = t.mcptop(config(a=dict(boxed(image), enabled=False)), docker_host=engine)
    done = m.cli("pull", "a")
    t.eq(done.returncode, 0, f"is tried once more: {done.stderr}")
    t.has(m.log(), "connection reset by peer; once more", "which the log tells")


@tap.limit(120)
def test_verb_on_a_terminal(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (4 * MIB, 4 * MIB))
    gate = Gate(t, registry, budget=MIB)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    m = t.mcptop(config(a=dict(boxed(image), enabled=False)), docker_host=engine)
    gate.slow(MIB)
    keep = {k: v for k, v in m.env.items() if k in ("HOME", "MCPTOP_SOCKET", "PATH")}
    terminal = t.tmux(width=100, height=10)
    script = f"trap : INT; {paths.MCPTOP} pull a; echo it ended: $?; {paths.MCPTOP} pull a; echo then: $?; read x"
    terminal.start(["sh", "-c", script], env=keep)
    terminal.wait_text(r"layer \d/3 +\d+% \[=*> *\] [\d.]+[KM]/[\d.]+M [\d.]+[KM]/s")
    t.ok(True, "a bar with layers, share, bytes and rate")
    terminal.resize(60, 10)
    terminal.wait_text(rf"^…\S*{image[-12:]} +layer \d/3 +\d+%  [\d.]+[KM]/")
    t.ok(True, "a narrow one shows the end of the name, by which images differ")
    terminal.resize(100, 10)
    terminal.send("C-c")
    terminal.wait_text("it ended: 1")
    terminal.wait_text("cancelled, unless a server waits for it")
    m.wait_server("a", lambda s: not s["pull"] or s["pull"]["done"] == 0)
    t.ok(True, "Ctrl-C cancels it, and says so")
    gate.open()
    terminal.wait_text("then: 0", 60)
    t.has(terminal.text(), rf"{image} +pulled", "the bar ends as a word")


@tap.limit(120)
def test_view(t):
    engine = t.engine()
    registry, image = registry_of(t, engine, (4 * MIB, 4 * MIB))
    gate = Gate(t, registry, budget=MIB)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    m = t.mcptop(config(a=boxed(image)), docker_host=engine)
    view = m.view(100, 24)
    gate.slow(MIB)
    view.wait_text(r"a +~ pulling +docker.*layer \d/3 +\d+% .* [\d.]+[KM]/s")
    t.ok(True, "the row shows layers, share, bar and rate")
    gate.open()
    view.wait_text(r"a +\* ready +docker", 60)
    t.ok(True, "and then the server")
    view.send("q")


@tap.limit(120)
def test_policies(t):
    engine = t.engine()
    registry, image = registry_of(t, engine)
    m = t.mcptop(config(never=boxed(image, pull_policy="never"), always=boxed(image, pull_policy="always")),
                 docker_host=engine)
    one = m.wait_server("never", "failed")
    t.has(one["reason"], r"is not here, and isolation\.pull_policy \(line \d+\) forbids to pull it: run `docker pull",
          "never names the key and the way out")
    m.wait_server("always", timeout=60)
    t.eq(pulls_of(engine, image), 1, "pulled once")
    m.api.post("/servers/always/restart")
    m.wait_server("always", lambda s: s["state"] == "ready" and s["restarts"] == 1, 60)
    t.eq(pulls_of(engine, image), 2, "always pulls before each start")
    m.api.post("/servers/never/restart")
    m.wait_server("never")
    t.eq(pulls_of(engine, image), 2, "never starts with what is here")
    t.eq(m.server("never")["plan"]["pull_policy"], "never", "the plan says it")
    t.has(json.dumps(m.server("always")["plan"]["run_args"]), "--pull=always", "and so does its docker run")
    registry.stop()
    registry.process.wait()
    m.api.post("/servers/always/restart")
    one = m.wait_server("always", lambda s: s["state"] in ("failed", "backing-off"))
    t.has(one["reason"], r"^127.0.0.1:\d+ is not reachable from the engine: .*refused", "always needs the registry, and says so")


@tap.limit(120)
def test_refusals(t):
    engine = t.engine()
    registry, image = registry_of(t, engine)
    closed = Registry(t, "closed", store=registry.store, password=True)
    m = t.mcptop(config(tag=boxed(image + "-none"), repository=boxed(f"{registry.host}/no/such:1"),
                        closed=boxed(image.replace(registry.host, closed.host)),
                        nowhere=boxed("127.0.0.1:1/x:1"), bad=boxed("127.0.0.1:5000/UPPER CASE")), docker_host=engine)
    for name, cause, engine_said, advice in [
            ("tag", "image not found: 127", r"\(.*manifest .*unknown", r"Check the name, or log in if it is private \(docker login 127"),
            ("repository", "image not found: .*/no/such:1 ", "", "Check the name"),
            ("closed", r"127.0.0.1:\d+ wants a login: image ", "no basic auth credentials|authentication required",
             "Log in with `docker login 127.0.0.1:"),
            ("nowhere", "127.0.0.1:1 is not reachable from the engine: image 127.0.0.1:1/x:1 cannot be pulled",
             "connection refused", "Check the engine's network"),
            ("bad", "no such image: 127.0.0.1:5000/UPPER CASE", "invalid reference", "")]:
        one = m.wait_server(name, lambda s: s["state"] in ("failed", "backing-off") and s["reason"])
        t.has(one["reason"], "^" + cause, f"{name}: the cause comes first, in plain words")
        t.has(one["reason"], engine_said, f"{name}: the engine's words")
        t.has(one["reason"], advice, f"{name}: what to do")
        t.has(m.log(name), "pull of image .* failed: ", f"{name}: in its log")


@tap.limit(90)
def test_rate_limit(t):
    """A registry that answers 429: by name, with what to do, and without trying again and again."""
    engine = t.engine()
    registry, image = registry_of(t, engine)
    gate = Gate(t, registry)
    image = through(gate, registry, image)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    gate.limit()
    m = t.mcptop(config(one=boxed(image)), docker_host=engine)
    one = m.wait_server("one", "failed")
    t.has(one["reason"], rf"^rate limit of {gate.host} reached: image {image} cannot be pulled \(.*toomanyrequests.*"
          rf"\. Wait, or log in \(docker login {gate.host}\)", "the cause, the engine's words, what to do")
    f = found(t, m, "one", "MCPX_DOCKER_RATE_LIMIT")
    t.ok(any(f"docker login {gate.host}" in s for s in f["fix_steps"]), "the finding says what to do", f["fix_steps"])
    t.ok(one["retry_in_ms"] > 30000, "each try counts there: the next one is not soon", one["retry_in_ms"])
    t.has(m.cli("doctor", "one", check=None).stdout, "MCPX_DOCKER_RATE_LIMIT", "doctor has it")
    gate.limit(False)
    repaired(t, m, "one")


def with_credentials(t, registry, image, documents, path=None):
    """A folder for DOCKER_CONFIG."""
    folder = t.path("docker-config")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="ascii") as file:
        json.dump(documents, file)
    return folder


@tap.limit(120)
def test_credentials(t):
    engine = t.engine()
    registry, image = registry_of(t, engine)
    closed = Registry(t, "closed", store=registry.store, password=True)
    image = image.replace(registry.host, closed.host)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", image, check=False))
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    wrong = base64.b64encode(f"{USER}:wrong".encode()).decode()
    folder = with_credentials(t, closed, image, {"auths": {closed.host: {"auth": wrong}}})
    helper = t.write("bin/docker-credential-mcptop-test", (
        "#!/bin/sh\nread server\necho \"$* $server\" >>$0.calls\n"
        f"printf '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n"), 0o755)
    t.write("bin/docker-credential-mcptop-locked", "#!/bin/sh\necho the keyring is locked\nexit 1\n", 0o755)
    m = t.mcptop(config(a=dict(boxed(image), enabled=False)), docker_host=engine,
                 env={"DOCKER_CONFIG": folder, "PATH": t.path("bin") + ":" + os.environ["PATH"]})

    def pull():
        return m.api.raw("POST", "/servers/a/pull", timeout=60)
    refused = pull()
    t.eq(refused.status, 403, "a wrong password is refused")
    t.has(refused.json()["error"], "unauthorized|authentication", "by the registry")
    with_credentials(t, closed, image, {"credHelpers": {closed.host: "mcptop-locked"}})
    t.has(pull().json()["error"], r"docker login .*docker-credential-mcptop-locked: exited 1: the keyring is locked",
          "a helper that fails is named beside the refusal")
    with_credentials(t, closed, image, {"auths": {closed.host: {"auth": pair}}})
    t.eq(pull().status, 200, "auths")
    engine.docker.cli("rmi", image)
    with_credentials(t, closed, image, {"auths": {closed.host: {}}, "credsStore": "mcptop-test"})
    t.eq(pull().status, 200, "credsStore")
    engine.docker.cli("rmi", image)
    with_credentials(t, closed, image, {"credsStore": "nobody", "credHelpers": {closed.host: "mcptop-test"}})
    m.api.post("/servers/a/start")
    m.wait_server("a", timeout=60)
    with open(helper + ".calls", encoding="ascii") as file:
        t.eq(set(file.read().splitlines()), {f"get {closed.host}"}, "credHelpers; the helper was asked as docker asks it")
    logs = m.log() + m.log("a") + m.told()
    t.ok(PASSWORD not in logs and pair not in logs, "no secret in any log")


@tap.limit(120)
def test_two_helpers(t):
    engine = t.engine()
    registry, image = registry_of(t, engine)
    closed = [Registry(t, name, store=registry.store, password=True) for name in ("one", "two")]
    quick, slow = (image.replace(registry.host, one.host) for one in closed)
    t.cleanup(lambda: engine.docker.cli("rmi", "-f", quick, slow, check=False))
    folder = with_credentials(t, closed[0], quick, {"credHelpers": {
        closed[0].host: "mcptop-quick", closed[1].host: "mcptop-slow"}})
    say = f"printf '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n"
    t.write("bin/docker-credential-mcptop-quick", "#!/bin/sh\n" + say, 0o755)
    patient = t.write("bin/docker-credential-mcptop-slow", (
        "#!/bin/sh\n: >$0.began\nwhile ! [ -e $0.go ]; do sleep .05; done\n" + say), 0o755)
    m = t.mcptop(config(a=dict(boxed(quick), enabled=False), b=dict(boxed(slow), enabled=False)),
                 docker_host=engine, env={"DOCKER_CONFIG": folder,
                                          "PATH": t.path("bin") + ":" + os.environ["PATH"]})
    answers = []

    def ask():
        answers.append(Api(f"unix://{m.socket}", timeout=60).raw("POST", "/servers/b/pull"))
    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: os.path.exists(patient + ".began"))
    t.eq(m.api.raw("POST", "/servers/a/pull", timeout=60).status, 200, "a pull whose helper answers at once")
    t.write("bin/docker-credential-mcptop-slow.go", "")
    asking.join()
    t.eq(answers[0].status, 200, "the helper that still ran then was left alone")


@tap.limit(150)
def test_disk_full(t):
    reason = unavailable()
    if reason:
        raise tap.Skip(reason)
    small = Engine(t.path("e"))
    os.makedirs(t.path("e", "data"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", t.path("e", "data")], check=True)
    small.start()
    t.cleanup(small.wipe)
    images.ensure(small.docker, "mcptop-test/busybox:latest")
    registry, image = registry_of(t, t.engine(), (24 * MIB, 24 * MIB, 24 * MIB))
    m = t.mcptop(config(a=boxed(image), b=boxed("mcptop-test/busybox:latest")), docker_host=small)
    one = m.wait_server("a", lambda s: s["state"] in ("failed", "backing-off") and s["reason"], 60)
    t.has(one["reason"], "no space left on device", "the engine's words")
    t.has(one["reason"], "^the engine's disk is full: image .*`docker system df`", "the cause first, and what to do")
    m.wait_server("b")
    t.ok(True, "what is there still runs")
    m.stop()


if __name__ == "__main__":
    tap.main(__name__)
