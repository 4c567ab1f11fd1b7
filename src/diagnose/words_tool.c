/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules about other programs that a server starts and does not find: as shells, libraries and the
 * small programs that run another one say it. */
#include "diagnose/words_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "isolation/runtime.h"

/* also: what the line must have besides; NULL = nothing. */
static const struct form { const char *words; bool before; const char *also; } forms[] = {
    { ": not found", true, NULL },                              /* sh: 1: git: not found */
    { ": command not found", true, NULL },
    { ": executable file not found", true, NULL },              /* Go: exec: "git": … */
    { "command not found: ", false, NULL },                     /* zsh */
    { "cannot find command ", false, NULL },                    /* pip: … 'git' */
    { "no such file or directory: '", false, NULL },            /* Python */
    { "no such file or directory - ", false, NULL },            /* Ruby */
    { "failed to spawn: ", false, NULL },                       /* uv: … `git` */
    { "syscall spawn ", false, NULL },                          /* npm */
    { "spawn ", false, "enoent" },                              /* Node */
    { "spawnsync ", false, "enoent" },
    { "cannot run program ", false, "no such file" },           /* Java */
    { "trying to start process ", false, "no such file" },      /* .NET */
    { "can't exec ", false, "no such file" },                   /* Perl */
    { "failed to run command ", false, "no such file" },        /* timeout, nohup, stdbuf, chroot */
    { "failed to execute ", false, "no such file" },            /* setsid, taskset, unshare */
    { "can't execute ", false, "no such file" },                /* busybox */
    { "/usr/bin/env: ", false, NULL },
    { "env: ", false, "no such file" },
    { "nice: ", false, "no such file" },
    { "which: no ", false, NULL },
};

static char *tool_in(const char *line)
{
    if (strcasestr(line, "bad git executable"))
        return xstrdup("git");                                  /* GitPython */
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct form *form = &forms[i];
        const char *at = strcasestr(line, form->words);
        if (!at || (form->also && !strcasestr(line, form->also)))
            continue;
        char *word = form->before ? words_before(line, at)
            : words_after(at + strlen(form->words));
        if (*word && !strpbrk(word, "./") && strlen(word) < 40)
            return word;
        free(word);
    }
    return NULL;
}

/* It goes on, and what it lacks is the client of an engine that it cannot have. */
bool tool_client(const struct match *m)
{
    AUTO_FREE char *tool = tool_in(m->line);
    AUTO_STRVEC struct strvec none = { 0 };
    return tool && runtime_container_client(tool, &none) && words_docker_in_docker(m);
}

bool tool_missing(const struct match *m)
{
    AUTO_FREE char *tool = tool_in(m->line);
    const struct symptoms *s = m->s;
    if (!tool)
        return false;
    if (strstr(m->line, "'/") && strcasestr(m->line, "no such file"))
        return false;                /* a path, not a program */
    AUTO_STRVEC struct strvec none = { 0 };
    bool boxed = words_boxed(m);
    if (boxed && runtime_container_client(tool, &none))
        return words_docker_in_docker(m);
    struct finding *f = boxed
        ? words_told(m, FIND_TOOL_MISSING, true, "it needs %s, which image %s does not have", tool,
                     s->plan->image)
        : words_told(m, FIND_TOOL_MISSING, true, "it needs %s, which is not installed here", tool);
    const struct runtime *rt = runtime_detect(tool);
    if (boxed && strcmp(rt->name, "other") != 0 && strcmp(rt->name, "shell") != 0 &&
        strcmp(rt->default_image, s->plan->image) != 0)
        fix_image(f, s, rt->default_image);
    finding_step(f, boxed ? "choose an image that has %s: isolation.image" : "install %s", tool);
    if (boxed && fix_host_has(s, tool, NULL))
        fix_to_host(f, s);
    return true;
}

/* Our own words: the image has no runner, and nothing to install it with. */
bool tool_runner(const struct match *m)
{
    const char *runner = m->s->plan->argv.n ? m->s->plan->argv.v[0] : "";
    const char *standard = runtime_detect(m->s->config->command)->default_image;
    struct finding *f = words_told(m, FIND_EXEC_NOT_FOUND, false,
                                   "image %s has no %s, and it could not be installed in it",
                                   m->s->plan->image, runner);
    words_last(m->s, f, 2);
    if (strcmp(m->s->plan->image, standard) != 0)
        fix_image(f, m->s, standard);
    finding_step(f, "choose an image that has it, or python with pip: isolation.image");
    return true;
}

/* Playwright's and Puppeteer's browsers are no part of their packages. */
bool tool_browser(const struct match *m)
{
    struct finding *f = words_told(m, FIND_TOOL_MISSING, true,
                                   "it needs a browser, which is not installed %s",
                                   words_boxed(m) ? "in its container" : "here");
    if (words_boxed(m))
        finding_step(f, "choose an image that has one: isolation.image (Playwright's is "
                        "mcr.microsoft.com/playwright)");
    else
        finding_step(f, "npx playwright install chromium, or npx puppeteer browsers install "
                        "chrome");
    return true;
}

/* "npm warn EBADENGINE   required: { node: '>=22' }", by npm alone a warning: said of a server that
 * then ended. */
bool tool_node(const struct match *m)
{
    const char *node = strcasestr(m->line, "required: { node:");
    unsigned version = 0;
    if (!node || sscanf(node + strcspn(node, "0123456789"), "%3u", &version) != 1)
        return false;
    struct finding *f = words_told(m, FIND_TOOL_MISSING, true,
                                   "it wants Node %u, and gets an older one", version);
    AUTO_FREE char *image = xasprintf("node:%u", version);
    if (words_boxed(m) && strcmp(image, m->s->plan->image) != 0)
        fix_image(f, m->s, image);
    finding_step(f, words_boxed(m) ? "choose an image that has it: isolation.image"
                 : "install that Node, or isolate the server in an image that has it");
    return true;
}
