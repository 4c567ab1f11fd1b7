/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Headers against the body: see mcp_headers.h. */
#include "api/mcp_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/session.h"

enum { HEADER_MISMATCH = -32020, MAX_VALUE = 64 * 1024, MAX_DEPTH = 16 };

/* ---- values ---- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Strict: whole groups of four, padded. */
static bool base64_decode(const char *p, size_t n, struct buf *out)
{
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        bool last = i + 4 == n;
        int pad = !last ? 0 : p[i + 3] != '=' ? 0 : p[i + 2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (int k = 0; k < 4; k++) {
            int d = k >= 4 - pad ? 0 : digit_of(p[i + (size_t)k]);
            if (d < 0)
                return false;
            bits = bits << 6 | (uint32_t)d;
        }
        const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buf_add(out, bytes, 3 - (size_t)pad);
    }
    return true;
}

static struct span trimmed(const char *value)
{
    size_t n = strlen(value);

    while (n && (*value == ' ' || *value == '\t'))
        value++, n--;
    while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        n--;
    return (struct span){value, n};
}

static bool starts(struct span s, const char *text, size_t n)
{
    return s.n >= n && memcmp(s.p, text, n) == 0;
}

/* The text that a value stands for; false when it is none. */
static bool decode(const char *value, struct buf *out)
{
    static const char head[] = "=?base64?", tail[] = "?=";
    const size_t head_n = sizeof(head) - 1, tail_n = sizeof(tail) - 1;
    struct span s = trimmed(value);

    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] > '~')
            return false;
    }
    if (s.n >= head_n + tail_n && starts(s, head, head_n) &&
        memcmp(s.p + s.n - tail_n, tail, tail_n) == 0)
        return base64_decode(s.p + head_n, s.n - head_n - tail_n, out);
    buf_add(out, s.p, s.n);
    return true;
}

bool mcp_header_is(const char *value, const char *text)
{
    AUTO_BUF struct buf plain = BUF_INIT;

    return decode(value, &plain) && plain.len == strlen(text) &&
           (!plain.len || memcmp(plain.data, text, plain.len) == 0);
}

/* ---- the standard headers ---- */

static int mismatch(struct fault *f, const char *name, const char *value, const char *text)
{
    return fault_set(f, HEADER_MISMATCH,
                     "Header mismatch: %s header value '%.100s' does not match body value '%.100s'",
                     name, value, text);
}

static int check(header_fn get, const void *ctx, const char *name, const char *text,
                 struct fault *f)
{
    const char *value = get(ctx, name);

    if (!value)
        return fault_set(f, HEADER_MISMATCH, "Header mismatch: the %s header is missing", name);
    return mcp_header_is(value, text) ? 0 : mismatch(f, name, value, text);
}

static int check_standard(const struct envelope *e, header_fn get, const void *ctx, struct fault *f)
{
    AUTO_FREE char *version = span_decode(e->version, MAX_VALUE);
    struct span quoted = {e->method.p - 1, e->method.n + 2};
    AUTO_FREE char *method = span_decode(quoted, MAX_VALUE);
    bool by_uri = span_is(e->method, "resources/read");
    bool of_task = task_use_of(e->method) != TASK_MADE;

    if (check(get, ctx, "MCP-Protocol-Version", version, f) ||
        check(get, ctx, "Mcp-Method", method, f))
        return -1;
    /* Clients of the tasks extension may be older than what it says of headers. */
    if (of_task ? !get(ctx, "Mcp-Name")
                : !by_uri && !span_is(e->method, "tools/call") &&
                    !span_is(e->method, "prompts/get"))
        return 0;
    struct span token = of_task ? span_member(e->params, "taskId")
                        : by_uri ? span_member(e->params, "uri") : e->name;
    AUTO_FREE char *name = span_decode(token, MAX_VALUE);
    return token.n ? check(get, ctx, "Mcp-Name", name, f) : 0;
}

/* ---- Mcp-Param-* ---- */

struct params {
    header_fn get;
    const void *ctx;
    struct fault *f;
};

/* A whole number as text; 42.0 and 42 are equal. */
static bool same_number(const char *value, struct span token)
{
    AUTO_BUF struct buf plain = BUF_INIT;
    char *end = NULL, *body_end = NULL;

    if (!decode(value, &plain) || !plain.len)
        return false;
    AUTO_FREE char *body = xstrndup(token.p, token.n);
    double a = strtod(buf_str(&plain), &end), b = strtod(body, &body_end);
    return !*end && !*body_end && a >= b && a <= b;
}

static int check_param(const struct params *p, const char *header, struct span value)
{
    AUTO_FREE char *name = xasprintf("Mcp-Param-%s", header);
    const char *sent = p->get(p->ctx, name);
    bool absent = !value.n || *value.p == 'n';

    if (!sent && absent)
        return 0;
    AUTO_FREE char *text = absent ? xstrdup("(none)")
                           : *value.p == '"' ? span_decode(value, MAX_VALUE)
                                             : xstrndup(value.p, value.n);
    if (!sent)
        return fault_set(p->f, HEADER_MISMATCH, "Header mismatch: the %s header is missing", name);
    bool is_number = !absent && *value.p != '"' && *value.p != 't' && *value.p != 'f';
    if (absent || !(is_number ? same_number(sent, value) : mcp_header_is(sent, text)))
        return mismatch(p->f, name, sent, text);
    return 0;
}

/* Walks the schema's properties, and the arguments beside it. */
static int check_properties(const struct params *p, struct span schema, struct span value,
                            int depth)
{
    struct span properties = span_member(schema, "properties");
    struct member m;

    if (properties.n < 2)
        return 0;
    const char *at = properties.p + 1, *end = properties.p + properties.n;
    while (depth < MAX_DEPTH && span_next_member(&at, end, &m)) {
        AUTO_FREE char *key = span_decode(m.key, MAX_VALUE);
        AUTO_FREE char *header = span_decode(span_member(m.value, "x-mcp-header"), 256);
        struct span argument = span_member(value, key);
        if ((*header && check_param(p, header, argument)) ||
            check_properties(p, m.value, argument, depth + 1))
            return -1;
    }
    return 0;
}

/* The tool's definition; n == 0 when there is none of this name. */
static struct span find_tool(struct span tools, struct span name, size_t prefix)
{
    const char *end = tools.p + tools.n;
    const char *at = jscan_space(tools.p + 1, end);
    AUTO_FREE char *wanted = span_decode(name, MAX_VALUE);

    while (at < end && *at == '{') {
        const char *after = jscan_value(at, end, NULL);
        if (!after)
            break;
        struct span tool = {at, (size_t)(after - at)};
        AUTO_FREE char *its = span_decode(span_member(tool, "name"), MAX_VALUE);
        if (strlen(wanted) > prefix && strcmp(its, wanted + prefix) == 0)
            return tool;
        at = jscan_space(after, end);
        if (at < end && *at == ',')
            at = jscan_space(at + 1, end);
    }
    return (struct span){0};
}

int mcp_headers_check(const struct envelope *e, struct span tools, size_t prefix, header_fn get,
                      const void *ctx, struct fault *f)
{
    const struct params p = {get, ctx, f};

    if (check_standard(e, get, ctx, f))
        return -1;
    /* Most servers have none of these: then no tool is looked for. */
    if (!span_is(e->method, "tools/call") || tools.n < 2 ||
        !memmem(tools.p, tools.n, "\"x-mcp-header\"", 14))
        return 0;
    struct span tool = find_tool(tools, e->name, prefix);
    return check_properties(&p, span_member(tool, "inputSchema"),
                            span_member(e->params, "arguments"), 0);
}
