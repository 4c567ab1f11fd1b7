# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: the one that is expected, alone, and the repair of it."""

from . import paths
from .mcptop import echo
from .wait import wait_for

BUSYBOX = "mcptop-test/busybox:latest"
SERVER = paths.built("echo_server")


def findings(m, name):
    return m.api.get(f"/servers/{name}")["findings"]


def codes(m, name):
    return [f["code"] for f in findings(m, name)]


def found(t, m, name, code, timeout=40):
    """Waits until the server has exactly this one finding."""
    wait_for(lambda: codes(m, name) == [code], timeout, f"{name}: {code} and nothing else",
             saw=lambda: m.api.get(f"/servers/{name}"))
    one = findings(m, name)[0]
    t.ok(True, f"{name}: {code}")
    return one


def repaired(t, m, name, fix=None, timeout=60):
    """Applies a fix (the first, without a name): dry first, which must write nothing; then the
    server must get ready with no finding left."""
    body = {"fix": fix} if fix else {}
    before = m.read_config()
    dry = m.api.post(f"/servers/{name}/fix", dict(body, dry_run=True))
    t.eq(m.read_config(), before, f"{name}: a dry run writes nothing")
    done = m.api.post(f"/servers/{name}/fix", body)
    t.eq(done["diff"], dry["diff"], f"{name}: it does what it showed")
    m.wait_server(name, timeout=timeout)
    wait_for(lambda: codes(m, name) == [], 10, f"{name}: no finding is left",
             saw=lambda: findings(m, name))
    t.ok(True, f"{name}: ready after {done['fix']['title']}")
    return done


def sh(script, **extra):
    """A server's entry that is a line for the shell."""
    return dict({"command": "sh", "args": ["-c", script], "env": {"MCPTOP_TEST_SERVER": "sh"}},
                **extra)


def boxed(script=None, **isolation):
    """The echo server in a container, or a line for its shell before it ("$S" is the server)."""
    iso = {"image": BUSYBOX, "volumes": [f"{SERVER}:{SERVER}:ro"]}
    iso.update(isolation)
    entry = echo(isolation=iso)
    if script:
        entry["command"] = "sh"
        entry["args"] = ["-c", script.replace("$S", SERVER)]
    return entry


def config(**servers):
    return {"docker_isolation": {"enabled": True}, "mcpServers": servers}
