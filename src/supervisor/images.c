/* SPDX-License-Identifier: GPL-3.0-or-later */
/* want: [inspect] → here: done, or missing → a pull, its own or one that runs → inspect → done
 *   pull: credentials → the engine's pull → everybody who waits goes on, or hears why not
 *
 * A want is in one place at a time: `request` (an inspection) or `pull`. Progress comes by the
 * hundred a second and is told five times a second (`tell`), the last of it too. */
#include "supervisor/images.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "docker/credentials.h"
#include "io/timer.h"

#define RATE_MEMORY_S 3.    /* of the mean that is shown as the rate */
#define TELL_EVERY_S .2
#define STALL_S 3.          /* without news the rate is 0 */

struct pull {
    struct images *images;
    struct pull *next;
    char *image, *platform;
    struct credentials *credentials;
    struct engine_request *request;
    struct image_pull_status status;
    struct pull_progress progress;
    ev_timer tell;
    bool again;                             /* it is the second try */
    bool untold;                            /* there is news since it was told last */
    bool ending;                            /* whoever waits is told its end; pull_over frees it */
    struct fault no_credentials;            /* why none could be read; code 0 = fine */
    /* when the rate was last taken, and what was here then */
    int64_t counted_ms, counted_bytes;
};

struct image_want {
    struct images *images;
    struct image_want *next;
    char *image, *platform, *policy_key;
    enum pull_policy policy;
    bool pulled;
    struct engine_request *request;
    struct pull *pull;
    struct image_want_events events;
    void *ctx;
};

struct images {
    struct ev_loop *loop;
    struct engine *engine;
    char *instance;
    unsigned helpers;                       /* numbers them: the end of one sweeps its run_id */
    images_changed_fn changed;
    void *ctx;
    struct pull *pulls;
    struct image_want *wants;
};

/* ---- wants ---- */

static void want_free(struct image_want *w)
{
    struct image_want **at = &w->images->wants;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    engine_cancel(w->request);
    free(w->image);
    free(w->platform);
    free(w->policy_key);
    free(w);
}

static void want_done(struct image_want *w, json_t *image, const struct fault *f)
{
    struct image_want_events events = w->events;
    void *ctx = w->ctx;
    want_free(w);
    events.done(ctx, image, f);
}

__attribute__((format(printf, 2, 3)))
static void want_note(struct image_want *w, const char *fmt, ...)
{
    AUTO_BUF struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    w->events.note(w->ctx, buf_str(&b));
}

static void want_inspect(struct image_want *w);
static void want_pull(struct image_want *w);

static bool is_word(const char *s, size_t n, const char *word)
{
    return word && strlen(word) == n && strncmp(s, word, n) == 0;
}

/* Is the image of that platform ("linux/arm64", "linux/arm/v7", "arm64")? */
static bool is_for(json_t *image, const char *platform)
{
    const char *os = json_string_value(json_object_get(image, "Os"));
    const char *arch = json_string_value(json_object_get(image, "Architecture"));
    size_t n = strcspn(platform, "/");
    if (!platform[n])
        return is_word(platform, n, os) || is_word(platform, n, arch);
    const char *second = platform + n + 1;
    return is_word(platform, n, os) && is_word(second, strcspn(second, "/"), arch);
}

static void on_image(void *ctx, json_t *reply, const struct fault *f)
{
    struct image_want *w = ctx;
    struct fault why = FAULT_NONE;
    bool missing = f && f->code == FAULT_NOT_FOUND;
    /* As docker run does: one of another platform is as good as none. */
    if (!f && w->platform && !w->pulled && !is_for(reply, w->platform))
        missing = true;
    w->request = NULL;
    if (w->policy == PULL_ALWAYS && !w->pulled && (!f || missing)) {
        want_pull(w);
    } else if (!missing) {
        want_done(w, reply, f);
    } else if (w->pulled) {
        /* Pulled and gone again: somebody removed it. */
        want_done(w, NULL, f);
    } else if (w->policy == PULL_NEVER) {
        fault_set(&why, FAULT_CONFIG,
                  "image %s%s%s is not here, and %s forbids to pull it: run `docker pull %s`, or "
                  "set pull_policy to \"missing\"",
                  w->image, w->platform ? " for " : "", w->platform ? w->platform : "",
                  w->policy_key ? w->policy_key : "pull_policy \"never\"", w->image);
        want_done(w, NULL, &why);
    } else {
        want_pull(w);
    }
}

static void want_inspect(struct image_want *w)
{
    w->request = engine_image_inspect(w->images->engine, w->image, on_image, w);
}

/* ---- pulls ---- */

static struct pull *find_pull(const struct images *im, const char *image)
{
    for (struct pull *p = im->pulls; p; p = p->next)
        if (strcmp(p->image, image) == 0)
            return p;
    return NULL;
}

static struct pull *find_pull_for(const struct image_want *w)
{
    const char *platform = w->platform ? w->platform : "";
    for (struct pull *p = w->images->pulls; p; p = p->next)
        if (strcmp(p->image, w->image) == 0 &&
            strcmp(p->platform ? p->platform : "", platform) == 0)
            return p;
    return NULL;
}

const struct image_pull_status *images_find_pull(const struct images *im, const char *image)
{
    const struct pull *p = find_pull(im, image);
    return p ? &p->status : NULL;
}

static void pull_unlist(struct pull *p)
{
    for (struct pull **at = &p->images->pulls; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            break;
        }
    ev_timer_stop(p->images->loop, &p->tell);
    credentials_cancel(TAKE(p->credentials));
    engine_cancel(TAKE(p->request));
}

static void pull_free(struct pull *p)
{
    free(p->image);
    free(p->platform);
    free(p);
}

static struct image_want *waiting_for(const struct pull *p)
{
    struct image_want *w = p->images->wants;
    while (w && w->pull != p)
        w = w->next;
    return w;
}

static void want_resume(struct image_want *w, const struct fault *f)
{
    w->pull = NULL;
    if (f) {
        want_done(w, NULL, f);
        return;
    }
    w->pulled = true;
    want_note(w, "image %s pulled", w->image);
    want_inspect(w);
    w->events.pulling(w->ctx, false);
}

/* Whoever waits goes on; any of them may leave, or want something else, from inside. */
static void pull_over(struct pull *p, const struct fault *f)
{
    struct image_want *w;
    struct images *im = p->images;
    p->ending = true;
    pull_unlist(p);
    im->changed(im->ctx, p->image);
    while ((w = waiting_for(p)))
        want_resume(w, f);
    pull_free(p);
}

/* The cause in plain words comes first, because a row of 80 columns shows no more of it; then the
 * image, the engine's words, and what to do. f has the engine's words. */
static void explain_refusal(struct fault *f, const char *image)
{
    AUTO_FREE char *registry = credentials_registry(image);
    AUTO_FREE char *said = xstrdup(f->text);
    const char *to = strcmp(registry, "docker.io") == 0 ? "" : registry, *gap = *to ? " " : "";
    int code = f->code;
    switch (code) {
    case FAULT_NOT_FOUND:
        fault_set(f, FAULT_HTTP, "image not found: %s (%s). Check the name, or log in if it is "
                  "private (docker login%s%s)", image, said, gap, to);
        break;
    case FAULT_DENIED:
        fault_set(f, FAULT_HTTP, "%s wants a login: image %s cannot be pulled (%s). Log in with "
                  "`docker login%s%s` as the user who runs mcptop, or check your rights there",
                  registry, image, said, gap, to);
        break;
    case ENOSPC:
        fault_set(f, FAULT_HTTP, "the engine's disk is full: image %s cannot be pulled (%s). "
                  "`docker system df` shows by what, `docker image prune` makes room", image, said);
        break;
    case EBUSY:
        fault_set(f, FAULT_HTTP, "rate limit of %s reached: image %s cannot be pulled (%s). Wait, "
                  "or log in (docker login%s%s)", registry, image, said, gap, to);
        break;
    case ENETUNREACH:
        if (strstr(said, "x509"))
            fault_set(f, FAULT_HTTP, "certificate of %s not trusted by the engine: image %s cannot "
                      "be pulled (%s). Give the engine its CA", registry, image, said);
        else
            fault_set(f, FAULT_HTTP, "%s is not reachable from the engine: image %s cannot be "
                      "pulled (%s). Check the engine's network, proxy and DNS", registry, image,
                      said);
        break;
    default:
        fault_wrap(f, "image %s cannot be pulled", image);
    }
    f->code = code;
}

static void pull_send(struct pull *p);

/* A connection that breaks before anything came says nothing about the registry; the engine itself
 * tries again only for layers. */
static bool is_hiccup(const struct fault *f)
{
    return strstr(f->text, "connection reset by peer") || strstr(f->text, "unexpected EOF");
}

static void on_pulled(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    struct pull *p = ctx;
    p->request = NULL;
    if (!f) {
        pull_over(p, NULL);
        return;
    }
    if (!p->again && is_hiccup(f)) {
        log_info("docker", "pull of image %s: %s; once more", p->image, f->text);
        p->again = true;
        pull_send(p);
        return;
    }
    struct fault why = *f;
    if (why.code != FAULT_ENGINE_DOWN)
        explain_refusal(&why, p->image);
    if (why.code == FAULT_DENIED && p->no_credentials.code)
        fault_set(&why, FAULT_DENIED, "%s (%s)", why.text, p->no_credentials.text);
    pull_over(p, &why);
}

/* A mean that forgets, so that the figure neither jumps with every line nor lags behind. */
static void take_rate(struct pull *p, int64_t now_ms)
{
    double seconds = (double)(now_ms - p->counted_ms) / 1e3;
    int64_t bytes = p->status.done_bytes - p->counted_bytes;
    if (seconds <= 0)
        return;
    if (bytes < 0)
        bytes = 0;      /* a layer that is fetched again */
    double keep = exp(-seconds / RATE_MEMORY_S);
    double rate = (double)p->status.rate_bytes * keep + (double)bytes / seconds * (1 - keep);
    p->status.rate_bytes = p->counted_bytes || !bytes ? (int64_t)rate
                                                  : (int64_t)((double)bytes / seconds);
    p->counted_ms = now_ms;
    p->counted_bytes = p->status.done_bytes;
}

static void tell(struct pull *p, double next_s)
{
    struct images *im = p->images;
    struct image_pull_status *st = &p->status;
    pull_progress_text(&p->progress, st->text, sizeof st->text, &st->done_bytes, &st->total_bytes);
    st->complete = pull_progress_complete(&p->progress);
    st->layers = p->progress.count;
    take_rate(p, clock_mono_ms());
    p->untold = false;
    timer_arm(im->loop, &p->tell, next_s);
    im->changed(im->ctx, p->image);
}

static void on_tell(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct pull *p = w->data;
    struct images *im = p->images;
    if (p->untold) {
        tell(p, TELL_EVERY_S);
    } else if (clock_mono_ms() - p->counted_ms < (int64_t)(STALL_S * 1e3)) {
        timer_arm(loop, w, STALL_S);
    } else if (p->status.rate_bytes) {
        p->status.rate_bytes = 0;
        im->changed(im->ctx, p->image);
    }
}

static void on_progress(void *ctx, const struct pull_progress *progress)
{
    struct pull *p = ctx;
    bool news = pull_progress_complete(progress) != p->status.complete;
    p->progress = *progress;
    p->untold = true;
    /* Else the timer does: it runs for TELL_EVERY_S after the beginning and after each telling. */
    if (news || clock_mono_ms() - p->counted_ms >= (int64_t)(TELL_EVERY_S * 1e3))
        tell(p, TELL_EVERY_S);
}

static void on_credentials(void *ctx, const char *auth, const struct fault *f)
{
    struct pull *p = ctx;
    p->credentials = NULL;
    if (f) {
        p->no_credentials = *f;
        log_warn("docker", "credentials for image %s: %s; going on without", p->image, f->text);
    }
    p->counted_ms = clock_mono_ms();
    timer_arm(p->images->loop, &p->tell, TELL_EVERY_S);
    p->request = engine_pull(p->images->engine, p->image, p->platform, auth, on_progress,
                             on_pulled, p);
}

static void pull_send(struct pull *p)
{
    struct images *im = p->images;
    AUTO_FREE char *run_id = xasprintf("%s.credentials-%u", im->instance, ++im->helpers);
    p->credentials = credentials_find(im->loop, p->image, run_id, on_credentials, p);
}

static struct pull *pull_begin(struct images *im, const char *image, const char *platform)
{
    struct pull *p = xcalloc(1, sizeof *p);
    p->images = im;
    p->image = xstrdup(image);
    p->platform = xstrdup(platform);
    p->status.image = p->image;
    p->status.progress = &p->progress;
    p->status.since_wall_ms = clock_wall_ms();
    snprintf(p->status.text, sizeof p->status.text, "pull begins");
    ev_timer_init(&p->tell, on_tell, 0., 0.);
    p->tell.data = p;
    p->next = im->pulls;
    im->pulls = p;
    pull_send(p);
    return p;
}

static void want_pull(struct image_want *w)
{
    struct images *im = w->images;
    struct pull *p = find_pull_for(w);
    bool joins = p != NULL;
    if (!joins)
        p = pull_begin(im, w->image, w->platform);
    w->pull = p;
    if (!joins)
        im->changed(im->ctx, p->image);
    want_note(w, "image %s%s", w->image,
              joins                      ? " is being pulled already: waiting for that"
              : w->policy == PULL_ALWAYS ? ": pull begins"
                                         : " is not here: pull begins");
    w->events.pulling(w->ctx, true);
}

/* ---- outside ---- */

static void split_path(const char *path, struct strvec *out)
{
    AUTO_FREE char *copy = xstrdup(path);
    char *save = NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
        if (*dir == '/')
            strvec_add(out, dir);
}

void images_search_path(const json_t *image, struct strvec *out)
{
    json_t *env = json_object_get(json_object_get(image, "Config"), "Env"), *word;
    size_t i;
    strvec_fini(out);
    json_array_foreach(env, i, word) {
        const char *s = json_string_value(word);
        if (s && strncmp(s, "PATH=", 5) == 0)
            split_path(s + 5, out);
    }
    if (!out->n)
        split_path("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", out);
}

struct image_want *images_want(struct images *im, const struct image_spec *spec,
                               const struct image_want_events *events, void *ctx)
{
    struct image_want *w = xcalloc(1, sizeof *w);
    *w = (struct image_want){
        .images = im, .next = im->wants, .image = xstrdup(spec->image),
        .platform = xstrdup(spec->platform),
        .policy_key = xstrdup(spec->policy_key), .policy = spec->policy, .events = *events,
        .ctx = ctx,
    };
    im->wants = w;
    want_inspect(w);
    return w;
}

void image_want_cancel(struct image_want *w)
{
    if (!w)
        return;
    struct pull *p = w->pull;
    struct images *im = w->images;
    want_free(w);
    if (!p || p->ending || waiting_for(p))
        return;
    log_info("docker", "pull of image %s cancelled: nobody waits for it any more", p->image);
    pull_unlist(p);
    im->changed(im->ctx, p->image);
    pull_free(p);
}

bool images_cancel(struct images *im, const char *image)
{
    struct pull *p = find_pull(im, image);
    struct fault f = FAULT_NONE;
    if (!p)
        return false;
    fault_set(&f, FAULT_CONFLICT, "the pull of image %s was cancelled", image);
    pull_over(p, &f);
    return true;
}

struct images *images_new(struct ev_loop *loop, struct engine *engine, const char *instance,
                          images_changed_fn changed, void *ctx)
{
    struct images *im = xcalloc(1, sizeof *im);
    *im = (struct images){ .loop = loop, .engine = engine, .instance = xstrdup(instance),
                           .changed = changed, .ctx = ctx };
    return im;
}

void images_free(struct images *im)
{
    if (!im)
        return;
    while (im->wants)
        want_free(im->wants);
    while (im->pulls) {
        struct pull *p = im->pulls;
        pull_unlist(p);
        pull_free(p);
    }
    free(im->instance);
    free(im);
}
