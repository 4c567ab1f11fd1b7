/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The flags of docker run that go into the Engine's JSON as they are: each function checks a value
 * and writes it. Bounds are the docker client's; what only the engine knows (does this runtime
 * exist?) is left to it. */
#include "isolation/run_flag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

static json_t *json_text(const char *s)
{
    json_t *j = json_string(s);
    return j ? j : json_string("");
}

static json_t *place(const struct run_flag *flag, const struct run_json *to)
{
    return flag->in_body ? to->body : to->host;
}

static void set(const struct run_flag *flag, const struct run_json *to, json_t *value)
{
    json_object_set_new(place(flag, to), flag->key, value);
}

static void append(const struct run_flag *flag, const struct run_json *to, json_t *value)
{
    json_t *list = json_object_get(place(flag, to), flag->key);
    if (!list)
        set(flag, to, list = json_array());
    json_array_append_new(list, value);
}

static int no_value(const char *what, const char *value, const char *write, struct fault *f)
{
    return fault_set(f, FAULT_INVALID, "\"%.60s\" is no %s: write %s", value, what, write);
}

static bool parse_int(const char *s, int64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoll(s, &end, 10);
    return end != s && !*end && !errno;
}

/* ---- plain ones ---- */

int run_option_text(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f)
{
    if (!*value)
        return fault_set(f, FAULT_INVALID, "its value is empty");
    set(flag, to, json_text(value));
    return 0;
}

int run_option_list(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f)
{
    if (!*value)
        return fault_set(f, FAULT_INVALID, "its value is empty");
    append(flag, to, json_text(value));
    return 0;
}

int run_option_switch(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f)
{
    (void)f;
    set(flag, to, json_boolean(strcmp(value, "true") == 0));
    return 0;
}

int run_option_int(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f)
{
    int64_t n;
    if (!parse_int(value, &n))
        return no_value("whole number", value, "one like 10", f);
    set(flag, to, json_integer(n));
    return 0;
}

int run_option_size(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f)
{
    int64_t bytes = text_parse_size(value);
    if (bytes <= 0)
        return no_value("size", value, "one like \"64m\"", f);
    set(flag, to, json_integer(bytes));
    return 0;
}

/* key=value into an object; a key alone has the empty value. */
int run_option_map(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f)
{
    size_t n = strcspn(value, "=");
    if (n == 0)
        return no_value("key=value", value, "key=value", f);
    json_t *map = json_object_get(place(flag, to), flag->key);
    if (!map)
        set(flag, to, map = json_object());
    AUTO_FREE char *key = xstrndup(value, n);
    json_object_set_new(map, key, json_text(value[n] ? value + n + 1 : ""));
    return 0;
}

int run_option_label(const struct run_flag *flag, const char *value, const struct run_json *to,
                     struct fault *f)
{
    if (strncmp(value, "com.mcpproxy.", 13) == 0)
        return fault_set(f, FAULT_CONFLICT,
                         "the labels com.mcpproxy.* are mcptop's own: leave it out");
    return run_option_map(flag, value, to, f);
}

/* One program; its arguments are the container's command. "" undoes the image's. */
int run_option_entrypoint(const struct run_flag *flag, const char *value,
                          const struct run_json *to, struct fault *f)
{
    (void)f;
    append(flag, to, json_text(value));
    return 0;
}

/* A parameter of the request, not a part of its body: the backend asks for it. */
int run_option_platform(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f)
{
    (void)flag;
    (void)to;
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-");
    return *value && !value[n] ? 0 : no_value("platform", value, "one like \"linux/amd64\"", f);
}

/* ---- network ---- */

static bool is_address(const char *s)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

int run_option_dns(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f)
{
    if (!is_address(value))
        return no_value("IP address", value, "one like 192.0.2.1", f);
    append(flag, to, json_text(value));
    return 0;
}

/* name:address, or as docker 25 and later have it name=address and name=[address]; the engine knows
 * the first form only. */
int run_option_add_host(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f)
{
    size_t n = strcspn(value, "=");
    n = value[n] ? n : strcspn(value, ":");
    const char *rest = value[n] ? value + n + 1 : "";
    size_t len = strlen(rest);
    bool boxed = len > 2 && rest[0] == '[' && rest[len - 1] == ']';
    AUTO_FREE char *address = boxed ? xstrndup(rest + 1, len - 2) : xstrdup(rest);
    if (n == 0 || memchr(value, ':', n) ||
        (strcmp(address, "host-gateway") != 0 && !is_address(address)))
        return no_value("host", value, "name:address, or name:host-gateway", f);
    append(flag, to, json_sprintf("%.*s:%s", (int)n, value, address));
    return 0;
}

/* ---- rights ---- */

int run_option_cap(const struct run_flag *flag, const char *value, const struct run_json *to,
                   struct fault *f)
{
    if (!*value || value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")])
        return no_value("capability", value, "one like NET_ADMIN, or ALL", f);
    append(flag, to, json_text(value));
    return 0;
}

/* A seccomp profile is a file that the docker client reads and sends: not here. */
int run_option_security(const struct run_flag *flag, const char *value, const struct run_json *to,
                        struct fault *f)
{
    size_t n = strcspn(value, "=:");
    const char *rest = value[n] ? value + n + 1 : NULL;
    bool nnp = n == 17 && strncmp(value, "no-new-privileges", n) == 0;
    bool named = (n == 8 && strncmp(value, "apparmor", n) == 0) ||
                 (n == 5 && strncmp(value, "label", n) == 0);
    bool seccomp = n == 7 && strncmp(value, "seccomp", n) == 0 && rest &&
                   (strcmp(rest, "unconfined") == 0 || strcmp(rest, "builtin") == 0);
    bool on_off = !rest || strcmp(rest, "true") == 0 || strcmp(rest, "false") == 0;
    if (!(nnp && on_off) && !(named && rest && *rest) && !seccomp)
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.60s\" is not supported: use no-new-privileges, apparmor=…, label=… "
                         "or seccomp=unconfined",
                         value);
    append(flag, to, json_text(value));
    return 0;
}

/* The last one of a kind counts. */
static void remove_named(json_t *list, const char *name)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *j = json_object_get(json_array_get(list, i - 1), "Name");
        if (strcmp(json_string_value(j), name) == 0)
            json_array_remove(list, i - 1);
    }
}

int run_option_ulimit(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f)
{
    static const char *const names[] = {"core", "cpu", "data", "fsize", "locks", "memlock",
                                        "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
                                        "rttime", "sigpending", "stack"};
    AUTO_FREE char *copy = xstrdup(value);
    char *soft_text = strchr(copy, '='), *hard_text = NULL;
    int64_t soft = 0, hard = 0;
    if (soft_text) {
        *soft_text++ = '\0';
        hard_text = strchr(soft_text, ':');
    }
    if (hard_text)
        *hard_text++ = '\0';
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        known = known || strcmp(copy, names[i]) == 0;
    if (!known || !soft_text || !parse_int(soft_text, &soft) ||
        !parse_int(hard_text ? hard_text : soft_text, &hard) ||
        (hard >= 0 && (soft > hard || soft < 0)))
        return no_value("ulimit", value, "one like nofile=1024:2048", f);
    remove_named(json_object_get(place(flag, to), flag->key), copy);
    append(flag, to, json_pack("{s:o, s:I, s:I}", "Name", json_text(copy), "Soft",
                               (json_int_t)soft, "Hard", (json_int_t)hard));
    return 0;
}

/* ---- files and devices ---- */

int run_option_tmpfs(const struct run_flag *flag, const char *value, const struct run_json *to,
                     struct fault *f)
{
    size_t n = strcspn(value, ":");
    if (value[0] != '/' || n < 2)
        return no_value("tmpfs", value, "one like \"/run:size=64m\"", f);
    json_t *map = json_object_get(to->host, flag->key);
    if (!map)
        set(flag, to, map = json_object());
    AUTO_FREE char *path = xstrndup(value, n);
    json_object_set_new(map, path, json_text(value[n] ? value + n + 1 : ""));
    return 0;
}

static bool is_device_mode(const char *s)
{
    return *s && strlen(s) <= 3 && !s[strspn(s, "rwm")];
}

/* SOURCE[:TARGET][:MODE] */
int run_option_device(const struct run_flag *flag, const char *value, const struct run_json *to,
                      struct fault *f)
{
    AUTO_FREE char *copy = xstrdup(value);
    char *target = strchr(copy, ':'), *mode = NULL;
    if (target)
        *target++ = '\0';
    if (target && (mode = strchr(target, ':')))
        *mode++ = '\0';
    if (target && !mode && is_device_mode(target)) {
        mode = target;
        target = NULL;
    }
    if (copy[0] != '/' && strchr(copy, '='))
        return fault_set(f, FAULT_UNSUPPORTED, "\"%.60s\": devices by name (CDI) are not supported",
                         value);
    if (copy[0] != '/' || (target && target[0] != '/') || (mode && !is_device_mode(mode)))
        return no_value("device", value, "one like \"/dev/dri:/dev/dri:rw\"", f);
    append(flag, to, json_pack("{s:o, s:o, s:s}", "PathOnHost", json_text(copy),
                               "PathInContainer", json_text(target ? target : copy),
                               "CgroupPermissions", mode ? mode : "rwm"));
    return 0;
}

static json_t *split(const char *list)
{
    json_t *a = json_array();
    for (size_t n; ; list += n + 1) {
        n = strcspn(list, ",");
        AUTO_FREE char *one = xstrndup(list, n);
        json_array_append_new(a, json_text(one));
        if (!list[n])
            return a;
    }
}

static bool gpu_count(const char *s, int64_t *ret)
{
    *ret = -1;
    return strcmp(s, "all") == 0 || (parse_int(s, ret) && *ret >= 0);
}

static int gpu_field(char *field, json_t *request, struct fault *f)
{
    int64_t count;
    char *value = strchr(field, '=');
    if (value)
        *value++ = '\0';
    if (!value || strcmp(field, "count") == 0) {
        if (!gpu_count(value ? value : field, &count))
            return no_value("number of GPUs", value ? value : field, "all, or a number", f);
        json_object_set_new(request, "Count", json_integer(count));
    } else if (strcmp(field, "device") == 0) {
        json_object_set_new(request, "DeviceIDs", split(value));
    } else if (strcmp(field, "driver") == 0) {
        json_object_set_new(request, "Driver", json_text(value));
    } else if (strcmp(field, "capabilities") == 0) {
        json_t *all = split(value);
        json_array_append_new(all, json_string("gpu"));
        json_object_set_new(request, "Capabilities", json_pack("[o]", all));
    } else {
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.40s\" is not supported: use count, device, driver or capabilities",
                         field);
    }
    return 0;
}

int run_option_gpus(const struct run_flag *flag, const char *value, const struct run_json *to,
                    struct fault *f)
{
    AUTO_STRVEC struct strvec fields = {0};
    if (!*value || run_mount_fields(value, &fields) < 0)
        return no_value("choice of GPUs", value, "all, a number, or \"device=0,1\" in quotes", f);
    json_t *request = json_object();
    for (size_t i = 0; i < fields.n; i++) {
        if (gpu_field(fields.v[i], request, f) < 0) {
            json_decref(request);
            return -1;
        }
    }
    if (!json_object_get(request, "Count") && !json_object_get(request, "DeviceIDs"))
        json_object_set_new(request, "Count", json_integer(1));
    if (!json_object_get(request, "Capabilities"))
        json_object_set_new(request, "Capabilities", json_pack("[[s]]", "gpu"));
    append(flag, to, request);
    return 0;
}
