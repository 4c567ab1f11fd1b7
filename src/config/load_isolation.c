/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The isolation objects of the configuration: docker_isolation and a server's own. The tables are
 * load.c's way, one row a key. */
#include "config/load_isolation.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "config/units.h"

int load_word(struct reader *r, int32_t node, const char *const *words, size_t n, const char *what,
              const char *write)
{
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return (int)i;
    const char *meant = reader_nearest(s, words, n);
    if (meant)
        reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is no %s: did you mean \"%s\"?", s, what,
                       meant);
    else
        reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is no %s: write %s", s, what, write);
    return -1;
}

static void read_mode(struct reader *r, int32_t node, void *object)
{
    static const char *const modes[] = {
        [MODE_NONE] = "none", [MODE_DOCKER] = "docker", [MODE_SANDBOX] = "sandbox"};
    struct iso_settings *iso = object;
    int mode = load_word(r, node, modes, ARRAY_LEN(modes), "mode",
                         "\"docker\", \"none\" or \"sandbox\"");
    if (mode >= 0)
        iso->mode = (enum iso_mode)mode;
}

static void read_pull_policy(struct reader *r, int32_t node, void *object)
{
    static const char *const policies[] = {
        [PULL_MISSING] = "missing", [PULL_ALWAYS] = "always", [PULL_NEVER] = "never"};
    struct iso_settings *iso = object;
    int policy = load_word(r, node, policies, ARRAY_LEN(policies), "pull policy",
                           "\"missing\", \"always\" or \"never\"");
    if (policy >= 0)
        iso->pull_policy = (enum pull_policy)policy;
}

static void read_hardening(struct reader *r, int32_t node, void *object)
{
    static const char *const levels[] = {[HARDENING_OFF] = "off",
                                         [HARDENING_STANDARD] = "standard",
                                         [HARDENING_STRICT] = "strict"};
    struct iso_settings *iso = object;
    int level = load_word(r, node, levels, ARRAY_LEN(levels), "hardening",
                          "\"standard\", \"strict\" or \"off\"");
    if (level >= 0)
        iso->hardening = (enum hardening)level;
}

/* A limit is a string; a bare number is what many write, and means the same. */
static char *limit_text(struct reader *r, int32_t node)
{
    const struct jscan_node *n = &r->doc->nodes[node];
    if (n->type == JSCAN_NUMBER)
        return xstrndup(r->doc->text + n->start, n->end - n->start);
    return reader_string(r, node);
}

static void read_size(struct reader *r, int32_t node, int64_t *ret_bytes, char **ret_text)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *s = limit_text(r, node);
    if (!s || !*s)
        return;
    if (units_memory(s, ret_bytes, &f) < 0) {
        reader_problem(r, PROBLEM_ERROR, node, "%s", f.text);
    } else {
        free(*ret_text);
        *ret_text = TAKE(s);
    }
}

static void read_memory(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    read_size(r, node, &iso->memory_bytes, &iso->memory_limit);
}

static void read_total_memory(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    read_size(r, node, &iso->total_memory_bytes, &iso->total_memory);
}

static void read_cpus(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    struct fault f = FAULT_NONE;
    AUTO_FREE char *s = limit_text(r, node);
    if (!s || !*s)
        return;
    if (units_cpus(s, &iso->nano_cpus, &f) < 0)
        reader_problem(r, PROBLEM_ERROR, node, "%s", f.text);
    else
        iso->cpu_limit = TAKE(s);
}

static void read_pids(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    struct fault f = FAULT_NONE;
    AUTO_FREE char *s = limit_text(r, node);
    if (s && *s && units_pids(s, &iso->pids_limit, &f) < 0)
        reader_problem(r, PROBLEM_ERROR, node, "%s", f.text);
}

static void read_log_max_files(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    AUTO_FREE char *s = limit_text(r, node);
    if (s && *s)
        iso->log_max_files = TAKE(s);
}

static void read_cache_volume(struct reader *r, int32_t node, void *object)
{
    struct iso_settings *iso = object;
    enum jscan_type type = r->doc->nodes[node].type;
    if (type == JSCAN_TRUE || type == JSCAN_FALSE) {
        iso->cache_volume = type == JSCAN_TRUE ? CACHE_PER_SERVER : CACHE_NO;
        return;
    }
    AUTO_FREE char *s = type == JSCAN_STRING ? reader_string(r, node) : NULL;
    if (s && strcmp(s, "shared") == 0)
        iso->cache_volume = CACHE_SHARED;
    else if (!s || *s)
        reader_problem(r, PROBLEM_ERROR, node, "must be true, false or \"shared\"");
}

#define ISO(member) offsetof(struct iso_settings, member)
#define ISO_COMMON_FIELDS \
    {.key = "enabled", .kind = FIELD_BOOL, .offset = ISO(enabled)}, \
    {.key = "mode", .kind = FIELD_CALL, .call = read_mode}, \
    {.key = "memory_limit", .kind = FIELD_CALL, .call = read_memory}, \
    {.key = "cpu_limit", .kind = FIELD_CALL, .call = read_cpus}, \
    {.key = "pids_limit", .kind = FIELD_CALL, .call = read_pids}, \
    {.key = "timeout", .kind = FIELD_DURATION, .offset = ISO(timeout_ms)}, \
    {.key = "network_mode", .kind = FIELD_STRING, .offset = ISO(network_mode)}, \
    {.key = "registry", .kind = FIELD_STRING, .offset = ISO(registry)}, \
    {.key = "extra_args", .kind = FIELD_STRINGS, .offset = ISO(extra_args)}, \
    {.key = "env", .kind = FIELD_MAP, .offset = ISO(env)}, \
    {.key = "default_images", .kind = FIELD_MAP, .offset = ISO(default_images)}, \
    {.key = "log_driver", .kind = FIELD_STRING, .offset = ISO(log_driver)}, \
    {.key = "log_max_size", .kind = FIELD_STRING, .offset = ISO(log_max_size)}, \
    {.key = "log_max_files", .kind = FIELD_CALL, .call = read_log_max_files}, \
    {.key = "enable_cache_volume", .kind = FIELD_CALL, .call = read_cache_volume}, \
    {.key = "pull_policy", .kind = FIELD_CALL, .call = read_pull_policy}, \
    {.key = "hardening", .kind = FIELD_CALL, .call = read_hardening}

static const struct field global_iso_fields[] = {
    ISO_COMMON_FIELDS,
    {.key = "total_memory", .kind = FIELD_CALL, .call = read_total_memory},
    {.key = "image",
     .no_effect = "has no effect here: set it in a server's isolation, or use default_images"},
    {.key = "working_dir", .no_effect = "has no effect here: set it in a server's isolation"},
    {.key = "volumes", .no_effect = "has no effect here: set it in a server's isolation"},
};
static const struct field server_iso_fields[] = {
    ISO_COMMON_FIELDS,
    {.key = "total_memory", .no_effect = "has no effect here: set it in docker_isolation"},
    {.key = "image", .kind = FIELD_STRING, .offset = ISO(image)},
    {.key = "working_dir", .kind = FIELD_STRING, .offset = ISO(working_dir)},
    {.key = "volumes", .kind = FIELD_STRINGS, .offset = ISO(volumes)},
};

bool load_is_unset(const struct jscan_node *n)
{
    return n->type == JSCAN_NULL || (n->type == JSCAN_STRING && n->end - n->start == 2);
}

/* Whether the key left a value behind: a ${env:X} that is set to nothing is as absent as "". */
static bool has_value(const struct iso_settings *iso, enum iso_key key)
{
    switch (key) {
    case ISO_ENABLED:       return iso->enabled != TRI_UNSET;
    case ISO_MODE:          return iso->mode != MODE_UNSET;
    case ISO_IMAGE:         return iso->image;
    case ISO_MEMORY_LIMIT:  return iso->memory_limit;
    case ISO_CPU_LIMIT:     return iso->cpu_limit;
    case ISO_PIDS_LIMIT:    return iso->pids_limit >= 0;
    case ISO_NETWORK_MODE:  return iso->network_mode;
    case ISO_WORKING_DIR:   return iso->working_dir;
    case ISO_REGISTRY:      return iso->registry;
    case ISO_LOG_DRIVER:    return iso->log_driver;
    case ISO_LOG_MAX_SIZE:  return iso->log_max_size;
    case ISO_LOG_MAX_FILES: return iso->log_max_files;
    case ISO_CACHE_VOLUME:  return iso->cache_volume != CACHE_UNSET;
    case ISO_PULL_POLICY:   return iso->pull_policy != PULL_UNSET;
    case ISO_HARDENING:     return iso->hardening != HARDENING_UNSET;
    default:                return true;     /* lists, and a timeout of 0 */
    }
}

const struct field *load_isolation_fields(enum config_place place, size_t *ret_n)
{
    bool all = place == AT_DOCKER_ISOLATION;

    *ret_n = all ? ARRAY_LEN(global_iso_fields) : ARRAY_LEN(server_iso_fields);
    return all ? global_iso_fields : server_iso_fields;
}

bool load_isolation(struct reader *r, int32_t node, enum config_place place,
                    struct iso_settings *iso)
{
    size_t n;
    const struct field *fields = load_isolation_fields(place, &n);

    if (!reader_expect(r, node, JSCAN_OBJECT, "an object"))
        return false;
    reader_object(r, node, fields, n, iso);
    for (enum iso_key key = 0; key < ISO_KEYS; key++) {
        int32_t at = jscan_member(r->doc, node, iso_key_name(key));
        if (at >= 0 && !load_is_unset(&r->doc->nodes[at]) && has_value(iso, key))
            iso->line[key] = (int)r->doc->nodes[at].line;
    }
    return true;
}

void load_isolation_init(struct iso_settings *iso)
{
    iso->enabled = TRI_UNSET;
    iso->mode = MODE_UNSET;
    iso->cache_volume = CACHE_UNSET;
    iso->pull_policy = PULL_UNSET;
    iso->hardening = HARDENING_UNSET;
    iso->pids_limit = -1;
}
