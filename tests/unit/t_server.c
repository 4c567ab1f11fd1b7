/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state machine of a server, driven by a scripted backend in the place of processes and
 * containers. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop.h"
#include "supervisor/fleet_private.h"
#include "tap.h"

static char dir[] = "/tmp/mcptop-t_server-XXXXXX";
static struct ev_loop *loop;

/* ---- the scripted backend ---- */

struct fake {
    struct backend b;
    char server[64];
    struct buf in;             /* what the session wrote and nobody has answered yet */
    ev_timer answer;
    int stops, kills;
    void (*updated)(void *ctx, const struct fault *f);
    struct fake *next;
};
static struct fake *fakes;     /* those that run */
static int made;
static bool mute;              /* answer nothing */

static struct fake *fake_of(const char *server)
{
    for (struct fake *k = fakes; k; k = k->next)
        if (strcmp(k->server, server) == 0)
            return k;
    return NULL;
}

static void reply(struct fake *k, const char *line, const char *method, const char *result)
{
    const char *id = strstr(line, "\"id\":");
    if (!id || !strstr(line, method))
        return;
    struct buf b = BUF_INIT;
    buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n", (int)strcspn(id + 5, ",}"),
               id + 5, result);
    k->b.events.data(k->b.ctx, STREAM_OUT, b.data, b.len);
    buf_fini(&b);
}

static void on_answer(struct ev_loop *l, ev_timer *w, int revents)
{
    (void)l, (void)revents;
    struct fake *k = w->data;
    for (char *end; k->in.len && (end = memchr(k->in.data, '\n', k->in.len));) {
        AUTO_FREE char *line = xstrndup(k->in.data, (size_t)(end - k->in.data));
        buf_consume(&k->in, (size_t)(end - k->in.data) + 1);
        if (mute)
            continue;
        reply(k, line, "\"initialize\"",
              "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
              "\"serverInfo\":{\"name\":\"fake\",\"version\":\"1\"}}");
        reply(k, line, "\"tools/list\"", "{\"tools\":[]}");
        reply(k, line, "\"ping\"", "{}");
    }
}

static int fake_writev(struct backend *b, const struct iovec *iov, int count, struct fault *f)
{
    (void)f;
    struct fake *k = (struct fake *)b;
    for (int i = 0; i < count; i++)
        buf_add(&k->in, iov[i].iov_base, iov[i].iov_len);
    ev_timer_stop(loop, &k->answer);
    ev_timer_set(&k->answer, 0., 0.);
    ev_timer_start(loop, &k->answer);
    return 0;
}

static void fake_stop(struct backend *b)
{
    ((struct fake *)b)->stops++;
}

static void fake_kill(struct backend *b)
{
    ((struct fake *)b)->kills++;
}

static void fake_update(struct backend *b, const struct plan *p,
                        void (*done)(void *ctx, const struct fault *f))
{
    (void)p;
    ((struct fake *)b)->updated = done;
}

static void fake_free(struct backend *b)
{
    struct fake *k = (struct fake *)b;
    for (struct fake **p = &fakes; *p; p = &(*p)->next)
        if (*p == k) {
            *p = k->next;
            break;
        }
    ev_timer_stop(loop, &k->answer);
    buf_fini(&k->in);
    free(k);
}

static const struct backend_ops fake_ops = { .writev = fake_writev, .stop = fake_stop,
                                             .kill = fake_kill, .update = fake_update,
                                             .free = fake_free };

static struct backend *fake_new(const struct backend_spec *spec)
{
    struct fake *k = xcalloc(1, sizeof *k);
    k->b = (struct backend){ .ops = &fake_ops, .events = spec->events, .ctx = spec->ctx };
    snprintf(k->server, sizeof k->server, "%s", spec->plan->server);
    ev_timer_init(&k->answer, on_answer, 0., 0.);
    k->answer.data = k;
    k->next = fakes;
    fakes = k;
    made++;
    return &k->b;
}

static void up(struct fake *k)
{
    k->b.events.up(k->b.ctx);
}

static void over(struct fake *k, struct run_end end)
{
    end.at_wall_ms = clock_wall_ms();
    k->b.events.over(k->b.ctx, &end);
}

static void exits(struct fake *k, int code)
{
    over(k, (struct run_end){ .code = code });
}

/* ---- one fleet a test ---- */

static struct fleet *fleet;
static struct server *s;
static char *config_path;

static void write_config(const char *servers)
{
    FILE *f = fopen(config_path, "w");
    if (!f || fprintf(f, "{\"mcpServers\":{%s}}", servers) < 0 || fclose(f) != 0)
        abort();
}

static void begin(const char *servers)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *logs = xasprintf("%s/logs", dir);
    write_config(servers);
    struct fleet_options options = { .config = config_path, .log_dir = logs, .instance = "t",
                                     .backend = fake_new };
    made = 0;
    mute = false;
    fleet = fleet_new(loop, &options, &f);
    if (!fleet)
        abort();
    s = fleet_count(fleet) ? fleet_at(fleet, 0) : NULL;
    run_until(loop, !s || s->state != SERVER_STOPPED || s->wanted == WANTED_DOWN, 2.);
}

static void end(void)
{
    fleet_free(fleet);
    ok(!fakes, "nothing runs after the end");
}

static bool is_ready(void)
{
    return run_until(loop, s->state == SERVER_READY, 2.);
}

static void is_in(enum server_state state, const char *reason, const char *when)
{
    is_str(server_state_name(s->state), server_state_name(state), "%s: the state", when);
    is_str(s->reason, reason, "%s: the reason", when);
}

#define ONE "\"one\":{\"command\":\"x\"}"

static void test_start(void)
{
    begin(ONE);
    is_in(SERVER_STARTING, "", "begun");
    up(fake_of("one"));
    is_in(SERVER_INITIALIZING, "", "up");
    ok(is_ready(), "ready after the handshake");
    is_str(session_get_server_name(s->session), "fake", "as it called itself");
    ok(s->up_since_wall_ms > 0 && s->restarts == 0, "since now");
    end();
}

static void test_crashes(void)
{
    begin(ONE);
    up(fake_of("one"));
    is_ready();
    exits(fake_of("one"), 3);
    is_in(SERVER_STARTING, "exited 3", "the first end after it was ready restarts at once");
    ok(made == 2 && s->restarts == 1 && s->failures == 1 && s->last_end.code == 3,
       "and is remembered");
    up(fake_of("one"));
    is_ready();
    is_in(SERVER_READY, "", "well again");
    over(fake_of("one"), (struct run_end){ .code = -1, .signal = 9 });
    is_in(SERVER_BACKING_OFF, "signal 9 (killed)", "the second waits");
    int64_t wait = s->retry_at_ms - clock_mono_ms();
    ok(wait > 700 && wait <= 1000, "a second (%d ms)", (int)wait);
    for (int i = 0; i < 2; i++) {
        server_restart(s, "restarted by user", AT_ONCE);
        is_in(SERVER_STARTING, "restarted by user", "a key press skips it");
        is_int(s->failures, 0, "and forgives");
        exits(fake_of("one"), 1);
    }
    is_in(SERVER_BACKING_OFF, "exited 1", "never ready: no free restart");
    for (int i = 2; i <= 4; i++) {
        run_until(loop, s->state == SERVER_STARTING, 6.);
        exits(fake_of("one"), 1);
    }
    is_in(SERVER_FAILED, "exited 1", "more than three in a row");
    ok(s->retry_at_ms > clock_mono_ms() && s->failures == 4, "is still tried again");
    end();
}

static void test_hopeless(void)
{
    begin(ONE);
    struct run_end cannot = { .code = -1, .never_started = true };
    fault_set(&cannot.why, ENOENT, "command \"x\" is not there");
    over(fake_of("one"), cannot);
    is_str(server_state_name(s->state), "failed", "what cannot be executed has failed at once");
    ok(s->retry_at_ms - clock_mono_ms() > 50000, "and is tried slowly");
    server_start(s);
    is_in(SERVER_STARTING, "started by user", "a key press tries at once");
    end();
}

static void test_stop(void)
{
    begin(ONE);
    server_stop(s, "stopped by user", AT_ONCE);
    is_in(SERVER_STOPPING, "stopped by user", "stopped while starting");
    is_int(fake_of("one")->stops, 1, "its run was told");
    server_restart(s, "restarted by user", AT_ONCE);
    is_in(SERVER_STOPPING, "stopped by user", "wanted again meanwhile");
    exits(fake_of("one"), 0);
    is_in(SERVER_STARTING, "stopped by user", "so it begins once the old run is over");
    up(fake_of("one"));
    is_ready();
    server_stop(s, "stopped by user", AT_ONCE);
    exits(fake_of("one"), 143);
    is_in(SERVER_STOPPED, "stopped by user", "however it ended");
    ok(!s->backend && s->retry_at_ms == 0, "nothing runs, nothing waits");
    server_stop(s, "stopped by user", AT_ONCE);
    is_in(SERVER_STOPPED, "stopped by user", "twice is fine");
    server_start(s);
    server_kill(s);
    is_int(fake_of("one")->kills, 1, "killed");
    over(fake_of("one"), (struct run_end){ .code = -1, .signal = 9 });
    is_in(SERVER_STARTING, "killed by user", "what is wanted begins anew");
    end();
}

static void test_handshake(void)
{
    begin("\"one\":{\"command\":\"x\",\"init_timeout\":\"200ms\"}");
    mute = true;
    up(fake_of("one"));
    run_until(loop, s->state == SERVER_STOPPING, 2.);
    is_in(SERVER_STOPPING, "start timeout after 0.2s: no answer to initialize",
          "no answer to initialize");
    is_int(fake_of("one")->stops, 1, "its run is ended");
    exits(fake_of("one"), 0);
    is_in(SERVER_BACKING_OFF, "start timeout after 0.2s: no answer to initialize",
          "a failure like an end");
    is_int(s->failures, 1, "counted");
    end();
}

static void test_silent(void)
{
    begin("\"one\":{\"command\":\"x\",\"health_check_interval\":\"100ms\"}");
    up(fake_of("one"));
    is_ready();
    mute = true;
    ok(run_until(loop, s->state == SERVER_SILENT, 3.), "no answer to ping");
    ok(run_until(loop, s->state == SERVER_STOPPING, 3.), "for three intervals: it is restarted");
    is_str(s->reason, "protocol silent", "because of that");
    end();
}

static void test_configuration(void)
{
    begin(ONE ",\"two\":{\"command\":\"y\"},\"off\":{\"command\":\"z\",\"enabled\":false}");
    struct server *two = fleet_find(fleet, "two"), *off = fleet_find(fleet, "off");
    run_until(loop, fake_of("two") && off->reason[0], 2.);
    up(fake_of("one"));
    up(fake_of("two"));
    is_ready();
    is_str(off->reason, "disabled in the configuration", "a disabled one");
    int before = made;
    fleet_reload(fleet);
    is_int(made, before, "reading the same again starts nothing");
    write_config(ONE ",\"two\":{\"command\":\"y\",\"args\":[\"new\"]},\"off\":{\"command\":\"z\"}");
    fleet_reload(fleet);
    is_in(SERVER_READY, "", "what did not change");
    is_str(server_state_name(two->state), "stopping", "what did is restarted");
    is_str(server_state_name(off->state), "starting", "what is enabled now starts");
    exits(fake_of("two"), 0);
    is_str(two->reason, "configuration changed", "with its reason");
    is_int(two->failures, 0, "and no blame");
    write_config("");
    fleet_reload(fleet);
    is_int(fleet_count(fleet), 0, "all gone from the list");
    is_int(fake_of("one")->stops, 1, "told to stop");
    exits(fake_of("one"), 0);
    exits(fake_of("two"), 0);
    exits(fake_of("off"), 0);
    run_for(loop, 0.05);
    ok(!fakes, "and freed when their runs are over");
    write_config(ONE);
    fleet_reload(fleet);
    s = fleet_at(fleet, 0);
    ok(run_until(loop, fake_of("one") != NULL, 2.), "and back");
    end();
}

/* As if the limits in the file were others than those it runs by. */
static void change_limits(void)
{
    s->plan->live_hash ^= 1;
    fleet_reload(fleet);
}

static void refuse_limits(struct fake *k)
{
    struct fault f = FAULT_NONE;
    fault_set(&f, FAULT_HTTP, "refused");
    k->updated(k->b.ctx, &f);
}

static void test_limits(void)
{
    begin(ONE);
    up(fake_of("one"));
    is_ready();
    change_limits();
    ok(fake_of("one")->updated && s->state == SERVER_READY, "limits change while it runs");
    refuse_limits(fake_of("one"));
    is_in(SERVER_STOPPING, "limits changed", "refused by the engine: a new run");
    exits(fake_of("one"), 0);
    up(fake_of("one"));
    is_ready();
    change_limits();
    server_stop(s, "stopped by user", AT_ONCE);
    refuse_limits(fake_of("one"));
    exits(fake_of("one"), 0);
    is_in(SERVER_STOPPED, "stopped by user", "a refusal does not bring back what was stopped");
    server_start(s);
    up(fake_of("one"));
    is_ready();
    change_limits();
    write_config("");
    fleet_reload(fleet);
    refuse_limits(fake_of("one"));
    exits(fake_of("one"), 0);
    run_for(loop, 0.05);
    ok(!fakes, "nor what left the configuration");
    end();
}

/* A server that waits for its next try need not, once what it failed by may be mended. */
static void test_change_frees(void)
{
    begin(ONE);
    struct run_end cannot = { .code = -1, .never_started = true };
    fault_set(&cannot.why, FAULT_CONFIG, "image x is not here");
    over(fake_of("one"), cannot);
    fleet_reload(fleet);
    is_in(SERVER_FAILED, "image x is not here", "the same again");
    s->plan->pull_policy = PULL_NEVER;
    fleet_reload(fleet);
    is_in(SERVER_STARTING, "configuration changed", "another pull_policy: tried at once");
    exits(fake_of("one"), 137);
    is_str(server_state_name(s->state), "backing-off", "it fails");
    change_limits();
    is_in(SERVER_STARTING, "configuration changed", "other limits: tried at once");
    up(fake_of("one"));
    is_ready();
    int before = made;
    s->plan->pull_policy = PULL_NEVER;
    fleet_reload(fleet);
    is_int(made, before, "what runs has its image: no restart");
    is_in(SERVER_READY, "", "none at all");
    server_stop(s, "stopped by user", AT_ONCE);
    exits(fake_of("one"), 0);
    s->plan->pull_policy = PULL_NEVER;
    fleet_reload(fleet);
    is_in(SERVER_STOPPED, "stopped by user", "what is stopped stays so");
    end();
}

static void test_comes_back(void)
{
    begin(ONE);
    up(fake_of("one"));
    is_ready();
    write_config("");
    fleet_reload(fleet);
    write_config(ONE);
    fleet_reload(fleet);
    s = fleet_at(fleet, 0);
    run_for(loop, 0.05);
    is_int(made, 1, "a server that comes back waits for the end of its old run");
    ok(!server_has_begun(s), "and was not tried yet");
    exits(fake_of("one"), 0);
    ok(run_until(loop, made == 2, 2.), "then it begins");
    is_in(SERVER_STARTING, "", "as a new one");
    end();
}

static void on_stopped(void *ctx)
{
    ++*(int *)ctx;
}

static void test_shutdown(void)
{
    int stopped = 0;
    begin(ONE ",\"two\":{\"command\":\"y\"}");
    run_until(loop, fake_of("two"), 2.);
    up(fake_of("one"));
    is_ready();
    fleet_shutdown(fleet, on_stopped, &stopped);
    run_for(loop, 0.05);
    is_int(stopped, 0, "not over while something runs");
    exits(fake_of("one"), 0);
    exits(fake_of("two"), 0);
    run_until(loop, stopped, 2.);
    is_int(stopped, 1, "then, once");
    end();
}

static void test_shutdown_is_bounded(void)
{
    int stopped = 0;
    begin(ONE);
    up(fake_of("one"));
    is_ready();
    fleet_shutdown(fleet, on_stopped, &stopped);
    ev_feed_event(loop, &fleet->stop_limit, EV_TIMER);
    run_for(loop, 0.05);
    is_int(fake_of("one")->kills, 1, "what does not end in time is killed");
    is_int(stopped, 0, "and waited for a little longer");
    ev_feed_event(loop, &fleet->stop_limit, EV_TIMER);
    run_for(loop, 0.05);
    is_int(stopped, 1, "but not for ever");
    is_int(fake_of("one")->kills, 1, "nor killed again");
    end();
}

static void test_engine(void)
{
    begin("\"one\":{\"command\":\"npx\",\"isolation\":{\"enabled\":true,\"mode\":\"docker\"}}");
    run_until(loop, s->state == SERVER_BACKING_OFF, 3.);
    ok(s->state == SERVER_BACKING_OFF && strncmp(s->reason, "engine down: ", 13) == 0,
       "without an engine it waits: %s", s->reason);
    ok(s->failures == 0 && made == 0, "nothing it can be blamed for");
    server_stop(s, "stopped by user", AT_ONCE);
    is_in(SERVER_STOPPED, "stopped by user", "and can be stopped");
    end();
}

/* ---- sharing: per-session ---- */

#define SEATS(max) "\"one\":{\"command\":\"x\",\"sharing\":\"per-session\",\"max_sessions\":" #max "}"

static int refused;

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    (void)ctx, (void)iov, (void)count;
    refused += is_error;
}

static void calls(struct client *c)
{
    static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}";
    struct envelope e;
    if (envelope_scan(text, sizeof text - 1, &e, NULL) < 0)
        abort();
    client_send(c, &e, on_reply, NULL);
}

static void test_seats(void)
{
    begin(SEATS(2));
    up(fake_of("one"));
    ok(run_until(loop, s->state == SERVER_STOPPING, 5.), "it runs once, to know its tools");
    exits(fake_of("one"), 0);
    ok(server_is_asleep(s), "and sleeps");
    struct session *seats[3];
    struct client *clients[3];
    refused = 0;
    for (int i = 0; i < 3; i++) {
        seats[i] = server_seat(s, SEAT_UNTIL_CLOSED);
        clients[i] = client_open(seats[i], "c", NULL, NULL);
    }
    ok(s->member_count == 3 && seats[0] != seats[1] && seats[0] != s->session, "every session has a seat");
    ok(server_seat(s, SEAT_NO_SESSION) == s->session, "what comes without one has the row's");
    is_str(s->members[2]->name, "one#3", "members are numbered");
    is_int(made, 1, "no process was started for them");
    for (int i = 0; i < 3; i++)
        calls(clients[i]);
    is_int(made, 3, "a first call starts one, as long as there may be more");
    is_int(refused, 1, "else it is refused");
    is_int((int)server_process_count(s), 2, "two run");
    is_str(server_state_name(server_shown(s)->state), "starting", "the row shows their state");
    struct fake *first = fakes->next;
    client_close(clients[0]);
    ok(first->stops == 1 && s->members[0]->state == SERVER_STOPPING, "the process ends with its session");
    calls(clients[2]);
    ok(refused == 1 && made == 3, "who comes next waits for the end of it");
    exits(first, 0);
    is_int(made, 4, "and then has its own");
    ok(run_until(loop, s->member_count == 2, 2.), "the member is gone");
    server_stop(s, "stopped by user", AT_ONCE);
    ok(fakes->stops == 1 && fakes->next->stops == 1, "what is asked of the row is asked of all");
    exits(fakes, 0);
    exits(fakes, 0);
    is_str(server_state_name(server_shown(s)->state), "stopped", "all have stopped");
    write_config("");
    fleet_reload(fleet);
    ok(run_until(loop, fleet->retired_count == 0, 2.), "the row goes with its members");
    end();
}

static struct client *left[300];

static void on_gone(void *ctx)
{
    *(struct client **)ctx = NULL;
}

/* Sessions that are never ended. */
static void test_seats_are_bounded(void)
{
    static const struct client_events events = { .gone = on_gone };
    begin(SEATS(5));
    up(fake_of("one"));
    run_until(loop, s->state == SERVER_STOPPING, 5.);
    exits(fake_of("one"), 0);
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        left[i] = client_open(server_seat(s, SEAT_UNTIL_IDLE), "c", &events, &left[i]);
    ok(run_until(loop, s->member_count <= 256, 2.), "seats without a process are bounded");
    ok(!left[0] && left[299], "the oldest were given back");
    calls(left[299]);
    is_int(made, 2, "the others can have their process");
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        client_close(left[i]);
    exits(fakes, 0);
    ok(run_until(loop, s->member_count == 0, 2.), "and all go");
    end();
}

static void test_seats_at_the_end(void)
{
    begin(SEATS(5));
    up(fake_of("one"));
    run_until(loop, s->state == SERVER_STOPPING, 5.);
    exits(fake_of("one"), 0);
    struct client *c = client_open(server_seat(s, SEAT_UNTIL_IDLE), "c", NULL, NULL);
    calls(c);
    int done = 0;
    fleet_shutdown(fleet, on_stopped, &done);
    is_int(fakes->stops, 1, "members are stopped with all others");
    exits(fakes, 0);
    ok(run_until(loop, done, 2.), "and waited for");
    end();
}

struct settled { int times; enum change_applied applied; bool refused; };

static void on_settled(void *ctx, const char *server, enum change_applied applied,
                       const struct fault *f)
{
    struct settled *r = ctx;
    (void)server;
    *r = (struct settled){ r->times + 1, applied, f != NULL };
}

/* The one process refuses its new limits; before the other has answered, that one ends. */
static void test_seat_ends_while_limits_are_asked(void)
{
    struct client *clients[2];
    struct settled r = { 0 };
    begin(SEATS(5));
    up(fake_of("one"));
    run_until(loop, s->state == SERVER_STOPPING, 5.);
    exits(fake_of("one"), 0);
    for (int i = 0; i < 2; i++) {
        clients[i] = client_open(server_seat(s, SEAT_UNTIL_CLOSED), "c", NULL, NULL);
        calls(clients[i]);
        up(fakes);
    }
    run_until(loop, s->members[0]->state == SERVER_READY && s->members[1]->state == SERVER_READY,
              5.);
    struct fake *second = fakes, *first = fakes->next;
    for (int i = 0; i < 2; i++)
        s->members[i]->plan->live_hash ^= 1;
    fleet_reload(fleet);
    ok(fleet_change_wait(fleet, "one", REFUSED_PUT_BACK, on_settled, &r), "both are asked");
    refuse_limits(first);
    is_int(r.times, 0, "one has refused, and the other's answer is awaited");
    exits(second, 1);
    ok(r.times == 1 && r.refused && r.applied == CHANGE_NONE, "its end is one, too");
    is_str(server_state_name(s->members[1]->state), "starting", "and it is started again, once");
    is_int(made, 4, "with one process");
    for (int i = 0; i < 2; i++)
        client_close(clients[i]);
    while (fakes)
        exits(fakes, 0);
    ok(run_until(loop, s->member_count == 0, 2.), "and all go");
    end();
}

int main(void)
{
    tap_deadline(120);
    if (!mkdtemp(dir))
        return 1;
    AUTO_FREE char *log = xasprintf("%s/main.log", dir), *clean = xasprintf("rm -rf %s", dir);
    config_path = xasprintf("%s/mcp_config.json", dir);
    setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock", 1);
    log_open(log, NULL);
    loop = ev_loop_new(EVFLAG_AUTO);
    test_start();
    test_crashes();
    test_hopeless();
    test_stop();
    test_handshake();
    test_silent();
    test_configuration();
    test_limits();
    test_change_frees();
    test_comes_back();
    test_shutdown();
    test_shutdown_is_bounded();
    test_engine();
    test_seats();
    test_seats_are_bounded();
    test_seats_at_the_end();
    test_seat_ends_while_limits_are_asked();
    ev_loop_destroy(loop);
    log_close();
    free(config_path);
    ok(system(clean) == 0, "cleaned up");
    return done_testing();
}
