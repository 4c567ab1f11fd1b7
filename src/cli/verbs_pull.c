/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop pull`: the images of servers, now. One request an image, which the supervisor answers at
 * the end of the pull; progress comes as events. A pull lives as long as its request: whoever ends
 * this verb by Ctrl-C has cancelled what nobody else waits for. */
#include "cli/verb.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/doc.h"
#include "cli/show.h"

/* FIGURES: "layer 10/12 100% [================] 99.9M/99.9M 1023K/s" and a blank */
enum { DEFAULT_COLUMNS = 80, BAR = 16, FIGURES = 57, LEAST_NAME = 8 };

struct pulls;
struct one {
    struct pulls *pulls;
    char *image;                /* "" while not known: the answer tells */
    char *label;                /* made harmless */
    struct strvec servers;
    bool over;
    int layer, layers;
    int64_t done, total, rate;
    char told[64];              /* off a terminal: what was printed last */
    json_t *result;             /* owned; NULL = none yet, or it failed */
    struct fault why;
};

struct pulls {
    struct cli *cli;
    struct ev_loop *loop;
    struct api *api;
    ev_signal interrupt, terminate;
    struct one *v;
    size_t n;
    bool bars;                  /* on a terminal */
    int drawn;                  /* lines above the cursor that are ours */
    int exit_code;
};

/* ---- showing ---- */

static int columns(void)
{
    int known = show_columns();
    return known ? known : DEFAULT_COLUMNS;
}

static int percent(const struct one *o)
{
    return o->total > 0 ? (int)((double)o->done * 100. / (double)o->total) : 0;
}

static void add_bar(const struct one *o, struct buf *out)
{
    int full = o->total > 0 ? (int)((double)o->done * BAR / (double)o->total) : 0;
    buf_add_char(out, '[');
    for (int i = 0; i < BAR; i++)
        buf_add_char(out, i < full ? '=' : i == full ? '>' : ' ');
    buf_add_char(out, ']');
}

static void add_state(const struct one *o, bool bar, struct buf *out)
{
    char done[24], total[24], rate[24];
    if (o->over) {
        buf_add_str(out, o->result ? "pulled" : "failed");
    } else if (!o->layers) {
        buf_add_str(out, "pull begins");
    } else {
        buf_printf(out, "layer %d/%d ", o->layer, o->layers);
        if (o->total > 0) {
            buf_printf(out, "%3d%% ", percent(o));
            if (bar)
                add_bar(o, out);
            buf_printf(out, " %s/%s %s/s", show_size(o->done, done, sizeof done),
                       show_size(o->total, total, sizeof total),
                       show_size(o->rate, rate, sizeof rate));
        }
    }
}

/* The end of an image's name tells it from others of its registry: cut at the front. */
static int put_name(const char *label, int room)
{
    size_t n = strlen(label);
    int width = text_width(label, n);
    if (width <= room) {
        fputs(label, stdout);
        return width;
    }
    while (n > 0 && width > room - 1) {
        size_t step = text_fit(label, n, 1, NULL);
        step = step ? step : text_fit(label, n, 2, NULL);
        step = step ? step : n;
        label += step;
        n -= step;
        width = text_width(label, n);
    }
    printf("…%s", label);
    return width + 1;
}

static void draw_bar(const struct one *o, int width)
{
    AUTO_BUF struct buf state = BUF_INIT;
    bool bar = width >= LEAST_NAME + FIGURES;
    int room = width - (bar ? FIGURES : FIGURES - BAR - 2);
    room = room < LEAST_NAME ? LEAST_NAME : room;
    add_state(o, bar, &state);
    size_t most = text_fit(buf_str(&state), state.len, width - room - 2, NULL);
    putchar('\r');
    int used = put_name(o->label, room);
    printf("%*s %.*s\033[K\n", room - used, "", (int)most, buf_str(&state));
}

static void draw(struct pulls *p)
{
    if (p->drawn)
        printf("\033[%dA", p->drawn);
    int width = columns();
    p->drawn = 0;
    for (size_t i = 0; i < p->n; i++) {
        draw_bar(&p->v[i], width);
        p->drawn++;
    }
    fflush(stdout);
}

/* Off a terminal: a line when it begins, whenever a layer is complete, and at the end. */
static void tell(struct one *o)
{
    AUTO_BUF struct buf line = BUF_INIT;
    char mark[sizeof o->told];
    snprintf(mark, sizeof mark, "%d/%d/%d", o->over, o->layer, o->layers);
    if (cli_has(o->pulls->cli, OPT_JSON) || strcmp(mark, o->told) == 0)
        return;
    snprintf(o->told, sizeof o->told, "%s", mark);
    buf_printf(&line, "%s: ", o->label);
    add_state(o, false, &line);
    puts(buf_str(&line));
    fflush(stdout);
}

static void show(struct one *o)
{
    if (o->pulls->bars)
        draw(o->pulls);
    else
        tell(o);
}

/* ---- hearing ---- */

static void set_image(struct one *o, const char *image)
{
    AUTO_BUF struct buf label = BUF_INIT;
    const char *name = *image ? image : o->servers.v[0];
    text_clean_plain(&label, name, strlen(name));
    free(o->image);
    free(o->label);
    o->image = xstrdup(image);
    o->label = buf_take(&label);
}

static void check_over(struct pulls *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (!p->v[i].over)
            return;
    ev_break(p->loop, EVBREAK_ALL);
}

static void on_reply(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct one *o = ctx;
    (void)status;
    o->over = true;
    if (f)
        o->why = *f;
    else
        o->result = json_incref(data);
    if (f || *o->image)
        show(o);
    check_over(o->pulls);
}

static void on_pull(struct pulls *p, json_t *doc)
{
    json_t *pull = doc_get(doc, "pull");
    for (size_t i = 0; i < p->n && pull; i++) {
        struct one *o = &p->v[i];
        if (o->over || strcmp(o->image, doc_str(doc, "image")) != 0)
            continue;
        o->layer = (int)doc_int(pull, "layer", 0);
        o->layers = (int)doc_int(pull, "layers", 0);
        o->done = doc_int(pull, "done", 0);
        o->total = doc_int(pull, "total", 0);
        o->rate = doc_int(pull, "rate", 0);
        show(o);
    }
}

/* ---- beginning ---- */

static void add(struct pulls *p, const char *server, const char *image)
{
    for (size_t i = 0; i < p->n && *image; i++)
        if (strcmp(p->v[i].image, image) == 0) {
            strvec_add(&p->v[i].servers, server);
            return;
        }
    p->v = xrealloc(p->v, (p->n + 1) * sizeof *p->v);
    struct one *o = &p->v[p->n++];
    *o = (struct one){ .pulls = p };
    strvec_add(&o->servers, server);
    set_image(o, image);
}

/* "" for what has none, and for who does not exist: the API says so. */
static const char *image_of(json_t *servers, const char *name)
{
    size_t i;
    json_t *s;
    json_array_foreach(servers, i, s)
        if (strcmp(doc_str(s, "name"), name) == 0)
            return strcmp(doc_str(s, "where"), "docker") == 0 ? doc_str(s, "image") : "";
    return "";
}

static void on_hello(struct pulls *p, json_t *hello)
{
    json_t *servers = doc_get(hello, "servers"), *s;
    size_t i;
    if (cli_has(p->cli, OPT_ALL))
        json_array_foreach(servers, i, s)
            if (strcmp(doc_str(s, "where"), "docker") == 0)
                add(p, doc_str(s, "name"), doc_str(s, "image"));
    for (i = 0; i < p->cli->word_count; i++)
        add(p, p->cli->words[i], image_of(servers, p->cli->words[i]));
    api_set_timeout(p->api, -1);
    for (i = 0; i < p->n; i++) {
        AUTO_FREE char *path = api_path("/api/v1/servers/%s/pull", p->v[i].servers.v[0]);
        api_send(p->api, "POST", path, NULL, on_reply, &p->v[i]);
    }
    if (!p->n && !cli_has(p->cli, OPT_JSON))
        puts("no server runs in a container: there is nothing to pull");
    check_over(p);
}

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct pulls *p = ctx;
    bool hello = !strcmp(name, "hello");
    if (!hello && strcmp(name, "pull") != 0)
        return;
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    if (hello)
        on_hello(p, doc);
    else
        on_pull(p, doc);
    json_decref(doc);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct pulls *p = ctx;
    p->exit_code = cli_fail(why);
    ev_break(p->loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    struct pulls *p = w->data;
    (void)revents;
    for (size_t i = 0; i < p->n; i++)
        if (!p->v[i].over)
            show_error("%s: cancelled, unless a server waits for it", p->v[i].label);
    p->exit_code = EXIT_REFUSED;
    ev_break(loop, EVBREAK_ALL);
}

/* ---- the end ---- */

static void end_one(struct one *o, json_t *list)
{
    json_t *names = json_array();
    for (size_t i = 0; i < o->servers.n; i++)
        json_array_append_new(names, json_string(o->servers.v[i]));
    json_t *item = json_pack("{s:s, s:o, s:b}", "image", o->image, "servers", names, "pulled",
                             o->result != NULL);
    if (o->result)
        json_object_update_missing(item, o->result);
    if (o->why.code)
        json_object_set_new(item, "error", json_string(o->why.text));
    json_array_append_new(list, item);
    if (!o->why.code)
        return;
    int code = cli_fail(&o->why);
    if (code == EXIT_NO_SERVER && *o->image)
        code = EXIT_REFUSED;        /* it is the image that is not there */
    if (o->pulls->exit_code == EXIT_OK)
        o->pulls->exit_code = code;
}

static int end(struct pulls *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->n; i++)
        end_one(&p->v[i], list);
    if (cli_has(p->cli, OPT_JSON))
        show_json(list);
    json_decref(list);
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].image);
        free(p->v[i].label);
        strvec_fini(&p->v[i].servers);
        json_decref(p->v[i].result);
    }
    free(p->v);
    return p->exit_code;
}

static void catch(struct pulls *p, ev_signal *w, int sig)
{
    ev_signal_init(w, on_signal, sig);
    w->data = p;
    ev_signal_start(p->loop, w);
}

int verb_pull(struct cli *c)
{
    static const struct api_stream_events events = { on_event, on_end };
    struct pulls p = { .cli = c, .loop = ev_default_loop(EVFLAG_AUTO) };
    p.bars = isatty(STDOUT_FILENO) && !cli_has(c, OPT_JSON);
    p.api = api_new(p.loop, c->paths.socket);
    catch(&p, &p.interrupt, SIGINT);
    catch(&p, &p.terminate, SIGTERM);
    api_follow(p.api, "/events", &events, &p);
    ev_run(p.loop, 0);
    api_free(p.api);
    ev_signal_stop(p.loop, &p.interrupt);
    ev_signal_stop(p.loop, &p.terminate);
    return end(&p);
}
