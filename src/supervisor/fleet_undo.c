/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each change was made from: undo puts back the values of exactly the keys that it touched. */
#include "supervisor/fleet_edit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "config/edit.h"

static const char *object_of(const char *server)
{
    return server ? "isolation" : "docker_isolation";
}

void undo_free(struct undo *u)
{
    change_list_fini(&u->back);
    change_list_fini(&u->made);
    free(u->server);
    free(u->text);
    free(u->back_text);
    free(u);
}

void fleet_undo_free(struct fleet *fl)
{
    while (fl->undos) {
        struct undo *u = fl->undos;
        fl->undos = u->next;
        undo_free(u);
    }
}

struct undo *fleet_undo_find(const struct fleet *fl, const char *server)
{
    for (struct undo *u = fl->undos; u; u = u->next)
        if (strcmp(u->server, server) == 0)
            return u;
    return NULL;
}

void fleet_undo_drop(struct fleet *fl, struct undo *gone)
{
    for (struct undo **p = &fl->undos; *p; p = &(*p)->next)
        if (*p == gone) {
            *p = gone->next;
            undo_free(gone);
            undo_store_save(fl);
            return;
        }
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* What a key meant before, for people: its own value, or what was in force without it. */
static const char *value_before(const struct plan_defaults *in_force, bool was_docker,
                                const char *path, const char *raw, char *scratch, size_t n)
{
    const char *key = last_part(path), *text = strcmp(path, "enabled") == 0 ? "true" : "unset";
    if (strcmp(path, "isolation.enabled") == 0 || strcmp(path, "isolation.mode") == 0)
        return was_docker ? "docker" : "host";
    if (raw)
        return raw;
    if (strcmp(key, "memory_limit") == 0)
        text = in_force->memory_limit;
    else if (strcmp(key, "cpu_limit") == 0)
        text = in_force->cpu_limit;
    else if (strcmp(key, "network_mode") == 0)
        text = in_force->network_mode;
    else if (strcmp(key, "total_memory") == 0 || (strcmp(key, "pids_limit") == 0 &&
                                                  !in_force->pids_limit))
        text = NULL;
    else if (strcmp(key, "pids_limit") == 0 &&
             snprintf(scratch, n, "%lld", (long long)in_force->pids_limit) > 0)
        text = scratch;
    return text ? text : "none";
}

static const char *value_after(const char *path, const char *json)
{
    if (strcmp(path, "isolation.enabled") == 0)
        return strcmp(json, "true") == 0 ? "docker" : "host";
    if (strcmp(path, "isolation.mode") == 0)
        return !json || strcmp(json, "\"docker\"") == 0 ? "docker" : "host";
    return json;
}

static const char *short_key(const char *path)
{
    if (strcmp(path, "isolation.enabled") == 0 || strcmp(path, "isolation.mode") == 0)
        return "isolation";
    return last_part(path);
}

static void add_unquoted(struct buf *b, const char *json)
{
    size_t n = strlen(json);
    bool quoted = n >= 2 && *json == '"', inside = false;
    if (quoted) {
        buf_add(b, json + 1, n - 2);
        return;
    }
    for (const char *p = json; *p; p++) {
        if (!inside && strchr(" \t\r\n", *p))
            continue;                /* how the file lays it out is no matter here */
        if (*p == '"')
            inside = !inside;
        buf_add_char(b, *p);
        if (inside && *p == '\\' && p[1])
            buf_add_char(b, *++p);
        else if (!inside && (*p == ',' || *p == ':'))
            buf_add_char(b, ' ');
    }
}

static void add_step(struct buf *b, const char *path, const char *from, const char *to)
{
    buf_printf(b, "%s%s ", b->len ? ", " : "", short_key(path));
    add_unquoted(b, from);
    buf_add_str(b, " → ");
    add_unquoted(b, to);
}

/* What the keys of l are in the text, and behind them the object that they stand in. */
static void look_at(const struct change_list *l, const char *server, const struct buf *text,
                    struct edit_value *ret)
{
    const char *paths[CHANGE_KEYS_MAX + 1];
    for (size_t i = 0; i < l->n; i++)
        paths[i] = l->v[i].path;
    paths[l->n] = object_of(server);
    edit_get_each(buf_str(text), text->len, server, paths, l->n + 1, ret, NULL);
}

void fleet_undo_remember(struct fleet *fl, const char *server, const struct plan_defaults *before,
                         bool was_docker, const struct change_list *l, const struct buf *from)
{
    struct undo *u = xcalloc(1, sizeof *u);
    struct buf text = BUF_INIT, back = BUF_INIT;
    struct edit_value old[CHANGE_KEYS_MAX + 1];
    char scratch[24];
    look_at(l, server, from, old);
    for (size_t i = 0; i < l->n; i++) {
        const char *path = l->v[i].path, *had = old[i].is_there ? buf_str(&old[i].text) : NULL;
        change_list_add(&u->back, path, had);
        change_list_add(&u->made, path, l->v[i].json);
        const char *was = value_before(before, was_docker, path, had, scratch, sizeof scratch);
        const char *is = value_after(path, l->v[i].json);
        add_step(&text, path, was, is);
        add_step(&back, path, is, was);
        buf_fini(&old[i].text);
    }
    u->back.single_keys = l->single_keys;
    u->server = xstrdup(server ? server : "");
    u->text = buf_take(&text);
    u->back_text = buf_take(&back);
    u->made_isolation = !old[l->n].is_there;
    buf_fini(&old[l->n].text);
    u->next = fl->undos;
    fl->undos = u;
    size_t n = 0;
    for (struct undo **p = &fl->undos; *p; p = &(*p)->next)
        if (++n > UNDO_MAX) {
            undo_free(TAKE(*p));     /* the oldest: there is never one behind it */
            break;
        }
    undo_store_save(fl);
}

const char *fleet_undo_text(const struct fleet *fl, const struct server *s)
{
    const struct undo *u = fleet_undo_find(fl, s ? s->name : "");
    return u ? u->text : "";
}

bool fleet_undo_is_of_keys(const struct fleet *fl, const struct server *s)
{
    const struct undo *u = fleet_undo_find(fl, s->name);
    return u && u->back.single_keys;
}

static bool is_empty_object(const char *json)
{
    return *json == '{' && json[1 + strspn(json + 1, " \t\r\n")] == '}';
}

/* How a value is laid out is no matter. */
static bool same_value(const char *a, const char *b)
{
    if (!a || !b || strcmp(a, b) == 0)
        return !a == !b;
    json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
    bool same = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

/* What somebody wrote since is not ours to take back. */
static int check_untouched(const struct undo *u, const struct buf *text, const char *server,
                           struct fault *f)
{
    struct edit_value now[CHANGE_KEYS_MAX + 1];
    const char *other = NULL;
    look_at(&u->made, server, text, now);
    for (size_t i = 0; i <= u->made.n; i++) {
        const char *value = now[i].is_there ? buf_str(&now[i].text) : NULL;
        if (i < u->made.n && !other && !same_value(value, u->made.v[i].json))
            other = u->made.v[i].path;
        buf_fini(&now[i].text);
    }
    if (!other)
        return 0;
    return fault_set(f, FAULT_CONFLICT, "%s%s%s was changed since: nothing is taken back, set it "
                     "as it should be", server ? server : "", server ? ": " : "", other);
}

int fleet_undo_try(const struct undo *u, const struct buf *text, struct change_list *l,
                   struct buf *out, struct fault *f)
{
    AUTO_BUF struct buf left = BUF_INIT;
    const char *server = *u->server ? u->server : NULL;
    if (check_untouched(u, text, server, f) < 0)
        return -1;
    for (size_t i = 0; i < u->back.n; i++)
        change_list_add(l, u->back.v[i].path, u->back.v[i].json);
    if (fleet_edit_apply(buf_str(text), text->len, server, l, out, f) < 0)
        return -1;
    if (!u->made_isolation ||
        edit_get(buf_str(out), out->len, server, object_of(server), &left, NULL) != 1 ||
        !is_empty_object(buf_str(&left)))
        return 0;
    change_list_add(l, object_of(server), NULL);
    return fleet_edit_apply(buf_str(text), text->len, server, l, out, f);
}
