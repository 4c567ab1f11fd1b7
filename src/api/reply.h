/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The envelope of every API answer, and query parameters decoded. */
#ifndef MCPTOP_API_REPLY_H
#define MCPTOP_API_REPLY_H

#include <jansson.h>
#include <stdint.h>
#include "api/httpd.h"
#include "supervisor/fleet.h"

struct fleet;

/* {"success":true,"data":…}; data is stolen. Indented: people read it with curl. */
void reply_data(struct request *r, json_t *data);
/* {"success":false,"error":…,"request_id":…}, logged with that id when the status is 500. */
void reply_error(struct request *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The HTTP status that fits the fault's code, and its text. */
void reply_fault(struct request *r, const struct fault *f);
/* 404: there is no such server; and which one was probably meant. 503 while the supervisor stops,
 * when servers go one by one: who asks again will find the next supervisor. */
void reply_no_server(struct request *r, const struct fleet *fl, const char *name);
/* The envelope of an error as text, for an answer before the body was read. */
void reply_error_text(char *out, size_t n, const char *message);

/* false when absent or malformed. */
bool query_text(const struct request *r, const char *name, char *out, size_t n);
/* "1", "true" or no value */
bool query_flag(const struct request *r, const char *name);
/* def when absent; clamped to [0, max]; -1 when it is no number. */
int64_t query_int(const struct request *r, const char *name, int64_t def, int64_t max);

#endif
