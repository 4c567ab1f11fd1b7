/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Foreign text made harmless, and its width. Everything shown that we did not write goes through
 * here.
 *
 * text_clean() turns one line of arbitrary bytes into spans of printable UTF-8 with attributes:
 *   - SGR colours and attributes are kept (16 colours, the nearest of others; at most 4096 changes
 *     a line; reset at the line's end); blink, conceal and strike are ignored. Every other CSI,
 *     OSC, DCS, APC, PM, SOS, escape and C1 is dropped. One that does not end within the line loses
 *     its introducer only: nothing can hide.
 *   - a bare '\r' keeps only what follows the last one and sets had_cr; that of "\r\n" goes; tabs
 *     expand to 8.
 *   - invalid UTF-8 becomes U+FFFD.
 *   - bidi controls, zero-width, tag and other characters without a picture become a dim "<202E>",
 *     combining marks too where there is nothing to combine with; more than 8 on one character are
 *     dropped. A variation selector (FE0E, FE0F) is left out: terminals disagree about the width of
 *     what it selects.
 *   - other control characters become a dim "^X".
 * What was dropped is counted. */
#ifndef MCPTOP_BASE_TEXT_H
#define MCPTOP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

enum {
    TEXT_BOLD = 1, TEXT_DIM = 2, TEXT_ITALIC = 4, TEXT_UNDERLINE = 8, TEXT_REVERSE = 16,
    TEXT_MARK = 32,   /* our own escape ("<202E>", "^G"): show it dim */
};
struct text_span {
    size_t start, len;       /* bytes in text_line.bytes */
    uint16_t attr;
    int16_t fg, bg;          /* 0-15, or -1 for the terminal's own */
};
struct text_line {
    struct buf bytes;        /* printable UTF-8 */
    struct text_span *spans; /* owned; cover bytes completely, in order */
    size_t count, cap;
    unsigned dropped;        /* escape sequences and bytes that were dropped */
    bool had_cr;
};
#define TEXT_LINE_INIT ((struct text_line){0})

void text_clean(struct text_line *out, const char *p, size_t n);   /* out is reset first */
void text_line_fini(struct text_line *l);
/* The same without attributes, for JSON and plain output: appended to out. */
void text_clean_plain(struct buf *out, const char *p, size_t n);

/* Whether a code point has no picture, or turns the order of others (zero-width, bidi, tags,
 * variation selectors …): what can make a text look like another. */
bool text_is_deceptive(uint32_t cp);
/* Appends a text of several lines with nothing hidden in it: what is deceptive, and every control
 * character but the newline, as \u{202E}. For JSON text: its escapes \u001b too. */
void text_reveal(struct buf *out, const char *p, size_t n);

/* Decodes one code point at p (n > 0 bytes left); returns its length in bytes, *ret_cp = 0xFFFD if
 * invalid. */
size_t text_decode(const char *p, size_t n, uint32_t *ret_cp);
/* Length of the valid sequence at p (n > 0), 0 when it is invalid: tells a real U+FFFD from a
 * replacement. */
size_t text_seq_len(const char *p, size_t n);
bool text_is_utf8(const char *p, size_t n);
/* How many bytes at p are ASCII from the space up, other than '"' and '\\': what JSON copies as it
 * is. */
size_t text_plain_run(const char *p, size_t n);
int text_cp_width(uint32_t cp);                             /* columns: 0, 1 or 2; own table */
int text_width(const char *p, size_t n);                    /* columns of clean text */
/* How many bytes of clean text fit in `columns`; *ret_width (may be NULL) = columns used. Never
 * cuts a cluster (a character with its marks, a flag). */
size_t text_fit(const char *p, size_t n, int columns, int *ret_width);

/* "512M" "1.9G" "81M" "640K" "17B": four columns at most below 1000 E. out n >= 8. Base 1024,
 * Docker's letters. */
char *text_size(int64_t bytes, char *out, size_t n);
/* "512m" "1g" "1.5g" "1048576" "64kb" "2 GiB" → bytes; -1 when it is none. Docker's syntax. */
int64_t text_parse_size(const char *s);

#endif
