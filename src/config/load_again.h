/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of load.c that takes over what was read before: see config_parse_after. */
#ifndef MCPTOP_CONFIG_LOAD_AGAIN_H
#define MCPTOP_CONFIG_LOAD_AGAIN_H

#include "base/jscan.h"
#include "config/mcp_config.h"

struct load_again {
    const struct config *before;
    size_t before_len, head, tail;   /* bytes that both texts begin and end with */
    size_t next;                     /* of the servers before: those in front of it are passed */
};

/* False: nothing can be taken over. */
bool load_again_look(struct load_again *a, const struct config_before *before, const char *text,
                     size_t len);
/* mcpServers of c has been found, in a text of so many bytes: unless it holds all that differs,
 * nothing is taken over. */
void load_again_begin(struct config *c, size_t len);
/* The next server of c from the one before that has its bytes and its key; false: there is none, or
 * something in it has to be told again. */
bool load_again_take(struct config *c, const struct jscan_doc *doc, int32_t node);

#endif
