/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line at the bottom: commands with the CLI's words, search, filters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

static const char *prompt_sign(const struct view *v)
{
    switch (v->prompt) {
    case PROMPT_COMMAND: return ":";
    case PROMPT_FILTER_LOG: return "only log lines with: ";
    case PROMPT_FILTER_LIST:
        return v->top == TOP_CONTAINERS ? "only containers with: "
               : v->top == TOP_CALLS    ? "only calls with: "
               : v->top == TOP_FINDINGS ? "only findings with: "
                                        : "only servers with: ";
    default: return "/";
    }
}

void prompt_open(struct view *v, enum prompt_kind kind)
{
    const char *text = kind == PROMPT_FILTER_LOG    ? v->log.filter
                       : kind == PROMPT_FILTER_LIST ? view_list_filter(v)
                                                    : "";

    v->prompt = kind;
    lineedit_set(&v->line, text);
}

/* ---- commands ---- */

static void on_verb(struct view *v, const char *verb, char *args)
{
    const struct feed_server *s = view_server(v);

    if (!*args && !s)
        view_toast(v, true, "%s which server? :%s NAME", verb, verb);
    else
        act_simple(v, *args ? args : s->name, verb);
}

/* set NAME memory=1g cpus=2 network=none isolation=docker; set * … is what all inherit */
static void on_set(struct view *v, const char *verb, char *args)
{
    char *save = NULL, *name = strtok_r(args, " ", &save), *word;
    json_t *body = json_object();

    (void)verb;
    while ((word = strtok_r(NULL, " ", &save))) {
        char *value = strchr(word, '=');
        if (!value)
            break;
        *value++ = '\0';
        if (strcmp(word, "memory") && strcmp(word, "cpus") && strcmp(word, "network") &&
            strcmp(word, "pids") && strcmp(word, "isolation") && strcmp(word, "total_memory"))
            break;
        json_object_set_new(body, word, json_string(value));
    }
    if (!name || word || !json_object_size(body)) {
        json_decref(body);
        view_toast(v, true,
                   "usage: :set NAME memory=1g cpus=2 pids=100 network=none isolation=docker");
        return;
    }
    act_set(v, name, body);
}

static void on_theme(struct view *v, const char *verb, char *args)
{
    const struct theme *t = theme_find(args);
    AUTO_BUF struct buf names = BUF_INIT;

    (void)verb;
    for (unsigned i = 0; theme_at(i); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", theme_at(i)->name);
    if (!t) {
        view_toast(v, true, "themes: %s", buf_str(&names));
        return;
    }
    v->theme = t;
    v->io->set_theme(v->ctx, t);
}

static void on_save_screen(struct view *v, const char *verb, char *args)
{
    AUTO_BUF struct buf dump = BUF_INIT;
    FILE *f = *args ? fopen(args, "we") : NULL;

    (void)verb;
    v->prompt = PROMPT_NONE;
    view_draw(v);
    canvas_dump(&v->canvas, &dump, false);
    if (!f || fwrite(buf_str(&dump), 1, dump.len, f) != dump.len)
        view_toast(v, true, *args ? "cannot write %s: %m" : "usage: :save-screen FILE%s",
                   *args ? args : "");
    if (f)
        fclose(f);
}

static void on_log(struct view *v, const char *verb, char *args)
{
    (void)verb;
    if (*args && strcmp(args, "all") != 0 && !feed_find(&v->feed, args)) {
        view_toast(v, true, "no server \"%s\"", args);
        return;
    }
    if (!strcmp(args, "all") != v->feed.log_all)
        view_request(v, REQ_ALL_LOGS);
    if (strcmp(args, "all") != 0 && *args) {
        free(v->servers.key);
        v->servers.key = xstrdup(args);
        view_show(v, TOP_SERVERS);
    }
}

static void on_pane(struct view *v, const char *verb, char *args)
{
    static const char *const names[] = {"servers", "containers", "resources", "events",
                                        "traffic", "calls",      "findings",  "detail", "call",
                                        "help"};

    (void)args;
    for (int i = 0; i < TOP_COUNT; i++)
        if (!strcmp(names[i], verb))
            view_show(v, (enum top_pane)i);
}

/* The CLI's word for it. */
static void on_doctor(struct view *v, const char *verb, char *args)
{
    (void)verb;
    (void)args;
    view_show(v, TOP_FINDINGS);
}

static void on_isolate(struct view *v, const char *verb, char *args)
{
    char *save = NULL, *name = strtok_r(args, " ", &save), *mode = strtok_r(NULL, " ", &save);

    (void)verb;
    if (!name || !mode || (strcmp(mode, "docker") && strcmp(mode, "none")))
        view_toast(v, true, "usage: :isolate NAME docker|none");
    else
        act_isolate_to(v, name, mode);
}

static void on_quit(struct view *v, const char *verb, char *args)
{
    (void)verb;
    (void)args;
    view_leave(v);
}

static void on_whole(struct view *v, const char *verb, char *args)
{
    (void)args;
    act_simple(v, "", verb);
}

static const struct command {
    const char *word;
    bool changes;
    void (*run)(struct view *v, const char *verb, char *args);
} commands[] = {
    {"restart", true, on_verb},    {"start", true, on_verb},
    {"stop", true, on_verb},       {"kill", true, on_verb},
    {"enable", true, on_verb},     {"disable", true, on_verb},
    {"undo", true, on_verb},       {"command", false, on_verb},
    {"fix", true, on_verb},        {"approve", true, on_verb},
    {"set", true, on_set},         {"isolate", true, on_isolate},
    {"reload", true, on_whole},    {"restart-all", true, on_whole},
    {"shutdown", true, on_whole},  {"quit", false, on_quit},
    {"q", false, on_quit},         {"theme", false, on_theme},
    {"log", false, on_log},        {"save-screen", false, on_save_screen},
    {"servers", false, on_pane},   {"containers", false, on_pane},
    {"resources", false, on_pane}, {"events", false, on_pane},
    {"traffic", false, on_pane},   {"calls", false, on_pane},
    {"findings", false, on_pane},  {"doctor", false, on_doctor},
    {"detail", false, on_pane},
    {"help", false, on_pane},
};

void prompt_run(struct view *v, const char *command)
{
    char text[LINEEDIT_MAX + 8], *args;

    snprintf(text, sizeof(text), "%s", command + strspn(command, " :"));
    args = text + strcspn(text, " ");
    if (*args)
        *args++ = '\0';
    args += strspn(args, " ");
    for (size_t n = strlen(args); n && args[n - 1] == ' '; n--)
        args[n - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!strcmp(commands[i].word, text)) {
            if (commands[i].changes && v->readonly)
                view_toast(v, true, "read only: %s is off (started with --readonly)", text);
            else
                commands[i].run(v, text, args);
            return;
        }
    if (*text)
        view_toast(v, true, "no command \"%s\"; : alone shows what there is", text);
}

/* ---- Tab ---- */

static void add_candidate(struct strvec *found, const char *word, const char *prefix)
{
    if (!strncmp(word, prefix, strlen(prefix)))
        strvec_add(found, word);
}

static void candidates(const struct view *v, const char *prefix, bool first, struct strvec *found)
{
    if (!first && !strncmp(v->line.text, "theme ", 6)) {
        for (unsigned i = 0; theme_at(i); i++)
            add_candidate(found, theme_at(i)->name, prefix);
        return;
    }
    if (!first) {
        for (size_t i = 0; i < v->feed.server_count; i++)
            add_candidate(found, v->feed.servers[i]->name, prefix);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        add_candidate(found, commands[i].word, prefix);
}

static size_t common_length(const struct strvec *words)
{
    size_t n = strlen(words->v[0]);

    for (size_t i = 1; i < words->n; i++)
        for (size_t k = 0; k < n; k++)
            if (words->v[i][k] != words->v[0][k])
                n = k;
    return n;
}

static const char *word_at_end(const struct view *v)
{
    const char *space = strrchr(v->line.text, ' ');

    return space ? space + 1 : v->line.text;
}

static void complete(struct view *v)
{
    AUTO_STRVEC struct strvec found = {0};
    char line[LINEEDIT_MAX + 8];
    const char *prefix = word_at_end(v);
    size_t head = (size_t)(prefix - v->line.text);

    candidates(v, prefix, !head, &found);
    if (!found.n)
        return;
    snprintf(line, sizeof(line), "%.*s%.*s%s", (int)head, v->line.text, (int)common_length(&found),
             found.v[0], found.n == 1 ? " " : "");
    lineedit_set(&v->line, line);
}

/* Puts the words from (x, y) on, or only counts: how many rows they take. */
static int put_words(struct view *v, const struct strvec *words, int x, int y, bool counts)
{
    int rows = 1;

    for (size_t i = 0; i < words->n; i++) {
        int w = text_width(words->v[i], strlen(words->v[i]));
        if (x > 1 && x + w > v->canvas.w - 1) {
            x = 1;
            rows++;
        }
        if (!counts)
            canvas_put_cut(&v->canvas, x, y + rows - 1, v->canvas.w - x - 1, ST_DIM, words->v[i]);
        x += w + 2;
    }
    return rows;
}

/* Beside what is typed, or, where that is too narrow for all, in rows above it. */
static void draw_candidates(struct view *v, const struct strvec *found, int x, int y)
{
    int rows = put_words(v, found, 1, 0, true);

    if (put_words(v, found, x, y, true) == 1) {
        put_words(v, found, x, y, false);
    } else if (y > rows) {
        canvas_fill(&v->canvas, (struct rect){0, y - rows, v->canvas.w, rows}, ' ', ST_NORMAL);
        put_words(v, found, 1, y - rows, false);
    }
}

void prompt_draw(struct view *v, int y)
{
    int x = 1 + canvas_put(&v->canvas, 1, y, v->canvas.w - 2, ST_ACCENT, prompt_sign(v));
    AUTO_STRVEC struct strvec found = {0};

    lineedit_draw(&v->line, &v->canvas, x, y, v->canvas.w - x, ST_NORMAL);
    if (v->prompt != PROMPT_COMMAND)
        return;
    candidates(v, word_at_end(v), word_at_end(v) == v->line.text, &found);
    x += text_width(v->line.text, strlen(v->line.text)) + 3;
    draw_candidates(v, &found, x, y);
}

/* ---- keys ---- */

static void enter(struct view *v)
{
    enum prompt_kind kind = v->prompt;

    v->prompt = PROMPT_NONE;
    switch (kind) {
    case PROMPT_COMMAND:
        free(v->history);
        v->history = xstrdup(v->line.text);
        prompt_run(v, v->line.text);
        break;
    case PROMPT_SEARCH:
        if (*v->line.text)
            snprintf(v->log.search, sizeof(v->log.search), "%s", v->line.text);
        pane_log_search(v, 0);
        break;
    case PROMPT_FILTER_LOG:
        snprintf(v->log.filter, sizeof(v->log.filter), "%s", v->line.text);
        v->log.filter_gen++;
        break;
    default:
        break;      /* a list's filter works while it is typed */
    }
    view_settle(v);
}

static void escape(struct view *v)
{
    if (v->prompt == PROMPT_FILTER_LIST)
        *view_list_filter(v) = '\0';
    v->prompt = PROMPT_NONE;
    view_settle(v);
}

bool prompt_key(struct view *v, int key)
{
    if (v->prompt == PROMPT_NONE)
        return false;
    if (key == K_ENTER) {
        enter(v);
    } else if (key == K_ESC || (key == K_BACKSPACE && !v->line.len)) {
        escape(v);
    } else if (key == K_TAB && v->prompt == PROMPT_COMMAND) {
        complete(v);
    } else if (key == K_UP && v->prompt == PROMPT_COMMAND && v->history) {
        lineedit_set(&v->line, v->history);
    } else {
        lineedit_key(&v->line, key);
        if (v->prompt == PROMPT_FILTER_LIST) {
            snprintf(view_list_filter(v), LINEEDIT_MAX + 8, "%s", v->line.text);
            view_settle(v);
        }
    }
    return true;
}
