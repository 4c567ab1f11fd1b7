/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The flags of docker run, one row each, and the functions that the rows name. Private to the
 * isolation room. */
#ifndef MCPTOP_ISOLATION_RUN_FLAG_H
#define MCPTOP_ISOLATION_RUN_FLAG_H

#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/fault.h"
#include "isolation/plan.h"
#include "isolation/runargs.h"

/* A create body and its HostConfig. */
struct run_json { json_t *body, *host; };

struct run_flag;
/* Into a field of the plan. */
typedef int (*run_apply_fn)(const struct runargs *r, const char *value, struct fault *f);
/* An option's value into the Engine's JSON; its check is the same function on scratch objects. */
typedef int (*run_put_fn)(const struct run_flag *flag, const char *value, const struct run_json *to,
                          struct fault *f);

struct run_flag {
    char letter;             /* 0 = none */
    const char *name;
    const char *other_name;
    bool is_switch;          /* takes no value of its own: --flag, --flag=false */
    run_apply_fn apply;      /* a field; NULL: an option, or nothing at all */
    run_put_fn put;          /* an option */
    const char *key;         /* for put: the Engine's name */
    bool in_body;            /* … in the body, not in its HostConfig */
    bool list;               /* an option that is given several times; else the last one wins */
    const char *refused;     /* why it cannot be; where `ignored` stands too: in extra_args only */
    const char *ignored;     /* accepted and left out: why, for a note; "" = not worth one */
};

const struct run_flag *run_flag_long(const char *name, size_t n);
const struct run_flag *run_flag_letter(char c);
const struct run_flag *run_flag_table(size_t *ret_n);

/* run_field.c */
int run_field_memory(const struct runargs *r, const char *value, struct fault *f);
int run_field_memory_swap(const struct runargs *r, const char *value, struct fault *f);
int run_field_cpus(const struct runargs *r, const char *value, struct fault *f);
int run_field_pids(const struct runargs *r, const char *value, struct fault *f);
int run_field_network(const struct runargs *r, const char *value, struct fault *f);
int run_field_workdir(const struct runargs *r, const char *value, struct fault *f);
int run_field_env(const struct runargs *r, const char *value, struct fault *f);
int run_field_env_file(const struct runargs *r, const char *value, struct fault *f);
int run_field_init(const struct runargs *r, const char *value, struct fault *f);
int run_field_pull(const struct runargs *r, const char *value, struct fault *f);
int run_field_log_driver(const struct runargs *r, const char *value, struct fault *f);
int run_field_log_opt(const struct runargs *r, const char *value, struct fault *f);
/* "./x" and "x" → absolute, against r->dir; caller frees. */
char *run_field_path(const struct runargs *r, const char *path);

/* run_mount.c */
int run_mount_volume(const struct runargs *r, const char *value, struct fault *f);
int run_mount_mount(const struct runargs *r, const char *value, struct fault *f);
void run_mount_put(const struct plan *p, const struct run_json *to);
/* One CSV record, as Go's encoding/csv reads it ("a,\"b,c\"" → a; b,c). -1 when a quote is
 * misplaced. */
int run_mount_fields(const char *record, struct strvec *out);

/* run_option.c */
int run_option_text(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f);
int run_option_list(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f);
int run_option_switch(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f);
int run_option_int(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f);
int run_option_size(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f);
int run_option_map(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f);
int run_option_label(const struct run_flag *flag, const char *value, const struct run_json *to,
                     struct fault *f);
int run_option_entrypoint(const struct run_flag *flag, const char *value,
                          const struct run_json *to, struct fault *f);
int run_option_dns(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f);
int run_option_add_host(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f);
int run_option_cap(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f);
int run_option_security(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f);
int run_option_ulimit(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f);
int run_option_tmpfs(const struct run_flag *flag, const char *value, const struct run_json *to,
                     struct fault *f);
int run_option_device(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f);
int run_option_gpus(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f);
int run_option_platform(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f);
/* run_port.c */
int run_port_put(const struct run_flag *flag, const char *value, const struct run_json *to,
                 struct fault *f);

#endif
