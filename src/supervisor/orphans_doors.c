/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does the engine take clients over the network, too? Whoever holds a container's input may then be
 * on any machine. dockerd warns of doors that ask for no certificate (GET /info, API 1.41); of the
 * others only its command line and its file tell. */
#include "supervisor/orphans.h"

#include <stdio.h>
#include <string.h>

static const char default_file[] = "/etc/docker/daemon.json";

static bool tell(char *out, size_t n, const char *address)
{
    snprintf(out, n, "the engine takes clients at %.*s, too, and they may be on any machine",
             (int)strcspn(address, " "), address);
    return true;
}

static bool has_warned(const json_t *info, char *out, size_t n)
{
    static const char words[] = "API is accessible on ";
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(info, "Warnings"), i, one) {
        const char *text = json_string_value(one), *at = text ? strstr(text, words) : NULL;
        if (at)
            return tell(out, n, at + sizeof words - 1);
    }
    return false;
}

static bool is_tcp_in_file(const char *path, char *out, size_t n)
{
    json_t *root = json_load_file(path, 0, NULL), *one;
    bool found = false;
    size_t i;
    json_array_foreach(json_object_get(root, "hosts"), i, one) {
        const char *host = json_string_value(one);
        if (!found && host && strncmp(host, "tcp://", 6) == 0)
            found = tell(out, n, host);
    }
    json_decref(root);
    return found;
}

/* Its own, or one that systemd gave its socket to. */
static bool is_engine(const struct unix_client *c, const struct unix_clients *clients)
{
    const char *slash = c->argv.n ? strrchr(c->argv.v[0], '/') : NULL;
    if (!c->argv.n || strcmp(slash ? slash + 1 : c->argv.v[0], "dockerd") != 0)
        return false;
    for (size_t i = 1; i < c->argv.n; i++)
        if (strstr(c->argv.v[i], "fd://"))
            return true;
    return c->pid == clients->listener;
}

static bool is_tcp_in_argv(const struct strvec *argv, char *out, size_t n)
{
    static const char flag[] = "--config-file";
    const char *file = default_file;
    for (size_t i = 1; i < argv->n; i++) {
        const char *word = argv->v[i], *at = strstr(word, "tcp://");
        if (at)
            return tell(out, n, at);
        if (strncmp(word, flag, sizeof flag - 1) == 0 && word[sizeof flag - 1] == '=')
            file = word + sizeof flag;
        else if (strcmp(word, flag) == 0 && i + 1 < argv->n)
            file = argv->v[++i];
    }
    return is_tcp_in_file(file, out, n);
}

bool orphans_other_door(const json_t *info, const struct unix_clients *clients, char *ret_text,
                        size_t n)
{
    if (has_warned(info, ret_text, n))
        return true;
    for (size_t i = 0; i < clients->n; i++)
        if (is_engine(&clients->v[i], clients) &&
            is_tcp_in_argv(&clients->v[i].argv, ret_text, n))
            return true;
    return false;
}
