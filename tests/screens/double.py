#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the supervisor: serves recorded data on a unix socket and writes down what it was
asked. A test double for the view's own tests; nothing else uses it.

usage: double.py SOCKET DATA_DIR [--flood LINES_PER_S] [--figures] [--servers N]

Requests other than GET are appended to SOCKET.asked, one "METHOD PATH BODY" a line.
"""
import argparse
import copy
import json
import os
import socketserver
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler


class Model:
    def __init__(self, args):
        with open(os.path.join(args.data, "hello.json"), encoding="utf-8") as f:
            self.hello = json.load(f)
        with open(os.path.join(args.data, "log.json"), encoding="utf-8") as f:
            self.lines = json.load(f)["lines"]
        self.args = args
        self.lock = threading.Lock()
        if args.servers:
            self.crowd(args.servers)

    def crowd(self, count):
        first = self.hello["servers"][0]
        self.hello["servers"] = []
        for i in range(count):
            server = copy.deepcopy(first)
            server["name"] = f"server-{i:02d}"
            self.hello["servers"].append(server)

    def server(self, name):
        return next((s for s in self.hello["servers"] if s["name"] == name), None)

    def note(self, text):
        with self.lock, open(self.args.socket + ".asked", "a", encoding="utf-8") as f:
            f.write(text + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

    def address_string(self):
        return "view"

    def log_message(self, *args):
        pass

    def answer(self, data, status=200, error=None):
        body = {"success": False, "error": error} if error else {"success": True, "data": data}
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    # ---- streams
    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, name, data):
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def stream(self):
        self.begin_stream()
        self.event("hello", self.model.hello)
        beat = 0
        while True:
            time.sleep(1)
            beat += 1
            if self.model.args.figures:
                rows = [[s["name"], (beat % 10) / 10, s["usage"]["memory"] + (beat << 16), 0,
                         s["usage"]["memory_limit"], 3, 1, 1, 0.0, 0,
                         s["calls"]["total"] + beat, 0, 0, 12000, 300]
                        for s in self.model.hello["servers"] if s["usage"]]
                host = {"cpu": 10 + beat % 5, "memory_used": 2040109465}
                self.event("usage", {"servers": rows, "host": host})
            else:
                self.wfile.write(b": alive\n\n")

    def follow(self, name):
        self.begin_stream()
        lines = self.model.lines
        self.event("log", {"server": name, "lines": lines})
        seq = lines[-1]["seq"]
        rate = self.model.args.flood
        while True:
            time.sleep(0.1)
            if rate:
                count = max(1, rate // 10)
                now = int(time.time() * 1000)
                batch = [{"seq": n, "t": now, "s": "err", "f": 0,
                          "text": f"line {n} of a flood that wants to be read"}
                         for n in range(seq + 1, seq + 1 + count)]
                seq += count
                self.event("log", {"server": name, "lines": batch})

    # ---- requests
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        parts = [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")]
        try:
            if url.path == "/events":
                self.stream()
            elif parts[:2] == ["api", "v1"] and parts[2] == "servers" and len(parts) > 3:
                self.get_server(parts, query)
            elif url.path == "/api/v1/servers":
                self.answer({"servers": self.model.hello["servers"], "stats": {}})
            elif url.path == "/api/v1/status":
                self.answer(self.model.hello["status"])
            else:
                self.answer(None, 200)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def get_server(self, parts, query):
        server = self.model.server(parts[3])
        what = parts[4] if len(parts) > 4 else ""
        if server is None:
            self.answer(None, 404, f"no server {parts[3]}")
        elif what == "logs" and "follow" in query:
            self.follow(parts[3])
        elif what == "logs":
            self.answer({"server": parts[3], "first_seq": 1, "lost": 0, "lines": [],
                         "next_seq": len(self.model.lines) + 1})
        elif what == "plan":
            mode = query["isolation"][0]
            self.answer({"plan": server["plan"],
                         "changes": [f"{parts[3]} will run with isolation {mode}",
                                     "memory is limited to 512m, cpus to 1.0, network bridge"],
                         "diff": '@@ -12,3 +12,4 @@\n     "command": "npx",\n'
                                 '-    "isolation": { "enabled": false }\n'
                                 '+    "isolation": { "enabled": true }\n'})
        elif what == "command":
            self.answer({"line": "docker run -i --rm node:20 npx -y x"})
        else:
            self.answer(server)

    def change(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.model.note(f"{self.command} {self.path} {body}".rstrip())
        parts = self.path.strip("/").split("/")
        server = self.model.server(urllib.parse.unquote(parts[3])) if len(parts) > 3 else None
        if self.command == "PATCH" or self.path.endswith("/undo"):
            if "bad" in body:
                self.answer(None, 400, "memory: \"bad\" is no size; write 512m or 1g")
            else:
                self.answer({"server": server, "applied": "live", "diff": "", "file": "",
                             "changes": [], "undo": "memory_limit 512m → 1g"})
        else:
            self.answer(server if server else {})

    do_POST = do_PATCH = do_DELETE = change


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def main():
    p = argparse.ArgumentParser()
    p.add_argument("socket")
    p.add_argument("data")
    p.add_argument("--flood", type=int, default=0)
    p.add_argument("--figures", action="store_true")
    p.add_argument("--servers", type=int, default=0)
    args = p.parse_args()
    Handler.model = Model(args)
    if os.path.exists(args.socket):
        os.unlink(args.socket)
    with Server(args.socket, Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
