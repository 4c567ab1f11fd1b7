/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a request, as it comes in: what is said of its beginning holds for all of it. */
#include <string.h>
#include <strings.h>

#include "api/http_head.h"
#include "base/mem.h"
#include "fuzz.h"

/* In memory of its own, so that a byte too far is found. */
static enum http_head_kind read_copy(const uint8_t *data, size_t n, struct http_head *h, char **ret_copy)
{
    *ret_copy = xmalloc(n ? n : 1);
    memcpy(*ret_copy, data, n);
    enum http_head_kind kind = http_head_read(*ret_copy, n, h);
    MUST(kind != HTTP_HEAD_PLAIN || h->n <= n);
    return kind;
}

static void check_plain(const struct http_head *h, const char *text)
{
    size_t lengths = 0;

    MUST(h->path[0] == '/' && !strpbrk(h->path, " ?#\r\n"));
    MUST(h->count > 0 && h->count < HTTP_FIELDS_MAX);
    for (size_t i = 0; i < h->count; i++) {
        const struct http_field *f = &h->fields[i];
        MUST(f->name >= text && f->value + strlen(f->value) < text + h->n);
        MUST(strlen(f->name) == f->name_n && f->name_n > 0 && !strpbrk(f->value, "\r\n"));
        MUST(http_head_get(h, f->name) != NULL);
        lengths += strcasecmp(f->name, "Content-Length") == 0;
    }
    MUST(lengths == 1 && http_head_get(h, "host"));
    MUST(h->body_n == strtoul(http_head_get(h, "content-length"), NULL, 10));
    MUST(!http_head_get(h, "transfer-encoding") && !http_head_get(h, "expect") && !http_head_get(h, "upgrade"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum http_head_kind before = HTTP_HEAD_MORE;
    size_t plain_n = 0;

    for (size_t n = 0; n <= size && n < 2000; n++) {
        struct http_head h;
        AUTO_FREE char *text = NULL;
        enum http_head_kind kind = read_copy(data, n, &h, &text);
        MUST(before == HTTP_HEAD_MORE || kind == before);
        if (kind == HTTP_HEAD_PLAIN) {
            MUST(before == HTTP_HEAD_MORE ? h.n == n : h.n == plain_n);
            check_plain(&h, text);
            plain_n = h.n;
        }
        before = kind;
    }
    return 0;
}

#define HEAD "POST /mcp/echo HTTP/1.1\r\nHost: localhost:8080\r\n"
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(HEAD "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
              "Mcp-Session-Id: 0123456789abcdef\r\nContent-Length: 2\r\n\r\n{}POST /m"),
    FUZZ_SEED(HEAD "X-API-Key:k\r\nConnection: keep-alive\r\nCONTENT-LENGTH:\t 12\r\n\r\n"),
    FUZZ_SEED(HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    FUZZ_SEED(HEAD "Expect: 100-continue\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n"),
    FUZZ_SEED(HEAD " folded\r\nA\xc3\xa4: b\x7f\r\n: \r\nContent-Length: 1\n\n"),
    FUZZ_SEED("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    {NULL, 0},
};
