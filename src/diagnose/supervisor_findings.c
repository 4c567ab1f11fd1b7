/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What concerns no single server. Looked at when somebody asks. */
#include "diagnose/doctor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "diagnose/duplicates.h"
#include "docker/context.h"

/* A server that is not started for it says so itself. Of a file that was not applied none does:
 * what the servers tell is of the one before. */
static bool is_told_by_server(const struct fleet *fl, const struct problem *p)
{
    if (fleet_config_is_broken(fl))
        return false;
    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        size_t n = s->config ? strlen(s->config->key) : 0;
        if (n && s->plan->mode == PLAN_UNSUPPORTED && strncmp(p->key, s->config->key, n) == 0 &&
            (p->key[n] == '.' || p->key[n] == '\0'))
            return true;
    }
    return false;
}

bool doctor_tells_warning(const struct fleet *fl, const struct problem *p)
{
    if (!p->of_missing_env || fleet_config_is_broken(fl))
        return false;
    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        size_t n = strlen(s->config->key);
        if (strncmp(p->key, s->config->key, n) == 0 && p->key[n] == '.')
            return doctor_findings(s)->n && doctor_findings(s)->v[0].kind == FIND_ENV_UNSET;
    }
    return false;
}

static void of_no_file(const struct fleet *fl, struct findings *out)
{
    const char *path = fleet_get_config_path(fl);
    bool removed = fleet_get_config(fl);
    struct finding *f = findings_add(out, FIND_CONFIG_MISSING, "", removed
                                     ? "the configuration %s does not exist any more: its servers "
                                       "run until mcptop ends"
                                     : "no configuration yet: %s does not exist", path);
    finding_evidence(f, "config", 0, "%s", path);
    if (removed)
        finding_step(f, "put it back; it is read at once");
    else
        finding_step(f, "mcptop import CLIENT makes it from the servers of a client, or write "
                        "it; it is read at once");
}

/* One without a line is of the file as a whole, and its text names it. Elsewhere the path would
 * leave no room for the mistake in a row of a list: it is in the evidence. */
static struct finding *add_error(const struct problem *p, struct findings *out)
{
    bool twice = strstr(p->text, "names must be unique") != NULL;
    enum finding_kind kind = twice ? FIND_DUPLICATE_NAME : FIND_CONFIG_ERROR;
    if (!p->line && !*p->key)
        return findings_add(out, kind, "", "%s", p->text);
    return findings_add(out, kind, "", "line %d: %s%s%s", p->line, p->key, *p->key ? ": " : "",
                        p->text);
}

static void of_the_file(const struct fleet *fl, struct findings *out)
{
    const struct problems *p = fleet_get_problems(fl);
    if (fleet_config_is_missing(fl)) {
        of_no_file(fl, out);
        return;
    }
    bool stays = fleet_config_is_broken(fl) && fleet_get_config(fl);
    for (size_t i = 0; i < p->n; i++) {
        const struct problem *one = &p->v[i];
        if (one->severity != PROBLEM_ERROR || is_told_by_server(fl, one))
            continue;
        struct finding *f = add_error(one, out);
        AUTO_FREE char *at = one->line ? xasprintf("line %d", one->line) : xstrdup("the file");
        if (one->line)
            finding_evidence(f, "config", 0, "%s:%d", fleet_get_config_path(fl), one->line);
        else
            finding_evidence(f, "config", 0, "%s", fleet_get_config_path(fl));
        finding_step(f, "correct %s; the file is read again at once%s", at,
                     stays ? ", and until then the running configuration stays as it was" : "");
    }
}

/* Does somebody listen at the socket that MCPProxy makes in its data directory? */
static bool other_answers(const char *data_dir)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/mcpproxy.sock", data_dir);
    if (n < 0 || (size_t)n >= sizeof at.sun_path)
        return false;
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

static void of_the_listener(const struct doctor_place *place, struct findings *out)
{
    bool other = other_answers(place->data_dir);
    if (other) {
        struct finding *f = findings_add(out, FIND_OTHER_MCPPROXY, "",
                                         "a running MCPProxy uses %s too: it erases keys it does "
                                         "not know when it saves", place->data_dir);
        finding_evidence(f, "socket", 0, "%s/mcpproxy.sock answers", place->data_dir);
        finding_step(f, "stop it: one of the two should supervise");
    }
    /* The port that it has is a consequence. */
    if (*place->listen_error && !(other && strstr(place->listen_error, "mcpproxy"))) {
        struct finding *f = findings_add(out, FIND_LISTEN_IN_USE, "", "%s", place->listen_error);
        finding_evidence(f, "listen", 0, "%s", place->listen_error);
        finding_step(f, "stop that program, or choose another address (the key listen of the "
                        "configuration, or --listen) and restart the supervisor");
    }
}

static void of_the_logs(const struct fleet *fl, struct findings *out)
{
    unsigned long long own = log_losing_lines(), lost = own;
    const struct server *first = NULL;
    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        if (logstore_get_losing(s->log) && !first)
            first = s;
        lost += logstore_get_losing(s->log);
    }
    if (!lost)
        return;
    struct finding *f = findings_add(out, FIND_LOG_DISK, "",
                                     "%llu lines could not be written to log files in %s", lost,
                                     fleet_get_log_dir(fl));
    if (own)
        finding_evidence(f, "file", 0, "%s/main.log lacks %llu lines", fleet_get_log_dir(fl), own);
    if (first)
        finding_evidence(f, "file", 0, "%s", logstore_get_path(first->log));
    finding_step(f, "free space there (df -h %s), or start with another --log-dir",
                 fleet_get_log_dir(fl));
}

static bool has_fix(const struct finding *f, const char *id)
{
    for (size_t i = 0; i < f->fix_count; i++)
        if (strcmp(f->fixes[i].id, id) == 0)
            return true;
    return false;
}

/* What is told once concerns many servers, a fix changes one: told as what to type. able: those
 * that the host has the command of. */
static void step_to_host(struct finding *f, const struct strvec *able)
{
    AUTO_BUF struct buf name = BUF_INIT;
    bool several = able->n > 1 && able->n == f->servers.n;
    if (!able->n)
        return;
    buf_add_shell(&name, able->v[0]);
    finding_step(f, "Weakens isolation: or run %s on the host meanwhile, as you: mcptop set %s "
                 "isolation=none", several ? "one of them" : able->v[0],
                 several ? "NAME" : buf_str(&name));
}

/* The finding of each server that waits for the engine, made one. */
static void of_the_engine(struct fleet *fl, struct findings *out)
{
    enum { NAMED_MAX = 6 };
    const struct finding *one = NULL;
    AUTO_STRVEC struct strvec names = { 0 }, able = { 0 };
    AUTO_BUF struct buf list = BUF_INIT;
    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        const struct findings *fs = doctor_findings(s);
        for (size_t k = 0; k < fs->n; k++) {
            if (!fs->v[k].of_engine)
                continue;
            bool can = has_fix(&fs->v[k], "host");
            one = !one || (can && !able.n) ? &fs->v[k] : one;
            strvec_add(&names, s->name);
            if (can)
                strvec_add(&able, s->name);
        }
    }
    if (!one)
        return;
    for (size_t i = 0; i < names.n && i < NAMED_MAX; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names.v[i]);
    if (names.n > NAMED_MAX)
        buf_printf(&list, " and %zu more", names.n - NAMED_MAX);
    struct finding *f = findings_add(out, one->kind, "", "%s; %zu server%s for it: %s",
                                     one->sentence, names.n, names.n == 1 ? " waits" : "s wait",
                                     buf_str(&list));
    strvec_copy(&f->servers, &names);
    for (size_t i = 0; i < one->evidence_count; i++)
        finding_evidence(f, one->evidence[i].what, 0, "%s", one->evidence[i].text);
    for (size_t i = 0; i < one->steps.n; i++)
        finding_step(f, "%s", one->steps.v[i]);
    step_to_host(f, &able);
}

/* The supervisor took its engine when it started. */
static void of_the_context(const struct fleet *fl, struct findings *out)
{
    const struct engine *e = fleet_get_engine(fl);
    const struct docker_context *used = e ? engine_get_context(e) : NULL;
    struct docker_context now = { 0 };
    if (docker_context_resolve(&now, NULL) < 0)
        return;
    if (!used || strcmp(used->host, now.host) != 0) {
        struct finding *f = used
            ? findings_add(out, FIND_CONTEXT_CHANGED, "",
                           "docker would use %s now (%s: %s), and the supervisor has used %s (%s) "
                           "since it started", now.name, now.host, now.why, used->name, used->host)
            : findings_add(out, FIND_CONTEXT_CHANGED, "",
                           "docker would use %s now (%s: %s), and the supervisor found no engine "
                           "that it can use when it started", now.name, now.host, now.why);
        finding_evidence(f, "context", 0, "%s", now.why);
        finding_step(f, "mcptop shutdown and a new start take what is chosen now; `mcptop context` "
                        "lists all");
    }
    docker_context_fini(&now);
}

static void of_leftovers(const struct fleet *fl, struct findings *out)
{
    size_t n = 0;
    const struct fleet_container *first = NULL;
    for (size_t i = 0; i < fleet_container_count(fl); i++) {
        const struct fleet_container *c = fleet_container_at(fl, i);
        /* An exited one of ours is kept to be looked at. */
        if (!c->orphan || strcmp(c->state, "running") != 0)
            continue;
        first = first ? first : c;
        n++;
    }
    /* What was seen before the engine went down may have ended with it. */
    const struct engine *e = fleet_get_engine(fl);
    if (!first || !e || engine_get_state(e) != ENGINE_UP)
        return;
    struct finding *f = findings_add(out, FIND_ORPHANS, "",
                                     "%zu running container%s that nobody uses any more: %s", n,
                                     n == 1 ? "" : "s", first->name);
    for (const char *p = first->evidence; p && *p;
         p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
        finding_evidence(f, "container", 0, "%.*s", (int)strcspn(p, "\n"), p);
    if (!f->evidence_count)
        finding_evidence(f, "container", 0, "%s has our labels, and no server uses it",
                         first->name);
    finding_step(f, "mcptop ps --orphans lists them with the evidence; d in the view "
                    "removes one");
}

void doctor_of_supervisor(struct fleet *fl, const struct doctor_place *place,
                          struct findings *out)
{
    findings_fini(out);
    of_the_file(fl, out);
    of_the_listener(place, out);
    of_the_logs(fl, out);
    of_the_engine(fl, out);
    of_the_context(fl, out);
    of_leftovers(fl, out);
    duplicates_find(fl, out);
    findings_sort(out);
}
