/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keeps every server's findings current: an observer of the fleet that judges a server when
 * something about it changed, and watches its figures once a second. What it finds hangs on the
 * server (doctor_findings); a finding that comes or goes by figures alone is told as a change of
 * the server. */
#ifndef MCPTOP_DIAGNOSE_DOCTOR_H
#define MCPTOP_DIAGNOSE_DOCTOR_H

#include "diagnose/finding.h"
#include "supervisor/fleet.h"
#include "supervisor/trial.h"

struct doctor;
/* After every other observer of the fleet, so that it is told first. */
struct doctor *doctor_new(struct fleet *fl);
void doctor_free(struct doctor *d);

/* Borrowed, until the loop goes on; never NULL. The worst first. */
const struct findings *doctor_findings(const struct server *s);

/* Whether a warning of the file is a finding of its server, too. */
bool doctor_tells_warning(const struct fleet *fl, const struct problem *p);

/* What no state of a server tells: the file, the listener, the engine, leftovers, servers that
 * others run too. Looked at now. out is filled anew. */
struct doctor_place { const char *data_dir, *listen_error; };
void doctor_of_supervisor(struct fleet *fl, const struct doctor_place *place,
                          struct findings *out);

/* Why a trial of this server failed, by the same rules; nothing where it went well. out is filled
 * anew. */
void doctor_of_trial(const struct fleet *fl, const struct server *s, const struct trial_result *r,
                     struct findings *out);

/* A fix of one of the server's findings: by the finding's code (NULL = any, the worst first) and
 * its id (NULL = the first). */
const struct fix *doctor_find_fix(const struct server *s, const char *code, const char *id);
/* Makes it (or, with dry_run, only says what it would do). ret as of fleet_change; where nothing in
 * the file changes its diff is empty. */
int doctor_fix(struct fleet *fl, struct server *s, const struct fix *x, bool dry_run,
               struct fleet_change_result *ret, struct fault *f);

#endif
