/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said once, in the place of the key bar. It goes by itself, with the next key, and soon
 * after the server it is about has come to another state: then it is not true any more. */
#include "view.h"

#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum { TOAST_MS = 4000, TOAST_BAD_MS = 8000, TOAST_READ_MS = 1500 };

void toast_drop(struct view *v)
{
    free(v->toast.text);
    free(v->toast.server);
    v->toast = (struct toast){0};
}

__attribute__((format(printf, 3, 0)))
static void say(struct view *v, bool bad, const char *fmt, va_list ap)
{
    AUTO_BUF struct buf raw = BUF_INIT;
    struct buf clean = BUF_INIT;

    buf_vprintf(&raw, fmt, ap);
    text_clean_plain(&clean, buf_str(&raw), raw.len);
    toast_drop(v);
    v->toast = (struct toast){.text = buf_take(&clean), .bad = bad, .since_ms = clock_wall_ms()};
    v->toast.until_ms = v->toast.since_ms + (bad ? TOAST_BAD_MS : TOAST_MS);
}

void view_toast(struct view *v, bool bad, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(v, bad, fmt, ap);
    va_end(ap);
}

void view_toast_of(struct view *v, const struct feed_server *s, bool bad, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(v, bad, fmt, ap);
    va_end(ap);
    if (!s)
        return;
    v->toast.server = xstrdup(s->name);
    v->toast.state_since_ms = s->since_ms;
}

void toast_settle(struct view *v)
{
    struct toast *t = &v->toast;
    const struct feed_server *s = t->server ? feed_find(&v->feed, t->server) : NULL;

    if (!t->server || (s && (s->since_ms == t->state_since_ms || feed_is_starting(s))))
        return;
    if (t->until_ms > t->since_ms + TOAST_READ_MS)
        t->until_ms = t->since_ms + TOAST_READ_MS;
}

void toast_expire(struct view *v)
{
    if (v->toast.text && clock_wall_ms() >= v->toast.until_ms)
        toast_drop(v);
}
