# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket in front of a real engine: passes everything on, notes what is asked, and on demand refuses
a request in the engine's place, keeps it waiting or changes bytes of its answers."""

import json
import re
import socket
import threading


class Proxy:
    """`host` is its address. `asked` holds (method, path) of every request that came whole."""

    def __init__(self, case, engine):
        self.target = engine.host[len("unix://"):]
        path = case.path("proxy.sock")
        self.host = "unix://" + path
        self.asked = []
        self.refusals = []
        self.changes = []
        self.late = None
        self.holds = []
        self.held = []
        self.keeps = []
        self.kept = []
        self.released = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(64)
        self.open = [self.listener]
        self.lines = []
        self.lost = []
        threading.Thread(target=self.accept, daemon=True).start()
        case.cleanup(self.close)

    def refuse(self, method, path, status, message):
        """From now on, until allow()."""
        self.refusals.append((method, re.compile(path), status, message))

    def allow(self):
        self.refusals.clear()

    def hold(self, method, path):
        """From now on such requests wait here, until release(). `held` are those that do or did."""
        self.holds.append((method, re.compile(path)))
        self.released.clear()

    def keep(self, method, path):
        """From now on the engine carries such requests out, and its answers wait here, until release().
        `kept` are those that do."""
        self.keeps.append((method, re.compile(path)))
        self.released.clear()

    def release(self):
        """The engine gets them, though whoever asked may have gone away meanwhile."""
        self.holds.clear()
        self.keeps.clear()
        self.released.set()

    def cut(self, path):
        """Breaks the connections on which such a path was asked for; the engine does not notice."""
        for client in [line[1] for line in self.lines if re.search(path, line[0])]:
            self.lost.append(client)
            client.shutdown(socket.SHUT_RDWR)

    def change(self, pattern, replacement):
        """Bytes of answers; the length must stay."""
        self.changes.append((re.compile(pattern), replacement))

    def delay_event(self, first, second, gap_s):
        """An event of the engine that matches `first` waits for one that matches `second`, and for gap_s more."""
        self.late = (re.compile(rb"[0-9a-f]+\r\n\{[^\n]*" + first + rb"[^\n]*\n\r\n"), re.compile(second), gap_s)

    def events_delayed(self, client, data, waiting):
        event, after, gap_s = self.late
        waiting += event.findall(data)
        data = event.sub(b"", data)
        if waiting and after.search(data):
            threading.Timer(gap_s, client.sendall, [b"".join(waiting)]).start()
            waiting.clear()
        return data

    def count(self, path):
        return sum(1 for _, asked in list(self.asked) if re.search(path, asked))

    def close(self):
        self.release()
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def accept(self):
        try:
            while True:
                client, _ = self.listener.accept()
                engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                engine.connect(self.target)
                self.open += [client, engine]
                keep = threading.Event()
                threading.Thread(target=self.requests, args=(client, engine, keep), daemon=True).start()
                threading.Thread(target=self.answers, args=(client, engine, keep), daemon=True).start()
        except OSError:
            pass

    def requests(self, client, engine, keep):
        """A request begins with a chunk of its own: its client sends the next when it has the answer."""
        try:
            while data := client.recv(65536):
                head = re.match(rb"([A-Z]+) (/\S*) HTTP/1\.1\r\n", data)
                method, path = (head[1].decode(), head[2].decode()) if head else ("", "")
                if head:
                    self.asked.append((method, path))
                    self.lines.append((path, client))
                refusal = next((r for r in self.refusals if r[0] == method and r[1].search(path)), None)
                if any(h[0] == method and h[1].search(path) for h in self.holds):
                    self.held.append((method, path))
                    self.released.wait()
                if any(k[0] == method and k[1].search(path) for k in self.keeps):
                    keep.set()
                if refusal:
                    self.answer(client, data, *refusal[2:])
                else:
                    engine.sendall(data)
            if client not in self.lost:
                engine.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def answer(client, data, status, message):
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += client.recv(65536)
        text = json.dumps({"message": message}).encode()
        client.sendall(b"HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                       % (status, len(text), text))

    def answers(self, client, engine, keep):
        waiting = []
        try:
            while data := engine.recv(65536):
                if keep.is_set():
                    self.kept.append(data)
                    self.released.wait()
                    keep.clear()
                for pattern, replacement in self.changes:
                    data = pattern.sub(replacement, data)
                if self.late:
                    data = self.events_delayed(client, data, waiting)
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
