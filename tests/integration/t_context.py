#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that the docker CLI would use: contexts chosen by variables and files, listed, shown;
compared with the docker CLI itself where it is installed."""

import hashlib
import json
import os
import subprocess

from harness import Mcptop, echo, tap, wait_for
from harness.docker import docker_cli


def context(folder, name, host, description=""):
    """As `docker context create` writes it."""
    path = os.path.join(folder, "contexts", "meta", hashlib.sha256(name.encode()).hexdigest())
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "meta.json"), "w", encoding="utf-8") as file:
        json.dump({"Name": name, "Metadata": {"Description": description},
                   "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}, file)


def settings(folder, **keys):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(keys, file)


def without_host(m, **env):
    """The environment decides alone."""
    for key in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        m.env.pop(key, None)
    m.env.update(env)
    return m


def test_used(t):
    engine = t.engine()
    folder = t.path("home", ".docker")
    context(folder, "colima", engine.host, "its description")
    context(folder, "far", "ssh://me@far")
    settings(folder, currentContext="colima", auths={})
    m = without_host(Mcptop(t)).start()
    status = wait_for(lambda: (e := m.api.get("/status")["engine"]) and e["state"] == "up" and e, 10, "the engine")
    t.eq((status["context"], status["endpoint"], status["state"]), ("colima", engine.host, "up"),
         "currentContext of ~/.docker/config.json")
    doc = m.api.get("/docker/contexts")
    t.eq([(c["name"], c["current"]) for c in doc["contexts"]],
         [("default", False), ("colima", True), ("far", False)], "the list")
    t.has(doc["contexts"][2]["error"], "by ssh are not supported", "one that this version cannot use")
    t.eq(doc["used"]["name"], "colima", "what is used")
    out = m.cli("context", check=0).stdout
    t.has(out, r"^colima \* +unix://\S+ +its description", "the asterisk")
    t.has(out, r"^\* colima: currentContext of .*/\.docker/config\.json", "and why")
    t.has(out, r"^ +! ssh://me@far: engines by ssh are not supported", "and why not another")
    view = m.view(100, 24)
    view.wait_text("colima ● engine")
    t.ok(True, "the view's header names it")
    view.send("q")
    # Chosen anew while the supervisor runs: it stays, and that is told.
    settings(folder, currentContext="default")
    out = m.cli("context", check=0).stdout
    t.has(out, r"^default \*", "docker would take another now")
    t.has(out, "the supervisor has used colima since it started", "the supervisor goes on")
    one = m.api.get("/diagnostics")["findings"]
    t.eq([(f["code"], f["severity"]) for f in one], [("MCPX_DOCKER_CONTEXT_CHANGED", "warning")],
         "and it is a finding")
    t.has(one[0]["user_message"], "docker would use default now .*has used colima .*since it started", "both are named")
    t.has(m.cli("doctor", check=1).stdout, "mcptop: warning MCPX_DOCKER_CONTEXT_CHANGED", "doctor says it")
    m.stop()
    m.start()
    t.eq([f["code"] for f in m.api.get("/diagnostics")["findings"] if "CONTEXT" in f["code"]], [],
         "gone with the new start")
    t.eq(m.api.get("/status")["engine"]["context"], "default", "until it is started again")


def test_refused(t):
    folder = t.path("home", ".docker")
    context(folder, "far", "ssh://me@far")
    m = without_host(Mcptop(t, {"docker_isolation": {"enabled": True},
                                "mcpServers": {"a": echo(), "host": echo(isolation={"enabled": False})}}),
                     DOCKER_CONTEXT="far")
    out = m.cli("context", check=0).stdout
    t.has(out, r"^far \* +ssh://me@far", "without a supervisor the verb looks itself")
    t.has(out, r"^\* far: DOCKER_CONTEXT is set", "and says why")
    t.eq(json.loads(m.cli("context", "--json", check=0).stdout)["chosen"], "far", "as JSON too")
    m.start()
    m.wait_server("host")
    t.has(m.api.get("/status")["engine"]["error"], r'context "far" \(DOCKER_CONTEXT is set\) cannot be used: '
          r"ssh://me@far: engines by ssh are not supported by this version yet", "a clear error")
    t.has(m.wait_server("a", "backing-off")["reason"], "engines by ssh are not supported", "at the server too")
    t.has(m.cli("context", check=0).stdout, "the supervisor uses none: ", "and in the list")
    m.stop()
    without_host(m, DOCKER_CONTEXT="nobody")
    t.has(m.cli("context", check=0).stdout, 'there is no context "nobody"', "one that is not there")


def test_as_docker(t):
    """The same choice as the docker CLI's, for each way to choose."""
    engine = t.engine()
    docker = docker_cli(engine.host)
    folder = t.path("config")
    context(folder, "one", "unix:///run/one.sock")
    context(folder, "two", "unix:///run/two.sock")
    m = Mcptop(t)
    for current in (None, "one"):
        settings(folder, **({"currentContext": current} if current else {}))
        for env in ({}, {"DOCKER_CONTEXT": "two"}, {"DOCKER_HOST": "unix:///run/x.sock"},
                    {"DOCKER_HOST": "unix:///run/x.sock", "DOCKER_CONTEXT": "two"}):
            without_host(m, DOCKER_CONFIG=folder, **env)
            ours = json.loads(m.cli("context", "--json", check=0).stdout)
            theirs = subprocess.run([docker, "context", "ls", "--format", "{{json .}}"], env=m.env,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
            theirs = [json.loads(line) for line in theirs.stdout.splitlines()]
            t.eq(sorted((c["name"], c["current"], c["endpoint"]) for c in ours["contexts"]),
                 sorted((c["Name"], c["Current"], c["DockerEndpoint"]) for c in theirs),
                 f"currentContext {current}, {env}")


if __name__ == "__main__":
    tap.main(__name__)
