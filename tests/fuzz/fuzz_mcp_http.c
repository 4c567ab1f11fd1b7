/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an HTTP client may send beside a message: a Last-Event-ID, and the headers of a modern
 * request, checked against a body and a server's tools. Four texts, split by NUL bytes. */
#include <string.h>

#include "api/mcp_headers.h"
#include "api/mcp_stream.h"
#include "base/mem.h"
#include "fuzz.h"

static const char *header;

static const char *get(const void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return header;
}

/* What the standard headers have to say; the others are as the client likes. */
struct right { char *version, *method, *name; };

static const char *get_right(const void *ctx, const char *name)
{
    const struct right *right = ctx;

    return strcmp(name, "MCP-Protocol-Version") == 0 ? right->version
           : strcmp(name, "Mcp-Method") == 0         ? right->method
           : strcmp(name, "Mcp-Name") == 0           ? right->name
                                                     : header;
}

static void check(const struct envelope *e, struct span tools, header_fn fn, const void *ctx)
{
    struct fault f = FAULT_NONE;
    int rc = mcp_headers_check(e, tools, 0, fn, ctx, &f);

    MUST(rc == 0 || (rc == -1 && f.code == -32020 && f.text[0]));
}

/* The next of the texts; "" once there are no more. */
static const char *cut(char **at, const char *end)
{
    char *text = *at;

    *at += strlen(text);
    if (*at < end)
        (*at)++;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = xstrndup("", 0);
    struct event_id id;
    struct envelope e;

    text = xrealloc(text, size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    char *at = text, *end = text + size;
    const char *event = cut(&at, end);
    header = cut(&at, end);
    const char *body = cut(&at, end), *tools = cut(&at, end);

    if (event_id_parse(event, &id))
        MUST(!id.call.n || (id.call.p > event && id.call.p + id.call.n == event + strlen(event)));
    MUST(!mcp_header_is(header, "x") || strchr(header, 'x') || strstr(header, "?base64?"));
    if (envelope_scan(body, strlen(body), &e, NULL) || e.kind != ENVELOPE_REQUEST)
        return 0;
    /* Tools come from a list that was scanned. */
    AUTO_FREE char *list = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":%s}}", tools);
    struct envelope l;
    struct span known = {0};
    if (!envelope_scan(list, strlen(list), &l, NULL))
        known = span_member(l.result, "tools");
    if (!known.n || *known.p != '[')
        known = (struct span){0};
    check(&e, known, get, NULL);
    struct span uri = span_member(e.params, "uri");
    struct right right = {
        .version = span_decode(e.version, SIZE_MAX),
        .method = span_decode((struct span){e.method.p - 1, e.method.n + 2}, SIZE_MAX),
        .name = span_decode(uri.n ? uri : e.name, SIZE_MAX),
    };
    check(&e, known, get_right, &right);
    free(right.version);
    free(right.method);
    free(right.name);
    return 0;
}

#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"x\"}"
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("00c0ffee-7-42-\"a\"\0x\0{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META "}}\0[]"),
    FUZZ_SEED("1-1-1\0=?base64?eA==?=\0{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\","
         "\"arguments\":{\"a\":\"x\",\"b\":{\"c\":1.0}}," META "}}\0[{\"name\":\"x\",\"inputSchema\":{\"properties\":{"
         "\"a\":{\"x-mcp-header\":\"A\"},\"b\":{\"properties\":{\"c\":{\"x-mcp-header\":\"C\"}}}}}}]"),
    FUZZ_SEED("ffffffff-4294967295-1\0 \tx\0{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":"
         "\"x\"," META "}}\0"),
    {NULL, 0},
};
