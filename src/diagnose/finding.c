/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kinds of findings, and findings as values. What leads to one stands in causes.c, words.c and
 * standing.c. */
#include "diagnose/finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"

#define E SEVERITY_ERROR
#define W SEVERITY_WARNING

static const struct finding_type types[FIND_KINDS] = {
    [FIND_SPAWN_ENOENT] = { "MCPX_STDIO_SPAWN_ENOENT", E,
        "The command is not on this machine, or the interpreter its first line names is not.",
        "Install it, or write its full path as `command`." },
    [FIND_SPAWN_EACCES] = { "MCPX_STDIO_SPAWN_EACCES", E,
        "The command exists but this user may not execute it.",
        "`chmod +x` it, or move it off a file system that is mounted noexec." },
    [FIND_SPAWN_EXEC_FORMAT] = { "MCPX_STDIO_SPAWN_EXEC_FORMAT", E,
        "The command is a program of another architecture, or a script without a `#!` line.",
        "Install the one for this machine, or name its interpreter as the command." },
    [FIND_SPAWN_WORKDIR] = { "MCPX_STDIO_SPAWN_WORKDIR", E,
        "`working_dir` cannot be entered.",
        "Make the directory, or correct `working_dir`." },
    [FIND_SPAWN_FAILED] = { "MCPX_STDIO_SPAWN_FAILED", E,
        "The system refused to start a process.",
        "The error says which resource is short: processes, memory, descriptors." },
    [FIND_EXIT_BEFORE_INITIALIZE] = { "MCPX_STDIO_EXIT_BEFORE_INITIALIZE", E,
        "The server ended before it answered `initialize`; what it said last is shown.",
        "Its own words are the lead; `mcptop test NAME` and `mcptop command NAME` run it apart." },
    [FIND_EXIT_NONZERO] = { "MCPX_STDIO_EXIT_NONZERO", E,
        "The server was ready and then ended by itself with an error.",
        "Its last lines say why; `mcptop logs NAME` has the rest." },
    [FIND_KILLED] = { "MCPX_STDIO_KILLED", E,
        "A signal ended the server, and it was not mcptop that sent it.",
        "One sent through the engine (`docker kill`) is told as such. Another SIGKILL is "
        "somebody's `kill -9` or the machine's own OOM killer: `dmesg` tells." },
    [FIND_CRASH_LOOP] = { "MCPX_STDIO_CRASH_LOOP", E,
        "The server becomes ready and ends again, over and over.",
        "Look at what it did last before each end; stop it while you repair it." },
    [FIND_START_SLOW] = { "MCPX_STDIO_START_SLOW", W,
        "The server runs and has not answered `initialize` yet, for longer than most need.",
        "Its last lines show what it does meanwhile; `npx` and `uvx` may wait for a package index "
        "that is out of reach." },
    [FIND_HANDSHAKE_TIMEOUT] = { "MCPX_STDIO_HANDSHAKE_TIMEOUT", E,
        "The server runs but did not answer `initialize` in time.",
        "If it installs something first give it more time (`init_timeout`); else it is no stdio "
        "MCP server, or waits for something." },
    [FIND_HANDSHAKE_INVALID] = { "MCPX_STDIO_HANDSHAKE_INVALID", E,
        "What the server wrote to stdout is no MCP, so `initialize` had no valid answer.",
        "Logs belong on stderr. Start it in its stdio mode, or silence what prints to stdout." },
    [FIND_STDOUT_NOISE] = { "MCPX_STDIO_STDOUT_NOISE", W,
        "The server writes lines to stdout that are no MCP; other clients may fail on them.",
        "Have it log to stderr; mcptop keeps these lines in its log and passes none on." },
    [FIND_SILENT] = { "MCPX_STDIO_SILENT", W,
        "The process runs but does not answer pings.",
        "It may be busy with one long call; if it stays so it is restarted." },
    [FIND_DEPENDENCY_BROKEN] = { "MCPX_STDIO_DEPENDENCY_BROKEN", E,
        "A package that the server builds on changed under it, and its newest version does not "
        "fit.",
        "Pin the version that worked: `uvx --with 'mcp<2' …`, `npx pkg@1.2.3`." },
    [FIND_PACKAGE_NOT_FOUND] = { "MCPX_STDIO_PACKAGE_NOT_FOUND", E,
        "The package index has no package of this name.",
        "Correct the name in `args`." },
    [FIND_TOOL_MISSING] = { "MCPX_STDIO_TOOL_MISSING", E,
        "The server needs another program that is not there.",
        "Choose an image that has it (`isolation.image`), or install it on the host." },
    [FIND_ENV_MISSING] = { "MCPX_STDIO_ENV_MISSING", E,
        "The server asks for a key or token that its `env` does not give, or gives empty.",
        "Put it into the server's `env`, best as `${env:NAME}`." },
    [FIND_MODULE_MISSING] = { "MCPX_STDIO_MODULE_MISSING", E,
        "The interpreter does not find a module that it is to run or to load.",
        "Install it for that interpreter, or name the one that has it (a virtual environment's "
        "`bin/python`) as the command." },
    [FIND_FILE_MISSING] = { "MCPX_STDIO_FILE_MISSING", E,
        "A file or directory that the arguments name does not exist.",
        "Correct the path in `args`; a relative one begins at `working_dir`, and no shell expands "
        "`~` or `$HOME`." },
    [FIND_LIBRARY_MISSING] = { "MCPX_STDIO_LIBRARY_MISSING", E,
        "The program needs a shared library that is missing, or older than it was built for.",
        "Install the library, or choose an image that has it (`isolation.image`)." },
    [FIND_ACCESS_DENIED] = { "MCPX_STDIO_ACCESS_DENIED", E,
        "The system does not let the server use a file or a right that it asks for.",
        "Give this user the right to it, or point the server to a place of its own." },
    [FIND_NETWORK_FAILED] = { "MCPX_STDIO_NETWORK_FAILED", E,
        "The server, on the host, does not get through to what it needs on the network.",
        "Check the machine's network, DNS and proxy variables; or start what it looks for on "
        "this machine." },
    [FIND_PORT_IN_USE] = { "MCPX_STDIO_PORT_IN_USE", E,
        "The server wants to listen on a port that somebody else has.",
        "Stop the other one, or give the server another port." },
    [FIND_DISK_FULL] = { "MCPX_DISK_FULL", E,
        "No space is left on the device the server or the engine writes to.",
        "Free some: `docker system df` shows what images and volumes take." },
    [FIND_DAEMON_DOWN] = { "MCPX_DOCKER_DAEMON_DOWN", E,
        "No container engine answers, and the server is isolated.",
        "Start Docker (or Colima, Podman …); isolated servers come back by themselves. Or run a "
        "server on the host meanwhile, which weakens its isolation." },
    [FIND_NO_PERMISSION] = { "MCPX_DOCKER_NO_PERMISSION", E,
        "The engine's socket does not admit this user.",
        "`sudo usermod -aG docker \"$USER\"`, then log in again." },
    [FIND_SNAP_APPARMOR] = { "MCPX_DOCKER_SNAP_APPARMOR", E,
        "Docker comes from a snap, whose confinement refuses what was asked of it; or an AppArmor "
        "profile does.",
        "Mount only directories below $HOME, or install Docker from its own packages." },
    [FIND_CONTEXT_CHANGED] = { "MCPX_DOCKER_CONTEXT_CHANGED", W,
        "The docker context is another one than when the supervisor started, which stays with its "
        "engine.",
        "`mcptop shutdown`, then start it again; or change the context back." },
    [FIND_CLI_NOT_FOUND] = { "MCPX_DOCKER_CLI_NOT_FOUND", E,
        "The command is a container client that is not installed.",
        "Install it; isolation by mcptop itself needs no client, only the engine." },
    [FIND_IMAGE_NOT_FOUND] = { "MCPX_DOCKER_IMAGE_NOT_FOUND", E,
        "The registry has no such image or tag.",
        "Correct `isolation.image` or `default_images`, or use the default image." },
    [FIND_REGISTRY_DENIED] = { "MCPX_DOCKER_REGISTRY_DENIED", E,
        "The registry wants a login, or refuses this one.",
        "`docker login REGISTRY`, then restart the server." },
    [FIND_REGISTRY_UNREACHABLE] = { "MCPX_DOCKER_REGISTRY_UNREACHABLE", E,
        "The engine does not reach the registry.",
        "Check the network and proxy of the engine's machine; an image that is there needs no "
        "pull." },
    [FIND_RATE_LIMIT] = { "MCPX_DOCKER_RATE_LIMIT", E,
        "The registry answers no more pulls for now: too many came from this account or address.",
        "`docker login REGISTRY`, so that they count as yours; or wait, hours at Docker Hub; or an "
        "image that is here (`isolation.image`)." },
    [FIND_IMAGE_ARCHITECTURE] = { "MCPX_DOCKER_IMAGE_ARCHITECTURE", E,
        "The image is made for another processor than the engine's machine has.",
        "Choose an image for this architecture." },
    [FIND_IMAGE_PULL_FAILED] = { "MCPX_DOCKER_IMAGE_PULL_FAILED", E,
        "The pull of the image failed for another reason, which the engine tells.",
        "`docker pull IMAGE` by hand shows it too." },
    [FIND_EXEC_NOT_FOUND] = { "MCPX_DOCKER_EXEC_NOT_FOUND", E,
        "The image does not contain the command.",
        "Choose an image that has it (`isolation.image`), or mount the program." },
    [FIND_OCI_RUNTIME] = { "MCPX_DOCKER_OCI_RUNTIME", E,
        "The engine could not create or start the container.",
        "Its reply names what it did not like: a mount, a device, a limit, a network." },
    [FIND_ENGINE_TIMEOUT] = { "MCPX_DOCKER_ENGINE_TIMEOUT", E,
        "The engine takes requests, but did not answer one that the server's start needs in time.",
        "See whether `docker ps` answers and restart the engine; if it is only slow give it more "
        "time (`isolation.timeout`)." },
    [FIND_DOCKER_IN_DOCKER] = { "MCPX_DOCKER_IN_DOCKER", E,
        "The server starts containers itself, and in a container there is no engine for it.",
        "Run it on the host: `isolation.enabled: false`." },
    [FIND_DOCKER_TTY] = { "MCPX_DOCKER_TTY", E,
        "Its `docker run` asks for a terminal (`-t`), and MCP has none.",
        "`-i` alone instead of `-it`." },
    [FIND_PATH_NOT_MOUNTED] = { "MCPX_DOCKER_PATH_NOT_MOUNTED", E,
        "An argument is a file or directory of the host that the container does not have.",
        "Mount it, read-only first (`isolation.volumes`), or run the server on the host." },
    [FIND_PATH_OWN] = { "MCPX_DOCKER_PATH_OWN", W,
        "An argument is a file or directory of the host that is not mounted, and the server runs: "
        "with one of its own, which is lost when the container ends.",
        "Mount it, read-only first (`isolation.volumes`), or run the server on the host." },
    [FIND_PATH_READ_ONLY] = { "MCPX_DOCKER_PATH_READ_ONLY", E,
        "The server writes to a path that is mounted read-only.",
        "Mount it writable: the same volume without `:ro`." },
    [FIND_ROOT_READ_ONLY] = { "MCPX_DOCKER_ROOT_READ_ONLY", E,
        "The server writes into its image, whose root is read-only: `hardening` is `strict`, or "
        "`--read-only` is set.",
        "A directory in memory (`--tmpfs`) or a volume for what it writes; or "
        "`isolation.hardening: standard`." },
    [FIND_USER_DENIED] = { "MCPX_DOCKER_USER_DENIED", E,
        "The server's user in the container (`hardening: strict` takes one without rights) may not "
        "use a directory that is mounted for it.",
        "Run it as the directory's owner (`--user` in `isolation.extra_args`), open the directory, "
        "or `isolation.hardening: standard`." },
    [FIND_WORKING_DIR] = { "MCPX_DOCKER_WORKING_DIR", E,
        "`working_dir` is a directory of the host that the container does not have.",
        "Mount it and set `isolation.working_dir`." },
    [FIND_NETWORK_BLOCKED] = { "MCPX_DOCKER_NETWORK_BLOCKED", E,
        "The server needs a network, and its container has none or does not get through.",
        "`isolation.network_mode: bridge`; `host` is the last resort." },
    [FIND_CUSTOM_CA] = { "MCPX_DOCKER_CUSTOM_CA", E,
        "Certificates are not accepted: something between here and there uses a CA of its own, "
        "as companies' TLS proxies do.",
        "Mount the host's CA bundle and set the variables that point to it." },
    [FIND_OOM_KILLED] = { "MCPX_DOCKER_OOM_KILLED", E,
        "The server wanted more memory than its limit and was killed for it.",
        "Raise `memory_limit`: a server that runs is changed, one that failed is started with "
        "it." },
    [FIND_MEMORY_TIGHT] = { "MCPX_DOCKER_MEMORY_TIGHT", W,
        "The server has used nine tenths of its memory limit or more, or a process in it was "
        "killed for memory.",
        "Raise `memory_limit` before it is killed." },
    [FIND_CPU_THROTTLED] = { "MCPX_DOCKER_CPU_THROTTLED", W,
        "The CPU limit slows the server down most of the time.",
        "Raise `cpu_limit`; it is changed while the server runs." },
    [FIND_PIDS_EXHAUSTED] = { "MCPX_DOCKER_PIDS_EXHAUSTED", W,
        "The server has as many processes and threads as its limit allows, or nearly.",
        "Raise the limit, or look for what it leaves behind." },
    [FIND_ISOLATION_WEAK] = { "MCPX_ISOLATION_WEAK", W,
        "The container has the host's network, its whole file system or the engine's socket: "
        "it isolates little.",
        "Take away what makes it so, or call it what it is: `isolation.enabled: false`." },
    [FIND_ISOLATION_IGNORED] = { "MCPX_ISOLATION_IGNORED", W,
        "The server's own `isolation.enabled` is ignored, because another key decides.",
        "Say it with `isolation.mode`." },
    [FIND_TOOL_CHANGED] = { "MCPX_TOOL_CHANGED", W,
        "The definition of a tool is not the one that was first seen or approved, or a tool came "
        "later.",
        "`mcptop tools --changes NAME` shows what; `mcptop approve NAME` accepts it. With "
        "`on_tool_change: hold` clients do not get it before." },
    [FIND_ENV_UNSET] = { "MCPX_CONFIG_ENV_UNSET", E,
        "A `${env:NAME}` of the server names a variable that is not set.",
        "Set it where the supervisor is started, and restart the supervisor." },
    [FIND_UNSUPPORTED] = { "MCPX_CONFIG_UNSUPPORTED", W,
        "The server is of a kind that this version does not run.",
        "It is shown and left alone." },
    [FIND_CONFIG_REFUSED] = { "MCPX_CONFIG_REFUSED", E,
        "A key of the server cannot be what it says, so the server is not started.",
        "The line and the key are named; correct them." },
    [FIND_CONFIG_ERROR] = { "MCPX_CONFIG_ERROR", E,
        "The configuration has an error; what was read before stays in force.",
        "The line and the key are named; correct them, it is read again at once." },
    [FIND_CONFIG_MISSING] = { "MCPX_CONFIG_MISSING", W,
        "There is no configuration yet, or it was removed while its servers run.",
        "`mcptop import CLIENT` makes it from the servers of a client, or write the file that is "
        "named, or put it back; it is read at once." },
    [FIND_DUPLICATE_NAME] = { "MCPX_CONFIG_DUPLICATE_NAME", E,
        "Two servers have the same name.",
        "Rename one." },
    [FIND_LISTEN_IN_USE] = { "MCPX_LISTEN_IN_USE", W,
        "The address for TCP clients is taken by another program.",
        "Stop that, or choose another with the key `listen` or with `--listen`; the socket works "
        "meanwhile." },
    [FIND_OTHER_MCPPROXY] = { "MCPX_OTHER_MCPPROXY", W,
        "A running MCPProxy uses the same data directory; it erases keys it does not know when "
        "it saves.",
        "Stop it: one of the two should supervise." },
    [FIND_LOG_DISK] = { "MCPX_LOG_LOST", W,
        "Lines of a log could not be written to its file.",
        "Free space where the logs are, or move them with `--log-dir`." },
    [FIND_DUPLICATE] = { "MCPX_DUPLICATE_SERVER", W,
        "Another program, an AI client probably, runs the same server beside ours.",
        "Let that client use `mcptop stdio NAME`: one server for all." },
    [FIND_ORPHANS] = { "MCPX_ORPHANS", W,
        "Containers run that nobody uses any more: left behind by a client that died.",
        "`mcptop ps --orphans` lists them with the evidence; `d` in the view removes "
        "one." },
};

const struct finding_type *finding_type(enum finding_kind kind)
{
    return &types[kind];
}

const char *finding_severity_name(enum finding_severity s)
{
    return s == SEVERITY_ERROR ? "error" : "warning";
}

enum finding_severity finding_severity(const struct finding *f)
{
    return f->expected ? SEVERITY_WARNING : types[f->kind].severity;
}

__attribute__((format(printf, 1, 0)))
static char *format(const char *fmt, va_list ap)
{
    struct buf b = BUF_INIT;
    buf_vprintf(&b, fmt, ap);
    return buf_take(&b);
}

struct finding *findings_add(struct findings *fs, enum finding_kind kind, const char *server,
                             const char *fmt, ...)
{
    if (fs->n == fs->cap) {
        fs->cap = fs->cap ? 2 * fs->cap : 2;
        fs->v = xrealloc(fs->v, fs->cap * sizeof *fs->v);
    }
    struct finding *f = &fs->v[fs->n++];
    va_list ap;
    va_start(ap, fmt);
    *f = (struct finding){ .kind = kind, .server = xstrdup(server), .sentence = format(fmt, ap) };
    va_end(ap);
    return f;
}

static void fix_fini(struct fix *x)
{
    char *all[] = { x->title, x->isolation, x->memory, x->cpus, x->pids, x->network };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free(all[i]);
    for (size_t i = 0; i < x->key_count; i++) {
        free((char *)(uintptr_t)x->keys[i].path);
        free((char *)(uintptr_t)x->keys[i].json);
    }
}

static void finding_fini(struct finding *f)
{
    free(f->server);
    free(f->sentence);
    for (size_t i = 0; i < f->evidence_count; i++)
        free(f->evidence[i].text);
    for (size_t i = 0; i < f->fix_count; i++)
        fix_fini(&f->fixes[i]);
    strvec_fini(&f->steps);
    strvec_fini(&f->servers);
}

void findings_fini(struct findings *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        finding_fini(&fs->v[i]);
    free(fs->v);
    *fs = (struct findings){ 0 };
}

void finding_evidence(struct finding *f, const char *what, uint64_t seq, const char *fmt, ...)
{
    if (f->evidence_count == FINDING_EVIDENCE_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    f->evidence[f->evidence_count++] = (struct evidence){ what, format(fmt, ap), seq };
    va_end(ap);
}

void finding_step(struct finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strvec_give(&f->steps, format(fmt, ap));
    va_end(ap);
}

/* Few, and stable: by hand. */
void findings_sort(struct findings *fs)
{
    for (size_t i = 1; i < fs->n; i++)
        for (size_t k = i; k > 0 && finding_severity(&fs->v[k]) >
                 finding_severity(&fs->v[k - 1]); k--) {
            struct finding swap = fs->v[k];
            fs->v[k] = fs->v[k - 1];
            fs->v[k - 1] = swap;
        }
}

size_t findings_own(const struct findings *fs)
{
    size_t n = 0;
    for (size_t i = 0; i < fs->n; i++)
        n += !fs->v[i].of_engine;
    return n;
}

static const char *first_title(const struct finding *f)
{
    return f->fix_count ? f->fixes[0].title : NULL;
}

bool findings_same(const struct findings *a, const struct findings *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (first_title(&a->v[i]) != NULL && first_title(&b->v[i]) != NULL &&
            strcmp(first_title(&a->v[i]), first_title(&b->v[i])) != 0)
            return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].kind != b->v[i].kind || a->v[i].expected != b->v[i].expected ||
            strcmp(a->v[i].sentence, b->v[i].sentence) != 0 ||
            a->v[i].fix_count != b->v[i].fix_count)
            return false;
    return true;
}
