/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding: what is wrong with a server (or the supervisor), how that is known, and what helps.
 *
 * The kinds stand in one table, from which docs/troubleshooting.md is checked too. Codes are public
 * (docs/api.md); those that MCPProxy has keep their names. */
#ifndef MCPTOP_DIAGNOSE_FINDING_H
#define MCPTOP_DIAGNOSE_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/strvec.h"
#include "supervisor/fleet.h"

enum finding_kind {
    /* it could not be started */
    FIND_SPAWN_ENOENT, FIND_SPAWN_EACCES, FIND_SPAWN_EXEC_FORMAT, FIND_SPAWN_WORKDIR,
    FIND_SPAWN_FAILED,
    /* it ended, or does not speak */
    FIND_EXIT_BEFORE_INITIALIZE, FIND_EXIT_NONZERO, FIND_KILLED, FIND_CRASH_LOOP,
    FIND_START_SLOW, FIND_HANDSHAKE_TIMEOUT, FIND_HANDSHAKE_INVALID, FIND_STDOUT_NOISE, FIND_SILENT,
    FIND_DEPENDENCY_BROKEN, FIND_PACKAGE_NOT_FOUND, FIND_TOOL_MISSING, FIND_ENV_MISSING,
    FIND_MODULE_MISSING, FIND_FILE_MISSING, FIND_LIBRARY_MISSING, FIND_ACCESS_DENIED,
    FIND_NETWORK_FAILED, FIND_PORT_IN_USE, FIND_DISK_FULL,
    /* the engine and its images */
    FIND_DAEMON_DOWN, FIND_NO_PERMISSION, FIND_SNAP_APPARMOR, FIND_CLI_NOT_FOUND,
    FIND_CONTEXT_CHANGED,
    FIND_IMAGE_NOT_FOUND, FIND_REGISTRY_DENIED, FIND_REGISTRY_UNREACHABLE, FIND_RATE_LIMIT,
    FIND_IMAGE_ARCHITECTURE, FIND_IMAGE_PULL_FAILED, FIND_EXEC_NOT_FOUND, FIND_OCI_RUNTIME,
    FIND_ENGINE_TIMEOUT,
    /* isolation is in the way, or is none */
    FIND_DOCKER_IN_DOCKER, FIND_DOCKER_TTY, FIND_PATH_NOT_MOUNTED, FIND_PATH_OWN,
    FIND_PATH_READ_ONLY, FIND_ROOT_READ_ONLY, FIND_USER_DENIED,
    FIND_WORKING_DIR, FIND_NETWORK_BLOCKED, FIND_CUSTOM_CA,
    FIND_OOM_KILLED, FIND_MEMORY_TIGHT, FIND_CPU_THROTTLED, FIND_PIDS_EXHAUSTED,
    FIND_ISOLATION_WEAK, FIND_ISOLATION_IGNORED,
    /* its tools are not what they were */
    FIND_TOOL_CHANGED,
    /* the configuration and the supervisor */
    FIND_ENV_UNSET, FIND_UNSUPPORTED, FIND_CONFIG_REFUSED, FIND_CONFIG_ERROR,
    FIND_CONFIG_MISSING,
    FIND_DUPLICATE_NAME, FIND_LISTEN_IN_USE, FIND_OTHER_MCPPROXY, FIND_LOG_DISK, FIND_ORPHANS,
    FIND_DUPLICATE,
    FIND_KINDS
};

enum finding_severity { SEVERITY_WARNING, SEVERITY_ERROR };

struct finding_type {
    const char *code;
    enum finding_severity severity;
    const char *cause, *fix;     /* for the documentation: a sentence each */
};
const struct finding_type *finding_type(enum finding_kind kind);
const char *finding_severity_name(enum finding_severity s);      /* "warning" "error" */
struct finding;
enum finding_severity finding_severity(const struct finding *f);

/* How it is known. */
struct evidence {
    const char *what;            /* static: "errno" "exit" "oom" "engine" "stderr" "stdout" … */
    char *text;
    uint64_t seq;                /* of a log line; 0 = it is none */
};

enum fix_act { FIX_CHANGE, FIX_RETRY };
enum { FIX_KEYS_MAX = 5, FINDING_EVIDENCE_MAX = 6, FINDING_FIXES_MAX = 3 };

/* What `F` or `doctor --fix` does. One that weakens isolation says so in its first word. */
struct fix {
    const char *id;              /* static, unique in its finding: "memory" "mount" … */
    char *title;                 /* "memory_limit 512m → 1g" */
    enum fix_act act;
    bool weakens;
    /* it changes a command, a mount or an environment: over the unix socket only */
    bool needs_socket;
    /* FIX_CHANGE: what is changed in the server's configuration; NULL = not that */
    char *isolation, *memory, *cpus, *pids, *network;
    struct fleet_key keys[FIX_KEYS_MAX];      /* strings owned */
    size_t key_count;
};

struct finding {
    enum finding_kind kind;
    char *server;                /* "" = the supervisor as a whole */
    char *sentence;              /* what is wrong */
    bool guess;                  /* text was all there is to go by */
    /* The plan tells it before it has shown: a warning, whatever its kind. */
    bool expected;
    /* Of the engine that all isolated servers share: it shows on each of them, and where all
     * findings are listed doctor_of_supervisor() tells it once. */
    bool of_engine;
    struct strvec servers;       /* whom one of the supervisor's concerns */
    struct evidence evidence[FINDING_EVIDENCE_MAX];
    size_t evidence_count;
    struct fix fixes[FINDING_FIXES_MAX];     /* the best first */
    size_t fix_count;
    struct strvec steps;         /* what the user can do himself, where no fix can */
    uint32_t times;              /* how often in a row it has happened; 0 = it is a standing one */
    int64_t since_wall_ms;       /* the first of these */
};

struct findings {
    struct finding *v;           /* owned; the worst first */
    size_t n, cap;
};

/* Appends one of that kind; valid until the next is added. `server` may be "". */
struct finding *findings_add(struct findings *fs, enum finding_kind kind, const char *server,
                             const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void findings_fini(struct findings *fs);
void finding_evidence(struct finding *f, const char *what, uint64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void finding_step(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Errors before warnings, in the order they were found. */
void findings_sort(struct findings *fs);
/* How many are not told once for all servers. */
size_t findings_own(const struct findings *fs);
/* Equal but for times: nothing new to tell. */
bool findings_same(const struct findings *a, const struct findings *b);

#endif
