/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors as values. A fault lives on the caller's stack and owns nothing, so it cannot leak.
 *
 *   int f(..., struct fault *f)   returns 0, or -1 with *f set. f may be NULL (nobody wants to
 *   know).
 *
 * Success leaves *f untouched. The text is one sentence for a user: what, where, why, what to do. A
 * text that is too long is cut at a character and marked with an ellipsis; the cause survives.
 * errno is left alone. Arguments may point into f->text. */
#ifndef MCPTOP_BASE_FAULT_H
#define MCPTOP_BASE_FAULT_H

#include <stdbool.h>

struct fault {
    int code;       /* an errno value, or one of enum fault_code; 0 = no fault */
    char text[800];
};

/* Causes that errno has no word for; all above any errno. */
enum fault_code {
    FAULT_INVALID = 1000,  /* input that breaks its format */
    FAULT_CONFIG,          /* the user's configuration */
    FAULT_HTTP,            /* an HTTP peer answered with an error status */
    FAULT_ENGINE_DOWN,     /* no container engine answers */
    FAULT_NOT_FOUND,
    FAULT_CONFLICT,        /* the object is not in a state that allows it */
    FAULT_TIMEOUT,
    FAULT_TOO_BIG,
    FAULT_DENIED,
    FAULT_UNSUPPORTED,
    FAULT_CANCELLED,       /* the user wants it no more */
};

#define FAULT_NONE ((struct fault){0})

/* Sets code and text; for an errno code ": " and its strerror text are appended. Always -1. */
int fault_set(struct fault *f, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "CONTEXT: " before the text. Always -1. */
int fault_wrap(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Moves a fault up; either may be NULL. Always -1. */
int fault_copy(struct fault *to, const struct fault *from);

#endif
