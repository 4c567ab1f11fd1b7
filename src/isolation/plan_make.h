/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files that make a plan share. Private to the isolation room. */
#ifndef MCPTOP_ISOLATION_PLAN_MAKE_H
#define MCPTOP_ISOLATION_PLAN_MAKE_H

#include "isolation/plan.h"
#include "isolation/runtime.h"

/* A plan in the making: the two levels it is made from. */
struct maker {
    const struct config *config;
    const struct config_server *server;
    const struct iso_settings *global, *own;
    struct problems *problems;       /* may be NULL */
    struct plan *p;
};

/* Which level has the key: its settings and the key's full name ("isolation.image"); NULL when
 * neither has. */
const struct iso_settings *plan_level(const struct maker *m, enum iso_key key,
                                      const char **ret_prefix);

void plan_note_add(struct plan *p, const char *what, const char *value, int line, bool warning,
                   const char *why, ...) __attribute__((format(printf, 6, 7)));

/* plan_mode.c: host, docker or unsupported, with its notes. */
void plan_decide_mode(struct maker *m);
/* plan_docker.c: everything a container needs. */
void plan_fill_docker(struct maker *m, enum image_runner runner);
/* plan_harden.c: the level's options and bounds, with notes. rt: NULL = an image of its own. Call
 * it when all words of the user are applied. */
void plan_harden(struct maker *m, const struct runtime *rt);
enum hardening plan_hardening(const struct maker *m);
/* Is the container's user root by a flag? (The image's own is not known.) */
bool plan_is_root(const struct plan *p);
/* plan_adopt.c: may this `docker run` be run by us? *ret_why (the caller's; NULL = nothing worth
 * saying): why not. ADOPT_REFUSED: nor can it run as written; the plan says why. */
enum adoption { ADOPT_NOT, ADOPT_YES, ADOPT_REFUSED };
enum adoption plan_adopt(struct maker *m, char **ret_why);
void plan_fill_adopted(struct maker *m);
/* plan_docker.c: parts that a `docker run` of the user's shares. */
void plan_take_pull_policy(struct maker *m);
void plan_take_limits(struct maker *m);
void plan_take_log(struct maker *m);
void plan_take_timeout(struct maker *m);
void plan_take_working_dir(struct maker *m);
void plan_take_volumes(struct maker *m);
void plan_apply_extra_args(struct maker *m, const struct iso_settings *level);
/* run_field.c: a variable of the container, whatever was said of it before. */
void plan_env_set(struct plan *p, const char *key, const char *value);
/* plan_client.c: what docker would add by itself. Call it when the environment is whole. */
void plan_take_client(struct maker *m);
/* plan_weak.c: whether the container isolates little, with a note. */
void plan_find_weakness(struct maker *m);
/* The local driver compresses what it rotates, and with one file refuses to start unless told not
 * to. */
bool plan_log_uncompressed(const struct plan *p);
/* Makes the plan unsupported: the sentence, and a problem at the key. */
void plan_refuse(struct maker *m, int line, const char *key, const char *text);
/* Lexically: "/var//run/./x/.." → "/var/run". Caller frees. */
char *plan_normal_path(const char *path);
void plan_mount_fini(struct plan_mount *m);
/* flag: static. */
void plan_option_add(struct plan *p, const char *flag, const char *value, bool hardening);
void plan_option_remove(struct plan *p, size_t i);
/* plan_hash.c */
void plan_set_hashes(struct plan *p);

#endif
