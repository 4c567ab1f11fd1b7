/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the documentation says of each key of mcp_config.json. docs/configuration.md and
 * mcptop_config(5) are made from it; a test compares it with the tables of load.c, key by key and
 * place by place, and tries its defaults and examples on the program. */
#ifndef MCPTOP_CONFIG_KEY_DOC_H
#define MCPTOP_CONFIG_KEY_DOC_H

#include <stddef.h>

/* Where keys can stand. */
enum config_place {
    AT_ROOT, AT_LOGGING, AT_SERVER, AT_DOCKER_ISOLATION, AT_ISOLATION, CONFIG_PLACES
};
#define AT_BIT(place) (1u << (place))

/* In the texts, `words like these` are names and values. */
struct key_doc {
    unsigned at;             /* AT_BIT()s */
    const char *key;
    const char *type;        /* with its unit: "size", "duration", "array of strings" */
    const char *fallback;    /* the default as JSON; NULL where words must do */
    const char *fallback_is; /* … in words, or what more there is to say of it; NULL: nothing */
    const char *example;     /* a value, as JSON */
    const char *text;        /* one or two sentences */
};
const struct key_doc *key_doc_table(size_t *ret_n);

#endif
