/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one change of one server costs the others: of a hundred that are disabled none is planned,
 * told or judged again for it, but those that are on other lines then, and these later. */
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "diagnose/doctor.h"
#include "loop.h"
#include "supervisor/fleet_private.h"
#include "supervisor/server_private.h"
#include "tap.h"

enum { SERVERS = 100, MIDDLE = 50 };

static char dir[] = "/tmp/mcptop-t_change-XXXXXX";
static struct ev_loop *loop;
static struct fleet *fleet;
static char *config_path;

/* What there was of each server. */
static struct known { const struct plan *plan; uint64_t revision; } known[SERVERS];
static int told;

static void on_told(void *ctx, struct server *s)
{
    (void)ctx, (void)s;
    told++;
}

static const char *behind_middle = "";

/* middle: members of that one. */
static void write_config(const char *middle, const char *global)
{
    FILE *f = fopen(config_path, "w");
    if (!f)
        abort();
    fputs("{\"mcpServers\": {\n", f);
    for (int i = 0; i < SERVERS; i++)
        fprintf(f, "\"s%d\": {\"command\": \"uvx\", \"enabled\": false%s}%s%s\n", i,
                i == MIDDLE ? middle : "", i + 1 < SERVERS ? "," : "",
                i == MIDDLE ? behind_middle : "");
    fprintf(f, "},\n\"docker_isolation\": {%s}}\n", global);
    if (fclose(f) != 0)
        abort();
}

static void know(void)
{
    for (size_t i = 0; i < SERVERS; i++)
        known[i] = (struct known){ fleet_at(fleet, i)->plan, fleet_at(fleet, i)->revision };
    told = 0;
}

static void is_known(int planned, int changed, const char *when)
{
    int plans = 0, revisions = 0;
    for (size_t i = 0; i < SERVERS; i++) {
        plans += fleet_at(fleet, i)->plan != known[i].plan;
        revisions += fleet_at(fleet, i)->revision != known[i].revision;
    }
    is_int(plans, planned, "%s: planned again", when);
    is_int(revisions, changed, "%s: changed", when);
    is_int(told, changed, "%s: told", when);
}

static bool any_moved(void)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (fleet_at(fleet, i)->p->moved)
            return true;
    return false;
}

static int line_of_why(const char *server)
{
    const struct plan *p = fleet_find(fleet, server)->plan;
    for (size_t i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].what, "mode") == 0)
            return p->notes[i].line;
    return 0;
}

static int change(const char *server, const struct fleet_change *c)
{
    struct fleet_change_result r = { 0 };
    struct fault f = FAULT_NONE;
    int rc = fleet_change(fleet, fleet_find(fleet, server), c, &r, &f);
    if (rc < 0)
        diag("%s", f.text);
    fleet_change_result_fini(&r);
    return rc;
}

static void test_by_key(void)
{
    char name[16];
    snprintf(name, sizeof name, "s%d", MIDDLE);
    struct server *s = fleet_find(fleet, name);
    know();
    ok(change(name, &(struct fleet_change){ .memory = "1g", .enabled = TRI_UNSET }) == 0, "a limit");
    is_known(1, 1, "a limit");
    ok(s->plan->memory_bytes == INT64_C(1) << 30, "it is in force");
    know();
    ok(change(name, &(struct fleet_change){ .memory = "1g", .enabled = TRI_UNSET }) == 0, "the same");
    is_known(0, 0, "a change that changes nothing");
    struct fleet_change_result r = { 0 };
    struct fault f = FAULT_NONE;
    ok(fleet_undo(fleet, s, false, &r, &f) == 0 && s->plan->memory_bytes != INT64_C(1) << 30,
       "it is taken back");
    fleet_change_result_fini(&r);
    is_known(1, 1, "undo");
}

static void test_by_file(void)
{
    know();
    write_config(", \"args\": [\"x\"]", "\"enabled\": true");
    fleet_config_catch_up(fleet);
    is_known(1, 1, "one line of the file");
    know();
    write_config(",\n\"args\": [\"x\"]", "\"enabled\": true");
    fleet_config_catch_up(fleet);
    is_known(1, 1, "a line more, at first");
    is_int(line_of_why("s1"), SERVERS + 3, "a plan says where the key was that decided");
    ok(run_until(loop, !any_moved(), 5.), "those on other lines come later");
    is_known(SERVERS, SERVERS, "a line more, then: each says a line of docker_isolation");
    is_int(line_of_why("s1"), SERVERS + 4, "and then where it is");
    is_int(fleet_find(fleet, "s99")->config->line, 102, "a server knows its line at once");
}

static void test_all(void)
{
    know();
    write_config("", "\"enabled\": true, \"memory_limit\": \"1g\"");
    fleet_config_catch_up(fleet);
    is_known(SERVERS, SERVERS, "what all inherit");
    know();
    fleet_reload(fleet);
    is_known(SERVERS, SERVERS, "a file that was touched is read as a whole");
    know();
    behind_middle = " // mine";
    write_config("", "\"enabled\": true, \"memory_limit\": \"1g\"");
    behind_middle = "";
    fleet_reload(fleet);
    is_known(SERVERS, SERVERS, "a reload that somebody asks for is a whole one, what changed or not");
}

/* What plans take over from the docker client is no part of the file. */
static void test_client_stays(void)
{
    write_config("", "\"enabled\": true");
    fleet_reload(fleet);
    know();
    behind_middle = " // mine";
    write_config("", "\"enabled\": true");
    fleet_config_catch_up(fleet);
    behind_middle = "";
    is_known(0, 0, "a comment");
    ok(fleet->config->client == fleet_client_defaults(fleet), "and plans are still made with the docker client's defaults");
}

static void test_errors(void)
{
    know();
    write_config(", \"args\": 7", "\"enabled\": true, \"memory_limit\": \"1g\"");
    fleet_config_catch_up(fleet);
    ok(fleet_config_is_broken(fleet), "an error");
    is_known(0, 0, "an error");
    write_config(", \"args\": []", "\"enabled\": true, \"memory_limit\": \"1g\"");
    fleet_config_catch_up(fleet);
    ok(!fleet_config_is_broken(fleet) && !fleet_get_problems(fleet)->n, "it is mended");
    write_config(", \"isolation\": {\"volumes\": [\"none\"]}", "\"enabled\": true");
    fleet_config_catch_up(fleet);
    size_t errors = fleet_get_problems(fleet)->errors;
    ok(errors > 0, "an error that the plan finds");
    write_config(", \"isolation\": {\"volumes\": [\"none\"]}", "\"enabled\": true ");
    fleet_config_catch_up(fleet);
    is_int(fleet_get_problems(fleet)->errors, errors, "is told as often as the file is read");
}

int main(void)
{
    tap_deadline(60);
    if (!mkdtemp(dir))
        return 1;
    AUTO_FREE char *log = xasprintf("%s/main.log", dir), *clean = xasprintf("rm -rf %s", dir);
    struct fleet_observer observer = { .server_changed = on_told };
    struct fault f = FAULT_NONE;
    config_path = xasprintf("%s/mcp_config.json", dir);
    setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock", 1);
    log_open(log, NULL);
    loop = ev_loop_new(EVFLAG_AUTO);
    write_config("", "\"enabled\": true");
    fleet = fleet_new(loop, &(struct fleet_options){ .config = config_path, .log_dir = dir,
                                                     .instance = "t" }, &f);
    if (!fleet)
        return 1;
    struct doctor *doctor = doctor_new(fleet);
    run_until(loop, server_has_begun(fleet_at(fleet, SERVERS - 1)), 10.);
    fleet_observe(fleet, &observer);
    test_by_key();
    test_by_file();
    test_client_stays();
    test_all();
    test_errors();
    fleet_unobserve(fleet, &observer);
    doctor_free(doctor);
    fleet_free(fleet);
    ev_loop_destroy(loop);
    log_close();
    free(config_path);
    return system(clean) != 0 || done_testing();
}
