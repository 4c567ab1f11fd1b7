/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /calls/ID/replay: a recorded call is sent again, to the server as it runs or to a start
 * apart from it, and the answer goes out beside the one that is recorded. Both as text: who shows
 * them lays them out and compares them. */
#include "api/routes_calls.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/mem.h"
#include "supervisor/trial.h"

enum { ANSWER_MAX = 4 << 20 };       /* that is shown; a recorded one has a quarter of it at most */

struct replay {
    struct request *r;
    struct record record;
    struct client *client;           /* to the server as it runs … */
    struct call *call;
    struct trial *trial;             /* … or apart from it */
    int64_t begun_ns;
    bool answered;
};

static void replay_free(struct replay *w)
{
    client_close(w->client);
    record_fini(&w->record);
    free(w);
}

static void answer(struct replay *w, const char *p, size_t n, bool error, int64_t took_us)
{
    AUTO_BUF struct buf b = BUF_INIT;
    char id[CALL_ID_MAX];

    if (n > ANSWER_MAX) {
        reply_error(w->r, 502, "the answer has %zu bytes, too many to show (%d)", n, ANSWER_MAX);
        return;
    }
    call_note_id(&w->record.note, id, sizeof id);
    buf_add_str(&b, "{\"success\":true,\"data\":{\"id\":");
    buf_add_json(&b, id, strlen(id));
    buf_printf(&b, ",\"where\":\"%s\",\"error\":%s,\"took_us\":%lld,\"before_us\":%lld",
               w->trial ? "test" : "server", error ? "true" : "false", (long long)took_us,
               (long long)w->record.note.took_us);
    buf_add_str(&b, ",\"request\":");
    buf_add_json(&b, w->record.request.p, w->record.request.n);
    buf_add_str(&b, ",\"before\":");
    buf_add_json(&b, w->record.result.p, w->record.result.n);
    buf_add_str(&b, ",\"after\":");
    buf_add_json(&b, p, n);
    buf_add_str(&b, "}}\n");
    request_reply(w->r, 200, "application/json", NULL, &(struct iovec){b.data, b.len}, 1);
}

/* ---- to the server as it runs ---- */

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct replay *w = ctx;
    AUTO_BUF struct buf text = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    answer(w, buf_str(&text), text.len, is_error, (clock_mono_ns() - w->begun_ns) / 1000);
    w->answered = true;
    if (w->call)         /* later, from the loop: nobody else will free it */
        replay_free(w);
}

static void on_gone(void *ctx, struct request *r)
{
    struct replay *w = ctx;

    (void)r;
    if (w->trial)
        trial_cancel(w->trial);
    replay_free(w);
}

static void to_server(struct replay *w, const struct server *s, const struct envelope *e)
{
    w->client = client_open(s->session, "replay", NULL, NULL);
    w->begun_ns = clock_mono_ns();
    w->call = client_send(w->client, e, on_reply, w);
    if (w->answered)
        replay_free(w);
    else
        request_set_gone(w->r, on_gone, w);
}

/* ---- to a start apart from it ---- */

static void on_trial_done(void *ctx, const struct trial_result *res)
{
    struct replay *w = ctx;
    const struct trial_step *failed = NULL;
    const char *step = "";

    for (int i = 0; i < TRIAL_STEPS && !failed; i++)
        if (res->steps[i].reached && !res->steps[i].ok) {
            failed = &res->steps[i];
            step = trial_step_name((enum trial_step_id)i);
        }
    if (res->answer.len)
        answer(w, res->answer.data, res->answer.len, res->answer_is_error,
               res->steps[TRIAL_CALL].us);
    else
        reply_error(w->r, 502,
                    "the test start gave no answer: %s: %s (`mcptop test` shows each step)",
                    step, failed && failed->text ? failed->text : "it ended");
    replay_free(w);
}

static void to_trial(struct api_server *a, struct replay *w, const struct server *s)
{
    struct fault f = FAULT_NONE;

    w->trial = trial_new(a->fleet, s, w->record.request, on_trial_done, w, &f);
    if (w->trial) {
        request_set_gone(w->r, on_gone, w);
        return;
    }
    reply_fault(w->r, &f);
    replay_free(w);
}

/* ---- both ---- */

/* What belongs to a client's own state says nothing when somebody else sends it. */
static bool can_be_sent_again(struct span method)
{
    static const char *const not[] = {"initialize", "ping", "logging/setLevel", "server/discover",
                                      "resources/subscribe", "resources/unsubscribe",
                                      "subscriptions/listen"};

    for (size_t i = 0; i < ARRAY_LEN(not); i++)
        if (span_is(method, not[i]))
            return false;
    return true;
}

/* 0, or the body says that it wants something else. */
static int read_body(struct request *r, bool *ret_test)
{
    size_t n;
    const char *body = request_get_body(r, &n);
    json_t *doc = n ? json_loadb(body, n, 0, NULL) : json_object();
    json_t *test = json_object_get(doc, "test");
    int rc = json_is_object(doc) && (!test || json_is_boolean(test)) ? 0 : -1;

    *ret_test = json_is_true(test);
    json_decref(doc);
    return rc;
}

void call_post_replay(struct api_server *a, struct request *r, const char *id)
{
    struct fault f = FAULT_NONE;
    struct record rec;
    struct envelope e;
    bool test;

    if (read_body(r, &test) < 0) {
        reply_error(r, 400, "the body must be {\"test\":true} or empty");
        return;
    }
    if (call_read(a, id, &rec, &f) < 0) {
        reply_fault(r, &f);
        return;
    }
    const struct server *s = fleet_find(a->fleet, rec.note.server);
    bool scanned = envelope_scan(rec.request.p, rec.request.n, &e, &f) == 0;
    if (!s || !scanned || e.kind != ENVELOPE_REQUEST || !can_be_sent_again(e.method)) {
        if (!s)
            reply_no_server(r, a->fleet, rec.note.server);
        else
            reply_error(r, 409, "call %s cannot be sent again: %s", id,
                        scanned ? "it is a matter between its client and the server" : f.text);
        record_fini(&rec);
        return;
    }
    struct replay *w = xcalloc(1, sizeof *w);
    w->r = r;
    w->record = rec;
    if (test)
        to_trial(a, w, s);
    else
        to_server(w, s, &e);
}
