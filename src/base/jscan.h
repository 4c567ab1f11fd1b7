/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A JSON scanner that gives spans and lines instead of copies. Two levels:
 *
 *  - jscan_value(): steps over one value and checks it; allocates nothing. The envelope scanner of
 *    mcp/ uses it.
 *  - jscan_parse(): a table of nodes over the text. The configuration loader and editor use it,
 *    because bytes that nobody changes must stay as they are.
 *
 * Grammar: RFC 8259. Strict by default: valid UTF-8, bounded depth. Half a surrogate pair as an
 * escape is grammar and no text: jscan_value and jscan_string step over it, because what passes
 * through has to pass as it is; what reads strings (jscan_scalar, jscan_decode, jscan_parse) does
 * not take it.
 * JSCAN_LENIENT accepts // and block comments, trailing commas and a byte order mark, as the guide
 * writes its examples. */
#ifndef MCPTOP_BASE_JSCAN_H
#define MCPTOP_BASE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/fault.h"

enum jscan_flags { JSCAN_STRICT = 0, JSCAN_LENIENT = 1 };
enum { JSCAN_MAX_DEPTH = 128 };

/* p at the first byte of a value (white space before it skipped by the caller or by jscan_space).
 * Returns the byte after the value; NULL when it is not valid, and then *ret_bad (may be NULL) is
 * where. */
const char *jscan_value(const char *p, const char *end, const char **ret_bad);
/* The same for one string, number or word; NULL at a container. */
const char *jscan_scalar(const char *p, const char *end, const char **ret_bad);
static inline const char *jscan_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}
/* p at the opening quote. Returns the byte after the closing one, or NULL. *ret_plain (may be
 * NULL): no escapes inside. */
const char *jscan_string(const char *p, const char *end, bool *ret_plain);
/* Decodes the string whose quotes are at p[0] and p[n-1] into out (appended; "\u0000" gives a NUL
 * byte). -1 when invalid, and then out is as it was. */
int jscan_decode(const char *p, size_t n, struct buf *out);

/* ---- a text that is still to come ----
 * Scanned piece by piece as it arrives. What is long in it is known at its end, and jscan_value()
 * steps over that without another look: the scan of a large message is spread over the turns that
 * read it. */
enum {
    JSCAN_KNOWN_DEPTHS = 4,     /* the value itself is at depth 0 */
    JSCAN_KNOWN_SPANS = 4,      /* at each of them */
};
enum jscan_step { JSCAN_AT_VALUE, JSCAN_IN_STRING, JSCAN_BEHIND_VALUE };
struct jscan_stack {            /* which containers are open: one bit each, set for an object */
    uint64_t is_object[JSCAN_MAX_DEPTH / 64];
    unsigned depth;
};
struct jscan_known { size_t from, to; };
struct jscan_ahead {            /* begins as zeros, but for: */
    size_t least;               /* shorter values are not worth to be known */
    const char *text;
    size_t seen;                /* of it */
    struct jscan_stack stack;
    enum jscan_step step;       /* where to go on, with so many containers open */
    size_t at;
    unsigned depth;
    bool over;                  /* the value has ended, or is none, or is not worth it */
    bool has_newline;           /* among what was seen, the first one: */
    size_t newline;
    size_t start[JSCAN_KNOWN_DEPTHS];
    unsigned count[JSCAN_KNOWN_DEPTHS];
    struct jscan_known known[JSCAN_KNOWN_DEPTHS][JSCAN_KNOWN_SPANS];
};
/* text[0, n) is all that has come: what was there before, perhaps at another address, and more.
 * White space may stand before the value. */
void jscan_ahead(struct jscan_ahead *a, const char *text, size_t n);
/* From now on jscan_value() uses what `a` knows, whose text must stay where and as it is until
 * somebody else, or nobody (NULL), is known. Returns who was before. */
const struct jscan_ahead *jscan_know(const struct jscan_ahead *a);

enum jscan_type {
    JSCAN_NULL, JSCAN_FALSE, JSCAN_TRUE, JSCAN_NUMBER, JSCAN_STRING, JSCAN_ARRAY, JSCAN_OBJECT
};

struct jscan_node {
    enum jscan_type type;
    uint32_t line;              /* 1-based, of the value's first byte */
    uint32_t key_line;
    uint32_t start, end;        /* the value's bytes: text[start, end) */
    uint32_t key_start, key_end;/* with quotes; equal when it has no key */
    int32_t parent, first_child, last_child, next;   /* node indices; -1 = none */
    uint32_t children;
};
/* Its first byte: of its key, where it has one. */
static inline size_t jscan_from(const struct jscan_node *n)
{
    return n->key_start < n->key_end ? n->key_start : n->start;
}

struct jscan_doc {
    const char *text;           /* borrowed */
    size_t len;
    struct jscan_node *nodes;   /* owned; [0] is the root */
    size_t count, cap;
};

/* The whole text must be one value. On failure f says "line L, column C: expected …, found …"
 * (columns count characters), *ret_line (may be NULL) is the line, and doc is empty. doc borrows
 * the text. FAULT_INVALID, or FAULT_TOO_BIG above 256 MiB. */
int jscan_parse(struct jscan_doc *doc, const char *text, size_t len, enum jscan_flags flags,
                int *ret_line, struct fault *f);
void jscan_fini(struct jscan_doc *doc);
/* The *last* member of `node` with this key (the one that counts), or -1: there is none, or `node`
 * is no object. */
int32_t jscan_member(const struct jscan_doc *doc, int32_t node, const char *key);
bool jscan_key_is(const struct jscan_doc *doc, int32_t node, const char *key);
/* The decoded key, caller frees. NULL when node has none, or one with a NUL inside. */
char *jscan_key(const struct jscan_doc *doc, int32_t node);
/* The decoded string value, caller frees. NULL if node is -1, no string, or a string with a NUL
 * inside, which C would see cut short. */
char *jscan_str(const struct jscan_doc *doc, int32_t node);
/* false when node is -1, or not a whole number in range written without fraction and exponent. */
bool jscan_int(const struct jscan_doc *doc, int32_t node, int64_t *ret);

#endif
