#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payloads pass as they are: messages that a server writes and a client sends, generated from everything that JSON allows and
others break, come out byte for byte, the id apart."""

import random

from harness import fixture, limit, tap

SEED = 20260728
ODD = ["\\u0000", "\\u001f", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\ud800", "\\udfff\\ud800", "\\uD83D\\uDE00",
       "\u00a0", "\u200d", "\u2028", "\u2029", "\ufeff", "\ufffd", "\U0001f600", "é", "\x7f", "\\u00e9", " ", "<", "&", "'"]
NUMBERS = ["0", "-0", "1e400", "-1E-400", "9007199254740993", "18446744073709551616", "1.0", "1.50", "0.1e+1", "1" * 300, "3.14"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def string(self):
        return '"' + "".join(self.random.choice(ODD) if self.random.random() < 0.4 else self.random.choice("abcXYZ019_-")
                             for _ in range(self.random.randrange(20))) + '"'

    def space(self):
        return self.random.choice(["", "", "", " ", "\t", "  "])

    def value(self, depth):
        kind = self.random.randrange(8 if depth else 5)
        if kind < 2:
            return self.string()
        if kind == 2:
            return self.random.choice(NUMBERS)
        if kind < 5:
            return self.random.choice(["true", "false", "null"])
        items = [self.value(depth - 1) for _ in range(self.random.randrange(5))]
        comma = self.space() + "," + self.space()
        if kind == 5:
            return "[" + self.space() + comma.join(items) + self.space() + "]"
        # Keys may come twice, and in any letter case, inside the payload.
        keys = [self.random.choice(['"id"', '"ID"', '"jsonrpc"', '"a"', '"a"', '"\\u0069d"', self.string()]) for _ in items]
        return "{" + self.space() + comma.join(k + self.space() + ":" + self.space() + v for k, v in zip(keys, items)) + "}"

    def object(self):
        return '{"v":' + self.value(5) + "}"


def check(t, m, count, send):
    """send(id, params) gives the bytes of the reply; the server answers a request by its own params, as it read them."""
    generator, wrong = Generator(SEED), []
    for number in range(count):
        payload = generator.object().encode("utf-8", "surrogatepass")
        got = send(number, payload)
        want = b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (number, payload)
        if got != want:
            wrong.append((want[:300], got[:300]))
    t.eq(wrong[:3], [], f"{count} generated messages come out byte for byte")


def large(payload_bytes):
    """A message that is scanned as it arrives, of many values, in pieces that end anywhere."""
    generator, parts, size = Generator(SEED + payload_bytes), [], 0
    while size < payload_bytes:
        parts.append(generator.object().encode("utf-8", "surrogatepass"))
        size += len(parts[-1]) + 1
    return b'{"v":[' + b",".join(parts) + b"]}"


LARGE = [large(n) for n in (262_100, 300_000, 1_000_000, 3_000_000)]


def deep(levels):
    return b'{"v":' + b"[" * levels + b"]" * levels + b"}"


@limit(240)
def test_stdio(t):
    m = t.mcptop({"mcpServers": {"mirror": fixture("mirror")}})
    client = m.stdio("mirror")
    client.initialize()

    def send(number, payload):
        client.write(b'{"jsonrpc":"2.0","id":%d,"method":"mirror","params":%s}\n' % (number, payload))
        client.reply(60)
        return client.seen[-1].rstrip(b"\n")

    check(t, m, 10000, send)
    for payload, name in ((deep(100), "deep nesting"), *[(p, f"{len(p)} bytes of generated values") for p in LARGE], (b'{"v":"' + b"x\\u2028" * 1_700_000 + b'"}', "12 MB")):
        got = send(7, payload)
        t.ok(got == b'{"jsonrpc":"2.0","id":7,"result":' + payload + b"}", name, (got[:100], len(got)))


@limit(240)
def test_http(t):
    m = t.mcptop({"mcpServers": {"mirror": fixture("mirror")}})
    endpoint = m.mcp("mirror")
    endpoint.initialize()
    connection = endpoint.http.connect()

    def send(number, payload):
        body = b'{"jsonrpc":"2.0","id":%d,"method":"mirror","params":%s}' % (number, payload)
        connection.request("POST", endpoint.path, body, endpoint.headers)
        return connection.getresponse().read()

    check(t, m, 3000, send)
    for payload in LARGE:
        t.ok(send(7, payload) == b'{"jsonrpc":"2.0","id":7,"result":' + payload + b"}", f"{len(payload)} bytes of generated values")
    spaced = LARGE[0].replace(b",", b",\r\n")
    t.ok(send(7, spaced) == b'{"jsonrpc":"2.0","id":7,"result":' + spaced.replace(b"\r\n", b"  ") + b"}", "on lines of its own")
    broken = LARGE[-1][:-100] + b"\x80" + LARGE[-1][-100:]
    t.has(send(7, broken).decode(), "-32700.*not valid JSON at byte", "one wrong byte in millions is found")
    got = send(7, b'{"v":"' + b"x\\ufeff" * 1_700_000 + b'"}')
    t.ok(got.startswith(b'{"jsonrpc":"2.0","id":7,"result":{"v":"x') and len(got) > 11_900_000, "12 MB", len(got))
    connection.close()


if __name__ == "__main__":
    tap.main(__name__)
