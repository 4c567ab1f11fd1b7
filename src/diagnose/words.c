/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server wrote to stderr before it ended, read only where no cause speaks: a table of rules,
 * the first that fits wins. Marked as a guess unless something that we know ourselves (a network
 * mode of none, an empty variable) says the same. Lines count, not servers: a pattern must be some
 * library's or shell's own wording. */
#include "diagnose/words_rules.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "isolation/runtime.h"
#include "supervisor/chatter.h"

/* What is read of a run: the latest lines, and of these as much as takes no time worth counting. */
enum { LINES_MAX = 100, LAST_LINES_MAX = 30, LINE_BYTES_MAX = 2000, READ_BYTES_MAX = 32 * 1024 };
enum { IN_CONTAINER = 1, ON_HOST = 2, ANYWHERE = 3 };

/* ---- lines ------------------------------------------------------------------------------- */

static bool clean_line(const struct ring_line *line, struct buf *out)
{
    buf_clear(out);
    text_clean_plain(out, line->text, line->len < LINE_BYTES_MAX ? line->len : LINE_BYTES_MAX);
    const char *text = buf_str(out);
    return text[strspn(text, " ")] != '\0';
}

/* Of a long life only its end tells why it ended. */
static uint64_t oldest(const struct symptoms *s)
{
    uint64_t max = s->end && s->was_ready ? LAST_LINES_MAX : LINES_MAX;
    uint64_t first = s->next_seq > max ? s->next_seq - max : 1;
    return s->first_seq > first ? s->first_seq : first;
}

static uint64_t find(const struct symptoms *s, enum ring_stream stream,
                     bool (*fits)(const char *line, const void *ctx), const void *ctx,
                     struct buf *ret_line)
{
    struct ring_line line;
    uint64_t first = oldest(s);
    for (uint64_t seq = s->next_seq; seq-- > first;) {
        if (ring_get(s->ring, seq, &line) < 0)
            break;
        if (line.stream == stream && clean_line(&line, ret_line) && fits(buf_str(ret_line), ctx))
            return seq;
    }
    buf_clear(ret_line);
    return 0;
}

static bool holds(const char *line, const void *needle)
{
    return strcasestr(line, needle) != NULL;
}

static bool tells(const char *line, const void *ctx)
{
    (void)ctx;
    return !chatter_is(line);
}

uint64_t words_find(const struct symptoms *s, enum ring_stream stream, const char *needle,
                    struct buf *ret_line)
{
    bool any_that_tells = !*needle && stream == RING_STDERR;
    return find(s, stream, any_that_tells ? tells : holds, needle, ret_line);
}

uint64_t words_find_if(const struct symptoms *s, bool (*fits)(const char *line, const void *ctx),
                       const void *ctx, struct buf *ret_line)
{
    return find(s, RING_STDERR, fits, ctx, ret_line);
}

/* Which lines those are, the latest first; how many. */
static int last_lines(const struct symptoms *s, int max, bool telling, uint64_t *ret_seqs)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct ring_line line;
    int n = 0;
    uint64_t first = oldest(s);
    for (uint64_t seq = s->next_seq; seq-- > first && n < max;) {
        if (ring_get(s->ring, seq, &line) < 0)
            break;
        if (line.stream == RING_STDERR && clean_line(&line, &text) &&
            !(telling && chatter_is(buf_str(&text))))
            ret_seqs[n++] = seq;
    }
    return n;
}

void words_last(const struct symptoms *s, struct finding *f, int lines)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct ring_line line;
    uint64_t seqs[FINDING_EVIDENCE_MAX];
    int max = lines < FINDING_EVIDENCE_MAX ? lines : FINDING_EVIDENCE_MAX;
    int n = last_lines(s, max, true, seqs);
    if (!n)
        n = last_lines(s, max, false, seqs);
    while (n-- > 0) {
        if (f->evidence_count && f->evidence[0].seq == seqs[n])
            continue;
        ring_get(s->ring, seqs[n], &line);
        clean_line(&line, &text);
        finding_evidence(f, "stderr", seqs[n], "%s", buf_str(&text));
    }
}

/* The last lines of stderr, the latest first; lower: the same without capitals, to look into. */
struct said {
    struct strvec lines, lower;
    uint64_t seqs[LINES_MAX];
};

static void read_said(const struct symptoms *s, struct said *said)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct ring_line line;
    size_t bytes = 0;
    uint64_t first = oldest(s);
    for (uint64_t seq = s->next_seq; seq-- > first && bytes < READ_BYTES_MAX;) {
        if (ring_get(s->ring, seq, &line) < 0)
            break;
        if (line.stream != RING_STDERR || !clean_line(&line, &text))
            continue;
        said->seqs[said->lines.n] = seq;
        strvec_add(&said->lines, buf_str(&text));
        for (char *c = text.data; *c; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        strvec_add(&said->lower, buf_str(&text));
        bytes += text.len;
    }
}

static void said_fini(struct said *said)
{
    strvec_fini(&said->lines);
    strvec_fini(&said->lower);
}

/* Both in lower case. */
static bool has_one_of(const char *line, const char *const *words)
{
    for (; *words; words++)
        if (strstr(line, *words))
            return true;
    return false;
}

/* ---- what a rule makes of its line ------------------------------------------------------- */

struct finding *words_told(const struct match *m, enum finding_kind kind, bool guess,
                           const char *fmt, ...)
{
    AUTO_BUF struct buf sentence = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&sentence, fmt, ap);
    va_end(ap);
    struct finding *f = findings_add(m->fs, kind, m->s->name, "%s", buf_str(&sentence));
    f->guess = guess;
    finding_evidence(f, "stderr", m->seq, "%s", m->line);
    return f;
}

bool words_boxed(const struct match *m)
{
    return m->s->plan->mode == PLAN_DOCKER;
}

bool words_have(const char *line, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(line, *words))
            return true;
    return false;
}

bool words_anywhere(const struct match *m, const char *word)
{
    for (size_t i = 0; i < m->lines->n; i++)
        if (strcasestr(m->lines->v[i], word))
            return true;
    return false;
}

char *words_before(const char *line, const char *end)
{
    while (end > line && strchr(" :'\"`", end[-1]))
        end--;
    const char *begin = end;
    while (begin > line && !strchr(" :'\"`/", begin[-1]))
        begin--;
    return xstrndup(begin, (size_t)(end - begin));
}

/* What it begins with may be quotes, in UTF-8 too. A path comes whole. */
char *words_after(const char *p)
{
    while (*p && !isalnum((unsigned char)*p) && *p != '/')
        p++;
    size_t n = 0;
    while (p[n] && (isalnum((unsigned char)p[n]) || strchr("._+-/", p[n])))
        n++;
    return xstrndup(p, n);
}

char *words_piece(const char *line, const char *words)
{
    const char *p = strcasestr(line, words);
    if (!p)
        return NULL;
    p += strlen(words);
    char quote = *p == '\'' || *p == '"' || *p == '`' ? *p++ : '\0';
    const char end[] = { quote ? quote : ' ', '\0' };
    return xstrndup(p, strcspn(p, end));
}

bool words_docker_in_docker(const struct match *m)
{
    /* A socket that is only spoken of is none that is missed. */
    static const char *const missed[] = { "connect", "enoent", "no such file", "denied",
                                          "eacces", "refused", NULL };
    if (strcasestr(m->line, "docker.sock") && !words_have(m->line, missed))
        return false;
    struct finding *f = words_told(m, FIND_DOCKER_IN_DOCKER, true,
                                   "it starts containers itself, and in its container there is no "
                                   "engine for that");
    finding_evidence(f, "plan", 0, "it runs in a container of %s", m->s->plan->image);
    fix_to_host(f, m->s);
    return true;
}

/* "-it", "-ti", "-t", "--tty" among the words of docker run → without the t; NULL: not there. */
static char *without_tty(const char *word)
{
    size_t n = strlen(word);
    if (strcmp(word, "--tty") == 0 || strcmp(word, "-t") == 0)
        return xstrdup("-i");
    if (n < 3 || word[0] != '-' || word[1] == '-' || strspn(word + 1, "itdP") != n - 1 ||
        !strchr(word, 't'))
        return NULL;
    struct buf b = BUF_INIT;
    for (const char *c = word; *c; c++)
        if (*c != 't')
            buf_add_char(&b, *c);
    return buf_take(&b);
}

static bool on_tty(const struct match *m)
{
    const struct strvec *args = &m->s->config->args;
    struct finding *f = words_told(m, FIND_DOCKER_TTY, false,
                                   "its docker run asks for a terminal (-t), and MCP has none");
    for (size_t i = 0; i < args->n; i++) {
        AUTO_FREE char *word = without_tty(args->v[i]);
        if (!word)
            continue;
        AUTO_STRVEC struct strvec to = { 0 };
        strvec_copy(&to, args);
        free(to.v[i]);
        to.v[i] = TAKE(word);
        AUTO_FREE char *title = xasprintf("args[%zu] %s → %s", i, args->v[i], to.v[i]);
        fix_args(f, m->s, &to, title);
        return true;
    }
    finding_step(f, "take -t (or --tty) out of its docker run");
    return true;
}

static bool on_client_engine_down(const struct match *m)
{
    if (!runtime_container_client(m->s->config->command, &m->s->config->args))
        return false;
    bool denied = strcasestr(m->line, "permission denied") != NULL;
    struct finding *f = words_told(m, denied ? FIND_NO_PERMISSION : FIND_DAEMON_DOWN, false, denied
                                   ? "its container client may not use the engine's socket"
                                   : "its container client finds no engine");
    finding_step(f, denied ? "sudo usermod -aG docker \"$USER\", then log in again"
                 : "start Docker");
    return true;
}

static bool on_client_image(const struct match *m)
{
    if (!runtime_container_client(m->s->config->command, &m->s->config->args))
        return false;
    bool denied = strcasestr(m->line, "unauthorized") != NULL ||
        strcasestr(m->line, "authentication required") != NULL;
    if (strcasestr(m->line, "toomanyrequests")) {
        struct finding *limit = words_told(m, FIND_RATE_LIMIT, false, "the registry of its image "
                                           "answers no more pulls for now");
        finding_step(limit, "docker login, so that pulls count as yours; or wait");
        return true;
    }
    struct finding *f = words_told(m, denied ? FIND_REGISTRY_DENIED : FIND_IMAGE_NOT_FOUND, false,
                                   denied ? "the registry wants a login for its image"
                                   : "its image is not there, and no registry has it");
    finding_step(f, denied ? "docker login" : "correct the image's name in args");
    return true;
}

/* A runtime that asks for no more than it may have is not killed: it gives up by itself. */
static bool on_no_memory(const struct match *m)
{
    static const char *const others[] = { "cuda", "native thread", NULL };
    bool lives = !m->s->end;
    if (!m->s->plan->memory_bytes || words_have(m->line, others) ||
        (lives && m->s->peak_bytes < m->s->plan->memory_bytes / 2))
        return false;
    struct finding *f = words_told(m, lives ? FIND_MEMORY_TIGHT : FIND_OOM_KILLED, true,
                                   "it ran out of memory, by its own account");
    fix_memory(f, m->s);
    return true;
}

/* A shell, or an init that falls back to one, was given a program of another machine to read. */
static bool on_foreign_program(const struct match *m)
{
    const struct symptoms *s = m->s;
    bool boxed = s->plan->mode == PLAN_DOCKER;
    char scratch[64];
    const char *program = s->plan->argv.n
        ? runtime_base_name(s->plan->argv.v[0], scratch, sizeof scratch) : "";
    struct finding *f = words_told(m, boxed ? FIND_IMAGE_ARCHITECTURE : FIND_SPAWN_EXEC_FORMAT,
                                   false,
                                   "what it runs is a program for another processor than this "
                                   "machine has");
    const char *standard = runtime_detect(s->config->command)->default_image;
    if (boxed && *program && strstr(m->line, program) && strcmp(s->plan->image, standard) != 0)
        fix_image(f, s, standard);
    finding_step(f, boxed ? "choose an image for this machine's architecture"
                 : "install the build for this machine");
    return true;
}

static bool on_disk_full(const struct match *m)
{
    if (strcasestr(m->line, "file watchers"))
        return false;                /* inotify's limit has the same errno */
    struct finding *f = words_told(m, FIND_DISK_FULL, false, "no space is left where it writes");
    finding_step(f, "free space: df -h, docker system df");
    return true;
}

/* It waits for clients at a port, and we at its stdout. */
static bool on_http(const struct match *m)
{
    if (m->s->trouble != TROUBLE_START_TIMEOUT)
        return false;
    struct finding *f = words_told(m, FIND_HANDSHAKE_TIMEOUT, true,
                                   "no answer to initialize: by its own words it serves HTTP, "
                                   "and not stdio");
    finding_evidence(f, "timeout", 0, "%s", m->s->reason);
    finding_step(f, "start it in its stdio mode: often --transport stdio, or without its --port "
                    "and --sse");
    return true;
}

static bool on_access(const struct match *m)
{
    bool boxed = m->s->plan->mode == PLAN_DOCKER;
    struct finding *f = words_told(m, FIND_ACCESS_DENIED, true, boxed
                                   ? "something that it asks for is denied in its container"
                                   : "something that it asks for is denied to it");
    if (boxed)
        finding_step(f, "is it a file? mount a place that it may write (isolation.volumes). Is it "
                        "a right? isolation.hardening and --user in extra_args decide");
    else
        finding_step(f, "it runs as you: give yourself the right, or point it to a place of its "
                        "own");
    return true;
}

static bool on_port(const struct match *m)
{
    if (!m->s->end)
        return false;                /* it goes on without, or takes another */
    struct finding *f = words_told(m, FIND_PORT_IN_USE, false,
                                   "it wants to listen on a port that somebody else has");
    finding_step(f, "stop the other one, or give the server another port; a stdio server needs "
                    "none");
    return true;
}

static bool on_pids(const struct match *m)
{
    int64_t limit = m->s->plan->pids_limit;
    if (!limit || (!m->s->end && m->s->pids_peak < limit / 2))
        return false;                /* EAGAIN has other causes, too */
    struct finding *f = words_told(m, FIND_PIDS_EXHAUSTED, false,
                                   "it may start no more processes or threads");
    finding_evidence(f, "plan", 0, "the limit is %lld", (long long)limit);
    fix_pids(f, m->s);
    return true;
}

/* ---- the table --------------------------------------------------------------------------- */

/* words: in lower case. */
struct rule {
    unsigned where;
    bool later;                  /* also of servers that were ready */
    bool (*make)(const struct match *m);
    const char *words[40];
};

static const struct rule rules[] = {
    { IN_CONTAINER, true, words_docker_in_docker,
      { "the input device is not a tty", "cannot connect to the docker daemon",
        "connect to the docker daemon", "docker.sock", "podman socket", "cannot connect to podman",
        "working container runtime", "valid docker environment", "fetching server api version" } },
    { IN_CONTAINER, true, tool_client, { "docker", "podman", "nerdctl" } },
    { ON_HOST, true, on_tty, { "the input device is not a tty" } },
    { ON_HOST, true, on_client_engine_down,
      { "cannot connect to the docker daemon", "is the docker daemon running",
        "permission denied while trying to connect to the docker" } },
    { ON_HOST, false, on_client_image,
      { "unable to find image", "pull access denied", "manifest unknown", "unauthorized",
        "toomanyrequests" } },
    { ANYWHERE, false, on_foreign_program,
      { "exec format error", "cannot execute binary file", "^?elf" } },
    { IN_CONTAINER, true, on_no_memory,
      { "javascript heap out of memory", "memoryerror", "cannot allocate memory", "out of memory",
        "outofmemoryerror", "bad_alloc", "memory allocation of" } },
    { ANYWHERE, true, on_disk_full,
      { "no space left on device", "enospc", "disk is full", "disk quota exceeded", "edquot" } },
    { ANYWHERE, true, network_certificate,
      { "certificate_verify_failed", "self_signed_cert_in_chain", "self-signed certificate",
        "self signed certificate", "unable to get local issuer certificate",
        "unable_to_verify_leaf_signature", "unable_to_get_issuer_cert",
        "invalid peer certificate", "unknownissuer", "certificate signed by unknown authority",
        "certificate verify failed", "unable to get issuer certificate",
        "certificate verification failed", "unable to verify the first certificate",
        "valid certification path", "untrustedroot", "unable to locally verify the issuer" } },
    { ANYWHERE, true, network_failed,
      { "temporary failure in name resolution", "name or service not known", " enotfound",
        "'enotfound",
        "eai_again", "could not resolve host", "network is unreachable", "enetunreach",
        "failed to lookup address", "dns error", "nodename nor servname", "econnrefused",
        "connection refused", "etimedout", "connection timed out",
        "failed to establish a new connection", "bad address",
        "download timed out", "urlopen error timed out", "operation timed out", "connect timeout",
        "connecttimeout", "und_err_connect_timeout", "no route to host", "ehostunreach",
        "error sending request", "no such host", "i/o timeout", "client.timeout exceeded",
        "unknownhostexception", "connect timed out", "curl: (7)", "curl: (28)", "curl: (6)",
        "unable to resolve host", "could not contact dns", "all connection attempts failed" } },
    { ANYWHERE, true, network_failed,
      { "network unreachable", "host is unreachable", "econnreset", "before secure tls connection",
        "no address associated with hostname", "could not translate host name",
        "failed to connect to all addresses", "cannot assign requested address",
        "timeouterror: timed out", "socket.timeout: timed out", "read timed out" } },
    { IN_CONTAINER, false, tool_runner, { " could not be installed: use an image" } },
    { ANYWHERE, false, missing_python,
      { "no interpreter found for python", "requires a different python", "requires python ",
        "does not satisfy python" } },
    { ANYWHERE, false, missing_version,
      { "no matching version found for", "etarget", "there is no version of",
        "could not find a version that satisfies" } },
    { ANYWHERE, false, missing_package,
      { "was not found in the package registry", "404 not found - get http",
        "no matching distribution found", "is not in this registry" } },
    { ANYWHERE, false, tool_missing, { "bad git executable" } },
    { ANYWHERE, false, variable_missing,
      { "required", "missing", "not set", "must be set", "undefined", "not found", "not provided",
        "no api key", "unset", "must provide", "please set", "please provide", "is empty",
        "cannot be empty", "not defined", "keyerror: ", "by setting" } },
    { ANYWHERE, true, on_port, { "address already in use", "eaddrinuse" } },
    { IN_CONTAINER, true, on_pids,
      { "can't start new thread", "resource temporarily unavailable", "pthread_create failed",
        "cannot fork", "can't fork", "uv_thread_create", " eagain",
        "unable to create native thread", "failed to create new os thread" } },
    { ANYWHERE, false, missing_library,
      { "cannot open shared object file", "error loading shared library", "version `glibc" } },
    { ANYWHERE, false, missing_half,
      { "npm error invalid version", "enotempty", "eintegrity", "zlib: unexpected end of file",
        "unexpected end of json input while parsing", "tar_entry_error" } },
    { ANYWHERE, false, missing_build,
      { "compiled against a different node", "invalid elf header" } },
    { ANYWHERE, false, missing_script, { "can't open file ", "cannot find module " } },
    { ANYWHERE, false, missing_project,
      { "could not read package.json", "go.mod file not found", "could not find `cargo.toml`",
        "no `pyproject.toml` found", "couldn't find a package.json" } },
    { ANYWHERE, false, missing_module,
      { "no module named ", ".pm in @inc", "cannot load such file -- ",
        "could not find or load main class " } },
    { ANYWHERE, false, tool_browser,
      { "browsertype.launch: executable doesn't exist", "could not find chrome",
        "chromium revision is not downloaded", "please run the following command to download new "
        "browsers" } },
    { ANYWHERE, false, tool_missing,
      { ": not found", "command not found", "executable file not found", "cannot find command",
        "no such file or directory: '", "spawn ", "spawnsync ", "failed to spawn: ",
        "/usr/bin/env: ", "no such file or directory - ", "cannot run program ",
        "trying to start process ", "can't exec ", "can't execute ", "failed to run command ",
        "failed to execute ", "env: ", "nice: ", "which: no " } },
    { ANYWHERE, false, missing_dependency,
      { "attributeerror: ", "importerror: ", "modulenotfounderror: ", "typeerror: " } },
    { ANYWHERE, false, missing_node_module,
      { "cannot find module", "err_module_not_found", "does not provide an export named",
        "err_package_path_not_exported", "err_require_esm" } },
    { ANYWHERE, false, on_access,
      { "permission denied", "eacces", "operation not permitted", "eperm",
        "accessdeniedexception" } },
    { ANYWHERE, false, tool_node, { "ebadengine" } },
    { ANYWHERE, false, on_http,
      { "uvicorn running on", "running on http://", "listening on http", "serving http on",
        "running on port", "listening on port", "listening at http", "started on http",
        "on http://0.0.0.0", "on http://127.0.0.1", "on http://localhost", "transport 'sse'",
        "transport 'streamable-http'", "started on port" } },
};

static bool judge_by(const struct rule *rule, const struct symptoms *s, struct findings *fs,
                     const struct said *said)
{
    for (size_t i = 0; i < said->lines.n; i++)
        if (has_one_of(said->lower.v[i], rule->words) &&
            rule->make(&(struct match){ s, fs, said->seqs[i], said->lines.v[i], &said->lines, i }))
            return true;
    return false;
}

bool words_say(const struct symptoms *s, struct findings *fs)
{
    unsigned here = s->plan->mode == PLAN_DOCKER ? IN_CONTAINER : ON_HOST;
    struct said said = { 0 };
    bool found = false;
    read_said(s, &said);
    for (size_t i = 0; i < ARRAY_LEN(rules) && !found; i++)
        if ((rules[i].where & here) && (!s->was_ready || rules[i].later))
            found = judge_by(&rules[i], s, fs, &said);
    said_fini(&said);
    return found;
}
