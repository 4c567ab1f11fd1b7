/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ncurses behind screen.h. Rows that did not change are not even handed to ncurses; of those that
 * did it finds the cheapest way, scroll regions included (idlok). A frame of several rows stands
 * between synchronized-output marks (DEC mode 2026), written directly because ncurses would put
 * both behind the frame. */
#define NCURSES_WIDECHAR 1
#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/mem.h"
#include "keys.h"
#include "restore.h"
#include "screen.h"
#include <term.h>        /* last: it defines "lines", "columns" and more as macros */

static struct {
    SCREEN *curses;
    bool color, sync;
    const struct theme *theme;
    struct canvas shown;         /* what the terminal shows */
    bool everything;             /* paint all of it */
    int pairs[18][18];           /* ncurses' pair of (fg + 1, bg + 1), 0 = none yet */
    cchar_t *row;
    struct termios modes;
    int cursor;                  /* as last set, -1 = unknown */
} scr;

static bool supports_sync(void)
{
    static const char *const families[] = {"xterm",     "tmux",    "screen",  "foot",
                                           "alacritty", "kitty",   "wezterm", "contour",
                                           "rio",       "ghostty", "st-"};
    const char *term = getenv("TERM");

    for (size_t i = 0; term && i < ARRAY_LEN(families); i++)
        if (!strncmp(term, families[i], strlen(families[i])))
            return true;
    return false;
}

static void write_all(const char *p, size_t n)
{
    while (n) {
        ssize_t sent = write(STDOUT_FILENO, p, n);
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
    }
}

/* ---- the way back ---- */

static void add_capability(struct buf *out, const char *name)
{
    char *s = tigetstr(name);

    if (s == NULL || s == (char *)-1)
        return;
    for (; *s; s++) {
        if (s[0] == '$' && s[1] == '<')      /* a delay; no terminal of today needs it */
            while (*s && *s != '>')
                s++;
        else
            buf_add_char(out, *s);
        if (!*s)
            break;
    }
}

static void arm(void)
{
    AUTO_BUF struct buf back = BUF_INIT;

    if (scr.sync)
        buf_add_str(&back, "\033[?2026l");
    add_capability(&back, "sgr0");
    add_capability(&back, "op");
    if (tigetstr("csr") != NULL && tigetstr("csr") != (char *)-1)
        buf_add_str(&back, "\033[r");
    add_capability(&back, "rmcup");
    add_capability(&back, "cnorm");
    add_capability(&back, "rmkx");
    restore_arm(buf_str(&back), back.len, &scr.modes);
}

/* ---- open and close ---- */

static void set_modes(void)
{
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    idlok(stdscr, TRUE);
    typeahead(-1);       /* a frame is sent whole, or the next one starts from a wrong picture */
    if (scr.color) {
        start_color();
        use_default_colors();
    }
    scr.cursor = -1;
}

int screen_open(bool color, const struct theme *theme, struct fault *f)
{
    const char *term = getenv("TERM");

    if (tcgetattr(STDIN_FILENO, &scr.modes) < 0)
        return fault_set(f, errno, "this is no terminal");
    restore_init();
    scr.curses = newterm(NULL, stdout, stdin);
    if (!scr.curses)
        return fault_set(
            f, FAULT_UNSUPPORTED,
            "terminal type \"%s\" is not known on this machine: try TERM=xterm-256color mcptop",
            term ? term : "");
    scr.sync = supports_sync();
    scr.color = color && has_colors();
    scr.theme = theme;
    set_modes();
    arm();
    scr.everything = true;
    return 0;
}

/* Where there is no alternate screen the last frame stays, and the shell's prompt would be written
 * into its last row. */
static void leave_curses(void)
{
    endwin();
    if (!exit_ca_mode && clr_eol) {
        putp(clr_eol);
        fflush(stdout);
    }
    restore_disarm();
}

void screen_close(void)
{
    if (!scr.curses)
        return;
    leave_curses();
    delscreen(scr.curses);
    scr.curses = NULL;
    canvas_fini(&scr.shown);
    free(scr.row);
    scr.row = NULL;
}

void screen_suspend(void)
{
    leave_curses();
}

void screen_resume(void)
{
    arm();
    set_modes();
    screen_redraw();
}

void screen_set_theme(const struct theme *theme)
{
    scr.theme = theme;
    scr.everything = true;
}

void screen_size(int *ret_w, int *ret_h)
{
    struct winsize ws;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col && ws.ws_row) {
        *ret_w = ws.ws_col;
        *ret_h = ws.ws_row;
    } else {
        *ret_w = COLS;
        *ret_h = LINES;
    }
}

void screen_redraw(void)
{
    scr.everything = true;
    clearok(curscr, TRUE);
}

/* ---- looks ---- */

/* Eight-colour terminals: the bright half becomes bold, grey becomes dim. */
static attr_t fold_color(int *color)
{
    if (*color < 8 || COLORS >= 16)
        return 0;
    *color -= 8;
    if (*color == 0) {
        *color = -1;
        return A_DIM;
    }
    return A_BOLD;
}

static short pair_of(int fg, int bg)
{
    int *pair = &scr.pairs[fg + 1][bg + 1];

    if (!*pair && (fg >= 0 || bg >= 0))
        *pair = alloc_pair(fg, bg);
    return (short)(*pair > 0 ? *pair : 0);
}

static attr_t look_attr(uint8_t look)
{
    return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_DIM ? A_DIM : 0) |
           (look & LOOK_UNDERLINE ? A_UNDERLINE : 0) | (look & LOOK_REVERSE ? A_REVERSE : 0);
}

static attr_t foreign_attr(uint8_t text)
{
    return (text & TEXT_BOLD ? A_BOLD : 0) | (text & (TEXT_DIM | TEXT_MARK) ? A_DIM : 0) |
           (text & TEXT_UNDERLINE ? A_UNDERLINE : 0) | (text & TEXT_REVERSE ? A_REVERSE : 0);
}

static void set_cell(cchar_t *to, const struct cell *cell)
{
    const struct look *look = &scr.theme->looks[cell->style < STYLE_COUNT ? cell->style : 0];
    int fg = cell->fg >= 0 ? cell->fg : look->fg, bg = cell->bg >= 0 ? cell->bg : look->bg;
    attr_t attr = look_attr(look->attr) | foreign_attr(cell->attr);
    wchar_t text[3] = {(wchar_t)(cell->cp ? cell->cp : ' '), (wchar_t)cell->mark, 0};
    short pair = 0;

    if (scr.color) {
        attr |= fold_color(&fg);
        if (fold_color(&bg) == A_DIM)
            bg = 0;
        pair = pair_of(fg, bg);
    } else if (cell->style == ST_SELECTED || cell->style == ST_MATCH) {
        attr |= A_REVERSE;
    }
    setcchar(to, text, attr, pair, NULL);
}

/* ---- painting ---- */

static bool same_row(const struct canvas *a, const struct canvas *b, int ya, int yb)
{
    return memcmp(canvas_row(a, ya), canvas_row(b, yb), (size_t)a->w * sizeof(struct cell)) == 0;
}

static void send_row(const struct canvas *c, int y)
{
    const struct cell *row = canvas_row(c, y);
    int n = 0;

    for (int x = 0; x < c->w; x++)
        if (row[x].cp || x == 0)
            set_cell(&scr.row[n++], &row[x]);
    mvadd_wchnstr(y, 0, scr.row, n);
}

/* About what a changed row costs: little where it only moved, which a scroll does for all at
 * once. */
static int row_cost(const struct canvas *c, int y)
{
    const struct cell *a = canvas_row(c, y), *b = canvas_row(&scr.shown, y);
    int cost = 8;

    for (int from = y + 1; from < c->h && from <= y + 3; from++)
        if (same_row(c, &scr.shown, y, from))
            return 2;
    for (int x = 0; x < c->w; x++)
        cost += memcmp(&a[x], &b[x], sizeof(*a)) != 0;
    return cost;
}

static void set_cursor(const struct canvas *c)
{
    int on = c->cursor_x >= 0 && c->cursor_x < c->w && c->cursor_y < c->h;

    if (on != scr.cursor)
        curs_set(on);
    scr.cursor = on;
    leaveok(stdscr, !on);
    if (on)
        move(c->cursor_y, c->cursor_x);
}

static void match_size(const struct canvas *c)
{
    if (scr.shown.w == c->w && scr.shown.h == c->h && scr.row)
        return;
    if (c->w != COLS || c->h != LINES)
        resizeterm(c->h, c->w);
    canvas_resize(&scr.shown, c->w, c->h);
    scr.row = xrealloc(scr.row, (size_t)(c->w + 1) * sizeof(*scr.row));
    scr.everything = true;
}

/* ncurses ignores SIGTSTP while it writes, so a Ctrl-Z of that moment would be lost. Held back, it
 * comes behind the frame. */
static void refresh_undisturbed(void)
{
    sigset_t tstp, before;

    sigemptyset(&tstp);
    sigaddset(&tstp, SIGTSTP);
    sigprocmask(SIG_BLOCK, &tstp, &before);
    refresh();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int screen_paint(const struct canvas *c)
{
    int cost = 0, rows = 0;

    match_size(c);
    if (scr.everything)
        erase();
    for (int y = 0; y < c->h; y++) {
        if (!scr.everything && same_row(c, &scr.shown, y, y))
            continue;
        cost += scr.everything ? c->w : row_cost(c, y);
        send_row(c, y);
        rows++;
    }
    if (!rows && c->cursor_x == scr.shown.cursor_x && c->cursor_y == scr.shown.cursor_y)
        return 0;
    memcpy(scr.shown.cells, c->cells, (size_t)c->w * (size_t)c->h * sizeof(struct cell));
    scr.shown.cursor_x = c->cursor_x;
    scr.shown.cursor_y = c->cursor_y;
    scr.everything = false;
    set_cursor(c);
    if (scr.sync && rows > 3)
        write_all("\033[?2026h", 8);
    refresh_undisturbed();
    if (scr.sync && rows > 3)
        write_all("\033[?2026l", 8);
    return cost + 16;
}

void screen_raw(const char *bytes, size_t n)
{
    write_all(bytes, n);
}

/* ---- keys ---- */

static int translate(int code)
{
    static const struct { int curses, ours; } map[] = {
        {KEY_UP, K_UP}, {KEY_DOWN, K_DOWN}, {KEY_LEFT, K_LEFT}, {KEY_RIGHT, K_RIGHT},
        {KEY_HOME, K_HOME}, {KEY_END, K_END},
        {KEY_PPAGE, K_PGUP}, {KEY_NPAGE, K_PGDN}, {KEY_BTAB, K_BACKTAB},
        {KEY_BACKSPACE, K_BACKSPACE}, {KEY_DC, K_DELETE},
        {KEY_F(1), K_F1}, {KEY_ENTER, K_ENTER},
    };

    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (map[i].curses == code)
            return map[i].ours;
    return K_NONE;
}

int screen_key(void)
{
    wint_t c;

    switch (get_wch(&c)) {
    case KEY_CODE_YES: return translate((int)c);
    case OK: return c == 127 || c == 8 ? K_BACKSPACE : c == 10 ? K_ENTER : (int)c;
    default: return -1;
    }
}

void screen_drop_keys(void)
{
    flushinp();
    tcflush(STDIN_FILENO, TCIFLUSH);
}
