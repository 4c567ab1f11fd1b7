#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide for Docker isolation, followed to the letter: its commands (guide-commands.txt) in a
shell, its configuration snippets (guide-snippets.txt) on the program, its example from the package
index; and the commands of our own docs/isolation.md and docs/moving.md. mcptop runs as at a user's:
in his home, with its default places."""

import json
import os
import re
import shutil
import subprocess

from harness import Mcptop, paths, tap, wait_for
from harness.docker import docker_cli
from harness.mcptop import Api, free_port
from harness.registry import Registry

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER_PROGRAMS = ("uvx", "npx", "python", "node", "mcp-server")
IMAGES = ("python:3.11", "node:20", "python:3.12-slim", "mcp-image:latest")


class AtHome(Mcptop):
    """mcptop with its default places in a home of the test's own. Its shell has docker, mcptop
    and the servers' commands in PATH."""

    def __init__(self, case, engine, config, options=()):
        super().__init__(case, docker_host=engine)
        self.options = list(options)
        home = self.env["HOME"]
        self.data_dir = os.path.join(home, ".mcpproxy")
        self.log_dir = os.path.join(home, ".local", "state", "mcpproxy", "logs")
        self.socket = os.path.join(self.data_dir, "mcptop.sock")
        self.config = os.path.join(self.data_dir, "mcp_config.json")
        self.api = Api(f"unix://{self.socket}")
        del self.env["MCPTOP_SOCKET"]
        bin_dir = case.path("bin")
        for folder in (self.data_dir, bin_dir):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        links = dict.fromkeys(SERVER_PROGRAMS, paths.built("echo_server"))
        links.update(docker=docker_cli(engine.host), mcptop=paths.MCPTOP)
        for name, program in links.items():
            if not os.path.lexists(os.path.join(bin_dir, name)):
                os.symlink(program, os.path.join(bin_dir, name))
        self.env["PATH"] = f"{bin_dir}:{self.env['PATH']}"
        self.write_config(config)
        case.artefact(os.path.join(self.log_dir, "main.log"))

    def arguments(self):
        return self.options

    def shell(self, command):
        return self.shell_status(command)[1]

    def shell_status(self, command):
        done = subprocess.run(["bash", "-c", command], env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=90,
                              cwd=self.env["HOME"], check=False)
        return done.returncode, done.stdout


def make_images(t, engine):
    """The guide's images, with a small server under the names of its commands."""
    folder = t.path("image")
    os.makedirs(folder)
    for name in SERVER_PROGRAMS:
        shutil.copy(paths.built("echo_server"), os.path.join(folder, name))
    t.write("image/Dockerfile", "FROM mcptop-test/busybox:latest\n"
            f"COPY {' '.join(SERVER_PROGRAMS)} /usr/local/bin/\nCMD [\"mcp-server\"]\n")
    engine.docker.cli("build", "-q", *[x for name in IMAGES for x in ("-t", name)], folder)


def blocks(name, *kinds):
    """[(heading, [(kind, text), …])]: a line of a kind begins with its mark; what begins with
    blanks, or with nothing known, goes on."""
    out = []
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for line in file.read().splitlines():
            mark = line.split(" ", 1)[0]
            if mark == "==":
                out.append((line[3:], []))
            elif out and mark in kinds:
                out[-1][1].append((mark, line[len(mark) + 1:]))
            elif out and line.strip() and not line.startswith("#"):
                entries = out[-1][1]
                if entries and entries[-1][0] in ("$", ""):
                    entries[-1] = (entries[-1][0], entries[-1][1] + "\n" + line)
                else:
                    entries.append(("", line))
    return out


# ---- commands ----------------------------------------------------------------------

ISOLATION = """\
  "docker_isolation": {
    "enabled": true, // Master switch
    "memory_limit": "512m",
    "cpu_limit": "1.0",
    "timeout": "30s",
    "network_mode": "bridge"
  },
"""
# The shell grows until the kernel ends it.
GREEDY = "x=a; while :; do x=$x$x$x$x; done"
SERVERS = [
    {"name": "my-server", "command": "uvx", "args": ["mcp-server-name"], "env": {"TOKEN": "s3cret"}},
    {"name": "host-server", "command": "uvx", "isolation": {"enabled": False}},
    {"name": "dies", "command": "sh", "args": ["-c", "echo last words >&2; exit 3"],
     "isolation": {"image": "python:3.11"}},
    {"name": "greedy", "command": "sh", "args": ["-c", GREEDY],
     "isolation": {"image": "python:3.11", "memory_limit": "24m"}},
    {"name": "missing", "command": "uvx", "isolation": {"image": "localhost:1/no/such:image"}},
    {"name": "offline", "command": "uvx", "isolation": {"network_mode": "none"}},
]


def container_of(m, engine, server):
    """The running container, else the last failed one: (id, name), as `docker ps -a` has them."""
    found = wait_for(lambda: engine.docker.mine(server=server), 20, f"a container of {server}")
    up = [c for c in found if c["State"] == "running"] or found
    return up[0]["Id"][:12], up[0]["Names"][0].lstrip("/")


def typed(m, engine, server, command):
    """The command with the reader's own names in it."""
    command = command.replace("SERVER_NAME", server).replace("127.0.0.1:8080", f"127.0.0.1:{m.port}")
    if "YOUR_KEY" in command:
        command = command.replace("YOUR_KEY", m.key())
    if re.search(r"(?<!\$)CONTAINER_(ID|NAME)(?!=)", command):
        ident, name = container_of(m, engine, server)
        command = re.sub(r"(?<!\$)CONTAINER_ID(?!=)", ident, command)
        command = command.replace("CONTAINER_NAME", name)
    return command


def try_command(t, m, engine, heading, command, expectations):
    title, _, server = heading.rpartition(": ")
    seen = {}

    def holds():
        seen["out"] = m.shell(typed(m, engine, server, command))
        return all(bool(re.search(pattern.replace("SERVER_NAME", re.escape(server)), seen["out"], re.M))
                   == (mark == ">") for mark, pattern in expectations)
    try:
        wait_for(holds, 30, "what the guide promises", every=0.3)
        t.ok(True, f"{title} ({server}): {command.splitlines()[0]}")
    except AssertionError:
        t.ok(False, f"{title} ({server}): {command}", seen.get("out"))
        t.diag(*[f"{mark} {pattern}" for mark, pattern in expectations])


def commands_of(entries):
    """[(command, [(mark, pattern), …]), …]"""
    out = []
    for mark, text in entries:
        if mark == "$":
            out.append((text, []))
        else:
            out[-1][1].append((mark, text))
    return out


@tap.limit(240)
def test_commands(t):
    engine = t.own_engine()
    make_images(t, engine)
    port = free_port()
    m = AtHome(t, engine, f'{{\n  "listen": "127.0.0.1:{port}",\n' + ISOLATION +
               '  "mcpServers": ' + json.dumps(SERVERS, indent=2) + "\n}\n").start()
    m.port = port
    for name in ("my-server", "host-server", "offline"):
        m.wait_server(name)
    t.cleanup(m.shell, "mcptop shutdown")
    count = 0
    for heading, entries in blocks("guide-commands.txt", "$", ">", "!"):
        for command, expectations in commands_of(entries):
            try_command(t, m, engine, heading, command, expectations)
            count += 1
    t.ok(count > 30, "all of them", count)


# ---- snippets ----------------------------------------------------------------------

def configuration(snippet, name):
    """A whole file around a snippet: it is one already, or a server, or a fragment of one."""
    comment, _, body = snippet.partition("{")
    body = body.rstrip()[:-1].rstrip()
    if '"docker_isolation"' in body:
        return f'{comment}{{{body},\n"mcpServers": [{{"name": "{name}", "command": "uvx"}}]\n}}'
    own = "" if '"command"' in body else '"command": "uvx",'
    own += "" if '"name"' in body else f'"name": "{name}",'
    return ('{"docker_isolation": {"enabled": true},\n"mcpServers": [\n'
            f"{comment}{{{own}{body}}}\n]}}")


def facts_of(engine, server):
    """What the facts of guide-snippets.txt are compared with."""
    facts = {"where": server["where"], "state": server["state"]}
    mine = engine.docker.mine(server=server["name"], all=False)
    if server["where"] != "host" and mine:
        inside = engine.docker.inspect(mine[0]["Id"])
        host = inside["HostConfig"]
        facts.update(image=inside["Config"]["Image"], memory=str(host["Memory"] >> 20),
                     cpus=str(host["NanoCpus"] / 1e9), network=host["NetworkMode"],
                     workdir=inside["Config"]["WorkingDir"])
        facts["mount"] = " ".join(f"{x['Destination']}:{'rw' if x['RW'] else 'ro'}"
                                  for x in inside["Mounts"])
    return facts


def agree(facts, wanted):
    return all(want in facts.get(fact, "").split() if fact == "mount" else facts.get(fact) == want
               for fact, want in wanted.items())


def give(m, text):
    """Writes it and waits until it is in force, or told to be broken; the problems."""
    before = len(re.findall(r"mcp_config\.json (?:read|has \d+ errors):", m.log()))
    m.write_config(text)
    wait_for(lambda: len(re.findall(r"mcp_config\.json (?:read|has \d+ errors):", m.log())) > before,
             10, "the file to be read")
    return [f"{p['key']}: {p['text']}" for p in m.api.get("/config")["problems"]]


def try_snippet(t, m, engine, number, heading, entries):
    snippet = "\n".join(text for mark, text in entries if mark == "")
    wanted = dict(text.split(": ", 1) for mark, text in entries if mark == "->")
    warning = wanted.pop("warning", None)
    name = (re.search(r'"name": "([^"]+)"', snippet) or [None, f"s{number}"])[1]
    found = give(m, configuration(snippet, name).replace("/host/path", t.path("host")))
    rest = [p for p in found if not (warning and re.search(warning, p))]
    t.eq(rest, [], f"{heading}: loads")
    if warning:
        t.ok(len(found) > len(rest), f"{heading}: warns [{warning}]", found)
    seen = {}

    def holds():
        seen.update(facts_of(engine, m.server(name)))
        return agree(seen, wanted)
    try:
        wait_for(holds, 30, "what the guide promises")
        t.ok(True, f"{heading}: {wanted}")
    except AssertionError:
        t.ok(False, f"{heading}: {wanted}", seen)


@tap.limit(300)
def test_snippets(t):
    engine = t.own_engine()
    make_images(t, engine)
    os.makedirs(t.path("host"))
    m = AtHome(t, engine, {"mcpServers": {}}, ["--listen", "none"]).start()
    for number, (heading, entries) in enumerate(blocks("guide-snippets.txt", "->")):
        try_snippet(t, m, engine, number, heading, entries)
    m.write_config({"mcpServers": {}})


@tap.limit(60)
def test_snippet_without_commas(t):
    """As it is printed, the guide's choice of networks is no JSON: that is told with its line, and
    what ran goes on."""
    m = t.mcptop({"mcpServers": {"host": {"command": paths.built("echo_server")}}})
    pid = m.wait_server("host")["pid"]
    m.write_config("""{"mcpServers": {"one": {"command": "uvx",
  "isolation": {
    "enabled": true,
    "network_mode": "bridge" // Default, allows external access
    // OR
    "network_mode": "host" // Full host network access
  }
}}}""")
    wait_for(lambda: m.api.get("/config")["problems"], 10, "the problem")
    problem = m.api.get("/config")["problems"][0]
    t.eq(problem["line"], 6, "its line")
    t.has(problem["text"], "comma", "says what is missing")
    t.eq(m.server("host")["pid"], pid, "what ran goes on")


# ---- an image pulled by hand -------------------------------------------------------

@tap.limit(120)
def test_pull_by_hand(t):
    """Issue 4: the log tells, `docker pull` repairs it, and the server notices by itself."""
    engine = t.engine()
    image = Registry(t).publish(engine, "guide/python:3.11")
    server = paths.built("echo_server")
    m = AtHome(t, engine, {"docker_isolation": {"enabled": True}, "mcpServers": [
        {"name": "box", "command": server, "isolation": {
            "image": image, "pull_policy": "never", "volumes": [f"{server}:{server}:ro"]}}]},
        ["--listen", "none"]).start()
    m.wait_server("box", lambda s: s["last_error"])
    t.has(m.shell('grep -i "pull\\|not found" ~/.local/state/mcpproxy/logs/server-box.log'), re.escape(image),
          "the guide's grep finds the cause")
    t.has(m.shell(f"docker pull {image}"), "Downloaded newer image", "docker pull")
    m.wait_server("box", timeout=15)    # its own next try would be a minute later
    t.has(m.log("box"), f"image {re.escape(image)} is here now: started again", "the server notices")


# ---- contexts ----------------------------------------------------------------------

@tap.limit(60)
def test_context(t):
    """For Colima users: mcptop uses whichever has the asterisk, after a restart."""
    engine = t.engine()
    server = paths.built("echo_server")
    m = AtHome(t, engine, {"docker_isolation": {"enabled": True}, "mcpServers": [
        {"name": "box", "command": server, "isolation": {
            "image": "mcptop-test/busybox:latest", "volumes": [f"{server}:{server}:ro"]}}]},
        ["--listen", "none"])
    del m.env["DOCKER_HOST"]
    m.shell(f"docker context create colima --description colima --docker host={engine.host}")
    m.shell("docker context use colima")
    t.has(m.shell("docker context ls"), r"^colima \* ", "docker context ls")
    m.start()
    m.wait_server("box")
    t.eq(m.api.get("/status")["engine"]["context"], "colima", "the engine that is used")
    t.has(m.shell("docker ps"), "mcpproxy-box-", "the guide's docker ps sees it there")
    m.stop()
    m.shell("docker context use default")
    t.has(m.shell("docker context ls"), r"^default \* ", "docker context use default")


# ---- our own pages -----------------------------------------------------------------

def shell_lines(page):
    """The lines of a page's ```sh blocks: commands that work as they stand."""
    with open(os.path.join(paths.SRCDIR, "docs", page), encoding="utf-8") as file:
        return [line for block in re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S)
                for line in block.splitlines()]


def run_page(t, m, page):
    lines = shell_lines(page)
    for line in lines:
        status, out = m.shell_status(line)
        t.ok(status == 0, f"{page}: {line}", out)
    t.ok(len(lines) > 4, f"{page}: all of them", lines)


@tap.limit(240)
def test_isolation_page(t):
    engine = t.own_engine()
    make_images(t, engine)
    m = AtHome(t, engine, {"listen": "none", "docker_isolation": {"enabled": True}, "mcpServers": [
        {"name": "time", "command": "uvx", "args": ["mcp-server-time"]}]}).start()
    t.cleanup(m.shell, "mcptop shutdown")
    m.wait_server("time")
    m.shell("mcptop call time stderr '{\"text\":\"hello\"}'")
    run_page(t, m, "isolation.md")


def json_blocks(page):
    with open(os.path.join(paths.SRCDIR, "docs", page), encoding="utf-8") as file:
        return re.findall(r"^```json\n(.*?)^```", file.read(), re.M | re.S)


@tap.limit(60)
def test_examples_of_the_pages(t):
    """What they show as configuration loads without a word. Nothing of it is started."""
    for folder in ("notes", "data"):
        os.makedirs(t.path("me", folder))
    m = AtHome(t, t.engine(), {"mcpServers": {}}, ["--listen", "none"])
    m.env["GITHUB_TOKEN"] = "t"
    m.start()
    for page in ("configuration.md", "isolation.md", "moving.md"):
        found = json_blocks(page)
        for number, text in enumerate(found):
            text = text.replace("/home/me", t.path("me"))
            if '"mcpServers"' not in text:
                text = configuration(text, f"s{number}")
            text = text.replace('"command":', '"enabled": false, "command":')
            t.eq(give(m, text), [], f"{page}: example {number + 1}")
        t.ok(found, f"{page} has examples")


@tap.limit(60)
def test_moving_page(t):
    engine = t.engine()
    m = AtHome(t, engine, {"listen": "none", "mcpServers": {}}).start()
    t.write("home/.cursor/mcp.json", json.dumps({"listen": "none", "mcpServers": {"time": {
        "command": "uvx", "args": ["mcp-server-time"]}}}))
    t.cleanup(m.shell, "mcptop shutdown")
    run_page(t, m, "moving.md")


# ---- a restart by hand -------------------------------------------------------------

# Alone with its processes, so that pkill reaches no others.
ALONE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c"]
BY_HAND = """mcptop start box && mcptop ls
pkill mcptop && while pgrep mcptop >/dev/null; do sleep 0.1; done
echo "containers left: $(docker ps -q | wc -l)"
mcptop ls
mcptop start box"""


@tap.limit(90)
def test_restart_by_hand(t):
    """Step 7: pkill ends everything in order, and the next command starts it again."""
    engine = t.own_engine()
    server = paths.built("echo_server")
    m = AtHome(t, engine, {"listen": "none", "docker_isolation": {"enabled": True}, "mcpServers": [
        {"name": "box", "command": server, "isolation": {
            "image": "mcptop-test/busybox:latest", "volumes": [f"{server}:{server}:ro"]}}]})
    out = subprocess.run([*ALONE, BY_HAND], env=m.env, cwd=m.env["HOME"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80,
                         check=False).stdout
    t.has(out, r"box: \* ready(?:.*\n)+containers left: 0\n(?:.*\n)+box: \* ready", "stopped, and started again")


# ---- the example -------------------------------------------------------------------

@tap.limit(240)
def test_example(t):
    """uvx on python:3.11, which has no uvx: installed first, as the image proves to lack it."""
    engine = t.engine("python:3.11")
    m = t.mcptop({"docker_isolation": {"enabled": True}, "mcpServers": [
        {"name": "sqlite", "command": "uvx", "args": ["--with", "mcp<2", "mcp-server-sqlite",
                                                      "--db-path", "/tmp/x.db"]}]},
        docker_host=engine)
    one = m.wait_server("sqlite", timeout=180)
    t.ok(one["tool_count"] >= 5, "its tools", one["tool_count"])
    t.eq(one["plan"]["bootstrap"], True, "the plan says so")
    t.has(m.log("sqlite"), "image python:3.11 has no uvx", "and the log")
    t.has(json.dumps(one["plan"]["run_args"]), "mcpproxy-uv-cache-sqlite",
          "kept in a volume of its own")
    m.stop()
    engine.docker.cli("volume", "rm", "mcpproxy-uv-cache-sqlite", check=False)


if __name__ == "__main__":
    tap.main(__name__)
