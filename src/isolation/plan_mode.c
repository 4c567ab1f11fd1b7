/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host, docker or unsupported: which key of which level decides, and the sentence that says so.
 *
 *   a remote server                       → unsupported
 *   isolation.mode of the server          → that
 *   docker_isolation is off (or absent)   → host; isolation.enabled: true alone is ignored,
 *                                           with a warning
 *   isolation.enabled: false              → host
 *   docker_isolation                      → docker (or sandbox: unsupported)
 *   … and a command that is a container client itself is never put into a container: a plain
 *   `docker run` becomes a container of ours whatever these keys say, but isolation.mode "none";
 *   everything else runs as written, on the host. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "isolation/plan_make.h"

struct decision {
    enum iso_mode mode;
    char *why;       /* owned */
    int line;
};

static const char *mode_word(enum iso_mode mode)
{
    return mode == MODE_DOCKER ? "docker" : mode == MODE_SANDBOX ? "sandbox" : "none";
}

static struct decision decide_global(const struct iso_settings *g)
{
    int mode_line = g->line[ISO_MODE], enabled_line = g->line[ISO_ENABLED];
    if (g->mode != MODE_UNSET)
        return (struct decision){
            g->mode,
            xasprintf("docker_isolation.mode is \"%s\" (line %d)", mode_word(g->mode), mode_line),
            mode_line};
    if (g->enabled != TRI_UNSET)
        return (struct decision){g->enabled == TRI_YES ? MODE_DOCKER : MODE_NONE,
                                 xasprintf("docker_isolation.enabled is %s (line %d)",
                                           g->enabled == TRI_YES ? "true" : "false", enabled_line),
                                 enabled_line};
    return (struct decision){
        MODE_NONE, xstrdup("docker_isolation is not set: isolation is off by default"), 0};
}

static const char *mode_value(enum iso_mode mode)
{
    return mode == MODE_DOCKER ? "docker" : mode == MODE_SANDBOX ? "sandbox" : "host";
}

/* Is `enabled` of the server without effect beside the mode that won? Then the user should know. */
static void note_ignored_enabled(struct maker *m, enum iso_mode decided, bool by_own_mode)
{
    const struct iso_settings *own = m->own;
    int line = own->line[ISO_ENABLED];
    if (own->enabled == TRI_UNSET || (own->enabled == TRI_YES) == (decided != MODE_NONE))
        return;
    const char *word = own->enabled == TRI_YES ? "true" : "false";
    if (by_own_mode)
        plan_note_add(m->p, "mode", mode_value(decided), line, true,
                      "isolation.enabled is %s (line %d) but ignored: isolation.mode decides", word,
                      line);
    else
        plan_note_add(
            m->p, "mode", mode_value(decided), line, true,
            "isolation.enabled is %s (line %d) but ignored, because docker_isolation is off: set "
            "isolation.mode to \"docker\" for this server, or docker_isolation.enabled to true for "
            "all",
            word, line);
}

/* say: whether a key without effect gets its note. */
static struct decision decide(struct maker *m, bool say)
{
    const struct iso_settings *own = m->own;
    if (own->mode != MODE_UNSET) {
        if (say)
            note_ignored_enabled(m, own->mode, true);
        return (struct decision){own->mode,
                                 xasprintf("isolation.mode is \"%s\" (line %d)",
                                           mode_word(own->mode), own->line[ISO_MODE]),
                                 own->line[ISO_MODE]};
    }
    struct decision d = decide_global(m->global);
    if (d.mode == MODE_NONE) {
        if (say)
            note_ignored_enabled(m, MODE_NONE, false);
        return d;
    }
    if (own->enabled == TRI_NO) {
        free(d.why);
        return (struct decision){
            MODE_NONE, xasprintf("isolation.enabled is false (line %d)", own->line[ISO_ENABLED]),
            own->line[ISO_ENABLED]};
    }
    return d;
}

static void set_unsupported(struct plan *p, const char *value, int line, const char *why,
                            const char *sentence)
{
    p->mode = PLAN_UNSUPPORTED;
    free(p->unsupported);
    p->unsupported = xstrdup(sentence);
    plan_note_add(p, "mode", value, line, true, "%s", why);
}

static bool is_remote(const struct config_server *s)
{
    if (s->protocol)
        return strcmp(s->protocol, "stdio") != 0;
    return s->url != NULL;
}

/* `docker run`, done by us. */
static void place_adopted(struct maker *m, const char *client)
{
    const struct iso_settings *own = m->own;
    m->p->mode = PLAN_DOCKER;
    m->p->adopted = true;
    plan_note_add(m->p, "mode", "docker", m->server->line, false,
                  "the command is %s run: mcptop makes the same container itself, so its "
                  "limits, end and use are known and nothing is left behind (isolation.mode "
                  "\"none\" runs the command as written)",
                  client);
    if (own->mode == MODE_UNSET && own->enabled == TRI_NO)
        plan_note_add(m->p, "mode", "docker", own->line[ISO_ENABLED], false,
                      "isolation.enabled is false (line %d): nothing is added to what docker run "
                      "says, and nothing is wrapped around it",
                      own->line[ISO_ENABLED]);
}

/* Run by us, by what it is, were there no isolation.mode. */
static bool would_be_adopted(const struct config *c, const struct config_server *s)
{
    struct config_server plain = *s;
    plain.isolation.mode = MODE_UNSET;
    plain.isolation.line[ISO_MODE] = 0;
    struct plan *p = plan_make(c, &plain, RUNNER_UNKNOWN, NULL);
    bool adopted = p->adopted;
    plan_free(p);
    return adopted;
}

/* A container client on the host, whatever the configuration wants for it. */
static void place_client(struct maker *m, const struct decision *d, const char *client,
                         const char *why)
{
    bool asked = m->own->enabled == TRI_YES || m->own->mode == MODE_DOCKER;
    m->p->mode = PLAN_HOST;
    if (m->own->mode != MODE_NONE || !would_be_adopted(m->config, m->server))
        m->p->client = client;
    if (why) {
        plan_note_add(m->p, "mode", "host", m->server->line, false,
                      "%s is not taken over, it runs as written: %s", client, why);
    } else if (d->mode == MODE_NONE) {
        plan_note_add(m->p, "mode", "host", d->line, false, "%s", d->why);
        return;
    } else {
        plan_note_add(m->p, "mode", "host", 0, false,
                      "the command is %s itself: it starts its own container, and a container "
                      "around it would have no engine",
                      client);
    }
    if (asked) {
        int line = m->own->line[m->own->mode == MODE_DOCKER ? ISO_MODE : ISO_ENABLED];
        plan_note_add(m->p, "mode", "host", line, true,
                      "isolation.%s (line %d) is ignored, because the command is %s: set "
                      "isolation.enabled to false",
                      m->own->mode == MODE_DOCKER ? "mode" : "enabled", line, client);
    }
}

void plan_decide_mode(struct maker *m)
{
    const struct config_server *s = m->server;
    if (is_remote(s)) {
        set_unsupported(m->p, "remote", s->line,
                        s->url ? "the server has a url" : "the server's protocol is remote",
                        "remote servers (url) are not supported by this version");
        return;
    }
    if (s->missing_env.n) {
        AUTO_FREE char *words = missing_env_words(&s->missing_env, 0, s->missing_env.n);
        set_unsupported(m->p, "none", s->line, "a variable that it needs is not set", words);
        return;
    }
    if (!s->command) {
        set_unsupported(m->p, "stdio", s->line, "protocol is \"stdio\" and there is no command",
                        "has no command to run");
        return;
    }
    const char *client = runtime_container_client(s->command, &s->args);
    AUTO_FREE char *why = NULL;
    enum adoption adoption = client ? plan_adopt(m, &why) : ADOPT_NOT;
    struct decision d = decide(m, adoption == ADOPT_NOT);
    if (d.mode == MODE_SANDBOX) {
        set_unsupported(
            m->p, "sandbox", d.line, d.why,
            "mode \"sandbox\" is not supported by this version: use \"docker\" or \"none\"");
    } else if (adoption == ADOPT_YES) {
        place_adopted(m, client);
    } else if (client) {
        if (adoption == ADOPT_NOT)
            place_client(m, &d, client, why);
    } else {
        m->p->mode = d.mode == MODE_DOCKER ? PLAN_DOCKER : PLAN_HOST;
        plan_note_add(m->p, "mode", plan_mode_name(m->p->mode), d.line, false, "%s", d.why);
    }
    free(d.why);
}

void plan_isolation_key(const struct config *c, const struct config_server *s, bool docker,
                        const char **ret_path, const char **ret_json_value)
{
    struct decision global = decide_global(&c->docker_isolation);
    free(global.why);
    bool own_none = s->isolation.mode == MODE_NONE;
    if ((!docker || own_none) && would_be_adopted(c, s)) {
        *ret_path = "isolation.mode";
        *ret_json_value = docker ? NULL : "\"none\"";
        return;
    }
    /* `enabled` is what users write, and it is enough unless a mode stands above it. */
    bool by_mode = s->isolation.mode != MODE_UNSET || (docker && global.mode != MODE_DOCKER);
    *ret_path = by_mode ? "isolation.mode" : "isolation.enabled";
    *ret_json_value = by_mode ? (docker ? "\"docker\"" : "\"none\"") : (docker ? "true" : "false");
}
