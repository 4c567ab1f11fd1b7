/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan of a server: how it will be run and why, as a pure function of the configuration (and of
 * what was learned about the image). No decision without a note that names the key, its level and
 * line. */
#ifndef MCPTOP_ISOLATION_PLAN_H
#define MCPTOP_ISOLATION_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/fault.h"
#include "base/strvec.h"
#include "config/mcp_config.h"

enum plan_mode {
    PLAN_HOST,
    PLAN_DOCKER,
    /* remote servers, mode sandbox: not started, and never on the host instead */
    PLAN_UNSUPPORTED,
};

/* One decision. */
struct plan_note {
    char *what;      /* "mode", "image", "memory_limit", "network_mode", "bootstrap", "volume", … */
    char *value;     /* "docker", "python:3.11", "512m" … */
    /* "docker_isolation.enabled is true (line 4)"; "default: uvx runs in python:3.11" */
    char *why;
    int line;        /* in the configuration file; 0 = a default */
    bool warning;    /* something the user should look at (an ignored key, weakened isolation, …) */
};

struct plan_mount {
    char *source;    /* absolute host path, or a volume's name; "" = an anonymous volume, a tmpfs */
    char *target;
    bool is_volume, read_only, is_tmpfs;
    /* As docker run's -v writes it ("/a:/b:ro,z", "/b"): the engine then makes a source that is
     * missing. NULL = a mount proper, whose source must exist. */
    char *bind;
    /* of --mount; NULL and 0 = not said */
    char *propagation;
    bool no_copy;
    int64_t tmpfs_bytes;
    int tmpfs_mode;
};

/* A flag of docker run that the plan has no field for (runargs.h): checked, and kept as it was
 * written. */
struct plan_option {
    const char *flag;    /* "cap-drop"; static */
    char *value;         /* "true" where the flag is a switch */
    bool hardening;      /* nobody wrote it: docker_isolation.hardening adds it */
};

struct plan {
    enum plan_mode mode;
    char *unsupported;           /* the sentence for PLAN_UNSUPPORTED */
    char *server;

    /* what runs: argv[0] is the command */
    struct strvec argv;
    struct kvvec env;            /* the server's own env (host: on top of the allow-list) */
    char *working_dir;           /* NULL = the supervisor's / the image's */

    /* PLAN_DOCKER */
    char *image;                 /* full reference as given to the engine */
    enum pull_policy pull_policy;/* never PULL_UNSET; about the start only, so in no hash */
    char *pull_key;              /* who says so: "isolation.pull_policy (line 7)"; NULL = nobody */
    char *runtime;               /* "python" */
    int64_t memory_bytes;        /* 0 = none */
    int64_t nano_cpus;           /* 0 = none */
    int64_t memory_swap_bytes;   /* memory and swap together; 0 = twice the memory; -1 = any */
    int64_t pids_limit;          /* 0 = none */
    char *memory_text, *cpu_text;/* as users write them: "512m", "1.0" */
    char *network_mode;
    struct plan_mount *mounts;
    size_t mount_count;
    struct kvvec container_env;  /* env of extra_args and isolation.env, then the server's */
    struct strvec env_unset;     /* `-e KEY` of a variable that is not set: it shall not be */
    struct strvec env_of_files;  /* which of them come from an --env-file, and no -e */
    struct kvvec client_env;     /* what docker adds by itself; in no line that docker reads */
    struct plan_option *options; /* owned; in the order of the words */
    size_t option_count;
    bool init;                   /* the engine's init is PID 1 */
    bool init_denied;            /* by --init=false: an engine whose default it is has none then */
    /* The server's command is `docker run …`: this is its container, made by us. argv is then what
     * follows the image, maybe nothing. */
    bool adopted;
    /* The command is this container client itself ("docker"; static), run as written, and no key
     * makes its container ours. */
    const char *client;
    /* A `podman run` that would be adopted, were the engine known to be Podman's: where no engine
     * was asked yet, a start waits for it. */
    bool awaits_engine;
    char *log_driver, *log_max_size, *log_max_files;
    struct kvvec log_options;    /* other ones */
    /* the image lacks the runner: argv_in_container installs it first */
    bool bootstrap;
    int64_t start_timeout_ms;
    enum hardening hardening;    /* never HARDENING_UNSET; what it added stands in options */
    /* isolates little (DESIGN §3.5), and every reason for it: "the network is the host's; …" */
    bool weak;
    char *weak_why;

    struct plan_note *notes;     /* owned */
    size_t note_count;

    /* live_hash covers the limits, which the engine can change on a running container (memory,
     * cpus, pids); hash covers everything else that the configuration says about the process. What
     * was learned about the image (bootstrap) is in neither: knowing more is no reason to
     * restart. What a difference leads to: plan_change. */
    uint64_t hash, live_hash;
};

/* What was found out by looking into an image (see docker/engine.h); unknown until the first
 * start. */
enum image_runner { RUNNER_UNKNOWN, RUNNER_PRESENT, RUNNER_MISSING };

/* Never NULL. Errors in extra_args or volumes become problems with the key's path and line and make
 * the plan PLAN_UNSUPPORTED with that sentence. problems may be NULL. */
struct plan *plan_make(const struct config *c, const struct config_server *s,
                       enum image_runner runner, struct problems *problems);
void plan_free(struct plan *p);
/* Why it is so: the sentence of the first note about `what`, else a general one. Borrowed. */
const char *plan_why(const struct plan *p, const char *what);
/* The note that says why it runs on the host although its isolation.enabled is true; NULL = it does
 * not, or that is not. */
const struct plan_note *plan_ignored_isolation(const struct plan *p, const struct config_server *s);
/* What the last such flag of docker run says ("platform"); NULL when none does. Borrowed. */
const char *plan_option(const struct plan *p, const char *flag);
/* What is started in the container, as far as the plan says: --entrypoint, else the first word; ""
 * where that is the image's. Borrowed. */
const char *plan_program(const struct plan *p);
/* Does a mount bring this path of the container: is it at its target, or below it? */
bool plan_has_path(const struct plan *p, const char *path);

/* The one key of the server that turns its isolation on or off, seen from the configuration as it
 * is: both borrowed, for struct edit_change ("isolation.enabled" and "false", or "isolation.mode"
 * where enabled alone would be ignored; a value of NULL removes the key). */
void plan_isolation_key(const struct config *c, const struct config_server *s, bool docker,
                        const char **ret_path, const char **ret_json_value);
const char *plan_mode_name(enum plan_mode m);    /* "host" "docker" "unsupported" */

/* The command line inside the container: argv, or with bootstrap
 * ["sh", "-c", "<install the runner unless it is there>; exec \"$@\"", "sh", argv…]. */
void plan_container_argv(const struct plan *p, struct strvec *out);

/* What a server inherits that says nothing itself: docker_isolation's values, else the built-in
 * ones. Borrowed from c. */
struct plan_defaults {
    const char *memory_limit, *cpu_limit, *network_mode;
    int64_t pids_limit;          /* 0 = none */
};
void plan_get_defaults(const struct config *c, struct plan_defaults *ret);   /* c may be NULL */

struct plan_identity { const char *instance; const char *container_name; };
/* Body of POST /containers/create. New reference. */
json_t *plan_create_json(const struct plan *p, const struct plan_identity *id);
/* Body of POST /containers/ID/update: memory, memory-swap, cpus, pids. */
json_t *plan_update_json(const struct plan *p);
/* argv, with what looks like a secret and what its environment holds of these as "***". out is
 * filled anew. */
void plan_masked_argv(const struct plan *p, struct strvec *out);
/* What it equals: ["run","-i","--rm","--name",…,IMAGE,CMD…]; without name and labels of ours where
 * id is NULL. Secrets: values of env are "***" where masked. */
void plan_run_args(const struct plan *p, const struct plan_identity *id, bool masked,
                   struct strvec *out);
/* The same masked, as main.log has it: ["run", "-i", …]; appended. */
void plan_run_args_text(const struct plan *p, const struct plan_identity *id, struct buf *out);
/* A line for a shell that starts the same server beside the running one: no name, no labels of
 * ours; env values as `-e KEY` (masked) unless with_secrets. Works for host plans too (env -i … cd
 * …). */
void plan_shell_line(const struct plan *p, bool with_secrets, struct buf *out);
/* "mcpproxy-github-x7q2": the name part sanitised as users know it; random4 gives the last four. */
char *plan_container_name(const char *server, const char *random4);
/* What it takes to bring `to` into force where `from` runs. The engine can set a limit on a running
 * container and change it; a memory or CPU limit it cannot take away, so that restarts. */
enum plan_change { PLAN_SAME, PLAN_LIVE, PLAN_RESTARTS };
enum plan_change plan_change(const struct plan *from, const struct plan *to);
/* Would this change of keys (isolation on/off) take something away? Sentences for the
 * confirmation. */
void plan_compare(const struct plan *from, const struct plan *to, struct strvec *ret_sentences);

#endif
