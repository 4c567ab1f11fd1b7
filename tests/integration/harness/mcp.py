# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP clients for tests, over stdio and over HTTP. They check little and hide nothing: what
came in stands in `seen`, byte by byte."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

PROTOCOL = "2025-11-25"
HELLO = {"protocolVersion": PROTOCOL, "capabilities": {},
         "clientInfo": {"name": "mcptop-test", "version": "1"}}


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data")


class Stdio:
    """A program that speaks MCP on its stdin and stdout: a server, `docker run -i …`,
    `mcptop stdio NAME`. Use as a context manager, or hand close() to a case's cleanup."""

    def __init__(self, argv, env=None, cwd=None, stderr=None):
        self.argv = argv
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env, cwd=cwd,
                                        start_new_session=True)
        self.seen = []          # every line of stdout, as bytes
        self.stderr = b""       # the last 64 KiB of it
        self.notifications = []
        self.requests = []      # what the server asked of us
        self._replies = queue.Queue()
        self._next = 0
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        for line in self.process.stdout:
            self.seen.append(line)
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if not isinstance(message, dict):
                continue
            if "method" in message:
                (self.requests if "id" in message else self.notifications).append(message)
            elif "id" in message:
                self._replies.put(message)
        self._replies.put(None)

    def _read_errors(self):
        while True:
            data = self.process.stderr.read1(65536)
            if not data:
                return
            self.stderr = (self.stderr + data)[-65536:]

    def write(self, data):
        """Raw bytes, or an object that becomes one line."""
        if not isinstance(data, bytes):
            data = json.dumps(data, separators=(",", ":")).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def notify(self, method, params=None):
        self.write(_message(method, params))

    def send(self, method, params=None, ident=None):
        """Sends a request without waiting; gives its id."""
        if ident is None:
            ident = self._next
            self._next += 1
        self.write(_message(method, params, ident))
        return ident

    def reply(self, timeout=30):
        """The next response, whatever its id."""
        try:
            message = self._replies.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"{self.argv}: no reply in {timeout} s; {self.told()}") from None
        if message is None:
            self._replies.put(None)
            raise EOFError(f"{self.argv} ended ({self.process.poll()}); {self.told()}")
        return message

    def told(self):
        return f"stderr {self.stderr[-1500:]!r}, last of stdout {self.seen[-3:]!r:.500}"

    def wait_reply(self, ident, timeout=30):
        deadline = time.monotonic() + timeout
        others = []
        try:
            while True:
                message = self.reply(max(0.01, deadline - time.monotonic()))
                if message["id"] == ident and type(message["id"]) is type(ident):
                    return message
                others.append(message)
        finally:
            for other in others:
                self._replies.put(other)

    def request(self, method, params=None, timeout=30, ident=None):
        message = self.wait_reply(self.send(method, params, ident), timeout)
        return _result(message)

    def initialize(self, timeout=60, capabilities=None):
        result = self.request("initialize", dict(HELLO, capabilities=capabilities or {}), timeout)
        self.notify("notifications/initialized")
        return result

    def tools(self, timeout=30):
        return [tool["name"] for tool in self.request("tools/list", {}, timeout)["tools"]]

    def tool(self, name, arguments=None, timeout=30):
        return self.request("tools/call", {"name": name, "arguments": arguments or {}}, timeout)

    def close(self, timeout=10):
        """As a client should: end of input, then SIGTERM, then SIGKILL. Gives the status."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        for sig in (None, signal.SIGTERM, signal.SIGKILL):
            if sig is not None and self.process.poll() is None:
                os.killpg(self.process.pid, sig)
            try:
                return self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{self.argv} cannot be killed")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Endpoint:
    """A client of one MCP endpoint over HTTP (`http` is harness.http.Http)."""

    def __init__(self, http, path="/mcp", headers=None):
        self.http = http
        self.path = path
        self.headers = {"Accept": "application/json, text/event-stream",
                        "Content-Type": "application/json"}
        self.headers.update(headers or {})
        self._next = 0

    def post(self, body, timeout=30, headers=None):
        """One POST, raw; gives harness.http.Reply."""
        sent = dict(self.headers)
        sent.update(headers or {})
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body, separators=(",", ":"))
        return self.http.post(self.path, body, headers=sent, timeout=timeout)

    def send(self, method, params=None, timeout=30, ident=None):
        """The whole JSON-RPC response and the HTTP reply it came in."""
        if ident is None:
            ident = self._next
            self._next += 1
        reply = self.post(_message(method, params, ident), timeout)
        return _from_stream(reply, ident), reply

    def request(self, method, params=None, timeout=30, ident=None):
        return _result(self.send(method, params, timeout, ident)[0])

    def initialize(self, timeout=60, capabilities=None):
        hello = dict(HELLO, capabilities=capabilities or {})
        message, reply = self.send("initialize", hello, timeout)
        result = _result(message)
        session = reply.headers.get("Mcp-Session-Id")
        if session:
            self.headers["Mcp-Session-Id"] = session
        self.headers["MCP-Protocol-Version"] = result["protocolVersion"]
        self.post(_message("notifications/initialized"))
        return result

    def stream(self, method, params=None, timeout=30):
        """The id of a request, and the event stream it is answered with."""
        ident, self._next = self._next, self._next + 1
        return ident, self.http.events(self.path, timeout, self.headers,
                                       json.dumps(_message(method, params, ident)))

    def events(self, timeout=30, last=None):
        """The session's own event stream, or the one that an event id names."""
        headers = {k: v for k, v in self.headers.items() if k != "Content-Type"}
        headers["Accept"] = "text/event-stream"
        if last is not None:
            headers["Last-Event-ID"] = last
        return self.http.events(self.path, timeout, headers)

    def tools(self, timeout=30):
        return [tool["name"] for tool in self.request("tools/list", {}, timeout)["tools"]]

    def tool(self, name, arguments=None, timeout=30):
        return self.request("tools/call", {"name": name, "arguments": arguments or {}}, timeout)


def _message(method, params=None, ident=None):
    message = {"jsonrpc": "2.0"}
    if ident is not None:
        message["id"] = ident
    message["method"] = method
    if params is not None:
        message["params"] = params
    return message


def _result(message):
    if "error" in message:
        raise RpcError(message["error"])
    return message["result"]


def _from_stream(reply, ident):
    """A reply's JSON, or the response in the event stream it consists of."""
    if "text/event-stream" not in (reply.headers.get("Content-Type") or ""):
        return reply.json()
    for line in reply.text.splitlines():
        if line.startswith("data:") and line[5:].strip():
            message = json.loads(line[5:])
            if message.get("id") == ident and "method" not in message:
                return message
    raise AssertionError(f"no response for id {ident!r} in {reply!r}")
