/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation that cannot fail: out of memory ends the process with a line on stderr (the warden
 * starts it again; carrying on half-allocated would be worse). Also the cleanup attributes that
 * bind an object to its scope. */
#ifndef MCPTOP_BASE_MEM_H
#define MCPTOP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t n) __attribute__((malloc));
void *xcalloc(size_t count, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t n);
/* NULL in, NULL out. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void mem_free_ptr(void *pp);   /* for AUTO_FREE */
void mem_close_fd(int *fd);    /* for AUTO_CLOSE; keeps errno */
#define AUTO_FREE __attribute__((cleanup(mem_free_ptr)))
#define AUTO_CLOSE __attribute__((cleanup(mem_close_fd)))
/* Hands a pointer over: the variable that a cleanup attribute watches becomes NULL. */
#define TAKE(p) ({ __typeof__(p) take_ = (p); (p) = NULL; take_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))
/* The object that embeds `member` at address p. */
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#endif
