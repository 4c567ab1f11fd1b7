/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines in segments: text grows from a segment's front, fixed heads from its back, so that a push
 * copies and a look-up is a search over few segments and one index. Segments grow from a few
 * hundred bytes to SEGMENT_MAX: an idle server costs little, a flood costs one malloc in hundreds
 * of lines. The oldest segment goes as a whole. Never knows what a line says. */
#include "base/ring.h"

#include <string.h>
#include "base/lines.h"
#include "base/mem.h"

enum { SEGMENT_MIN = 512, SEGMENT_MAX = 64 * 1024, RING_MIN = 4096 };

struct head {
    int64_t wall_ms;
    uint32_t text_end;    /* the text begins where the previous one ends */
    uint16_t stream, flags;
};

struct segment {
    uint64_t first_seq;
    uint32_t count, cap;  /* cap: bytes of body */
    _Alignas(struct head) char body[];
};

struct ring {
    struct segment **segments;   /* oldest first; at least one line each */
    size_t count, cap;
    size_t bytes, max_bytes;
    uint64_t next_seq;
};

/* Heads lie downwards from the end of the body. */
static struct head *head_at(const struct segment *s, uint32_t i)
{
    return (struct head *)(void *)(s->body + s->cap) - 1 - i;
}

static uint32_t text_start(const struct segment *s, uint32_t i)
{
    return i ? head_at(s, i - 1)->text_end : 0;
}

static size_t segment_bytes(const struct segment *s)
{
    return sizeof *s + s->cap;
}

struct ring *ring_new(size_t max_bytes)
{
    struct ring *r = xcalloc(1, sizeof *r);
    r->max_bytes = max_bytes > RING_MIN ? max_bytes : RING_MIN;
    r->bytes = sizeof *r;
    r->next_seq = 1;
    return r;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->segments[i]);
    free(r->segments);
    free(r);
}

static void drop_oldest(struct ring *r)
{
    r->bytes -= segment_bytes(r->segments[0]);
    free(r->segments[0]);
    r->count--;
    memmove(r->segments, r->segments + 1, r->count * sizeof *r->segments);
}

/* A new segment, at the end, with room for a line of len bytes. */
static struct segment *add_segment(struct ring *r, size_t len)
{
    size_t largest = r->max_bytes / 16 < SEGMENT_MAX ? r->max_bytes / 16 : SEGMENT_MAX;
    size_t size = r->bytes < largest ? r->bytes : largest;
    size_t need = sizeof(struct segment) + len + sizeof(struct head);
    if (size < SEGMENT_MIN)
        size = SEGMENT_MIN;
    if (size < need)
        size = need;
    size = (size + sizeof(struct head) - 1) / sizeof(struct head) * sizeof(struct head);

    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 4;
        r->segments = xrealloc(r->segments, cap * sizeof *r->segments);
        r->bytes += (cap - r->cap) * sizeof *r->segments;
        r->cap = cap;
    }
    while (r->count && r->bytes + size > r->max_bytes)
        drop_oldest(r);
    struct segment *s = xmalloc(size);
    s->first_seq = r->next_seq;
    s->count = 0;
    s->cap = (uint32_t)(size - sizeof *s);
    r->bytes += size;
    r->segments[r->count++] = s;
    return s;
}

uint64_t ring_push(struct ring *r, int64_t wall_ms, enum ring_stream stream, unsigned flags,
                   const char *text, size_t len)
{
    size_t longest = r->max_bytes / 2;
    if (longest > UINT32_MAX / 2)
        longest = UINT32_MAX / 2;
    if (len > longest) {
        len = longest;
        flags |= LINE_OVERSIZE;
    }
    struct segment *s = r->count ? r->segments[r->count - 1] : NULL;
    if (!s || text_start(s, s->count) + len + (s->count + 1) * sizeof(struct head) > s->cap)
        s = add_segment(r, len);
    uint32_t start = text_start(s, s->count);
    if (len)
        memcpy(s->body + start, text, len);
    *head_at(s, s->count) = (struct head){ .wall_ms = wall_ms, .text_end = start + (uint32_t)len,
                                           .stream = (uint16_t)stream, .flags = (uint16_t)flags };
    s->count++;
    return r->next_seq++;
}

uint64_t ring_first_seq(const struct ring *r)
{
    return r->count ? r->segments[0]->first_seq : r->next_seq;
}

uint64_t ring_next_seq(const struct ring *r)
{
    return r->next_seq;
}

int ring_get(const struct ring *r, uint64_t seq, struct ring_line *ret_line)
{
    if (seq < ring_first_seq(r) || seq >= r->next_seq)
        return -1;
    size_t low = 0, high = r->count;   /* the segment is in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (r->segments[middle]->first_seq <= seq)
            low = middle;
        else
            high = middle;
    }
    const struct segment *s = r->segments[low];
    uint32_t i = (uint32_t)(seq - s->first_seq), start = text_start(s, i);
    const struct head *h = head_at(s, i);
    *ret_line = (struct ring_line){
        .seq = seq, .wall_ms = h->wall_ms, .stream = (enum ring_stream)h->stream,
        .flags = h->flags, .text = s->body + start, .len = h->text_end - start,
    };
    return 0;
}

size_t ring_bytes(const struct ring *r)
{
    return r->bytes;
}
