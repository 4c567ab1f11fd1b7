/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which heads are those of a plain POST, and what is read of them. */
#include <string.h>

#include "api/http_head.h"
#include "tap.h"

#define POST "POST /mcp/a%20b HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define LENGTH "Content-Length: 12\r\n"
#define END "\r\n"

static char text[8192];

static enum http_head_kind read_text(const char *s, struct http_head *h)
{
    strcpy(text, s);
    return http_head_read(text, strlen(text), h);
}

static void test_plain(void)
{
    static const char head[] = POST HOST "accept: a, b\r\nEmpty:\r\nX:\t two words \t\r\nX: another\r\n" LENGTH "\xC3\xA4: no\r\n";
    static const char good[] = POST HOST "accept: a, b\r\nEmpty:\r\nX:\t two \"words\"\xC3\xA4\r\nX: another\r\n"
                               "Connection: Keep-Alive\r\n" LENGTH END "{\"body\":1}";
    struct http_head h;

    is_int(read_text(head, &h), HTTP_HEAD_OTHER, "a name that is no token");
    is_int(read_text(good, &h), HTTP_HEAD_PLAIN, "a plain one");
    is_str(h.path, "/mcp/a%20b", "its path, as sent");
    is_int((long)h.n, (long)(strlen(good) - strlen("{\"body\":1}")), "where the body begins");
    is_int((long)h.body_n, 12, "and how long it is");
    is_str(http_head_get(&h, "Accept"), "a, b", "letter case does not matter");
    is_str(http_head_get(&h, "Empty"), "", "a field without a value");
    is_str(http_head_get(&h, "X"), "two \"words\"\xC3\xA4", "the first of two, no space round it");
    ok(!http_head_get(&h, "Y"), "one that is not there");
}

static void test_more(void)
{
    static const char good[] = POST HOST "X-API-Key: secret\r\n" LENGTH END;
    struct http_head h;
    int wrong = 0;

    for (size_t n = 0; n < sizeof good - 1; n++) {
        memcpy(text, good, n);
        wrong += http_head_read(text, n, &h) != HTTP_HEAD_MORE;
    }
    is_int(wrong, 0, "each beginning of a plain one may become one");
}

static void test_other(void)
{
    static const struct { const char *text, *what; } others[] = {
        {"GET /mcp HTTP/1.1\r\n" HOST LENGTH END, "another method"},
        {"post /mcp HTTP/1.1\r\n" HOST LENGTH END, "its letters are large"},
        {"POST /mcp HTTP/1.0\r\n" HOST LENGTH END, "another version"},
        {"POST  /mcp HTTP/1.1\r\n" HOST LENGTH END, "two spaces"},
        {"POST /mcp  HTTP/1.1\r\n" HOST LENGTH END, "two spaces behind the path"},
        {"POST mcp HTTP/1.1\r\n" HOST LENGTH END, "a path that does not begin with a slash"},
        {"POST http://x/mcp HTTP/1.1\r\n" HOST LENGTH END, "an absolute form"},
        {"POST /mcp?a=b HTTP/1.1\r\n" HOST LENGTH END, "a query"},
        {"POST /mcp#a HTTP/1.1\r\n" HOST LENGTH END, "a fragment"},
        {"POST /m\xC3\xA4 HTTP/1.1\r\n" HOST LENGTH END, "a path that is not ASCII"},
        {"POST /m\tcp HTTP/1.1\r\n" HOST LENGTH END, "a tab in it"},
        {"POST /mcp HTTP/1.1\n" HOST LENGTH END, "a bare LF behind the request line"},
        {POST "Host: x\n" LENGTH END, "a bare LF behind a field"},
        {POST HOST LENGTH "\n", "a bare LF at the end"},
        {POST "Host: a\rb\r\n" LENGTH END, "a bare CR"},
        {POST "Host: a\001\r\n" LENGTH END, "a control character"},
        {POST " Host: x\r\n" LENGTH END, "a space before the first field"},
        {POST HOST " folded\r\n" LENGTH END, "a folded line"},
        {POST "Host : x\r\n" LENGTH END, "a space before a colon"},
        {POST "Host\r\n" LENGTH END, "no colon"},
        {POST HOST ": x\r\n" LENGTH END, "no name"},
        {POST LENGTH END, "no host"},
        {POST HOST HOST LENGTH END, "two hosts"},
        {POST HOST END, "no length"},
        {POST HOST LENGTH LENGTH END, "two lengths"},
        {POST HOST LENGTH "A: b \r\n" END, "space behind a value"},
        {POST HOST "Content-Length: 12 \r\n" END, "and behind the length"},
        {POST HOST "Content-Length: \r\n" END, "an empty length"},
        {POST HOST "Content-Length: +1\r\n" END, "a sign"},
        {POST HOST "Content-Length: 0x1\r\n" END, "another base"},
        {POST HOST "Content-Length: 1, 1\r\n" END, "a list of lengths"},
        {POST HOST "Content-Length: 1234567890\r\n" END, "too many digits"},
        {POST HOST LENGTH "Transfer-Encoding: chunked\r\n" END, "chunks"},
        {POST HOST LENGTH "transfer-encoding:\r\n" END, "a coding that is empty"},
        {POST HOST LENGTH "Expect: 100-continue\r\n" END, "an expectation"},
        {POST HOST LENGTH "Upgrade: x\r\n" END, "an upgrade"},
        {POST HOST LENGTH "Connection: close\r\n" END, "a connection that ends"},
        {POST HOST LENGTH "Connection: keep-alive, x\r\n" END, "options of the connection"},
    };
    struct http_head h;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is_int(read_text(others[i].text, &h), HTTP_HEAD_OTHER, "%s", others[i].what);
}

static void test_many(void)
{
    char many[4000] = POST HOST LENGTH;
    struct http_head h;

    for (int i = 2; i < HTTP_FIELDS_MAX - 1; i++)
        strcat(many, "A: b\r\n");
    strcat(many, END);
    is_int(read_text(many, &h), HTTP_HEAD_PLAIN, "as many fields as there may be");
    is_int((long)h.count, HTTP_FIELDS_MAX - 1, "are all read");
    strcpy(many + strlen(many) - 2, "A: b\r\n" END);
    is_int(read_text(many, &h), HTTP_HEAD_OTHER, "and one more");
}

int main(void)
{
    test_plain();
    test_more();
    test_other();
    test_many();
    return done_testing();
}
