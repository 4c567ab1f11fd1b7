# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker Engine as tests see it: its API over the unix socket, and a `docker` client
that can talk to it. Written against API 1.41 (Docker 20.10)."""

import functools
import json
import os
import subprocess
import urllib.parse

from .http import Http

API = "/v1.41"


@functools.lru_cache(maxsize=None)
def docker_cli(host):
    """The first `docker` of the machine that this engine accepts: newer clients have
    dropped the API version that older engines speak at most."""
    seen = []
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/bin", "/usr/local/bin"]:
        binary = os.path.join(folder, "docker")
        if binary in seen or not os.access(binary, os.X_OK):
            continue
        seen.append(binary)
        probe = subprocess.run([binary, "-H", host, "version"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
        if probe.returncode == 0:
            return binary
    raise AssertionError(f"no docker client speaks to {host}; tried {seen}")


class Docker:
    """`host` is `unix:///path`."""

    def __init__(self, host):
        self.host = host
        self.http = Http(host, timeout=120)

    def api(self, method, path, body=None, ok=(200, 201, 204, 304), headers=None, timeout=None,
            **query):
        """Parsed JSON (or text) of a reply; another status than those in `ok` is an error."""
        if query:
            path += "?" + urllib.parse.urlencode(
                {k: json.dumps(v) if isinstance(v, (dict, list, bool)) else v
                 for k, v in query.items()}, doseq=True)
        reply = self.http.request(method, API + path, body, headers=headers, timeout=timeout)
        if reply.status not in ok:
            raise AssertionError(f"{method} {path}: HTTP {reply.status} {reply.text[:500]}")
        try:
            return json.loads(reply.body) if reply.body else None
        except ValueError:
            return reply.text

    def ping(self):
        return self.http.get("/_ping", timeout=2).status == 200

    def cli(self, *args, check=True, stdin=subprocess.DEVNULL, timeout=120):
        done = subprocess.run([docker_cli(self.host), "-H", self.host, *args], text=True,
                              stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(args)}: {done.returncode} {done.stderr}")
        return done

    def cli_argv(self, *args):
        """For tests that start `docker run` themselves."""
        return [docker_cli(self.host), "-H", self.host, *args]

    # -- containers ---------------------------------------------------------------

    def containers(self, all=True, **labels):
        """`labels` are given as com_mcpproxy_server='x' for com.mcpproxy.server=x."""
        wanted = [f"{k.replace('_', '.')}={v}" for k, v in labels.items()]
        return self.api("GET", "/containers/json", all=all, filters={"label": wanted})

    def mine(self, all=True, server=None):
        """Containers that some mcptop made (of one server, if given)."""
        labels = {"com_mcpproxy_managed": "true"}
        if server:
            labels["com_mcpproxy_server"] = server
        return self.containers(all, **labels)

    def inspect(self, ident):
        return self.api("GET", f"/containers/{ident}/json")

    def exists(self, ident):
        return self.http.get(f"{API}/containers/{ident}/json").status == 200

    def run(self, image, *command, name=None, labels=None, host_config=None, env=None):
        """Creates and starts a detached container with an open stdin; gives its id."""
        made = self.api("POST", "/containers/create" + (f"?name={name}" if name else ""), {
            "Image": image, "Cmd": list(command), "OpenStdin": True, "Labels": labels or {},
            "Env": env or [], "HostConfig": dict({"Init": True}, **(host_config or {}))})
        self.api("POST", f"/containers/{made['Id']}/start")
        return made["Id"]

    def kill(self, ident, signal="KILL"):
        self.api("POST", f"/containers/{ident}/kill", signal=signal)

    def remove(self, ident):
        self.api("DELETE", f"/containers/{ident}", ok=(204, 404, 409), force=True, v=True)

    def remove_all(self):
        for container in self.containers():
            self.remove(container["Id"])

    # -- images -------------------------------------------------------------------

    def image(self, name):
        """The image's inspection, or None."""
        reply = self.http.get(f"{API}/images/{name}/json")
        return reply.json() if reply.status == 200 else None
