/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line editor of prompts and fields. Knows keys and the canvas only. */
#include "lineedit.h"

#include <stdio.h>
#include <string.h>
#include "keys.h"

void lineedit_set(struct lineedit *e, const char *text)
{
    snprintf(e->text, LINEEDIT_MAX, "%s", text);
    e->len = e->at = (int)strlen(e->text);
    e->whole = false;
}

void lineedit_enter(struct lineedit *e)
{
    e->at = e->len;
    e->whole = true;
}

static void erase(struct lineedit *e, int from, int to)
{
    memmove(e->text + from, e->text + to, (size_t)(e->len - to) + 1);
    e->len -= to - from;
    e->at = from;
}

static int before(const struct lineedit *e, int at)
{
    do
        at--;
    while (at > 0 && ((unsigned char)e->text[at] & 0xc0) == 0x80);
    return at;
}

static int after(const struct lineedit *e, int at)
{
    do
        at++;
    while (at < e->len && ((unsigned char)e->text[at] & 0xc0) == 0x80);
    return at;
}

static int word_before(const struct lineedit *e)
{
    int at = e->at;

    while (at > 0 && e->text[at - 1] == ' ')
        at--;
    while (at > 0 && e->text[at - 1] != ' ')
        at--;
    return at;
}

static void insert(struct lineedit *e, int cp)
{
    char bytes[4];
    int n = 0;

    if (cp < 0x80) {
        bytes[n++] = (char)cp;
    } else {
        if (cp >= 0x10000)
            bytes[n++] = (char)(0xf0 | cp >> 18);
        if (cp >= 0x800)
            bytes[n++] = (char)(cp >= 0x10000 ? 0x80 | (cp >> 12 & 63) : 0xe0 | cp >> 12);
        bytes[n++] = (char)(cp >= 0x800 ? 0x80 | (cp >> 6 & 63) : 0xc0 | cp >> 6);
        bytes[n++] = (char)(0x80 | (cp & 63));
    }
    if (e->len + n >= LINEEDIT_MAX)
        return;
    memmove(e->text + e->at + n, e->text + e->at, (size_t)(e->len - e->at) + 1);
    memcpy(e->text + e->at, bytes, (size_t)n);
    e->len += n;
    e->at += n;
}

static bool edit(struct lineedit *e, int key)
{
    switch (key) {
    case K_LEFT: e->at = e->at > 0 ? before(e, e->at) : 0; return true;
    case K_RIGHT: e->at = e->at < e->len ? after(e, e->at) : e->len; return true;
    case K_HOME: e->at = 0; return true;
    case K_END: case K_CTRL('E'): e->at = e->len; return true;
    case K_CTRL('U'): erase(e, 0, e->at); return true;
    case K_CTRL('K'): e->text[e->len = e->at] = '\0'; return true;
    case K_CTRL('W'): erase(e, word_before(e), e->at); return true;
    case K_BACKSPACE:
        if (e->at > 0)
            erase(e, before(e, e->at), e->at);
        return true;
    case K_DELETE:
        if (e->at < e->len)
            erase(e, e->at, after(e, e->at));
        return true;
    default:
        if (key < 32 || key >= K_UP || key == 127 ||
            (key >= 0x80 && text_cp_width((uint32_t)key) < 1))
            return false;
        if (e->whole)
            erase(e, 0, e->len);
        insert(e, key);
        return true;
    }
}

bool lineedit_key(struct lineedit *e, int key)
{
    if (!edit(e, key))
        return false;
    e->whole = false;
    return true;
}

void lineedit_draw(const struct lineedit *e, struct canvas *c, int x, int y, int w, enum style st)
{
    int from = 0;

    canvas_fill(c, (struct rect){x, y, w, 1}, ' ', st);
    while (from < e->at && text_width(e->text + from, (size_t)(e->at - from)) >= w)
        from = after(e, from);
    canvas_put(c, x, y, w, st, e->text + from);
    c->cursor_x = x + text_width(e->text + from, (size_t)(e->at - from));
    c->cursor_y = y;
}
