/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The flags of docker run that the plan has fields for: limits, network, directory, environment,
 * log. Reads the environment and an --env-file, as the docker client would; values of variables
 * never reach a message. */
#include "isolation/run_flag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/text.h"
#include "config/units.h"
#include "isolation/plan_make.h"

enum { ENV_FILE_MAX_BYTES = 1 << 20 };

static void set_str(char **to, const char *s)
{
    free(*to);
    *to = xstrdup(s);
}

/* ---- limits ---- */

int run_field_memory(const struct runargs *r, const char *value, struct fault *f)
{
    if (units_memory(value, &r->plan->memory_bytes, f) < 0)
        return -1;
    set_str(&r->plan->memory_text, value);
    return 0;
}

int run_field_memory_swap(const struct runargs *r, const char *value, struct fault *f)
{
    int64_t bytes = strcmp(value, "-1") == 0 ? -1 : text_parse_size(value);
    if (bytes < 0 && strcmp(value, "-1") != 0)
        return fault_set(f, FAULT_INVALID,
                         "\"%.40s\" is no size: write the sum of memory and swap, like \"1g\", or "
                         "-1 for any",
                         value);
    r->plan->memory_swap_bytes = bytes;
    return 0;
}

int run_field_cpus(const struct runargs *r, const char *value, struct fault *f)
{
    if (units_cpus(value, &r->plan->nano_cpus, f) < 0)
        return -1;
    set_str(&r->plan->cpu_text, value);
    return 0;
}

int run_field_pids(const struct runargs *r, const char *value, struct fault *f)
{
    return units_pids(value, &r->plan->pids_limit, f);
}

/* ---- network, directory, start ---- */

int run_field_network(const struct runargs *r, const char *value, struct fault *f)
{
    if (strchr(value, ',') || strchr(value, '='))
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.60s\": options of a network are not supported: write its name alone",
                         value);
    if (!*value)
        return fault_set(f, FAULT_INVALID,
                         "\"\" is no network: write bridge, none, host or a network's name");
    set_str(&r->plan->network_mode, value);
    return 0;
}

int run_field_workdir(const struct runargs *r, const char *value, struct fault *f)
{
    if (value[0] != '/')
        return fault_set(f, FAULT_INVALID, "\"%.100s\" must be an absolute path in the container",
                         value);
    set_str(&r->plan->working_dir, value);
    return 0;
}

int run_field_init(const struct runargs *r, const char *value, struct fault *f)
{
    (void)f;
    r->plan->init = strcmp(value, "true") == 0;
    r->plan->init_denied = !r->plan->init;
    return 0;
}

int run_field_pull(const struct runargs *r, const char *value, struct fault *f)
{
    for (enum pull_policy p = PULL_MISSING; p <= PULL_NEVER; p++) {
        if (strcmp(value, pull_policy_name(p)) != 0)
            continue;
        r->plan->pull_policy = p;
        free(r->plan->pull_key);
        r->plan->pull_key = xasprintf("--pull of %s (line %d)", r->where, r->line);
        return 0;
    }
    return fault_set(f, FAULT_INVALID, "\"%.40s\" is none of missing, always and never", value);
}

int run_field_log_driver(const struct runargs *r, const char *value, struct fault *f)
{
    struct plan *p = r->plan;
    if (!*value)
        return fault_set(f, FAULT_INVALID, "the name of a log driver is missing");
    /* Our small sizes are meant for our own driver; the engine has defaults for its others. */
    set_str(&p->log_driver, value);
    set_str(&p->log_max_size, NULL);
    set_str(&p->log_max_files, NULL);
    return 0;
}

int run_field_log_opt(const struct runargs *r, const char *value, struct fault *f)
{
    const char *eq = strchr(value, '=');
    if (!eq || eq == value)
        return fault_set(f, FAULT_INVALID, "\"%.60s\" is no option of a log: write name=value",
                         value);
    if (strncmp(value, "max-size=", 9) == 0)
        set_str(&r->plan->log_max_size, eq + 1);
    else if (strncmp(value, "max-file=", 9) == 0)
        set_str(&r->plan->log_max_files, eq + 1);
    else {
        AUTO_FREE char *key = xstrndup(value, (size_t)(eq - value));
        kvvec_set(&r->plan->log_options, key, eq + 1);
    }
    return 0;
}

/* ---- environment ---- */

/* The last word about a variable counts. */
static void forget(struct plan *p, const char *key)
{
    struct strvec *const lists[] = {&p->env_unset, &p->env_of_files};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (ptrdiff_t at; (at = strvec_find(lists[i], key)) >= 0;)
            strvec_remove(lists[i], (size_t)at);
}

void plan_env_set(struct plan *p, const char *key, const char *value)
{
    forget(p, key);
    kvvec_set(&p->container_env, key, value);
}

static const char *look_up(const struct runargs *r, const char *key)
{
    const char *v = r->env ? kvvec_get(r->env, key) : NULL;
    return v ? v : getenv(key);
}

/* KEY=VALUE, or KEY alone: the value of the environment. */
int run_field_env(const struct runargs *r, const char *value, struct fault *f)
{
    const char *eq = strchr(value, '=');
    if (eq == value || !*value)
        return fault_set(f, FAULT_INVALID,
                         "an environment variable needs a name: KEY=VALUE or KEY");
    AUTO_FREE char *key = eq ? xstrndup(value, (size_t)(eq - value)) : xstrdup(value);
    const char *v = eq ? eq + 1 : look_up(r, key);
    if (v) {
        plan_env_set(r->plan, key, v);
    } else {
        forget(r->plan, key);
        strvec_add(&r->plan->env_unset, key);
    }
    return 0;
}

char *run_field_path(const struct runargs *r, const char *path)
{
    AUTO_FREE char *here = r->dir ? NULL : getcwd(NULL, 0);
    const char *dir = r->dir ? r->dir : here ? here : "/";
    if (path[0] == '/')
        return xstrdup(path);
    AUTO_FREE char *joined = xasprintf("%s/%s", dir, path);
    return plan_normal_path(joined);
}

/* The whole of a small regular file: a FIFO would block, and a device would never end. */
static int read_env_file(const char *path, struct buf *out, struct fault *f)
{
    struct stat st;
    char chunk[8192];
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fault_set(f, errno, "%.200s", path);
    if (!S_ISREG(st.st_mode) || st.st_size > ENV_FILE_MAX_BYTES)
        return fault_set(f, EINVAL, "%.200s is no regular file of at most 1 MiB", path);
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) != 0;) {
        if (n < 0)
            return fault_set(f, errno, "%.200s", path);
        buf_add(out, chunk, (size_t)n);
        if (out->len > ENV_FILE_MAX_BYTES)
            return fault_set(f, EFBIG, "%.200s", path);
    }
    return 0;
}

/* docker's format: a line is KEY=VALUE with the value as it stands, or KEY; "#" begins a comment
 * line; blanks before the key go. */
static int add_env_line(const struct runargs *r, char *line, struct fault *f)
{
    line += strspn(line, " \t");
    size_t n = strcspn(line, "=");
    if (!*line || *line == '#')
        return 0;
    if (n == 0 || strcspn(line, " \t") < n)
        return fault_set(f, EINVAL, "the name of a variable is missing or has blanks in it");
    AUTO_FREE char *key = xstrndup(line, n);
    const char *value = line[n] ? line + n + 1 : look_up(r, key);
    if (value) {
        plan_env_set(r->plan, key, value);
        strvec_add(&r->plan->env_of_files, key);
    }
    return 0;
}

int run_field_env_file(const struct runargs *r, const char *value, struct fault *f)
{
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *path = run_field_path(r, value);
    if (read_env_file(path, &text, f) < 0)
        return -1;
    char *next = text.len ? text.data : NULL, *line;
    if (text.len >= 3 && memcmp(next, "\xef\xbb\xbf", 3) == 0)
        next += 3;
    int rc = 0;
    for (int number = 1; rc == 0 && (line = strsep(&next, "\n")) != NULL; number++) {
        size_t n = strlen(line);
        if (n > 0 && line[n - 1] == '\r')
            line[n - 1] = '\0';
        if (add_env_line(r, line, f) < 0)
            rc = fault_wrap(f, "%.200s:%d", path, number);
    }
    return rc;
}
