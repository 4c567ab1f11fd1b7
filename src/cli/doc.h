/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Getting at members of the API's documents. */
#ifndef MCPTOP_CLI_DOC_H
#define MCPTOP_CLI_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Members by a dotted path ("usage.cpu"). Absent or of another type: "" / otherwise / NULL. */
json_t *doc_get(json_t *o, const char *path);
const char *doc_str(json_t *o, const char *path);
int64_t doc_int(json_t *o, const char *path, int64_t otherwise);
double doc_real(json_t *o, const char *path, double otherwise);
bool doc_true(json_t *o, const char *path);

#endif
