/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of what is known, the judgement of each list, and what follows from it: words, an event,
 * the rules of the session. Texts of definitions are in the file alone; in memory are names and
 * hashes. */
#include "supervisor/tool_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/diff.h"
#include "base/jpretty.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/file.h"
#include "supervisor/fleet_private.h"
#include "supervisor/instance.h"
#include "supervisor/server_private.h"
#include "supervisor/tool_store.h"

enum { WORDS_NAME_COLUMNS = 40, WORDS_NAMES = 6, DIFF_CONTEXT = 3,
       WRAP_COLUMNS = 72, DIFF_WORK_MAX = 2000 * 1000 };

struct tool_watch {
    bool loaded, exists;             /* the file was looked for; something is known */
    struct tool_book book;           /* without texts */
    struct tool_digests digests;     /* the same as a set */
    bool judged, blind;
    unsigned list_serial;            /* session_get_tools_serial when it was judged */
    struct tool_changes changes;
    struct strvec held;              /* their names, sorted */
    uint64_t serial;
};

struct tool_watch *tool_watch_new(void)
{
    return xcalloc(1, sizeof(struct tool_watch));
}

void tool_watch_free(struct tool_watch *w)
{
    if (!w)
        return;
    tool_book_fini(&w->book);
    tool_digests_fini(&w->digests);
    tool_changes_fini(&w->changes);
    strvec_fini(&w->held);
    free(w);
}

/* ---- the file ---- */

static char *path_of(const struct server *s)
{
    AUTO_FREE char *name = tool_store_file_name(s->name, "known");

    return xasprintf("%s/%s", s->fleet->state_dir, name);
}

/* 1, or 0: there is none. One that is broken is an empty one: nothing is known then, and said. -1:
 * it cannot be read now. */
static int read_book(const struct server *s, struct tool_book *b, bool with_texts, struct fault *f)
{
    AUTO_FREE char *path = path_of(s);
    AUTO_BUF struct buf text = BUF_INIT;

    tool_book_fini(b);
    if (file_read(path, &text, NULL, f) < 0) {
        if (f->code == ENOENT || f->code == FAULT_NOT_FOUND)
            return 0;
        log_warn("server", "%s: its tools cannot be compared with those first seen: %s", s->name,
                 f->text);
        return -1;
    }
    if (tool_book_read(b, s->name, (struct span){buf_str(&text), text.len}, with_texts) < 0)
        log_warn("server", "%s: %s is broken: all its tools count as new", s->name, path);
    return 1;
}

static int prepare_book(const struct server *s, const struct tool_book *b, struct buf *text,
                        struct fault *f)
{
    tool_book_write(b, s->name, text);
    return instance_make_dirs(s->fleet->state_dir, 0700, f);
}

static int replace_text(void *ctx, const struct buf *old, struct buf *fresh, struct fault *f)
{
    const struct buf *text = ctx;

    (void)old;
    (void)f;
    buf_add(fresh, text->data, text->len);
    return 0;
}

static int write_book(const struct server *s, const struct tool_book *b, struct fault *f)
{
    AUTO_FREE char *path = path_of(s);
    AUTO_BUF struct buf text = BUF_INIT;

    if (prepare_book(s, b, &text, f) < 0)
        return -1;
    return file_edit(path, 0600, replace_text, &text, NULL, NULL, f);
}

/* b is known from now on; taken over. */
static void adopt(struct tool_watch *w, struct tool_book *b)
{
    tool_book_fini(&w->book);
    tool_digests_fini(&w->digests);
    w->book = *b;
    *b = (struct tool_book){0};
    for (size_t i = 0; i < w->book.n; i++) {
        free(TAKE(w->book.v[i].text));
        tool_digests_add(&w->digests, w->book.v[i].digest);
    }
    w->exists = true;
    w->judged = false;
}

static void load(struct server *s)
{
    struct tool_watch *w = s->tools;
    AUTO_TOOL_BOOK struct tool_book b = {0};

    if (w->loaded)
        return;
    w->loaded = true;
    struct fault f = FAULT_NONE;
    /* One that cannot be read is there all the same: it must not be written over. */
    if (read_book(s, &b, false, &f) != 0)
        adopt(w, &b);
}

/* ---- judging ---- */

static struct span list_of(const struct server *s)
{
    size_t n;
    const char *tools = session_get_tools(s->session, &n);

    return (struct span){tools, tools ? n : 0};
}

static void first_sight(struct server *s, struct span list)
{
    AUTO_TOOL_BOOK struct tool_book b = {0};
    struct fault f = FAULT_NONE;

    AUTO_FREE char *path = path_of(s);
    AUTO_BUF struct buf text = BUF_INIT;

    tool_book_take(&b, list, NULL);
    /* Of many servers at once perhaps: the loop does not wait for the disk. */
    if (prepare_book(s, &b, &text, &f) < 0 || file_put(path, &text, &f) < 0)
        log_warn("server",
                 "%s: changes of its tools will show until mcptop ends only, what it has now is "
                 "not kept: %s", s->name, f.text);
    adopt(s->tools, &b);
}

static void add_names(const struct tool_changes *c, bool is_new, const char *head, struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        AUTO_BUF struct buf clean = BUF_INIT;
        if (c->v[i].is_new != is_new || n++ >= WORDS_NAMES)
            continue;
        text_clean_plain(&clean, c->v[i].name, strlen(c->v[i].name));
        size_t fits = text_fit(buf_str(&clean), clean.len, WORDS_NAME_COLUMNS, NULL);
        buf_printf(out, "%s%.*s%s", n == 1 ? head : ", ", (int)fits, buf_str(&clean),
                   fits < clean.len ? "…" : clean.len ? "" : "(no clear name)");
    }
    if (n > WORDS_NAMES)
        buf_printf(out, " and %zu more", n - WORDS_NAMES);
}

void tool_changes_words(const struct tool_changes *c, struct buf *out)
{
    size_t before = out->len;

    add_names(c, false, "changed: ", out);
    add_names(c, true, out->len > before ? "; new: " : "new: ", out);
}

static bool has_change(const struct tool_changes *c, const struct tool_change *one)
{
    for (size_t i = 0; i < c->n; i++)
        if (memcmp(c->v[i].digest, one->digest, SHA256_BYTES) == 0)
            return true;
    return false;
}

static bool is_news(const struct tool_changes *now, const struct tool_changes *before)
{
    for (size_t i = 0; i < now->n; i++)
        if (!has_change(before, &now->v[i]))
            return true;
    return false;
}

static void tell(struct server *s)
{
    AUTO_BUF struct buf words = BUF_INIT;
    const char *held =
        tool_watch_holds(s) ? "; clients do not get them until they are approved" : "";

    tool_changes_words(&s->tools->changes, &words);
    logstore_say(s->log, "tools are not what was first seen: %s%s", buf_str(&words), held);
    log_warn("server", "%s: tools are not what was first seen: %s%s", s->name, buf_str(&words),
             held);
    fleet_add_event(s->fleet, false, "tools", "changed", s->name, "", buf_str(&words));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_changes(struct server *s, struct span list)
{
    struct tool_watch *w = s->tools;
    struct tool_changes before = w->changes;

    w->changes = (struct tool_changes){0};
    tool_book_compare(&w->book, list, &w->changes);
    strvec_fini(&w->held);
    for (size_t i = 0; i < w->changes.n; i++)
        strvec_add(&w->held, w->changes.v[i].name);
    if (w->held.n)
        qsort(w->held.v, w->held.n, sizeof *w->held.v, compare_names);
    if (is_news(&w->changes, &before))
        tell(s);
    tool_changes_fini(&before);
}

void tool_watch_look(struct server *s)
{
    struct tool_watch *w = s->tools;
    struct span list = list_of(s);
    unsigned serial = session_get_tools_serial(s->session);

    if (!s->config || !s->fleet->state_dir)
        return;
    load(s);
    if (w->judged && w->list_serial == serial)
        return;
    bool too_long = !list.n && session_get_tool_count(s->session) >= 0;
    w->blind = too_long || !tool_list_fits(list);
    w->serial++;
    if (w->blind || !list.n || (!w->exists && s->config->quarantined))
        return;
    if (!w->exists)
        first_sight(s, list);
    take_changes(s, list);
    w->judged = true;
    w->list_serial = serial;
}

void tool_watch_rules(const struct server *s, struct tool_filter *filter)
{
    const struct tool_watch *w = s->tools;

    if (!tool_watch_holds(s) || !s->fleet->state_dir)
        return;
    filter->hold = true;
    filter->hold_all = w->blind;
    filter->approved = w->digests;
    filter->held = w->held;
}

/* ---- what is known of it ---- */

const struct tool_changes *tool_watch_changes(const struct server *s)
{
    return &s->tools->changes;
}

bool tool_watch_is_blind(const struct server *s)
{
    return s->tools->blind;
}

bool tool_watch_holds(const struct server *s)
{
    return s->config && s->config->on_tool_change == TOOL_CHANGE_HOLD;
}

uint64_t tool_watch_serial(const struct server *s)
{
    return s->tools->serial;
}

/* ---- differences ---- */

/* How much of a line fits, to a blank where there is one. */
static size_t fit(const char *at, size_t n, int columns)
{
    size_t fits = text_fit(at, n, columns, NULL), cut = fits;

    if (fits == n || !fits)
        return n;
    while (cut > 0 && at[cut - 1] != ' ')
        cut--;
    return cut ? cut : fits;
}

/* Long lines in pieces, so that of a long description the words that changed show. */
static void wrap(const char *at, size_t n, struct buf *out)
{
    int indent = (int)strspn(at, " ");
    bool first = true;

    indent = indent < WRAP_COLUMNS / 2 ? indent : WRAP_COLUMNS / 2;
    for (; n || first; first = false) {
        size_t part = fit(at, n, first ? WRAP_COLUMNS : WRAP_COLUMNS - indent - 2);
        buf_printf(out, "%*s", first ? 0 : indent + 2, "");
        buf_add(out, at, part);
        buf_add_char(out, '\n');
        at += part;
        n -= part;
    }
}

static void lay_out(struct span definition, struct buf *out)
{
    AUTO_BUF struct buf canon = BUF_INIT, pretty = BUF_INIT, shown = BUF_INIT;

    if (!definition.n)
        return;
    tool_canon(definition, &canon);
    jpretty(&pretty, canon.data, canon.len);
    buf_add_char(&pretty, '\n');
    text_reveal(&shown, pretty.data, pretty.len);
    for (const char *at = buf_str(&shown); *at;) {
        size_t n = strcspn(at, "\n");
        wrap(at, n, out);
        at += n + (at[n] == '\n');
    }
}

static size_t count_lines(const struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++)
        n += b->data[i] == '\n';
    return n;
}

static void add_lines(char mark, const struct buf *text, struct buf *out)
{
    const char *at = buf_str(text), *end = at + text->len;

    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        const char *next = nl ? nl + 1 : end;
        buf_add_char(out, mark);
        buf_add(out, at, (size_t)(next - at));
        at = next;
    }
}

/* work: what comparing lines may still cost; beyond it one stands below the other. */
static void compare_texts(const struct buf *old, const struct buf *fresh, size_t *work,
                          struct buf *out)
{
    size_t cost = count_lines(old) * count_lines(fresh);

    if (cost <= *work) {
        *work -= cost;
        diff_text(buf_str(old), old->len, buf_str(fresh), fresh->len, DIFF_CONTEXT, out);
        return;
    }
    add_lines('-', old, out);
    add_lines('+', fresh, out);
}

struct tool_diff *tool_watch_diffs(const struct server *s)
{
    const struct tool_changes *c = &s->tools->changes;
    AUTO_TOOL_BOOK struct tool_book book = {0};
    AUTO_TOOL_INDEX struct tool_index list = {0};
    struct tool_diff *diffs = xcalloc(c->n + 1, sizeof *diffs);
    size_t work = DIFF_WORK_MAX;
    struct fault f = FAULT_NONE;

    if (c->n) {
        read_book(s, &book, true, &f);
        tool_index_make(&list, list_of(s));
    }
    for (size_t i = 0; i < c->n; i++) {
        AUTO_BUF struct buf old = BUF_INIT, fresh = BUF_INIT;
        const struct tool_known *k = tool_book_find(&book, c->v[i].name, &list);
        if (k) {
            lay_out(span_of(k->text), &old);
            memcpy(diffs[i].was, k->digest, SHA256_BYTES);
        }
        lay_out(tool_index_find(&list, c->v[i].digest), &fresh);
        compare_texts(&old, &fresh, &work, &diffs[i].text);
    }
    return diffs;
}

void tool_diffs_free(struct tool_diff *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_fini(&d[i].text);
    free(d);
}

/* ---- approving ---- */

static int find_change(const struct server *s, const struct tool_approval *a,
                       struct tool_digests *which, struct fault *f)
{
    const struct tool_changes *c = &s->tools->changes;
    bool by_name = false, found = false;
    char hex[SHA256_HEX];

    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->v[i].name, a->name) != 0)
            continue;
        by_name = true;
        if (a->hash && strcmp(sha256_hex(c->v[i].digest, hex), a->hash) != 0)
            continue;
        tool_digests_add(which, c->v[i].digest);
        found = true;
    }
    if (!by_name)
        return fault_set(f, FAULT_CONFLICT,
                         "\"%s\" has no tool \"%.80s\" that has changed or is new: "
                         "`mcptop tools --changes` lists those", s->name, a->name);
    if (!found)
        return fault_set(f, FAULT_CONFLICT,
                         "tool \"%.80s\" of \"%s\" has changed once more since it was shown: "
                         "look at it again (`mcptop tools --changes`)", a->name, s->name);
    return 0;
}

static int find_changes(const struct server *s, const struct tool_approval *v, size_t n,
                        struct tool_digests *which, struct fault *f)
{
    const struct tool_changes *c = &s->tools->changes;

    if (!c->n)
        return fault_set(f, FAULT_CONFLICT,
                         "the tools of \"%s\" are what is known of them: there is nothing to "
                         "approve", s->name);
    for (size_t i = 0; !n && i < c->n; i++)
        tool_digests_add(which, c->v[i].digest);
    for (size_t i = 0; i < n; i++)
        if (find_change(s, &v[i], which, f) < 0)
            return -1;
    return 0;
}

static void tell_approved(struct server *s, const struct tool_digests *which)
{
    AUTO_BUF struct buf words = BUF_INIT;
    struct tool_changes approved = {0};
    const struct tool_changes *c = &s->tools->changes;

    /* Borrowed: a list of those alone, for their words. */
    approved.v = xcalloc(c->n + 1, sizeof *approved.v);
    for (size_t i = 0; i < c->n; i++)
        if (tool_digests_has(which, c->v[i].digest))
            approved.v[approved.n++] = c->v[i];
    tool_changes_words(&approved, &words);
    free(approved.v);
    logstore_say(s->log, "tools approved: %s", buf_str(&words));
    fleet_add_event(s->fleet, false, "tools", "approved", s->name, "", buf_str(&words));
}

int tool_watch_approve(struct server *s, const struct tool_approval *v, size_t n, struct fault *f)
{
    AUTO_TOOL_BOOK struct tool_book b = {0};
    struct tool_digests which = {0};
    int rc = find_changes(s, v, n, &which, f);

    if (rc == 0 && read_book(s, &b, true, f) < 0)
        rc = -1;
    if (rc == 0) {
        tool_book_take(&b, list_of(s), &which);
        rc = write_book(s, &b, f);
    }
    if (rc == 0) {
        tell_approved(s, &which);
        adopt(s->tools, &b);
        server_tools_configure(s);
        fleet_server_changed(s->fleet, s);
    }
    tool_digests_fini(&which);
    return rc;
}
