/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules about what a server does not find: programs, packages, files, modules, libraries. */
#include "diagnose/words_rules.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "isolation/runtime.h"

static bool is_boxed(const struct match *m)
{
    return m->s->plan->mode == PLAN_DOCKER;
}

__attribute__((format(printf, 4, 5)))
static struct finding *told(const struct match *m, enum finding_kind kind, bool guess,
                            const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    struct finding *f = words_told(m, kind, guess, buf_str(&b));
    buf_fini(&b);
    return f;
}

/* ---- words of a line --------------------------------------------------------------------- */

/* The last word before `end` (exclusive), without quotes and colons. */
static char *word_before(const char *line, const char *end)
{
    while (end > line && strchr(" :'\"`", end[-1]))
        end--;
    const char *begin = end;
    while (begin > line && !strchr(" :'\"`/", begin[-1]))
        begin--;
    return xstrndup(begin, (size_t)(end - begin));
}

static char *word_after(const char *p)
{
    while (*p && !isalnum((unsigned char)*p))
        p++;
    size_t n = 0;
    while (p[n] && (isalnum((unsigned char)p[n]) || strchr("._+-", p[n])))
        n++;
    return xstrndup(p, n);
}

/* What stands after `words`, in quotes or up to a space; NULL = they are not there. */
static char *piece_after(const char *line, const char *words)
{
    const char *p = strcasestr(line, words);
    if (!p)
        return NULL;
    p += strlen(words);
    char quote = *p == '\'' || *p == '"' || *p == '`' ? *p++ : '\0';
    const char end[] = { quote ? quote : ' ', '\0' };
    return xstrndup(p, strcspn(p, end));
}

/* ---- a program --------------------------------------------------------------------------- */

/* "sh: 1: git: not found", "bash: git: command not found", "spawn git ENOENT", "No such file or
 * directory: 'git'", "exec: "git": executable file not found", "Cannot find command 'git'",
 * "Failed to spawn: `git`". */
static char *tool_in(const char *line)
{
    static const struct { const char *words; bool before; } forms[] = {
        { ": not found", true }, { ": command not found", true },
        { ": executable file not found", true }, { "cannot find command ", false },
        { "no such file or directory: '", false }, { "failed to spawn: ", false },
        { "spawn ", false }, { "/usr/bin/env: ", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const char *at = strcasestr(line, forms[i].words);
        if (!at || (strcmp(forms[i].words, "spawn ") == 0 && !strstr(at, "ENOENT")))
            continue;
        char *word = forms[i].before ? word_before(line, at)
            : word_after(at + strlen(forms[i].words));
        if (*word && !strchr(word, '.') && strlen(word) < 40)
            return word;
        free(word);
    }
    return NULL;
}

bool missing_tool(const struct match *m)
{
    AUTO_FREE char *tool = tool_in(m->line);
    const struct symptoms *s = m->s;
    if (!tool)
        return false;
    if (strstr(m->line, "'/") && strcasestr(m->line, "no such file"))
        return false;                /* a path, not a program */
    AUTO_STRVEC struct strvec none = { 0 };
    if (is_boxed(m) && runtime_container_client(tool, &none))
        return words_docker_in_docker(m);
    struct finding *f = is_boxed(m)
        ? told(m, FIND_TOOL_MISSING, true, "it needs %s, which image %s does not have", tool,
               s->plan->image)
        : told(m, FIND_TOOL_MISSING, true, "it needs %s, which is not installed here", tool);
    const struct runtime *rt = runtime_detect(tool);
    if (is_boxed(m) && strcmp(rt->name, "other") != 0 && strcmp(rt->name, "shell") != 0 &&
        strcmp(rt->default_image, s->plan->image) != 0)
        fix_image(f, s, rt->default_image);
    finding_step(f, is_boxed(m) ? "choose an image that has %s: isolation.image" : "install %s",
                 tool);
    if (is_boxed(m) && fix_host_has(s, tool, NULL))
        fix_to_host(f, s);
    return true;
}

/* Our own words: the image has no runner, and nothing to install it with. */
bool missing_runner(const struct match *m)
{
    const char *runner = m->s->plan->argv.n ? m->s->plan->argv.v[0] : "";
    const char *standard = runtime_detect(m->s->config->command)->default_image;
    struct finding *f = told(m, FIND_EXEC_NOT_FOUND, false,
                             "image %s has no %s, and it could not be installed in it",
                             m->s->plan->image, runner);
    words_last(m->s, f, 2);
    if (strcmp(m->s->plan->image, standard) != 0)
        fix_image(f, m->s, standard);
    finding_step(f, "choose an image that has it, or python with pip: isolation.image");
    return true;
}

/* ---- a package --------------------------------------------------------------------------- */

/* The word of args that names it; NULL = not known. */
static const char *package_of(const struct symptoms *s)
{
    static const char *const valued[] = { "--from", "--with", "--python", "-p", "--package",
                                          "--index-url", "--spec" };
    const struct strvec *args = &s->config->args;
    for (size_t i = 0; i < args->n; i++) {
        const char *word = args->v[i];
        bool has_value = false;
        for (size_t k = 0; k < ARRAY_LEN(valued); k++)
            has_value = has_value || strcmp(word, valued[k]) == 0;
        bool names = strcmp(word, "--from") == 0 || strcmp(word, "--package") == 0 ||
            strcmp(word, "-p") == 0 || strcmp(word, "--spec") == 0;
        if (names && i + 1 < args->n)
            return args->v[i + 1];
        if (has_value)
            i++;
        else if (word[0] != '-')
            return word;
    }
    return NULL;
}

static bool uses_uv(const struct symptoms *s)
{
    char scratch[64];
    const char *base = runtime_base_name(s->config->command, scratch, sizeof scratch);
    return strcmp(base, "uvx") == 0;
}

/* A known package whose name is nearly this one; NULL = none. */
static const char *near_package(const char *package)
{
    static const char *const known[] = {
        "@modelcontextprotocol/server-everything", "@modelcontextprotocol/server-filesystem",
        "@modelcontextprotocol/server-memory", "@modelcontextprotocol/server-sequential-thinking",
        "@modelcontextprotocol/server-github", "@modelcontextprotocol/server-gitlab",
        "@modelcontextprotocol/server-postgres", "@modelcontextprotocol/server-slack",
        "@modelcontextprotocol/server-puppeteer", "@modelcontextprotocol/server-brave-search",
        "mcp-server-time", "mcp-server-git", "mcp-server-fetch", "mcp-server-sqlite",
    };
    enum { TYPING_ERROR = 2 };
    struct near near;
    near_init(&near, package);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        near_try(&near, known[i]);
    return near.distance <= TYPING_ERROR ? near.best : NULL;
}

static void fix_package(struct finding *f, const struct symptoms *s, const char *package)
{
    const char *near = near_package(package);
    const struct strvec *args = &s->config->args;
    for (size_t i = 0; near && i < args->n; i++) {
        if (args->v[i] != package)
            continue;
        AUTO_STRVEC struct strvec to = { 0 };
        AUTO_FREE char *title = xasprintf("args[%zu] %s → %s", i, package, near);
        strvec_copy(&to, args);
        free(to.v[i]);
        to.v[i] = xstrdup(near);
        fix_args(f, s, &to, title);
        return;
    }
}

/* Does a runner fetch it (npx, uvx), so that args name it? */
static bool fetches(const struct symptoms *s)
{
    return runtime_detect(s->config->command)->cache_volume != NULL;
}

bool missing_package(const struct match *m)
{
    const char *package = fetches(m->s) ? package_of(m->s) : NULL;
    struct finding *f = package && strstr(m->line, package)
        ? told(m, FIND_PACKAGE_NOT_FOUND, false, "the package index has no package %s", package)
        : told(m, FIND_PACKAGE_NOT_FOUND, false,
               "the package index has no package of this name");
    if (package)
        fix_package(f, m->s, package);
    finding_step(f, "correct the package's name in args");
    return true;
}

bool missing_version(const struct match *m)
{
    const char *package = fetches(m->s) ? package_of(m->s) : NULL;
    if (strstr(m->line, "from versions: none"))
        return false;                /* nor any other */
    struct finding *f = told(m, FIND_PACKAGE_NOT_FOUND, false,
                             "the package index has no such version: %s",
                             package && strstr(m->line, package) ? package : m->line);
    finding_step(f, "correct the version in args, or leave it out to take the newest");
    return true;
}

bool missing_python(const struct match *m)
{
    struct finding *f = told(m, FIND_TOOL_MISSING, true, "it wants another Python than it gets: %s",
                             m->line + strspn(m->line, " "));
    if (uses_uv(m->s))
        finding_step(f, "name one that it takes before the package in args: \"--python\", "
                        "\"3.12\"; uv fetches it");
    else
        finding_step(f, is_boxed(m) ? "choose an image that has it: isolation.image: python:3.12"
                     : "install that Python, and name it as the command: python3.12");
    return true;
}

/* ---- a file ------------------------------------------------------------------------------ */

/* The interpreter names the file that it was to run: "can't open file '/x.py'", "Cannot find module
 * '/x.js'". */
bool missing_script(const struct match *m)
{
    AUTO_FREE char *file = piece_after(m->line, "can't open file ");
    if (!file)
        file = piece_after(m->line, "cannot find module ");
    if (!file || (file[0] != '/' && file[0] != '.'))
        return false;
    if (files_in_working_dir(m->s, m->fs, file, m->seq, m->line))
        return true;
    const char *dir = m->s->config->working_dir;
    struct finding *f = told(m, FIND_FILE_MISSING, false, "there is no file %s to run%s", file,
                             is_boxed(m) ? " in its container" : "");
    finding_step(f, "correct the path in args; a relative one begins at working_dir (%s)",
                 dir ? dir : "not set: where the supervisor was started");
    return true;
}

/* ---- a module ---------------------------------------------------------------------------- */

/* Of a package that a runner fetched, its publisher is to blame: missing_dependency. */
bool missing_module(const struct match *m)
{
    AUTO_FREE char *module = piece_after(m->line, "no module named ");
    AUTO_FREE char *first = module ? xstrndup(module, strcspn(module, ".;,")) : NULL;
    const char *python = m->s->plan->argv.n ? m->s->plan->argv.v[0] : "python3";
    if (!module || !*module || fetches(m->s))
        return false;
    struct finding *f = is_boxed(m)
        ? told(m, FIND_MODULE_MISSING, false, "%s in image %s has no module %s", python,
               m->s->plan->image, module)
        : told(m, FIND_MODULE_MISSING, false, "%s has no module %s", python, module);
    if (is_boxed(m))
        finding_step(f, "run it by uvx, which fetches what it needs, or choose an image that has "
                        "it: isolation.image");
    else
        finding_step(f, "install it for that python (%s -m pip install %s), or name the one that "
                        "has it (a virtual environment's bin/python) as the command", python,
                     first);
    return true;
}

/* ---- a library --------------------------------------------------------------------------- */

bool missing_library(const struct match *m)
{
    AUTO_FREE char *library = piece_after(m->line, "error while loading shared libraries: ");
    const char *version = strstr(m->line, "GLIBC");
    if (library)
        library[strcspn(library, ":")] = '\0';
    struct finding *f = library
        ? told(m, FIND_LIBRARY_MISSING, false, "it needs the library %s, which is not there",
               library)
        : told(m, FIND_LIBRARY_MISSING, false,
               "it is built for a newer system than it runs on (%.*s)",
               version ? (int)strcspn(version, "'\" )") : 0, version ? version : "");
    finding_step(f, is_boxed(m) ? "choose an image of a newer system, or one that has the library: "
                 "isolation.image" : "install the library, or the build for this system; or isolate "
                 "it in an image that has it");
    return true;
}

/* ---- dependencies ------------------------------------------------------------------------ */

/* The last line of a traceback: what the server's code expects of a package is not there. */
bool missing_dependency(const struct match *m)
{
    static const char trace[] = "traceback (most recent call last)";
    AUTO_BUF struct buf line = BUF_INIT;
    const struct symptoms *s = m->s;
    if (s->was_ready || !words_find(s, RING_STDERR, trace, &line) ||
        m->line[strspn(m->line, " |")] == '\0')
        return false;
    struct finding *f = told(m, FIND_DEPENDENCY_BROKEN, true,
                             "a package that it builds on does not fit it any more: %.200s",
                             m->line);
    if (uses_uv(s) && s->config->args.n && strcmp(s->config->args.v[0], "--with") != 0) {
        AUTO_STRVEC struct strvec to = { 0 };
        strvec_add(&to, "--with");
        strvec_add(&to, "mcp<2");
        for (size_t i = 0; i < s->config->args.n; i++)
            strvec_add(&to, s->config->args.v[i]);
        fix_args(f, s, &to, "args + --with mcp<2 (the MCP library before its break)");
    }
    finding_step(f, "pin the versions that worked: uvx --with 'PACKAGE<VERSION', npx "
                    "PACKAGE@VERSION");
    return true;
}

bool missing_node_module(const struct match *m)
{
    if (!fetches(m->s)) {
        struct finding *f = told(m, FIND_MODULE_MISSING, true,
                                 "a module that it loads is not there, or does not fit it");
        finding_step(f, "npm install in its directory (npm ci, where it has a package-lock.json)");
        return true;
    }
    struct finding *f = told(m, FIND_DEPENDENCY_BROKEN, true,
                             "a module that it builds on is missing or does not fit it");
    finding_step(f, "pin the version that worked: npx PACKAGE@VERSION; a stale cache is cleared "
                    "with npm cache clean --force");
    return true;
}
