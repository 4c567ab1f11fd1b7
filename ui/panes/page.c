/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of label and text, and those of a finding, which stand on two screens. */
#include "panes/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/text.h"
#include "panes/pane.h"

int page_y(const struct page *p)
{
    int y = p->r.y + p->row - p->scroll;

    return p->c && y >= p->r.y && y < p->r.y + p->r.h ? y : -1;
}

void page_label(struct page *p, const char *label)
{
    if (page_y(p) >= 0)
        canvas_put(p->c, p->r.x + 1, page_y(p), PAGE_LABEL_W, ST_DIM, label);
}

void page_field(struct page *p, const char *label, enum style st, const char *text)
{
    int columns = p->r.w - PAGE_LABEL_W - 2;
    size_t left = strlen(text);

    if (!left || columns < 4)
        return;
    page_label(p, label);
    while (left) {
        int used;
        size_t n = text_fit(text, left, columns, &used), cut = n;
        while (n < left && cut > 0 && text[cut - 1] != ' ')
            cut--;
        if (n < left && cut > 0)
            n = cut;
        if (!n)
            break;
        if (page_y(p) >= 0) {
            char line[2048];
            snprintf(line, sizeof(line), "%.*s", (int)n, text);
            canvas_put(p->c, p->r.x + 1 + PAGE_LABEL_W, page_y(p), columns, st, line);
        }
        p->row++;
        text += n;
        left -= n;
    }
}

void page_fieldf(struct page *p, const char *label, enum style st, const char *fmt, ...)
{
    AUTO_BUF struct buf b = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    page_field(p, label, st, buf_str(&b));
}

void page_finding(struct page *p, const struct feed_finding *f, bool brief)
{
    const char *label = "known by";
    char when[16];

    if (f->times > 1)
        page_fieldf(p, "", ST_NORMAL, "%d times since %s", f->times,
                    pane_ago(f->since_ms, when, sizeof(when)));
    for (size_t i = 0; !brief && i < f->evidence_count; i++) {
        const struct feed_evidence *e = &f->evidence[i];
        if (e->seq <= 0 && strstr(f->message, e->text))
            continue;                /* the message says it word for word */
        if (e->seq > 0)
            page_fieldf(p, label, ST_NORMAL, "%s, line %lld: %s", e->what, (long long)e->seq,
                        e->text);
        else
            page_fieldf(p, label, ST_NORMAL, "%s: %s", e->what, e->text);
        label = "";
    }
    for (size_t i = 0; i < f->fix_count; i++)
        page_field(p, i ? "" : "F fix", ST_ACCENT, f->fixes[i].title);
    page_field(p, "to do", ST_NORMAL, f->steps);
}
