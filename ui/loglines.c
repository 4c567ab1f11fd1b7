/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bounded window of log lines: a ring with ids that order positions, so that a place in it
 * stays a place while lines come and go at both ends. Knows neither JSON nor drawing. */
#include "loglines.h"

#include <string.h>
#include "base/mem.h"

/* Ids start in the middle so that there is room in front. */
static const uint64_t ID_MIDDLE = (uint64_t)1 << 62;

void loglines_init(struct loglines *l)
{
    *l = (struct loglines){.next_id = ID_MIDDLE, .first_id = ID_MIDDLE - 1};
}

static struct logline *slot(const struct loglines *l, size_t i)
{
    return &l->v[(l->head + i) % LOGLINES_MAX];
}

struct logline *loglines_at(const struct loglines *l, size_t i)
{
    return i < l->count ? slot(l, i) : NULL;
}

static size_t cost(const struct logline *line)
{
    return line->len + sizeof(*line);
}

static void line_fini(struct loglines *l, struct logline *line)
{
    l->bytes -= cost(line);
    free(line->text);
    free(line->server);
}

static void drop_oldest(struct loglines *l)
{
    line_fini(l, slot(l, 0));
    l->head = (l->head + 1) % LOGLINES_MAX;
    l->count--;
}

static void drop_newest(struct loglines *l)
{
    line_fini(l, slot(l, l->count - 1));
    l->count--;
    l->behind = true;
}

void loglines_clear(struct loglines *l)
{
    bool hold = l->hold;
    struct logline *v = l->v;

    while (l->count)
        drop_oldest(l);
    loglines_init(l);
    l->v = v;
    l->hold = hold;
}

void loglines_fini(struct loglines *l)
{
    loglines_clear(l);
    free(l->v);
    loglines_init(l);
}

static bool is_full(const struct loglines *l, size_t more)
{
    return l->count == LOGLINES_MAX || (l->count && l->bytes + more > LOGLINES_MAX_BYTES);
}

static void fill(struct loglines *l, struct logline *to, const struct logline *from)
{
    *to = *from;
    to->text = xmalloc(from->len + 1);
    memcpy(to->text, from->text, from->len);
    to->text[from->len] = '\0';
    to->server = xstrdup(from->server);
    to->filter_gen = 0;
    l->bytes += cost(to);
}

static void ensure(struct loglines *l)
{
    if (!l->v)
        l->v = xcalloc(LOGLINES_MAX, sizeof(*l->v));
}

bool loglines_append(struct loglines *l, const struct logline *line)
{
    ensure(l);
    if (l->hold && (l->behind || is_full(l, cost(line)))) {
        l->behind = true;
        l->behind_count++;
        return false;
    }
    while (is_full(l, cost(line)))
        drop_oldest(l);
    fill(l, slot(l, l->count++), line);
    slot(l, l->count - 1)->id = l->next_id++;
    l->broken |= line->kind == LOGLINE_BREAK;
    return true;
}

void loglines_sort_last(struct loglines *l)
{
    for (size_t i = l->count; i-- > 1;) {
        struct logline *late = slot(l, i), *early = slot(l, i - 1), moved = *late;
        uint64_t id = late->id;
        if (early->t_ms <= late->t_ms)
            return;
        *late = *early;
        late->id = id;
        id = early->id;
        *early = moved;
        early->id = id;
    }
}

bool loglines_prepend(struct loglines *l, const struct logline *line)
{
    ensure(l);
    while (is_full(l, cost(line)))
        drop_newest(l);
    l->head = (l->head + LOGLINES_MAX - 1) % LOGLINES_MAX;
    l->count++;
    fill(l, slot(l, 0), line);
    slot(l, 0)->id = l->first_id--;
    return true;
}

size_t loglines_index(const struct loglines *l, uint64_t id)
{
    size_t lo = 0, hi = l->count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (slot(l, mid)->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < l->count ? lo : l->count ? l->count - 1 : 0;
}

static bool has_seq(const struct logline *line)
{
    return line->kind != LOGLINE_MARK && line->kind != LOGLINE_BREAK;
}

uint64_t loglines_last_seq(const struct loglines *l)
{
    for (size_t i = l->count; i-- > 0 && slot(l, i)->kind != LOGLINE_BREAK;)
        if (has_seq(slot(l, i)))
            return slot(l, i)->kind == LOGLINE_GAP ? slot(l, i)->gap_to : slot(l, i)->seq;
    return 0;
}

uint64_t loglines_oldest_seq(const struct loglines *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (has_seq(slot(l, i)))
            return slot(l, i)->seq;
    return 0;
}
