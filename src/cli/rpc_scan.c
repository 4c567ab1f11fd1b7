/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds id and method among the members of one object. The payload (params, result) is stepped over
 * only where it stands before them; and as the common SDKs write the id last, the end of a long
 * message is looked at first. Pure. */
#include "cli/rpc_scan.h"

#include <string.h>
#include "base/jscan.h"

enum { LONG_VALUE = 512 };

static bool token_is(struct rpc_span token, const char *text)
{
    size_t n = strlen(text);
    return token.n == n + 2 && token.p[0] == '"' && !memcmp(token.p + 1, text, n);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *back_over_space(const char *begin, const char *p)
{
    while (p > begin && is_space(p[-1]))
        p--;
    return p;
}

/* Where the scalar that ends at p begins; p itself when there is none. */
static const char *scalar_begin(const char *begin, const char *p)
{
    const char *end = p;
    if (p > begin && p[-1] == '"') {
        for (p--; p > begin && p[-1] != '"' && p[-1] != '\\' && p[-1] != '\0'; p--)
            ;
        return p > begin && p[-1] == '"' ? p - 1 : end;
    }
    while (p > begin && ((p[-1] >= '0' && p[-1] <= '9') || (p[-1] && strchr("+-.eE", p[-1]))))
        p--;
    return p;
}

/* `,"id":TOKEN}` at the end of the message. In valid JSON a quote that follows ',' or '{' opens a
 * string outside of any other, and nothing stands between the token and the brace that closes the
 * message: so this is a member of the message itself. */
static struct rpc_span id_at_end(const char *begin, const char *end)
{
    struct rpc_span none = { 0 }, id;
    end = back_over_space(begin, end);
    if (end == begin || end[-1] != '}')
        return none;
    end = back_over_space(begin, end - 1);
    id.p = scalar_begin(begin, end);
    id.n = (size_t)(end - id.p);
    const char *p = back_over_space(begin, id.p);
    if (!id.n || p == begin || p[-1] != ':')
        return none;
    p = back_over_space(begin, p - 1);
    if (p - begin < 5 || memcmp(p - 4, "\"id\"", 4) != 0)
        return none;
    p = back_over_space(begin, p - 4);
    return p > begin && (p[-1] == ',' || p[-1] == '{') ? id : none;
}

/* One member after another of the object that begins at *p; false at its end or where it is not
 * valid. */
static bool next_member(const char **p, const char *end, struct rpc_span *key, const char **value)
{
    const char *at = jscan_space(*p, end);
    if (at >= end || (*at != '{' && *at != ','))
        return false;
    at = jscan_space(at + 1, end);
    if (at >= end || *at != '"')
        return false;
    const char *after = jscan_string(at, end, NULL);
    if (!after)
        return false;
    *key = (struct rpc_span){ at, (size_t)(after - at) };
    at = jscan_space(after, end);
    if (at >= end || *at != ':')
        return false;
    *value = jscan_space(at + 1, end);
    return *value < end;
}

static bool take_value(const char *value, const char *end, struct rpc_span *ret, const char **after)
{
    *after = jscan_value(value, end, NULL);
    if (*after)
        *ret = (struct rpc_span){ value, (size_t)(*after - value) };
    return *after;
}

struct rpc_span rpc_member(struct rpc_span object, const char *name)
{
    struct rpc_span key, value;
    const char *p = object.p, *end = object.p + object.n, *begin;
    if (!object.n || *p != '{')
        return (struct rpc_span){ 0 };
    while (next_member(&p, end, &key, &begin) && take_value(begin, end, &value, &p))
        if (token_is(key, name))
            return value;
    return (struct rpc_span){ 0 };
}

static bool is_id(struct rpc_span token)
{
    return token.n && (*token.p == '"' || *token.p == '-' || (*token.p >= '0' && *token.p <= '9'));
}

/* Everything is known that can be: the rest of the message need not be looked at. */
static bool is_complete(const struct rpc_head *h, bool answers)
{
    return h->id.n && (h->method.n || answers);
}

void rpc_scan(const char *message, size_t n, struct rpc_head *ret)
{
    struct rpc_span key, value, params = { 0 };
    const char *p = jscan_space(message, message + n), *end = message + n, *begin;
    bool answers = false;
    *ret = (struct rpc_head){ 0 };
    if (p == end || *p != '{')
        return;
    while (!is_complete(ret, answers) && next_member(&p, end, &key, &begin)) {
        ret->is_error = ret->is_error || token_is(key, "error");
        answers = answers || ret->is_error || token_is(key, "result");
        if (!ret->id.n && end - begin > LONG_VALUE)
            ret->id = id_at_end(begin, end);
        if (is_complete(ret, answers) || !take_value(begin, end, &value, &p))
            break;
        if (token_is(key, "id") && is_id(value))
            ret->id = value;
        else if (token_is(key, "method"))
            ret->method = value;
        else if (token_is(key, "params"))
            params = value;
    }
    if (rpc_method_is(ret, "notifications/cancelled"))
        ret->cancels = rpc_member(params, "requestId");
}

bool rpc_is_request(const struct rpc_head *h)
{
    return h->id.n && h->method.n;
}

bool rpc_is_reply(const struct rpc_head *h)
{
    return h->id.n && !h->method.n;
}

bool rpc_method_is(const struct rpc_head *h, const char *method)
{
    return token_is(h->method, method);
}
