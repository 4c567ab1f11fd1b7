/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors as values: formatting and wrapping. A text that does not fit is cut where it is least
 * missed: the cause (errno's words) always survives, and no cut falls inside a UTF-8 sequence.
 * Never logs. */
#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* Shortens s to at most max bytes, with an ellipsis in the place of what went. */
static size_t cut(char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    size_t keep = max > sizeof ELLIPSIS - 1 ? max - (sizeof ELLIPSIS - 1) : 0;
    while (keep && ((unsigned char)s[keep] & 0xC0) == 0x80)
        keep--;
    strcpy(s + keep, ELLIPSIS);
    return keep + sizeof ELLIPSIS - 1;
}

/* Into a buffer beside the fault: the arguments may point into its text. Leaves room to mark a
 * cut. */
__attribute__((format(printf, 3, 0)))
static size_t format(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n < 0) {
        out[0] = '\0';
        return 0;
    }
    return (size_t)n < size ? (size_t)n : size - 1;
}

int fault_set(struct fault *f, int code, const char *fmt, ...)
{
    if (!f)
        return -1;
    int saved = errno;
    char text[sizeof f->text + 8];
    va_list ap;
    va_start(ap, fmt);
    size_t len = format(text, sizeof text, fmt, ap);
    va_end(ap);

    const char *cause = code > 0 && code < FAULT_INVALID ? strerror(code) : NULL;
    size_t room = sizeof f->text - 1;
    if (cause) {
        size_t need = strlen(cause) + 2;
        len = cut(text, len, room > need ? room - need : 0);
        memcpy(f->text, text, len);
        snprintf(f->text + len, sizeof f->text - len, ": %s", cause);
    } else {
        len = cut(text, len, room);
        memcpy(f->text, text, len);
        f->text[len] = '\0';
    }
    f->code = code;
    errno = saved;
    return -1;
}

int fault_wrap(struct fault *f, const char *fmt, ...)
{
    if (!f)
        return -1;
    int saved = errno;
    char context[sizeof f->text + 8];
    va_list ap;
    va_start(ap, fmt);
    size_t len = format(context, sizeof context, fmt, ap);
    va_end(ap);

    /* The inner text says the cause: the context gives way first, but never below half of the
     * room. */
    size_t room = sizeof f->text - 1, inner = strlen(f->text);
    size_t max = room > inner + 2 ? room - inner - 2 : 0;
    len = cut(context, len, max > room / 2 ? max : room / 2);
    inner = cut(f->text, inner, room - len - 2);
    memmove(f->text + len + 2, f->text, inner + 1);
    memcpy(f->text, context, len);
    memcpy(f->text + len, ": ", 2);
    errno = saved;
    return -1;
}

int fault_copy(struct fault *to, const struct fault *from)
{
    if (to && from && to != from)
        *to = *from;
    return -1;
}
