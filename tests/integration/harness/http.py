# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 over a unix socket or TCP, with what tests need and urllib hides: the raw bytes,
the time a reply took, streams that never end. Knows nothing of mcptop or Docker."""

import http.client
import json
import socket
import time


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Reply:
    """One whole reply. `seconds` runs from the first byte sent to the last byte read."""

    def __init__(self, status, headers, body, seconds):
        self.status = status
        self.headers = headers
        self.body = body
        self.seconds = seconds

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise AssertionError(f"HTTP {self.status}, not JSON ({error}): {self.text[:500]!r}")

    def __repr__(self):
        return f"<HTTP {self.status} {self.text[:300]!r}>"


class Http:
    """`address` is `unix:///path` or `tcp://host:port` (also `http://host:port`)."""

    def __init__(self, address, timeout=30, headers=None):
        self.address = address
        self.timeout = timeout
        self.headers = dict(headers or {})

    def connect(self, timeout=None):
        timeout = self.timeout if timeout is None else timeout
        scheme, _, rest = self.address.partition("://")
        if scheme == "unix":
            return _UnixConnection(rest, timeout)
        host, _, port = rest.rstrip("/").rpartition(":")
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)

    def send(self, connection, method, path, body=None, headers=None):
        """The request alone; returns the http.client response whose body is still unread."""
        sent = dict(self.headers)
        sent.update(headers or {})
        if body is not None and not isinstance(body, (bytes, bytearray, str)) \
                and not hasattr(body, "read"):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=sent)
        return connection.getresponse()

    def request(self, method, path, body=None, headers=None, timeout=None):
        start = time.monotonic()
        connection = self.connect(timeout)
        try:
            response = self.send(connection, method, path, body, headers)
            data = response.read()
            return Reply(response.status, response.headers, data, time.monotonic() - start)
        finally:
            connection.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def events(self, path, timeout=30, headers=None, body=None):
        """The events that a GET, or a POST of this body, is answered with."""
        return EventStream(self, path, timeout, headers, body)


class EventStream:
    """Server-sent events. `next()` gives (event, data, id) and raises TimeoutError when
    nothing came in time, EOFError when the stream ended."""

    def __init__(self, http_, path, timeout, headers, body=None):
        self._connection = http_.connect(timeout)
        wanted = {"Accept": "text/event-stream"}
        wanted.update(headers or {})
        self.response = http_.send(self._connection, "GET" if body is None else "POST", path,
                                   body, wanted)
        self.status = self.response.status
        self.comments = []

    def next(self, timeout=30):
        event, data, ident = "message", [], None
        # getresponse() hands the socket over to the response when the reply has no length.
        sock = self._connection.sock or self.response.fp.raw._sock
        sock.settimeout(timeout)
        while True:
            try:
                line = self.response.readline()
            except socket.timeout as error:
                raise TimeoutError("no event in time") from error
            if not line:
                raise EOFError("the event stream ended")
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                if data:
                    return event, "\n".join(data), ident
                event, data = "message", []
                continue
            field, _, value = line.partition(":")
            if not field:
                self.comments.append(value.strip())
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                event = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                ident = value

    def wait(self, wanted, timeout=30):
        """The first event for which wanted(event, parsed data) is true; data that is not
        JSON is handed over as text."""
        deadline = time.monotonic() + timeout
        seen = []
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no such event in {timeout} s; saw {seen[-10:]}")
            event, data, ident = self.next(left)
            try:
                data = json.loads(data)
            except ValueError:
                pass
            seen.append(event)
            if wanted(event, data):
                return event, data, ident

    def close(self):
        self._connection.close()
        self.response.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
