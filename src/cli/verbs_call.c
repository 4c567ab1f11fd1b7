/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop call`: one tool call, its result as text. Knows of MCP only the shape of a tool's result.
 */
#include "cli/verb.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/call_wait.h"
#include "cli/doc.h"
#include "cli/refusal.h"
#include "cli/show.h"

enum { MAX_ARGUMENTS = 64 * 1024 * 1024, DEFAULT_TIMEOUT_S = 300 };

static int read_stdin(struct buf *out, struct fault *f)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_set(f, errno, "read the arguments from stdin");
        if (n == 0)
            return 0;
        if (out->len + (size_t)n > MAX_ARGUMENTS)
            return fault_set(f, FAULT_TOO_BIG, "the arguments have more than 64 MiB");
        buf_add(out, chunk, (size_t)n);
    }
}

/* The third word as an object; NULL with a sentence. */
static json_t *arguments(struct cli *c, struct fault *f)
{
    AUTO_BUF struct buf text = BUF_INIT;
    const char *word = c->word_count > 2 ? c->words[2] : "{}";
    if (strcmp(word, "-") != 0)
        buf_add_str(&text, word);
    else if (read_stdin(&text, f))
        return NULL;
    json_error_t error;
    json_t *object = json_loadb(buf_str(&text), text.len, JSON_ALLOW_NUL, &error);
    if (!object || !json_is_object(object)) {
        fault_set(f, FAULT_INVALID,
                  "the arguments are not a JSON object%s%s; one is '{\"path\":\"/tmp\"}'",
                  object ? "" : ": ", object ? "" : error.text);
        json_decref(object);
        return NULL;
    }
    return object;
}

static void print_content(json_t *item)
{
    const char *type = doc_str(item, "type");
    if (strcmp(type, "text") != 0) {
        show_json(item);
        return;
    }
    const char *text = doc_str(item, "text");
    if (!isatty(STDOUT_FILENO)) {
        puts(text);
        return;
    }
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        AUTO_FREE char *one = xstrndup(p, n);
        show_text(stdout, one);
        putchar('\n');
        p += n + (p[n] == '\n');
    }
}

/* Servers say little of a name they do not know, each in its own way. */
static bool say_unknown(struct cli *c)
{
    AUTO_FREE char *text = refusal_unknown_tool(c->paths.socket, c->words[0], c->words[1]);
    if (text)
        show_error("%s", text);
    return text != NULL;
}

static int say_why(struct cli *c, const struct fault *f)
{
    if (f->code != FAULT_CANCELLED && say_unknown(c))
        return EXIT_REFUSED;
    return cli_fail_work(f);
}

int verb_call(struct cli *c)
{
    struct fault f = FAULT_NONE;
    int64_t seconds;
    if (args_number(&c->args, OPT_TIMEOUT, 1, 24 * 3600, DEFAULT_TIMEOUT_S, &seconds, &f))
        return cli_usage(c, "%s", f.text);
    json_t *args = arguments(c, &f);
    if (!args)
        return cli_usage(c, "%s", f.text);
    json_t *body =
        json_pack("{s:s, s:s, s:o}", "server", c->words[0], "tool", c->words[1], "arguments", args);
    if (!body) {
        json_decref(args);
        return cli_usage(c, "the names are no valid UTF-8");
    }
    json_t *result = NULL, *item;
    if (call_wait(c->paths.socket, body, seconds * 1000, &result, &f))
        return say_why(c, &f);
    size_t i;
    bool failed = doc_true(result, "isError");
    json_t *content = doc_get(result, "content");
    json_t *structured = doc_get(result, "structuredContent");
    if (cli_has(c, OPT_JSON) || !json_is_array(content))
        show_json(result);
    else if (!json_array_size(content) && structured)
        show_json(structured);
    json_array_foreach(cli_has(c, OPT_JSON) ? NULL : content, i, item)
        print_content(item);
    json_decref(result);
    if (failed && !say_unknown(c))
        show_error("%s of %s says that it failed (isError)", c->words[1], c->words[0]);
    return failed ? EXIT_REFUSED : EXIT_OK;
}
