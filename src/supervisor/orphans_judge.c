/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict, a pure function of what the engine and /proc told. A `docker run` makes its
 * container after it has started itself and lives as long as that: so a process that is younger
 * than a container is not its client, and nor is one that names another image or name. Programs
 * that are connected to the engine and are no such command might hold the input of anything that
 * was made while they ran. */
#include "supervisor/orphans.h"

#include <string.h>

enum { SLACK_MS = 5000 };       /* clocks: the engine may live in a virtual machine */
#define BUSY_PERCENT 1.0

const char *const orphans_programs[] = { "dockerd", "docker", "podman", "podman-remote", "nerdctl",
                                         "finch", NULL };

static const char *base_name(const char *word)
{
    const char *slash = strrchr(word, '/');
    return slash ? slash + 1 : word;
}

static bool has_word(const struct strvec *argv, const char *word)
{
    for (size_t i = 1; i < argv->n; i++)
        if (strcmp(argv->v[i], word) == 0)
            return true;
    return false;
}

static bool is_command(const struct unix_client *c)
{
    for (size_t i = 1; c->argv.n && orphans_programs[i]; i++)      /* all but the engine */
        if (strcmp(base_name(c->argv.v[0]), orphans_programs[i]) == 0)
            return true;
    return false;
}

/* The value of --name; NULL = the engine chose one. */
static const char *name_of(const struct strvec *argv)
{
    for (size_t i = 1; i < argv->n; i++) {
        if (strncmp(argv->v[i], "--name=", 7) == 0)
            return argv->v[i] + 7;
        if (strcmp(argv->v[i], "--name") == 0 && i + 1 < argv->n)
            return argv->v[i + 1];
    }
    return NULL;
}

/* By its name, or by the beginning of its id. */
static bool names_it(const struct strvec *argv, const struct orphan_subject *s)
{
    enum { SHORTEST = 3 };
    for (size_t i = 1; i < argv->n; i++) {
        size_t n = strlen(argv->v[i]);
        if (strcmp(argv->v[i], s->name) == 0 ||
            (n >= SHORTEST && strncmp(s->id, argv->v[i], n) == 0))
            return true;
    }
    return false;
}

static bool may_hold(const struct unix_client *c, const struct orphan_subject *s)
{
    if (is_command(c) && (has_word(&c->argv, "attach") || has_word(&c->argv, "start")) &&
        names_it(&c->argv, s))
        return true;
    if (c->started_wall_ms > s->created_wall_ms + SLACK_MS)
        return false;
    /* The near end of a `docker -H ssh://…`, whatever that one does. */
    if (is_command(c) && has_word(&c->argv, "dial-stdio"))
        return true;
    if (is_command(c)) {
        const char *name = name_of(&c->argv);
        return has_word(&c->argv, "run") && has_word(&c->argv, s->image) &&
            (!name || strcmp(name, s->name) == 0);
    }
    if (c->argv.n && strcmp(base_name(c->argv.v[0]), "mcptop") == 0)
        return s->managed;
    return c->connected;
}

static void say(struct orphan_subject *s, const char *text)
{
    if (s->evidence.len)
        buf_add_char(&s->evidence, '\n');
    buf_add_str(&s->evidence, text);
}

/* A holder, or what makes it impossible to rule one out; false when there is none. */
static bool find_holder(struct orphan_subject *s, const struct unix_clients *clients)
{
    const struct unix_client *holder = NULL;
    for (size_t i = 0; i < clients->n; i++)
        if (may_hold(&clients->v[i], s) && (!holder || is_command(&clients->v[i])))
            holder = &clients->v[i];
    if (holder) {
        buf_printf(&s->evidence, "%.60s (pid %ld) %s",
                   holder->argv.n ? base_name(holder->argv.v[0]) : "a program", (long)holder->pid,
                   is_command(holder) ? "holds its input, or that of one like it"
                   : "is connected to the engine and may hold its input");
        return true;
    }
    if (clients->elsewhere) {
        buf_printf(&s->evidence, "%zu connection%s to the engine %s from another network namespace "
                   "(a container that has its socket): one may hold its input", clients->elsewhere,
                   clients->elsewhere > 1 ? "s" : "", clients->elsewhere > 1 ? "come" : "comes");
        return true;
    }
    if (clients->unseen) {
        buf_printf(&s->evidence, "%zu connection%s to the engine %s of programs that do not show "
                   "here: one may hold its input", clients->unseen, clients->unseen > 1 ? "s" : "",
                   clients->unseen > 1 ? "are" : "is");
        return true;
    }
    return false;
}

void orphans_judge(struct orphan_subject *s, const struct unix_clients *clients,
                   const char *doubt)
{
    s->orphan = false;
    buf_clear(&s->evidence);
    if (clients && find_holder(s, clients))
        return;
    if (doubt) {
        buf_printf(&s->evidence, "who holds its input cannot be told: %s", doubt);
        return;
    }
    say(s, "made by `docker run -i` or alike: its input came from that command alone");
    say(s, "no program on this machine is left that can be that command");
    if (s->cpu_percent < 0) {
        say(s, "what it does could not be read");
        return;
    }
    char use[80];
    snprintf(use, sizeof use, "%s: %.1f %% of a core in the last second",
             s->cpu_percent >= BUSY_PERCENT ? "but busy" : "idle", s->cpu_percent);
    say(s, use);
    s->orphan = s->cpu_percent < BUSY_PERCENT;
}
