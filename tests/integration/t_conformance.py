#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official conformance suite against /mcp/NAME, in front of one server process (tests/fixtures/conformance_server.mjs)
that all of the suite's clients share. Expected: every scenario that a revision of the specification requires."""

import os
import re
import subprocess

from harness import limit, tap
from harness.images import npm_folder, npm_program

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
PACKAGES = (SUITE, "@modelcontextprotocol/server@2.4.0", "node@22")

# The checks of each scenario that passed, exactly: a suite that ran less is no success.
EXPECTED = {"2025-11-25": {
    "server-initialize": 3, "logging-set-level": 2, "ping": 2, "completion-complete": 2, "tools-list": 3,
    "tools-call-simple-text": 2, "tools-call-image": 2, "tools-call-audio": 2, "tools-call-embedded-resource": 2,
    "tools-call-mixed-content": 2, "tools-call-with-logging": 2, "tools-call-error": 2, "tools-call-with-progress": 2,
    "tools-call-sampling": 2, "tools-call-elicitation": 2, "elicitation-sep1034-defaults": 6, "server-sse-multiple-streams": 1,
    "elicitation-sep1330-enums": 6, "resources-list": 2, "resources-read-text": 2, "resources-read-binary": 2,
    "resources-templates-read": 2, "resources-subscribe": 2, "resources-unsubscribe": 2, "prompts-list": 2,
    "prompts-get-simple": 2, "prompts-get-with-args": 2, "prompts-get-embedded-resource": 2, "prompts-get-with-image": 2,
    "dns-rebinding-protection": 2,
    # Not required by the revision: written later. The call that server-sse-polling makes is answered in JSON, so it has
    # nothing to check: a server behind a pipe cannot close one client's stream.
    "server-session-lifecycle": 3, "json-schema-2020-12": 8, "server-sse-polling": 0},
"2026-07-28": {
    "server-stateless": 30, "completion-complete": 2, "tools-list": 4, "tools-call-simple-text": 2, "tools-call-image": 2,
    "tools-call-audio": 2, "tools-call-embedded-resource": 2, "tools-call-mixed-content": 2, "tools-call-error": 2,
    "tools-call-with-progress": 2, "server-sse-multiple-streams": 1, "resources-list": 2, "resources-read-text": 2,
    "resources-read-binary": 2, "resources-templates-read": 2, "sep-2164-resource-not-found": 4, "prompts-list": 2,
    "prompts-get-simple": 2, "prompts-get-with-args": 2, "prompts-get-embedded-resource": 2, "prompts-get-with-image": 2,
    "dns-rebinding-protection": 2, "caching": 8, "input-required-result-basic-elicitation": 3,
    "input-required-result-basic-sampling": 3, "input-required-result-basic-list-roots": 3,
    "input-required-result-request-state": 3, "input-required-result-multiple-input-requests": 3,
    "input-required-result-multi-round": 4, "input-required-result-missing-input-response": 2,
    "input-required-result-non-tool-request": 3, "input-required-result-result-type": 2,
    "input-required-result-unsupported-methods": 2, "input-required-result-tampered-state": 2,
    "input-required-result-capability-check": 2, "input-required-result-ignore-extra-params": 2,
    "input-required-result-validate-input": 3, "json-schema-2020-12": 8, "http-header-validation": 14,
    "http-custom-header-server-validation": 10}}

# The extension of tasks is no part of what a revision requires, and the server of these tests has none.
IGNORED = "tasks-"

# What these look for a server of the legacy era cannot say, so a modern client of it gets less: its questions are requests,
# which have no names of the server's choice; and what its client can be asked for it learns when it asks, because it knows one
# client, which is mcptop.
LEGACY_SERVER_LACKS = {"input-required-result-basic-elicitation", "input-required-result-capability-check"}


def conformance(t, folder, port, revision):
    """{scenario: (passed, failed)}, as the suite sums it up."""
    node = os.path.join(folder, "node_modules", "node", "bin")
    done = subprocess.run([os.path.join(node, "node"), os.path.join(folder, "node_modules", ".bin", "conformance"), "server",
                           "--url", f"http://localhost:{port}/mcp/x", "--requirements", revision, "-o", t.path("results")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
                          env=dict(os.environ, PATH=f"{node}:{os.environ['PATH']}"))
    summary = done.stdout[done.stdout.find("=== SUMMARY"):]
    found = re.findall(r"^\S+ ([\w-]+): (\d+) passed, (\d+) failed", summary, re.M)
    if not found:
        raise AssertionError(done.stdout[-3000:])
    t.diag(*[line for line in done.stdout.splitlines() if re.search("✗|FAILURE|Error", line)][:60])
    return {name: (int(passed), int(failed)) for name, passed, failed in found if not name.startswith(IGNORED)}


def shared_server(t, **settings):
    folder = npm_folder("conformance-1", *PACKAGES)
    node = os.path.join(folder, "node_modules", "node", "bin", "node")
    m = t.mcptop({"mcp_auth": "none", "mcpServers": {"x": dict(
        {"command": node, "args": [npm_program(folder, "conformance_server.mjs")],
         "env": {"MCPTOP_TEST_SERVER": "conformance"}}, **settings)}}, listen=True)
    m.wait_server("x")
    return m, folder


def check(t, m, folder, revision):
    got = conformance(t, folder, m.port, revision)
    for name, checks in EXPECTED[revision].items():
        t.eq(got.get(name), (checks, 0), f"{revision}: {name}")
    t.eq(sorted(got), sorted(EXPECTED[revision]), f"{revision}: these scenarios and no others")


def check_one_process(t, m):
    t.eq(m.server("x")["restarts"], 0, "one process served them all")


@limit(400)
def test_legacy_server(t):
    """What `mcp_protocol: auto` makes of a server of both eras."""
    m, folder = shared_server(t)
    check(t, m, folder, "2025-11-25")
    got = conformance(t, folder, m.port, "2026-07-28")
    t.eq({name for name, (_, failed) in got.items() if failed}, LEGACY_SERVER_LACKS, "a modern client of a legacy server")
    check_one_process(t, m)


@limit(400)
def test_modern_server(t):
    """Clients of both eras, all scenarios of both, on one process."""
    m, folder = shared_server(t, mcp_protocol="modern")
    for revision in ("2026-07-28", "2025-11-25"):
        check(t, m, folder, revision)
    check_one_process(t, m)


if __name__ == "__main__":
    tap.main(__name__)
