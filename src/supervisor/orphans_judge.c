/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict, a pure function of what the engine and /proc told. A `docker run` makes its one
 * container after it has started itself and lives as long as that: so a process that is younger
 * than a container is not its client, and nor is one that names another image or name, or that has
 * made another. Programs that are connected to the engine and are no such command might hold the
 * input of anything that was made while they ran.
 *
 * Where the input is known to have ended, whoever ended it and still waits (`docker run -i … <
 * file` for its output) has ended its own direction of a connection to the engine: nobody else can
 * be its client. */
#include "supervisor/orphans.h"

#include <string.h>

enum {
    SLACK_MS = 5000,            /* clocks: the engine may live in a virtual machine */
    /* A `docker run` creates its container at once where the image is there; what was made so long
     * after is another's. */
    AT_ONCE_MS = 10 * 1000, LATER_MS = 60 * 1000,
    MOST_TOLD = 3,              /* of those that were ruled out */
};
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

static bool has_flag(const struct strvec *argv, const char *flag)
{
    size_t n = strlen(flag);
    for (size_t i = 1; i < argv->n; i++)
        if (strncmp(argv->v[i], flag, n) == 0 && (!argv->v[i][n] || argv->v[i][n] == '='))
            return true;
    return false;
}

static size_t length_of_image(const char *image)
{
    static const char latest[] = ":latest";
    size_t n = strlen(image), k = sizeof latest - 1;
    return n > k && strcmp(image + n - k, latest) == 0 ? n - k : n;
}

/* Podman tells an image by its whole name ("docker.io/library/x:latest"), whatever was written. */
static bool is_image(const char *word, const char *image)
{
    size_t n = length_of_image(word), k = length_of_image(image);
    return n > 0 && n <= k && strncmp(word, image + k - n, n) == 0 &&
        (n == k || image[k - n - 1] == '/');
}

static bool is_run_like(const struct unix_client *c, const struct orphan_subject *s)
{
    const char *name = name_of(&c->argv);
    if (!has_word(&c->argv, "run") || (name && strcmp(name, s->name) != 0))
        return false;
    for (size_t i = 1; i < c->argv.n; i++)
        if (is_image(c->argv.v[i], s->image))
            return true;
    return false;
}

/* The container that this `docker run` made, when that is another: one of the same image, which
 * therefore was there, made when the command started, while s came long after. NULL: it is not
 * known. With --pull it may have waited for a registry. *ret_count: how many there are of that
 * age. */
static const struct orphan_other *made_another(const struct unix_client *c,
                                               const struct orphan_subject *s,
                                               const struct orphan_others *others,
                                               size_t *ret_count)
{
    const struct orphan_other *found = NULL;
    *ret_count = 0;
    int64_t from = c->started_wall_ms - SLACK_MS, to = c->started_wall_ms + AT_ONCE_MS;
    if (!c->started_wall_ms || s->created_wall_ms < to + LATER_MS || name_of(&c->argv) ||
        has_flag(&c->argv, "--pull"))
        return NULL;
    for (size_t i = 0; others && i < others->n; i++) {
        const struct orphan_other *o = &others->v[i];
        if (strcmp(o->id, s->id) != 0 && strcmp(o->image, s->image) == 0 &&
            o->created_wall_ms >= from && o->created_wall_ms <= to) {
            found = o;
            ++*ret_count;
        }
    }
    return found;
}

/* What a client is to a container. */
enum relation {
    REL_NONE,
    REL_CLEARED,                /* it might be, but for what is known of inputs and times */
    REL_HOLDER,
};

/* Does what the kernel shows of its connections fit the container's input? What is not connected
 * may be so in ways that do not show. */
static bool fits_input(const struct unix_client *c, const struct orphan_subject *s)
{
    return s->input != INPUT_ENDED || !c->connected || c->ended > 0;
}

static enum relation relate(const struct unix_client *c, const struct orphan_subject *s,
                            const struct orphan_others *others)
{
    size_t count;
    if (is_command(c) && (has_word(&c->argv, "attach") || has_word(&c->argv, "start")) &&
        names_it(&c->argv, s))
        return REL_HOLDER;
    if (c->started_wall_ms > s->created_wall_ms + SLACK_MS)
        return REL_NONE;
    if (c->argv.n && strcmp(base_name(c->argv.v[0]), "mcptop") == 0)
        return s->managed ? REL_HOLDER : REL_NONE;
    /* dial-stdio: the near end of a `docker -H ssh://…`, whatever that one does. */
    if (is_command(c) ? !is_run_like(c, s) && !has_word(&c->argv, "dial-stdio") : !c->connected)
        return REL_NONE;
    if (is_command(c) && is_run_like(c, s) && made_another(c, s, others, &count))
        return REL_CLEARED;
    return fits_input(c, s) ? REL_HOLDER : REL_CLEARED;
}

static void say(struct orphan_subject *s, const char *text)
{
    if (s->evidence.len)
        buf_add_char(&s->evidence, '\n');
    buf_add_str(&s->evidence, text);
}

static void say_holder(struct orphan_subject *s, const struct unix_client *c)
{
    const char *what = "is connected to the engine and may hold its input";
    if (is_command(c))
        what = s->input == INPUT_ENDED ? "is its command, or that of one like it, and waits for "
                                         "its end"
                                       : "holds its input, or that of one like it";
    else if (s->input == INPUT_ENDED && c->ended)
        what = "has ended an input at the engine, and may wait for this one's output";
    buf_printf(&s->evidence, "%.60s (pid %ld) %s",
               c->argv.n ? base_name(c->argv.v[0]) : "a program", (long)c->pid, what);
}

static bool say_unseen(struct orphan_subject *s, const struct unix_clients *clients)
{
    bool ended = s->input == INPUT_ENDED;
    size_t unseen = ended ? clients->unseen_ended : clients->unseen, n = clients->elsewhere;
    const char *may = ended ? "may wait for its output" : "may hold its input";
    if (n) {
        buf_printf(&s->evidence, "%zu connection%s to the engine %s from another network namespace "
                   "(a container that has its socket%s%s): one %s", n, n > 1 ? "s" : "",
                   n > 1 ? "come" : "comes", *clients->elsewhere_name ? "; there runs " : "",
                   clients->elsewhere_name, may);
        return true;
    }
    if (unseen) {
        buf_printf(&s->evidence, "%zu connection%s to the engine %s of programs that do not show "
                   "here: one %s", unseen, unseen > 1 ? "s" : "", unseen > 1 ? "are" : "is", may);
        return true;
    }
    return false;
}

/* A holder, or what makes it impossible to rule one out; false when there is none. */
static bool find_holder(struct orphan_subject *s, const struct unix_clients *clients,
                        const struct orphan_others *others)
{
    const struct unix_client *holder = NULL;
    for (size_t i = 0; i < clients->n; i++)
        if (relate(&clients->v[i], s, others) == REL_HOLDER &&
            (!holder || is_command(&clients->v[i])))
            holder = &clients->v[i];
    if (!holder)
        return say_unseen(s, clients);
    say_holder(s, holder);
    return true;
}

/* Who is there all the same, and why it is none of these. */
static void say_one_cleared(struct orphan_subject *s, const struct unix_client *c,
                            const struct orphan_others *others)
{
    const struct orphan_other *another = NULL;
    size_t count = 0;
    char text[400];
    const char *program = c->argv.n ? base_name(c->argv.v[0]) : "a program";
    if (is_command(c) && is_run_like(c, s))
        another = made_another(c, s, others, &count);
    if (another)
        snprintf(text, sizeof text, "%.60s (pid %ld) runs the same image, but made %.100s", program,
                 (long)c->pid, count == 1 ? another->name : "one that is as old as itself");
    else
        snprintf(text, sizeof text, "%.60s (pid %ld) is connected to the engine, but has ended no "
                 "container's input", program, (long)c->pid);
    say(s, text);
}

static void say_cleared(struct orphan_subject *s, const struct unix_clients *clients,
                        const struct orphan_others *others)
{
    int told = 0;
    for (size_t i = 0; i < clients->n && told < MOST_TOLD; i++)
        if (relate(&clients->v[i], s, others) == REL_CLEARED) {
            say_one_cleared(s, &clients->v[i], others);
            told++;
        }
}

void orphans_judge(struct orphan_subject *s, const struct unix_clients *clients,
                   const struct orphan_others *others, const char *doubt)
{
    s->orphan = false;
    buf_clear(&s->evidence);
    if (clients && find_holder(s, clients, others))
        return;
    if (doubt) {
        buf_printf(&s->evidence, "who holds its input cannot be told: %s", doubt);
        return;
    }
    say(s, "made by `docker run -i` or alike: its input came from that command alone");
    if (s->input == INPUT_ENDED)
        say(s, "its input has ended: nothing can be sent to it any more");
    say(s, "no program on this machine is left that can be that command");
    if (clients)
        say_cleared(s, clients, others);
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
