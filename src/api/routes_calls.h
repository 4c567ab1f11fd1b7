/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls of the past: listed, shown, sent again. */
#ifndef MCPTOP_API_ROUTES_CALLS_H
#define MCPTOP_API_ROUTES_CALLS_H

#include "supervisor/recorder.h"

struct api_server;
struct request;

void calls_get(struct api_server *a, struct request *r, const char *name);
void call_get(struct api_server *a, struct request *r, const char *id);
/* routes_replay.c */
void call_post_replay(struct api_server *a, struct request *r, const char *id);
/* The recorded call; FAULT_CONFLICT when only its figures are known, FAULT_NOT_FOUND. */
int call_read(struct api_server *a, const char *id, struct record *ret, struct fault *f);

#endif
