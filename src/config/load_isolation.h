/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of load.c that reads isolation objects, and what both read with. */
#ifndef MCPTOP_CONFIG_LOAD_ISOLATION_H
#define MCPTOP_CONFIG_LOAD_ISOLATION_H

#include "config/reader.h"

/* Places: AT_DOCKER_ISOLATION and AT_ISOLATION. False: it is no object. */
bool load_isolation(struct reader *r, int32_t node, enum config_place place,
                    struct iso_settings *iso);
void load_isolation_init(struct iso_settings *iso);
const struct field *load_isolation_fields(enum config_place place, size_t *ret_n);

/* null, or "". */
bool load_is_unset(const struct jscan_node *n);
/* Which of the words stands there; -1 when none, which is an error (write: what could stand there)
 * unless nothing does. */
int load_word(struct reader *r, int32_t node, const char *const *words, size_t n, const char *what,
              const char *write);

#endif
