/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The envelope scanner against a full parser: what it accepts is JSON, the parser finds the same
 * id, method, name and tokens, and rewriting or flattening changes nothing else. */
#include "fuzz.h"

#include <jansson.h>
#include <string.h>
#include "mcp/envelope.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"add\",\"arguments\":{\"name\":1},"
        "\"_meta\":{\"progressToken\":\"t\"}}}"),
    FUZZ_SEED(
        " {\"params\":{\"_meta\":{\"progressToken\":1.5},\"x\":[]},\n\"method\":\"x\",\r\n\"id\":\"\\u00e9\",\"jsonrpc\":\"2.0\"}\n"),
    FUZZ_SEED(
        "{\"result\":{\"a\":[1,{\"id\":2}],\"b\":\"\xE2\x80\xA8\"},\"jsonrpc\":\"2.0\",\"id\":9007199254740993}"),
    FUZZ_SEED("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"m\"}}"),
    FUZZ_SEED(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":3,\"progress\":1}}"),
    FUZZ_SEED(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"requestId\":\"r\",\"reason\":\"\"}}"),
    FUZZ_SEED("{\"\\u0069d\":1,\"i\\u0064\":2,\"ID\":3,\"re\xC5\xBFult\":4}"),
    {NULL, 0},
};

static json_t *load(struct span s)
{
    json_error_t error;

    return json_loadb(s.p, s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
}

/* token says what the parser found; absent and NULL agree. */
static void must_agree(struct span token, json_t *found)
{
    json_t *own = token.n ? load(token) : NULL;

    MUST(!token.n || own);
    MUST(token.n ? found && json_equal(own, found) : !found);
    json_decref(own);
}

static void check_fields(const struct envelope *e, json_t *root)
{
    json_t *params = json_object_get(root, "params"), *id = json_object_get(root, "id");

    MUST(json_is_object(root) &&
         !strcmp(json_string_value(json_object_get(root, "jsonrpc")), "2.0"));
    must_agree(e->id, json_is_null(id) ? NULL : id);
    if (e->kind == ENVELOPE_REQUEST || e->kind == ENVELOPE_NOTIFICATION)
        must_agree(e->params, params);
    must_agree(e->result, json_object_get(root, "result"));
    must_agree(e->error, json_object_get(root, "error"));
    struct span method = e->method.n ? (struct span){e->method.p - 1, e->method.n + 2}
                                     : (struct span){0};
    must_agree(method, json_object_get(root, "method"));
    if (e->kind == ENVELOPE_REQUEST) {
        json_t *name = json_object_get(params, "name");
        json_t *token = json_object_get(json_object_get(params, "_meta"), "progressToken");
        must_agree(e->name, json_is_string(name) ? name : NULL);
        must_agree(e->progress_token, json_is_null(token) ? NULL : token);
    } else {
        MUST(!e->name.n);
        if (e->progress_token.n)
            must_agree(e->progress_token, json_object_get(params, "progressToken"));
        if (e->cancels.n)
            must_agree(e->cancels, json_object_get(params, "requestId"));
    }
}

static void check_rewrite(const struct envelope *e)
{
    struct span id = span_of("\"new id\""), token = span_of("424242");
    struct span was = e->progress_token.n ? e->progress_token : e->cancels;
    struct iovec iov[ENVELOPE_IOV];
    struct buf same = BUF_INIT, out = BUF_INIT;
    struct envelope again;

    int n = envelope_rewrite(e, (struct span){0}, (struct span){0}, false, iov);
    for (int i = 0; i < n; i++)
        buf_add(&same, iov[i].iov_base, iov[i].iov_len);
    MUST(same.len == e->body.n && !memcmp(same.data, e->body.p, same.len));
    n = envelope_rewrite(e, id, token, true, iov);
    MUST(n <= ENVELOPE_IOV);
    for (int i = 0; i < n; i++)
        buf_add(&out, iov[i].iov_base, iov[i].iov_len);
    MUST(out.data[--out.len] == '\n');
    MUST(out.len == e->body.n + (e->id.n ? id.n - e->id.n : 0) + (was.n ? token.n - was.n : 0));
    MUST(!envelope_scan(out.data, out.len, &again, NULL));
    MUST(again.kind == e->kind && span_equal(again.method, e->method) &&
         span_equal(again.name, e->name));
    MUST(span_equal(again.id, e->id.n ? id : e->id));
    MUST(span_equal(again.progress_token.n ? again.progress_token : again.cancels,
                    was.n ? token : was));
    buf_fini(&same);
    buf_fini(&out);
}

static void check_flat(struct envelope e, json_t *root)
{
    char *flat = malloc(e.body.n);

    MUST(flat);
    envelope_flatten(&e, flat);
    MUST(!envelope_has_newline(&e));
    json_t *again = load(e.body);
    MUST(again && json_equal(again, root));
    check_fields(&e, root);
    json_decref(again);
    free(flat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct envelope e;
    struct fault f = FAULT_NONE;
    json_error_t error;

    if (envelope_scan((const char *)data, size, &e, &f)) {
        MUST(f.code && f.text[0]);
        return 0;
    }
    json_t *root = json_loadb((const char *)data, size, JSON_ALLOW_NUL, &error);
    if (!root) {
        /* What is JSON and what the parser cannot hold. */
        enum json_error_code code = json_error_code(&error);
        MUST(code == json_error_numeric_overflow ||
             fuzz_has_surrogate((const char *)data, (const char *)data + size));
        return 0;
    }
    check_fields(&e, root);
    check_rewrite(&e);
    check_flat(e, root);
    json_decref(root);
    return 0;
}
