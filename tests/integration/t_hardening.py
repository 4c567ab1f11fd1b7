#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_isolation.hardening, seen from inside containers of a real engine: what standard takes and
leaves, what strict breaks and says so, what a user's own flags win."""

import os

from harness import echo, limit, paths, wait_for
from harness.find import findings, found, repaired

BUSYBOX = "mcptop-test/busybox:latest"
TRIES = ("cat /data/secret; touch /root-file && echo root written; touch /tmp/x && echo tmp written; "
         "mknod /tmp/dev c 1 3 && echo device made; chown 1000 /tmp/x && echo owner changed; id; "
         "cat /proc/self/status | grep -E 'CapEff|NoNewPrivs'; ls /sys/class/net; echo tried")


def server(data, **isolation):
    """Tells on stderr what it may do, then serves."""
    program = paths.built("echo_server")
    entry = echo(isolation=dict({"image": BUSYBOX, "volumes": [f"{program}:{program}:ro",
                                                               f"{data}:/data"]}, **isolation))
    entry["args"] = ["-c", f"({TRIES}) >&2; exec {program}"]
    entry["command"] = "sh"
    return entry


def closed_directory(t):
    """A home directory as its owner has it: closed to others."""
    data = t.path("home")
    os.makedirs(data)
    with open(os.path.join(data, "secret"), "w", encoding="ascii") as file:
        file.write("of the owner\n")
    for path, mode in ((os.path.join(data, "secret"), 0o600), (data, 0o700)):
        os.chmod(path, mode)
        os.chown(path, 1000, 1000)
    return data


def said(m, name):
    m.wait_server(name)
    wait_for(lambda: "tried" in m.log(name), 10)
    return m.log(name)


def warnings(m, name):
    return [note["why"] for note in m.server(name)["plan"]["notes"]
            if note["warning"] and note["what"] == "hardening"]


@limit(120)
def test_levels(t):
    engine = t.engine()
    data = closed_directory(t)
    m = t.mcptop({"docker_isolation": {"enabled": True, "memory_limit": "64m"}, "mcpServers": {
        "standard": server(data),
        "off": server(data, hardening="off"),
        "strict": server(data, hardening="strict"),
        "mine": server(data, hardening="strict", network_mode="bridge",
                       extra_args=["--user", "1000:1000"]),
        "asks": server(data, extra_args=["--cap-add", "MKNOD", "--memory-swap=128m"]),
    }}, docker_host=engine)

    log = said(m, "standard")
    t.has(log, "of the owner", "standard: a 0700 directory of the owner can be read when it is mounted")
    t.has(log, "root written", "standard: the image can be written")
    t.has(log, "owner changed", "standard: root may change an owner")
    t.ok("device made" not in log, "standard: no devices are made", log)
    t.has(log, r"NoNewPrivs:\s+1", "standard: no new privileges")
    host = engine.docker.inspect(m.server("standard")["container"]["id"])["HostConfig"]
    t.eq((host["Memory"], host["MemorySwap"], host["PidsLimit"]), (64 << 20, 64 << 20, 512),
         "standard: no swap beyond memory, a bound on processes")

    log = said(m, "off")
    t.has(log, "device made", "off: the engine's own capabilities")
    t.has(log, r"NoNewPrivs:\s+0", "off: setuid programs gain")

    log = said(m, "strict")
    t.ok("of the owner" not in log and "root written" not in log, "strict: neither read nor written", log)
    t.has(log, "tmp written", "strict: /tmp can be written")
    t.has(log, "uid=65534", "strict: not root")
    t.ok("eth0" not in log, "strict: no network")
    t.ok(any(f"what of {data} is closed" in why for why in warnings(m, "strict")),
         "strict: what it breaks is told by name", warnings(m, "strict"))
    client = m.mcp("strict")
    client.initialize()
    t.eq(client.tool("echo", {"text": "hello"})["content"][0]["text"], "hello", "strict: it serves")

    log = said(m, "mine")
    t.has(log, "of the owner", "strict as the owner: his files can be read")
    t.has(log, "eth0", "strict: a network that the server asks for")
    t.ok("root written" not in log, "strict as the owner: the image cannot be written")

    log = said(m, "asks")
    t.has(log, "device made", "--cap-add stands above hardening")
    host = engine.docker.inspect(m.server("asks")["container"]["id"])["HostConfig"]
    t.eq(host["MemorySwap"], 128 << 20, "and so does --memory-swap")

    before = m.server("standard")["container"]["id"]
    change = m.api.patch("/servers/standard", {"memory": "96m"})
    t.eq(change["applied"], "live", "memory changes live")
    host = wait_for(lambda: (h := engine.docker.inspect(before)["HostConfig"])["Memory"] == 96 << 20
                    and h, 10)
    t.eq(host["MemorySwap"], 96 << 20, "and swap with it")


@limit(120)
def test_strict_root_is_told(t):
    """A server that writes into its image: by name, and each fix leads to ready."""
    engine = t.engine()
    program = paths.built("echo_server")

    def writes(script):
        return dict(echo(isolation={"image": BUSYBOX, "volumes": [f"{program}:{program}:ro"]}),
                    command="sh", args=["-c", f"{script} && exec {program}"])
    m = t.mcptop({"docker_isolation": {"enabled": True, "hardening": "strict"}, "mcpServers": {
        "keeps": writes("mkdir -p /state/x"), "writes": writes("echo x >/state")}}, docker_host=engine)
    one = found(t, m, "keeps", "MCPX_DOCKER_ROOT_READ_ONLY")
    t.eq(one["user_message"], "it writes to /state, and its container's root is read-only: hardening is strict",
         "what it lacks is named")
    t.eq({e["what"] for e in one["evidence"]}, {"stderr", "plan"}, "with its own words and the plan's")
    t.eq([fix["id"] for fix in one["fixes"]], ["tmpfs", "hardening"], "a directory of its own, or less hardening")
    repaired(t, m, "keeps")
    inside = engine.docker.inspect(m.server("keeps")["container"]["id"])["HostConfig"]
    t.ok(inside["ReadonlyRootfs"], "its root still is read-only")
    one = found(t, m, "writes", "MCPX_DOCKER_ROOT_READ_ONLY")
    t.eq([(fix["id"], fix["weakens"]) for fix in one["fixes"]], [("hardening", True)], "a file: less hardening")
    repaired(t, m, "writes")


def brought_up(t, m, name):
    """Applies the first fix of each finding until none is left and it is ready; what was found, by code."""
    seen, tried = {}, []

    def step():
        list_ = findings(m, name)
        if not list_ and m.server(name)["state"] == "ready":
            return True
        if list_ and list_[0]["fixes"] and list_[0]["fixes"][0]["title"] not in tried:
            seen[list_[0]["code"]] = list_[0]
            tried.append(list_[0]["fixes"][0]["title"])
            m.api.post(f"/servers/{name}/fix", {})
        return False
    wait_for(step, 240, f"{name}: ready, with no finding left", every=.5, saw=lambda: m.api.get(f"/servers/{name}"))
    t.ok(True, f"{name}: ready after {tried}")
    return seen


def evidence(finding):
    return " | ".join(e["text"] for e in finding["evidence"])


@limit(600)
def test_strict_and_real_servers(t):
    """What strict takes from the reference servers is told by name, and the fixes lead to a server that works."""
    engine = t.engine("python:3.11", "node:20")
    files, work = closed_directory(t), t.path("db")
    os.makedirs(work)

    def npm(*words, **isolation):
        return {"command": "npx", "args": ["-y", *words], "isolation": dict(isolation)}
    m = t.mcptop({"docker_isolation": {"enabled": True, "hardening": "strict"}, "mcpServers": {
        "everything": npm("@modelcontextprotocol/server-everything"),
        "memory": npm("@modelcontextprotocol/server-memory"),
        "filesystem": npm("@modelcontextprotocol/server-filesystem", "/data", volumes=[f"{files}:/data"]),
        "sqlite": {"command": "uvx", "args": ["--with", "mcp<2", "mcp-server-sqlite", "--db-path", "/data/x.db"],
                   "isolation": {"volumes": [f"{work}:/data"]}}}}, docker_host=engine)
    for name in ("everything", "memory"):
        seen = brought_up(t, m, name)
        t.eq(list(seen), ["MCPX_DOCKER_NETWORK_BLOCKED"], f"{name}: it lacks the network, and nothing else")
        t.has(evidence(seen["MCPX_DOCKER_NETWORK_BLOCKED"]), "network_mode is none: hardening is strict",
              f"{name}: who took it")
    seen = brought_up(t, m, "filesystem")
    t.eq(set(seen), {"MCPX_DOCKER_NETWORK_BLOCKED", "MCPX_DOCKER_USER_DENIED"}, "filesystem: the network, and rights")
    t.has(evidence(seen["MCPX_DOCKER_USER_DENIED"]),
          rf"{files} belongs to 1000:1000, mode 0700; .*the user is 65534:65534: hardening is strict",
          "filesystem: which directory, whose, and who it is itself")
    seen = brought_up(t, m, "sqlite")
    t.eq(set(seen), {"MCPX_DOCKER_NETWORK_BLOCKED", "MCPX_DOCKER_USER_DENIED"}, "sqlite: the network, and rights")
    t.has(evidence(seen["MCPX_DOCKER_USER_DENIED"]), f"{work} belongs to 0:0, mode 0755; .*unable to open database",
          "sqlite: which directory, and its own words")
    calls = {"everything": ("echo", {"message": "hello"}, "hello"),
             "memory": ("create_entities", {"entities": [{"name": "a", "entityType": "t", "observations": ["o"]}]},
                        "entityType"),
             "filesystem": ("read_file", {"path": "/data/secret"}, "of the owner"),
             "sqlite": ("list_tables", {}, "")}
    for name, (tool, arguments, want) in calls.items():
        client = m.mcp(name)
        client.initialize()
        got = client.tool(tool, arguments, timeout=60)
        t.ok(not got.get("isError") and want in str(got), f"{name}: {tool} works", got)


@limit(60)
def test_weak(t):
    """Whatever weakens isolation is named on the row."""
    m = t.mcptop({"mcpServers": {
        "box": {"command": "docker", "enabled": False,
                "args": ["run", "-i", "--privileged", "--pid=host", "--device=/dev/kvm",
                         "-v", "/var/run/docker.sock:/var/run/docker.sock", "--network", "host",
                         "--cap-add=SYS_ADMIN", "--security-opt", "seccomp=unconfined", "x"]}}})
    weak = m.server("box")["where_weak"]
    for part in ("network is the host's", "privileged", "--pid=host", "/dev/kvm", "docker.sock",
                 "SYS_ADMIN", "seccomp=unconfined"):
        t.has(weak, part, f"{part} is named")
    view = m.view(100, 24)
    view.wait_text("docker !")


if __name__ == "__main__":
    from harness import tap
    tap.main(__name__)
