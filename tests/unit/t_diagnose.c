/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Findings from symptoms: which kind, the one fix on top, and that a cause hides its consequences.
 * And the table of kinds: whole, its codes unique. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "diagnose/symptoms.h"
#include "scenario.h"
#include "tap.h"

static const struct scenario scenarios[] = {
    { .name = "not in PATH", .config = HOST, .server = "\"command\":\"nothing-here\"",
      .why = ENOENT, .never_started = true, .why_text = "command \"nothing-here\" is not in PATH",
      .code = -1, .want = "MCPX_STDIO_SPAWN_ENOENT" },
    { .name = "a runner not in PATH can run isolated", .config = HOST, .server = UVX,
      .why = ENOENT, .never_started = true, .why_text = "command \"uvx\" is not in PATH",
      .code = -1, .want = "MCPX_STDIO_SPAWN_ENOENT", .fix = "run it in a container" },
    { .name = "a program of an image that is named", .config = HOST,
      .server = "\"command\":\"my-tool\",\"isolation\":{\"image\":\"tools:1\"}",
      .why = ENOENT, .never_started = true, .why_text = "command \"my-tool\" is not in PATH",
      .code = -1, .want = "MCPX_STDIO_SPAWN_ENOENT", .fix = "run it in a container" },
    { .name = "no docker client", .config = HOST,
      .server = "\"command\":\"podman\",\"args\":[\"run\",\"-i\",\"--weird\",\"x\"]",
      .why = ENOENT, .never_started = true, .why_text = "x", .code = -1,
      .want = "MCPX_DOCKER_CLI_NOT_FOUND" },
    { .name = "not executable", .config = HOST, .server = "\"command\":\"/x\"", .why = EACCES,
      .never_started = true, .why_text = "x", .code = -1, .want = "MCPX_STDIO_SPAWN_EACCES" },
    { .name = "wrong architecture", .config = HOST, .server = "\"command\":\"/x\"", .why = ENOEXEC,
      .never_started = true, .why_text = "x", .code = -1, .want = "MCPX_STDIO_SPAWN_EXEC_FORMAT" },
    { .name = "working directory", .config = HOST, .server = "\"command\":\"/x\"",
      .why = FAULT_CONFIG, .never_started = true, .why_text = "x", .code = -1,
      .want = "MCPX_STDIO_SPAWN_WORKDIR" },
    { .name = "too many processes", .config = HOST, .server = "\"command\":\"/x\"", .why = EAGAIN,
      .never_started = true, .why_text = "x", .code = -1, .want = "MCPX_STDIO_SPAWN_FAILED" },

    { .name = "no such image", .config = DOCKER, .no_image = true,
      .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"image\":\"pyhton:3.11\"}", .why = FAULT_NOT_FOUND,
      .why_text = "image not found: pyhton:3.11 (pull access denied, repository does not exist)",
      .want = "MCPX_DOCKER_IMAGE_NOT_FOUND", .fix = "image pyhton:3.11 → python:3.11" },
    { .name = "nearly an image that is here", .config = DOCKER, .no_image = true,
      .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"image\":\"ghcr.io/acme/tool:1\"}", .why = FAULT_NOT_FOUND,
      .why_text = "image not found: ghcr.io/acme/tool:1: manifest unknown",
      .want = "MCPX_DOCKER_IMAGE_NOT_FOUND",
      .fix = "image ghcr.io/acme/tool:1 → ghcr.io/acme/tools:1" },
    { .name = "nearly an image that is here, in the words of a docker run", .config = DOCKER,
      .no_image = true, .never_started = true, .code = -1, .why = FAULT_NOT_FOUND,
      .server = "\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"ghcr.io/acme/tool:1\"]",
      .why_text = "image not found: ghcr.io/acme/tool:1: manifest unknown",
      .want = "MCPX_DOCKER_IMAGE_NOT_FOUND",
      .fix = "image ghcr.io/acme/tool:1 → ghcr.io/acme/tools:1" },
    { .name = "registry refuses", .config = DOCKER, .no_image = true,
      .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"image\":\"ghcr.io/a/b\"}", .why = FAULT_DENIED,
      .why_text = "ghcr.io wants a login: image ghcr.io/a/b cannot be pulled (unauthorized)",
      .want = "MCPX_DOCKER_REGISTRY_DENIED" },
    { .name = "registry out of reach", .config = DOCKER, .server = UVX,
      .never_started = true, .no_image = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "docker.io is not reachable from the engine: image x cannot be pulled (dial tcp)",
      .want = "MCPX_DOCKER_REGISTRY_UNREACHABLE", .fix = "try the pull again" },
    { .name = "disk full at the pull", .config = DOCKER, .server = UVX,
      .never_started = true, .no_image = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "the engine's disk is full: image x cannot be pulled "
                  "(write /var/lib/docker/tmp/x: no space left on device)",
      .want = "MCPX_DISK_FULL", .fix = "try the pull again, when there is room" },
    { .name = "rate limit", .config = DOCKER, .server = UVX,
      .never_started = true, .no_image = true, .code = -1, .why = EBUSY,
      .why_text = "rate limit of docker.io reached: image x cannot be pulled (toomanyrequests: You)",
      .want = "MCPX_DOCKER_RATE_LIMIT", .fix = "try the pull again" },
    { .name = "rate limit, of a client of its own", .config = HOST, .code = 125,
      .server = "\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"--weird\",\"x\"]",
      .err = "Unable to find image 'x:latest' locally\n"
             "docker: Error response from daemon: toomanyrequests: You have reached your limit.",
      .want = "MCPX_DOCKER_RATE_LIMIT" },
    { .name = "no manifest for this machine", .config = DOCKER, .server = UVX,
      .never_started = true, .no_image = true, .code = -1, .why = FAULT_NOT_FOUND,
      .why_text = "image not found: x: no matching manifest for linux/riscv64 in the manifest list",
      .want = "MCPX_DOCKER_IMAGE_ARCHITECTURE" },
    { .name = "an engine's error of its own", .config = DOCKER, .server = UVX,
      .never_started = true, .no_image = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "image x cannot be pulled: something odd",
      .want = "MCPX_DOCKER_IMAGE_PULL_FAILED" },
    { .name = "no name of an image", .config = DOCKER, .never_started = true, .no_image = true,
      .server = UVX ",\"isolation\":{\"image\":\"Python:3.11\"}", .code = -1, .why = FAULT_HTTP,
      .why_text = "no such image: Python:3.11: invalid reference format: repository name must be "
                  "lowercase",
      .want = "MCPX_DOCKER_IMAGE_NOT_FOUND", .fix = "image Python:3.11 → python:3.11" },
    { .name = "a registry without TLS", .config = DOCKER, .server = UVX, .code = -1,
      .never_started = true, .no_image = true, .why = FAULT_HTTP,
      .why_text = "image x cannot be pulled (http: server gave HTTP response to HTTPS client)",
      .want = "MCPX_DOCKER_REGISTRY_UNREACHABLE", .fix = "try the pull again",
      .says = "insecure-registries" },
    { .name = "more CPUs than there are", .config = DOCKER, .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"cpu_limit\":\"99\"}", .why = FAULT_HTTP,
      .why_text = "create a container from x: Range of CPUs is from 0.01 to 2.00, as there are only "
                  "2 CPUs available",
      .want = "MCPX_DOCKER_OCI_RUNTIME", .fix = "cpu_limit 99 → 2" },
    { .name = "a network that is not there", .config = DOCKER, .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"network_mode\":\"mine\"}", .why = FAULT_NOT_FOUND,
      .why_text = "start in x: network mine not found", .want = "MCPX_DOCKER_OCI_RUNTIME",
      .fix = "Weakens isolation: network_mode mine → bridge" },
    { .name = "a misspelt none", .config = DOCKER, .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"network_mode\":\"none2\"}", .why = FAULT_NOT_FOUND,
      .why_text = "start in x: network none2 not found", .want = "MCPX_DOCKER_OCI_RUNTIME",
      .fix = "network_mode none2 → none" },
    { .name = "a misspelt host", .config = DOCKER, .never_started = true, .code = -1,
      .server = UVX ",\"isolation\":{\"network_mode\":\"hots\"}", .why = FAULT_NOT_FOUND,
      .why_text = "start in x: network hots not found", .want = "MCPX_DOCKER_OCI_RUNTIME",
      .says = "if host is meant, mcptop set " },
    { .name = "a program the image lacks", .config = DOCKER, .never_started = true, .code = 127,
      .server = "\"command\":\"my-tool\"", .why = ENOENT,
      .why_text = "image alpine:3.18 cannot run \"my-tool\": No such file or directory",
      .want = "MCPX_DOCKER_EXEC_NOT_FOUND",
      .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "the engine refuses the container", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "create a container from x: invalid mount config",
      .want = "MCPX_DOCKER_OCI_RUNTIME" },
    { .name = "the engine does not answer a create", .config = DOCKER, .server = UVX,
      .never_started = true, .engine_silent = true, .code = -1, .why = FAULT_TIMEOUT,
      .why_text = "engine does not answer: creating the container took over 30s (unix:///x)",
      .want = "MCPX_DOCKER_ENGINE_TIMEOUT", .fix = "isolation.timeout 30s → 120s" },
    { .name = "the engine does not tell how it ended", .config = DOCKER, .server = UVX,
      .code = -1, .why = FAULT_TIMEOUT,
      .why_text = "how it ended is not known: the engine did not answer within 5 s",
      .want = "MCPX_DOCKER_ENGINE_TIMEOUT",
      .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "a volume of nowhere", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "create a container from x: invalid mount config for type \"bind\": bind source "
                  "path does not exist: /nowhere/x",
      .want = "MCPX_DOCKER_OCI_RUNTIME" },
    { .name = "a volume that the engine does not see", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "create a container from x: invalid mount config for type \"bind\": bind source "
                  "path does not exist: /home/u/docs",
      .want = "MCPX_DOCKER_OCI_RUNTIME" },
    { .name = "a volume that a snap's docker does not see", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP, .snap = true,
      .why_text = "create a container from x: invalid mount config for type \"bind\": bind source "
                  "path does not exist: /home/u/docs",
      .want = "MCPX_DOCKER_SNAP_APPARMOR" },
    { .name = "a snap's docker, as older ones say it", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP, .snap = true,
      .why_text = "start in x: error while creating mount source path '/home/u/docs': mkdir "
                  "/home/u/docs: read-only file system",
      .want = "MCPX_DOCKER_SNAP_APPARMOR" },
    { .name = "AppArmor", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "start in x: OCI runtime create failed: unable to apply apparmor profile: "
                  "write /proc/self/attr/apparmor/exec: permission denied",
      .want = "MCPX_DOCKER_SNAP_APPARMOR" },
    { .name = "a snapshot is no snap", .config = DOCKER, .server = UVX,
      .never_started = true, .code = -1, .why = FAULT_HTTP,
      .why_text = "create a container from x: failed to prepare snapshot: parent does not exist",
      .want = "MCPX_DOCKER_OCI_RUNTIME" },
    { .name = "engine down", .config = DOCKER, .server = UVX, .engine_down = true,
      .engine_error = "no Docker engine at unix:///x", .running = true,
      .want = "MCPX_DOCKER_DAEMON_DOWN", .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "engine's socket closed to us", .config = DOCKER, .server = UVX,
      .engine_down = true, .engine_error = "permission denied on /var/run/docker.sock: add",
      .running = true, .want = "MCPX_DOCKER_NO_PERMISSION",
      .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "engine down is nothing to the host", .config = HOST, .server = UVX,
      .engine_down = true, .engine_error = "no Docker engine", .running = true, .want = "" },

    { .name = "out of memory, whatever it said", .config = DOCKER, .server = UVX, .code = 137,
      .oom = true, .err = "ENOTFOUND example.com", .want = "MCPX_DOCKER_OOM_KILLED",
      .fix = "memory_limit 512m → 1g" },
    { .name = "its peak decides", .config = DOCKER, .code = 137, .oom = true,
      .server = UVX ",\"isolation\":{\"memory_limit\":\"64m\"}", .peak = 150 << 20,
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 64m → 320m" },
    { .name = "too little for an interpreter to start", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"node\",\"isolation\":{\"memory_limit\":\"6m\"}", .peak = 6 << 20,
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 6m → 128m" },
    { .name = "too little for npx", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"npx\",\"isolation\":{\"memory_limit\":\"32m\"}",
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 32m → 256m" },
    { .name = "an interpreter by its image", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"/run.sh\",\"isolation\":{\"memory_limit\":\"8m\","
                "\"image\":\"python:3.12-slim\"}",
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 8m → 128m" },
    { .name = "a small program stays small", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"/run.sh\",\"isolation\":{\"memory_limit\":\"8m\"}",
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 8m → 16m" },
    { .name = "killed again with more", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"bash\",\"isolation\":{\"memory_limit\":\"128m\"}",
      .oom_limits = { 64 << 20 }, .want = "MCPX_DOCKER_OOM_KILLED",
      .fix = "memory_limit 128m → 512m",
      .says = "killed at 64M, then at 128M: four times as much is tried" },
    { .name = "and again", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"bash\",\"isolation\":{\"memory_limit\":\"512m\"}",
      .oom_limits = { 64 << 20, 128 << 20 }, .want = "MCPX_DOCKER_OOM_KILLED",
      .fix = "memory_limit 512m → 2g", .says = "killed at 64M, then at 128M, then at 512M" },
    { .name = "as much as the machine has", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"bash\",\"isolation\":{\"memory_limit\":\"512m\"}",
      .host_free = 900 << 20, .want = "MCPX_DOCKER_OOM_KILLED",
      .fix = "memory_limit 512m → 896m", .says = "the machine has 900M free, so no more than that" },
    { .name = "and no more", .config = DOCKER, .code = 137, .oom = true,
      .server = "\"command\":\"bash\",\"isolation\":{\"memory_limit\":\"512m\"}",
      .host_free = 500 << 20, .want = "MCPX_DOCKER_OOM_KILLED",
      .says = "no more memory to give: 500M is free" },
    { .name = "137 without the engine's word is no OOM", .config = DOCKER, .server = UVX,
      .code = 137, .want = "MCPX_STDIO_KILLED" },
    { .name = "killed through the engine, whatever it said", .config = DOCKER, .server = UVX,
      .code = 137, .engine_signal = 9, .ready = true, .ever_ready = true,
      .err = "ENOTFOUND example.com", .want = "MCPX_STDIO_KILLED" },
    { .name = "a signal", .config = HOST, .server = UVX, .code = -1, .signal = 11,
      .want = "MCPX_STDIO_KILLED" },
    { .name = "ended early", .config = HOST, .server = UVX, .code = 2,
      .err = "usage: x [--flag]", .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "ended later", .config = HOST, .server = UVX, .code = 2, .ready = true,
      .ever_ready = true, .err = "panic", .want = "MCPX_STDIO_EXIT_NONZERO" },
    { .name = "handshake timeout", .config = HOST, .server = UVX, .code = -1, .signal = 15,
      .trouble = TROUBLE_START_TIMEOUT, .want = "MCPX_STDIO_HANDSHAKE_TIMEOUT",
      .fix = "init_timeout 30s → 120s" },
    { .name = "rubbish on stdout", .config = HOST, .server = UVX, .code = -1, .signal = 15,
      .trouble = TROUBLE_START_TIMEOUT, .out = "Server started on port 3000",
      .want = "MCPX_STDIO_HANDSHAKE_INVALID" },

    { .name = "strict: a directory made in the image", .config = STRICT, .server = NODE, .code = 1,
      .err = "Error: EROFS: read-only file system, mkdir '/app/data'",
      .want = "MCPX_DOCKER_ROOT_READ_ONLY",
      .fix = "/app/data in memory: what it writes there is gone when it ends" },
    { .name = "strict: a file of the image", .config = STRICT, .server = NODE, .code = 1,
      .err = "sh: can't create /opt/state: Read-only file system",
      .want = "MCPX_DOCKER_ROOT_READ_ONLY", .fix = "Weakens isolation: hardening strict → standard" },
    { .name = "strict: a line without a path", .config = STRICT, .server = NODE, .code = 1,
      .err = "read-only file system", .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a mount's own read-only comes first", .config = STRICT, .code = 1,
      .server = NODE ",\"isolation\":{\"volumes\":[\"/srv/d:/data:ro\"]}",
      .err = "OSError: [Errno 30] Read-only file system: '/data/x'",
      .want = "MCPX_DOCKER_PATH_READ_ONLY", .fix = "Weakens isolation: mount /srv/d:/data" },
    { .name = "read-only by the user's own flag", .config = DOCKER, .code = 1,
      .server = NODE ",\"isolation\":{\"extra_args\":[\"--read-only\"]}",
      .err = "mkdir: cannot create directory '/var/x': Read-only file system",
      .want = "MCPX_DOCKER_ROOT_READ_ONLY",
      .fix = "/var/x in memory: what it writes there is gone when it ends" },
    { .name = "strict: not the owner of a closed directory", .config = STRICT, .running = true,
      .ready = true, .server = NODE ",\"isolation\":{\"volumes\":[\"/home/u/docs:/docs\"]}",
      .want = "MCPX_DOCKER_USER_DENIED",
      .fix = "Weakens isolation: run it as 1000:1000, who owns /home/u/docs" },
    { .name = "strict: as the owner", .config = STRICT, .running = true, .ready = true,
      .server = NODE ",\"isolation\":{\"volumes\":[\"/home/u/docs:/docs\"],"
                "\"extra_args\":[\"--user\",\"1000\"]}", .want = "" },
    { .name = "strict: may read, and writes", .config = STRICT, .code = 1,
      .server = NODE ",\"isolation\":{\"volumes\":[\"/srv/db:/data\"]}",
      .err = "sqlite3.OperationalError: unable to open database file",
      .want = "MCPX_DOCKER_USER_DENIED", .fix = "Weakens isolation: hardening strict → standard" },
    { .name = "strict: may read, and reads", .config = STRICT, .running = true, .ready = true,
      .server = NODE ",\"isolation\":{\"volumes\":[\"/srv/db:/data\"]}", .want = "" },
    { .name = "standard: root reads what is closed", .config = DOCKER, .running = true,
      .ready = true, .server = NODE ",\"isolation\":{\"volumes\":[\"/home/u/docs:/docs\"]}",
      .want = "" },

    { .name = "docker in a container", .config = DOCKER, .server = UVX, .code = 1,
      .err = "the input device is not a TTY", .want = "MCPX_DOCKER_IN_DOCKER", .guess = true,
      .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "docker behind a script", .config = DOCKER, .server = UVX, .code = 127,
      .err = "/start.sh: line 3: docker: command not found", .want = "MCPX_DOCKER_IN_DOCKER",
      .guess = true, .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "nor is it on the host", .config = DOCKER, .server = UVX, .code = 1,
      .err = "the input device is not a TTY", .want = "MCPX_DOCKER_IN_DOCKER", .guess = true,
      .not_here = true, .says = "on the host it would not start either: command \"uvx\" is not" },
    { .name = "a terminal asked for on the host", .config = HOST, .code = 1,
      .server = "\"command\":\"docker\",\"args\":[\"run\",\"-it\",\"--weird\",\"x\"]",
      .err = "the input device is not a TTY", .want = "MCPX_DOCKER_TTY",
      .fix = "args[1] -it → -i" },
    { .name = "a path of the host", .config = DOCKER, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/docs\"]",
      .err = "Error: ENOENT: no such file or directory, stat '/home/u/docs'",
      .want = "MCPX_DOCKER_PATH_NOT_MOUNTED",
      .fix = "Weakens isolation: mount /home/u/docs:/home/u/docs:ro" },
    { .name = "a file to be made", .config = DOCKER, .code = 1,
      .server = "\"command\":\"uvx\",\"args\":[\"db\",\"--path=/home/u/new.db\"]",
      .err = "sqlite3.OperationalError: unable to open database file",
      .want = "MCPX_DOCKER_PATH_NOT_MOUNTED", .guess = true,
      .fix = "Weakens isolation: mount /home/u:/home/u" },
    { .name = "a path nobody has", .config = DOCKER, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/nowhere/x\"]",
      .err = "Error: ENOENT: no such file or directory, stat '/nowhere/x'",
      .want = "MCPX_STDIO_FILE_MISSING" },
    { .name = "a path nobody has, on the host", .config = HOST, .code = 1, .guess = true,
      .server = "\"command\":\"uv\",\"args\":[\"--directory\",\"/nowhere/x\",\"run\",\"s.py\"]",
      .err = "error: No such file or directory (os error 2)", .want = "MCPX_STDIO_FILE_MISSING" },
    { .name = "a $HOME that nobody expands", .config = HOST, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"--dir=$HOME/docs\"]",
      .err = "Error: ENOENT: no such file or directory, stat '/w/$HOME/docs'",
      .want = "MCPX_STDIO_FILE_MISSING", .fix = "args[1] --dir=$HOME/docs → --dir=/home/u/docs" },
    { .name = "… in braces, and not named by the server", .config = HOST, .code = 1, .guess = true,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"${HOME}/docs\"]",
      .err = "fatal: the directory does not exist",
      .want = "MCPX_STDIO_FILE_MISSING", .fix = "args[1] ${HOME}/docs → /home/u/docs" },
    { .name = "another variable", .config = HOST, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"$WORK/docs\"]",
      .err = "Error: ENOENT: no such file or directory, stat '$WORK/docs'",
      .want = "MCPX_STDIO_FILE_MISSING" },
    { .name = "a shell expands it", .config = HOST, .code = 1,
      .server = "\"command\":\"sh\",\"args\":[\"-c\",\"$HOME/bin/server\"]",
      .err = "sh: 1: /home/u/bin/server: Permission denied and $HOME/bin/server not found",
      .want = "MCPX_STDIO_ACCESS_DENIED", .guess = true },
    { .name = "a price is no variable", .config = HOST, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"$\",\"${}\",\"$-x\"]",
      .err = "it does not exist", .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a ~ that nobody expands", .config = HOST, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"~/docs\"]",
      .err = "Error: ENOENT: no such file or directory, stat '~/docs'",
      .want = "MCPX_STDIO_FILE_MISSING", .fix = "args[1] ~/docs → /home/u/docs" },
    { .name = "a script that is not there", .config = HOST, .code = 2,
      .server = "\"command\":\"python3\",\"args\":[\"server.py\"]",
      .err = "python3: can't open file '/somewhere/server.py': [Errno 2] No such file or directory",
      .want = "MCPX_STDIO_FILE_MISSING" },
    { .name = "the same for node", .config = HOST, .code = 1,
      .server = "\"command\":\"node\",\"args\":[\"dist/index.js\"]",
      .err = "Error: Cannot find module '/somewhere/dist/index.js'\n    at Module._load (x:1)\n"
             "Node.js v20.1.0", .want = "MCPX_STDIO_FILE_MISSING" },
    { .name = "a module that this python lacks", .config = HOST, .code = 1,
      .server = "\"command\":\"python3\",\"args\":[\"-m\",\"x_server\"]",
      .err = "/usr/bin/python3: No module named x_server", .want = "MCPX_STDIO_MODULE_MISSING" },
    { .name = "a module that a fetched package lacks", .config = HOST, .code = 1, .server = UVX,
      .err = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'x'",
      .want = "MCPX_STDIO_DEPENDENCY_BROKEN", .guess = true,
      .fix = "args + --with x (the package that it does not name)" },
    { .name = "node_modules that nobody installed", .config = HOST, .code = 1, .guess = true,
      .server = "\"command\":\"node\",\"args\":[\"index.js\"]",
      .err = "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /x/index.js",
      .want = "MCPX_STDIO_MODULE_MISSING" },
    { .name = "a library", .config = HOST, .code = 127, .server = "\"command\":\"/x\"",
      .err = "/x: error while loading shared libraries: libfoo.so.1: cannot open shared object "
             "file: No such file or directory", .want = "MCPX_STDIO_LIBRARY_MISSING" },
    { .name = "a newer libc", .config = DOCKER, .code = 1, .server = "\"command\":\"/x\"",
      .err = "/x: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x)",
      .want = "MCPX_STDIO_LIBRARY_MISSING" },
    { .name = "denied", .config = HOST, .code = 1, .server = UVX, .guess = true,
      .err = "PermissionError: [Errno 13] Permission denied: '/var/lib/x.db'",
      .want = "MCPX_STDIO_ACCESS_DENIED" },
    { .name = "HTTP instead of stdio", .config = HOST, .code = -1, .signal = 15, .server = UVX,
      .trouble = TROUBLE_START_TIMEOUT, .guess = true,
      .err = "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
      .want = "MCPX_STDIO_HANDSHAKE_TIMEOUT" },
    { .name = "a stdio server that names a port, and ends", .config = HOST, .code = 3,
      .server = UVX, .err = "listening on port 9229 for a debugger",
      .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a proxy that is not there", .config = HOST, .code = 1, .guess = true,
      .server = UVX ",\"env\":{\"HTTPS_PROXY\":\"http://127.0.0.1:1\"}",
      .err = "  cause: Connection refused (os error 111)", .want = "MCPX_STDIO_NETWORK_FAILED" },
    { .name = "no such version", .config = HOST, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"pkg@99\"]",
      .err = "npm error code ETARGET\nnpm error notarget No matching version found for pkg@99.\n"
             "npm notice New version\nnpm error A complete log of this run can be found in: /x",
      .want = "MCPX_STDIO_PACKAGE_NOT_FOUND" },
    { .name = "a name with a typing error", .config = HOST, .code = 1,
      .server = "\"command\":\"uvx\",\"args\":[\"mcp-server-tme\"]",
      .err = "  cause: Because mcp-server-tme was not found in the package registry and you require",
      .want = "MCPX_STDIO_PACKAGE_NOT_FOUND",
      .fix = "args[0] mcp-server-tme → mcp-server-time" },
    { .name = "another Python", .config = HOST, .code = 2, .server = UVX, .guess = true,
      .err = "error: No interpreter found for Python 3.99 in managed installations\nhint: x",
      .want = "MCPX_STDIO_TOOL_MISSING" },
    { .name = "pip knows no version at all", .config = HOST, .code = 1, .server = UVX,
      .err = "ERROR: Could not find a version that satisfies the requirement x (from versions: "
             "none)\nERROR: No matching distribution found for x",
      .want = "MCPX_STDIO_PACKAGE_NOT_FOUND" },
    { .name = "arguments in the command", .config = HOST, .code = -1, .never_started = true,
      .server = "\"command\":\"npx -y pkg\"", .why = ENOENT,
      .why_text = "command \"npx -y pkg\" is not in PATH", .want = "MCPX_STDIO_SPAWN_ENOENT",
      .fix = "command npx, and the other words into args" },
    { .name = "arguments in the command, isolated", .config = DOCKER, .code = 127,
      .never_started = true, .server = "\"command\":\"npx -y pkg\"", .why = ENOENT,
      .why_text = "image alpine:3.18 cannot run \"npx -y pkg\"",
      .want = "MCPX_DOCKER_EXEC_NOT_FOUND",
      .fix = "command npx, and the other words into args" },
    { .name = "a path of Windows", .config = HOST, .code = -1, .never_started = true,
      .server = "\"command\":\"C:\\\\Python\\\\python.exe\"", .why = ENOENT, .why_text = "x",
      .want = "MCPX_STDIO_SPAWN_ENOENT" },
    { .name = "memory for what installs it", .config = DOCKER, .server = UVX, .code = 127,
      .oom_inside = true, .err = "Killed\nmcptop: uv could not be installed: use an image that "
                                "has it (isolation.image)",
      .want = "MCPX_DOCKER_OOM_KILLED", .fix = "memory_limit 512m → 1g" },
    { .name = "an image without runner and installer", .config = DOCKER, .code = 127,
      .server = UVX ",\"isolation\":{\"image\":\"busybox\"}",
      .err = "env: can't execute 'python3': No such file or directory\nmcptop: uv could not be "
             "installed: use an image that has it (isolation.image)",
      .want = "MCPX_DOCKER_EXEC_NOT_FOUND", .fix = "image busybox → python:3.11" },
    { .name = "a path of the host, and the server made its own", .config = DOCKER, .running = true, .ready = true,
      .server = "\"command\":\"uvx\",\"args\":[\"db\",\"--path=/home/u/docs\"]",
      .want = "MCPX_DOCKER_PATH_OWN",
      .fix = "Weakens isolation: mount /home/u/docs:/home/u/docs:ro" },
    { .name = "the same path on the host", .config = HOST, .running = true, .ready = true,
      .server = "\"command\":\"uvx\",\"args\":[\"db\",\"--path=/home/u/docs\"]", .want = "" },
    { .name = "a path that images have too", .config = DOCKER, .running = true, .ready = true,
      .server = "\"command\":\"uvx\",\"args\":[\"db\",\"/etc/hosts\"]", .want = "" },
    { .name = "a mounted path is not missing", .config = DOCKER, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/docs\"],"
                "\"isolation\":{\"volumes\":[\"/home/u/docs:/home/u/docs\"]}",
      .err = "Error: no such file or directory, '/home/u/docs/x'",
      .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "mounted read-only", .config = DOCKER, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/docs\"],"
                "\"isolation\":{\"volumes\":[\"/home/u/docs:/home/u/docs:ro\"]}",
      .err = "EROFS: read-only file system, open '/home/u/docs/x'",
      .want = "MCPX_DOCKER_PATH_READ_ONLY",
      .fix = "Weakens isolation: mount /home/u/docs:/home/u/docs" },
    { .name = "the read-only mount that is named", .config = DOCKER, .code = 1,
      .server = "\"command\":\"npx\",\"args\":[\"fs\"],\"isolation\":{\"volumes\":["
                "\"/home/u/bin:/bin/x:ro\",\"/home/u/docs:/home/u/docs:ro\"]}",
      .err = "EROFS: read-only file system, open '/home/u/docs/x'",
      .want = "MCPX_DOCKER_PATH_READ_ONLY",
      .fix = "Weakens isolation: mount /home/u/docs:/home/u/docs" },
    { .name = "working_dir", .config = DOCKER, .code = 1,
      .server = "\"command\":\"node\",\"args\":[\"index.js\"],\"working_dir\":\"/home/u/app\"",
      .err = "Error: Cannot open index.js", .want = "MCPX_DOCKER_WORKING_DIR",
      .fix = "Weakens isolation: mount /home/u/app:/home/u/app:ro" },
    { .name = "a script of working_dir", .config = DOCKER, .code = 2,
      .server = "\"command\":\"python3\",\"args\":[\"server.py\"],\"working_dir\":\"/home/u/app\"",
      .err = "python3: can't open file '//server.py': [Errno 2] No such file or directory",
      .want = "MCPX_DOCKER_WORKING_DIR",
      .fix = "Weakens isolation: mount /home/u/app:/home/u/app:ro" },
    { .name = "no network", .config = DOCKER, .code = 1,
      .server = UVX ",\"isolation\":{\"network_mode\":\"none\"}",
      .err = "  ╰─▶ dns error: failed to lookup address information",
      .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .fix = "Weakens isolation: network_mode none → bridge" },
    { .name = "no network, while it runs", .config = DOCKER, .running = true, .ready = true,
      .server = UVX ",\"isolation\":{\"network_mode\":\"none\"}",
      .err = "fetch failed: getaddrinfo EAI_AGAIN api.example.com",
      .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .fix = "Weakens isolation: network_mode none → bridge" },
    { .name = "one peer lost, while it runs", .config = DOCKER, .server = UVX, .running = true,
      .ready = true, .err = "connect ECONNREFUSED 10.0.0.7:80", .want = "" },
    { .name = "a broken bridge", .config = DOCKER, .server = UVX, .code = 1,
      .err = "Temporary failure in name resolution", .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .guess = true, .fix = "Weakens isolation: network_mode bridge → host" },
    { .name = "packets that nobody answers", .config = DOCKER, .server = UVX, .code = -1,
      .signal = 15, .trouble = TROUBLE_START_TIMEOUT, .guess = true,
      .err = "  Caused by: operation timed out", .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .fix = "Weakens isolation: network_mode bridge → host" },
    { .name = "a network error on the host", .config = HOST, .server = UVX, .code = 1,
      .err = "Temporary failure in name resolution", .want = "MCPX_STDIO_NETWORK_FAILED",
      .guess = true },
    { .name = "a CA of its own", .config = DOCKER, .server = UVX, .code = 1, .guess = true,
      .err = "invalid peer certificate: UnknownIssuer", .want = "MCPX_DOCKER_CUSTOM_CA",
      .fix = "mount the host's CA bundle /etc/ca.pem read-only and point to it" },
    { .name = "git is missing", .config = DOCKER, .server = UVX, .code = 1, .guess = true,
      .err = "FileNotFoundError: [Errno 2] No such file or directory: 'git'",
      .want = "MCPX_STDIO_TOOL_MISSING", .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "npx is missing", .config = DOCKER, .server = UVX, .code = 127, .guess = true,
      .err = "sh: 1: npx: not found", .want = "MCPX_STDIO_TOOL_MISSING",
      .fix = "image python:3.11 → node:20" },
    { .name = "no such package", .config = HOST, .server = UVX, .code = 1,
      .err = "  × Because mcp-server-x was not found in the package registry",
      .want = "MCPX_STDIO_PACKAGE_NOT_FOUND" },
    { .name = "an empty key", .config = HOST, .code = 1,
      .server = UVX ",\"env\":{\"BRAVE_API_KEY\":\"\"}",
      .err = "Error: BRAVE_API_KEY environment variable is required",
      .want = "MCPX_STDIO_ENV_MISSING" },
    { .name = "a key that is given is not missing", .config = HOST, .code = 1,
      .server = UVX ",\"env\":{\"BRAVE_API_KEY\":\"x\"}",
      .err = "Error: BRAVE_API_KEY was not found on the server",
      .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a broken dependency", .config = HOST, .server = UVX, .code = 1, .guess = true,
      .err = "Traceback (most recent call last):\n  File \"x.py\", line 1\n"
             "AttributeError: 'Server' object has no attribute 'list_resources'",
      .want = "MCPX_STDIO_DEPENDENCY_BROKEN",
      .fix = "args + --with mcp<2 (the MCP library before its break)" },
    { .name = "no traceback, no broken dependency", .config = HOST, .server = UVX, .code = 1,
      .err = "TypeError: x", .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a port in use", .config = HOST, .server = UVX, .code = 1,
      .err = "Error: listen EADDRINUSE: address already in use :::3000",
      .want = "MCPX_STDIO_PORT_IN_USE" },
    { .name = "a heap that may not grow", .config = DOCKER, .server = UVX, .code = 134,
      .err = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
      .want = "MCPX_DOCKER_OOM_KILLED", .guess = true, .fix = "memory_limit 512m → 1g" },
    { .name = "an ELF file read by a shell", .config = DOCKER, .server = UVX, .code = 127,
      .err = "/x: line 1: \177ELF\002\001: not found", .want = "MCPX_DOCKER_IMAGE_ARCHITECTURE" },
    { .name = "disk full", .config = HOST, .server = UVX, .code = 1,
      .err = "OSError: [Errno 28] No space left on device", .want = "MCPX_DISK_FULL" },

    { .name = "a long start", .config = HOST, .running = true, .slow_ms = 21000, .server = UVX,
      .err = "Resolving dependencies...", .want = "MCPX_STDIO_START_SLOW" },
    { .name = "a long start without a network", .config = DOCKER, .running = true, .slow_ms = 21000,
      .server = "\"command\":\"npx\",\"args\":[\"x\"],\"isolation\":{\"network_mode\":\"none\"}",
      .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .fix = "Weakens isolation: network_mode none → bridge" },
    { .name = "a long start after an end", .config = HOST, .code = 3, .slow_ms = 21000,
      .server = UVX, .want = "MCPX_STDIO_EXIT_BEFORE_INITIALIZE" },
    { .name = "a path that will not be there", .config = DOCKER, .running = true,
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"fs\",\"/home/u/docs\"]",
      .want = "MCPX_DOCKER_PATH_NOT_MOUNTED", .expected = true,
      .fix = "Weakens isolation: mount /home/u/docs:/home/u/docs:ro" },
    { .name = "… before a slow start is", .config = DOCKER, .running = true, .slow_ms = 21000,
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"fs\",\"/home/u/docs\"]",
      .want = "MCPX_STDIO_START_SLOW" },
    { .name = "a path that is mounted", .config = DOCKER, .running = true,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/docs/x\"],"
                "\"isolation\":{\"volumes\":[\"/home/u/docs:/home/u/docs:ro\"]}",
      .want = "" },
    { .name = "a path to be made", .config = DOCKER, .running = true,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/new.db\"]", .want = "" },
    { .name = "paths that images have", .config = DOCKER, .running = true,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/tmp/x\",\"/usr/share/x\",\"/etc\",\"/dev/null\"]",
      .want = "" },
    { .name = "a path on the host", .config = HOST, .running = true,
      .server = "\"command\":\"npx\",\"args\":[\"fs\",\"/home/u/docs\"]", .want = "" },
    { .name = "a package that no network will bring", .config = DOCKER, .running = true,
      .server = UVX ",\"isolation\":{\"network_mode\":\"none\"}",
      .want = "MCPX_DOCKER_NETWORK_BLOCKED", .expected = true,
      .fix = "Weakens isolation: network_mode none → bridge" },
    { .name = "a runner that is told to stay offline", .config = DOCKER, .running = true,
      .server = "\"command\":\"uvx\",\"args\":[\"--offline\",\"x\"],"
                "\"isolation\":{\"network_mode\":\"none\"}", .want = "" },
    { .name = "an image that may have the package", .config = DOCKER, .running = true,
      .server = UVX ",\"isolation\":{\"network_mode\":\"none\",\"image\":\"me/x\"}", .want = "" },
    { .name = "no network for what is there", .config = DOCKER, .running = true,
      .server = NODE ",\"isolation\":{\"network_mode\":\"none\"}", .want = "" },
    { .name = "a volume that will be missing", .config = DOCKER, .running = true,
      .server = UVX ",\"isolation\":{\"volumes\":[\"/nowhere/x:/x\"]}",
      .want = "MCPX_DOCKER_OCI_RUNTIME", .expected = true },
    { .name = "a script of working_dir that will be missing", .config = DOCKER, .running = true,
      .server = "\"command\":\"python3\",\"args\":[\"server.py\"],\"working_dir\":\"/home/u/app\"",
      .want = "MCPX_DOCKER_WORKING_DIR", .expected = true,
      .fix = "Weakens isolation: mount /home/u/app:/home/u/app:ro" },
    { .name = "a working_dir that nothing is named of", .config = DOCKER, .running = true,
      .server = UVX ",\"working_dir\":\"/home/u/app\"", .want = "" },
    { .name = "what the engine's absence hides", .config = DOCKER, .running = true,
      .engine_down = true, .engine_error = "unix:///x: connection refused",
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"fs\",\"/home/u/docs\"]",
      .want = "MCPX_DOCKER_DAEMON_DOWN", .fix = "Weakens isolation: run it on the host, as you" },
    { .name = "all is well", .config = DOCKER, .server = UVX, .running = true, .ready = true,
      .peak = 100 << 20, .want = "" },
    { .name = "close to the limit", .config = DOCKER, .server = UVX, .running = true,
      .ready = true, .peak = 470 << 20, .want = "MCPX_DOCKER_MEMORY_TIGHT",
      .fix = "memory_limit 512m → 1g" },
    { .name = "a child of it killed for memory", .config = DOCKER, .server = UVX, .running = true,
      .ready = true, .ooms = 1, .want = "MCPX_DOCKER_MEMORY_TIGHT",
      .fix = "memory_limit 512m → 1g" },
    { .name = "throttled", .config = DOCKER, .server = UVX, .running = true, .ready = true,
      .throttled_s = 30, .want = "MCPX_DOCKER_CPU_THROTTLED", .fix = "cpu_limit 1.0 → 2" },
    { .name = "throttled while it started", .config = DOCKER, .server = UVX, .code = -1,
      .signal = 15, .trouble = TROUBLE_START_TIMEOUT, .start_throttled = true,
      .want = "MCPX_DOCKER_CPU_THROTTLED", .fix = "cpu_limit 1.0 → 2" },
    { .name = "no thread more while it started", .config = DOCKER, .code = -1, .signal = 15,
      .server = NODE ",\"isolation\":{\"pids_limit\":3}", .trouble = TROUBLE_START_TIMEOUT,
      .start_pids = 3, .want = "MCPX_DOCKER_PIDS_EXHAUSTED", .fix = "pids_limit 3 → 32" },
    { .name = "nothing came while it fetched", .config = DOCKER, .code = -1, .signal = 15,
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"x\"],\"isolation\":{\"network_mode\":\"mine\"}",
      .trouble = TROUBLE_START_TIMEOUT, .start_rx = 900, .want = "MCPX_DOCKER_NETWORK_BLOCKED",
      .guess = true, .fix = "Weakens isolation: network_mode mine → bridge" },
    { .name = "much came while it fetched", .config = DOCKER, .code = -1, .signal = 15,
      .server = "\"command\":\"npx\",\"args\":[\"-y\",\"x\"]",
      .trouble = TROUBLE_START_TIMEOUT, .start_rx = 9000000,
      .want = "MCPX_STDIO_HANDSHAKE_TIMEOUT", .fix = "init_timeout 30s → 120s" },
    { .name = "throttled for a moment", .config = DOCKER, .server = UVX, .running = true,
      .ready = true, .throttled_s = 5, .want = "" },
    { .name = "noise on stdout", .config = HOST, .server = UVX, .running = true, .ready = true,
      .stray = 3, .out = "hello", .want = "MCPX_STDIO_STDOUT_NOISE" },
    { .name = "weak, and out of memory", .config = DOCKER, .code = 137, .oom = true,
      .server = UVX ",\"isolation\":{\"network_mode\":\"host\"}",
      .want = "MCPX_DOCKER_OOM_KILLED MCPX_ISOLATION_WEAK", .fix = "memory_limit 512m → 1g" },
    { .name = "enabled alone is ignored", .config = HOST, .running = true, .ready = true,
      .server = UVX ",\"isolation\":{\"enabled\":true}", .want = "MCPX_ISOLATION_IGNORED",
      .fix = "run it in a container" },
    { .name = "a variable that is not set", .config = HOST, .running = true,
      .server = UVX ",\"env\":{\"A\":\"${env:MCPTOP_NOT_SET}\"}", .want = "MCPX_CONFIG_ENV_UNSET" },
    { .name = "a remote server", .config = HOST, .server = "\"url\":\"https://x/mcp\"",
      .running = true, .want = "MCPX_CONFIG_UNSUPPORTED" },
};

/* A kind's row of docs/troubleshooting.md. */
static char *doc_row(const struct finding_type *t)
{
    return xasprintf("| `%s` | %s | %s | %s |\n", t->code, finding_severity_name(t->severity),
                     t->cause, t->fix);
}

static void test_documented(void)
{
    const char *root = getenv("MCPTOP_SRCDIR");
    AUTO_FREE char *path = xasprintf("%s/docs/troubleshooting.md", root ? root : ".");
    AUTO_BUF struct buf doc = BUF_INIT;
    char chunk[4096];
    size_t n, rows = 0;
    FILE *f = fopen(path, "re");
    while (f && (n = fread(chunk, 1, sizeof chunk, f)))
        buf_add(&doc, chunk, n);
    if (f)
        fclose(f);
    for (int i = 0; i < FIND_KINDS; i++) {
        AUTO_FREE char *row = doc_row(finding_type((enum finding_kind)i));
        ok(strstr(buf_str(&doc), row) != NULL, "%s stands in docs/troubleshooting.md",
           finding_type((enum finding_kind)i)->code);
    }
    for (const char *p = buf_str(&doc); (p = strstr(p, "| `MCPX_")); p++)
        rows++;
    is_int(rows, FIND_KINDS, "and no other");
}

static void print_table(void)
{
    for (int i = 0; i < FIND_KINDS; i++) {
        AUTO_FREE char *row = doc_row(finding_type((enum finding_kind)i));
        fputs(row, stdout);
    }
}

static void test_table(void)
{
    for (int i = 0; i < FIND_KINDS; i++) {
        const struct finding_type *t = finding_type((enum finding_kind)i);
        ok(t->code && strncmp(t->code, "MCPX_", 5) == 0 && t->cause && t->fix,
           "kind %d has a row: %s", i, t->code ? t->code : "?");
        for (int k = 0; k < i; k++)
            if (strcmp(t->code, finding_type((enum finding_kind)k)->code) == 0)
                ok(false, "%s is there twice", t->code);
    }
}

/* Tools that are not what was first seen, whatever else is wrong with the server. */
static void test_tools(void)
{
    char a[] = "a", b[] = "b\x1b[31m", name[] = "s x";
    struct tool_change one[] = { { .name = a }, { .name = b, .is_new = true } };
    struct tool_changes changes = { .v = one, .n = 2 };
    struct config_server config = { .name = name };
    struct plan plan = { .mode = PLAN_HOST };
    struct ring *ring = ring_new(1024);
    struct symptoms s = {
        .name = "s x", .config = &config, .plan = &plan, .state = SERVER_READY, .reason = "",
        .wanted = true, .ring = ring, .tool_changes = &changes, .tools_held = true, .exists = exists,
        .status = status,
    };
    struct findings fs = { 0 };
    diagnose(&s, &fs);
    is_int((int)fs.n, 1, "changed tools are one finding");
    is_str(fs.v[0].sentence, "its tools are not what was first seen: changed: a; new: b; clients do "
           "not get them until they are approved", "it names them");
    ok(fs.v[0].steps.n == 1 && strstr(fs.v[0].steps.v[0], "mcptop approve 's x'"), "and the next step");
    s.tools_held = false;
    diagnose(&s, &fs);
    ok(!strstr(fs.v[0].sentence, "clients"), "where they wait, only");
    s.tools_unwatched = true;
    diagnose(&s, &fs);
    ok(fs.n == 1 && strstr(fs.v[0].sentence, "too long to be watched"), "a list that is too long is told");
    changes.n = 0;
    s.tools_unwatched = false;
    diagnose(&s, &fs);
    is_int((int)fs.n, 0, "and nothing where nothing is");
    findings_fini(&fs);
    ring_free(ring);
}

/* --table prints the rows, for whoever adds a kind. */
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        print_table();
        return 0;
    }
    tap_deadline(30);
    test_table();
    test_documented();
    test_tools();
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        scenario_run(&scenarios[i]);
    return done_testing();
}
