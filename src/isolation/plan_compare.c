/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a change of plan means for the server, in sentences for the question before it is made. Says
 * what is taken away and what is given; never a value of the environment, and not when it comes
 * into force: that depends on what runs, which a plan does not know. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "isolation/plan.h"

static const char *text_or_none(const char *text, int64_t value)
{
    return value ? text : "none";
}

static const char *count_or_none(int64_t n, char *scratch, size_t size)
{
    if (!n)
        return "none";
    snprintf(scratch, size, "%lld", (long long)n);
    return scratch;
}

static void say_mounts(const struct plan *to, struct strvec *out)
{
    bool any = false;
    for (size_t i = 0; i < to->mount_count; i++) {
        const struct plan_mount *m = &to->mounts[i];
        if (m->is_volume || m->is_tmpfs)
            continue;
        any = true;
        strvec_addf(out, "It sees %s of the host as %s%s.", m->source, m->target,
                    m->read_only ? ", read-only" : "");
    }
    strvec_addf(out, any ? "All other files of the host are out of its reach."
                         : "The files of the host are out of its reach: none is mounted.");
}

static void say_into_container(const struct plan *to, struct strvec *out)
{
    if (to->adopted)
        strvec_addf(out, "Its docker run will be made by mcptop itself: a container of %s.",
                    to->image);
    else
        strvec_addf(out, "It will run in a container of %s.", to->image);
    say_mounts(to, out);
    if (strcmp(to->network_mode, "none") == 0)
        strvec_add(out, "It has no network.");
    else if (strcmp(to->network_mode, "default") == 0)
        strvec_add(out, "Its network is the engine's default.");
    else
        strvec_addf(out, "Its network is %s.", to->network_mode);
    strvec_addf(out, "Memory: %s, CPUs: %s.", text_or_none(to->memory_text, to->memory_bytes),
                text_or_none(to->cpu_text, to->nano_cpus));
    /* A weakness is told by itself. */
    for (size_t i = 0; i < to->note_count; i++) {
        const struct plan_note *n = &to->notes[i];
        if (strcmp(n->what, "path") == 0)
            strvec_addf(out, "%s: %s.", n->value, n->why);
        else if (n->warning && strcmp(n->what, "isolation") != 0)
            strvec_addf(out, "Careful: %s: %s.", n->value, n->why);
    }
}

static void say_onto_host(const struct plan *from, struct strvec *out)
{
    if (from->adopted)
        strvec_add(out, "Its docker run will be started as written: mcptop then neither measures "
                        "nor limits its container, and docker may leave it behind.");
    else
        strvec_add(out, "It will run on the host, as you: it can read and change all your files "
                        "and use the network.");
    if (!from->adopted && (from->memory_bytes || from->nano_cpus))
        strvec_addf(out, "Its limits end (memory %s, CPUs %s).",
                    text_or_none(from->memory_text, from->memory_bytes),
                    text_or_none(from->cpu_text, from->nano_cpus));
}

static const struct plan_mount *find_mount(const struct plan *p, const struct plan_mount *m)
{
    for (size_t i = 0; i < p->mount_count; i++)
        if (strcmp(p->mounts[i].target, m->target) == 0 &&
            strcmp(p->mounts[i].source, m->source) == 0 && p->mounts[i].read_only == m->read_only)
            return &p->mounts[i];
    return NULL;
}

static void say_changed(const char *what, const char *from, const char *to, struct strvec *out)
{
    if (strcmp(from, to) != 0)
        strvec_addf(out, "%s: %s → %s.", what, from, to);
}

static bool has_option(const struct plan *p, const struct plan_option *o)
{
    for (size_t i = 0; i < p->option_count; i++)
        if (strcmp(p->options[i].flag, o->flag) == 0 && strcmp(p->options[i].value, o->value) == 0)
            return true;
    return false;
}

/* The flags that `in` has and `other` has not. */
static void say_options(const struct plan *in, const struct plan *other, const char *what,
                        struct strvec *out)
{
    for (size_t i = 0; i < in->option_count; i++) {
        const struct plan_option *o = &in->options[i];
        if (!o->hardening && !has_option(other, o))
            strvec_addf(out, "--%s %s is %s.", o->flag, o->value, what);
    }
}

static void say_container_changes(const struct plan *from, const struct plan *to,
                                  struct strvec *out)
{
    say_changed("Image", from->image, to->image, out);
    say_changed("Memory", text_or_none(from->memory_text, from->memory_bytes),
                text_or_none(to->memory_text, to->memory_bytes), out);
    say_changed("CPUs", text_or_none(from->cpu_text, from->nano_cpus),
                text_or_none(to->cpu_text, to->nano_cpus), out);
    char pids_from[24], pids_to[24];
    say_changed("Processes", count_or_none(from->pids_limit, pids_from, sizeof(pids_from)),
                count_or_none(to->pids_limit, pids_to, sizeof(pids_to)), out);
    say_changed("Network", from->network_mode, to->network_mode, out);
    say_changed("Hardening", hardening_name(from->hardening), hardening_name(to->hardening), out);
    say_changed("Directory", from->working_dir ? from->working_dir : "the image's",
                to->working_dir ? to->working_dir : "the image's", out);
    for (size_t i = 0; i < from->mount_count; i++)
        if (!find_mount(to, &from->mounts[i]))
            strvec_addf(out, "%s is no longer mounted as before.", from->mounts[i].target);
    for (size_t i = 0; i < to->mount_count; i++)
        if (!find_mount(from, &to->mounts[i]))
            strvec_addf(out, "%s is mounted at %s%s.",
                        *to->mounts[i].source ? to->mounts[i].source : "An empty directory",
                        to->mounts[i].target, to->mounts[i].read_only ? ", read-only" : "");
    say_options(from, to, "no longer given", out);
    say_options(to, from, "new", out);
    if (!kvvec_equal(&from->container_env, &to->container_env))
        strvec_add(out, "Its environment changes.");
}

void plan_compare(const struct plan *from, const struct plan *to, struct strvec *ret_sentences)
{
    struct strvec *out = ret_sentences;
    strvec_fini(out);
    if (to->mode == PLAN_UNSUPPORTED)
        strvec_addf(out, "It will not be started: %s.", to->unsupported);
    else if (to->mode == PLAN_DOCKER && from->mode != PLAN_DOCKER)
        say_into_container(to, out);
    else if (to->mode == PLAN_HOST && from->mode == PLAN_DOCKER)
        say_onto_host(from, out);
    else if (to->mode == PLAN_DOCKER)
        say_container_changes(from, to, out);
    if (to->weak && !from->weak)
        strvec_addf(out, "Careful: %s, so this container isolates little.", to->weak_why);
    if (to->mode == from->mode && !strvec_equal(&from->argv, &to->argv))
        strvec_add(out, "Its command changes.");
}
