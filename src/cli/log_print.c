/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes log lines. Sequence numbers are contiguous, so what is missing is known and told, never
 * skipped. Knows nothing of where the lines come from. */
#include "cli/log_print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cli/doc.h"
#include "cli/show.h"

/* Of docs/api.md, "log page". */
enum { PIECE_CONTINUES = 1, PIECE_CONTINUED = 2 };

static void end_line(struct log_print *p)
{
    if (p->in_line)
        putchar('\n');
    p->in_line = false;
}

static void print_head(json_t *line)
{
    time_t seconds = (time_t)(doc_int(line, "t", 0) / 1000);
    struct tm tm;
    char text[16];
    const char *stream = doc_str(line, "s");
    strftime(text, sizeof text, "%H:%M:%S", localtime_r(&seconds, &tm));
    bool ours = !strcmp(stream, "sup"), stray = !strcmp(stream, "out");
    printf("%s %s", text, ours ? "mcptop| " : stray ? "out| " : "");
}

static void print_text(struct log_print *p, json_t *line)
{
    json_t *text = doc_get(line, "text");
    const char *bytes = json_is_string(text) ? json_string_value(text) : "";
    size_t n = json_is_string(text) ? json_string_length(text) : 0;
    int64_t flags = doc_int(line, "f", 0);
    if (!(flags & PIECE_CONTINUED) || !p->in_line) {
        end_line(p);
        print_head(line);
    }
    if (p->tty)
        show_bytes(stdout, bytes, n);
    else
        fwrite(bytes, 1, n, stdout);
    p->in_line = true;
    if (!(flags & PIECE_CONTINUES))
        end_line(p);
}

void log_print_lost(struct log_print *p, uint64_t to)
{
    if (!p->next || to <= p->next)
        return;
    unsigned long long from = p->next, last = to - 1;
    end_line(p);
    if (p->json)
        printf("{\"gap\":{\"from\":%llu,\"to\":%llu}}\n", from, last);
    else
        printf("-- %llu lines are lost (%llu to %llu) --\n", last - from + 1, from, last);
    p->next = to;
}

bool log_print_joins(const struct log_print *p, json_t *lines)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) {
        uint64_t seq = (uint64_t)doc_int(line, "seq", 0);
        if (seq >= p->next)
            return !p->next || seq == p->next;
    }
    return true;
}

void log_print_lines(struct log_print *p, json_t *lines)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) {
        uint64_t seq = (uint64_t)doc_int(line, "seq", 0);
        if (seq < p->next)
            continue;
        log_print_lost(p, seq);
        if (p->json)
            show_json_as(line, JSON_COMPACT);
        else
            print_text(p, line);
        p->next = seq + 1;
    }
}
