/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Only spaces between words are touched, so whatever is mistaken about the words is a matter of
 * looks. */
#include "cli/shell_layout.h"

#include <stdbool.h>
#include <string.h>
#include "base/mem.h"

static const char indent[] = "    ";

/* The end of the word at p: quotes and what a backslash protects belong to it. */
static const char *word_end(const char *p)
{
    char quote = '\0';
    for (; *p && (quote || *p != ' '); p++) {
        if (*p == '\\' && quote != '\'' && p[1])
            p++;
        else if (quote ? *p == quote : *p == '\'' || *p == '"')
            quote = quote ? '\0' : *p;
    }
    return p;
}

static bool is_word(const char *word, size_t n, const char *text)
{
    return n == strlen(text) && memcmp(word, text, n) == 0;
}

/* Options of docker run that stand alone where mcptop writes them; others have their value behind
 * a = or as the next word. */
static bool takes_value(const char *word, size_t n)
{
    static const char *const switches[] = { "-i", "-t", "-it", "--rm", "--init", "--privileged",
                                            "--read-only" };
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (is_word(word, n, switches[i]))
            return false;
    return !memchr(word, '=', n);
}

/* HEAD: up to `env -i`, `docker run -i --rm`. OWN: their options and assignments. COMMAND: what
 * they run. */
enum place { HEAD, OWN, COMMAND };

struct layout {
    struct buf *out;
    size_t width, column;
    enum place place;
    bool value;                  /* the next word belongs to the option before */
    bool env;                    /* the word before was env */
};

static void put(struct layout *l, const char *word, size_t n, bool broken)
{
    bool full = l->column + 1 + n + sizeof " \\" - 1 > l->width;
    if (l->column && (broken || (full && l->column > sizeof indent - 1))) {
        buf_add_str(l->out, " \\\n");
        buf_add_str(l->out, indent);
        l->column = sizeof indent - 1;
    } else if (l->column) {
        buf_add_char(l->out, ' ');
        l->column++;
    }
    buf_add(l->out, word, n);
    const char *newline = memrchr(word, '\n', n);
    l->column = newline ? (size_t)(word + n - newline) - 1 : l->column + n;
}

static void lay_word(struct layout *l, const char *word, size_t n)
{
    bool option = *word == '-', own = option || memchr(word, '=', n), value = l->value;
    l->value = false;
    if (l->place == OWN && value) {
        put(l, word, n, false);
    } else if (l->place == OWN && own) {
        put(l, word, n, true);
        l->value = option && takes_value(word, n);
    } else if (l->place == OWN) {
        put(l, word, n, true);
        l->place = COMMAND;
    } else {
        put(l, word, n, false);
        if (l->place == HEAD && ((l->env && is_word(word, n, "-i")) || is_word(word, n, "--rm")))
            l->place = OWN;
        l->env = is_word(word, n, "env");
    }
}

void shell_layout(const char *line, size_t width, struct buf *out)
{
    struct layout l = { .out = out, .width = width };
    if (*line == '#' || strlen(line) <= width) {
        buf_add_str(out, line);
        return;
    }
    for (const char *p = line; *p;) {
        const char *end = word_end(p);
        lay_word(&l, p, (size_t)(end - p));
        p = *end ? end + 1 : end;
    }
}
