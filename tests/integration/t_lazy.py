#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that run when they are needed: start: lazy, idle_stop, and what clients get meanwhile."""

import glob
import os
import stat

from harness import fixture, tap, wait_for


def text(result):
    return result["content"][0]["text"]


def asleep(m, name="good"):
    return m.wait_server(name, lambda s: s["asleep"] and s["state"] == "stopped")


def told(client):
    return [n["method"] for n in client.notifications].count("notifications/tools/list_changed")


def test_lazy(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good", start="lazy")}})
    one = asleep(m)
    t.eq((one["pid"], one["wanted"], one["restarts"]), (None, "up", 0), "it does not run")
    t.has(one["reason"], "^lazy", "and says why")
    t.eq(m.api.get("/servers/good")["findings"], [], "that is no finding")
    t.eq(m.api.http.get("/readyz").status, 200, "mcptop is ready")
    t.has(m.cli("ls", "good", check=0).stdout, "lazy: its first call starts it", "mcptop ls tells it")
    client = m.stdio("good")
    client.initialize()
    t.ok("echo" in client.tools(), "the first client starts it, for nothing is known yet")
    m.wait_server("good")

    m.restart()
    asleep(m)
    client = m.stdio("good")
    t.eq(client.initialize()["serverInfo"]["name"], "fixture", "the second time clients are welcomed")
    t.ok("echo" in client.tools(), "and its tools listed from what is known")
    http = m.mcp("good")
    http.initialize()
    t.ok("echo" in http.tools(), "over HTTP, too")
    t.ok(asleep(m), "it still sleeps")
    t.eq(m.api.get("/servers/good")["tool_count"], 11, "the API knows them")
    every = m.mcp()
    every.initialize()
    t.ok("good__echo" in every.tools(), "/mcp lists them, too")
    t.ok(asleep(m), "without waking it")
    t.eq(text(every.tool("good__echo", {"text": "x"})), "x", "a call starts it, and waits for it")
    t.eq(m.wait_server("good")["restarts"], 0, "that is no restart")
    t.eq(told(client), 0, "the tools were what was told")

    kept = glob.glob(os.path.join(m.data_dir, "tools", "good-*.tools"))
    t.eq([oct(stat.S_IMODE(os.stat(k).st_mode)) for k in kept], ["0o600"], "the file is the user's")
    t.eq(oct(stat.S_IMODE(os.stat(os.path.dirname(kept[0])).st_mode)), "0o700", "so is its directory")


def test_cache_of_another(t):
    config = {"mcpServers": {"good": fixture("good", start="lazy")}}
    m = t.mcptop(config)
    m.cli("start", "good", check=0)
    m.stop()
    with open(glob.glob(os.path.join(m.data_dir, "tools", "*.tools"))[0], "r+b") as file:
        kept = file.read()
        file.seek(0)
        file.write(kept.replace(b'"echo"', b'"ohce"'))
    m.start()
    client = m.stdio("good")
    client.initialize()
    t.ok("ohce" in client.tools(), "what is known may be old")
    client.tool("echo", {"text": "x"})
    wait_for(lambda: told(client) == 1, 20, "the client to hear of another list")
    t.ok("ohce" not in client.tools(), "then it gets the new one")
    client.close()
    m.stop()

    path = glob.glob(os.path.join(m.data_dir, "tools", "*.tools"))[0]
    with open(path, "r+b") as file:
        kept = file.read()
        file.truncate(len(kept) // 2)
    m.start()
    client = m.stdio("good")
    client.initialize()
    t.ok("echo" in client.tools(), "a broken file is as good as none")
    t.has(m.log(), "is broken and not used", "and that is told")
    client.close()
    m.stop()

    config["mcpServers"]["good"]["args"].append("x")
    m.write_config(config)
    m.start()
    asleep(m)
    t.eq(m.server("good")["tool_count"], -1, "another command is another server")


def test_idle(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good", idle_stop="1s")}})
    m.wait_server("good")
    client = m.stdio("good")
    client.initialize()
    t.eq(text(client.tool("sleep", {"ms": 2500})), "slept 2500 ms", "a call is no idleness")
    t.eq(m.server("good")["restarts"], 0, "it ran all the time")
    one = asleep(m)
    t.has(one["reason"], "^idle for 1s", "then it is stopped, and says why")
    t.ok("echo" in client.tools(), "its tools are listed meanwhile")
    t.ok(asleep(m), "which does not wake it")
    t.eq(text(client.tool("echo", {"text": "x"})), "x", "a call does")
    m.cli("stop", "good", check=0)
    t.eq((m.server("good")["asleep"], m.server("good")["wanted"]), (False, "down"), "stopped is stopped")
    m.cli("start", "good", check=0)
    asleep(m)
    m.cli("restart", "good", check=0)
    t.ok(True, "a restart wakes it, too")


def test_changes(t):
    config = {"mcpServers": {"good": fixture("good", start="lazy")}}
    m = t.mcptop(config)
    asleep(m)
    config["mcpServers"]["good"]["start"] = "eager"
    m.write_config(config)
    m.wait_server("good")
    t.ok(True, "lazy no more: it is started")
    config["mcpServers"]["good"]["idle_stop"] = "1s"
    m.write_config(config)
    asleep(m)
    t.ok(True, "idle_stop counts for what runs")
    config["mcpServers"]["good"]["start"] = "layz"
    m.write_config(config)
    wait_for(lambda: m.api.get("/status")["config"]["errors"], 20, "the error to be seen")
    t.has(str(m.api.get("/status")["config"]["problems"]), "did you mean .*lazy", "a wrong word is told")


if __name__ == "__main__":
    tap.main(__name__)
