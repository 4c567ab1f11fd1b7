#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""AI clients' own files: mcptop into them and out of them with every other byte as it was, their servers over to mcptop."""

import json
import os
import re
import stat
import subprocess
import tomllib

from harness import Mcptop, echo, fixture, paths, tap, wait_for
from harness.mcp import Stdio

OK, REFUSED, USAGE, NO_SUPERVISOR, NO_SERVER = range(5)

FILES = {
    "claude-code": (".claude.json", "mcpServers"),
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "vscode": (".config/Code/User/mcp.json", "servers"),
    "gemini": (".gemini/settings.json", "mcpServers"),
    "codex": (".codex/config.toml", "mcp_servers"),
}

# What such files look like, and what they may look like: comments, tabs, CRLF, no last newline, one line, odd keys.
JSONS = {
    "plain": '{\n  "KEY": {\n    "github": {\n      "command": "npx",\n      "args": ["-y", "x"],\n'
             '      "env": { "TOKEN": "s3cr\\u0065t" }\n    }\n  }\n}\n',
    "tabs and comments": '// mine\n{\n\t"theme": "dark", /* t */\n\t"KEY": {\n\t\t// the first\n\t\t"a": {\n'
                         '\t\t\t"command": "x"\n\t\t} // end\n\t},\n\t"z": [1, 2,],\n}\n',
    "CRLF": '{\r\n    "KEY": {\r\n        "a": {\r\n            "command": "x"\r\n        }\r\n    },\r\n    "n": 1e400\r\n}',
    "one line": '{"n":9007199254740993,"KEY":{"a":{"command":"x"}},"t":"\\ud83d\\ude00 \u2028"}',
    "no servers yet": '{\n  "numStartups": 12,\n  "tips": {\n    "a": 1\n  }\n}\n',
    "an empty object": '{}',
    "an empty list": '{\n  "KEY": {}\n}\n',
    "empty": '',
}
TOMLS = {
    "plain": 'model = "gpt-5"\n\n[mcp_servers.ctx]\ncommand = "npx"\nargs = ["-y", "ctx"]\n',
    "CRLF, inline, no last newline": "# mine\r\n[projects.'/home/u/x y']\r\ntrust_level = \"trusted\"\r\n"
                                     "[mcp_servers]\r\nctx = { command = 'npx', env = { A = \"1\" } } # c",
    "long strings": 'notes = """\n[mcp_servers.mcptop]\ncommand = "x"\n"""\n[[a]]\nx = 1\n[[a]]\n',
    "empty": '',
}


def texts(client):
    if client == "codex":
        return TOMLS
    return {what: text.replace("KEY", FILES[client][1]) for what, text in JSONS.items()}


class Home:
    """A home directory of a test's own."""

    def __init__(self, t, name="h"):
        self.dir = t.path(name)
        os.makedirs(self.dir, exist_ok=True)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("MCPTOP", "XDG_", "CLAUDE_", "CODEX_"))}
        self.env.update(HOME=self.dir, LC_ALL="C.UTF-8", DOCKER_HOST=f"unix://{t.path('no-engine')}")

    def path(self, client):
        path = os.path.join(self.dir, FILES[client][0])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if client == "claude-code":
            os.makedirs(os.path.join(self.dir, ".claude"), exist_ok=True)
        return path

    def put(self, client, text, mode=0o644):
        path = self.path(client)
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)
        return path

    def run(self, *args, check=None, input=None, env=None):
        done = subprocess.run([paths.MCPTOP, *args], env={**self.env, **(env or {})}, text=True, input=input, cwd=self.dir,
                              stdin=None if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30, check=False)
        if check is not None and done.returncode != check:
            raise AssertionError(f"mcptop {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done


def read(path):
    with open(path, "rb") as file:
        return file.read()


def loose(text):
    """JSON with comments and trailing commas, outside of strings."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[^"/]+|/', text, re.S)
    plain = "".join(x for x in tokens if not x.startswith(("//", "/*")))
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", plain))


def entries(client, data):
    text = data.decode()
    document = tomllib.loads(text) if client == "codex" else loose(text)
    return document[FILES[client][1]]


def kept(before, after):
    """Is every byte of `before` in `after`, in order? Only a brace that was closed at once may have moved apart."""
    at = 0
    for byte in after:
        if at < len(before) and before[at] == byte:
            at += 1
    return at == len(before)


def test_all_clients_in_and_out(t):
    home = Home(t)
    for client in FILES:
        for what, text in texts(client).items():
            path = home.put(client, text, 0o640)
            before = read(path)
            done = home.run("connect", client, "--yes", check=OK)
            after = read(path)
            entry = entries(client, after)["mcptop"]
            t.eq((entry["command"], entry["args"]), (os.path.realpath(paths.MCPTOP), ["stdio"]), f"{client}, {what}: the entry")
            t.ok(kept(before, after), f"{client}, {what}: every byte is still there", (before, after))
            if "CRLF" in what:
                t.eq(len(re.findall(rb"[^\r]\n", after)), 0, f"{client}, {what}: its line ends")
            t.eq(stat.S_IMODE(os.stat(path).st_mode), 0o640, f"{client}, {what}: its mode")
            t.ok(read(path + ".mcptop-backup") == before, f"{client}, {what}: the copy")
            t.has(done.stdout, r"(?m)^  \+.*mcptop", f"{client}, {what}: the change is shown")
            t.eq(home.run("connect", client, "--yes", check=OK).stdout.count("already"), 1, f"{client}, {what}: once is enough")
            home.run("connect", client, "--undo", "--yes", check=OK)
            t.ok(read(path) == before, f"{client}, {what}: undo restores every byte", (before, read(path)))
            t.ok(not os.path.exists(path + ".mcptop-backup"), f"{client}, {what}: and leaves no copy")


def test_no_file(t):
    home = Home(t)
    for client in FILES:
        path = home.path(client)
        home.run("connect", client, "--yes", check=OK)
        t.eq(list(entries(client, read(path))), ["mcptop"], f"{client}: a file is made")
        t.eq(stat.S_IMODE(os.stat(path).st_mode), 0o600, f"{client}: for the user alone")
        t.ok(not os.path.exists(path + ".mcptop-backup"), f"{client}: no copy of nothing")
        home.run("connect", client, "--undo", "--yes", check=OK)
        t.ok(not os.path.exists(path), f"{client}: and it goes again")
    t.eq(home.run("connect", "cursor", "--undo", "--yes").returncode, REFUSED, "nothing to undo")


def test_list(t):
    home = Home(t)
    home.put("cursor", JSONS["plain"].replace("KEY", "mcpServers"))
    home.put("codex", TOMLS["plain"])
    home.put("vscode", '{\n  "servers": {,}\n}\n')
    home.run("connect", "cursor", "--yes", check=OK)
    table = home.run("connect", check=OK).stdout
    t.has(table, r"(?m)^cursor +found +mcptop +\S+/.cursor/mcp.json$", "one that is connected")
    t.has(table, r"(?m)^codex +found +- +\S+config.toml$", "one that is not")
    t.has(table, r"(?m)^claude-desktop +not found +- ", "one that is not here")
    t.has(table, r"(?m)^vscode +found +unreadable .*\n +line 2", "one whose file is broken")
    listed = {x["client"]: x for x in json.loads(home.run("connect", "--json", check=OK).stdout)}
    t.eq((list(listed), listed["cursor"]["entries"]), (list(FILES), ["mcptop"]), "connect --json")
    absent = home.run("connect", "claude-desktop", "--yes")
    t.ok(absent.returncode == REFUSED and "was not found" in absent.stderr and "start it once" in absent.stderr, "what is not here is not made", absent)
    t.eq(home.run("connect", "emacs").returncode, USAGE, "an unknown client")
    t.eq(home.run("connect", "--undo").returncode, USAGE, "--undo of nobody")


def test_asks(t):
    home = Home(t)
    path = home.put("cursor", JSONS["plain"].replace("KEY", "mcpServers"))
    before = read(path)
    for answer, what in (("n\n", "no"), ("\n", "nothing"), ("", "no answer")):
        done = home.run("connect", "cursor", input=answer)
        t.ok(done.returncode == REFUSED and "[y/N]" in done.stdout and "nothing was changed" in done.stdout, f"{what}: asks", done)
        t.ok(read(path) == before and len(os.listdir(os.path.dirname(path))) == 1, f"{what}: changes nothing")
    home.run("connect", "cursor", "--dry-run", check=OK)
    t.ok(read(path) == before, "neither does --dry-run")
    t.eq(home.run("connect", "cursor", input="y\n").returncode, OK, "yes")
    after = read(path)
    t.ok(after != before, "changes it")
    home.run("connect", "cursor", "--undo", "--dry-run", check=OK)
    home.run("connect", "cursor", "--undo", input="n\n")
    t.ok(read(path) == after, "undo asks too")


def test_broken(t):
    home = Home(t)
    for client, text, line in (("cursor", '{\n  "mcpServers": {\n    "a": }\n}\n', 3), ("gemini", '{"a": 1', 1),
                               ("claude-code", '{\n"mcpServers": [1]\n}', 2), ("codex", 'a = 1\n[mcp_servers\n', 2),
                               ("codex", 'a = 1\na = 2\n', 2), ("vscode", '{\n"servers": {\n"mcptop": {"command": "x"}}}', 3)):
        path = home.put(client, text)
        done = home.run("connect", client, "--yes")
        t.eq(done.returncode, REFUSED, f"{client}: {text!r}")
        t.ok(f"{path}:{line}: " in done.stderr, f"{client}: file and line", done.stderr)
        t.ok(read(path) == text.encode() and not os.path.exists(path + ".mcptop-backup"), f"{client}: is left alone")
        os.unlink(path)


def test_odd_files(t):
    home = Home(t)
    path = home.path("cursor")
    real = os.path.join(home.dir, "dotfiles.json")
    text = JSONS["tabs and comments"].replace("KEY", "mcpServers").encode()
    with open(real, "wb") as file:
        file.write(text)
    os.symlink("../dotfiles.json", path)
    home.run("connect", "cursor", "--yes", check=OK)
    t.ok(os.path.islink(path) and b'"mcptop"' in read(real), "a symlink stays one, its file is changed")
    home.run("connect", "cursor", "--undo", "--yes", check=OK)
    t.ok(os.path.islink(path) and read(real) == text, "and back")
    os.unlink(path)
    os.symlink("nowhere.json", path)
    done = home.run("connect", "cursor", "--yes")
    t.ok(done.returncode == REFUSED and os.path.islink(path), "a link to nowhere is left alone", done)
    os.unlink(path)

    path = home.put("gemini", text, 0o444)
    done = home.run("connect", "gemini", "--yes")
    t.ok(done.returncode == REFUSED and "read-only" in done.stderr, "a read-only file is left alone", done)
    t.ok(read(path) == text, "also for root")
    os.unlink(path)
    os.mkdir(path)
    t.eq(home.run("connect", "gemini", "--yes").returncode, REFUSED, "a directory")


def test_changed_since(t):
    """A client that wrote its file meanwhile loses nothing by undo."""
    home = Home(t)
    path = home.put("claude-code", '{\n  "numStartups": 1\n}\n')
    home.run("connect", "claude-code", "--yes", check=OK)
    document = json.loads(read(path))
    document["numStartups"] = 2
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    done = home.run("connect", "claude-code", "--undo", "--yes", check=OK)
    t.eq(json.loads(read(path)), {"numStartups": 2}, "only mcptop goes")
    t.has(done.stdout, "stays", "and it is said")
    t.ok(read(path + ".mcptop-backup") == b'{\n  "numStartups": 1\n}\n', "the copy is kept")

    # The next time there is an older copy: it is never overwritten.
    before = read(path)
    home.run("connect", "claude-code", "--yes", check=OK)
    t.ok(read(path + ".mcptop-backup.2") == before, "another copy beside the old one")
    t.ok(read(path + ".mcptop-backup") == b'{\n  "numStartups": 1\n}\n', "which is as it was")
    home.run("connect", "claude-code", "--undo", "--yes", check=OK)
    t.ok(read(path) == before, "the newest one counts")

    path = home.put("codex", TOMLS["plain"])
    home.run("connect", "codex", "--yes", check=OK)
    with open(path, "a", encoding="utf-8") as file:
        file.write('\n[projects."/x"]\ntrust_level = "trusted"\n')
    home.run("connect", "codex", "--undo", "--yes", check=OK)
    t.eq(read(path).decode(), TOMLS["plain"] + '\n[projects."/x"]\ntrust_level = "trusted"\n', "TOML: only our table goes")


def test_update(t):
    """Ours, but from another place: it is brought up to date, and what else stands in it stays."""
    home = Home(t)
    text = '{"mcpServers": {"mcptop": {"command": "/old/mcptop", "args": ["stdio"], "env": {"A": "1"}}}}'
    path = home.put("cursor", text)
    home.run("connect", "cursor", "--yes", check=OK)
    entry = json.loads(read(path))["mcpServers"]["mcptop"]
    t.eq((entry["command"], entry["env"]), (os.path.realpath(paths.MCPTOP), {"A": "1"}), "brought up to date")
    t.ok(read(path + ".mcptop-backup").decode() == text, "with a copy")


def test_project(t):
    """The client's file of the project in this directory; the user's own is not touched."""
    home = Home(t)
    for client, name in (("claude-code", ".mcp.json"), ("cursor", ".cursor/mcp.json"), ("vscode", ".vscode/mcp.json"),
                         ("gemini", ".gemini/settings.json"), ("codex", ".codex/config.toml")):
        project = t.path("project-" + client)
        os.mkdir(project)
        path = os.path.join(project, name)

        def run(*words):
            return subprocess.run([paths.MCPTOP, "connect", client, "--project", "--yes", *words], env=home.env, cwd=project,
                                  text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        t.has(run().stdout, f"connect {client} --project --undo", f"{client}: says how to go back")
        t.eq(entries(client, read(path))["mcptop"]["args"], ["stdio"], f"{client}: connected")
        run("--undo")
        t.ok(not os.path.exists(path), f"{client}: and undone")
        texts_of = texts(client)["plain"]
        with open(path, "w", encoding="utf-8") as file:
            file.write(texts_of)
        run()
        t.ok(kept(texts_of.encode(), read(path)) and os.path.exists(path + ".mcptop-backup"), f"{client}: one that was there")
        run("--undo")
        t.ok(read(path).decode() == texts_of, f"{client}: and back")
    t.ok(not [f for _, _, files in os.walk(home.dir) for f in files], "the home directory is as it was")
    t.eq(home.run("connect", "claude-desktop", "--project").returncode, USAGE, "a client without projects")
    t.eq(home.run("connect", "--project").returncode, USAGE, "--project of nobody")


def test_other_supervisor(t):
    """A client has neither our options nor our environment."""
    home = Home(t)
    path = home.put("cursor", "{}")
    home.run("connect", "cursor", "--yes", "--data-dir", "/d", check=OK)
    t.eq(json.loads(read(path))["mcpServers"]["mcptop"]["args"], ["stdio", "--data-dir", "/d"], "--data-dir goes with it")
    home.run("connect", "cursor", "--yes", check=OK, env={"MCPTOP_SOCKET": "/s"})
    t.eq(json.loads(read(path))["mcpServers"]["mcptop"]["args"], ["stdio", "--socket", "/s"], "so does MCPTOP_SOCKET")
    home.run("connect", "cursor", "--yes", check=OK)
    t.eq(json.loads(read(path))["mcpServers"]["mcptop"]["args"], ["stdio"], "and not for longer")


def run_entry(t, m, entry):
    """Starts an entry as the client would, and initializes."""
    client = Stdio([entry["command"], *entry["args"]], env={**m.env, "MCPTOP_SOCKET": "", **entry.get("env", {})}, cwd="/")
    t.cleanup(client.close)
    client.initialize()
    return client


def test_entry_works(t):
    """What connect writes is what the client starts: every server's tools through one entry."""
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "fast": echo()}})
    m.wait_server("good")
    m.wait_server("fast")
    home = Home(t, "home")
    path = home.put("claude-desktop", "{}")
    m.cli("connect", "claude-desktop", "--yes", check=OK)
    entry = entries("claude-desktop", read(path))["mcptop"]
    t.eq(entry["args"][-2:], ["--config", m.config], "with the file that is served now, where it is not the usual one")
    client = run_entry(t, m, entry)
    t.eq(client.tool("good__add", {"a": 1, "b": 2})["content"][0]["text"], "3", "a tool of the first")
    t.eq(client.tool("fast__echo", {"text": "x"})["content"][0]["text"], "x", "and one of the second")


def test_each(t):
    m = t.mcptop({"mcpServers": {"good": fixture("good"), "a.b c": echo(), "off": echo(enabled=False)}})
    m.wait_server("good")
    m.wait_server("a.b c")
    home = Home(t, "home")
    for client in ("codex", "cursor"):
        path = home.put(client, texts(client)["plain"])
        before = read(path)
        m.cli("connect", client, "--each", "--yes", check=OK)
        made = entries(client, read(path))
        t.eq({n: made[n]["args"][:2] for n in made if made[n]["command"] == os.path.realpath(paths.MCPTOP)},
             {"good": ["stdio", "good"], "a.b c": ["stdio", "a.b c"]}, f"{client}: an entry for each that is enabled")
        result = run_entry(t, m, made["good"]).tool("add", {"a": 1, "b": 2})
        t.eq(result["content"][0]["text"], "3", f"{client}: and it works as it is written there")
        m.cli("connect", client, "--undo", "--yes", check=OK)
        t.ok(read(path) == before, f"{client}: all go")
    home.put("cursor", '{"mcpServers": {"good": {"command": "x"}}}')
    done = m.cli("connect", "cursor", "--each", "--yes")
    t.ok(done.returncode == REFUSED and '"good"' in done.stderr, "a server of the user's is not replaced", done)


# -- import ------------------------------------------------------------------------

def config_of(m):
    return loose(m.read_config())["mcpServers"]


def test_import_every_client(t):
    m = t.mcptop('{\n  // mine\n  "mcpServers": {}\n}\n')
    home = Home(t, "home")
    for client in FILES:
        name, secret = f"from-{client}", "s3cr\u00e9t \\ \"x\" ${HOME}"
        if client == "codex":
            command = echo()["command"]
            home.put(client, f"[mcp_servers.{name}]\ncommand = '{command}'\ncwd = \"/\"\n"
                             f"[mcp_servers.{name}.env]\nTOKEN = {json.dumps(secret)}\nMCPTOP_TEST_SERVER = \"echo\"\n")
        else:
            spec = dict(echo(), type="stdio", cwd="/")
            spec["env"]["TOKEN"] = secret
            home.put(client, json.dumps({FILES[client][1]: {name: spec}}, indent=2))
        done = m.cli("import", client, "--yes", check=OK)
        t.has(done.stdout, rf"(?m)^\+ {name}: \S*echo_server.* TOKEN=", f"{client}: the command is shown")
        t.ok("s3cr" not in done.stdout + done.stderr, f"{client}: values of env are not", done)
        m.wait_server(name)
        ours = config_of(m)[name]
        t.eq((ours["env"]["TOKEN"], ours["working_dir"]), (secret, "/"), f"{client}: env as it was")
        again = m.cli("import", client, "--yes")
        t.ok(again.returncode == OK and "there already" in again.stdout, f"{client}: once is enough", again)
    t.eq(list(config_of(m)), [f"from-{c}" for c in FILES], "all are there")
    t.has(m.read_config(), r"^\{\n  // mine\n", "and so are the user's own bytes")


def test_import_verdicts(t):
    m = t.mcptop({"mcpServers": [dict(echo(), name="taken")]})
    source = t.write("source.json", json.dumps({
        "mcpServers": {"me": {"command": "/usr/bin/mcptop", "args": ["stdio"]}, "web": {"url": "https://x/mcp"},
                       "taken": {"command": "other"}, "new": dict(echo(), autoApprove=["a"], disabled=True),
                       "odd": {"args": []}, "": echo(), "words": {"command": "x", "args": "not a list"}, "vars": dict(echo(), args=["${input:key}"])},
        "projects": {"/home/u/p": {"mcpServers": {"deep": echo(), "new": {"command": "x"}}}}}))
    before = m.read_config()
    dry = m.cli("import", source, "--dry-run")
    for words in (r"- me: not taken: it is mcptop itself", r"- web: not taken: it is a remote server",
                  r"- taken: not taken: another server of that name", r"- odd: not taken: it has no command",
                  r"- : not taken: mcpServers.: the name of a server must not be empty", r"- words: not taken: mcpServers.words.args: must be an array",
                  r"\+ new: .*\n    ! left out: autoApprove", r"\+ vars: .*\n    ! \$\{input:key\} is not replaced here",
                  r"\+ deep \(of /home/u/p\): ", r"- new \(of /home/u/p\): not taken: another one of that name"):
        t.has(dry.stdout, words, f"says {words}")
    t.eq((dry.returncode, m.read_config()), (REFUSED, before), "--dry-run adds nothing, and tells of the conflict")
    t.has(m.cli("import", source, input="n\n").stdout, "nothing was changed", "it asks")
    t.eq(m.read_config(), before, "and no is no")
    m.cli("import", source, "--yes")
    t.eq([s["name"] for s in config_of(m)], ["taken", "new", "vars", "deep"], "into an array, too")
    private = t.write("private.json", json.dumps({"mcpServers": {"private": {"command": "/bin/cat", "args": ["--token", "hunter"]}}}))
    dry = m.cli("import", private, "--dry-run").stdout
    t.ok("--token '***'" in dry and "hunter" not in dry, "secrets among arguments are not shown", dry)
    m.cli("import", private, "--yes")
    t.eq(config_of(m)[-1]["args"], ["--token", "hunter"], "but taken")
    t.has(m.cli("import", private, "--yes").stdout, "private: not taken: it is there already", "and known again")
    t.ok(m.read_config().startswith(before.rstrip()[:-len("  ]\n}") - 1]), "after what was there")
    t.eq(m.server("new")["enabled"], False, "disabled stays disabled")
    t.eq(m.cli("import", source, "taken", "--as", "renamed", "--yes").returncode, OK, "another name")
    t.ok("renamed" in [s["name"] for s in config_of(m)], "is taken")
    t.eq(m.cli("import", source, "--as", "x").returncode, USAGE, "--as of many")
    wrong = m.cli("import", source, "nwe")
    t.ok(wrong.returncode == NO_SERVER and 'did you mean "new"' in wrong.stderr, "a name that is not in it", wrong)


def test_import_bad_sources(t):
    m = t.mcptop({"mcpServers": {}})
    broken = t.write("broken.json", '{\n"mcpServers": {\n')
    done = m.cli("import", broken)
    t.ok(done.returncode == REFUSED and f"{broken}:3: " in done.stderr, "file and line", done)
    toml = t.write("broken.toml", 'a = 1\n[b\n')
    t.ok(f"{toml}:2: " in m.cli("import", toml).stderr, "of TOML too")
    t.has(m.cli("import", t.path("nosuch")).stderr, "no file .* claude-code", "a file that is not there")
    t.has(m.cli("import", "cursor").stderr, "no configuration here", "a client that is not here")
    t.has(m.cli("import", t.write("none.json", "{}")).stderr, "names no servers", "nothing in it")
    bad = t.write("bad.json", json.dumps({"mcpServers": {"a\u0001": echo()}}))
    before = m.read_config()
    done = m.cli("import", bad, "--yes")
    t.ok(done.returncode == REFUSED and "control characters" in done.stdout, "what would not load is refused", done)
    t.eq(m.read_config(), before, "and not written")


def test_import_without_configuration(t):
    m = Mcptop(t, {"mcpServers": {}})
    os.unlink(m.config)
    m.start()
    source = t.write("source.json", json.dumps({"servers": {"one": echo()}}))
    m.cli("import", source, "--yes", check=OK)
    m.wait_server("one")
    t.eq(stat.S_IMODE(os.stat(m.config).st_mode), 0o600, "the configuration is made, for the user alone")
    t.eq(list(config_of(m)), ["one"], "with the server in it")


def test_import_into_broken(t):
    text = '{ "mcpServers": { "a": { "command": 5 } } }'
    m = t.mcptop(text)
    done = m.cli("import", t.write("s.json", json.dumps({"mcpServers": {"one": echo()}})), "--yes")
    t.ok(done.returncode == REFUSED and "repair it first" in done.stderr, "a broken configuration is not touched", done)
    t.eq(m.read_config(), text, "not a byte")


def test_route(t):
    m = t.mcptop({"mcpServers": {"one": echo()}}, listen=True)
    one = {"servers": {"two": echo()}}
    reply = m.tcp().raw("POST", "/servers", one)
    t.ok(reply.status == 403 and "socket" in reply.json()["error"], "over TCP, even with the key: no", reply)
    dry = m.api.post("/servers", dict(one, dry_run=True))
    t.ok('+' in dry["diff"] and "two" not in m.read_config(), "dry_run shows the change and makes none", dry)
    t.eq(m.api.post("/servers", one)["servers"], ["two"], "the names are answered")
    m.wait_server("two")
    for body, status in (({"servers": {"two": echo()}}, 409), ({"servers": {"x": 1}}, 400), ({"servers": []}, 400), ({}, 400),
                         ({"servers": {"x": {"name": "y"}}}, 400), ({"servers": {}, "more": 1}, 400)):
        t.eq(m.api.raw("POST", "/servers", body).status, status, f"POST {body}: {status}")
    wait_for(lambda: "two added through the API" in m.log(), 5, "a line in the log")


if __name__ == "__main__":
    tap.main(__name__)
