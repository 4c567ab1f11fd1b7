/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user's mcp_config.json as values. Loading is pure: text in, struct config and a list of
 * problems out.
 *
 * Unset is visible everywhere (TRI_UNSET, NULL, 0 lines), because a plan must say *which* level
 * decided. Every value keeps the line it stands on. Nothing here has a default: defaults are the
 * plan's (isolation/plan.h). */
#ifndef MCPTOP_CONFIG_MCP_CONFIG_H
#define MCPTOP_CONFIG_MCP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/fault.h"
#include "base/strvec.h"

enum tri { TRI_UNSET = -1, TRI_NO = 0, TRI_YES = 1 };

/* One `docker_isolation` (global) or `isolation` (of a server) object. */
enum iso_key {
    ISO_ENABLED, ISO_MODE, ISO_IMAGE, ISO_MEMORY_LIMIT, ISO_CPU_LIMIT, ISO_PIDS_LIMIT, ISO_TIMEOUT,
    ISO_NETWORK_MODE, ISO_WORKING_DIR, ISO_REGISTRY, ISO_VOLUMES, ISO_EXTRA_ARGS, ISO_ENV,
    ISO_DEFAULT_IMAGES, ISO_LOG_DRIVER, ISO_LOG_MAX_SIZE, ISO_LOG_MAX_FILES, ISO_CACHE_VOLUME,
    ISO_PULL_POLICY, ISO_HARDENING, ISO_KEYS
};
enum cache_volume { CACHE_UNSET = -1, CACHE_NO, CACHE_PER_SERVER, CACHE_SHARED };
enum iso_mode { MODE_UNSET = -1, MODE_NONE, MODE_DOCKER, MODE_SANDBOX };
/* When an image is pulled before a container is made from it. */
enum pull_policy { PULL_UNSET = -1, PULL_MISSING, PULL_ALWAYS, PULL_NEVER };

/* What is taken from a container that servers hardly need: see isolation/plan_harden.c. */
enum hardening { HARDENING_UNSET = -1, HARDENING_OFF, HARDENING_STANDARD, HARDENING_STRICT };

struct iso_settings {
    int line[ISO_KEYS];          /* 1-based line of each key's value; 0 = the key is absent */
    enum tri enabled;
    enum iso_mode mode;
    char *image;
    /* as written; memory_bytes is its value, 0 = "no limit" written as "0" */
    char *memory_limit;
    int64_t memory_bytes;
    char *cpu_limit;             /* as written; "1.5" or a JSON number */
    int64_t nano_cpus;
    int64_t pids_limit;          /* 0 = "no limit" written as 0; -1 = absent */
    /* docker_isolation only: what the memory limits of all that run may come to; 0 = no budget */
    char *total_memory;
    int64_t total_memory_bytes;
    int64_t timeout_ms;
    char *network_mode;
    char *working_dir;
    char *registry;
    struct strvec volumes;       /* "/host:/container[:ro]" after ${env:X} */
    struct strvec extra_args;
    struct kvvec env;
    struct kvvec default_images; /* command → image; a server's own win over the global ones */
    char *log_driver, *log_max_size, *log_max_files;
    enum cache_volume cache_volume;
    enum pull_policy pull_policy;
    enum hardening hardening;
};

/* The name of the key in the file ("memory_limit"). */
const char *iso_key_name(enum iso_key key);
const char *hardening_name(enum hardening h);       /* "standard" (also where unset) … */
const char *pull_policy_name(enum pull_policy p);   /* "missing" (also where unset) … */
void iso_settings_fini(struct iso_settings *iso);

/* Of MCP, not of the transport: "mcp_protocol". */
enum mcp_protocol { MCP_PROTOCOL_AUTO, MCP_PROTOCOL_LEGACY, MCP_PROTOCOL_MODERN };

/* When it is started: with mcptop, or by its first call. */
enum start_mode { START_EAGER, START_LAZY };

/* Whether its clients share one process, or every session has one of its own. */
enum sharing { SHARING_SHARED, SHARING_PER_SESSION };

/* What becomes of a tool that is not as it was first seen. */
enum tool_change_policy { TOOL_CHANGE_UNSET, TOOL_CHANGE_WARN, TOOL_CHANGE_HOLD };

/* The variables of ${env:X} that are not set, each once, with the line that named it first. */
struct missing_env {
    struct missing_variable { char *name; int line; } *v;     /* owned */
    size_t n;
};
/* "the environment variable X (line 3) is not set: …", of all that are missing from the one at
 * `from` on, `n` of them. Caller frees. */
char *missing_env_words(const struct missing_env *m, size_t from, size_t n);

struct config_server {
    char *name;                  /* unique, not empty */
    char *key;                   /* where it stands: "mcpServers[2]" or "mcpServers.github" */
    int line;                    /* of its object */
    size_t key_from;             /* where its key begins in the text; without one: from */
    size_t from, to;             /* its bytes */
    bool broken;                 /* while it is read: an error stands in it */
    bool has_problems;           /* of its own: to be told again whenever the file is read */
    size_t same_as;              /* 1 + its place in the configuration before, which owns what it
                                  * points to until config_take_over; 0 = it was read */
    char *protocol;              /* NULL = stdio (or remote when url is set) */
    char *command;
    struct strvec args;
    char *working_dir;
    struct kvvec env;            /* ${env:X} expanded */
    struct missing_env missing_env;   /* any: it cannot be started */
    char *url;                   /* set: a remote server, not ours yet */
    enum tri enabled;            /* TRI_UNSET means true */
    bool quarantined;
    enum tri record;             /* TRI_YES: its calls are kept on disk */
    struct iso_settings isolation;
    bool has_isolation;          /* the object exists */
    int64_t init_timeout_ms;     /* 0 = default (30 s) */
    int64_t health_interval_ms;  /* 0 = default (30 s) */
    int64_t call_timeout_ms;     /* 0 = default (2 min) */
    enum mcp_protocol mcp_protocol;
    enum start_mode start;
    int64_t idle_stop_ms;        /* 0 = never */
    enum sharing sharing;
    int64_t max_sessions;        /* of PER_SESSION: with a process at once; 0 = default (16) */
    struct strvec enabled_tools, disabled_tools;
    enum tool_change_policy on_tool_change;      /* UNSET means WARN */
};

/* Adds the values of its env (and isolation.env) that are secrets: none is to be shown, wherever it
 * turns up. */
void config_server_secrets(const struct config_server *c, struct strvec *values);

/* What the docker client adds to every container of its `docker run`. */
struct client_defaults {
    struct kvvec proxies;        /* HTTP_PROXY, http_proxy, … */
    char *file;                  /* that they stand in */
    char *platform;              /* DOCKER_DEFAULT_PLATFORM; NULL = not set */
};

/* Whose engine plans are made for; NONE: docker's context is one that mcptop cannot use. */
enum engine_kind { ENGINE_KIND_DOCKER, ENGINE_KIND_PODMAN, ENGINE_KIND_NONE };

/* max_message_size: below the least a list of tools does not fit; above the most, one message would
 * be all that the queues to clients and servers hold. */
enum {
    MESSAGE_LEAST_BYTES = 1 << 20,
    MESSAGE_DEFAULT_BYTES = 64 << 20,
    MESSAGE_MOST_BYTES = 100 << 20,
};

struct config {
    /* Not of the file: set by who knows it; DOCKER while nobody does. */
    enum engine_kind engine;
    const struct client_defaults *client;        /* not of the file either; NULL = nothing */
    char *path;                  /* the file, symlinks not resolved */
    struct iso_settings docker_isolation;
    bool has_docker_isolation;
    struct config_server *servers;  /* in file order */
    size_t server_count;
    size_t servers_start, servers_end;   /* the bytes of mcpServers */
    struct load_again *again;    /* while it is read */
    size_t server_errors;        /* of those that config_parse_good left out */
    uint32_t *by_name;           /* open addressing: 1 + the server's place, 0 = free */
    size_t slots;                /* a power of two, more than servers */
    char *listen;                /* "127.0.0.1:8080"; NULL = default */
    char *api_key;               /* NULL = generated */
    char *data_dir, *log_dir;    /* NULL = default; log_dir is logging.log_dir */
    char *log_level;             /* a word that log_level_parse() knows; NULL = default */
    char *mcp_auth;              /* "key" (default) or "none" */
    int64_t call_timeout_ms;     /* global call_tool_timeout; 0 = default */
    size_t max_message_bytes;    /* 0 = default */
    /* global; servers without their own have them already */
    int64_t init_timeout_ms, health_interval_ms;
    enum tool_change_policy on_tool_change;
};

enum problem_severity { PROBLEM_WARNING, PROBLEM_ERROR };
struct problem {
    enum problem_severity severity;
    bool of_missing_env;         /* a warning: its server has a missing_env for it */
    int line;                    /* 1-based; 0 = the file as a whole */
    char *key;                   /* "mcpServers[2].isolation.memory_limit"; "" = the file */
    char *text;                  /* what is wrong and what to do; no file name in it */
};
struct problems {
    struct problem *v;           /* owned; in order of line */
    size_t n, cap;
    size_t errors;               /* how many are PROBLEM_ERROR */
};
/* What was added, until the next is. */
struct problem *problems_add(struct problems *p, enum problem_severity s, int line, const char *key,
                             const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void problems_fini(struct problems *p);

/* Reads the text of a configuration. Returns a config the caller frees, or NULL when the text has
 * any error (problems->errors > 0). Warnings (unknown and misspelt keys, repeated keys: the last
 * counts, what is ignored and why) come with a config too. getenv_fn resolves ${env:X}; NULL = the
 * process's environment; an unset variable keeps its server from being started (a warning), and
 * outside servers it is an error. extra_args are checked by isolation/plan, which knows the
 * flags. */
typedef const char *(*config_getenv_fn)(void *ctx, const char *name);
struct config *config_parse(const char *path, const char *text, size_t len, config_getenv_fn env,
                            void *env_ctx, struct problems *problems);
/* The same, but where all errors stand in servers, the others come: what is wrong with one is no
 * reason to start none. */
struct config *config_parse_good(const char *path, const char *text, size_t len,
                                 config_getenv_fn env, void *env_ctx, struct problems *problems);
/* As config_parse, after `before`, which was read from its text: of a text that differs inside of
 * mcpServers alone, servers whose bytes are the same are not read again but taken over, with the
 * lines on which they are now (same_as). They are `before`'s still, which has to outlive the new
 * one or be handed to config_take_over. before NULL, or without a config: as config_parse. */
struct config_before { const struct config *config; const char *text; size_t len; };
struct config *config_parse_after(const struct config_before *before, const char *path,
                                  const char *text, size_t len, struct problems *problems);
/* What c has of `before` is its own; of `before` nothing but config_free may be asked then. */
void config_take_over(struct config *c, struct config *before);
/* Reads the file too: as config_parse_good where good_ones, else as config_parse_after, unless the
 * text is `before`'s (may be NULL): it was touched, and all of it is to be read again. One that
 * cannot be read or is over 16 MiB is a problem like any other; nothing is wrong in one that does
 * not exist: NULL without an error. ret_text (may be NULL) gets the bytes read, the caller's. */
struct config *config_load(const char *path, bool good_ones, const struct config_before *before,
                           struct problems *problems, char **ret_text, size_t *ret_len);
void config_free(struct config *c);
/* For who fills one: room for so many servers; then the last of them, whose name is set, is found
 * by it. */
void config_reserve(struct config *c, size_t servers);
void config_name_last(struct config *c);
/* Leaves out the servers that are broken. */
void config_drop_broken(struct config *c);
const struct config_server *config_find(const struct config *c, const char *name);

/* Where the configuration is looked for: explicit (may be NULL), ./mcp_config.json,
 * DATA_DIR/mcp_config.json. Returns the first that exists, else the last one. Caller frees. */
char *config_find_path(const char *explicit_path, const char *data_dir);

#endif
