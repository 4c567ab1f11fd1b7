# SPDX-License-Identifier: GPL-3.0-or-later
"""`mcptop serve` of one test: own config, directories, socket and port; started, asked,
stopped. Everything goes through its public interfaces."""

import json
import os
import signal
import socket
import subprocess
import time

from . import paths, proc
from .http import Http
from .mcp import Endpoint, Stdio
from .wait import Hopeless, wait_for

READY = ("ready", "connected")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Api:
    """/api/v1. `get` and `post` give `data` of the envelope; `raw` gives the reply."""

    def __init__(self, address, key=None, timeout=20):
        self.http = Http(address, timeout, {"X-API-Key": key} if key else {})

    def raw(self, method, path, body=None, **kw):
        return self.http.request(method, "/api/v1" + path, body, **kw)

    def call(self, method, path, body=None, **kw):
        reply = self.raw(method, path, body, **kw)
        document = reply.json()
        if reply.status not in (200, 201, 202) or not document.get("success"):
            raise AssertionError(f"{method} {path}: {reply!r}")
        return document.get("data")

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def patch(self, path, body, **kw):
        return self.call("PATCH", path, body, **kw)

    def events(self, timeout=30):
        return self.http.events("/events", timeout)


class Mcptop:
    """`config` is a dict, or text that is written as it is. `listen` is "none", or True for a
    free port, or an address. `docker_host` is an engine, its address, or None: then a socket
    that does not exist, so that no test finds the engine of the machine by chance."""

    def __init__(self, case, config=None, listen="none", docker_host=None, env=None,
                 wrapper=None, name="", warden=True):
        self.case = case
        self.data_dir = case.path("d" + name)
        self.log_dir = case.path("l" + name)
        self.socket = os.path.join(self.data_dir, "mcptop.sock")
        self.config = os.path.join(self.data_dir, "mcp_config.json")
        self.output = case.path(f"serve{name}.out")
        self.port = free_port() if listen is True else None
        self.listen = f"127.0.0.1:{self.port}" if listen is True else listen
        host = getattr(docker_host, "host", docker_host)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("DOCKER_", "MCPTOP", "XDG_"))}
        self.env.update({"DOCKER_HOST": host or f"unix://{case.path('no-engine')}",
                         "HOME": case.path("home"), "MCPTOP_SOCKET": self.socket,
                         "LC_ALL": "C.UTF-8"})
        self.env.update(env or {})
        self.wrapper = list(wrapper or [])
        self.warden = warden
        self.process = None
        for folder in (self.data_dir, self.env["HOME"]):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.write_config({"mcpServers": {}} if config is None else config)
        self.api = Api(f"unix://{self.socket}")
        case.artefact(self.output)
        case.artefact(os.path.join(self.log_dir, "main.log"))
        case.cleanup(self.stop)

    # -- life ----------------------------------------------------------------------

    def arguments(self):
        return ["--config", self.config, "--data-dir", self.data_dir, "--log-dir", self.log_dir,
                "--socket", self.socket, "--listen", self.listen, *([] if self.warden else ["--no-warden"])]

    def start(self, timeout=20):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [*self.wrapper, paths.MCPTOP, "serve", *self.arguments()], env=self.env,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                cwd=self.env["HOME"])
        wait_for(self._answers, timeout, "mcptop serve to answer", saw=self.told)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise Hopeless(f"mcptop serve ended ({self.process.returncode}): {self.told()}")
        return self.api.get("/status")

    def told(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    @property
    def pid(self):
        """The process we started: the warden."""
        return self.process.pid

    def supervisor_pid(self):
        return self.api.get("/status")["pid"]

    def stop(self, timeout=30):
        """SIGTERM, and all that it left behind is an error. Safe to repeat."""
        if self.process is None or self.process.poll() is not None:
            self._no_leftovers()
            return
        family = [proc.identity(p) for p in proc.tree(self.pid)]
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            for pid in [self.pid, *proc.tree(self.pid)]:
                proc.kill(pid)
            self.process.wait(10)
            raise AssertionError(f"did not end within {timeout} s of SIGTERM") from None
        wait_for(lambda: not any(proc.same(i) for i in family), 5, "its children to be gone",
                 saw=lambda: [(i, proc.cmdline(i[0])) for i in family if proc.same(i)])
        self._no_leftovers()

    def _no_leftovers(self):
        def left():
            return [p for p in proc.mentioning(self.data_dir)
                    if self.process is None or p != self.pid]
        # Clients that the test itself started (a view in tmux, a bridge) are cleaned up by
        # the case after us or before us; only server processes carry our tag.
        wait_for(lambda: not [p for p in left() if self._is_server(p)], 5,
                 "no server process to be left", saw=lambda: [proc.cmdline(p) for p in left()])

    @staticmethod
    def _is_server(pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return b"MCPTOP_TEST_SERVER=" in file.read()
        except OSError:
            return False

    def restart(self):
        self.stop()
        return self.start()

    # -- config --------------------------------------------------------------------

    def write_config(self, config):
        text = config if isinstance(config, str) else json.dumps(config, indent=2) + "\n"
        fresh = self.config + ".new"
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, self.config)

    def read_config(self):
        with open(self.config, encoding="utf-8") as file:
            return file.read()

    # -- asking --------------------------------------------------------------------

    def servers(self):
        data = self.api.get("/servers")
        return data["servers"] if isinstance(data, dict) else data

    def server(self, name):
        """One server's object; KeyError if there is none of that name."""
        for one in self.servers():
            if one["name"] == name:
                return one
        raise KeyError(f"no server {name!r} among {[s['name'] for s in self.servers()]}")

    def wait_server(self, name, wanted="ready", timeout=30):
        """Waits for a state (or for wanted(server) to be true); gives the server."""
        def reached():
            one = self.server(name)
            if callable(wanted):
                return one if wanted(one) else None
            state = one.get("state", one.get("status"))
            return one if state == wanted or (wanted == "ready" and state in READY) else None

        def saw():
            try:
                return self.server(name)
            except Exception as error:
                return repr(error)
        return wait_for(reached, timeout, f"server {name} {wanted}", saw=saw)

    def log(self, name="main"):
        """A log file's text: "main", or a server's name."""
        file = "main.log" if name == "main" else f"server-{name}.log"
        with open(os.path.join(self.log_dir, file), encoding="utf-8", errors="replace") as log:
            return log.read()

    def key(self):
        """The API key for TCP: the config's, else what mcptop keeps in its data directory."""
        try:
            configured = json.loads(self.read_config()).get("api_key")
        except ValueError:
            configured = None
        if configured:
            return configured
        for name in sorted(os.listdir(self.data_dir)):
            if "key" in name.lower():
                with open(os.path.join(self.data_dir, name), encoding="ascii") as file:
                    return file.read().strip()
        raise AssertionError(f"no API key in {os.listdir(self.data_dir)}")

    def tcp(self, key=True):
        """The API over TCP (start with listen=True)."""
        return Api(f"tcp://127.0.0.1:{self.port}", self.key() if key is True else key)

    def cli(self, *args, check=None, timeout=30, input=None):
        """A verb: CompletedProcess with text. check=0 makes another exit status an error."""
        done = subprocess.run([paths.MCPTOP, *args], env=self.env, text=True, input=input,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              check=False, cwd=self.env["HOME"])
        if check is not None and done.returncode != check:
            raise AssertionError(f"mcptop {' '.join(args)}: {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def stdio(self, *names):
        """`mcptop stdio [NAME]` as an AI client starts it."""
        client = Stdio([paths.MCPTOP, "stdio", *names], env=self.env, cwd=self.env["HOME"])
        self.case.cleanup(client.close)
        return client

    def mcp(self, name=None, tcp=False):
        """The HTTP endpoint of one server, or the aggregate."""
        http = self.tcp().http if tcp else self.api.http
        return Endpoint(http, f"/mcp/{name}" if name else "/mcp")

    def view(self, width=80, height=24, *args):
        """`mcptop` in a terminal, attached to this supervisor."""
        terminal = self.case.tmux(width=width, height=height)
        keep = {k: v for k, v in self.env.items()
                if k in ("HOME", "MCPTOP_SOCKET", "DOCKER_HOST")}
        return terminal.start([paths.MCPTOP, *args], env=keep)


def fixture(mode, *args, **extra):
    """A server's config entry that runs fixture_server.py in one of its modes."""
    env = {"MCPTOP_TEST_SERVER": mode}
    env.update(extra.pop("env", {}))
    return dict({"command": "python3", "args": [paths.fixture("fixture_server.py"), mode,
                                                *[str(a) for a in args]], "env": env}, **extra)


def echo(**extra):
    """The fast C server's config entry."""
    env = {"MCPTOP_TEST_SERVER": "echo"}
    env.update(extra.pop("env", {}))
    return dict({"command": paths.built("echo_server"), "args": [], "env": env}, **extra)


def full(name="full", *ways, **extra):
    """The server that has all of the protocol."""
    env = {"MCPTOP_TEST_SERVER": name}
    env.update(extra.pop("env", {}))
    return dict({"command": "python3", "args": [paths.fixture("full_server.py"), name, *ways], "env": env}, **extra)


def modern_server(name="modern", **extra):
    """A server of the modern era that has tasks."""
    return dict({"command": "python3", "args": [paths.fixture("modern_server.py"), name]}, **extra)


def elapsed(function, *args, **kw):
    """(result, seconds)."""
    start = time.monotonic()
    result = function(*args, **kw)
    return result, time.monotonic() - start
