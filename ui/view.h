/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view without a terminal and without a connection: model, keys and picture. app.c feeds it
 * (keys, events, replies, size, time) and shows its canvas; tests do the same with recordings. All
 * that it wants from the outside it asks through struct view_io. */
#ifndef MCPTOP_UI_VIEW_H
#define MCPTOP_UI_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "calls.h"
#include "canvas.h"
#include "feed.h"
#include "found.h"
#include "keys.h"
#include "lineedit.h"
#include "theme.h"

struct view;

enum reply_kind {
    REPLY_DONE,          /* an action: say what became of it */
    REPLY_SERVER,        /* one server with its plan and open calls */
    REPLY_PLAN,          /* what isolation would change */
    REPLY_OTHER_WAY,     /* the same, for the details */
    REPLY_CHANGE,        /* PATCH, undo */
    REPLY_PREVIEW,       /* PATCH that is only tried */
    REPLY_COMMAND,       /* the command line, to be copied */
    REPLY_LOG_OLDER, REPLY_LOG_NEWER, REPLY_LOG_LATEST,
    REPLY_SHUTDOWN,
    REPLY_SEARCH,        /* for orphans; what was found comes as events */
    REPLY_CALLS, REPLY_CALL, REPLY_REPLAY,     /* see calls.h */
    REPLY_FINDINGS,
    REPLY_TOOL_CHANGES,  /* see approve.c */
};
/* One question to the API; made by the view, given back to it with the answer (view_reply frees
 * it). */
struct view_call {
    enum reply_kind kind;
    unsigned serial;     /* of the dialog, or of the log's target, that it belongs to */
    char *name;          /* raw server name or container id */
    char *what;          /* "restart", for what is said about it */
    json_t *body;        /* what was sent with it; NULL */
    long status;         /* of HTTP, set with the answer; 0 = none */
};
void view_call_free(struct view_call *call);

/* What the view wants done. */
struct view_io {
    void (*send)(void *ctx, const char *method, const char *path, json_t *body /* stolen */,
                 struct view_call *call);
    void (*follow)(void *ctx, const char *server, bool all);    /* NULL, false: no log */
    void (*copy)(void *ctx, const char *text, size_t n);        /* to the clipboard */
    void (*redraw)(void *ctx);
    void (*set_theme)(void *ctx, const struct theme *t);
    void (*quit)(void *ctx);
};

/* Up to the findings they are lists, with the log below; the others stand over one. */
enum top_pane { TOP_SERVERS, TOP_CONTAINERS, TOP_RESOURCES, TOP_EVENTS, TOP_TRAFFIC, TOP_CALLS,
               TOP_FINDINGS, TOP_DETAIL, TOP_CALL, TOP_HELP, TOP_COUNT };

/* A list's place: the selected row is known by its key, so it stays the same row when rows come, go
 * and change order. */
struct list {
    char *key;           /* owned; NULL: the first row */
    int at;              /* index of key in what is shown */
    int top;             /* first row on screen */
    int count, page;     /* rows there are, rows that fit */
    char filter[LINEEDIT_MAX + 8];
};

enum sort_key { SORT_CONFIG, SORT_NAME, SORT_STATE, SORT_CPU, SORT_MEMORY, SORT_CALLS, SORT_ERRORS,
               SORT_P95, SORT_RESTARTS, SORT_UP,
                SORT_COUNT };

struct log_state {
    bool follow, wrap, times;
    uint64_t anchor;         /* id of the lowest line shown, while not following */
    int anchor_cut;          /* wrapped rows of it below the pane */
    int left;                /* columns scrolled to the right */
    int page, width;         /* rows and columns of the pane at the last drawing */
    char search[LINEEDIT_MAX + 8], filter[LINEEDIT_MAX + 8];
    unsigned filter_gen;
    uint64_t match;          /* id of the line the search stands on */
    unsigned target_serial;  /* grows with every other server: late pages belong to none */
    bool paging;             /* a page was asked for */
    bool at_oldest;          /* the supervisor has nothing older */
    uint64_t top_id;         /* uppermost line shown */
};

enum ask_kind { ASK_NONE, ASK_WAIT, ASK_CONFIRM, ASK_LIMITS };
enum { ASK_NETWORK = 3, ASK_FIELDS = 4 };
/* The one open dialog. */
struct ask {
    enum ask_kind kind;
    unsigned serial;
    enum request req;
    char *title;
    char *verb;              /* what y does: "restart" */
    struct buf text;         /* lines; those of a diff start with + - @ */
    int scroll;
    struct strvec targets;   /* raw names */
    json_t *body;            /* of what y sends; NULL: none */
    size_t which, ways;      /* of several ways to repair it */
    size_t plans_due;        /* ASK_WAIT: answers still to come before it asks */
    struct lineedit fields[ASK_FIELDS];   /* memory, cpus, pids, network */
    bool all;                /* limits: of what every isolated server inherits */
    char *before[ASK_FIELDS];
    int field;
    char *error;
};

enum prompt_kind { PROMPT_NONE, PROMPT_COMMAND, PROMPT_SEARCH, PROMPT_FILTER_LOG,
                  PROMPT_FILTER_LIST };
enum connection { CONN_CONNECTING, CONN_UP, CONN_LOST };

struct toast {
    char *text;              /* NULL: nothing is said */
    bool bad;
    int64_t since_ms, until_ms;
    char *server;            /* raw; whom it is about, and since when its state was; NULL: nobody */
    int64_t state_since_ms;
};

struct view {
    const struct view_io *io;
    void *ctx;
    struct feed feed;
    struct canvas canvas;
    bool readonly;
    const struct theme *theme;

    enum top_pane top, back;        /* back: the list that Esc leads to from detail and help */
    enum top_pane help_over;        /* where help was opened: first back to it */
    bool focus_log, zoom;
    struct list servers, containers, events, call_list, finding_list;
    struct calls calls;
    struct found found;
    int detail_scroll, help_scroll;
    enum sort_key sort;
    bool inverted;
    struct feed_server **order;     /* the servers as shown: sorted, filtered */
    int order_count;
    struct feed_container **shown;  /* the containers as shown: filtered */
    int shown_count;

    struct log_state log;
    struct ask ask;
    enum prompt_kind prompt;
    struct lineedit line;
    char *history;                  /* the last command */

    struct toast toast;
    enum connection connection;
    int64_t connection_since_ms;
    char *connection_text;
    int64_t detail_asked_ms, detail_calls;      /* when, and calls and clients there were then */
    int row_y;                      /* where the selected row was drawn: dialogs stand near it */
    bool leaving;                   /* the supervisor was told to stop: its end is no accident */
    int stopped;                    /* … and with it so many servers */
};

void view_init(struct view *v, const struct view_io *io, void *ctx);
void view_fini(struct view *v);
void view_resize(struct view *v, int w, int h);
void view_key(struct view *v, int key);
void view_request(struct view *v, enum request req);
int view_event(struct view *v, const char *name, const char *json, size_t n);    /* FEED_* bits */
void view_reply(struct view *v, struct view_call *call, json_t *data,
                const char *error /* NULL: fine */);
void view_connection(struct view *v, enum connection state, const char *text);
void view_draw(struct view *v);
void view_toast(struct view *v, bool bad, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));

/* … about a server: it ends soon after that has come to another state. s NULL: about none. */
void view_toast_of(struct view *v, const struct feed_server *s, bool bad, const char *fmt,
                   ...) __attribute__((format(printf, 4, 5)));

/* ---- for the parts of the view ---- */
unsigned view_where(const struct view *v);                    /* IN_* bit of what has the keys */
struct feed_server *view_server(const struct view *v);        /* the one keys act on; NULL */
/* selected in the container list; NULL */
struct feed_container *view_container(const struct view *v);
bool view_is_live(const struct view *v);                      /* figures are current */
bool view_shows_servers(const struct view *v);                /* their table is on the screen */
/* An answer that is one server. Of one that left the configuration meanwhile it is dropped, and
 * where an event has told newer. */
void view_take_server(struct view *v, json_t *server);
void view_send(struct view *v, enum reply_kind kind, const char *name, const char *what,
               const char *method,
               /* fmt has one %s: the name, percent-encoded */
               const char *fmt, json_t *body);
void view_show(struct view *v, enum top_pane pane);
/* the log shows the selected server */
void view_follow_selected(struct view *v);
/* a needle without capitals ignores case */
bool view_contains(const char *text, size_t n, const char *needle);
/* the log of every server, or of the selected one */
void view_toggle_all_logs(struct view *v);
/* order and selections after any change */
void view_settle(struct view *v);
char *view_list_filter(struct view *v);      /* of the list on top; LINEEDIT_MAX + 8 bytes */
void view_leave(struct view *v);

/* toast.c */
void toast_drop(struct view *v);
void toast_settle(struct view *v);          /* servers may have changed */
void toast_expire(struct view *v);          /* time may have come */
/* log_keys.c */
void log_request(struct view *v, enum request req);
/* lists.c */
void list_settle(struct list *l, const char *(*key_at)(const struct view *v, int i),
                 const struct view *v, int count);
bool list_move(struct list *l, enum request req);
void order_build(struct view *v);
void shown_build(struct view *v);
/* act.c */
void act_request(struct view *v, enum request req);
void act_isolate_to(struct view *v, const char *name, const char *mode);
void act_set(struct view *v, const char *name, json_t *body);
void act_simple(struct view *v, const char *name, const char *verb);
void act_commit(struct view *v);             /* the open question was answered with yes */
/* What x would change, for the details that are shown. */
void act_ask_other_way(struct view *v);
void act_other_fix(struct view *v);          /* F again while it asks */
/* for limits.c: the sentences and the diff of an answer, and between them what it interrupts ("":
 * nothing); foreign text by lines; who is meant */
void act_add_changes(struct view *v, json_t *data, const char *interrupts);
/* The same of the answer about one server (NULL: about none), which interrupts when it restarts. */
void act_add_plan(struct view *v, const struct feed_server *s, json_t *data);
void act_add_clean_lines(struct buf *out, const char *text);
bool act_describe_targets(struct view *v, struct buf *out);
/* What it would interrupt: "2 clients, 1 call in flight"; "" when nothing. */
void act_add_traffic(const struct feed_server *s, struct buf *out);
void act_reply(struct view *v, struct view_call *call, json_t *data, const char *error);
/* approve.c: asks what of its tools is not as first seen, shows it, and lets it be approved */
void approve_start(struct view *v, const struct feed_server *s);
void approve_changes(struct view *v, json_t *data);
/* ask.c */
void ask_close(struct view *v);
void ask_open(struct view *v, enum ask_kind kind, enum request req, const char *title,
              const char *verb);
bool ask_key(struct view *v, int key);
void ask_draw(struct view *v);
struct rect ask_place_box(const struct view *v, int w, int h);
/* Takes the next row of at most `columns`: a line, or as many of its words as fit. Returns its
 * width. */
int ask_next_row(const char **p, const char *end, int columns, char *out, size_t n);
/* limits.c */
void limits_open(struct view *v, struct feed_server *s);
void limits_key(struct view *v, int key);
void limits_draw(struct view *v);
void limits_commit(struct view *v);          /* the question about them was answered with yes */
void limits_set_all(struct view *v, json_t *body /* stolen */);
void limits_preview(struct view *v, const struct view_call *call, json_t *data);
void limits_refused(struct view *v, const struct view_call *call, const char *error);
/* prompt.c */
void prompt_open(struct view *v, enum prompt_kind kind);
bool prompt_key(struct view *v, int key);
void prompt_draw(struct view *v, int y);
void prompt_run(struct view *v, const char *command);
/* frame.c */
int frame_header(struct view *v);          /* rows used */
void frame_keybar(struct view *v, int y);
/* Of a key that means nothing here: where it means something. */
void frame_say_elsewhere(struct view *v, int key);

#endif
