/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The binding table. Never bound: ^S ^Q ^Z ^C ^\ (the terminal's), ^A ^B (tmux's and screen's),
 * Backspace and Delete, Alt as the only way; and no destructive key differs from a harmless one by
 * Ctrl alone. */
#include "keys.h"

#include <stdio.h>
#include <string.h>

static const char MOVE[] = "Move", PANES[] = "Panes", ACT[] = "Servers";
static const char LOGS[] = "Log", SORT[] = "Lists", PROGRAM[] = "Program";

static const struct binding table[] = {
    {REQ_UP, {'k', K_UP}, IN_ALL, 0, 0, MOVE, "up", "one up"},
    {REQ_DOWN, {'j', K_DOWN}, IN_ALL, 0, 0, MOVE, "down", "one down"},
    {REQ_TOP, {'g', K_HOME}, IN_ALL, 0, 0, MOVE, "top",
     "to the first; in the log to the oldest line"},
    {REQ_BOTTOM, {'G', K_END}, IN_ALL, 0, 0, MOVE, "end", "to the last; in the log: follow again"},
    {REQ_PAGE_UP, {K_PGUP}, IN_ALL, 0, 0, MOVE, "page up", "a page up"},
    {REQ_PAGE_DOWN, {K_PGDN}, IN_ALL, 0, 0, MOVE, "page down", "a page down"},
    {REQ_HALF_UP, {K_CTRL('U')}, IN_ALL, 0, 0, MOVE, "half up", "half a page up"},
    {REQ_HALF_DOWN, {K_CTRL('D')}, IN_ALL, 0, 0, MOVE, "half down", "half a page down"},
    {REQ_LEFT, {K_LEFT}, IN_LOG, 0, 0, MOVE, "left", "long log lines: to the left"},
    {REQ_RIGHT, {K_RIGHT}, IN_LOG, 0, 0, MOVE, "right", "long log lines: to the right"},

    {REQ_NEXT_PANE, {K_TAB}, IN_ALL, 0, 11, PANES, "pane", "keys to the next pane: list, log"},
    {REQ_PREV_PANE, {K_BACKTAB}, IN_ALL, 0, 0, PANES, "pane", "keys to the previous pane"},
    {REQ_SERVERS, {'1'}, IN_ALL, 0, 0, PANES, "servers", "servers"},
    {REQ_CONTAINERS, {'2'}, IN_ALL, 0, 0, PANES, "containers",
     "containers of mcptop, orphans marked"},
    {REQ_RESOURCES, {'3'}, IN_ALL, 0, 0, PANES, "resources", "CPU and memory against their limits"},
    {REQ_EVENTS, {'4'}, IN_ALL, 0, 0, PANES, "events", "events of the engine and the supervisor"},
    {REQ_TRAFFIC, {'5'}, IN_ALL & ~IN_TRAFFIC, 0, 0, PANES, "traffic",
     "traffic by server: calls, latency, errors, in flight"},
    {REQ_CALLS, {'5'}, IN_TRAFFIC, 0, 3, PANES, "calls",
     "… and from there every call, in flight and past"},
    {REQ_FINDINGS, {'!'}, IN_ALL, 0, 8, PANES, "findings",
     "what is wrong, the worst first: its evidence, and its repair"},
    {REQ_ENTER, {K_ENTER}, IN_SERVER_LISTS | IN_CONTAINERS | IN_LOG | IN_FINDINGS, 0, 2, PANES,
     "details", "details of the server"},
    {REQ_ENTER, {K_ENTER}, IN_CALLS, 0, 2, PANES,
     "open", "a call with its texts, where they are recorded"},
    {REQ_BACK, {K_ESC}, IN_ALL, 0, 0, PANES, "back", "back; clears a filter or a search"},
    {REQ_ZOOM, {'z'}, IN_ALL, 0, 13, PANES, "zoom", "the pane alone on the screen, and back"},

    {REQ_RESTART, {'r'}, IN_SERVER, 1, 6, ACT, "restart",
     "restart now (skips the wait before a retry)"},
    {REQ_STOP, {'s'}, IN_SERVER, 1, 7, ACT, "stop", "stop (asks)"},
    {REQ_START, {'S'}, IN_SERVER, 1, 8, ACT, "start", "start"},
    {REQ_ISOLATE, {'x'}, IN_SERVER, 1, 4, ACT, "isolate",
     "isolation on or off: shows what changes, then asks"},
    {REQ_LIMITS, {'L'}, IN_SERVER, 1, 5, ACT,
     "limits", "limits: memory, cpus, pids, network; with a suggestion"},
    {REQ_FIX, {'F'}, IN_SERVER, 1, 3, ACT, "fix",
     "repair what is wrong: shows it and asks; F again: another way"},
    {REQ_UNDO, {'u'}, IN_SERVER, 1, 14, ACT, "undo",
     "take back the last isolation or limit change (asks)"},
    {REQ_APPROVE, {'A'}, IN_SERVER, 1, 3, ACT, "approve tools",
     "tools that are not as first seen: shows what changed, and asks"},
    {REQ_KILL, {'K'}, IN_SERVER, 1, 15, ACT, "kill", "kill hard, without a goodbye (asks)"},
    {REQ_COPY_COMMAND, {'c'}, IN_SERVER, 0, 16, ACT, "copy command",
     "copy the command line that equals this server"},
    {REQ_REMOVE, {'d'}, IN_CONTAINERS, 1, 3, ACT, "remove", "remove an orphan container (asks)"},
    {REQ_REPLAY, {'R'}, IN_CALLS | IN_CALL, 1, 3, ACT, "send again",
     "send a recorded call again, and compare the answers (asks)"},
    {REQ_REPLAY_TEST, {'T'}, IN_CALLS | IN_CALL, 1, 4, ACT, "to a test start",
     "the same to a start apart from the running server (asks)"},
    {REQ_MARK, {' '}, IN_SERVER_LISTS, 0, 17, ACT, "mark",
     "mark the row; actions then apply to all marked"},
    {REQ_UNMARK, {'U'}, IN_SERVER_LISTS, 0, 0, ACT, "unmark", "unmark all"},

    {REQ_FOLLOW, {'f'}, IN_ALL & ~IN_HELP, 0, 9, LOGS, "follow",
     "follow on or off; scrolling up pauses"},
    {REQ_SEARCH, {'/'}, IN_ALL & ~(IN_HELP | IN_DETAIL | IN_CALL), 0, 10, LOGS, "search",
     "search in the log; filter in a list"},
    {REQ_NEXT_MATCH, {'n'}, IN_ALL & ~IN_HELP, 0, 0, LOGS, "next", "next match, newer"},
    {REQ_PREV_MATCH, {'N'}, IN_ALL & ~IN_HELP, 0, 0, LOGS, "previous", "previous match, older"},
    {REQ_FILTER_LOG, {'&'}, IN_ALL & ~IN_HELP, 0, 18, LOGS, "filter log",
     "show only the log lines that contain this"},
    {REQ_ALL_LOGS, {'a'}, IN_ALL & ~IN_HELP, 0, 19, LOGS, "all logs",
     "the log of every server, or of the selected one"},
    {REQ_WRAP, {'w'}, IN_ALL & ~IN_HELP, 0, 20, LOGS, "wrap", "wrap long lines"},
    {REQ_TIMES, {'t'}, IN_ALL & ~IN_HELP, 0, 0, LOGS, "times", "time of each line"},
    {REQ_MARK_LINE, {'M'}, IN_ALL & ~IN_HELP, 0, 0, LOGS, "mark line",
     "put a mark line into the log"},
    {REQ_COPY, {'y'}, IN_ALL & ~IN_HELP, 0, 21, LOGS, "copy",
     "copy the visible log lines to the clipboard (OSC 52)"},
    {REQ_WRITE, {'W'}, IN_ALL & ~IN_HELP, 0, 22, LOGS, "write",
     "write the log that is held here to a file"},

    {REQ_SORT_PREV, {'<'}, IN_SERVER_LISTS, 0, 0, SORT, "sort", "sort by the column before"},
    {REQ_SORT_NEXT, {'>'}, IN_SERVER_LISTS, 0, 0, SORT, "sort", "sort by the next column"},
    {REQ_INVERT, {'I'}, IN_SERVER_LISTS, 0, 0, SORT, "invert", "invert the order"},
    {REQ_SORT_CPU, {'P'}, IN_SERVER_LISTS, 0, 0, SORT, "by CPU", "sort by CPU"},
    {REQ_SORT_MEMORY, {'m'}, IN_SERVER_LISTS, 0, 0, SORT, "by memory", "sort by memory"},

    {REQ_HELP, {'?', K_F1}, IN_ALL, 0, 1, PROGRAM, "help", "this help"},
    {REQ_COMMAND, {':'}, IN_ALL, 0, 12, PROGRAM, "command",
     "commands: restart NAME, set NAME memory=1g, shutdown, theme …"},
    {REQ_REDRAW, {K_CTRL('L')}, IN_ALL, 0, 0, PROGRAM, "redraw", "draw the screen anew"},
    {REQ_QUIT, {'q'}, IN_ALL, 0, 2, PROGRAM, "leave",
     "leave; the servers keep running (:shutdown stops them)"},
};

const struct binding *keys_table(size_t *ret_n)
{
    *ret_n = sizeof(table) / sizeof(*table);
    return table;
}

static bool has_key(const struct binding *b, int key)
{
    for (int i = 0; i < 3 && b->keys[i]; i++)
        if (b->keys[i] == key)
            return true;
    return false;
}

const struct binding *keys_find(int key, unsigned where)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if ((table[i].where & where) && has_key(&table[i], key))
            return &table[i];
    return NULL;
}

const struct binding *keys_of(enum request req)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (table[i].req == req)
            return &table[i];
    return NULL;
}

char *keys_name(int key, char *out, size_t n)
{
    static const struct { int key; const char *name; } names[] = {
        {K_TAB, "Tab"}, {K_ENTER, "Enter"}, {K_ESC, "Esc"}, {K_UP, "Up"}, {K_DOWN, "Down"},
        {K_LEFT, "Left"},
        {K_RIGHT, "Right"}, {K_HOME, "Home"}, {K_END, "End"}, {K_PGUP, "PgUp"}, {K_PGDN, "PgDn"},
        {K_BACKTAB, "S-Tab"},
        {K_BACKSPACE, "BS"}, {K_DELETE, "Del"}, {K_F1, "F1"}, {' ', "Space"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].key == key) {
            snprintf(out, n, "%s", names[i].name);
            return out;
        }
    if (key < 32)
        snprintf(out, n, "^%c", key + 64);
    else
        snprintf(out, n, "%c", key < 127 ? key : '?');
    return out;
}

char *keys_names(const struct binding *b, char *out, size_t n)
{
    size_t used = 0;

    *out = '\0';
    for (int i = 0; i < 3 && b->keys[i] && used < n; i++) {
        char name[8];
        used += (size_t)snprintf(out + used, n - used, "%s%s", i ? " " : "",
                                 keys_name(b->keys[i], name, sizeof(name)));
    }
    return out;
}
