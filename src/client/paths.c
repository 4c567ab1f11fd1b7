/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where things are: options, then MCPTOP_SOCKET, then the defaults. Relative paths become absolute
 * here, because the supervisor that is started in the background runs in another directory. Touches
 * no file. */
#include "client/api_client.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"

static int make_absolute(char **path, struct fault *f)
{
    if (!*path || **path == '/')
        return 0;
    char cwd[4096];
    if (!getcwd(cwd, sizeof cwd))
        return fault_set(f, errno, "the directory that \"%s\" is relative to", *path);
    char *whole = xasprintf("%s/%s", strcmp(cwd, "/") ? cwd : "", *path);
    free(*path);
    *path = whole;
    return 0;
}

const char *paths_home(void)
{
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return home;
    const struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_dir && *pw->pw_dir == '/' ? pw->pw_dir : NULL;
}

static int default_data_dir(struct paths *p, struct fault *f)
{
    const char *home = paths_home();
    if (!home)
        return fault_set(f, FAULT_NOT_FOUND,
                         "HOME is not set and user %d has no home directory: use --data-dir DIR",
                         (int)getuid());
    p->data_dir = xasprintf("%s/.mcpproxy", strcmp(home, "/") ? home : "");
    return 0;
}

/* Looked for here and now: a supervisor that is started in the background runs in another
 * directory. */
static void find_config_here(struct paths *p)
{
    if (!p->config && access("mcp_config.json", F_OK) == 0)
        p->config = xstrdup("mcp_config.json");
}

bool paths_data_dir_is_default(const struct paths *p)
{
    struct paths other = { 0 };
    bool same = default_data_dir(&other, NULL) == 0 && strcmp(other.data_dir, p->data_dir) == 0;
    paths_fini(&other);
    return same;
}

int paths_resolve(struct paths *p, struct fault *f)
{
    char **given[] = { &p->data_dir, &p->socket, &p->config, &p->log_dir };
    const char *from_env = getenv("MCPTOP_SOCKET");
    if (!p->socket && from_env && *from_env)
        p->socket = xstrdup(from_env);
    find_config_here(p);
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        if (make_absolute(given[i], f))
            return -1;
    if (!p->data_dir && default_data_dir(p, f))
        return -1;
    if (!p->socket)
        p->socket = xasprintf("%s/mcptop.sock", p->data_dir);

    size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    if (strlen(p->socket) > max)
        return fault_set(f, FAULT_TOO_BIG,
                         "the socket's path \"%s\" has %zu bytes, and the system allows %zu: "
                         "give a shorter one with --socket",
                         p->socket, strlen(p->socket), max);
    return 0;
}

void paths_fini(struct paths *p)
{
    free(p->data_dir);
    free(p->socket);
    free(p->config);
    free(p->log_dir);
    free(p->listen);
    *p = (struct paths){ 0 };
}
