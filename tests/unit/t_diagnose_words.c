/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What programs of many languages say when something is missing or out of reach, as they say
         it, with
 * what stands around it; and what looks like it and is not. */
#include "scenario.h"

#define PY "\"command\":\"python3\",\"args\":[\"x.py\"]"
#define SAYS(title, server_, text, code_, guess_)                                                 \
    { .name = title, .config = HOST, .server = server_, .code = 1, .err = text, .want = code_,    \
      .guess = guess_ }
#define BOXED(title, server_, text, code_, fix_, guess_)                                          \
    { .name = title, .config = DOCKER, .server = server_, .code = 1, .err = text, .want = code_,  \
      .fix = fix_, .guess = guess_ }
#define LIVES(title, server_, text)                                                               \
    { .name = title, .config = DOCKER, .server = server_, .running = true, .ready = true,         \
      .err = text, .want = "" }
#define NPX_AND_A_VOLUME(cache)                                                                   \
    "\"command\":\"npx\",\"args\":[\"-y\",\"x\"],\"isolation\":{\"volumes\":[\"mine:/data\"],"          \
    "\"enable_cache_volume\":" cache "}"
#define NO_NETWORK ",\"isolation\":{\"network_mode\":\"none\"}"
#define MOUNTED "Weakens isolation: mount /home/u/docs:/home/u/docs:ro"
#define TO_HOST "Weakens isolation: run it on the host, as you"
#define TO_BRIDGE "Weakens isolation: network_mode none → bridge"
#define BUNDLE "mount the host's CA bundle /etc/ca.pem read-only and point to it"
#define FRAME "    at Module._load (node:internal/modules/cjs/loader:1)\n"

static const struct scenario scenarios[] = {
    /* ---- variables ---- */
    SAYS("os.environ of Python", PY, "Traceback (most recent call last):\n  File \"<frozen "
         "os>\", line 679, in "
         "__getitem__\nKeyError: 'GITHUB_TOKEN'", "MCPX_STDIO_ENV_MISSING", false),
    SAYS("os.environ of an older Python", PY, "Traceback (most recent call last):\n  File "
         "\"/usr/lib/python3.9/os.py\","
         " line 679, in __getitem__\n    raise KeyError(key) from None\nKeyError: 'team'",
         "MCPX_STDIO_ENV_MISSING", false),
    SAYS("a dictionary's key is no variable", PY, "Traceback (most recent call last):\n  File "
         "\"x.py\", line 3\n"
         "KeyError: 'API_KEY_OF_A_DICT'", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", false),
    SAYS("pydantic's settings", PY, "  File \"/x/site-packages/pydantic_settings/main.py\", line "
         "84, in __init__\n"
         "pydantic_core.ValidationError: 1 validation error for Settings\nopenai_api_key\n  "
         "Field required "
         "[type=missing, input_value={}, input_type=dict]\n    For further information visit "
         "https://errors.pydantic.dev/2.8/v/missing", "MCPX_STDIO_ENV_MISSING", true),
    SAYS("a validator of Node", NODE, "ZodError: [\n  {\n    \"received\": \"undefined\",\n    "
         "\"path\": [\n"
         "      \"NOTION_API_KEY\"\n    ],\n    \"message\": \"Required\"\n  }\n]\n" FRAME,
         "MCPX_STDIO_ENV_MISSING", true),
    SAYS("a list of names", NODE, "Error: missing required environment variables:\n  - "
         "SLACK_TEAM\n  - SLACK_CHANNEL",
         "MCPX_STDIO_ENV_MISSING", true),
    SAYS("a setting that is no secret", NODE, "Error: DATABASE_URL is not defined. Please "
         "provide a connection string.",
         "MCPX_STDIO_ENV_MISSING", true),
    SAYS("Rust", PY, "thread 'main' panicked at src/main.rs:5:42:\nOPENAI_API_KEY must be set: "
         "NotPresent\nnote: run with "
         "`RUST_BACKTRACE=1` environment variable to display a backtrace",
         "MCPX_STDIO_ENV_MISSING", true),
    SAYS("an SDK", PY, "openai.OpenAIError: The api_key client option must be set either by "
         "passing api_key to the client "
         "or by setting the OPENAI_API_KEY environment variable", "MCPX_STDIO_ENV_MISSING", true),
    SAYS("a code of an error is no variable", "\"command\":\"x\"",
         "Error: ERR_SOME_THING is missing",
         "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", false),

    /* ---- programs ---- */
    SAYS("spawn of Node, its properties below", NODE, "Error: spawn ffmpeg ENOENT\n" FRAME
         "  errno: -2,\n  code: 'ENOENT',\n"
         "  syscall: 'spawn ffmpeg',\n  path: 'ffmpeg',\n  spawnargs: [ '-x' ]\n}",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("env", PY, "env: ‘ffmpeg’: No such file or directory", "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("timeout", PY, "timeout: failed to run command 'ffmpeg': No such file or directory",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("Perl", PY, "Can't exec \"ffmpeg\": No such file or directory",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("Ruby", PY, "in `popen': No such file or directory - ffmpeg (Errno::ENOENT)",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("Java", PY, "java.io.IOException: Cannot run program \"ffmpeg\": error=2, No such file "
         "or directory\n\tat x",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("zsh", PY, "zsh:1: command not found: ffmpeg", "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("GitPython", PY, "ImportError: Bad git executable.\nThe git executable must be "
         "specified:\n    - be set via "
         "$GIT_PYTHON_GIT_EXECUTABLE\nExample:\n    export GIT_PYTHON_REFRESH=quiet",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("a browser", NODE, "Error: browserType.launch: Executable doesn't exist at "
         "/root/.cache/ms-playwright/x",
         "MCPX_STDIO_TOOL_MISSING", true),
    SAYS("an older Node", NODE, "npm warn EBADENGINE   required: { node: '>=22' },\nSyntaxError: "
         "Unexpected identifier",
         "MCPX_STDIO_TOOL_MISSING", true),
    BOXED("an older Node in the image", NODE, "npm warn EBADENGINE   required: { node: '>=22' "
         "},\nSyntaxError: Unexpected",
          "MCPX_STDIO_TOOL_MISSING", "image node:20 → node:22", true),

    /* ---- modules, libraries, files ---- */
    SAYS("Perl's module", PY, "Can't locate No/Such.pm in @INC (you may need to install it) at "
         "-e line 1.\nBEGIN failed--"
         "compilation aborted at -e line 1.", "MCPX_STDIO_MODULE_MISSING", false),
    SAYS("Java's class", PY, "Error: Could not find or load main class no.such.Main\nCaused by: "
         "java.lang.ClassNotFoundException: no.such.Main", "MCPX_STDIO_MODULE_MISSING", false),
    SAYS("Java's archive", "\"command\":\"java\",\"args\":[\"-jar\",\"/srv/x.jar\"]",
         "Error: Unable to access jarfile "
         "/srv/x.jar", "MCPX_STDIO_FILE_MISSING", false),
    SAYS("uv's script", "\"command\":\"uv\",\"args\":[\"run\",\"/srv/x.py\"]",
         "error: Failed to spawn: `/srv/x.py`\n"
         "  Caused by: No such file or directory (os error 2)", "MCPX_STDIO_FILE_MISSING", false),
    SAYS("started beside its project", NODE, "npm error code ENOENT\nnpm error enoent Could not "
         "read package.json: Error: "
         "ENOENT: no such file or directory, open '/home/x/package.json'",
         "MCPX_STDIO_FILE_MISSING", true),
    SAYS("a library that Node opens", NODE, "Error: libX11.so.6: cannot open shared object file: "
         "No such file or "
         "directory\n" FRAME, "MCPX_STDIO_LIBRARY_MISSING", false),
    SAYS("a library that Python opens", PY, "Traceback (most recent call last):\nImportError: "
         "libGL.so.1: cannot open "
         "shared object file: No such file or directory", "MCPX_STDIO_LIBRARY_MISSING", false),
    SAYS("a library on musl", PY, "Error loading shared library libstdc++.so.6: No such file or "
         "directory (needed by /x)",
         "MCPX_STDIO_LIBRARY_MISSING", false),
    SAYS("an addon of another Node", NODE, "was compiled against a different Node.js version "
         "using\nNODE_MODULE_VERSION 115",
         "MCPX_STDIO_MODULE_MISSING", true),
    { .name = "a dependency that nobody names", .config = HOST, .server = UVX, .code = 1, .guess
         = true,
      .err = "Traceback (most recent call last):\nModuleNotFoundError: No module named "
         "'pkg_resources'",
      .want = "MCPX_STDIO_DEPENDENCY_BROKEN",
      .fix = "args + --with setuptools<81 (the package that it does not name)" },
    SAYS("another library than MCP's broke", UVX, "Traceback (most recent call "
         "last):\nImportError: cannot import name "
         "'A' from 'httpx' (/x/httpx/__init__.py)", "MCPX_STDIO_DEPENDENCY_BROKEN", true),

    /* ---- networks, certificates ---- */
    SAYS("Go's resolver", PY, "Get \"https://x/\": dial tcp: lookup x on 127.0.0.53:53: no such "
         "host",
         "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("Go's timeout", PY, "Get \"https://x/\": dial tcp 10.9.9.9:443: i/o timeout",
         "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("Java's resolver", PY, "Exception in thread \"main\" java.net.UnknownHostException: "
         "x\n\tat java.base",
         "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("curl", PY, "curl: (7) Failed to connect to x port 443 after 2 ms: Couldn't connect to "
         "server",
         "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("httpx", PY, "httpx.ConnectError: All connection attempts failed",
         "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("musl", PY, "connect: Network unreachable (os error 101)", "MCPX_STDIO_NETWORK_FAILED",
         true),
    SAYS("Node's fetch", NODE, "TypeError: fetch failed\n" FRAME
         "  [cause]: Error: read ECONNRESET\n    errno: -104,\n"
         "    code: 'ECONNRESET',", "MCPX_STDIO_NETWORK_FAILED", true),
    BOXED("pip, where nobody can answer", PY NO_NETWORK,
         "ERROR: Could not find a version that satisfies the requirement "
          "x (from versions: none)\nERROR: No matching distribution found for x",
          "MCPX_DOCKER_NETWORK_BLOCKED", TO_BRIDGE,
          false),
    BOXED("Go without a resolver", PY NO_NETWORK, "dial tcp: lookup x on [::1]:53: read udp "
         "[::1]:4->[::1]:53: read: "
          "connection refused", "MCPX_DOCKER_NETWORK_BLOCKED", TO_BRIDGE, false),
    BOXED("an address without a network", PY NO_NETWORK,
         "OSError: [Errno 99] Cannot assign requested address",
          "MCPX_DOCKER_NETWORK_BLOCKED", TO_BRIDGE, false),
    BOXED("localhost, in a container without a network", PY NO_NETWORK,
         "redis: connect ECONNREFUSED 127.0.0.1:6379",
          "MCPX_DOCKER_NETWORK_BLOCKED", "Weakens isolation: network_mode none → host", true),
    BOXED("localhost where ::1 is missing", PY ",\"env\":{}",
          "redis at localhost:6379: OSError: [Errno 99] Cannot assign requested address",
          "MCPX_DOCKER_NETWORK_BLOCKED", "Weakens isolation: network_mode bridge → host", true),
    SAYS("a socket of Python that waits in vain", PY, "    raise exceptions[0]\nTimeoutError: timed "
         "out", "MCPX_STDIO_NETWORK_FAILED", true),
    SAYS("an address to listen on", PY, "OSError: [Errno 99] Cannot assign requested address",
         "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", false),
    BOXED("Java's certificates", PY, "PKIX path building failed: unable to find valid "
         "certification path to requested "
          "target", "MCPX_DOCKER_CUSTOM_CA", BUNDLE, true),
    BOXED("git's certificates", PY, "fatal: unable to access 'https://x/': server certificate "
         "verification failed. CAfile: "
          "none", "MCPX_DOCKER_CUSTOM_CA", BUNDLE, true),
    BOXED("a certificate that is too old", PY, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate "
         "verify failed: certificate has "
          "expired", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", NULL, false),
    BOXED("a certificate of somebody else", PY, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate "
         "verify failed: Hostname "
          "mismatch, certificate is not valid for 'x'", "MCPX_STDIO_EXIT_BEFORE_INITIALIZE",
          NULL, false),

    /* ---- what the plan denies ---- */
    BOXED("a path in env", NODE ",\"env\":{\"CREDS\":\"/home/u/docs\"}",
         "Error: ENOENT: no such file or directory, open "
          "'/home/u/docs'\n" FRAME "  code: 'ENOENT',\n  syscall: 'open',\n  path: "
          "'/home/u/docs'\n}",
          "MCPX_DOCKER_PATH_NOT_MOUNTED", MOUNTED, false),
    BOXED("a path in env, not named", NODE ",\"env\":{\"CREDS\":\"/home/u/docs\"}",
         "Error: Os { code: 2, kind: NotFound, "
          "message: \"No such file or directory\" }", "MCPX_DOCKER_PATH_NOT_MOUNTED", MOUNTED,
          true),
    BOXED("a path in a script", "\"command\":\"sh\",\"args\":[\"-c\",\"cat /home/u/docs\"]",
          "cat: can't open '/home/u/docs': No such file or directory",
          "MCPX_DOCKER_PATH_NOT_MOUNTED", MOUNTED, false),
    BOXED("a path in a URL", "\"command\":\"uvx\",\"args\":[\"x\",\"sqlite:////home/u/docs\"]",
          "OperationalError: unable to open database file", "MCPX_DOCKER_PATH_NOT_MOUNTED",
          MOUNTED, true),
    BOXED("a path of Java", PY, "java.nio.file.NoSuchFileException: /home/u/docs\n\tat x",
         "MCPX_DOCKER_PATH_NOT_MOUNTED",
          MOUNTED, false),
    BOXED("spawn of docker by Node", NODE, "Error: spawn docker ENOENT\n  code: 'ENOENT',\n  "
         "syscall: 'spawn docker',",
          "MCPX_DOCKER_IN_DOCKER", TO_HOST, true),
    BOXED("docker's SDK for Python", PY, "docker.errors.DockerException: Error while fetching "
         "server API version: "
          "('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))",
          "MCPX_DOCKER_IN_DOCKER", TO_HOST,
          true),
    BOXED("Node's Testcontainers", NODE, "Error: Could not find a working container runtime "
         "strategy\n" FRAME,
          "MCPX_DOCKER_IN_DOCKER", TO_HOST, true),
    BOXED("a virtual environment of the host",
         "\"command\":\"/home/u/v/bin/python\",\"args\":[\"-m\",\"x\"]",
          "/usr/bin/python: No module named x", "MCPX_STDIO_MODULE_MISSING", TO_HOST, false),
    BOXED("Go's memory", PY, "fatal error: runtime: out of memory\n\ngoroutine 1 "
         "[running]:\nmain.main()\n\t/x/main.go:12 "
          "+0x1d", "MCPX_DOCKER_OOM_KILLED", "memory_limit 512m → 1g", true),
    BOXED("Java's memory", PY, "Exception in thread \"main\" java.lang.OutOfMemoryError: Java "
         "heap space",
          "MCPX_DOCKER_OOM_KILLED", "memory_limit 512m → 1g", true),
    BOXED("Java's threads", PY ",\"isolation\":{\"pids_limit\":20}",
         "java.lang.OutOfMemoryError: unable to create native "
          "thread: possibly out of memory or process/resource limits reached",
          "MCPX_DOCKER_PIDS_EXHAUSTED",
          "pids_limit 20 → 40", false),
    BOXED("spawn of Node without room", NODE ",\"isolation\":{\"pids_limit\":20}",
         "Error: spawn sleep EAGAIN\n  code: "
          "'EAGAIN',\n  syscall: 'spawn sleep',", "MCPX_DOCKER_PIDS_EXHAUSTED",
          "pids_limit 20 → 40", false),
    { .name = "strict: a directory, as Node tells it", .config = STRICT, .server = NODE, .code =
         1, .guess = true,
      .err = "Error: ENOENT: no such file or directory, mkdir '/app/cache'\n  errno: -2,",
      .want = "MCPX_DOCKER_ROOT_READ_ONLY",
      .fix = "/app/cache in memory: what it writes there is gone when it ends" },
    BOXED("npm, after it was cut off", "\"command\":\"npx\",\"args\":[\"-y\",\"x\"]",
          "npm error Invalid Version: \nnpm error A complete log of this run can be found in: /x",
          "MCPX_STDIO_DEPENDENCY_BROKEN", NULL, true),
    { .name = "the cache it is kept in", .config = DOCKER, .server = NPX_AND_A_VOLUME("true"),
      .code = 1, .guess = true, .err = "npm error Invalid Version: ",
      .want = "MCPX_STDIO_DEPENDENCY_BROKEN", .says = "docker volume rm mcpproxy-npm-cache-s &&" },
    { .name = "the user's volumes are no cache", .config = DOCKER, .server = NPX_AND_A_VOLUME("false"),
      .code = 1, .guess = true, .err = "npm error Invalid Version: ",
      .want = "MCPX_STDIO_DEPENDENCY_BROKEN", .says = "anew: mcptop restart s" },
    SAYS("a disk that a quota fills", PY, "OSError: [Errno 122] Disk quota exceeded: '/x'",
         "MCPX_DISK_FULL", false),
    SAYS("too many watches are no full disk", NODE, "Error: ENOSPC: System limit for number of "
         "file watchers reached",
         "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", false),

    /* ---- frightening, and harmless: it runs ---- */
    LIVES("a socket that is spoken of", PY, "info: /var/run/docker.sock is not mounted, "
         "container tools are off"),
    LIVES("another port taken", NODE, "Error: listen EADDRINUSE: address already in use :::3000, "
         "trying 3001"),
    LIVES("a cache that is smaller", PY, "warning: Cannot allocate memory for the cache, going "
         "on without"),
    LIVES("a pipe that is empty", PY, "BlockingIOError: [Errno 11] Resource temporarily "
         "unavailable"),
    LIVES("nobody at localhost", PY NO_NETWORK, "warn: redis: connection refused, no cache"),
    LIVES("words alone", PY, "ERROR killed ENOENT: not found, fatal: no such file, permission "
         "denied, timeout"),
    { .name = "docker, in a tool call", .config = DOCKER, .server = NODE, .running = true,
      .ready = true, .err = "Error: spawn docker ENOENT", .want = "MCPX_DOCKER_IN_DOCKER",
      .fix = TO_HOST, .guess = true },
    { .name = "a path of the host, in a tool call", .config = DOCKER, .server = NODE,
      .running = true, .ready = true, .want = "MCPX_DOCKER_PATH_NOT_MOUNTED", .fix = MOUNTED,
      .err = "Error: ENOENT: no such file or directory, open '/home/u/docs'" },
    { .name = "a write to what is mounted read-only, in a tool call", .config = DOCKER,
      .server = NODE ",\"isolation\":{\"volumes\":[\"/home/u/docs:/docs:ro\"]}", .running = true,
      .ready = true, .want = "MCPX_DOCKER_PATH_READ_ONLY",
      .err = "Error: EROFS: read-only file system, open '/docs/x'",
      .fix = "Weakens isolation: mount /home/u/docs:/docs" },
    { .name = "what it lost long ago is not why it ended", .config = DOCKER, .server = PY, .code
         = 3, .ready = true,
      .ever_ready = true, .want = "MCPX_STDIO_EXIT_NONZERO",
      .err = "connect ECONNREFUSED "
         "10.0.0.7:80\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n21\n"
             "22\n23\n24\n25\n26\n27\n28\n29\nbye" },
};

int main(void)
{
    tap_deadline(30);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        scenario_run(&scenarios[i]);
    return done_testing();
}
