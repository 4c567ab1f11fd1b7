#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tools clients get: enabled_tools, disabled_tools, quarantine."""

import json

from harness import RpcError, fixture, full, tap, wait_for
from t_mcp_http import modern


def refusal(call, *args):
    """What a call is refused with."""
    try:
        call(*args)
    except RpcError as error:
        return str(error)
    raise AssertionError(f"{args} was not refused")


def told(client):
    return [n["method"] for n in client.notifications].count("notifications/tools/list_changed")


def test_filter(t):
    config = {"mcpServers": {"good": fixture("good", disabled_tools=["env", "big"])}}
    m = t.mcptop(config, listen=True)
    every = m.wait_server("good")["tool_count"]
    client, http, tcp = m.stdio("good"), m.mcp("good"), m.mcp("good", tcp=True)
    for one in (client, http, tcp):
        one.initialize()
        names = one.tools()
        t.ok("echo" in names and "env" not in names and "big" not in names,
             "disabled tools are in no list", names)
        t.has(refusal(one.tool, "env", {}), 'tool "env" of server "good".*disabled_tools',
              "and refused when called, with the key")
        t.eq(one.tool("echo", {"text": "x"})["content"][0]["text"], "x", "the others work")
    t.eq(m.server("good")["tools_shown"], every - 2, "how many clients get is told")
    t.has(m.cli("ls", "good", check=0).stdout, rf"{every - 2} of {every}", "mcptop ls shows it")
    t.has(m.cli("tools", "good", check=0).stdout, r"env +0 +- +- +\(hidden: disabled_tools\) Returns the env",
          "mcptop tools shows what hides a tool")
    hidden = m.api.get("/servers/good/tools")["hidden"]
    t.eq(hidden, [{"name": "big", "by": "disabled_tools"}, {"name": "env", "by": "disabled_tools"}],
         "so does the API")
    t.has(m.cli("call", "good", "env").stderr, "disabled_tools", "mcptop call is a client like others")

    pid = m.server("good")["pid"]
    config["mcpServers"]["good"].update(disabled_tools=[], enabled_tools=["add"])
    m.write_config(config)
    wait_for(lambda: told(client), 20, "the client to hear that the list changed")
    t.eq(client.tools(), ["add"], "enabled_tools are the only ones")
    t.has(refusal(http.tool, "echo", {}), "enabled_tools", "the key is named")
    t.eq(m.server("good")["pid"], pid, "the server was not restarted")


def test_quarantine_hides_all(t):
    m = t.mcptop({"mcpServers": {"new": full("new", "roots", quarantined=True), "old": full("old")}})
    for name in ("new", "old"):
        m.wait_server(name)
    client, everyone = m.mcp("new"), m.mcp()
    t.eq("instructions" in client.initialize(capabilities={"roots": {}}), False, "its instructions are kept back")
    everyone.initialize()
    for method, key in (("tools/list", "tools"), ("prompts/list", "prompts"), ("resources/list", "resources"),
                        ("resources/templates/list", "resourceTemplates")):
        t.eq(client.request(method), {key: []}, f"{method} is empty")
        t.ok("new" not in json.dumps(everyone.request(method)), f"of all servers {method} has nothing of it")
    for method, params in (("resources/read", {"uri": "new:///1"}), ("prompts/get", {"name": "p1"}),
                           ("resources/subscribe", {"uri": "new:///1"}), ("tasks/get", {"taskId": "x"}),
                           ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p1"},
                                                    "argument": {"name": "a", "value": ""}})):
        t.has(refusal(client.request, method, params), "quarantined.*mcptop release new", f"{method} is refused")
    t.has(refusal(everyone.request, "resources/read", {"uri": "new:///1"}), "no resource", "nor is it asked for others")
    body, sent = modern(m.api.http, "server/discover")
    t.ok("instructions" not in m.api.http.post("/mcp/new", body, headers=sent).json()["result"], "in the modern era, too")
    body, sent = modern(m.api.http, "resources/list")
    result = m.api.http.post("/mcp/new", body, headers=sent).json()["result"]
    t.eq((result["resources"], result["resultType"]), ([], "complete"), "and its lists")
    m.api.post("/servers/new/release")
    wait_for(lambda: client.request("resources/list")["resources"], 10, "all of it once it is released")
    t.has(m.mcp("new").initialize()["instructions"], "Ask new", "and its instructions")


def test_quarantine(t):
    m = t.mcptop({"mcpServers": {"new": fixture("good", quarantined=True), "old": fixture("good")}},
                 listen=True)
    one = m.wait_server("new")
    t.eq((one["quarantined"], one["tools_shown"]), (True, 0), "it runs and is shown")
    client = m.stdio("new")
    client.initialize()
    t.eq(client.tools(), [], "no client gets its tools")
    t.has(refusal(client.tool, "echo", {}), "quarantined.*mcptop release new", "the way out is told")
    t.eq(m.tcp().raw("POST", "/servers/new/release").status, 403, "that is for the socket")
    pid = one["pid"]
    done = m.cli("release", "new", check=0).stdout
    t.has(done, r"-.*quarantined.*true", "release shows what it writes")
    t.eq(json.loads(m.read_config())["mcpServers"]["new"]["quarantined"], False, "and writes it")
    wait_for(lambda: told(client), 20, "the client to hear that the list changed")
    t.ok("echo" in client.tools(), "then clients get them")
    t.eq(m.server("new")["pid"], pid, "without a restart")
    t.eq(m.cli("release", "old").returncode, 1, "what is not quarantined cannot be released")
    m.cli("undo", "new", check=0)
    wait_for(lambda: told(client) == 2, 20, "undo to be told")
    t.eq(client.tools(), [], "undo puts it back")


if __name__ == "__main__":
    tap.main(__name__)
