/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files share that change the configuration by key or verb: fleet_edit.c tries and writes,
 * fleet_undo.c remembers, undo_store.c over a restart, fleet_change.c (one server) and
 * fleet_defaults.c (what all inherit) decide. Private to these.
 *
 * `server` is a server's name, or NULL: then paths begin at the root ("docker_isolation.…"). */
#ifndef MCPTOP_SUPERVISOR_FLEET_EDIT_H
#define MCPTOP_SUPERVISOR_FLEET_EDIT_H

#include "supervisor/fleet_private.h"

/* One key and the value it gets; json NULL = it is removed. */
enum { CHANGE_KEYS_MAX = 8 + FLEET_KEYS_MAX };
struct key_change { char *path, *json; };
struct change_list {
    struct key_change v[CHANGE_KEYS_MAX];
    size_t n;
    bool single_keys;        /* some are none of isolation, limits and enabled */
};
void change_list_add(struct change_list *l, const char *path, const char *json);
void change_list_fini(struct change_list *l);

/* FAULT_CONFLICT while the file has errors: says the first. */
int fleet_edit_check_file(const struct fleet *fl, struct fault *f);
/* Is each value one at all? */
int fleet_edit_check_values(const struct fleet_change *c, struct fault *f);
/* s NULL: of docker_isolation. */
int fleet_edit_list_keys(const struct fleet *fl, const struct server *s,
                         const struct fleet_change *c, struct change_list *l, struct fault *f);
int fleet_edit_apply(const char *text, size_t len, const char *server, const struct change_list *l,
                     struct buf *out, struct fault *f);
/* The configuration that this text is, valid until the next reload; NULL with its first error. */
struct config *fleet_edit_parse(const struct fleet *fl, const struct buf *text, struct fault *f);
/* The plan that the server would have by this text. NULL with *f set. */
struct plan *fleet_edit_plan(const struct fleet *fl, const struct server *s, const struct buf *text,
                             struct fault *f);
/* Another key may win (extra_args), or nothing may help (a command that is docker itself): says so
 * instead of writing in vain. */
int fleet_edit_check_effect(const struct fleet_change *c, const struct plan *p, struct fault *f);
/* What the engine or the kernel would refuse, or kill for. */
int fleet_edit_check_limits(const struct server *s, const struct plan *p, struct fault *f);
bool fleet_edit_is_running(const struct server *s);
/* from and to: the text that is in force and the one that fleet_edit_parse or fleet_edit_plan has
 * read; then what the file was and is. */
int fleet_edit_write(struct fleet *fl, const char *server, const struct change_list *l,
                     struct buf *from, struct buf *to, struct fault *f);
/* Appended; secrets are hidden in it (config/conceal.h). */
void fleet_edit_diff(const struct buf *from, const struct buf *to, struct buf *ret);

enum { UNDO_MAX = 64 };
struct undo {
    char *server;                /* "" = docker_isolation */
    char *text, *back_text;      /* "memory_limit 512m → 1g", "memory_limit 1g → 512m" */
    struct change_list back;     /* what the keys were … */
    struct change_list made;     /* … and what they became: the same keys */
    /* the change made the isolation object: it goes when it is empty again */
    bool made_isolation;
    struct undo *next;
};
/* before: the values that were in force where a key was absent. */
void fleet_undo_remember(struct fleet *fl, const char *server, const struct plan_defaults *before,
                         bool was_docker, const struct change_list *l, const struct buf *from);
void undo_free(struct undo *u);
struct undo *fleet_undo_find(const struct fleet *fl, const char *server);
void fleet_undo_drop(struct fleet *fl, struct undo *gone);
/* The keys back to what they were, on the text as it is now; the isolation object too if the
 * change had made it and it is empty then. l gets what was done. FAULT_CONFLICT: somebody has
 * changed one of them since. */
int fleet_undo_try(const struct undo *u, const struct buf *text, struct change_list *l,
                   struct buf *out, struct fault *f);

/* undo_store.c: all of them, in the file that is kept over a restart. */
void undo_store_save(const struct fleet *fl);
void undo_store_restore(struct fleet *fl);

/* fleet_change.c */
enum change_applied fleet_change_follows(const struct server *s, const struct plan *p,
                                         bool enabled_changes);
/* fleet_defaults.c: a sentence when with this plan of s (NULL: as it is) the budget is passed. */
void fleet_budget_warn(const struct fleet *fl, const struct server *s, const struct plan *p,
                       struct strvec *ret_sentences);

#endif
