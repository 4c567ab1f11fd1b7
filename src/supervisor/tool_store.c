/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "supervisor/tool_store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "config/file.h"
#include "supervisor/fleet_private.h"
#include "supervisor/instance.h"

enum { MAX_BYTES = 5 << 20, NAME_BYTES = 100 };

static uint64_t hash(const void *p, size_t n)
{
    static const uint8_t key[16] = "mcptop tools 01";

    return siphash24(key, p, n);
}

char *tool_store_file_name(const char *server, const char *kind)
{
    char *name = xasprintf("%.*s-%016" PRIx64 ".%s", NAME_BYTES, server,
                           hash(server, strlen(server)), kind);
    static const char fine[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    for (char *p = name + strspn(name, fine); *p; p += strspn(p, fine))
        *p = '_';
    if (*name == '.')
        *name = '_';
    return name;
}

static char *path_of(const struct server *s)
{
    AUTO_FREE char *name = tool_store_file_name(s->name, "tools");

    return xasprintf("%s/%s", s->fleet->state_dir, name);
}

/* Its first line. Another command is another server, whatever its name. */
static void add_head(const struct server *s, bool modern, struct buf *out)
{
    AUTO_BUF struct buf command = BUF_INIT;
    const struct strvec *args = &s->config->args;

    buf_add_str(&command, s->config->command ? s->config->command : "");
    for (size_t i = 0; i < args->n; i++) {
        buf_add_char(&command, '\0');
        buf_add_str(&command, args->v[i]);
    }
    buf_add_str(out, "{\"server\":");
    buf_add_json(out, s->name, strlen(s->name));
    buf_printf(out, ",\"command\":\"%016" PRIx64 "\",\"modern\":%s}\n",
               hash(buf_str(&command), command.len), modern ? "true" : "false");
}

void tool_store_save(struct server *s)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t init_n, tools_n;
    bool modern;
    const char *init = session_get_init(s->session, &init_n, &modern);
    const char *tools = session_get_tools(s->session, &tools_n);
    struct fault f = FAULT_NONE;

    if (!s->fleet->state_dir || !s->config || !init || !tools || init_n + tools_n > MAX_BYTES ||
        s->row || (s->config->start != START_LAZY && !s->config->idle_stop_ms &&
                   !server_is_per_session(s)))
        return;
    AUTO_FREE char *path = path_of(s);
    add_head(s, modern, &text);
    buf_add(&text, init, init_n);
    buf_add_char(&text, '\n');
    buf_add(&text, tools, tools_n);
    buf_add_char(&text, '\n');
    if (instance_make_dirs(s->fleet->state_dir, 0700, &f) < 0 ||
        file_put(path, &text, &f) < 0)
        log_warn("server", "%s: its tools are not kept for the time when it sleeps: %s", s->name,
                 f.text);
}

static struct span next_line(const char **at, const char *end)
{
    const char *nl = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    struct span line = {*at, nl ? (size_t)(nl - *at) : 0};

    if (nl)
        *at = nl + 1;
    return line;
}

void tool_store_restore(struct server *s)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;

    if (!s->fleet->state_dir || !s->config || s->row || *session_get_protocol(s->session))
        return;
    AUTO_FREE char *path = path_of(s);
    if (file_read(path, &text, NULL, &f) < 0) {
        if (f.code != ENOENT && f.code != FAULT_NOT_FOUND)
            log_warn("server", "%s: what is known of it from its last run is not used: %s", s->name,
                     f.text);
        return;
    }
    for (int modern = 0; modern < 2; modern++) {
        AUTO_BUF struct buf head = BUF_INIT;
        add_head(s, modern, &head);
        if (text.len <= head.len || memcmp(text.data, head.data, head.len) != 0)
            continue;
        const char *at = text.data + head.len, *end = text.data + text.len;
        struct span init = next_line(&at, end), tools = next_line(&at, end);
        if (session_restore(s->session, modern, init, tools) < 0)
            log_warn("server", "%s: %s is broken and not used", s->name, path);
    }
}
