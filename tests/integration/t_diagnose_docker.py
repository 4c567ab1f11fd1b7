#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of isolated servers, on a real engine: each of the guide's issues is produced for real,
gives exactly one finding with its code, is repaired by its fix, and the server gets ready."""

import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from harness import paths, tap, wait_for
from harness.find import BUSYBOX, SERVER, boxed, codes, config, findings, found, repaired
from harness.registry import Registry


@tap.limit(120)
def test_1_docker_in_docker(t):
    engine = t.engine()
    script = f"d=docker; [ -e {t.dir} ] && exec $S; $d run -i x"
    m = t.mcptop(config(inside=boxed(script)), docker_host=engine)
    one = found(t, m, "inside", "MCPX_DOCKER_IN_DOCKER")
    t.has(one["fixes"][0]["title"], "^Weakens isolation: ", "its fix says what it costs first")
    repaired(t, m, "inside")
    t.eq(m.server("inside")["where"], "host", "isolation is off for this server")
    done = m.api.post("/servers/inside/undo")
    t.eq(done["server"]["where"], "docker", "and undo takes it back")


@tap.limit(180)
def test_2_files(t):
    engine = t.engine()
    os.makedirs(t.path("data"))
    with open(t.path("data/one.txt"), "w", encoding="ascii") as file:
        file.write("x\n")
    reads = ["-c", f'cat "$1" >/dev/null || exit 1; exec {SERVER}', "sh", t.path("data/one.txt")]
    writes = ["-c", f'touch "$1/new" || exit 1; exec {SERVER}', "sh", t.path("data")]
    here = boxed()
    here.update(command="sh", args=["-c", f"cat one.txt >/dev/null || exit 1; exec {SERVER}"],
                working_dir=t.path("data"))
    servers = {name: dict(boxed(), command="sh", args=args)
               for name, args in (("reads", reads), ("writes", writes))}
    m = t.mcptop(config(here=here, **servers), docker_host=engine)
    one = found(t, m, "reads", "MCPX_DOCKER_PATH_NOT_MOUNTED")
    t.ok(not one["guess"], "the line that names the path is no guess", one)
    t.has(one["fixes"][0]["title"], f"mount {t.path('data/one.txt')}:{t.path('data/one.txt')}:ro",
          "read-only first, as the volume's line")
    repaired(t, m, "reads")
    t.has(m.read_config(), "one.txt:ro", "written into volumes")
    found(t, m, "writes", "MCPX_DOCKER_PATH_NOT_MOUNTED")
    m.api.post("/servers/writes/fix", {"fix": "mount"})
    one = found(t, m, "writes", "MCPX_DOCKER_PATH_READ_ONLY")
    repaired(t, m, "writes")
    t.ok(os.path.exists(t.path("data/new")), "it could write")
    volumes = json.loads(m.read_config())["mcpServers"]["writes"]["isolation"]["volumes"]
    t.eq(len(volumes), 2, "the volume was changed, not added again")
    found(t, m, "here", "MCPX_DOCKER_WORKING_DIR")
    repaired(t, m, "here")


@tap.limit(90)
def test_2_a_file_of_its_own(t):
    """The server does not complain: it made the file anew, inside."""
    folder = tempfile.mkdtemp(prefix="mcptop-test-", dir="/srv")     # below /tmp images have theirs, too
    t.cleanup(shutil.rmtree, folder)
    path = os.path.join(folder, "my.db")
    with open(path, "w", encoding="ascii"):
        pass
    makes = dict(boxed(), command="sh",
                 args=["-c", f'mkdir -p "${{1%/*}}"; touch "$1"; exec {SERVER}', "sh", path])
    m = t.mcptop(config(makes=makes), docker_host=t.engine())
    m.wait_server("makes")
    one = found(t, m, "makes", "MCPX_DOCKER_PATH_OWN")
    t.eq(one["severity"], "warning", "it runs")
    t.has(one["fixes"][0]["title"], f"mount {path}:{path}:ro", "the host's is mounted")
    m.api.post("/servers/makes/fix", {"fix": "mount"})
    one = found(t, m, "makes", "MCPX_DOCKER_PATH_READ_ONLY")
    t.has(str(one["evidence"]), "Read-only file system", "it writes to it, and says so")
    repaired(t, m, "makes")


@tap.limit(90)
def test_2_known_before_it_fails(t):
    """A path that is not mounted is told while the server starts, as what is to come."""
    folder = tempfile.mkdtemp(prefix="mcptop-test-", dir="/srv")
    t.cleanup(shutil.rmtree, folder)
    mute = dict(boxed(), command="sh", args=["-c", "exec cat >/dev/null", "sh", folder], init_timeout="80s")
    m = t.mcptop(config(mute=mute), docker_host=t.engine())
    one = found(t, m, "mute", "MCPX_DOCKER_PATH_NOT_MOUNTED", timeout=20)
    t.eq((one["severity"], one["expected"]), ("warning", True), "a warning so far")
    t.eq([f["id"] for f in one["fixes"]], ["mount", "mount-writable", "host"], "with the fixes of later")
    told = m.cli("doctor", "mute")
    t.eq(told.returncode, 1, "the doctor says so")
    t.has(told.stdout, r"^mute: warning MCPX_DOCKER_PATH_NOT_MOUNTED \(by its plan: it has not come true yet\)",
          "and that it is the plan's word")
    wait_for(lambda: "waits for" in m.cli("doctor", "mute").stdout, 15, "and what it waits for meanwhile")
    text = m.read_config()
    t.has(m.cli("doctor", "--fix", "--yes").stdout, "it may still start: repaired when it is named", "repaired by the way it is not")
    t.eq(m.read_config(), text, "nothing was changed")
    m.cli("doctor", "--fix", "--yes", "--timeout", "1", "mute")
    t.has(m.read_config(), f"{folder}:{folder}:ro", "named, it is")
    wait_for(lambda: codes(m, "mute") == [], 15, "nothing more is expected once it is mounted")
    t.ok(m.server("mute")["state"] in ("starting", "initializing", "stopping"), "of a server that still starts")


@tap.limit(120)
def test_3_network(t):
    engine = t.engine("python:3.11")
    asks = ("import urllib.request as u\n"
            "u.urlopen('http://mirror.invalid.example/')\n")
    reach = ("import socket\n"
             "socket.getaddrinfo('localhost', 80)\n"
             "s = socket.socket(); s.settimeout(5); s.connect(('1.1.1.1', 9))")
    wants = "[ -e /sys/class/net/eth0 ] || { wget -O- http://example.com/; exit 1; }; exec $S"
    m = t.mcptop(config(
        blocked=boxed(wants, network_mode="none"),
        python={"command": "python3", "args": ["-c", asks],
                "isolation": {"image": "python:3.11", "network_mode": "none"}},
        far={"command": "python3", "args": ["-c", reach],
             "isolation": {"image": "python:3.11", "network_mode": "none"}}), docker_host=engine)
    one = found(t, m, "blocked", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.ok(not one["guess"], "network_mode none is a cause, not a guess", one)
    t.eq(one["fixes"][0]["title"], "Weakens isolation: network_mode none → bridge", "bridge")
    repaired(t, m, "blocked")
    found(t, m, "python", "MCPX_DOCKER_NETWORK_BLOCKED")
    told = m.cli("test", "python", timeout=60)
    t.eq(told.returncode, 1, "a test of it fails")
    t.has(told.stdout, r"(?m)^\* start .*, network none$", "its start says which network it had")
    t.has(told.stdout, r"(?m)^python: error MCPX_DOCKER_NETWORK_BLOCKED\n.*network_mode none", "and it says why")
    found(t, m, "far", "MCPX_DOCKER_NETWORK_BLOCKED")


@tap.limit(120)
def test_3_a_runner_without_a_network(t):
    """npx tries for minutes and says nothing: the plan tells why."""
    m = t.mcptop(config(quiet={"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"],
                               "init_timeout": "5s", "isolation": {"network_mode": "none"}}),
                 docker_host=t.engine("node:20"))
    one = found(t, m, "quiet", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.has(one["user_message"], "npx fetches its package", "why it needs one")
    t.ok(one["expected"], "known before it has failed", one)
    wait_for(lambda: [f["severity"] for f in findings(m, "quiet")] == ["error"], 40, "it has failed",
             saw=lambda: findings(m, "quiet"))
    one = findings(m, "quiet")[0]
    t.eq(one["code"], "MCPX_DOCKER_NETWORK_BLOCKED", "the same finding, which has come true")
    t.eq(one["fixes"][0]["title"], "Weakens isolation: network_mode none → bridge", "bridge")


@tap.limit(90)
def test_3_a_network_without_a_way_out(t):
    engine = t.engine("python:3.11", "node:20")
    engine.docker.cli("network", "create", "--internal",
                      "--subnet", "10.213.7.0/24", "mcptop-inside")
    t.cleanup(engine.docker.cli, "network", "rm", "mcptop-inside")
    wants = ("import os, socket, urllib.request\n"
             "if socket.gethostbyname(socket.gethostname()).startswith('10.213.7.'):\n"
             "    urllib.request.urlopen('http://example.com/', timeout=5)\n"
             f"os.execv('{SERVER}', ['{SERVER}'])\n")
    kept = dict(boxed(image="python:3.11", network_mode="mcptop-inside"), command="python3",
                args=["-c", wants])
    silent = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"],
              "init_timeout": "12s",
              "isolation": {"network_mode": "mcptop-inside", "timeout": "12s"}}
    m = t.mcptop(config(kept=kept, silent=silent), docker_host=engine)
    one = found(t, m, "kept", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.ok(one["guess"], "only its words tell", one)
    t.eq(one["fixes"][0]["title"], "Weakens isolation: network_mode mcptop-inside → bridge",
         "bridge before host")
    repaired(t, m, "kept")
    one = found(t, m, "silent", "MCPX_DOCKER_NETWORK_BLOCKED")
    t.has(one["user_message"], "nothing came from network mcptop-inside",
          "npx says nothing: its counter does")
    t.has(one["fixes"][0]["title"], "network_mode mcptop-inside → bridge", "the way out")
    m.stop()


@tap.limit(180)
def test_4_images(t):
    engine = t.engine("python:3.11")
    open_one, closed = Registry(t), Registry(t, name="closed", password=True)
    here = f"{open_one.host}/acme/tools:1"
    engine.docker.cli("tag", BUSYBOX, here)
    t.cleanup(engine.docker.cli, "rmi", here)
    server = paths.fixture("fixture_server.py")
    good = {"command": "python3", "args": [server, "good"],
            "env": {"MCPTOP_TEST_SERVER": "good"}}
    iso = {"volumes": [f"{server}:{server}:ro"]}
    m = t.mcptop(config(
        wrong=dict(good, isolation=dict(iso, image=f"{open_one.host}/no/such:1")),
        near=boxed(image=f"{open_one.host}/acme/tool:1"),
        locked=boxed(image=f"{closed.host}/some/image:1"),
        nowhere=boxed(image="localhost:1/no/such:image"),
        never=boxed(image=f"{open_one.host}/absent:1", pull_policy="never"),
        program=dict(boxed(image=BUSYBOX), command="no-such-program")), docker_host=engine)
    one = found(t, m, "wrong", "MCPX_DOCKER_IMAGE_NOT_FOUND")
    t.has(str(one["evidence"]), "not found|unknown", "the engine's reply is evidence")
    t.has(one["fixes"][0]["title"], "→ python:3.11$", "the default image is the fix")
    repaired(t, m, "wrong")
    one = wait_for(lambda: next((f for f in findings(m, "near") if f["fixes"] and
                                 here in f["fixes"][0]["title"]), None), 20,
                   "the image that is here to be offered", saw=lambda: findings(m, "near"))
    t.has(one["fixes"][0]["title"], f"→ {here}$", "the nearest local image is the first fix")
    repaired(t, m, "near")
    one = found(t, m, "locked", "MCPX_DOCKER_REGISTRY_DENIED")
    t.has(" ".join(one["fix_steps"]), f"docker login {closed.host}", "the line to log in")
    one = found(t, m, "nowhere", "MCPX_DOCKER_REGISTRY_UNREACHABLE")
    t.has(str(one["evidence"]), "connection refused", "the engine's reply is evidence")
    t.eq(one["fixes"][0]["id"], "retry", "another try is offered")
    one = found(t, m, "never", "MCPX_DOCKER_IMAGE_NOT_FOUND")
    t.eq(one["fixes"][0]["id"], "pull", "pull_policy is what stands in the way")
    m.api.post("/servers/never/fix")
    t.has(m.read_config(), '"pull_policy": "missing"', "it is changed")
    one = found(t, m, "program", "MCPX_DOCKER_EXEC_NOT_FOUND")
    t.has(one["user_message"], 'has no "no-such-program"', "the program is named")


@tap.limit(90)
def test_6_programs(t):
    engine = t.engine()
    foreign = t.path("foreign")
    with open(foreign, "wb") as file:
        file.write(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xf3\0" + b"\1" * 40)
    os.chmod(foreign, 0o755)
    alien = boxed()
    alien["command"] = "/alien"
    alien["isolation"]["volumes"] = [f"{foreign}:/alien:ro"]
    m = t.mcptop(config(
        tool=boxed("python3 --version >/dev/null || exit 1; exec $S"), alien=alien,
        npx=dict(boxed(), command="npx", args=["-y", "x"])), docker_host=engine)
    one = found(t, m, "tool", "MCPX_STDIO_TOOL_MISSING")
    t.has(one["user_message"], "it needs python3, which image .*busybox.* does not have", "which")
    repaired(t, m, "tool", "host")
    one = found(t, m, "alien", "MCPX_DOCKER_IMAGE_ARCHITECTURE")
    t.has(one["user_message"], "another processor", "a program of another architecture")
    one = found(t, m, "npx", "MCPX_DOCKER_EXEC_NOT_FOUND")
    t.has(one["fixes"][0]["title"], "→ node:20$", "the image of its command is the fix")


@tap.limit(90)
def test_6_weak_and_ignored(t):
    engine = t.engine()
    m = t.mcptop(config(weak=boxed(network_mode="host")), docker_host=engine)
    m.wait_server("weak")
    one = found(t, m, "weak", "MCPX_ISOLATION_WEAK")
    t.has(one["user_message"], "network is the host's", "why")
    repaired(t, m, "weak")
    m.write_config({"mcpServers": {"asked": boxed(enabled=True)}})
    m.wait_server("asked")
    found(t, m, "asked", "MCPX_ISOLATION_IGNORED")
    repaired(t, m, "asked")
    t.eq(m.server("asked")["where"], "docker", "isolated then")


@tap.limit(60)
def test_6_no_permission(t):
    """A socket that does not admit us; root may pass everywhere unless that right is given up."""
    path = t.path("closed.sock")
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(path)
    engine.listen()
    t.cleanup(engine.close)
    os.chmod(path, 0)
    drop = "-dac_override,-dac_read_search"
    m = t.mcptop(config(box=boxed()), docker_host=f"unix://{path}",
                 wrapper=["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}"])
    one = found(t, m, "box", "MCPX_DOCKER_NO_PERMISSION")
    t.has(one["fix_steps"][-1], "usermod -aG docker", "what to do")


@tap.limit(60)
def test_6_refused(t):
    engine = t.engine()
    m = t.mcptop(config(flag=boxed(extra_args=["--frob"]),
                        source=boxed(volumes=["/no/such/directory:/x"])), docker_host=engine)
    found(t, m, "flag", "MCPX_CONFIG_REFUSED")
    one = found(t, m, "source", "MCPX_DOCKER_OCI_RUNTIME")
    t.has(one["fix_steps"][0], "make that directory", "what to do")
    t.eq(sorted(f["server"] for f in m.api.get("/diagnostics")["findings"]), ["flag", "source"],
         "each is told once")


@tap.limit(90)
def test_6_engine_down(t):
    m = t.mcptop(config(box=boxed(), other=boxed(), host=dict(boxed(), isolation={"mode": "none"})))
    one = found(t, m, "box", "MCPX_DOCKER_DAEMON_DOWN")
    t.has(one["user_message"], "no-engine", "which engine")
    found(t, m, "other", "MCPX_DOCKER_DAEMON_DOWN")
    t.eq(m.server("other")["diagnostic"]["code"], "MCPX_DOCKER_DAEMON_DOWN", "the row says it")
    listed = m.api.get("/diagnostics")["findings"]
    t.eq([(f["code"], f["server"], f["servers"]) for f in listed],
         [("MCPX_DOCKER_DAEMON_DOWN", "", ["box", "other"])], "where all are listed it is one finding")
    t.has(listed[0]["user_message"], "no-engine.*; 2 servers wait for it: box, other", "with all it concerns")
    told = m.cli("doctor")
    t.eq((told.returncode, told.stdout.count("DAEMON_DOWN"), told.stdout.count("no-engine")), (2, 1, 1),
         "doctor says it once, and its evidence not again")
    text = m.read_config()
    t.has(m.cli("doctor", "--fix", "--yes").stdout, "nothing here that mcptop can do", "no fix for all")
    t.eq(m.read_config(), text, "nobody's isolation is given up for it")
    t.has(m.cli("doctor", "box").stdout, r"^box: error MCPX_DOCKER_DAEMON_DOWN", "asked for one server it is said")
    t.has(told.stdout, r"(?m)^ .*: +Weakens isolation: or run one of them on the host meanwhile, as you: "
          r"mcptop set NAME isolation=none$", "and that there is another way, which costs isolation")
    repaired(t, m, "box", "host")
    t.eq(m.api.get("/diagnostics")["findings"][0]["servers"], ["other"], "whom it still concerns")


@tap.limit(60)
def test_6_the_way_out_of_some(t):
    """Without an engine the host is named as the way out of those only whose command it has."""
    m = t.mcptop(config(gone=dict(boxed(), command="no-such-command-here"), here=boxed()))
    found(t, m, "here", "MCPX_DOCKER_DAEMON_DOWN")
    found(t, m, "gone", "MCPX_DOCKER_DAEMON_DOWN")
    told = m.cli("doctor").stdout
    t.has(told, r"(?m): +Weakens isolation: or run here on the host meanwhile, as you: mcptop set here isolation=none$", "of one")
    t.ok("would not start either" not in told, "and not why it is none of the other", told)


def tls_server(t, address):
    """An HTTPS server on an address of this machine, by a CA that nobody knows: (port, the CA)."""
    key, cert = t.path("ca.key"), t.path("ca.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=test CA of a company", "-addext", f"subjectAltName=IP:{address}",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = http.server.HTTPServer((address, 0), http.server.SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.cleanup(server.shutdown)
    return server.server_address[1], cert


@tap.limit(120)
def test_6_certificates(t):
    engine = t.engine("python:3.11")
    gateway = engine.docker.api("GET", "/networks/bridge")["IPAM"]["Config"][0]["Gateway"]
    port, ca = tls_server(t, gateway)
    code = (f"import os, urllib.request\nurllib.request.urlopen('https://{gateway}:{port}/').read()\n"
            f"os.execv('{SERVER}', ['{SERVER}'])\n")
    entry = dict(boxed(image="python:3.11"), command="python3", args=["-c", code])
    entry["isolation"]["env"] = {"KEEP": "me"}
    m = t.mcptop(config(tls=entry), docker_host=engine, env={"SSL_CERT_FILE": ca})
    one = found(t, m, "tls", "MCPX_DOCKER_CUSTOM_CA")
    t.has(str(one["evidence"]), "CERTIFICATE_VERIFY_FAILED", "what the server said")
    t.has(one["fixes"][0]["title"], f"mount the host's CA bundle {ca}", "the host's is mounted")
    repaired(t, m, "tls")
    iso = json.loads(m.read_config())["mcpServers"]["tls"]["isolation"]
    t.eq(iso["env"]["KEEP"], "me", "what stood there stays")


@tap.limit(240)
def test_6_dependency(t):
    """mcp-server-sqlite without a pin: its newest dependency does not fit it."""
    engine = t.engine("python:3.11")
    m = t.mcptop(config(sqlite={"command": "uvx", "args": ["mcp-server-sqlite", "--db-path",
                                                           "/tmp/x.db"]}), docker_host=engine)
    one = found(t, m, "sqlite", "MCPX_STDIO_DEPENDENCY_BROKEN", 150)
    t.has(one["user_message"], "Error: ", "the traceback's last line")
    repaired(t, m, "sqlite", timeout=90)
    t.has(m.read_config(), '"--with"', "a pin is written")
    t.has(m.server("sqlite")["undo"], r'^args \["mcp-server-sqlite", .*\] → \["--with", "mcp<2", ', "undo is told in one line")
    m.stop()
    engine.docker.cli("volume", "rm", "mcpproxy-uv-cache-sqlite", check=False)


@tap.limit(150)
def test_no_alarm(t):
    """Isolated reference server with calls: nothing is found."""
    engine = t.engine("python:3.11")
    m = t.mcptop(config(
        box=boxed(), time={"command": "uvx", "args": ["mcp-server-time"]}), docker_host=engine)
    m.wait_server("box")
    client = m.mcp("box")
    client.initialize()
    for n in range(100):
        client.tool("echo", {"text": str(n)})
    m.wait_server("time", timeout=100)
    client = m.mcp("time")
    client.initialize()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        client.tool("get_current_time", {"timezone": "UTC"})
        t.eq(m.api.get("/diagnostics")["findings"], [], "nothing is found") \
            if m.api.get("/diagnostics")["findings"] else None
    t.eq(m.api.get("/diagnostics")["findings"], [], "nothing is found where nothing is wrong")
    m.stop()
    engine.docker.cli("volume", "rm", "mcpproxy-uv-cache-time", check=False)


if __name__ == "__main__":
    tap.main(__name__)
