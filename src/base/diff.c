/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A unified diff for people. The common head and tail are stripped, the rest is a longest common
 * subsequence in a table: quadratic, but a change of ours touches a few lines; beyond a bound the
 * middle is shown as replaced. */
#include "base/diff.h"

#include <stdint.h>
#include <string.h>
#include "base/mem.h"

enum { TABLE_MAX = 4 * 1000 * 1000 };

struct line {
    const char *p;
    size_t n;           /* with its newline, if it has one */
};
struct lines_of {
    struct line *v;
    size_t n;
};

/* One line of the result. */
struct op {
    char kind;          /* ' ', '-' or '+' */
    struct line line;
};
struct ops {
    struct op *v;
    size_t n;
};

static struct lines_of split(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n' || i + 1 == len;
    struct lines_of l = {.v = xcalloc(n + 1, sizeof(*l.v))};
    for (size_t i = 0; i < len;) {
        const char *nl = memchr(text + i, '\n', len - i);
        size_t end = nl ? (size_t)(nl - text) + 1 : len;
        l.v[l.n++] = (struct line){text + i, end - i};
        i = end;
    }
    return l;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void add(struct ops *ops, char kind, struct line line)
{
    ops->v[ops->n++] = (struct op){kind, line};
}

/* The middle parts, which differ at both ends. */
static void compare(const struct line *a, size_t n, const struct line *b, size_t m, struct ops *ops)
{
    size_t i = 0, k = 0;
    if (n > 0 && m > 0 && (n + 1) * (m + 1) <= TABLE_MAX) {
        /* common[i][k]: how many lines a[i…] and b[k…] share in order */
        uint32_t *common = xcalloc((n + 1) * (m + 1), sizeof(*common));
        size_t w = m + 1;
        for (size_t x = n; x-- > 0;)
            for (size_t y = m; y-- > 0;) {
                uint32_t skip_a = common[(x + 1) * w + y], skip_b = common[x * w + y + 1];
                common[x * w + y] = same(&a[x], &b[y]) ? common[(x + 1) * w + y + 1] + 1
                                                       : skip_a > skip_b ? skip_a : skip_b;
            }
        while (i < n && k < m) {
            if (same(&a[i], &b[k])) {
                add(ops, ' ', a[i++]);
                k++;
            } else if (common[(i + 1) * w + k] >= common[i * w + k + 1]) {
                add(ops, '-', a[i++]);
            } else {
                add(ops, '+', b[k++]);
            }
        }
        free(common);
    }
    while (i < n)
        add(ops, '-', a[i++]);
    while (k < m)
        add(ops, '+', b[k++]);
}

static struct ops all_ops(const struct lines_of *a, const struct lines_of *b)
{
    struct ops ops = {.v = xcalloc(a->n + b->n + 1, sizeof(*ops.v))};
    size_t head = 0, tail = 0;
    while (head < a->n && head < b->n && same(&a->v[head], &b->v[head]))
        add(&ops, ' ', a->v[head++]);
    while (tail < a->n - head && tail < b->n - head &&
           same(&a->v[a->n - 1 - tail], &b->v[b->n - 1 - tail]))
        tail++;
    compare(a->v + head, a->n - head - tail, b->v + head, b->n - head - tail, &ops);
    for (size_t i = a->n - tail; i < a->n; i++)
        add(&ops, ' ', a->v[i]);
    return ops;
}

/* A unified diff counts from 1, but an empty side stands after line 0. */
static void add_range(struct buf *out, char mark, size_t start, size_t n)
{
    buf_printf(out, "%c%zu", mark, n ? start + 1 : start);
    if (n != 1)
        buf_printf(out, ",%zu", n);
}

static void print_hunk(const struct ops *ops, size_t from, size_t to, size_t a_line, size_t b_line,
                       struct buf *out)
{
    size_t a_n = 0, b_n = 0;
    for (size_t i = from; i < to; i++) {
        a_n += ops->v[i].kind != '+';
        b_n += ops->v[i].kind != '-';
    }
    buf_add_str(out, "@@ ");
    add_range(out, '-', a_line, a_n);
    buf_add_char(out, ' ');
    add_range(out, '+', b_line, b_n);
    buf_add_str(out, " @@\n");
    for (size_t i = from; i < to; i++) {
        const struct line *l = &ops->v[i].line;
        buf_add_char(out, ops->v[i].kind);
        buf_add(out, l->p, l->n);
        if (l->p[l->n - 1] != '\n')
            buf_add_str(out, "\n\\ No newline at end of file\n");
    }
}

static void print_hunks(const struct ops *ops, size_t lines_before, size_t context,
                        struct buf *out)
{
    size_t a_line = lines_before, b_line = lines_before, counted = 0;
    for (size_t i = 0; i < ops->n;) {
        if (ops->v[i].kind == ' ') {
            i++;
            continue;
        }
        size_t from = i > counted + context ? i - context : counted;
        size_t end = i;            /* after the last change of this hunk */
        for (size_t k = i; k < ops->n && k < end + 2 * context + 1; k++)
            if (ops->v[k].kind != ' ')
                end = k + 1;
        size_t to = end + context < ops->n ? end + context : ops->n;
        for (; counted < from; counted++) {
            a_line++;
            b_line++;
        }
        print_hunk(ops, from, to, a_line, b_line, out);
        for (; counted < to; counted++) {
            a_line += ops->v[counted].kind != '+';
            b_line += ops->v[counted].kind != '-';
        }
        i = to;
    }
}

void diff_part(const char *a, size_t a_len, const char *b, size_t b_len, size_t lines_before,
               int context, struct buf *out)
{
    struct lines_of x = split(a, a_len), y = split(b, b_len);
    struct ops ops = all_ops(&x, &y);
    print_hunks(&ops, lines_before, context > 0 ? (size_t)context : 0, out);
    free(ops.v);
    free(x.v);
    free(y.v);
}

void diff_text(const char *a, size_t a_len, const char *b, size_t b_len, int context,
               struct buf *out)
{
    diff_part(a, a_len, b, b_len, 0, context, out);
}

enum { BLOCK = 4096 };               /* memcmp is many times faster than a loop over bytes */

size_t diff_common_head(const char *a, const char *b, size_t n)
{
    size_t same = 0;
    while (n - same >= BLOCK && memcmp(a + same, b + same, BLOCK) == 0)
        same += BLOCK;
    while (same < n && a[same] == b[same])
        same++;
    return same;
}

size_t diff_common_tail(const char *a_end, const char *b_end, size_t n)
{
    size_t same = 0;
    while (n - same >= BLOCK && memcmp(a_end - same - BLOCK, b_end - same - BLOCK, BLOCK) == 0)
        same += BLOCK;
    while (same < n && a_end[-1 - (ptrdiff_t)same] == b_end[-1 - (ptrdiff_t)same])
        same++;
    return same;
}
