/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the envelope of a message in one pass: every byte is looked at once, by jscan, and nothing
 * is allocated. Only the objects on the way to a field of struct envelope are walked here: the
 * message, params and params._meta. What the methods mean is the router's affair; the only ones
 * named here are those whose params carry a token that has to be rewritten. */
#include "mcp/envelope.h"

#include <string.h>
#include "base/jscan.h"
#include "base/large.h"
#include "base/mem.h"

/* ---- keys ---- */

enum { KEY_OTHER = -1, KEY_VARIANT = -2 };

/* The ASCII letter that a lenient parser might take the character at p for. U+017F and U+212A are
 * the two characters outside ASCII that Unicode folds to an ASCII letter. */
static int fold(const char **pp, const char *end)
{
    const unsigned char *p = (const unsigned char *)*pp;
    size_t left = (size_t)(end - *pp);
    int c = p[0];

    if (left >= 2 && c == 0xC5 && p[1] == 0xBF) {
        *pp += 2;
        return 's';
    }
    if (left >= 3 && c == 0xE2 && p[1] == 0x84 && p[2] == 0xAA) {
        *pp += 3;
        return 'k';
    }
    *pp += 1;
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool fold_equal(struct span key, struct span name)
{
    const char *p = key.p, *end = key.p + key.n;
    const char *q = name.p, *qend = name.p + name.n;

    if (key.n < name.n)     /* folding makes no character longer */
        return false;
    while (p < end && q < qend) {
        if (fold(&p, end) != fold(&q, qend))
            return false;
    }
    return p == end && q == qend;
}

/* The index of key (its inside, escapes undone) in names, KEY_VARIANT when it is one of them but
 * for letter case. */
static int key_find(struct span key, const struct span *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (key.n == names[i].n && *key.p == *names[i].p && !memcmp(key.p, names[i].p, key.n))
            return i;
    }
    for (int i = 0; i < count; i++) {
        if (fold_equal(key, names[i]))
            return KEY_VARIANT;
    }
    return KEY_OTHER;
}

/* ---- walking an object ---- */

struct walk {
    const char *p, *end;
    const char *bad;       /* where it stopped being JSON */
    bool begun;
    bool plain;            /* the key has no escapes */
    struct span key;       /* inside the quotes */
};

static bool walk_fail(struct walk *w, const char *at)
{
    if (!w->bad)
        w->bad = at;
    return false;
}

/* p at the '{'. */
static struct walk walk_object(const char *p, const char *end)
{
    return (struct walk){.p = p + 1, .end = end};
}

/* Goes to the next member: its key is in w->key, w->p stands on its value, which the caller steps
 * over. False at the end of the object (w->p behind the '}') and when it is broken (w->bad set). */
static bool walk_next(struct walk *w)
{
    const char *p = jscan_space(w->p, w->end);

    if (p == w->end)
        return walk_fail(w, p);
    if (*p == '}') {
        w->p = p + 1;
        return false;
    }
    if (w->begun) {
        if (*p != ',')
            return walk_fail(w, p);
        p = jscan_space(p + 1, w->end);
    }
    w->begun = true;
    if (p == w->end || *p != '"')
        return walk_fail(w, p);
    const char *after = jscan_string(p, w->end, &w->plain);
    if (!after)
        return walk_fail(w, p);
    w->key = (struct span){p + 1, (size_t)(after - p) - 2};
    p = jscan_space(after, w->end);
    if (p == w->end || *p != ':')
        return walk_fail(w, p);
    w->p = jscan_space(p + 1, w->end);
    return w->p < w->end || walk_fail(w, w->end);
}

/* Steps over the value the walk stands on. */
static bool walk_value(struct walk *w, struct span *ret)
{
    const char *bad = w->p;
    const char *after = jscan_value(w->p, w->end, &bad);

    if (!after)
        return walk_fail(w, bad);
    if (ret)
        *ret = (struct span){w->p, (size_t)(after - w->p)};
    w->p = after;
    return true;
}

static int walk_key(const struct walk *w, const struct span *names, int count)
{
    if (w->plain)
        return key_find(w->key, names, count);
    /* Escaped: six bytes a character at most, three bytes of UTF-8 for a folded letter; a longer
     * one is none of ours. */
    if (w->key.n > 6 * 48)
        return KEY_OTHER;
    AUTO_BUF struct buf text = BUF_INIT;
    if (jscan_decode(w->key.p - 1, w->key.n + 2, &text))
        return KEY_OTHER;
    return key_find((struct span){buf_str(&text), text.len}, names, count);
}

/* ---- the scan ---- */

#define NAME(text) {text, sizeof(text) - 1}

enum { TOP_JSONRPC, TOP_ID, TOP_METHOD, TOP_PARAMS, TOP_RESULT, TOP_ERROR, TOP_COUNT };
static const struct span top_names[TOP_COUNT] = {
    [TOP_JSONRPC] = NAME("jsonrpc"), [TOP_ID] = NAME("id"),         [TOP_METHOD] = NAME("method"),
    [TOP_PARAMS] = NAME("params"),   [TOP_RESULT] = NAME("result"), [TOP_ERROR] = NAME("error"),
};

enum { PAR_NAME, PAR_META, PAR_TOKEN, PAR_REQUEST, PAR_COUNT };
static const struct span par_names[PAR_COUNT] = {
    [PAR_NAME] = NAME("name"),
    [PAR_META] = NAME("_meta"),
    [PAR_TOKEN] = NAME("progressToken"),
    [PAR_REQUEST] = NAME("requestId"),
};

enum { META_TOKEN, META_VERSION, META_SUBSCRIPTION, META_COUNT };
static const struct span meta_names[META_COUNT] = {
    [META_TOKEN] = NAME("progressToken"),
    [META_VERSION] = NAME("io.modelcontextprotocol/protocolVersion"),
    [META_SUBSCRIPTION] = NAME("io.modelcontextprotocol/subscriptionId"),
};

struct scan {
    const char *msg;
    struct fault *f;
    struct span top[TOP_COUNT];
    struct span par[PAR_COUNT];
    struct span meta[META_COUNT];
    bool result_is_error;
    bool name_variant;      /* params has "Name" or the like: wrong only where a name counts */
    bool request_variant;
};

static int not_json(struct scan *sc, const char *bad)
{
    return fault_set(sc->f, FAULT_INVALID, "not valid JSON at byte %zu",
                     (size_t)(bad - sc->msg) + 1);
}

static int twice(struct scan *sc, struct span name)
{
    return fault_set(sc->f, FAULT_INVALID, "\"%s\" stands twice in the message", name.p);
}

static int variant(struct scan *sc, struct span key)
{
    return fault_set(sc->f, FAULT_INVALID, "\"%.*s\": a key of the protocol in another letter case",
                     (int)key.n, key.p);
}

static int scan_meta(struct scan *sc, struct walk *outer)
{
    struct walk w = walk_object(outer->p, outer->end);

    while (walk_next(&w)) {
        int key = walk_key(&w, meta_names, META_COUNT);
        struct span value;
        if (key == KEY_VARIANT)
            return variant(sc, w.key);
        if (!walk_value(&w, &value))
            break;
        if (key >= 0) {
            if (sc->meta[key].n)
                return twice(sc, meta_names[key]);
            sc->meta[key] = value;
        }
    }
    outer->p = w.p;
    return w.bad ? not_json(sc, w.bad) : 0;
}

static int scan_params(struct scan *sc, struct walk *outer)
{
    struct walk w = walk_object(outer->p, outer->end);

    while (walk_next(&w)) {
        int key = walk_key(&w, par_names, PAR_COUNT);
        const char *start = w.p;
        if (key == KEY_VARIANT) {
            sc->name_variant |= fold_equal(w.key, par_names[PAR_NAME]);
            sc->request_variant |= fold_equal(w.key, par_names[PAR_REQUEST]);
            /* Nobody writes an escaped key in another case by accident. */
            if (!w.plain || fold_equal(w.key, par_names[PAR_META]))
                return variant(sc, w.key);
        }
        if (key == PAR_META && *w.p == '{') {
            if (scan_meta(sc, &w))
                return -1;
        } else if (!walk_value(&w, NULL)) {
            break;
        }
        if (key >= 0) {
            if (sc->par[key].n)
                return twice(sc, par_names[key]);
            sc->par[key] = (struct span){start, (size_t)(w.p - start)};
        }
    }
    outer->p = w.p;
    return w.bad ? not_json(sc, w.bad) : 0;
}

/* Its members are stepped over one by one, as jscan_value would do. Which keys a result may have is
 * not the envelope's affair: no variant is refused. */
static int scan_result(struct scan *sc, struct walk *outer)
{
    static const struct span name = NAME("isError");
    struct walk w = walk_object(outer->p, outer->end);

    while (walk_next(&w)) {
        bool named = w.key.n == name.n && !memcmp(w.key.p, name.p, name.n);
        const char *start = w.p;
        if (!walk_value(&w, NULL))
            break;
        if (named)
            sc->result_is_error = *start == 't';
    }
    outer->p = w.p;
    return w.bad ? not_json(sc, w.bad) : 0;
}

static bool is_token(struct span s)
{
    return s.n && (*s.p == '"' || *s.p == '-' || (*s.p >= '0' && *s.p <= '9'));
}

static bool is_null(struct span s)
{
    return s.n == 4 && *s.p == 'n';
}

static int scan_top(struct scan *sc, struct walk *w, struct envelope *e)
{
    while (walk_next(w)) {
        int key = walk_key(w, top_names, TOP_COUNT);
        const char *start = w->p;
        if (key == KEY_VARIANT)
            return variant(sc, w->key);
        if (key == TOP_PARAMS && *w->p == '{') {
            if (scan_params(sc, w))
                return -1;
        } else if (key == TOP_RESULT && *w->p == '{') {
            if (scan_result(sc, w))
                return -1;
        } else if (!walk_value(w, NULL)) {
            break;
        }
        if (key < 0)
            continue;
        struct span value = {start, (size_t)(w->p - start)};
        if (sc->top[key].n) {
            if (key == TOP_ID)
                e->id = (struct span){0};
            return twice(sc, top_names[key]);
        }
        sc->top[key] = value;
        if (key == TOP_METHOD)
            e->method = value;
        if (key == TOP_ID && is_token(value) && value.n <= ENVELOPE_MAX_TOKEN)
            e->id = value;
    }
    return w->bad ? not_json(sc, w->bad) : 0;
}

/* ---- what the fields make of it ---- */

static int check_token(struct scan *sc, struct span s, const char *what)
{
    if (!is_token(s))
        return fault_set(sc->f, FAULT_INVALID, "%s must be a string or a number", what);
    if (s.n > ENVELOPE_MAX_TOKEN)
        return fault_set(sc->f, FAULT_TOO_BIG, "%s is longer than %d bytes", what,
                         ENVELOPE_MAX_TOKEN);
    return 0;
}

/* The tokens in the params of a call: a request or a notification. */
static int classify_params(struct scan *sc, struct envelope *e)
{
    if (e->params.n && *e->params.p != '{' && !is_null(e->params))
        return fault_set(sc->f, FAULT_INVALID, "\"params\" must be an object");
    e->version = sc->meta[META_VERSION];
    if (sc->par[PAR_META].n && *sc->par[PAR_META].p == '{')
        e->meta = sc->par[PAR_META];
    if (e->kind == ENVELOPE_REQUEST) {
        if (sc->name_variant &&
            (span_is(e->method, "tools/call") || span_is(e->method, "prompts/get")))
            return fault_set(sc->f, FAULT_INVALID, "\"name\" in another letter case in \"params\"");
        if (sc->meta[META_TOKEN].n && !is_null(sc->meta[META_TOKEN])) {
            if (check_token(sc, sc->meta[META_TOKEN], "\"progressToken\""))
                return -1;
            e->progress_token = sc->meta[META_TOKEN];
        }
        if (sc->par[PAR_NAME].n && *sc->par[PAR_NAME].p == '"')
            e->name = sc->par[PAR_NAME];
        return 0;
    }
    if (is_token(sc->meta[META_SUBSCRIPTION]))
        e->subscription = sc->meta[META_SUBSCRIPTION];
    if (span_is(e->method, "notifications/progress")) {
        if (check_token(sc, sc->par[PAR_TOKEN], "\"progressToken\""))
            return -1;
        e->progress_token = sc->par[PAR_TOKEN];
    }
    if (span_is(e->method, "notifications/cancelled") &&
        (sc->par[PAR_REQUEST].n || sc->request_variant)) {
        if (sc->request_variant)
            return fault_set(sc->f, FAULT_INVALID, "\"requestId\" in another letter case");
        if (check_token(sc, sc->par[PAR_REQUEST], "\"requestId\""))
            return -1;
        e->cancels = sc->par[PAR_REQUEST];
    }
    return 0;
}

static int classify_call(struct scan *sc, struct envelope *e)
{
    struct span method = sc->top[TOP_METHOD];

    if (*method.p != '"' || method.n <= 2)
        return fault_set(sc->f, FAULT_INVALID, "\"method\" must be a string that is not empty");
    if (sc->top[TOP_RESULT].n || sc->top[TOP_ERROR].n)
        return fault_set(sc->f, FAULT_INVALID, "a message with \"method\" and a result");
    e->method = (struct span){method.p + 1, method.n - 2};
    e->params = sc->top[TOP_PARAMS];
    e->kind = e->id.n ? ENVELOPE_REQUEST : ENVELOPE_NOTIFICATION;
    return classify_params(sc, e);
}

static int classify_reply(struct scan *sc, struct envelope *e)
{
    struct span result = sc->top[TOP_RESULT], error = sc->top[TOP_ERROR];

    if (result.n && error.n)
        return fault_set(sc->f, FAULT_INVALID, "a reply with \"result\" and \"error\"");
    if (!result.n && !error.n)
        return fault_set(sc->f, FAULT_INVALID, "none of \"method\", \"result\" and \"error\"");
    if (error.n && *error.p != '{')
        return fault_set(sc->f, FAULT_INVALID, "\"error\" must be an object");
    if (result.n && !e->id.n)
        return fault_set(sc->f, FAULT_INVALID, "a result without an \"id\"");
    e->kind = result.n ? ENVELOPE_RESULT : ENVELOPE_ERROR;
    e->result = result;
    e->error = error;
    e->result_is_error = sc->result_is_error;
    return 0;
}

static int classify(struct scan *sc, struct envelope *e)
{
    struct span version = sc->top[TOP_JSONRPC], id = sc->top[TOP_ID];

    if (!version.n)
        return fault_set(sc->f, FAULT_INVALID, "no \"jsonrpc\" member");
    if (!span_equal(version, span_of("\"2.0\"")))
        return fault_set(sc->f, FAULT_INVALID, "\"jsonrpc\" is not \"2.0\"");
    /* Only an error may have the id null: it answers what could not be read. */
    if (id.n && !(is_null(id) && sc->top[TOP_ERROR].n) && check_token(sc, id, "\"id\""))
        return -1;
    return sc->top[TOP_METHOD].n ? classify_call(sc, e) : classify_reply(sc, e);
}

int envelope_scan(const char *msg, size_t n, struct envelope *ret, struct fault *f)
{
    const char *end = msg + n;
    const char *p = jscan_space(msg, end);
    struct scan sc = {.msg = msg, .f = f};

    *ret = (struct envelope){0};
    if (p == end)
        return fault_set(f, FAULT_INVALID, "an empty message");
    if (*p == '[')
        return fault_set(f, FAULT_INVALID, "a JSON-RPC batch; send its messages one by one");
    if (*p != '{')
        return fault_set(f, FAULT_INVALID, "not a JSON object");
    struct walk w = walk_object(p, end);
    if (scan_top(&sc, &w, ret))
        return -1;
    ret->body = (struct span){p, (size_t)(w.p - p)};
    p = jscan_space(w.p, end);
    if (p != end)
        return fault_set(f, FAULT_INVALID, "more text after the message, at byte %zu",
                         (size_t)(p - msg) + 1);
    return classify(&sc, ret);
}

/* ---- rewriting ---- */

static void piece(struct iovec *iov, int *count, const char *p, size_t n)
{
    if (n)
        iov[(*count)++] = (struct iovec){(void *)p, n};
}

int envelope_rewrite(const struct envelope *e, struct span new_id, struct span new_token,
                     bool newline, struct iovec iov[ENVELOPE_IOV])
{
    struct { struct span was, is; } edits[2];
    int n = 0, count = 0;
    const char *p = e->body.p;
    struct span token = e->progress_token.n ? e->progress_token : e->cancels;

    if (new_id.n && e->id.n) {
        edits[n].was = e->id;
        edits[n++].is = new_id;
    }
    if (new_token.n && token.n) {
        int at = n && token.p < e->id.p ? 0 : n;
        if (at < n)
            edits[n] = edits[at];
        edits[at].was = token;
        edits[at].is = new_token;
        n++;
    }
    for (int i = 0; i < n; i++) {
        piece(iov, &count, p, (size_t)(edits[i].was.p - p));
        piece(iov, &count, edits[i].is.p, edits[i].is.n);
        p = edits[i].was.p + edits[i].was.n;
    }
    piece(iov, &count, p, (size_t)(e->body.p + e->body.n - p));
    if (newline)
        piece(iov, &count, "\n", 1);
    return count;
}

int envelope_insert(struct iovec *iov, int count, const char *at, struct span text)
{
    int i = 0;

    while (i < count && (at < (char *)iov[i].iov_base ||
                         at > (char *)iov[i].iov_base + iov[i].iov_len))
        i++;
    if (i == count || !text.n)
        return count;
    size_t before = (size_t)(at - (char *)iov[i].iov_base);
    memmove(iov + i + 2, iov + i, (size_t)(count - i) * sizeof(*iov));
    iov[i].iov_len = before;
    iov[i + 1] = (struct iovec){(void *)(uintptr_t)text.p, text.n};
    iov[i + 2].iov_base = (char *)iov[i + 2].iov_base + before;
    iov[i + 2].iov_len -= before;
    return count + 2;
}

bool envelope_has_newline(const struct envelope *e)
{
    int known = e->body.n >= LARGE_BYTES ? large_has_newline(e->body.p, e->body.n) : -1;

    if (known >= 0)
        return known;
    return memchr(e->body.p, '\n', e->body.n) || memchr(e->body.p, '\r', e->body.n);
}

void envelope_flatten(struct envelope *e, char *out)
{
    struct span *const spans[] = {&e->id, &e->method, &e->params, &e->result, &e->error,
                                  &e->name, &e->progress_token, &e->cancels,
                                  &e->version, &e->subscription, &e->meta};

    /* The scan refuses raw control characters inside strings, so each of these stands between
     * tokens. */
    memcpy(out, e->body.p, e->body.n);
    span_flatten(out, e->body.n);
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        if (spans[i]->n)
            spans[i]->p = out + (spans[i]->p - e->body.p);
    }
    e->body.p = out;
}

void envelope_error(struct buf *out, struct span id, int code, const char *message)
{
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id.n)
        buf_add(out, id.p, id.n);
    else
        buf_add_str(out, "null");
    buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
    buf_add_json(out, message, strlen(message));
    buf_add_str(out, "}}");
}
