/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of clients and where their files lie. What is in the files stands in foreign_read.c and
 * foreign_edit.c. */
#include "config/foreign.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

const struct foreign_client foreign_clients[] = {
    {"claude-code", "Claude Code", FOREIGN_JSON, "mcpServers", true},
    {"claude-desktop", "Claude Desktop", FOREIGN_JSON, "mcpServers", false},
    {"cursor", "Cursor", FOREIGN_JSON, "mcpServers", false},
    {"vscode", "VS Code", FOREIGN_JSON, "servers", true},
    {"gemini", "Gemini CLI", FOREIGN_JSON, "mcpServers", false},
    {"codex", "Codex", FOREIGN_TOML, "mcp_servers", false},
};
const size_t foreign_client_count = ARRAY_LEN(foreign_clients);

/* Where each lies. `variable` moves the directory as a whole; a directory that begins with CONFIG/
 * is below the user's directory of configurations, any other below the home directory. */
static const struct {
    const char *id, *variable, *dir, *file;
    bool beside;                 /* the file is not in the directory but beside it, unless moved */
    const char *project;         /* the file of a project, below its directory, or NULL */
} places[] = {
    {"claude-code", "CLAUDE_CONFIG_DIR", ".claude", ".claude.json", true, ".mcp.json"},
    {"claude-desktop", NULL, "CONFIG/Claude", "claude_desktop_config.json", false, NULL},
    {"cursor", NULL, ".cursor", "mcp.json", false, ".cursor/mcp.json"},
    {"vscode", NULL, "CONFIG/Code/User", "mcp.json", false, ".vscode/mcp.json"},
    {"gemini", NULL, ".gemini", "settings.json", false, ".gemini/settings.json"},
    {"codex", "CODEX_HOME", ".codex", "config.toml", false, ".codex/config.toml"},
};

static size_t place_of(const struct foreign_client *c)
{
    size_t i = 0;
    while (strcmp(places[i].id, c->id) != 0)
        i++;
    return i;
}

const char *foreign_project_file(const struct foreign_client *c)
{
    return places[place_of(c)].project;
}

const struct foreign_client *foreign_find(const char *id)
{
    for (size_t i = 0; i < foreign_client_count; i++)
        if (!strcmp(foreign_clients[i].id, id))
            return &foreign_clients[i];
    return NULL;
}

static const char *from_environment(const char *name, foreign_getenv_fn env)
{
    const char *value = name ? env ? env(name) : getenv(name) : NULL;
    return value && *value == '/' ? value : NULL;
}

static char *config_home(const char *home, foreign_getenv_fn env)
{
#ifdef __APPLE__
    (void)env;
    return xasprintf("%s/Library/Application Support", home);
#else
    const char *moved = from_environment("XDG_CONFIG_HOME", env);
    return moved ? xstrdup(moved) : xasprintf("%s/.config", home);
#endif
}

/* beside: what the file lies in, which is not always the client's own directory. */
static char *directory(const struct foreign_client *c, const char *home, foreign_getenv_fn env,
                       bool of_file, const char **ret_file)
{
    size_t i = place_of(c);
    *ret_file = places[i].file;
    const char *moved = from_environment(places[i].variable, env), *dir = places[i].dir;
    if (moved)
        return xstrdup(moved);
    if (of_file && places[i].beside)
        return xstrdup(home);
    if (strncmp(dir, "CONFIG/", 7) != 0)
        return xasprintf("%s/%s", home, dir);
    AUTO_FREE char *base = config_home(home, env);
    return xasprintf("%s/%s", base, dir + 7);
}

char *foreign_dir(const struct foreign_client *c, const char *home, foreign_getenv_fn env)
{
    const char *file;
    return directory(c, home, env, false, &file);
}

char *foreign_path(const struct foreign_client *c, const char *home, foreign_getenv_fn env)
{
    const char *file;
    AUTO_FREE char *dir = directory(c, home, env, true, &file);
    return xasprintf("%s/%s", dir, file);
}

enum foreign_format foreign_format_of(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && !strcasecmp(path + n - 5, ".toml") ? FOREIGN_TOML : FOREIGN_JSON;
}
