/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules about what a server does not find: packages, files, modules, libraries. */
#include "diagnose/words_rules.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "isolation/runtime.h"

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

/* Where nobody can answer nobody has said that it is not there. */
static bool is_cut_off(const struct match *m)
{
    const char *mode = m->s->plan->network_mode;
    return words_boxed(m) && mode && strcmp(mode, "none") == 0;
}

bool missing_package(const struct match *m)
{
    if (is_cut_off(m))
        return network_failed(m);
    const char *package = fetches(m->s) ? package_of(m->s) : NULL;
    struct finding *f = package && strstr(m->line, package)
        ? words_told(m, FIND_PACKAGE_NOT_FOUND, false,
               "the package index has no package %s", package)
        : words_told(m, FIND_PACKAGE_NOT_FOUND, false,
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
    if (is_cut_off(m))
        return network_failed(m);
    struct finding *f = words_told(m, FIND_PACKAGE_NOT_FOUND, false,
                             "the package index has no such version: %s",
                             package && strstr(m->line, package) ? package : m->line);
    finding_step(f, "correct the version in args, or leave it out to take the newest");
    return true;
}

bool missing_python(const struct match *m)
{
    struct finding *f = words_told(m, FIND_TOOL_MISSING, true,
                             "it wants another Python than it gets: %s",
                             m->line + strspn(m->line, " "));
    if (uses_uv(m->s))
        finding_step(f, "name one that it takes before the package in args: \"--python\", "
                        "\"3.12\"; uv fetches it");
    else
        finding_step(f, words_boxed(m) ? "choose an image that has it: isolation.image: python:3.12"
                     : "install that Python, and name it as the command: python3.12");
    return true;
}

/* ---- a file ------------------------------------------------------------------------------ */

/* The interpreter names the file that it was to run: "can't open file '/x.py'", "Cannot find module
 * '/x.js'". */
bool missing_script(const struct match *m)
{
    AUTO_FREE char *file = words_piece(m->line, "can't open file ");
    if (!file)
        file = words_piece(m->line, "cannot find module ");
    if (!file || (file[0] != '/' && file[0] != '.'))
        return false;
    if (files_in_working_dir(m->s, m->fs, file, m->seq, m->line))
        return true;
    const char *dir = m->s->config->working_dir;
    struct finding *f = words_told(m, FIND_FILE_MISSING, false, "there is no file %s to run%s",
                             file, words_boxed(m) ? " in its container" : "");
    finding_step(f, "correct the path in args; a relative one begins at working_dir (%s)",
                 dir ? dir : "not set: where the supervisor was started");
    return true;
}

/* Started in the wrong directory: "npm start" without a package.json, "go run ." without a
 * go.mod. */
bool missing_project(const struct match *m)
{
    static const char *const files[] = { "package.json", "go.mod", "Cargo.toml", "pyproject.toml",
                                         "deno.json" };
    const char *dir = m->s->config->working_dir, *file = NULL;
    for (size_t i = 0; i < ARRAY_LEN(files) && !file; i++)
        file = strcasestr(m->line, files[i]) ? files[i] : NULL;
    if (!file)
        return false;
    if (files_in_working_dir(m->s, m->fs, NULL, m->seq, m->line))
        return true;
    struct finding *f = words_told(m, FIND_FILE_MISSING, true,
                                   "there is no %s where it is started%s",
                                   file, words_boxed(m) ? ", in its container" : "");
    finding_evidence(f, "config", 0, "working_dir is %s", dir ? dir : "not set");
    finding_step(f, "set working_dir to the directory of the project");
    return true;
}

/* ---- a module ---------------------------------------------------------------------------- */

/* "No module named x.y", "Can't locate A/B.pm in @INC", "cannot load such file -- x", "Could not
 * find or load main class x". */
static char *module_in(const char *line)
{
    static const char *const before[] = { "no module named ", "can't locate ",
                                          "cannot load such file -- ",
                                          "could not find or load main class " };
    char *module = NULL;
    for (size_t i = 0; i < ARRAY_LEN(before) && !module; i++)
        module = words_piece(line, before[i]);
    if (module)
        module[strcspn(module, ";,(")] = '\0';
    return module;
}

/* Of a package that a runner fetched, its publisher is to blame: missing_dependency. */
bool missing_module(const struct match *m)
{
    AUTO_FREE char *module = module_in(m->line);
    const char *program = m->s->plan->argv.n ? m->s->plan->argv.v[0] : "python3";
    const char *command = m->s->config->command;
    bool python = strcasestr(m->line, "no module named ") != NULL;
    if (!module || !*module || fetches(m->s))
        return false;
    struct finding *f = words_boxed(m)
        ? words_told(m, FIND_MODULE_MISSING, false, "%s in image %s has no module %s", program,
                     m->s->plan->image, module)
        : words_told(m, FIND_MODULE_MISSING, false, "%s has no module %s", program, module);
    if (words_boxed(m) && strchr(command, '/') && m->s->exists(command))
        fix_to_host(f, m->s);        /* a virtual environment's own, which has it */
    if (words_boxed(m))
        finding_step(f, "%schoose an image that has it: isolation.image",
                     python ? "run it by uvx, which fetches what it needs, or " : "");
    else if (python)
        finding_step(f, "install it for that python (%s -m pip install %.*s), or name the one that "
                        "has it (a virtual environment's bin/python) as the command", program,
                     (int)strcspn(module, "."), module);
    else
        finding_step(f, "install it where %s looks for it, or name the place in args or env",
                     program);
    return true;
}

/* ---- a library --------------------------------------------------------------------------- */

bool missing_library(const struct match *m)
{
    static const char unopened[] = ": cannot open shared object file";
    const char *end = strstr(m->line, unopened), *version = strstr(m->line, "GLIBC");
    AUTO_FREE char *library = end ? words_before(m->line, end)
        : words_piece(m->line, "error loading shared library ");
    if (library)
        library[strcspn(library, ":")] = '\0';
    struct finding *f = library
        ? words_told(m, FIND_LIBRARY_MISSING, false, "it needs the library %s, which is not there",
               library)
        : words_told(m, FIND_LIBRARY_MISSING, false,
               "it is built for a newer system than it runs on (%.*s)",
               version ? (int)strcspn(version, "'\" )") : 0, version ? version : "");
    finding_step(f, "%s", words_boxed(m)
                 ? "choose an image of a newer system, or one that has the library: "
                   "isolation.image"
                 : "install the library, or the build for this system; or isolate it in an image "
                   "that has it");
    return true;
}

/* The volume that a runner keeps packages in, in its container; NULL = none. */
static const char *cache_of(const struct symptoms *s)
{
    const char *path = runtime_detect(s->config->command)->cache_path;
    const struct plan *p = s->plan;
    for (size_t i = 0; path && i < p->mount_count; i++)
        if (p->mounts[i].is_volume && strcmp(p->mounts[i].target, path) == 0)
            return p->mounts[i].source;
    return NULL;
}

/* What a runner keeps of a package is not whole: a volume, or a directory of the user's. */
static void step_to_fetch_anew(const struct match *m, struct finding *f)
{
    const char *cache = cache_of(m->s);
    AUTO_BUF struct buf name = BUF_INIT;
    buf_add_shell(&name, m->s->name);
    if (cache)
        finding_step(f, "have it fetched anew: mcptop stop %s && docker volume rm %s && mcptop "
                     "start %s", buf_str(&name), cache, buf_str(&name));
    else if (words_boxed(m))
        finding_step(f, "have it fetched anew: mcptop restart %s", buf_str(&name));
    else
        finding_step(f, "have it fetched anew: %s", uses_uv(m->s) ? "uv cache clean"
                     : "remove ~/.npm/_npx, and npm cache clean --force");
}

/* npm's own complaints of a directory that it did not finish, because it was ended meanwhile. */
bool missing_half(const struct match *m)
{
    if (!fetches(m->s))
        return false;
    struct finding *f = words_told(m, FIND_DEPENDENCY_BROKEN, true,
                                   "what is kept of its package is not whole: a fetch of it was "
                                   "cut off");
    step_to_fetch_anew(m, f);
    return true;
}

/* An addon of Node that was built for another one, or for another system (node_modules of the host,
 * mounted). */
bool missing_build(const struct match *m)
{
    struct finding *f = words_told(m, fetches(m->s) ? FIND_DEPENDENCY_BROKEN : FIND_MODULE_MISSING,
                                   true, "a part of it is built for another version or system than "
                                   "it runs on");
    if (fetches(m->s))
        step_to_fetch_anew(m, f);
    else
        finding_step(f, "build it anew where it runs: npm rebuild, or npm ci, in its directory");
    return true;
}

/* ---- dependencies ------------------------------------------------------------------------ */

static bool has_arg(const struct symptoms *s, const char *word)
{
    for (size_t i = 0; i < s->config->args.n; i++)
        if (strcmp(s->config->args.v[i], word) == 0)
            return true;
    return false;
}

/* "No module named 'x.y'" of anything but the MCP library: uvx can add it. The caller's. */
static char *unlisted_module(const char *line)
{
    char *module = words_piece(line, "no module named ");
    if (module) {
        module[strcspn(module, ".;,")] = '\0';
        if (!*module || strcmp(module, "mcp") == 0) {
            free(module);
            return NULL;
        }
    }
    return module;
}

static bool is_of_mcp(const char *line)
{
    const char *from = strstr(line, " from '");     /* cannot import name 'A' from 'x.y' */
    return !from || strncmp(from + 7, "mcp", 3) == 0;
}

/* The newest of what it needs does not fit it, or it needs what it does not say. */
static void fix_dependency(struct finding *f, const struct symptoms *s, const char *line)
{
    AUTO_FREE char *module = unlisted_module(line);
    AUTO_FREE char *title = NULL;
    /* setuptools had it, and has it no more. */
    const char *with = !module ? "mcp<2"
        : strcmp(module, "pkg_resources") == 0 ? "setuptools<81" : module;
    if (!uses_uv(s) || !s->config->args.n || has_arg(s, with) || !is_of_mcp(line))
        return;
    title = module ? xasprintf("args + --with %s (the package that it does not name)", with)
        : xstrdup("args + --with mcp<2 (the MCP library before its break)");
    AUTO_STRVEC struct strvec to = { 0 };
    strvec_add(&to, "--with");
    strvec_add(&to, with);
    for (size_t i = 0; i < s->config->args.n; i++)
        strvec_add(&to, s->config->args.v[i]);
    fix_args(f, s, &to, title);
}

/* The last line of a traceback: what the server's code expects of a package is not there. */
bool missing_dependency(const struct match *m)
{
    const struct symptoms *s = m->s;
    if (s->was_ready || !words_anywhere(m, "traceback (most recent call last)") ||
        m->line[strspn(m->line, " |")] == '\0')
        return false;
    struct finding *f = words_told(m, FIND_DEPENDENCY_BROKEN, true,
                                   "a package that it builds on does not fit it any more: %.200s",
                                   m->line);
    fix_dependency(f, s, m->line);
    finding_step(f, "pin the versions that worked: uvx --with 'PACKAGE<VERSION', npx "
                    "PACKAGE@VERSION");
    return true;
}

bool missing_node_module(const struct match *m)
{
    if (!fetches(m->s)) {
        struct finding *f = words_told(m, FIND_MODULE_MISSING, true,
                                       "a module that it loads is not there, or does not fit it");
        finding_step(f, "npm install in its directory (npm ci, where it has a package-lock.json)");
        return true;
    }
    struct finding *f = words_told(m, FIND_DEPENDENCY_BROKEN, true,
                                   "a module that it builds on is missing or does not fit it");
    finding_step(f, "pin the version that worked: npx PACKAGE@VERSION; a stale cache is cleared "
                    "with npm cache clean --force");
    return true;
}
