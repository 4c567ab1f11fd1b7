/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The headers of a modern request against its body. */
#include "api/mcp_headers.h"
#include <strings.h>
#include "base/mem.h"
#include "tap.h"

struct sent { const char *version, *method, *name, *region, *level; };

static const char *get(const void *ctx, const char *name)
{
    const struct sent *s = ctx;

    return !strcasecmp(name, "MCP-Protocol-Version") ? s->version
           : !strcasecmp(name, "Mcp-Method")         ? s->method
           : !strcasecmp(name, "Mcp-Name")           ? s->name
           : !strcasecmp(name, "Mcp-Param-Region")   ? s->region
           : !strcasecmp(name, "Mcp-Param-Level")    ? s->level
                                                     : NULL;
}

static void test_values(void)
{
    static const struct { const char *value, *text; bool same; } cases[] = {
        {"us-west1", "us-west1", true}, {" \tus-west1 \t", "us-west1", true}, {"", "", true},
        {"US-west1", "us-west1", false}, {"=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界", true},
        {"=?base64?IHBhZGRlZCA=?=", " padded ", true}, {"=?base64?bGluZTEKbGluZTI=?=", "line1\nline2", true},
        {"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?=", true},
        {"=?base64?" "?=", "", true}, {"=?base64?", "=?base64?", true}, {"=?base64?A?=", "", false},
        {"=?base64?!!!!?=", "", false}, {"=?base64?QQ=A?=", "A", false}, {"=?base64?====?=", "", false},
        {"=?BASE64?QQ==?=", "A", false}, {"世", "世", false}, {"a\x01", "a\x01", false},
        {"=?base64?YQBi?=", "a", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        is_int(mcp_header_is(cases[i].value, cases[i].text), cases[i].same, "case %zu: %s", i, cases[i].value);
}

#define BODY(method, more) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" more \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"v\"}}}"
#define TOOL(arguments) BODY("tools/call", "\"name\":\"t\",\"arguments\":{" arguments "},")

static void test_requests(void)
{
    static const char tools[] = "[{\"name\":\"u\",\"inputSchema\":{}},{\"name\":\"t\",\"inputSchema\":{"
        "\"properties\":{\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},\"deep\":{"
        "\"properties\":{\"level\":{\"type\":\"integer\",\"x-mcp-header\":\"Level\"}}}}}}]";
    static const struct { const char *body; struct sent sent; const char *wrong; } cases[] = {
        {BODY("tools/list", ""), {"v", "tools/list", 0, 0, 0}, NULL},
        {BODY("tools/list", ""), {0, "tools/list", 0, 0, 0}, "MCP-Protocol-Version header is missing"},
        {BODY("tools/list", ""), {"w", "tools/list", 0, 0, 0}, "'w' does not match body value 'v'"},
        {BODY("tools/list", ""), {"v", 0, 0, 0, 0}, "Mcp-Method header is missing"},
        {BODY("tools/list", ""), {"v", "Tools/list", 0, 0, 0}, "Mcp-Method header value"},
        {BODY("tools\\/list", ""), {"v", "tools/list", 0, 0, 0}, NULL},
        {BODY("prompts/get", "\"name\":\"p\","), {"v", "prompts/get", 0, 0, 0}, "Mcp-Name header is missing"},
        {BODY("prompts/get", "\"name\":\"\\u00e9\","), {"v", "prompts/get", "=?base64?w6k=?=", 0, 0}, NULL},
        {BODY("resources/read", "\"uri\":\"a:b\","), {"v", "resources/read", "a:b", 0, 0}, NULL},
        {BODY("resources/read", "\"uri\":\"a:b\","), {"v", "resources/read", "a:c", 0, 0}, "Mcp-Name"},
        {TOOL("\"region\":\"x\""), {"v", "tools/call", "t", "x", 0}, NULL},
        {TOOL("\"region\":\"x\""), {"v", "tools/call", "t", "y", 0}, "Mcp-Param-Region"},
        {TOOL("\"region\":\"x\""), {"v", "tools/call", "t", 0, 0}, "Mcp-Param-Region header is missing"},
        {TOOL("\"region\":null"), {"v", "tools/call", "t", 0, 0}, NULL},
        {TOOL(""), {"v", "tools/call", "t", "x", 0}, "does not match body value '(none)'"},
        {TOOL("\"deep\":{\"level\":42}"), {"v", "tools/call", "t", 0, "42.0"}, NULL},
        {TOOL("\"deep\":{\"level\":42}"), {"v", "tools/call", "t", 0, "43"}, "Mcp-Param-Level"},
        {TOOL("\"deep\":{\"level\":42}"), {"v", "tools/call", "t", 0, "42x"}, "Mcp-Param-Level"},
        {TOOL("\"deep\":7"), {"v", "tools/call", "t", 0, 0}, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct envelope e;
        struct fault f = FAULT_NONE;
        envelope_scan(cases[i].body, strlen(cases[i].body), &e, NULL);
        int rc = mcp_headers_check(&e, span_of(tools), 0, get, &cases[i].sent, &f);
        if (cases[i].wrong)
            ok(rc == -1 && strstr(f.text, cases[i].wrong), "case %zu: %s", i, f.text);
        else
            ok(rc == 0, "case %zu is right: %s", i, rc ? f.text : "");
    }
}

int main(void)
{
    test_values();
    test_requests();
    return done_testing();
}
