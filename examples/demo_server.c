/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Three small MCP servers in one program, for the demo configuration: they need no network, no
 * runtime and no file, and show what a server looks like that speaks MCP over stdin and stdout
 * in plain C. stdout carries protocol only; whatever a server has to say goes to stderr.
 *
 *   demo_server clock|notes|dice
 *
 * Links jansson and libc, nothing of mcptop.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NOTES = 1000, TICK_MS = 10000 };

struct tool {
    const char *name, *about, *properties;
    /* Gives the text of the answer, malloc'd; NULL with *error set for a refusal. */
    char *(*run)(const json_t *arguments, const char **error);
};

struct demo {
    const char *name;
    const struct tool *tools;
    size_t n_tools;
    void (*tick)(void); /* about every TICK_MS, or NULL */
};

/* ---- helpers ------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2)))
static char *text(const char *fmt, ...)
{
    char *s = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&s, fmt, args) < 0) {
        abort();
    }
    va_end(args);
    return s;
}

/* A line of stderr: this is what the log pane shows. */
__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* The integer argument of that name, or `otherwise` when there is none. */
static json_int_t integer(const json_t *arguments, const char *name, json_int_t otherwise)
{
    const json_t *value = json_object_get(arguments, name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* ---- clock --------------------------------------------------------------------------- */

static char *tool_now(const json_t *arguments, const char **error)
{
    const char *zone = json_string_value(json_object_get(arguments, "zone"));
    char line[64];
    time_t now = time(NULL);
    struct tm tm;

    (void)error;
    if (zone && strcmp(zone, "utc") == 0) {
        gmtime_r(&now, &tm);
    } else {
        localtime_r(&now, &tm);
    }
    strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S %Z", &tm);
    return text("%s", line);
}

static void tick_clock(void)
{
    char line[16];
    time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    strftime(line, sizeof line, "%H:%M:%S", &tm);
    say("it is %s", line);
}

static const struct tool clock_tools[] = {
    {"now", "The time of day", "{\"zone\":{\"type\":\"string\",\"enum\":[\"local\",\"utc\"]}}",
     tool_now},
};

/* ---- notes --------------------------------------------------------------------------- */

static char *notes[MAX_NOTES];
static size_t n_notes;

static char *tool_add_note(const json_t *arguments, const char **error)
{
    const char *note = json_string_value(json_object_get(arguments, "text"));

    if (!note || !*note) {
        *error = "a note needs a text";
        return NULL;
    }
    if (n_notes == MAX_NOTES) {
        *error = "the notebook is full";
        return NULL;
    }
    notes[n_notes++] = text("%s", note);
    say("note %zu taken, %zu characters", n_notes, strlen(note));
    return text("Note %zu taken.", n_notes);
}

static char *tool_list_notes(const json_t *arguments, const char **error)
{
    char *all = NULL;
    size_t i, len = 0;
    FILE *out = open_memstream(&all, &len);

    (void)arguments;
    (void)error;
    if (!out) {
        abort();
    }
    for (i = 0; i < n_notes; i++) {
        fprintf(out, "%zu. %s\n", i + 1, notes[i]);
    }
    fclose(out);
    if (len == 0) {
        free(all);
        return text("No notes yet.");
    }
    return all;
}

static char *tool_clear_notes(const json_t *arguments, const char **error)
{
    size_t gone = n_notes;

    (void)arguments;
    (void)error;
    while (n_notes > 0) {
        free(notes[--n_notes]);
    }
    say("%zu notes thrown away", gone);
    return text("%zu notes thrown away.", gone);
}

static const struct tool note_tools[] = {
    {"add_note", "Keeps a note until the server ends", "{\"text\":{\"type\":\"string\"}}",
     tool_add_note},
    {"list_notes", "All notes", "{}", tool_list_notes},
    {"clear_notes", "Throws all notes away", "{}", tool_clear_notes},
};

/* ---- dice ---------------------------------------------------------------------------- */

/* 1 … sides, each as likely: what would favour the low ones is drawn again. */
static unsigned roll(unsigned sides)
{
    unsigned drawn, limit = 0xffffffffU - 0xffffffffU % sides;

    do {
        if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) {
            abort();
        }
    } while (drawn >= limit);
    return drawn % sides + 1;
}

static char *tool_roll(const json_t *arguments, const char **error)
{
    json_int_t sides = integer(arguments, "sides", 6), count = integer(arguments, "count", 1);
    unsigned long sum = 0;
    char *all = NULL;
    size_t len = 0;
    json_int_t i;
    FILE *out;

    if (sides < 2 || sides > 1000 || count < 1 || count > 100) {
        *error = "2 to 1000 sides, 1 to 100 dice";
        return NULL;
    }
    out = open_memstream(&all, &len);
    if (!out) {
        abort();
    }
    for (i = 0; i < count; i++) {
        unsigned n = roll((unsigned)sides);
        fprintf(out, "%s%u", i ? " + " : "", n);
        sum += n;
    }
    if (count > 1) {
        fprintf(out, " = %lu", sum);
    }
    fclose(out);
    say("rolled %d dice of %d sides: %lu", (int)count, (int)sides, sum);
    return all;
}

static const struct tool dice_tools[] = {
    {"roll", "Rolls dice",
     "{\"sides\":{\"type\":\"integer\",\"minimum\":2,\"maximum\":1000},"
     "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}}", tool_roll},
};

/* ---- protocol ------------------------------------------------------------------------ */

#define TOOLS(t) t, sizeof t / sizeof *t
static const struct demo demos[] = {
    {"clock", TOOLS(clock_tools), tick_clock},
    {"notes", TOOLS(note_tools), NULL},
    {"dice", TOOLS(dice_tools), NULL},
};

/* Steals `body`, which becomes the message's `key`. */
static void send_message(const json_t *id, const char *key, json_t *body)
{
    json_t *message = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, key, body);
    char *line = message ? json_dumps(message, JSON_COMPACT) : NULL;

    if (!line) {
        abort();
    }
    puts(line);
    if (fflush(stdout) != 0) {
        exit(1); /* nobody listens any more */
    }
    free(line);
    json_decref(message);
}

static void send_error(const json_t *id, int code, const char *why)
{
    send_message(id, "error", json_pack("{s:i, s:s}", "code", code, "message", why));
}

static json_t *describe_tools(const struct demo *demo)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < demo->n_tools; i++) {
        const struct tool *t = &demo->tools[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:{s:s, s:o}}", "name", t->name, "description", t->about,
                            "inputSchema", "type", "object",
                            "properties", json_loads(t->properties, 0, NULL)));
    }
    return json_pack("{s:o}", "tools", list);
}

static void on_call(const struct demo *demo, const json_t *id, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    size_t i;

    for (i = 0; name && i < demo->n_tools; i++) {
        if (strcmp(demo->tools[i].name, name) == 0) {
            const char *error = NULL;
            char *answer = demo->tools[i].run(json_object_get(params, "arguments"), &error);
            /* What a tool refuses is a result that says so, for the model to read. */
            send_message(id, "result",
                         json_pack("{s:[{s:s, s:s}], s:b}", "content", "type", "text", "text",
                                   answer ? answer : error, "isError", answer == NULL));
            free(answer);
            return;
        }
    }
    send_error(id, -32602, "no such tool");
}

static void on_initialize(const struct demo *demo, const json_t *id, const json_t *params)
{
    const char *version = json_string_value(json_object_get(params, "protocolVersion"));

    send_message(id, "result",
                 json_pack("{s:s, s:{s:{}}, s:{s:s, s:s}}",
                           "protocolVersion", version ? version : "2025-11-25",
                           "capabilities", "tools",
                           "serverInfo", "name", demo->name, "version", "1.0"));
}

static void on_line(const struct demo *demo, const char *line, size_t len)
{
    json_error_t where;
    json_t *message = json_loadb(line, len, 0, &where);
    const json_t *id = json_object_get(message, "id");
    const json_t *params = json_object_get(message, "params");
    const char *method = json_string_value(json_object_get(message, "method"));

    if (!message) {
        say("not JSON: %s", where.text);
    } else if (method && id) {
        if (strcmp(method, "initialize") == 0) {
            on_initialize(demo, id, params);
        } else if (strcmp(method, "ping") == 0) {
            send_message(id, "result", json_object());
        } else if (strcmp(method, "tools/list") == 0) {
            send_message(id, "result", describe_tools(demo));
        } else if (strcmp(method, "tools/call") == 0) {
            on_call(demo, id, params);
        } else {
            send_error(id, -32601, "no such method");
        }
    }
    json_decref(message);
}

/* ---- the loop ------------------------------------------------------------------------ */

/* Reads what is there and handles its whole lines; 0 at the end of input. */
static int on_input(const struct demo *demo)
{
    static char *buffer;
    static size_t len, cap;
    char *start, *newline;
    ssize_t n;

    if (cap - len < 4096) {
        cap = cap ? cap * 2 : 65536;
        buffer = realloc(buffer, cap);
        if (!buffer) {
            abort();
        }
    }
    n = read(STDIN_FILENO, buffer + len, cap - len);
    if (n <= 0) {
        if (n < 0 && errno == EINTR) {
            return 1;
        }
        free(buffer);
        return 0;
    }
    len += (size_t)n;
    for (start = buffer; (newline = memchr(start, '\n', len - (size_t)(start - buffer)));
         start = newline + 1) {
        on_line(demo, start, (size_t)(newline - start));
    }
    len -= (size_t)(start - buffer);
    memmove(buffer, start, len);
    return 1;
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void serve(const struct demo *demo)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    say("%s: at your service", demo->name);
    long long next = now_ms() + TICK_MS;
    for (;;) {
        long long left = next - now_ms();
        int n = poll(&input, 1, !demo->tick ? -1 : left > 0 ? (int)left : 0);
        if (n == 0) {
            demo->tick();
            next += TICK_MS;
        } else if (n > 0 && !on_input(demo)) {
            break;
        }
    }
    say("%s: end of input, good bye", demo->name);
}

int main(int argc, char **argv)
{
    size_t i;

    for (i = 0; argc == 2 && i < sizeof demos / sizeof *demos; i++) {
        if (strcmp(argv[1], demos[i].name) == 0) {
            serve(&demos[i]);
            return 0;
        }
    }
    fprintf(stderr, "usage: demo_server clock|notes|dice\n");
    return 2;
}
