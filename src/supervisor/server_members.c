/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sharing: per-session`: a process for every session. A session gets a seat: a server of its own
 * (NAME#1, NAME#2 …) by the same configuration and plan, that sleeps until the first call of its
 * session and goes when the session does. It is a member of the row, the server that the
 * configuration names: whoever looks at that sees the sum, and whatever is asked of it is asked of
 * all. The row's own process serves what comes without a session. */
#include "supervisor/server_private.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "supervisor/fleet_private.h"
#include "supervisor/tool_store.h"

enum {
    DEFAULT_MAX_SESSIONS = 16,
    SEATS_MAX = 256,         /* of sessions that cannot be known to be there still */
};

struct server *server_row(struct server *s)
{
    return s->row ? s->row : s;
}

const char *server_row_name(const struct server *s)
{
    return s->row ? s->row->name : s->name;
}

bool server_is_per_session(const struct server *s)
{
    return s->config && s->config->sharing == SHARING_PER_SESSION;
}

/* ---- seats ------------------------------------------------------------------------ */

/* Sessions over HTTP that nobody ends would gather. One without a process loses nothing with its
 * seat: it gets another with its next call. */
static void give_one_back(struct server *row)
{
    struct server *oldest = NULL;
    size_t n = 0;
    for (size_t i = 0; i < row->member_count; i++) {
        struct server *m = row->members[i];
        if (m->p->lasting || m->p->retired)
            continue;
        n++;
        if (server_is_asleep(m) && !session_is_used(m->session) &&
            (!oldest || session_get_used_ms(m->session) < session_get_used_ms(oldest->session)))
            oldest = m;
    }
    if (oldest && n >= SEATS_MAX)
        server_retire(oldest, "its session was not used for long");
}

struct session *server_seat(struct server *s, enum server_seat seat)
{
    if (seat == SEAT_NO_SESSION || !server_is_per_session(s))
        return s->session;
    give_one_back(s);
    struct server *m = server_new_member(s, ++s->p->member_number);
    m->p->lasting = seat == SEAT_UNTIL_CLOSED;
    s->members = xrealloc(s->members, (s->member_count + 1) * sizeof *s->members);
    s->members[s->member_count++] = m;
    server_begin(m);
    fleet_server_changed(s->fleet, s);
    return m->session;
}

bool server_has_session(const struct server *s, const struct session *session)
{
    bool found = s->session == session;
    for (size_t i = 0; i < s->member_count && !found; i++)
        found = s->members[i]->session == session && !s->members[i]->p->retired;
    return found;
}

void members_left(struct server *s)
{
    if (s->row && !s->p->retired)
        server_retire(s, "its session ended");
}

void members_retire(struct server *s, const char *reason)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (!s->members[i]->p->retired)
            server_retire(s->members[i], reason);
}

bool members_retire_one(struct server *s, const char *reason)
{
    for (size_t i = 0; i < s->member_count; i++) {
        struct server *m = s->members[i];
        if (m->p->retired || !m->backend)
            continue;
        server_retire(m, reason);
        return true;
    }
    return false;
}

void members_free_gone(struct server *s)
{
    size_t kept = 0, before = s->member_count;
    for (size_t i = 0; i < before; i++) {
        if (server_is_gone(s->members[i]))
            server_free(s->members[i]);
        else
            s->members[kept++] = s->members[i];
    }
    s->member_count = kept;
    if (kept < before)
        fleet_server_changed(s->fleet, s);
}

void members_free(struct server *s)
{
    while (s->member_count)
        server_free(s->members[--s->member_count]);
    free(TAKE(s->members));
}

/* ---- how many ---------------------------------------------------------------------- */

static size_t count_processes(const struct server *row)
{
    size_t n = row->backend != NULL;
    for (size_t i = 0; i < row->member_count; i++)
        n += row->members[i]->backend != NULL;
    return n;
}

size_t server_process_count(const struct server *s)
{
    return count_processes(s);
}

/* A session that has a process, also between the end of one and the start of the next. Whose
 * session has ended, or who goes to sleep, has left its place; who comes next waits for the end of
 * its process. */
static bool has_a_place(const struct server *m)
{
    return !m->p->retired && m->wanted == WANTED_UP && !m->p->asleep;
}

static void refuse(struct server *s, size_t n, size_t most)
{
    const struct server *row = s->row;
    char why[512];
    snprintf(why, sizeof why, "server \"%s\" has %zu session%s with a process, and %zu is the most "
             "(max_sessions, with sharing: per-session): end a session that uses it, or raise "
             "max_sessions in its configuration", row->name, n, n == 1 ? "" : "s", most);
    logstore_say(s->log, "a session was refused: %zu with a process, and %zu is the most "
                 "(max_sessions)", n, most);
    session_refuse(s->session, why);
    session_refuse(s->session, NULL);
    session_sleep(s->session, true);
}

/* The row's own process is no session's, and nobody waits for a place for it. */
bool members_have_room(struct server *s)
{
    const struct server *row = s->row;
    size_t n = 0, ending = 0;
    s->p->waits_for_room = false;
    if (!row || !server_is_per_session(s))
        return true;
    size_t most = row->config->max_sessions ? (size_t)row->config->max_sessions
                                            : DEFAULT_MAX_SESSIONS;
    for (size_t i = 0; i < row->member_count; i++) {
        n += has_a_place(row->members[i]);
        ending += !has_a_place(row->members[i]) && row->members[i]->backend;
    }
    if (n >= most) {
        refuse(s, n, most);
    } else if (n + ending >= most) {
        s->p->waits_for_room = true;
        session_set_cause(s->session, "the process of a session that has ended is still there, and "
                                      "max_sessions allows no other beside it");
    }
    return n + ending < most;
}

void members_have_ended(struct server *s)
{
    struct server *row = server_row(s);
    for (size_t i = 0; i < row->member_count; i++)
        if (row->members[i]->p->waits_for_room && !row->members[i]->p->retired)
            server_fire(row->members[i], EV_WAKE);
}

/* ---- what is known of the tools ------------------------------------------------------ */

void members_learn(struct server *s)
{
    if (s->row && session_learn(s->row->session, s->session)) {
        server_tools_configure(s->row);
        tool_store_save(s->row);
        fleet_server_changed(s->fleet, s->row);
    }
}

/* ---- what is asked of all -------------------------------------------------------------- */

void members_stop(struct server *s, const char *reason, enum server_haste haste)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (!s->members[i]->p->retired)
            server_stop(s->members[i], reason, haste);
}

void members_start(struct server *s)
{
    for (size_t i = 0; i < s->member_count; i++) {
        struct server *m = s->members[i];
        if (m->p->retired || m->wanted == WANTED_UP)
            continue;
        m->wanted = WANTED_UP;
        if (m->state == SERVER_STOPPED)
            server_lie_down_lazily(m);
        else
            server_fire(m, EV_START);
    }
}

bool members_restart(struct server *s, const char *reason, enum server_haste haste)
{
    bool any = false;
    for (size_t i = 0; i < s->member_count; i++) {
        struct server *m = s->members[i];
        if (m->p->retired || m->wanted != WANTED_UP || server_is_asleep(m))
            continue;
        server_restart(m, reason, haste);
        any = true;
    }
    members_start(s);
    return any && server_is_asleep(s);
}

void members_kill(struct server *s)
{
    for (size_t i = 0; i < s->member_count; i++)
        server_kill(s->members[i]);
}

void members_reconfigure(struct server *s, bool enabled_changed)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (!s->members[i]->p->retired)
            server_reconfigure(s->members[i], s->config, enabled_changed);
}

/* ---- the sum ---------------------------------------------------------------------------- */

/* The worse one is what a row shows. */
static int weight(const struct server *s)
{
    static const int of[SERVER_STATES] = {
        [SERVER_STOPPED] = 0, [SERVER_STOPPING] = 1, [SERVER_READY] = 2, [SERVER_STARTING] = 3,
        [SERVER_INITIALIZING] = 4, [SERVER_PULLING] = 5, [SERVER_SILENT] = 6,
        [SERVER_BACKING_OFF] = 7, [SERVER_FAILED] = 8,
    };
    return of[s->state];
}

const struct server *server_shown(const struct server *s)
{
    const struct server *shown = s;
    if (s->state != SERVER_STOPPED)
        return s;
    for (size_t i = 0; i < s->member_count; i++)
        if (!s->members[i]->p->retired && weight(s->members[i]) > weight(shown))
            shown = s->members[i];
    return shown;
}

static void add(int64_t *sum, int64_t more)
{
    if (more >= 0)
        *sum = *sum >= 0 ? *sum + more : more;
}

static void most(double *sum, double more)
{
    if (more > *sum)
        *sum = more;
}

static void add_usage(struct usage *sum, const struct usage *u)
{
    if (!u->known)
        return;
    if (!sum->known) {
        *sum = *u;
        return;
    }
    sum->cpu_percent += u->cpu_percent;
    sum->pids += u->pids > 0 ? u->pids : 0;
    add(&sum->memory_bytes, u->memory_bytes);
    add(&sum->memory_peak_bytes, u->memory_peak_bytes);
    add(&sum->memory_high_bytes, u->memory_high_bytes);
    /* One without a limit, and there is none for all. */
    sum->memory_limit_bytes = sum->memory_limit_bytes > 0 && u->memory_limit_bytes > 0
        ? sum->memory_limit_bytes + u->memory_limit_bytes : 0;
    add(&sum->net_rx_bytes, u->net_rx_bytes);
    add(&sum->net_tx_bytes, u->net_tx_bytes);
    add(&sum->io_read_bytes, u->io_read_bytes);
    add(&sum->io_write_bytes, u->io_write_bytes);
    add(&sum->ooms, u->ooms);
    most(&sum->throttled_percent, u->throttled_percent);
    most(&sum->pressure_cpu, u->pressure_cpu);
    most(&sum->pressure_memory, u->pressure_memory);
    most(&sum->pressure_io, u->pressure_io);
}

void server_get_usage(const struct server *s, struct usage *ret)
{
    *ret = s->usage;
    for (size_t i = 0; i < s->member_count; i++)
        add_usage(ret, &s->members[i]->usage);
}
