/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation that ends the process instead of failing. The message goes out by write(2): stdio
 * might allocate. Knows nothing of the log, because the log allocates. */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void out_of_memory(void) __attribute__((noreturn));

static void out_of_memory(void)
{
    static const char text[] = "mcptop: out of memory\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        /* Nobody left to tell. */
    }
    abort();
}

/* malloc(0) may answer NULL, which would look like a failure: one byte is asked for instead. */
void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p)
        out_of_memory();
    return p;
}

/* glibc's calloc passes by the thread's cache of freed blocks, so small ones are cleared here. */
void *xcalloc(size_t count, size_t size)
{
    enum { SMALL = 1024 };
    if (count == 1 && size <= SMALL)
        return memset(xmalloc(size), 0, size);
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory();
    return q;
}

char *xstrdup(const char *s)
{
    return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    if (!s)
        return NULL;
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    return s;
}

void mem_free_ptr(void *pp)
{
    void *p;
    memcpy(&p, pp, sizeof p);
    free(p);
}

void mem_close_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}
