#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mcptop asks of the engine for the words of a `docker run` is what docker itself asks for: the
docker client talks through a recording proxy in front of a real engine, plan_client (C) prints ours.

What differs on purpose stands in `ours` and `theirs` below, nowhere else."""

import json
import os
import socket
import subprocess
import threading

from harness import paths, tap, wait_for

BUSYBOX = "mcptop-test/busybox:latest"
LABEL = "com.mcpproxy."


class Recorder:
    """A unix socket that hands everything to the engine's and keeps the bodies of creates."""

    def __init__(self, path, target):
        self.path, self.target, self.created = path, target, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.accepter = threading.Thread(target=self._accept, daemon=True)
        self.accepter.start()

    def close(self):
        """Wakes the accept first: interrupted after a mere close, it would go on with whatever listener
        has the number of this descriptor by then."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepter.join()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self.target)
            threading.Thread(target=self._requests, args=(client, engine), daemon=True).start()
            threading.Thread(target=self._copy, args=(engine, client), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _requests(self, client, engine):
        """The docker client's requests one by one: it waits for each reply."""
        seen = b""
        try:
            while data := client.recv(65536):
                seen = self._keep(seen + data)
                engine.sendall(data)
            engine.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _keep(self, seen):
        head, end, body = seen.partition(b"\r\n\r\n")
        if not end:
            return seen
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:")]
        if len(body) < (length[0] if length else 0):
            return seen
        method, target = head.split(b" ", 2)[:2]
        if method == b"POST" and b"/containers/create" in target:
            self.created.append((target.decode(), json.loads(body)))
        return b""


def plain(value):
    """Without what an absent member means too: null, false, 0, "", [] and {}."""
    if isinstance(value, dict):
        small = {k: plain(v) for k, v in value.items()}
        return {k: v for k, v in small.items() if v not in (None, False, 0, "", [], {}) or
                (k, v) == ("Init", False)}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def sets(values, *keys):
    """Lists that docker fills in no certain order."""
    for key in keys:
        if key in values:
            values[key] = sorted(values[key], key=json.dumps)


def cap_name(cap):
    return cap.upper() if cap.upper() == "ALL" else "CAP_" + cap.upper().removeprefix("CAP_")


def common(body):
    host = body.setdefault("HostConfig", {})
    for key in ("AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce"):
        body.pop(key, None)             # always attached: -i and -a say nothing new
    for key in ("AutoRemove",           # --rm: we remove it ourselves, after its post-mortem
                "RestartPolicy",        # --restart: we restart it ourselves
                "LogConfig",            # ours is small where docker's is the engine's default
                "ConsoleSize"):
        host.pop(key, None)
    if host.get("PidsLimit") == -1:
        del host["PidsLimit"]           # no limit, as its absence says
    for key in ("CapAdd", "CapDrop"):   # some clients spell them out, the engine knows both
        host[key] = sorted({cap_name(cap) for cap in host.get(key) or []})
    # Twice the same variable: the last one counts, and their order says nothing.
    body["Env"] = sorted({v.split("=", 1)[0]: v for v in body.get("Env") or []}.values())
    body = plain(body)
    sets(body.get("HostConfig", {}), "Binds", "Ulimits", "Mounts")
    return body


def theirs(body, cwd):
    host = body["HostConfig"]
    # ./x: clients before 23.0 leave it to the engine, which refuses it.
    def path(source):
        return os.path.normpath(os.path.join(cwd, source)) if source.startswith(".") else source
    host["Binds"] = [":".join([path(bind.split(":")[0]), *bind.split(":")[1:]])
                     for bind in host.get("Binds") or []]
    for mount in host.get("Mounts") or []:
        mount["Source"] = path(mount.get("Source", ""))
    if host.get("Memory") and not host.get("MemorySwap"):
        host["MemorySwap"] = 2 * host["Memory"]      # what the engine makes of it; update needs it
    # 20.10 sends -1 for "the engine's default"; the flag alone names an endpoint without settings.
    if host.get("MemorySwappiness") == -1:
        del host["MemorySwappiness"]
    body.pop("NetworkingConfig", None)
    # An anonymous volume's map has null for each.
    for name in body.get("Volumes") or {}:
        body["Volumes"][name] = True
    for name in body.get("ExposedPorts") or {}:
        body["ExposedPorts"][name] = True
    return common(body)


def ours(body):
    for name in list(body["Labels"]):
        if name.startswith(LABEL):
            del body["Labels"][name]
    for name in body.get("Volumes") or {}:
        body["Volumes"][name] = True
    for name in body.get("ExposedPorts") or {}:
        body["ExposedPorts"][name] = True
    return common(body)


# Every mapped flag, in the forms that people write.
CASES = [
    [],
    ["-i"], ["-i", "--rm"], ["--interactive", "--rm=true"],
    ["-i", "-a", "stdin", "-a", "stdout", "-a", "stderr"],
    ["-m", "64m"], ["-m64m"], ["-m=64m"], ["--memory=64m"], ["--memory", "1g"], ["-im", "64m"],
    ["-m", "64m", "--memory-swap", "128m"], ["-m", "64m", "--memory-swap=64m"],
    ["-m", "64m", "--memory-swap=-1"], ["--memory=64m", "--memory-reservation=32m"],
    ["--cpus", "0.5"], ["--cpus=1.5"], ["--cpuset-cpus=0"], ["--cpu-shares", "512"], ["-c=512"],
    ["--pids-limit", "100"], ["--pids-limit=-1"], ["--oom-score-adj=100"],
    ["--ulimit", "nofile=1024:2048"], ["--ulimit=nproc=64", "--ulimit", "core=0"],
    ["--ulimit=core=-1"], ["--ulimit", "nofile=64", "--ulimit=core=0", "--ulimit=nofile=32:64"],
    ["--shm-size=128m"], ["--shm-size", "1g"],
    ["-v", "/tmp:/data"], ["-v/tmp:/data:ro"], ["--volume=/tmp:/data:rw"],
    ["-v", "named:/data"], ["-v", "named:/data:ro"], ["-v", "/anonymous"],
    ["-v", "./here:/data"], ["-v", ".:/data"], ["-v", "../beside:/data:ro"], ["-v", ".hidden/x:/data"], ["-v", "/tmp:/data:ro,z"], ["-v", "/tmp:/d:nocopy"],
    ["-v", "/tmp:/one", "-v", "/var:/two"],
    ["--mount", "type=bind,source=/tmp,target=/data"],
    ["--mount", "type=bind,src=/tmp,dst=/data,readonly"],
    ["--mount=type=bind,source=/tmp,destination=/data,ro=true,bind-propagation=rslave"],
    ["--mount", "type=volume,source=vol,target=/data"], ["--mount", "src=vol,target=/data"],
    ["--mount", "type=volume,target=/data,volume-nocopy=true"],
    ["--mount", "type=tmpfs,target=/data,tmpfs-size=1m,tmpfs-mode=1770"],
    ["--mount", "type=bind,\"source=/tmp/a,b\",target=/data"],
    ["--mount", "type=bind,source=../beside,target=/data"],
    ["--tmpfs", "/run"], ["--tmpfs=/run:rw,size=64k", "--tmpfs", "/tmp"],
    ["--read-only"], ["--read-only=false"], ["-w", "/tmp"], ["--workdir=/tmp"],
    ["-e", "A=1"], ["-eA=1"], ["-e=A=1"], ["--env", "A=b=c"], ["--env=A="],
    ["-e", "TOKEN"], ["-e", "NOT_SET_ANYWHERE"], ["-ie", "TOKEN"], ["-e", "A=1", "-e", "B=2"],
    ["--env-file", "env"], ["--env-file=env", "-e", "FROM_FILE=flag"],
    ["-e", "FROM_FILE=flag", "--env-file=env", "--env-file", "env2"],
    ["-h", "box"], ["--hostname=box", "--domainname", "example"],
    ["--network", "none"], ["--network=host"], ["--net=bridge"], ["--network", "some-net"],
    ["--dns", "192.0.2.1", "--dns=192.0.2.2"], ["--dns-search=a", "--dns-option", "ndots:1"],
    ["--dns-opt=ndots:2"],
    ["--add-host", "h:192.0.2.1"], ["--add-host=h:host-gateway"],
    ["-p", "80"], ["-p", "8080:80"], ["--publish=127.0.0.1:8080:80/udp"], ["-p", "127.0.0.1::80"],
    ["-p8080-8081:80-81"], ["-p", "[::1]:80:80"],
    ["-u", "1000"], ["--user=1000:1000"], ["--group-add", "audio"],
    ["--cap-add", "NET_RAW"], ["--cap-drop=ALL"], ["--cap-drop", "all", "--cap-add=net_raw"],
    ["--security-opt", "no-new-privileges"], ["--security-opt=no-new-privileges:true"],
    ["--security-opt", "seccomp=unconfined", "--security-opt=label=disable"],
    ["--security-opt=apparmor=unconfined"],
    ["--privileged"], ["--privileged=false"], ["--pid=host"], ["--ipc", "host"],
    ["--userns=host"], ["--sysctl", "net.ipv4.ip_forward=1"],
    ["--device", "/dev/null"], ["--device=/dev/null:/dev/x"], ["--device=/dev/null:/dev/x:r"],
    ["--device", "/dev/null:rw"],
    ["--gpus", "all"], ["--gpus=2"], ["--gpus", "\"device=0,1\""],
    ["--gpus", "all,capabilities=utility"], ["--gpus", "driver=nvidia,count=1"],
    ["--init"], ["--init=false"], ["--runtime", "runc"], ["--platform=linux/amd64"], ["--pull", "missing"],
    ["--pull=never"],
    ["--entrypoint", "/bin/sh"], ["--entrypoint="],
    ["-l", "a=b"], ["--label", "a"], ["--label=a=b=c", "-l=d"],
    ["--stop-timeout", "3"], ["--stop-signal=SIGINT"],
    ["--log-driver=none"], ["--log-driver", "json-file", "--log-opt", "max-size=1m"],
    ["--name", "fixed-name"], ["--restart=no"],
    ["-i", "--rm", "-e", "TOKEN", "-v", "/tmp:/data:ro", "--network=none", "--cap-drop=ALL"],
]
COMMAND = ["sh", "-c", "echo '$x'", "-e", "--rm"]


def docker_sends(t, engine, recorder, words, command, **more):
    before = len(recorder.created)
    env = dict(os.environ, **{"TOKEN": "of the server's env", "DOCKER_CONFIG": t.path("no-docker-config"), **more})
    argv = engine.docker.cli_argv()[:1] + ["-H", f"unix://{recorder.path}", "create", *words,
                                           BUSYBOX, *command]
    done = subprocess.run(argv, env=env, cwd=t.dir, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 0:
        engine.docker.remove(done.stdout.strip())
    if len(recorder.created) == before:
        raise AssertionError(f"docker sent nothing for {words}: status {done.returncode}, {done.stdout}{done.stderr}")
    return recorder.created[-1]


def plans(t, servers, root=None, engine="default", **env):
    path = t.write("config.json", json.dumps(dict(root or {}, mcpServers=servers)))
    program = os.path.join(paths.BUILDDIR, "tests", "integration", "plan_client")
    done = subprocess.run([program, path, engine], cwd=t.dir, text=True, stdout=subprocess.PIPE, check=False,
                          env=dict(os.environ, **{"DOCKER_CONFIG": t.path("no-docker-config"), **env}),
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise AssertionError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@tap.limit(300)
def test_flags(t):
    engine = t.engine()
    recorder = Recorder(t.path("recorder.sock"), engine.socket)
    t.cleanup(recorder.close)
    t.write("env", "FROM_FILE=a b\n# comment\nTOKEN\nEMPTY=\n")
    t.write("env2", "FROM_FILE=second\nNOT_SET_ANYWHERE\n")
    servers = {f"s{i}": {"command": "docker", "args": ["run", *words, BUSYBOX, *COMMAND],
                         "env": {"TOKEN": "of the server's env"}}
               for i, words in enumerate(CASES)}
    servers["bare"] = {"command": "docker", "args": ["run", "-i", "--entrypoint", "sh", BUSYBOX]}
    made = plans(t, servers)
    for plan, words in zip(made, [*CASES, ["-i", "--entrypoint", "sh"]]):
        command = [] if plan["name"] == "bare" else COMMAND
        target, body = docker_sends(t, engine, recorder, words, command)
        if not plan["adopted"]:
            t.ok(False, f"{' '.join(words)}: adopted", plan["notes"])
            continue
        t.eq(ours(plan["create"]), theirs(body, t.dir), " ".join(words) or "no flag")
        if any("platform" in word for word in words):
            t.has(target, "platform=linux%2Famd64", "--platform is a parameter of the request")


PROXIES = {"httpProxy": "http://user:secret@proxy:3128", "httpsProxy": "http://proxy:3129",
           "noProxy": "localhost,.example", "ftpProxy": ""}


@tap.limit(120)
def test_what_docker_adds(t):
    """`proxies` of docker's file, for every engine and for this one, and DOCKER_DEFAULT_PLATFORM."""
    engine = t.engine()
    recorder = Recorder(t.path("recorder.sock"), engine.socket)
    t.cleanup(recorder.close)
    t.write("env", "HTTP_PROXY=of the file\n")
    cases = [[], ["-e", "HTTP_PROXY=mine"], ["-e", "http_proxy=", "-e", "NO_PROXY=mine"], ["-e", "HTTP_PROXY"],
             ["--env-file", "env"], ["--env-file", "env", "-e", "HTTP_PROXY=mine"], ["--platform=linux/amd64"]]
    servers = {f"s{i}": {"command": "docker", "args": ["run", *words, BUSYBOX, *COMMAND]}
               for i, words in enumerate(cases)}
    host = f"unix://{recorder.path}"
    for what, proxies in (("of all engines", {"default": PROXIES}),
                          ("of this engine", {"default": {"httpProxy": "http://wrong"}, host: PROXIES}),
                          ("none", {"unix:///another": PROXIES})):
        t.write("docker/config.json", json.dumps({"proxies": proxies}))
        env = {"DOCKER_CONFIG": t.path("docker"), "DOCKER_DEFAULT_PLATFORM": "linux/amd64"}
        for plan, words in zip(plans(t, servers, engine=host, **env), cases):
            target, body = docker_sends(t, engine, recorder, words, COMMAND, **env)
            t.eq(ours(plan["create"]), theirs(body, t.dir), f"proxies {what}: {' '.join(words) or 'no flag'}")
            t.has(target, "platform=linux%2Famd64", "docker sends the platform")
            t.eq(plan["platform"], "linux/amd64", "and so do we")


def test_hosts_as_newer_clients_write_them(t):
    """Docker 25 and later: name=address. What goes to the engine is what every engine knows."""
    words = ["--add-host=a=192.0.2.1", "--add-host", "b=[2001:db8::1]", "--add-host=c=host-gateway", "--add-host=d:::1"]
    plan = plans(t, {"s": {"command": "docker", "args": ["run", *words, BUSYBOX]}})[0]
    t.eq(plan["create"]["HostConfig"]["ExtraHosts"],
         ["a:192.0.2.1", "b:2001:db8::1", "c:host-gateway", "d:::1"], "name:address")


@tap.limit(60)
def test_proxies_reach_the_container(t):
    """Of an adopted server and of an isolated one; as the file says when it starts."""
    engine = t.engine()
    stand_in(engine, "mcp/here")

    def write(proxy):
        t.write("home/.docker/config.json", json.dumps({"proxies": {"default": {"httpProxy": proxy}}}))

    def environment(name):
        return sorted(v for v in engine.docker.inspect(m.wait_server(name)["container"]["id"])["Config"]["Env"]
                      if "proxy" in v.lower())
    write("http://user:secret@one:1")
    m = t.mcptop({"mcpServers": {
        "adopted": {"command": "docker", "args": ["run", "-i", "--rm", "mcp/here"]},
        "isolated": {"command": "/echo_server", "env": {"http_proxy": "mine"},
                     "isolation": {"mode": "docker", "image": "mcp/here"}}}}, docker_host=engine)
    t.eq(environment("adopted"), ["HTTP_PROXY=http://user:secret@one:1", "http_proxy=http://user:secret@one:1"],
         "adopted: both cases")
    t.eq(environment("isolated"), ["HTTP_PROXY=http://user:secret@one:1", "http_proxy=mine"],
         "isolated: not over the server's own")
    notes = [n["value"] for n in m.server("isolated")["plan"]["notes"] if "as docker run sets them" in n["why"]]
    t.eq(notes, ["HTTP_PROXY"], "the plan says what and why")
    told = m.log() + m.log("adopted") + str(m.servers()) + m.cli("command", "adopted", check=0).stdout
    t.ok("secret" not in told, "a password in a proxy's address stands in no log, line or answer")
    before = m.server("adopted")["container"]["id"]
    write("http://two:2")
    m.api.post("/servers/adopted/restart")
    m.wait_server("adopted", lambda s: s["state"] == "ready" and s["container"]["id"][:12] != before[:12])
    t.eq(environment("adopted"), ["HTTP_PROXY=http://two:2", "http_proxy=http://two:2"], "read at each start")
    t.write("home/.docker/config.json", "{")
    m.api.post("/servers/adopted/restart")
    wait_for(lambda: "the proxies that docker run would set are not known" in m.log(), 10, "a broken file is told")


def test_positions(t):
    """What extra_args cannot hold is an error of the file, with its place; the rest goes on."""
    m = t.mcptop({"mcpServers": {
        "good": {"command": "cat"},
        "bad": {"command": "node", "isolation": {"mode": "docker",
                "extra_args": ["--read-only", "--volumes-from", "x"]}},
        "tty": {"command": "node", "isolation": {"mode": "docker", "extra_args": ["-it"]}},
        "detached": {"command": "docker", "args": ["run", "-d", "x"]}}})
    log = m.log()
    for place, text in (("bad.isolation.extra_args[1]", '"--volumes-from" is not supported'),
                        ("tty.isolation.extra_args[0]", "a terminal would garble the protocol"),
                        ("detached.args[1]", "the server talks over the container's stdin")):
        t.ok(any(f"mcpServers.{place}: " in line and text in line and "config.json:" in line
                 for line in log.splitlines()), f"{place}: {text}", log)


def test_several_words_in_one(t):
    """What docker says of it is the reason, not the advice below that; the plan says why docker was asked at all."""
    docker = t.engine().docker.cli_argv()[0]
    m = t.mcptop({"mcpServers": {"one": {"command": docker, "args": ["run", "-i --rm", "mcp/x"]}}})
    one = m.wait_server("one", lambda s: s["exit"])
    t.has(one["diagnostic"]["user_message"], "unknown shorthand flag", "docker's reason")
    t.ok(any('"-i …" is several words in one' in note["why"] for note in one["plan"]["notes"]), "and ours",
         one["plan"]["notes"])


# Of the servers' READMEs, with the images' names as they stand there.
REAL = {
    "github": (["-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN",
                "ghcr.io/github/github-mcp-server"], {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_x"}),
    "fetch": (["-i", "--rm", "mcp/fetch"], {}),
    "filesystem": (["-i", "--rm", "--mount", "type=bind,src=/tmp,dst=/projects/tmp",
                    "--mount", "type=bind,src=/usr/share,dst=/projects/share,ro",
                    "mcp/filesystem", "/projects"], {}),
    "postgres": (["-i", "--rm", "mcp/postgres", "postgresql://host.docker.internal:5432/mydb"], {}),
    "puppeteer": (["-i", "--rm", "--init", "-e", "DOCKER_CONTAINER=true", "mcp/puppeteer"], {}),
    "sqlite": (["--rm", "-i", "-v", "mcp-test:/mcp", "mcp/sqlite", "--db-path", "/mcp/test.db"], {}),
    "brave-search": (["-i", "--rm", "-e", "BRAVE_API_KEY", "mcp/brave-search"],
                     {"BRAVE_API_KEY": "key"}),
    "slack": (["-i", "--rm", "-e", "SLACK_BOT_TOKEN", "-e", "SLACK_TEAM_ID", "mcp/slack"],
              {"SLACK_BOT_TOKEN": "xoxb-x", "SLACK_TEAM_ID": "T1"}),
    "git": (["--rm", "-i", "--mount", "type=bind,src=/tmp,dst=/tmp", "mcp/git"], {}),
    "time": (["-i", "--rm", "mcp/time", "--local-timezone=Europe/Berlin"], {}),
    "memory": (["-i", "-v", "claude-memory:/app/dist", "--rm", "mcp/memory"], {}),
    "grafana": (["--rm", "-i", "-e", "GRAFANA_URL", "-e", "GRAFANA_API_KEY",
                 "mcp/grafana", "-t", "stdio"],
                {"GRAFANA_URL": "http://localhost:3000", "GRAFANA_API_KEY": "key"}),
    "terraform": (["run", "-i", "--rm", "hashicorp/terraform-mcp-server:0.3.0"][1:], {}),
    "kubernetes": (["-i", "--rm", "--network=host", "-v", "/tmp/kubeconfig:/home/u/.kube/config:ro",
                    "-u", "1000:1000", "ghcr.io/x/mcp-k8s:latest"], {}),
    "playwright": (["-i", "--rm", "--init", "--pull=always", "mcr.microsoft.com/playwright/mcp"], {}),
}


def test_real_configurations(t):
    servers = {name: {"command": "docker", "args": ["run", *words], "env": env}
               for name, (words, env) in REAL.items()}
    for plan in plans(t, servers):
        words, env = REAL[plan["name"]]
        bad = [note for note in plan["notes"] if note[3] and note[0] != "isolation"]
        t.ok(plan["adopted"] and not bad, f"{plan['name']}: adopted without a warning", plan["notes"])
        for name, value in env.items():
            t.ok(f"{name}={value}" in plan["create"]["Env"], f"{plan['name']}: {name} is handed on")


def stand_in(engine, image):
    """The echo server as an image of that name: what runs is ours, the configuration is theirs."""
    made = engine.docker.api("POST", "/containers/create", {"Image": BUSYBOX, "Cmd": ["sh"]})["Id"]
    try:
        engine.docker.cli("cp", paths.built("echo_server"), f"{made}:/echo_server")
        repo, _, tag = image.rpartition(":") if ":" in image.rsplit("/", 1)[-1] else (image, "", "latest")
        engine.docker.api("POST", "/commit", {"Entrypoint": ["/echo_server"], "Env": ["PATH=/bin"],
                                              "Labels": {"com.mcpproxy.server": "of the image"}},
                          container=made, repo=repo, tag=tag)
    finally:
        engine.docker.remove(made)


@tap.limit(120)
def test_real_ones_run(t):
    """Ready, with a tool call; its container is ours, as docker would have made it."""
    engine = t.engine()
    names = ("github", "filesystem", "sqlite", "terraform")
    images = {"github": "ghcr.io/github/github-mcp-server", "filesystem": "mcp/filesystem",
              "sqlite": "mcp/sqlite", "terraform": "hashicorp/terraform-mcp-server:0.3.0"}
    for name in names:
        stand_in(engine, images[name])
    servers = {name: {"command": "docker", "args": ["run", *REAL[name][0]], "env": REAL[name][1]}
               for name in names}
    servers["github"]["isolation"] = {"enabled": False}      # as the guide says
    servers["written"] = {"command": engine.docker.cli_argv()[0], "isolation": {"mode": "none"},
                          "args": ["run", "-i", "--rm", images["github"]],
                          "env": {"DOCKER_API_VERSION": "1.41"}}
    m = t.mcptop({"docker_isolation": {"enabled": True, "memory_limit": "64m"},
                  "mcpServers": servers}, docker_host=engine, env={"DOCKER_HOST": engine.host})
    for name in names:
        one = m.wait_server(name)
        t.eq((one["where"], one["plan"]["adopted"]), ("docker", True), f"{name}: adopted")
        inside = engine.docker.inspect(one["container"]["id"])
        t.has(inside["Name"], f"^/mcpproxy-{name}-", f"{name}: its container is ours")
        t.eq(inside["Config"]["Labels"]["com.mcpproxy.server"], name,
             f"{name}: an image's label is not the container's")
        t.eq((inside["HostConfig"]["Memory"], inside["HostConfig"]["CapDrop"]), (0, None),
             f"{name}: no limits or hardening of docker_isolation")
        client = m.mcp(name)
        client.initialize()
        t.eq(client.tool("echo", {"text": "hello"})["content"][0]["text"], "hello",
             f"{name}: a call goes through")
        if name == "github":
            t.ok("GITHUB_PERSONAL_ACCESS_TOKEN=ghp_x" in inside["Config"]["Env"], "its token is there")
        if name == "filesystem":
            t.ok("/projects" in inside["Args"], "the words behind the image", inside["Args"])
            t.eq(sorted(mount["Destination"] for mount in inside["Mounts"]),
                 ["/projects/share", "/projects/tmp"], "its mounts")
    written = m.wait_server("written")
    t.eq((written["where"], written["where_client"]), ("host", ""), "isolation.mode none: as written, and x would take it over")
    t.has(m.log(), r'docker_run_args: \["run", "-i", "--rm", .*"ghcr.io/github/github-mcp-server"',
          "docker_run_args")
    t.ok("ghp_x" not in m.log(), "without its secret")
    line = m.cli("command", "github", check=0).stdout
    t.has(line, "^docker run -i --rm .*-e GITHUB_PERSONAL_ACCESS_TOKEN "
                "ghcr.io/github/github-mcp-server$", "mcptop command")
    check_changes(t, m, engine)


def test_context_out_of_reach(t):
    """An engine that docker reaches and mcptop does not: docker runs its own."""
    m = t.mcptop({"mcpServers": {"one": {"command": "docker", "args": ["run", "-i", "x"],
                                         "enabled": False}}}, env={"DOCKER_HOST": "ssh://nowhere"})
    one = m.server("one")
    t.eq((one["where"], one["where_client"]), ("host", "docker"), "as written, whatever x is told")
    t.ok(any("mcptop cannot use itself" in note["why"] for note in one["plan"]["notes"]),
         "and the plan says why", one["plan"]["notes"])


@tap.limit(60)
def test_platform(t):
    """An image of another platform is as good as none; the platform goes with the container."""
    engine = t.engine()
    stand_in(engine, "mcp/here")
    arch = engine.docker.image("mcp/here")["Architecture"]
    other = "arm64" if arch == "amd64" else "amd64"
    m = t.mcptop({"mcpServers": {
        "same": {"command": "docker", "args": ["run", f"--platform=linux/{arch}", "mcp/here"]},
        "other": {"command": "docker", "args": ["run", "--pull=never", "--platform", f"linux/{other}",
                                                "mcp/here"]}}}, docker_host=engine)
    m.wait_server("same")
    t.ok(True, "the machine's platform runs")
    t.has(m.wait_server("other", "failed")["reason"],
          f"image mcp/here for linux/{other} is not here, and --pull of args",
          "another one is not taken for it")


def check_changes(t, m, engine):
    before = m.server("sqlite")["container"]["id"]
    change = m.api.patch("/servers/sqlite", {"memory": "96m"})
    t.eq(change["applied"], "live", "from no limit to one, while it runs")
    t.eq(engine.docker.inspect(before)["HostConfig"]["Memory"], 96 << 20, "with the limit")
    t.eq(m.server("sqlite")["container"]["id"], engine.docker.inspect(before)["Id"][:12], "the same container")
    change = m.api.patch("/servers/sqlite", {"isolation": "none"})
    t.has(m.read_config(), r'"mode": "none"', "x: isolation.mode none")
    t.eq(m.server("sqlite")["where"], "host", "it would run as written")
    m.api.patch("/servers/sqlite", {"isolation": "docker"})
    one = m.wait_server("sqlite")
    t.eq((one["where"], one["plan"]["adopted"]), ("docker", True), "x again: adopted")
    t.ok('"mode": "none"' not in m.read_config().split('"sqlite"')[1].split('"terraform"')[0],
         "the key is gone")
    container = one["container"]["id"]
    engine.docker.kill(container)
    one = m.wait_server("sqlite", lambda s: s["exit"] and s["exit"]["code"] == 137)
    t.ok(True, "its end is known exactly")
    m.stop()
    t.eq(engine.docker.mine(), [], "nothing is left behind")


if __name__ == "__main__":
    tap.main(__name__)
