/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the credentials for one pull, as the docker CLI does. A failure is no end: a public image
 * needs none, and the registry's own refusal says more; so there is always an answer, and the fault
 * beside it says what could not be read.
 *
 *   limit   0: the answer that needs no helper, from the loop; else the helper's time */
#include "docker/credentials.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "docker/cli_config.h"
#include "docker/json_text.h"
#include "io/child.h"

#define HUB_KEY "https://index.docker.io/v1/"
enum { HELPER_LIMIT_S = 30, HELPER_MAX_BYTES = 64 * 1024 };

struct credentials {
    struct ev_loop *loop;
    credentials_fn fn;
    void *ctx;
    ev_timer limit;
    struct child *child;
    char *helper, *server, *auth;
    struct buf out;
    struct fault why;           /* code 0 = none */
};

/* ---- base64 (RFC 4648) ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *base64url(const char *p, size_t n)
{
    char *out = xmalloc((n + 2) / 3 * 4 + 1), *o = out;
    const unsigned char *s = (const unsigned char *)p;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) |
                     (i + 2 < n ? s[i + 2] : 0);
        *o++ = alphabet[v >> 18];
        *o++ = alphabet[v >> 12 & 63];
        *o++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        *o++ = i + 2 < n ? alphabet[v & 63] : '=';
    }
    *o = '\0';
    return out;
}

static int value_of(char c)
{
    const char *at = c ? strchr(alphabet, c == '+' ? '-' : c == '/' ? '_' : c) : NULL;
    return at && c != '-' && c != '_' ? (int)(at - alphabet) : -1;
}

/* Both its ends: false when it is no base64. */
static bool base64_decode(const char *s, struct buf *out)
{
    size_t n = strcspn(s, "=\r\n");
    uint32_t v = 0;
    if (n % 4 == 1 || strspn(s + n, "=\r\n") != strlen(s + n))
        return false;
    for (size_t i = 0; i < n; i++) {
        int six = value_of(s[i]);
        if (six < 0)
            return false;
        v = v << 6 | (uint32_t)six;
        if (i % 4 != 0)
            buf_add_char(out, (char)(v >> (6 - 2 * (i % 4)) & 0xff));
    }
    return true;
}

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

/* ---- names ---- */

size_t credentials_registry_len(const char *image)
{
    const char *slash = strchr(image, '/');
    size_t n = slash ? (size_t)(slash - image) : 0;
    bool host = memchr(image, '.', n) || memchr(image, ':', n) ||
                (n == 9 && strncmp(image, "localhost", 9) == 0);
    return host ? n : 0;
}

char *credentials_registry(const char *image)
{
    size_t n = credentials_registry_len(image);
    if (n == 0 || (n == 15 && strncmp(image, "index.docker.io", 15) == 0))
        return xstrdup("docker.io");
    return xstrndup(image, n);
}

static const char *key_of(const char *registry)
{
    return strcmp(registry, "docker.io") == 0 ? HUB_KEY : registry;
}

/* "https://reg:5000/v1/" → "reg:5000", as older versions of docker wrote it. */
static bool is_host_of(const char *key, const char *registry)
{
    const char *p = strstr(key, "://");
    p = p ? p + 3 : key;
    size_t n = strcspn(p, "/");
    return n == strlen(registry) && strncmp(p, registry, n) == 0;
}

/* ---- config.json ---- */

static char *encode(json_t *auth)
{
    char *text = json_dumps(auth, JSON_COMPACT);
    char *out = text ? base64url(text, strlen(text)) : xstrdup("");
    wipe(text);
    json_decref(auth);
    return out;
}

static char *encode_pair(const char *user, const char *secret, const char *server, struct fault *f)
{
    json_t *o = strcmp(user, "<token>") == 0
                    ? json_pack("{s:s, s:s}", "identitytoken", secret, "serveraddress", server)
                    : json_pack("{s:s, s:s, s:s}", "username", user, "password", secret,
                                "serveraddress", server);
    if (o)
        return encode(o);
    fault_set(f, FAULT_INVALID, "the credentials for %s are not UTF-8", server);
    return xstrdup("");
}

/* One object of "auths". */
static int read_entry(const json_t *entry, const char *server, char **ret_auth, struct fault *f)
{
    struct buf pair = BUF_INIT;
    const char *token = json_text_at(entry, "identitytoken"), *packed = json_text_at(entry, "auth");
    int rc = 0;
    if (*token) {
        *ret_auth = encode_pair("<token>", token, server, f);
    } else if (*packed) {
        bool good = base64_decode(packed, &pair);
        char *colon = good ? strchr(buf_str(&pair), ':') : NULL;
        if (colon) {
            *colon = '\0';
            *ret_auth = encode_pair(buf_str(&pair), colon + 1, server, f);
        } else {
            rc = fault_set(f, FAULT_INVALID,
                           "docker's config.json: \"auth\" of %s is not the base64 of "
                           "USER:PASSWORD: run `docker login %s` again", server, server);
        }
    } else if (*json_text_at(entry, "username")) {
        *ret_auth = encode_pair(json_text_at(entry, "username"),
                                json_text_at(entry, "password"), server, f);
    }
    if (pair.data)
        explicit_bzero(pair.data, pair.len);
    buf_fini(&pair);
    return rc;
}

static const json_t *find_entry(const json_t *config, const char *registry)
{
    json_t *auths = json_object_get(config, "auths"), *value;
    const json_t *exact = json_object_get(auths, key_of(registry));
    const char *key;
    if (exact)
        return exact;
    json_object_foreach(auths, key, value)
        if (is_host_of(key, registry))
            return value;
    return NULL;
}

int credentials_read(const json_t *config, const char *registry, char **ret_auth,
                     char **ret_helper, char **ret_server, struct fault *f)
{
    const char *server = key_of(registry);
    const char *helper = json_text_at(json_object_get(config, "credHelpers"), server);
    if (!*helper)
        helper = json_text_at(config, "credsStore");
    *ret_auth = NULL;
    *ret_helper = NULL;
    *ret_server = xstrdup(server);
    int rc = 0;
    /* It becomes part of a program's name. */
    if (*helper && strspn(helper, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                          "._-") != strlen(helper))
        rc = fault_set(f, FAULT_INVALID,
                       "docker's config.json: \"%.60s\" is no name of a credential helper",
                       helper);
    else if (*helper)
        *ret_helper = xstrdup(helper);
    else
        rc = read_entry(find_entry(config, registry), server, ret_auth, f);
    if (!*ret_auth)
        *ret_auth = xstrdup("");
    return rc;
}

int credentials_from_helper(const char *text, size_t n, const char *server, char **ret_auth,
                            struct fault *f)
{
    json_t *root = json_loadb(text, n, 0, NULL);
    const char *user = json_text_at(root, "Username"), *secret = json_text_at(root, "Secret");
    int rc = 0;
    *ret_auth = NULL;
    if (!json_is_object(root))
        rc = fault_set(f, FAULT_INVALID, "it answered something that is no JSON");
    else if (*user || *secret)
        *ret_auth = encode_pair(user, secret, server, f);
    if (!*ret_auth)
        *ret_auth = xstrdup("");
    json_decref(root);
    return rc;
}

/* ---- asking ---- */

static void credentials_free(struct credentials *c)
{
    ev_timer_stop(c->loop, &c->limit);
    child_free(c->child);
    if (c->out.data)
        explicit_bzero(c->out.data, c->out.len);
    buf_fini(&c->out);
    wipe(c->auth);
    free(c->helper);
    free(c->server);
    free(c);
}

static void answer(struct credentials *c)
{
    credentials_fn fn = c->fn;
    void *ctx = c->ctx;
    char *auth = TAKE(c->auth);
    struct fault why = c->why;
    credentials_free(c);
    fn(ctx, auth ? auth : "", why.code ? &why : NULL);
    wipe(auth);
}

static void fail(struct credentials *c, const struct fault *f)
{
    c->why = *f;
    fault_wrap(&c->why, "docker-credential-%s", c->helper);
    answer(c);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct credentials *c = w->data;
    struct fault f = FAULT_NONE;
    (void)loop, (void)revents;
    if (!c->child) {
        answer(c);
        return;
    }
    fault_set(&f, FAULT_TIMEOUT, "no answer within %d s: does it wait for a password?",
              HELPER_LIMIT_S);
    fail(c, &f);
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct credentials *c = ctx;
    if (ch == STREAM_OUT && c->out.len + n <= HELPER_MAX_BYTES)
        buf_add(&c->out, p, n);
    else if (ch == STREAM_OUT)
        stream_pause(child_stream(c->child), true);     /* the limit ends it */
}

static void on_ignored_end(void *ctx, const struct fault *why)
{
    (void)ctx, (void)why;
}

/* A helper says on stdout why it failed; "not found" is the answer of one that has nothing. */
static void on_over(void *ctx, const struct child_exit *x)
{
    struct credentials *c = ctx;
    struct fault f = FAULT_NONE;
    const char *said = buf_str(&c->out);
    if (x->code == 0) {
        wipe(TAKE(c->auth));
        if (credentials_from_helper(said, c->out.len, c->server, &c->auth, &f) == 0)
            answer(c);
        else
            fail(c, &f);
        return;
    }
    if (strcasestr(said, "credentials not found")) {
        answer(c);
        return;
    }
    int line = (int)strcspn(said, "\r\n");
    if (x->code < 0)
        fault_set(&f, FAULT_HTTP, "ended by signal %d", x->signal);
    else
        fault_set(&f, FAULT_HTTP, "exited %d%s%.*s", x->code, line ? ": " : "",
                  line < 200 ? line : 200, said);
    fail(c, &f);
}

static void ask_helper(struct credentials *c, const char *run_id)
{
    static const struct child_events events = {
        .stream = {.data = on_data, .end = on_ignored_end}, .over = on_over};
    AUTO_FREE char *program = xasprintf("docker-credential-%s", c->helper);
    char *argv[] = {program, (char[]){"get"}, NULL};
    struct child_spec spec = {.argv = argv, .envp = environ, .run_id = run_id};
    struct fault f = FAULT_NONE;
    c->child = child_spawn(c->loop, &spec, &events, c, &f);
    if (!c->child) {
        c->why = f;
        return;
    }
    struct stream *s = child_stream(c->child);
    stream_writev(s, &(struct iovec){c->server, strlen(c->server)}, 1, NULL);
    stream_close_input(s);
    ev_timer_set(&c->limit, HELPER_LIMIT_S, 0.);
}

struct credentials *credentials_find(struct ev_loop *loop, const char *image, const char *run_id,
                                     credentials_fn fn, void *ctx)
{
    struct credentials *c = xcalloc(1, sizeof *c);
    AUTO_FREE char *registry = credentials_registry(image);
    c->loop = loop;
    c->fn = fn;
    c->ctx = ctx;
    ev_timer_init(&c->limit, on_limit, 0., 0.);
    c->limit.data = c;
    json_t *config = cli_config_load(&c->why);
    if (config)
        credentials_read(config, registry, &c->auth, &c->helper, &c->server, &c->why);
    json_decref(config);
    if (c->helper)
        ask_helper(c, run_id);
    ev_timer_start(loop, &c->limit);
    return c;
}

void credentials_cancel(struct credentials *c)
{
    if (c)
        credentials_free(c);
}
