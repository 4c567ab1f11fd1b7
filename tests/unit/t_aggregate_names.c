/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which server a name means on the endpoint of all, and that this costs the same however many there
 * are. The servers are disabled: each refuses a call at once, with its own name. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/mcp_aggregate.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop.h"
#include "supervisor/fleet.h"
#include "tap.h"

enum { MANY = 500 };

static char dir[] = "/tmp/mcptop-t_aggregate_names-XXXXXX";
static char *config_path;
static struct ev_loop *loop;

static void write_config(const struct buf *servers)
{
    FILE *f = fopen(config_path, "w");

    if (!f || fprintf(f, "{\"mcpServers\":{%.*s}}", (int)servers->len, servers->data) < 0 ||
        fclose(f) != 0)
        abort();
}

static void add_server(struct buf *servers, const char *name)
{
    buf_printf(servers, "%s\"%s\":{\"command\":\"true\",\"enabled\":false}", servers->len ? "," : "",
               name);
}

/* Until their sessions know that they are disabled. */
static void wait_for_all(struct fleet *fl)
{
    for (size_t i = 0; i < fleet_count(fl); i++)
        run_until(loop, server_has_begun(fleet_at(fl, i)), 10.);
}

static struct fleet *fleet_of(const struct buf *servers)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *logs = xasprintf("%s/logs", dir);
    struct fleet_options options = {.config = config_path, .log_dir = logs, .instance = "t"};

    write_config(servers);
    struct fleet *fl = fleet_new(loop, &options, &f);
    if (!fl)
        abort();
    wait_for_all(fl);
    return fl;
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct buf *got = ctx;

    (void)is_error;
    buf_clear(got);
    for (int i = 0; i < count; i++)
        buf_add(got, iov[i].iov_base, iov[i].iov_len);
}

static void call(struct aggregate *a, const char *tool, struct buf *got)
{
    AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
                                     "\"params\":{\"name\":\"%s\"}}", tool);
    struct envelope e;

    if (envelope_scan(text, strlen(text), &e, NULL))
        abort();
    aggregate_send(a, &e, on_reply, got);
}

static void goes_to(struct aggregate *a, const char *tool, const char *server)
{
    AUTO_BUF struct buf got = BUF_INIT;
    AUTO_FREE char *named = server ? xasprintf("server %s is not running", server)
                                   : xstrdup("no server has this");

    call(a, tool, &got);
    ok(strstr(buf_str(&got), named), "%s is of %s: %s", tool, server ? server : "none",
       buf_str(&got));
}

static void test_names(void)
{
    static const char *const names[] = {"a.b", "a b", "a_b_2", "a", "a__b", "x_"};
    static const struct client_events none = {0};
    AUTO_BUF struct buf servers = BUF_INIT, fewer = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add_server(&servers, names[i]);
    struct fleet *fl = fleet_of(&servers);
    struct aggregate_names *table = aggregate_names_new(loop, fl);
    struct aggregate *a = aggregate_open(table, SEAT_UNTIL_IDLE, &none, NULL);
    goes_to(a, "a_b__t", "a.b");
    goes_to(a, "a_b_2__t", "a b");
    goes_to(a, "a_b_2_2__t", "a_b_2");
    goes_to(a, "a__t", "a");
    goes_to(a, "a__b__t", "a__b");
    goes_to(a, "a__bb__t", "a");
    goes_to(a, "x___t", "x_");
    goes_to(a, "x__t", NULL);
    goes_to(a, "a__", NULL);
    goes_to(a, "__a", NULL);
    goes_to(a, "a", NULL);
    goes_to(a, "", NULL);
    add_server(&fewer, "a b");
    add_server(&fewer, "new");
    write_config(&fewer);
    fleet_reload(fl);
    wait_for_all(fl);
    goes_to(a, "a_b__t", "a b");
    goes_to(a, "new__t", "new");
    goes_to(a, "a__t", NULL);
    aggregate_close(a);
    aggregate_names_free(table);
    fleet_free(fl);
}

static uint64_t work_of(struct aggregate_names *table, struct aggregate *a, const char *tool)
{
    AUTO_BUF struct buf got = BUF_INIT;
    uint64_t before = aggregate_names_get_looks(table);

    call(a, tool, &got);
    return aggregate_names_get_looks(table) - before;
}

static void test_work(void)
{
    static const struct client_events none = {0};
    AUTO_BUF struct buf servers = BUF_INIT;
    uint64_t sum = 0, most = 0;

    for (int i = 0; i < MANY; i++) {
        AUTO_FREE char *name = xasprintf("server %d", i);
        add_server(&servers, name);
    }
    struct fleet *fl = fleet_of(&servers);
    struct aggregate_names *table = aggregate_names_new(loop, fl);
    struct aggregate *a = aggregate_open(table, SEAT_UNTIL_IDLE, &none, NULL);
    is_int((long)fleet_count(fl), MANY, "so many servers");
    goes_to(a, "server_0__t", "server 0");
    for (int round = 0; round < 2; round++) {
        sum = most = 0;
        for (int i = 0; i < MANY; i++) {
            AUTO_FREE char *tool = xasprintf("server_%d__t", i);
            uint64_t work = work_of(table, a, tool);
            sum += work;
            most = work > most ? work : most;
        }
    }
    ok(sum < 5 * MANY && most < 40, "a call looks at few of them: %llu of %d calls, %llu at most",
       (unsigned long long)sum, MANY, (unsigned long long)most);
    uint64_t wrong = work_of(table, a, "nobody__t");
    ok(wrong < 40, "so does one that is nobody's: %llu", (unsigned long long)wrong);
    aggregate_close(a);
    aggregate_names_free(table);
    fleet_free(fl);
}

static int told;

static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    (void)ctx, (void)call_ctx, (void)asks;
    told += memmem(msg, n, "list_changed", 12) != NULL;
    return true;
}

/* One server of many goes: each client hears of it, and none looks at the others. */
static void test_work_of_a_change(void)
{
    enum { CLIENTS = 20, LISTS = 3 };
    static const struct client_events events = {.message = on_message};
    AUTO_BUF struct buf servers = BUF_INIT;
    struct aggregate *clients[CLIENTS], *silent;

    for (int i = 0; i < MANY; i++)
        buf_printf(&servers, "%s\"server %d\":{\"command\":\"true\",\"start\":\"lazy\"}", i ? "," : "", i);
    struct fleet *fl = fleet_of(&servers);
    struct aggregate_names *table = aggregate_names_new(loop, fl);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = aggregate_open(table, SEAT_UNTIL_IDLE, &events, NULL);
        aggregate_restore(clients[i], 3, 0);
    }
    silent = aggregate_open(table, SEAT_UNTIL_IDLE, &events, NULL);
    goes_to(clients[0], "nobody__t", NULL);
    uint64_t before = aggregate_names_get_looks(table);
    server_stop(fleet_at(fl, 7), "a test", AT_ONCE);
    run_until(loop, told == CLIENTS * LISTS, 10.);
    is_int(told, CLIENTS * LISTS, "all are told");
    uint64_t work = aggregate_names_get_looks(table) - before;
    ok(work < 4 * CLIENTS, "which takes little work: %llu", (unsigned long long)work);
    run_for(loop, 0.01);
    is_int(told, CLIENTS * LISTS, "once, and who has not said hello is not told");
    aggregate_close(silent);
    for (int i = 0; i < CLIENTS; i++)
        aggregate_close(clients[i]);
    aggregate_names_free(table);
    fleet_free(fl);
}

int main(void)
{
    tap_deadline(60);
    if (!mkdtemp(dir))
        return 1;
    AUTO_FREE char *log = xasprintf("%s/main.log", dir), *clean = xasprintf("rm -rf %s", dir);
    config_path = xasprintf("%s/mcp_config.json", dir);
    setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock", 1);
    log_open(log, NULL);
    loop = ev_loop_new(EVFLAG_AUTO);
    test_names();
    test_work();
    test_work_of_a_change();
    ev_loop_destroy(loop);
    log_close();
    free(config_path);
    ok(system(clean) == 0, "cleaned up");
    return done_testing();
}
