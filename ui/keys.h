/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of keys. The dispatcher, the key bar, the help screen and the man page read it, so
 * none of them can name a key that does not work. Key codes are ours; screen.c translates the
 * terminal's. */
#ifndef MCPTOP_UI_KEYS_H
#define MCPTOP_UI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* Characters are their code point, controls their byte; the rest stands above Unicode. */
enum key {
    K_TAB = 9, K_ENTER = 13, K_ESC = 27,
    K_UP = 0x110000, K_DOWN, K_LEFT, K_RIGHT, K_HOME, K_END, K_PGUP, K_PGDN, K_BACKTAB,
    K_BACKSPACE, K_DELETE, K_F1,
    K_NONE
};
#define K_CTRL(c) ((c) & 31)

enum request {
    REQ_NONE,
    REQ_UP, REQ_DOWN, REQ_TOP, REQ_BOTTOM, REQ_PAGE_UP, REQ_PAGE_DOWN, REQ_HALF_UP, REQ_HALF_DOWN,
    REQ_LEFT, REQ_RIGHT,
    REQ_NEXT_PANE, REQ_PREV_PANE, REQ_SERVERS, REQ_CONTAINERS, REQ_RESOURCES, REQ_EVENTS,
    REQ_TRAFFIC, REQ_CALLS, REQ_FINDINGS,
    REQ_ENTER, REQ_BACK, REQ_ZOOM,
    REQ_RESTART, REQ_STOP, REQ_START, REQ_KILL, REQ_ISOLATE, REQ_LIMITS, REQ_FIX, REQ_UNDO,
    REQ_APPROVE, REQ_REMOVE,
    REQ_MARK, REQ_UNMARK, REQ_COPY_COMMAND, REQ_REPLAY, REQ_REPLAY_TEST,
    REQ_SEARCH, REQ_NEXT_MATCH, REQ_PREV_MATCH, REQ_FILTER_LOG, REQ_FOLLOW, REQ_WRAP, REQ_TIMES,
    REQ_MARK_LINE, REQ_ALL_LOGS,
    REQ_COPY, REQ_WRITE,
    REQ_SORT_PREV, REQ_SORT_NEXT, REQ_INVERT, REQ_SORT_CPU, REQ_SORT_MEMORY,
    REQ_COMMAND, REQ_HELP, REQ_REDRAW, REQ_QUIT,
    REQ_COUNT
};

/* Where a binding applies: the pane that has the keys. */
enum {
    IN_SERVERS = 1, IN_CONTAINERS = 2, IN_RESOURCES = 4, IN_EVENTS = 8, IN_TRAFFIC = 16,
    IN_LOG = 32, IN_DETAIL = 64,
    IN_HELP = 128, IN_CALLS = 256, IN_CALL = 512, IN_FINDINGS = 1024,
    IN_SERVER_LISTS = IN_SERVERS | IN_RESOURCES | IN_TRAFFIC,
    IN_LISTS = IN_SERVER_LISTS | IN_CONTAINERS | IN_EVENTS | IN_CALLS | IN_FINDINGS,
    /* a server is selected */
    IN_SERVER = IN_SERVER_LISTS | IN_CONTAINERS | IN_LOG | IN_DETAIL | IN_FINDINGS,
    IN_ALL = 2047
};

struct binding {
    enum request req;
    int keys[3];            /* 0-terminated unless full */
    unsigned where;         /* IN_* */
    bool changes;           /* refused with --readonly */
    /* place in the key bar, 0 = not in it; low ones stay when it is narrow */
    int bar;
    const char *group;      /* heading on the help screen */
    const char *label;      /* in the key bar */
    const char *help;       /* one line */
};

const struct binding *keys_table(size_t *ret_n);
const struct binding *keys_find(int key, unsigned where);        /* NULL: bound to nothing here */
const struct binding *keys_of(enum request req);                 /* its first binding */
/* "j", "Enter", "^L", "PgUp". n >= 8. Returns out. */
char *keys_name(int key, char *out, size_t n);
/* All keys of a binding: "j Down". Returns out. */
char *keys_names(const struct binding *b, char *out, size_t n);

#endif
