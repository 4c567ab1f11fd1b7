/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of foreign.h share. */
#ifndef MCPTOP_CONFIG_FOREIGN_INTERNAL_H
#define MCPTOP_CONFIG_FOREIGN_INTERNAL_H

#include "base/jscan.h"
#include "config/foreign.h"

/* The value of a node; of repeated keys the last one. */
json_t *foreign_json(const struct jscan_doc *doc, int32_t node);
void foreign_server_fini(struct foreign_server *s);
bool foreign_is_mcptop(json_t *spec);
bool foreign_is_empty(const char *text, size_t len);

#endif
