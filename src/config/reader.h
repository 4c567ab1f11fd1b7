/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects of a JSON text read by table: one row a key. The reader reports what is wrong with a
 * value and goes on, so that all errors of a file come at once. Private to the config room. */
#ifndef MCPTOP_CONFIG_READER_H
#define MCPTOP_CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/jscan.h"
#include "base/strvec.h"
#include "config/key_doc.h"
#include "config/mcp_config.h"

struct reader {
    const struct jscan_doc *doc;     /* borrowed */
    struct problems *problems;       /* borrowed */
    config_getenv_fn env;
    void *env_ctx;
    /* Set while one server is read: an unset ${env:X} then concerns that server alone. It becomes a
     * warning, once, and is noted here (owned by whoever set the pointer). NULL: it is an error of
     * the file. */
    struct missing_env *ret_missing_env;
};

enum field_kind {
    FIELD_IGNORED,    /* another program's key: accepted in silence */
    FIELD_STRING,     /* char *; "" counts as absent, ${env:X} expands */
    FIELD_PATH,       /* the same, and a leading ~/ expands */
    FIELD_BOOL,       /* enum tri */
    FIELD_DURATION,   /* int64_t in ms */
    FIELD_STRINGS,    /* struct strvec */
    FIELD_MAP,        /* struct kvvec */
    FIELD_CALL,
};
typedef void (*field_fn)(struct reader *r, int32_t node, void *object);
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;             /* of the value in the object */
    field_fn call;
    const char *other_name_of; /* a foreign spelling: counts only where this key is absent */
    const char *no_effect;     /* a known key in the wrong place: this warning instead of a value */
};

/* The keys that can stand in a place: load.c's tables. */
const struct field *config_fields(enum config_place place, size_t *ret_n);

/* Reads every member of object `node` into the fields of `object`. null counts as absent. Warns
 * about repeated and unknown keys. */
void reader_object(struct reader *r, int32_t node, const struct field *fields, size_t n,
                   void *object);

struct problem *reader_problem(struct reader *r, enum problem_severity s, int32_t node,
                               const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "mcpServers[2].isolation.memory_limit"; caller frees. */
char *reader_path(const struct reader *r, int32_t node);
/* "an object", for messages. */
const char *reader_type_name(const struct reader *r, int32_t node);
bool reader_expect(struct reader *r, int32_t node, enum jscan_type type, const char *what);
/* The string's value, decoded and expanded; NULL after a problem. Caller frees. */
char *reader_string(struct reader *r, int32_t node);
/* The same without expansion: names. */
char *reader_plain_string(struct reader *r, int32_t node);
/* The key among `keys` that was probably meant, or NULL. */
const char *reader_nearest(const char *word, const char *const *keys, size_t n);

#endif
