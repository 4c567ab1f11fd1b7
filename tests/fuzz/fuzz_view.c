/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole view, without a terminal, on any keys, events, answers and sizes: it neither crashes
 * nor draws outside its canvas, its log stays bounded, and what is selected is on the list. One
 * line of input is one step; H and O are the recorded events below, so that seeds stay short. */
#include "fuzz.h"

#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "view.h"

#define SERVER \
    "{\"name\":\"a\",\"state\":\"ready\",\"wanted\":\"up\",\"where\":\"docker\",\"image\":\"node:" \
    "20\",\"reason\":\"OOM\"," \
    "\"usage\":{\"cpu\":1.5,\"memory\":1048576,\"memory_limit\":2097152},\"calls\":{\"total\":3," \
    "\"in_flight\":1,\"clients\":1," \
    "\"open\":[{\"method\":\"tools/" \
    "call\",\"name\":\"q\",\"client\":\"c\",\"age_ms\":5}]},\"undo\":\"x\"," \
    "\"plan\":{\"mode\":\"docker\",\"notes\":[{\"what\":\"mode\",\"value\":\"docker\",\"why\":" \
    "\"w\"}],\"run_args\":[\"run\"]}}"
#define HELLO \
    "ehello " \
    "{\"status\":{\"version\":\"0\",\"engine\":{\"state\":\"up\"},\"host\":{\"cpu\":3}}," \
    "\"servers\":[" SERVER \
    ",{\"name\":\"b\",\"state\":\"failed\",\"reason\":\"exited " \
    "3\",\"retry_in_ms\":900}],\"containers\":[{\"id\":\"1\",\"server\":\"a\"," \
    "\"owner\":\"ours\"}],\"events\":[{\"action\":\"die\"}]}\n"
#define LOG \
    "elog " \
    "{\"server\":\"a\",\"lines\":[{\"seq\":1,\"t\":5,\"s\":\"err\",\"text\":\"one\"},{\"seq\":2," \
    "\"s\":\"out\",\"text\":\"\\u001b[31mtwo\"}]}\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(HELLO LOG "kjj2jd3\n"),
    FUZZ_SEED("H\nk3I>>m45?Gq\n"),
    FUZZ_SEED("H\nkx\nr{\"data\":{\"changes\":[\"c\"],\"diff\":\"@@\\n-a\\n+b\"}}\nky\nr{\"data\":{"
              "\"applied\":\"live\"}}\n"),
    FUZZ_SEED("H\n"
              "kL1g\t2\t \r\nr{\"error\":\"no\"}\nk\033u\n"),
    FUZZ_SEED(
        "H\nO\n"
        "k\t/one\rnNkkgG&two\rwtMaf\nO\negap {\"server\":\"a\",\"from\":3,\"to\":9}\nk\tggwk\n"),
    FUZZ_SEED("H\n"
              "k:set a memory=1g\rk:re\t\rk:theme mono\rk /a\r\ns\1\1\nk\r?\ns\240\62\nk  UrsK\n"),
    FUZZ_SEED("H\n"
              "eusage "
              "{\"servers\":[[\"a\",1,2,3,4,5,6,7,8,9,10,11,12,13,14]],\"host\":{\"cpu\":1}}"
              "\neserver_removed {\"name\":\"a\"}\necontainer_removed {\"id\":\"1\"}\nc\n"),
    FUZZ_SEED("H\nO\n"
              "k\tkkk\nr{\"data\":{\"server\":\"a\",\"first_seq\":1,\"next_seq\":9,\"lines\":[{"
              "\"seq\":0,\"text\":\"x\"}]}}\nkg\n"),
    {NULL, 0},
};

struct outside { struct view_call *open[16]; int count; };

static void io_send(void *ctx, const char *method, const char *path, json_t *body,
                    struct view_call *call)
{
    struct outside *o = ctx;

    MUST(*method && path[0] == '/' && !strchr(path, ' '));
    json_decref(body);
    if (o->count < 16)
        o->open[o->count++] = call;
    else
        view_call_free(call);
}

static void io_follow(void *ctx, const char *server, bool all)
{
    (void)ctx;
    MUST(!all || !server);
}

static void io_copy(void *ctx, const char *text, size_t n)
{
    (void)ctx;
    (void)text;
    (void)n;
}

static void io_nothing(void *ctx)
{
    (void)ctx;
}

static void io_theme(void *ctx, const struct theme *t)
{
    (void)ctx;
    MUST(t);
}

static const struct view_io io = {io_send, io_follow, io_copy, io_nothing, io_theme, io_nothing};

static void reply(struct view *v, struct outside *o, const char *p, size_t n)
{
    json_t *json = json_loadb(p, n, 0, NULL);
    struct view_call *call = o->open[0];

    if (o->count) {
        memmove(o->open, o->open + 1, (size_t)--o->count * sizeof(*o->open));
        view_reply(v, call, json_object_get(json, "data"),
                   json_string_value(json_object_get(json, "error")));
    }
    json_decref(json);
}

static void event(struct view *v, const char *p, size_t n)
{
    const char *space = memchr(p, ' ', n);
    char name[32];

    if (!space)
        return;
    snprintf(name, sizeof(name), "%.*s", (int)(space - p), p);
    view_event(v, name, space + 1, n - (size_t)(space + 1 - p));
}

/* W writes a file and :save-screen any file: not here. */
static bool is_safe(const struct view *v, int key)
{
    return key != 'W' &&
           !(key == K_ENTER && (strstr(v->line.text, "save") || strchr(v->line.text, '/')));
}

static void step(struct view *v, struct outside *o, const char *p, size_t n)
{
    if (!n)
        return;
    switch (p[0]) {
    case 'k':
        for (size_t i = 1; i < n; i++) {
            int c = (unsigned char)p[i];
            int key = c >= 0xf0 ? K_UP + (c & 15) : c;
            if (is_safe(v, key))
                view_key(v, key);
        }
        break;
    case 'H': event(v, &HELLO[1], sizeof(HELLO) - 3); break;
    case 'O': event(v, &LOG[1], sizeof(LOG) - 3); break;
    case 'e': event(v, p + 1, n - 1); break;
    case 'r': reply(v, o, p + 1, n - 1); break;
    case 's':
        view_resize(v, n > 1 ? (unsigned char)p[1] : 0, n > 2 ? (unsigned char)p[2] : 0);
        break;
    case 'c': view_connection(v, n > 1 && p[1] == 'u' ? CONN_UP : CONN_LOST, "why"); break;
    default: break;
    }
}

static void check(struct view *v)
{
    view_draw(v);
    MUST(v->canvas.w >= 1 && v->canvas.h >= 1);
    for (int i = 0; i < v->canvas.w * v->canvas.h; i++)
        MUST(v->canvas.cells[i].style < STYLE_COUNT &&
             (v->canvas.cells[i].cp == 0 || v->canvas.cells[i].cp >= 0x20));
    for (int y = 0; y < v->canvas.h; y++)
        MUST(canvas_row(&v->canvas, y)[0].cp != 0);
    MUST(v->feed.log.count <= LOGLINES_MAX && v->feed.log.bytes <= LOGLINES_MAX_BYTES + 70000);
    MUST(v->servers.at >= 0 && (v->servers.at < v->order_count || v->order_count == 0));
    MUST(v->events.at >= 0 && v->containers.at >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    struct outside o = {0};
    struct view v;

    clock_freeze(0, 1763800000000);
    view_init(&v, &io, &o);
    view_connection(&v, CONN_UP, NULL);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = stop ? (size_t)(stop - p) : (size_t)(end - p);
        step(&v, &o, p, n);
        if (*p == 's')
            check(&v);
        p += n + 1;
    }
    check(&v);
    for (int i = 0; i < o.count; i++)
        view_call_free(o.open[i]);
    view_fini(&v);
    return 0;
}
