/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text, figures and documents for the verbs' output. Every string that a server or a file gave goes
 * through base/text.h: an escape sequence in a reason must not reach the terminal. */
#include "cli/show.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/doc.h"

int show_columns_of(int fd)
{
    struct winsize size;
    bool known = isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0;
    return known ? size.ws_col : 0;
}

int show_columns(void)
{
    return show_columns_of(STDOUT_FILENO);
}

void show_bytes(FILE *out, const char *p, size_t n)
{
    AUTO_BUF struct buf clean = BUF_INIT;
    text_clean_plain(&clean, p, n);
    fputs(buf_str(&clean), out);
}

void show_text(FILE *out, const char *text)
{
    show_bytes(out, text, strlen(text));
}

/* JSON itself escapes the other controls, but not this one. */
static void put_escaping_del(const char *json)
{
    for (size_t n; (n = strcspn(json, "\177")), json[n]; json += n + 1)
        printf("%.*s\\u007f", (int)n, json);
    fputs(json, stdout);
}

void show_json_as(json_t *data, size_t flags)
{
    json_t *shown = data ? data : json_null();      /* null is a constant: nothing to release */
    if (isatty(STDOUT_FILENO)) {
        AUTO_FREE char *text = json_dumps(shown, flags | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        put_escaping_del(text ? text : "");
    } else {
        json_dumpf(shown, stdout, flags | JSON_ENCODE_ANY);
    }
    putchar('\n');
}

void show_json(json_t *data)
{
    show_json_as(data, JSON_INDENT(2));
}

void show_error(const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    fflush(stdout);
    fputs("mcptop: ", stderr);
    /* Our own sentences may have lines; each is cleaned on its own. */
    for (const char *p = buf_str(&text); *p;) {
        size_t n = strcspn(p, "\n");
        AUTO_BUF struct buf clean = BUF_INIT;
        text_clean_plain(&clean, p, n);
        fprintf(stderr, "%s\n", buf_str(&clean));
        p += n + (p[n] == '\n');
    }
}

/* ---- figures ---- */

char *show_size(int64_t bytes, char *out, size_t n)
{
    if (bytes < 0)
        snprintf(out, n, "-");
    else
        text_size(bytes, out, n);
    return out;
}

char *show_latency(int64_t us, char *out, size_t n)
{
    if (us < 0)
        snprintf(out, n, "-");
    else if (us < 1000)
        snprintf(out, n, "%dus", (int)us);
    else if (us < 10 * 1000 * 1000)
        snprintf(out, n, "%dms", (int)((us + 500) / 1000));
    else
        snprintf(out, n, "%ds", (int)(us / 1000000));
    return out;
}

char *show_ago(int64_t wall_ms, char *out, size_t n)
{
    if (wall_ms <= 0) {
        snprintf(out, n, "-");
        return out;
    }
    int64_t ms = clock_wall_ms() - wall_ms;
    return clock_span(ms > 0 ? ms : 0, out, n);
}

char *show_wait(json_t *server, char *out, size_t n)
{
    char span[32];
    const char *text = doc_str(server, "waits.text");
    out[0] = '\0';
    if (*text)
        snprintf(out, n, "%s, %s", text,
                 show_ago(doc_int(server, "waits.since_wall_ms", 0), span, sizeof span));
    return out;
}

static const struct {
    const char *state, *mark, *sgr;
} states[] = {
    { "ready", "*", "\033[32m" },
    { "silent", "?", "\033[33m" },
    { "pulling", "~", "\033[33m" },
    { "starting", "~", "\033[33m" },
    { "initializing", "~", "\033[33m" },
    { "stopping", "~", "\033[33m" },
    { "backing-off", "!", "\033[31m" },
    { "failed", "!", "\033[31m" },
    { "stopped", "-", "" },
};

const char *show_mark(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (!strcmp(states[i].state, state))
            return states[i].mark;
    return " ";
}

static bool colours(void)
{
    static int wanted = -1;
    if (wanted < 0) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
        wanted = isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
    }
    return wanted;
}

const char *show_state_colour(const char *state)
{
    for (size_t i = 0; colours() && i < ARRAY_LEN(states); i++)
        if (!strcmp(states[i].state, state))
            return states[i].sgr;
    return "";
}

const char *show_colour_off(void)
{
    return colours() ? "\033[m" : "";
}
