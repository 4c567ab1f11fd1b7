/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When servers are judged: when they change, and when a figure crosses a line. Nothing is polled
 * that can be an event; a server whose signature is as it was costs a comparison. */
#include "diagnose/doctor.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/near.h"
#include "diagnose/symptoms.h"
#include "isolation/runtime.h"

enum { OOM_REMEMBERED_MS = 60 * 60 * 1000, OOM_LIMITS_MAX = 4, THROTTLED_PERCENT = 50,
       THROTTLED_S = 15 };

/* What a judgement depends on. Compared as bytes: zeroed before it is filled. */
struct signature {
    const void *plan;                /* another one whenever the configuration is */
    uint64_t hash, live_hash;
    int64_t end_ms;
    int state;
    bool wanted, failing, looping, strayed, engine_down, oom_is_news;
    bool tight, throttled, crowded, oom_inside, slow;
    uint64_t slow_seq;               /* how much it had said then */
    uint64_t said_seq;
    uint64_t tools;                  /* which judgement of them */
    bool tools_held;
    unsigned images;                 /* which list of local images was known */
};

/* What limits did to a start, by the second. */
struct start {
    int32_t pids;
    int sampled, throttled;
    int64_t net_rx_bytes, busy_ms;     /* monotonic; when it last fetched or worked, 0 = never */
};

struct diagnosis {
    struct doctor *doctor;
    struct findings list;
    struct signature sig;
    char end_reason[512];            /* of the last end: a server that is up again has none */
    char run_id[80];                 /* the run that the figures are of */
    int64_t peak_bytes;
    int32_t pids_peak;
    int throttled_s;
    double throttled_percent;
    struct start start, ended_start;   /* of this run, of the one that ended last */
    int64_t started_end_ms;            /* which end that was */
    bool more_words;                 /* the log has grown since it was read */
    uint64_t words_seen, said_seq;   /* read up to; the line that said something, 0 = none */
    int64_t counted_end_ms;
    enum finding_kind counted_kind;
    uint32_t times;
    int64_t since_wall_ms;
    /* at which it was OOM-killed, the lowest first, and when it was last */
    int64_t oom_limits[OOM_LIMITS_MAX], oom_wall_ms;
    size_t oom_limit_count;
};

/* What is in the engine is asked only when an image was not found. */
struct doctor {
    struct fleet *fleet;
    struct fleet_observer observer;
    struct engine_request *listing;
    struct strvec images;
    unsigned images_known;           /* grows with every list */
    int64_t images_ms;               /* monotonic; when it was asked for */
};

static const struct findings nothing;

/* ---- facts ------------------------------------------------------------------------------- */

static bool path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A directory of very many is not read to its end: the loop waits meanwhile. */
static char *path_nearest(const char *dir, const char *name)
{
    enum { ENTRIES_MAX = 500 };
    DIR *d = opendir(dir);
    struct dirent *e;
    struct near near = { .word = name, .distance = strlen(name) < 6 ? 2 : 3 };
    char *best = NULL;
    for (int i = 0; d && i < ENTRIES_MAX && (e = readdir(d)); i++) {
        near_try(&near, e->d_name);
        if (near.best != e->d_name)
            continue;
        free(best);
        near.best = best = xstrdup(e->d_name);
    }
    if (d)
        closedir(d);
    return best;
}

static bool path_status(const char *path, struct stat *ret)
{
    return stat(path, ret) == 0;
}

static const char *ca_bundle(void)
{
    static const char *const variables[] = { "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
                                             "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE" };
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *path = getenv(variables[i]);
        if (path && *path == '/' && path_exists(path))
            return path;
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (path_exists(files[i]))
            return files[i];
    return NULL;
}

static bool engine_is_down(const struct fleet *fl)
{
    struct engine *e = fleet_get_engine(fl);
    return !e || engine_get_state(e) == ENGINE_DOWN;
}

/* Its tools are judged for all that share its name. */
static const struct server *row_of(const struct server *s)
{
    return s->row ? s->row : s;
}

static bool is_up(const struct server *s)
{
    return s->state == SERVER_READY || s->state == SERVER_SILENT;
}

static bool oom_is_news(const struct server *s)
{
    return s->last_end.oom && clock_wall_ms() - s->last_end.at_wall_ms < OOM_REMEMBERED_MS;
}

/* Is the last end still worth a word? Not one that was asked for, nor one by another plan; and once
 * the server is up again only while that is young. */
static bool end_counts(const struct server *s)
{
    const struct run_end *end = &s->last_end;
    if (!end->at_wall_ms || s->past.asked || end->why.code == FAULT_ENGINE_DOWN ||
        s->past.plan_hash != s->plan->hash || s->past.plan_live_hash != s->plan->live_hash)
        return false;
    if (is_up(s))
        return s->failures > 0 || oom_is_news(s);
    return s->state != SERVER_STOPPED && s->state != SERVER_STOPPING;
}

/* npx and the like, before the package is here; not where no network can bring it. */
static bool is_fetching(const struct server *s)
{
    const struct plan *p = s->plan;
    bool cut_off = p->mode == PLAN_DOCKER && p->network_mode &&
        strcmp(p->network_mode, "none") == 0;
    return s->config->command && runtime_detect(s->config->command)->cache_volume && !cut_off &&
        !s->past.ever_ready;
}

/* Most servers are ready long before. One that fetches takes up to 16 s, and many that do so at
 * once on a busy machine minutes: what still receives or works is no worry. */
static bool is_slow(const struct server *s, const struct diagnosis *d)
{
    enum { SLOW_MS = 30 * 1000, FETCHED_MS = 90 * 1000, STANDS_STILL_MS = 15 * 1000 };
    bool fetching = is_fetching(s);
    int64_t slow = fetching ? FETCHED_MS : SLOW_MS, now = clock_mono_ms();
    int64_t most = server_init_timeout_ms(s) / 3 * 2;
    return s->state == SERVER_INITIALIZING &&
           now - s->state_since_ms >= (most < slow ? most : slow) &&
           !(fetching && d->start.busy_ms && now - d->start.busy_ms < STANDS_STILL_MS);
}

static void take_signature(const struct server *s, const struct diagnosis *d,
                           struct signature *sig)
{
    const struct plan *p = s->plan;
    memset(sig, 0, sizeof *sig);
    sig->plan = p;
    sig->hash = p->hash;
    sig->live_hash = p->live_hash;
    sig->end_ms = s->last_end.at_wall_ms;
    sig->state = (int)s->state;
    sig->wanted = s->wanted == WANTED_UP;
    sig->failing = s->failures > 0;
    sig->looping = s->failures > 3;
    sig->strayed = is_up(s) && session_get_run_stray(s->session) > 0;
    sig->engine_down = engine_is_down(s->fleet);
    sig->oom_is_news = oom_is_news(s);
    sig->tight = p->memory_bytes > 0 && d->peak_bytes >= p->memory_bytes / 10 * 9;
    sig->throttled = d->throttled_s >= THROTTLED_S;
    sig->crowded = p->pids_limit > 0 && d->pids_peak >= p->pids_limit - p->pids_limit / 10;
    sig->oom_inside = is_up(s) && s->usage.known && s->usage.ooms > 0;
    sig->said_seq = d->said_seq;
    sig->slow = is_slow(s, d);
    sig->slow_seq = sig->slow ? ring_next_seq(logstore_get_ring(s->log)) : 0;
    sig->tools = tool_watch_serial(row_of(s));
    sig->tools_held = tool_watch_holds(row_of(s));
    if (s->last_end.never_started)
        sig->images = d->doctor->images_known;
}

/* ---- judging ----------------------------------------------------------------------------- */

static void note_reason(const struct server *s, struct diagnosis *d)
{
    if (s->state == SERVER_BACKING_OFF || s->state == SERVER_FAILED)
        memcpy(d->end_reason, s->reason, sizeof d->end_reason);
}

/* The next run begins with figures of its own, and the end of this one is still to be judged. */
static void note_start(const struct server *s, struct diagnosis *d)
{
    if (s->last_end.at_wall_ms == d->started_end_ms)
        return;
    d->started_end_ms = s->last_end.at_wall_ms;
    d->ended_start = d->start;
    d->start = (struct start){ 0 };
}

static bool was_throttled(const struct start *start)
{
    enum { SAMPLES_MIN = 3 };
    return start->sampled >= SAMPLES_MIN && start->throttled * 3 >= start->sampled * 2;
}

/* How many of the limits at which it was killed are below the present one. */
static size_t ooms_before(const struct server *s, const struct diagnosis *d)
{
    size_t n = 0;
    if (clock_wall_ms() - d->oom_wall_ms < OOM_REMEMBERED_MS)
        while (n < d->oom_limit_count && d->oom_limits[n] < s->plan->memory_bytes)
            n++;
    return n;
}

/* What was learned of how much it wants: a limit that was lowered, or one of long ago, is another
 * story. */
static void note_oom(const struct server *s, struct diagnosis *d)
{
    int64_t limit = s->plan->memory_bytes;
    if (!d->list.n || d->list.v[0].kind != FIND_OOM_KILLED || !limit ||
        s->last_end.at_wall_ms == d->oom_wall_ms)
        return;
    size_t n = ooms_before(s, d);
    if (n == OOM_LIMITS_MAX)
        memmove(d->oom_limits, d->oom_limits + 1, --n * sizeof *d->oom_limits);
    d->oom_limits[n++] = limit;
    d->oom_limit_count = n;
    d->oom_wall_ms = s->last_end.at_wall_ms;
}

static void describe_machine(const struct fleet *fl, struct symptoms *y)
{
    const struct host_usage *host = fleet_get_host_usage(fl);
    y->host_cpus = host->cpus;
    y->host_free = host->memory_total - host->memory_used;
    y->home = getenv("HOME");
    y->ca_bundle = ca_bundle();
    y->exists = path_exists;
    y->nearest = path_nearest;
    y->look = backend_host_look;
    y->status = path_status;
}

static void describe(const struct server *s, const struct diagnosis *d, struct symptoms *y)
{
    const struct ring *ring = logstore_get_ring(s->log);
    bool ended = end_counts(s);
    *y = (struct symptoms){
        .name = server_row_name(s), .whole = fleet_get_config(s->fleet), .config = s->config,
        .plan = s->plan, .state = s->state,
        .reason = ended && is_up(s) ? d->end_reason : s->reason,
        .wanted = s->wanted == WANTED_UP, .failures = s->failures,
        .end = ended ? &s->last_end : NULL, .was_ready = ended ? s->past.was_ready : is_up(s),
        .ever_ready = ended ? s->past.ever_ready : is_up(s),
        .well_before = s->past.ever_ready && s->past.plan_hash == s->plan->hash,
        .trouble = ended ? s->past.trouble : TROUBLE_NONE, .ring = ring,
        .first_seq = ended ? s->past.first_seq : server_run_first_seq(s),
        .next_seq = ended ? s->past.next_seq : ring_next_seq(ring),
        .stray_lines = session_get_run_stray(s->session), .engine_down = engine_is_down(s->fleet),
        .engine_error = fleet_get_engine_error(s->fleet), .peak_bytes = d->peak_bytes,
        .tool_changes = tool_watch_changes(row_of(s)), .tools_held = tool_watch_holds(row_of(s)),
        .tools_unwatched = tool_watch_is_blind(row_of(s)),
        .local_images = d->doctor->images_known ? &d->doctor->images : NULL,
        .ooms = s->usage.known ? s->usage.ooms : -1, .pids_peak = d->pids_peak,
        .throttled_s = d->throttled_s,
        .init_timeout_ms = server_init_timeout_ms(s),
        .throttled_percent = d->throttled_percent, .oom_limits = d->oom_limits,
        .oom_limit_count = ooms_before(s, d),
    };
    describe_machine(s->fleet, y);
    if (is_slow(s, d)) {
        y->slow_ms = clock_mono_ms() - s->state_since_ms;
        y->slow_since_wall_ms = s->state_since_wall_ms;
    }
    if (ended) {
        y->start_pids = d->ended_start.pids;
        y->start_throttled = was_throttled(&d->ended_start);
        y->start_rx_bytes = d->ended_start.sampled ? d->ended_start.net_rx_bytes : -1;
    }
    if (!ended && d->said_seq) {
        y->first_seq = d->said_seq;
        y->next_seq = d->said_seq + 1;
    }
}

/* How often in a row it has come to this. */
static void count_end(const struct server *s, struct diagnosis *d)
{
    if (!d->list.n || !end_counts(s))
        return;
    struct finding *f = &d->list.v[0];
    if (s->last_end.at_wall_ms != d->counted_end_ms) {
        bool again = d->counted_end_ms && d->counted_kind == f->kind;
        d->times = again ? d->times + 1 : 1;
        d->since_wall_ms = again ? d->since_wall_ms : s->last_end.at_wall_ms;
        d->counted_end_ms = s->last_end.at_wall_ms;
        d->counted_kind = f->kind;
    }
    f->times = d->times;
    f->since_wall_ms = d->since_wall_ms;
}

static bool judge(const struct server *s, struct diagnosis *d)
{
    struct signature sig;
    struct symptoms y;
    if (s->state == SERVER_STOPPING && s->wanted == WANTED_UP)
        /* on its way to another run: what was found stands till then */
        return false;
    note_reason(s, d);
    note_start(s, d);
    if (s->plan->live_hash != d->sig.live_hash)
        d->throttled_s = 0;          /* that was by other limits */
    take_signature(s, d, &sig);
    if (memcmp(&sig, &d->sig, sizeof sig) == 0)
        return false;
    bool same_plan = sig.hash == d->sig.hash && sig.live_hash == d->sig.live_hash;
    if (!same_plan)
        d->counted_end_ms = 0;
    d->sig = sig;
    struct findings before = d->list;
    d->list = (struct findings){ 0 };
    describe(s, d, &y);
    diagnose(&y, &d->list);
    count_end(s, d);
    note_oom(s, d);
    bool changed = !findings_same(&before, &d->list);
    findings_fini(&before);
    return changed;
}

const struct findings *doctor_findings(const struct server *s)
{
    if (!s->diagnosis || !s->config)
        return &nothing;
    judge(server_shown(s), s->diagnosis);
    return &s->diagnosis->list;
}

/* ---- watching ---------------------------------------------------------------------------- */

static void diagnosis_free(struct diagnosis *d)
{
    findings_fini(&d->list);
    free(d);
}

static struct diagnosis *diagnosis_of(struct doctor *doc, struct server *s)
{
    if (!s->diagnosis) {
        s->diagnosis = xcalloc(1, sizeof *s->diagnosis);
        s->diagnosis->doctor = doc;
        s->diagnosis_free = diagnosis_free;
    }
    return s->diagnosis;
}

static void on_images(void *ctx, json_t *reply, const struct fault *f)
{
    struct doctor *doc = ctx;
    size_t i, k;
    json_t *image, *tag;
    doc->listing = NULL;
    if (f)
        return;
    strvec_fini(&doc->images);
    json_array_foreach(reply, i, image)
        json_array_foreach(json_object_get(image, "RepoTags"), k, tag)
            if (json_is_string(tag))
                strvec_add(&doc->images, json_string_value(tag));
    doc->images_known++;             /* the next sample judges anew whom it concerns */
}

static void list_images(struct doctor *doc)
{
    enum { AGAIN_MS = 10 * 1000 };
    struct engine *e = fleet_get_engine(doc->fleet);
    int64_t now = clock_mono_ms();
    if (!e || doc->listing || (doc->images_ms && now - doc->images_ms < AGAIN_MS))
        return;
    doc->images_ms = now;
    doc->listing = engine_images(e, on_images, doc);
}

static void on_server_changed(void *ctx, struct server *s)
{
    struct doctor *doc = ctx;
    if (!s->config)
        return;
    judge(server_shown(s), diagnosis_of(doc, s));
    enum finding_kind kind = s->diagnosis->list.n ? s->diagnosis->list.v[0].kind : FIND_KINDS;
    if (kind == FIND_IMAGE_NOT_FOUND || kind == FIND_REGISTRY_UNREACHABLE ||
        kind == FIND_RATE_LIMIT)
        list_images(doc);            /* maybe one that is here was meant */
}

static void begin_run(const struct server *s, struct diagnosis *d)
{
    memcpy(d->run_id, s->run_id, sizeof d->run_id);
    d->peak_bytes = 0;
    d->pids_peak = 0;
    d->throttled_s = 0;
    d->start = (struct start){ 0 };
    d->said_seq = 0;
    d->words_seen = server_run_first_seq(s);
}

static void watch_start(const struct usage *u, struct start *start)
{
    enum { WORKS_PERCENT = 2, FETCHES_BYTES = 2000 };    /* in a second; tries alone are less */
    start->sampled++;
    start->throttled += u->throttled_percent >= THROTTLED_PERCENT;
    if (u->pids > start->pids)
        start->pids = u->pids;
    if (u->cpu_percent >= WORKS_PERCENT || u->net_rx_bytes > start->net_rx_bytes + FETCHES_BYTES)
        start->busy_ms = clock_mono_ms();
    start->net_rx_bytes = u->net_rx_bytes;
}

static void watch_figures(const struct server *s, struct diagnosis *d)
{
    const struct usage *u = &s->usage;
    if (strcmp(d->run_id, s->run_id) != 0)
        begin_run(s, d);
    if (u->known && s->state == SERVER_INITIALIZING)
        watch_start(u, &d->start);
    if (!u->known || !is_up(s))
        return;
    if (u->memory_bytes > d->peak_bytes)
        d->peak_bytes = u->memory_bytes;
    if (u->pids > d->pids_peak)
        d->pids_peak = u->pids;
    bool throttled = u->throttled_percent >= THROTTLED_PERCENT;
    if (throttled && d->throttled_s < 2 * THROTTLED_S)
        d->throttled_s++;
    else if (!throttled && d->throttled_s > 0)
        d->throttled_s--;
    d->throttled_percent = u->throttled_percent;
}

/* New lines of a server that is up and isolated: does it complain of what its plan denies it? */
static void watch_words(const struct server *s, struct diagnosis *d)
{
    enum { NEW_LINES_MAX = 50 };
    struct findings found = { 0 };
    struct symptoms y;
    uint64_t next = ring_next_seq(logstore_get_ring(s->log));
    if (!d->more_words || d->said_seq || s->state != SERVER_READY ||
        s->plan->mode != PLAN_DOCKER || end_counts(s))
        return;
    d->more_words = false;
    describe(s, d, &y);
    y.first_seq = d->words_seen + NEW_LINES_MAX < next ? next - NEW_LINES_MAX : d->words_seen;
    diagnose(&y, &found);
    for (size_t i = 0; i < found.n && !d->said_seq; i++)
        for (size_t k = 0; k < found.v[i].evidence_count && !d->said_seq; k++)
            if (strcmp(found.v[i].evidence[k].what, "stderr") == 0)
                d->said_seq = found.v[i].evidence[k].seq;
    findings_fini(&found);
    d->words_seen = next;
}

static void on_sampled(void *ctx)
{
    struct doctor *doc = ctx;
    for (size_t i = 0; i < fleet_count(doc->fleet); i++) {
        struct server *s = fleet_at(doc->fleet, i);
        struct diagnosis *d = diagnosis_of(doc, s);
        if (!s->config)
            continue;
        const struct server *shown = server_shown(s);
        watch_figures(shown, d);
        watch_words(shown, d);
        if (judge(shown, d))
            fleet_server_changed(doc->fleet, s);
    }
}

static void on_log_more(void *ctx, struct server *s)
{
    diagnosis_of(ctx, s)->more_words = true;
}

struct doctor *doctor_new(struct fleet *fl)
{
    struct doctor *doc = xcalloc(1, sizeof *doc);
    doc->fleet = fl;
    doc->observer = (struct fleet_observer){
        .server_changed = on_server_changed, .sampled = on_sampled, .log_more = on_log_more,
        .ctx = doc,
    };
    fleet_observe(fl, &doc->observer);
    for (size_t i = 0; i < fleet_count(fl); i++)
        on_server_changed(doc, fleet_at(fl, i));
    return doc;
}

void doctor_free(struct doctor *d)
{
    if (!d)
        return;
    fleet_unobserve(d->fleet, &d->observer);
    engine_cancel(d->listing);
    strvec_fini(&d->images);
    free(d);
}

/* ---- a trial ----------------------------------------------------------------------------- */

static void push_said(struct ring *ring, enum ring_stream stream, const struct strvec *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        ring_push(ring, clock_wall_ms(), stream, 0, lines->v[i], strlen(lines->v[i]));
}

void doctor_of_trial(const struct fleet *fl, const struct server *s, const struct trial_result *r,
                     struct findings *out)
{
    enum { SAID_MAX_BYTES = 64 * 1024 };
    const char *why = "";
    findings_fini(out);
    if (r->ok || !r->end.at_wall_ms || !s->config)
        return;
    for (int i = 0; i < TRIAL_STEPS; i++)
        if (r->steps[i].reached && !r->steps[i].ok)
            why = r->steps[i].text;
    struct ring *ring = ring_new(SAID_MAX_BYTES);
    push_said(ring, RING_STDOUT, &r->strays);
    push_said(ring, RING_STDERR, &r->said);
    struct symptoms y = {
        .name = s->name, .whole = fleet_get_config(fl), .config = s->config, .plan = r->plan,
        .state = SERVER_BACKING_OFF, .reason = why, .wanted = true, .failures = 1, .end = &r->end,
        .trouble = r->trouble, .ring = ring, .first_seq = 1, .next_seq = ring_next_seq(ring),
        .engine_down = engine_is_down(fl), .engine_error = fleet_get_engine_error(fl), .ooms = -1,
        .init_timeout_ms = server_init_timeout_ms(s),
    };
    describe_machine(fl, &y);
    diagnose(&y, out);
    ring_free(ring);
}
