/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The envelope of a JSON-RPC 2.0 message as MCP uses it, found without parsing or copying the
 * payload.
 *
 * Strict, because a scanner that reads a message otherwise than the server behind it is a hole: one
 * object, valid UTF-8, bounded depth; no key that counts may come twice or in another letter case
 * ("Id", "METHOD", and the foldings that some libraries know: U+017F is an s, U+212A a k);
 * "jsonrpc" is "2.0"; an id is a string or a number and is kept as its token (1 is not "1", 2^53+1
 * stays). A batch is refused with a sentence. */
#ifndef MCPTOP_MCP_ENVELOPE_H
#define MCPTOP_MCP_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include "base/buf.h"
#include "base/decimal.h"
#include "base/fault.h"

struct span { const char *p; size_t n; };       /* n == 0: absent. Points into the message */

enum envelope_kind { ENVELOPE_REQUEST, ENVELOPE_NOTIFICATION, ENVELOPE_RESULT, ENVELOPE_ERROR };

struct envelope {
    enum envelope_kind kind;
    struct span body;            /* the object, without the white space around it */
    /* the token, quotes included; absent in an error that answers no request (id null) */
    struct span id;
    struct span method;          /* without quotes, escapes as written (compare by span_is) */
    struct span params;          /* the value */
    struct span result, error;   /* the value */
    bool result_is_error;        /* result.isError is true: a tool says that it failed */
    struct span name;            /* params.name, the token with quotes (the tool of tools/call) */
    /* params._meta.progressToken of a request, params.progressToken of notifications/progress */
    struct span progress_token;
    struct span cancels;         /* params.requestId of notifications/cancelled: the token */
    /* of params._meta, the tokens: the version that a request of the modern era names, and the
     * request that a notification of it answers (io.modelcontextprotocol/…) */
    struct span version, subscription;
    struct span meta;            /* params._meta, where it is an object */
};

enum { ENVELOPE_MAX_TOKEN = 1024 };              /* bytes of an id or a progress token */

/* 0, or -1 with a sentence that names what is wrong. After a failure ret->id is the id if one was
 * read before it (so that an error can still be addressed), ret->method is not absent if one was
 * read, and nothing else of *ret counts. */
int envelope_scan(const char *msg, size_t n, struct envelope *ret, struct fault *f);

/* The id of a message of which only the first and the last bytes are there, or that is broken: it
 * stands before the payload or, as some SDKs write it, behind it. A wrong one would answer somebody
 * else's request, so at the end it has to look exactly so. Absent when it is not certain. */
struct span envelope_guess_id(const char *head, size_t n, const char *tail, size_t tail_n,
                              bool *ret_has_method);

/* The message in pieces for writev, with tokens replaced: at most ENVELOPE_IOV of them; returns how
 * many. new_id stands for the id; new_token for the progress token or, in a cancellation, for
 * requestId. n == 0 = keep. The pieces point into the message and the tokens. newline: "\n" follows
 * as a piece of its own. ENVELOPE_IOV is also the most that a call_reply_fn (session.h) is
 * handed. */
enum { ENVELOPE_IOV = 8 };
int envelope_rewrite(const struct envelope *e, struct span new_id, struct span new_token,
                     bool newline, struct iovec iov[ENVELOPE_IOV]);

/* Splits the piece that holds `at`, an address inside the message, and puts text there. iov has
 * room for two more; returns the new count. */
int envelope_insert(struct iovec *iov, int count, const char *at, struct span text);

/* Whether the message has a raw CR or LF (legal between tokens), which would break a framing by
 * lines. */
bool envelope_has_newline(const struct envelope *e);
/* Copies the message with each of them made a space (out has room for body.n bytes) and moves the
 * spans into the copy. */
void envelope_flatten(struct envelope *e, char *out);

/* Appends {"jsonrpc":"2.0","id":ID,"error":{"code":CODE,"message":…}} (id n == 0 → null). */
void envelope_error(struct buf *out, struct span id, int code, const char *message);

/* ---- spans ---- */
struct span span_of(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is_escaped(struct span s, struct span text);      /* of span_is */
/* Whether the inside of a JSON string is this text, escapes undone ("tools\/call" is
 * tools/call). An escape is longer than what it stands for. */
static inline bool span_is(struct span s, const char *text)
{
    size_t n = strlen(text);

    return s.n == n ? !n || !memcmp(s.p, text, n)
                    : s.n > n && span_is_escaped(s, (struct span){text, n});
}
/* The value of the first member with this key in an object that was scanned already; absent when
 * there is none or `object` is no object. */
struct span span_member(struct span object, const char *key);
/* The members of a scanned object one by one: *at begins behind its '{'. key: a token. */
struct member { struct span key, value; };
bool span_next_member(const char **at, const char *end, struct member *ret);
/* The text of a string token, cut at max bytes (never inside a character); "" when it is no string.
 * Caller frees. */
char *span_decode(struct span token, size_t max);
/* Each raw CR and LF, which are legal between tokens, made a space. */
void span_flatten(char *text, size_t n);
/* A copy on one line, to be put into another message. Caller frees. */
char *span_line(struct span value);
/* Whether an object or array token has nothing in it. */
bool span_is_empty(struct span token);
/* A token of plain digits as a number; false for anything else (also 1.0, 01, "1", above 10^18). */
bool span_to_id(struct span token, uint64_t *ret);
/* The way back; lies in out. */
enum { ID_DIGITS = DECIMAL_MAX };
struct span span_from_id(uint64_t id, char out[ID_DIGITS]);

#endif
