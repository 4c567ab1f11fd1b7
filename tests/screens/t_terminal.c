/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view on a real pseudo terminal, against the double of a supervisor: what a terminal
 * (libvterm) then shows equals what the view meant; only harmless sequences go out; the bytes stay
 * within the budgets; whatever ends the view, the terminal gets its modes back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/mcptop-terminal-XXXXXX";

/* ---- a terminal ---- */

struct terminal {
    int fd;
    pid_t pid;
    int w, h;
    VTerm *vt;
    VTermScreen *screen;
    struct buf out;          /* everything it was sent */
    size_t bytes;
    bool alternate, cursor_visible;
    struct termios before;
};

static int on_prop(VTermProp prop, VTermValue *value, void *user)
{
    struct terminal *t = user;

    if (prop == VTERM_PROP_ALTSCREEN)
        t->alternate = value->boolean;
    if (prop == VTERM_PROP_CURSORVISIBLE)
        t->cursor_visible = value->boolean;
    return 1;
}

static bool begins_nonblocking;     /* the terminal, as whoever had it before left it */

static void open_terminal(struct terminal *t, int w, int h, const char *const argv[])
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_prop};
    struct winsize ws = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};

    *t = (struct terminal){.w = w, .h = h, .cursor_visible = true};
    t->vt = vterm_new(h, w);
    vterm_set_utf8(t->vt, 1);
    t->screen = vterm_obtain_screen(t->vt);
    vterm_screen_set_callbacks(t->screen, &callbacks, t);
    vterm_screen_enable_altscreen(t->screen, 1);
    vterm_screen_reset(t->screen, 1);
    t->pid = forkpty(&t->fd, NULL, NULL, &ws);
    if (t->pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("TZ", "UTC", 1);
        unsetenv("NO_COLOR");
        if (begins_nonblocking)
            fcntl(STDOUT_FILENO, F_SETFL, O_RDWR | O_NONBLOCK);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    tcgetattr(t->fd, &t->before);
    fcntl(t->fd, F_SETFL, O_NONBLOCK);
}

/* Takes what comes for at most ms; false once the other side is gone. */
static bool take(struct terminal *t, int ms)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    char chunk[8192];
    ssize_t n;

    if (poll(&p, 1, ms) <= 0)
        return true;
    n = read(t->fd, chunk, sizeof(chunk));
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    t->bytes += (size_t)n;
    buf_add(&t->out, chunk, (size_t)n);
    vterm_input_write(t->vt, chunk, (size_t)n);
    return true;
}

static void take_for(struct terminal *t, int ms)
{
    int64_t end = clock_mono_ms() + ms;

    for (int64_t now; (now = clock_mono_ms()) < end;)
        if (!take(t, (int)(end - now)))
            return;
}

static void add_row(struct terminal *t, int y, struct buf *out)
{
    size_t from = out->len;

    for (int x = 0; x < t->w; x++) {
        VTermScreenCell cell;
        VTermPos pos = {.row = y, .col = x};
        char utf8[8] = "";
        uint32_t c;
        vterm_screen_get_cell(t->screen, pos, &cell);
        c = cell.chars[0];
        if (c == (uint32_t)-1)
            continue;
        if (c < 0x80)
            snprintf(utf8, sizeof(utf8), "%c", c ? (int)c : ' ');
        else if (c < 0x800)
            snprintf(utf8, sizeof(utf8), "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 63)));
        else
            snprintf(utf8, sizeof(utf8), "%c%c%c", (int)(0xe0 | c >> 12),
                     (int)(0x80 | (c >> 6 & 63)), (int)(0x80 | (c & 63)));
        buf_add_str(out, utf8);
    }
    while (out->len > from && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    buf_add_char(out, '\n');
}

static void dump(struct terminal *t, struct buf *out)
{
    buf_clear(out);
    for (int y = 0; y < t->h; y++)
        add_row(t, y, out);
}

static bool shows(struct terminal *t, const char *text)
{
    AUTO_BUF struct buf b = BUF_INIT;

    dump(t, &b);
    return strstr(buf_str(&b), text) != NULL;
}

static bool wait_for(struct terminal *t, const char *text)
{
    int64_t end = clock_mono_ms() + 10000;

    while (!shows(t, text) && clock_mono_ms() < end)
        if (!take(t, 50))
            break;
    return shows(t, text);
}

static void type(struct terminal *t, const char *keys)
{
    if (write(t->fd, keys, strlen(keys)) != (ssize_t)strlen(keys))
        ok(false, "keys are taken");
}

static int wait_end(struct terminal *t)
{
    int status = -1;
    int64_t end = clock_mono_ms() + 5000;

    while (waitpid(t->pid, &status, WNOHANG) == 0 && clock_mono_ms() < end)
        take(t, 20);
    if (kill(t->pid, 0) == 0 && clock_mono_ms() >= end) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, &status, 0);
        ok(false, "the view ends within 5 s");
    }
    take_for(t, 50);
    return status;
}

static void close_terminal(struct terminal *t)
{
    close(t->fd);
    vterm_free(t->vt);
    buf_fini(&t->out);
}

/* ---- the double, and the view on it ---- */

static bool answers(const char *socket_path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes;

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
    yes = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
    close(fd);
    return yes;
}

/* Until it answers: a view that finds nobody starts a supervisor. */
static pid_t start_double(const char *socket, const char *const extra[])
{
    const char *python = getenv("PYTHON"), *root = getenv("MCPTOP_SRCDIR");
    AUTO_FREE char *script = xasprintf("%s/tests/screens/double.py", root ? root : ".");
    AUTO_FREE char *data = xasprintf("%s/tests/screens/data", root ? root : ".");
    const char *argv[12] = {python ? python : "python3", script, socket, data};
    pid_t pid;

    for (int i = 0; extra && extra[i] && i < 7; i++)
        argv[4 + i] = extra[i];
    pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (int i = 0; i < 600 && !answers(socket); i++)
        usleep(50000);
    return pid;
}

static void stop_double(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static void open_view(struct terminal *t, int w, int h, const char *socket)
{
    const char *program = getenv("MCPTOP");
    const char *argv[] = {program ? program : "./mcptop", "--socket", socket, NULL};

    open_terminal(t, w, h, argv);
}

/* ---- what goes out ---- */

/* SGR, cursor, erase, scroll and the modes we mean; anything else is named in the failure. */
static bool only_harmless(const struct buf *out)
{
    const char *p = buf_str(out), *end = p + out->len;

    while ((p = memchr(p, 27, (size_t)(end - p)))) {
        const char *start = p++;
        if (*p == '(' || *p == ')') {
            p += 2;
        } else if (*p == '[') {
            size_t n = strspn(++p, "0123456789;:?>=");
            const char *modes[] = {"?1049", "?1", "?25", "?12;25", "?12",
                                   "?2026", "4",  "?7",  "22;0;0", "23;0;0"};
            bool known = strchr("mHfABCDEFGJKXLMPSTrd@ge", p[n]) != NULL;
            for (size_t i = 0; i < ARRAY_LEN(modes) && !known; i++)
                known = strchr("hlt", p[n]) && strlen(modes[i]) == n && !strncmp(p, modes[i], n);
            if (!known) {
                printf("# sequence: ESC%.*s\n", (int)(p + n + 1 - start - 1), start + 1);
                return false;
            }
            p += n + 1;
        } else if (!strchr("=>78M", *p)) {
            printf("# sequence: ESC %c\n", *p);
            return false;
        }
        if (p >= end)
            break;
    }
    return true;
}

static bool modes_restored(struct terminal *t)
{
    struct termios now;

    if (tcgetattr(t->fd, &now) < 0)
        return true;     /* the other side is gone with its modes */
    return now.c_lflag == t->before.c_lflag && now.c_iflag == t->before.c_iflag &&
           now.c_oflag == t->before.c_oflag;
}

/* One try: the picture may move on between what is saved and what is shown. */
static bool same_picture(struct terminal *t, struct buf *shown, struct buf *meant)
{
    AUTO_FREE char *path = xasprintf("%s/screen", dir);
    AUTO_FREE char *command = xasprintf(":save-screen %s\r", path);
    char chunk[4096];
    struct stat st;
    FILE *f;
    size_t n;

    buf_clear(meant);
    unlink(path);
    type(t, command);
    for (int i = 0; i < 100 && (stat(path, &st) < 0 || !st.st_size); i++)
        take(t, 20);
    take_for(t, 150);
    f = fopen(path, "re");
    while (f && (n = fread(chunk, 1, sizeof(chunk), f)))
        buf_add(meant, chunk, n);
    if (f)
        fclose(f);
    dump(t, shown);
    return !strcmp(buf_str(shown), buf_str(meant));
}

static void save_and_compare(struct terminal *t, const char *what)
{
    AUTO_BUF struct buf shown = BUF_INIT, meant = BUF_INIT;
    bool same = false;

    for (int i = 0; i < 5 && !same; i++)
        same = same_picture(t, &shown, &meant);
    if (!ok(same, "%s: the terminal shows what the view means", what))
        printf("# ---- shown\n%s# ---- meant\n%s", buf_str(&shown), buf_str(&meant));
}

/* ---- tests ---- */

static void test_paint(const char *socket)
{
    struct terminal t;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "GitHub MCP Server"), "the first picture comes");
    take_for(&t, 400);
    ok(t.bytes <= 6 * 1024, "first paint takes at most 6 KB (%zu)", t.bytes);
    save_and_compare(&t, "servers");
    type(&t, "jj");
    ok(wait_for(&t, "log: filesystem"), "the log follows the selection");
    save_and_compare(&t, "third row");
    type(&t, "2345?");
    ok(wait_for(&t, "one down"), "help comes");
    type(&t, "1kkx");
    ok(wait_for(&t, "y run on the host"), "x shows what changes and asks");
    type(&t, "nL");
    ok(wait_for(&t, "limits of github"), "n leaves it, L opens the limits");
    type(&t, "\033");
    take_for(&t, 200);
    save_and_compare(&t, "after dialogs");
    type(&t, "q");
    ok(WEXITSTATUS(wait_end(&t)) == 0, "q leaves with 0");
    ok(!t.alternate && t.cursor_visible, "the screen and the cursor are given back");
    ok(modes_restored(&t), "the modes are given back");
    ok(only_harmless(&t.out), "only harmless sequences went out");
    close_terminal(&t);
}

static void test_resize(const char *socket)
{
    static const int sizes[][2] = {{160, 50}, {80, 24},  {40, 8}, {20, 5},
                                   {1, 1},    {200, 60}, {81, 25}};
    struct terminal t;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "GitHub MCP Server"), "it is up");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct winsize ws = {.ws_col = (unsigned short)sizes[i][0],
                             .ws_row = (unsigned short)sizes[i][1]};
        t.w = sizes[i][0];
        t.h = sizes[i][1];
        vterm_set_size(t.vt, t.h, t.w);
        ioctl(t.fd, TIOCSWINSZ, &ws);
        take_for(&t, 300);
        if (t.w >= 40)
            save_and_compare(&t, "resized");
    }
    type(&t, "q");
    ok(WEXITSTATUS(wait_end(&t)) == 0, "q leaves with 0");
    close_terminal(&t);
}

static double cpu_seconds(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/schedstat", pid);
    FILE *f = fopen(path, "re");
    unsigned long long ns = 0;

    if (f && fscanf(f, "%llu", &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return (double)ns / 1e9;
}

/* O_NONBLOCK on the view's stdout. */
static bool is_nonblocking(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/fdinfo/1", (int)pid);
    char text[256] = "", *flags;
    FILE *f = fopen(path, "re");

    if (f && fread(text, 1, sizeof(text) - 1, f) == 0)
        text[0] = '\0';
    if (f)
        fclose(f);
    flags = strstr(text, "flags:");
    return flags && (strtol(flags + 6, NULL, 8) & O_NONBLOCK);
}

static bool wait_nonblocking(struct terminal *t, bool want)
{
    for (int i = 0; i < 100 && is_nonblocking(t->pid) != want; i++)
        take(t, 50);
    return is_nonblocking(t->pid) == want;
}

/* ncurses writes in a tight loop where a terminal that stands does not block it. */
static void test_nonblocking(const char *socket)
{
    struct terminal t;

    begins_nonblocking = true;
    open_view(&t, 80, 24, socket);
    begins_nonblocking = false;
    ok(wait_for(&t, "GitHub MCP Server"), "it is up");
    ok(!is_nonblocking(t.pid), "the view's terminal blocks");
    kill(t.pid, SIGTSTP);
    ok(wait_nonblocking(&t, true), "while it is stopped it is as it was found");
    take_for(&t, 200);
    kill(t.pid, SIGCONT);
    ok(wait_nonblocking(&t, false), "and blocks again when it goes on");
    type(&t, "q");
    ok(WEXITSTATUS(wait_end(&t)) == 0, "q leaves with 0");
    close_terminal(&t);
}

static void test_idle(void)
{
    AUTO_FREE char *socket = xasprintf("%s/idle.sock", dir);
    pid_t helper = start_double(socket, (const char *[]){"--figures", "--servers", "50", NULL});
    struct terminal t;
    size_t before;
    double cpu;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "server-00"), "50 servers are shown");
    take_for(&t, 1500);
    before = t.bytes;
    cpu = cpu_seconds(t.pid);
    take_for(&t, 8000);
    cpu = cpu_seconds(t.pid) - cpu;
    printf("# idle, every figure of 50 servers changes each second: %zu B/s, %.3f %% of a core\n",
           (t.bytes - before) / 8, cpu / 8 * 100);
    ok((t.bytes - before) / 8 <= 400, "50 busy servers: at most 400 B/s (%zu)",
       (t.bytes - before) / 8);
    save_and_compare(&t, "50 servers");
    type(&t, "q");
    wait_end(&t);
    close_terminal(&t);
    stop_double(helper);
}

static void test_quiet(const char *socket)
{
    struct terminal t;
    size_t before;
    double cpu;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "GitHub MCP Server"), "it is up");
    take_for(&t, 1500);
    before = t.bytes;
    cpu = cpu_seconds(t.pid);
    take_for(&t, 4000);
    printf("# idle: %.3f %% of a core\n", (cpu_seconds(t.pid) - cpu) / 4 * 100);
    ok((t.bytes - before) / 4 <= 200, "idle: at most 200 B/s (%zu)", (t.bytes - before) / 4);
    type(&t, "q");
    wait_end(&t);
    close_terminal(&t);
}

static void test_flood(int rate)
{
    AUTO_FREE char *socket = xasprintf("%s/flood%d.sock", dir, rate);
    AUTO_FREE char *number = xasprintf("%d", rate);
    pid_t helper = start_double(socket, (const char *[]){"--flood", number, NULL});
    struct terminal t;
    size_t before;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "of a flood"), "a log at %d lines/s is shown", rate);
    take_for(&t, 1000);
    before = t.bytes;
    take_for(&t, 5000);
    ok((t.bytes - before) / 5 <= 3 * 1024, "following it takes at most 3 KB/s (%zu)",
       (t.bytes - before) / 5);
    type(&t, "f");
    ok(wait_for(&t, "paused"), "f pauses");
    kill(helper, SIGSTOP);
    take_for(&t, 300);
    save_and_compare(&t, "paused in a flood");
    kill(helper, SIGCONT);
    type(&t, "q");
    ok(WEXITSTATUS(wait_end(&t)) == 0, "q leaves with 0");
    close_terminal(&t);
    stop_double(helper);
}

static void test_end(const char *socket, int sig)
{
    struct terminal t;
    int status;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "GitHub MCP Server"), "it is up");
    ok(t.alternate && !modes_restored(&t), "it has the terminal");
    kill(t.pid, sig);
    status = wait_end(&t);
    /* a sanitizer makes an exit status of a SIGSEGV */
    ok((WIFSIGNALED(status) && WTERMSIG(status) == sig) ||
           (sig == SIGSEGV && WEXITSTATUS(status)),
       "%s ends it by that signal", strsignal(sig));
    ok(!t.alternate && t.cursor_visible, "%s: the screen and the cursor are given back",
       strsignal(sig));
    ok(modes_restored(&t), "%s: the modes are given back", strsignal(sig));
    close_terminal(&t);
}

/* Keys typed into a terminal that does not read are thrown away; the view comes back when it reads
 * again. */
static void test_stall(void)
{
    AUTO_FREE char *socket = xasprintf("%s/stall.sock", dir);
    AUTO_FREE char *asked = xasprintf("%s.asked", socket);
    pid_t helper = start_double(socket, (const char *[]){"--flood", "2000", NULL});
    struct terminal t;
    struct stat st;

    open_view(&t, 80, 24, socket);
    ok(wait_for(&t, "of a flood"), "it is up");
    /* nobody reads: the pty fills, the view stands in a write */
    for (int i = 0; i < 60; i++) {
        if (i < 40)
            type(&t, "\f");
        usleep(60000);
    }
    type(&t, "ry");
    usleep(300000);
    take_for(&t, 2500);
    ok(shows(&t, "following"), "it goes on after the stall");
    ok(stat(asked, &st) < 0, "keys typed into the stall did nothing");
    kill(t.pid, SIGTERM);
    wait_end(&t);
    close_terminal(&t);
    stop_double(helper);
}

static void run_in_shell(struct terminal *t, const char *before, const char *socket,
                         const char *words)
{
    const char *program = getenv("MCPTOP");
    AUTO_FREE char *command = xasprintf("%s exec %s --socket %s %s", before,
                                        program ? program : "./mcptop", socket, words);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};

    open_terminal(t, 80, 24, argv);
}

static void test_unknown_terminal(const char *socket)
{
    struct terminal t;
    int status;

    run_in_shell(&t, "TERM=no-such", socket, "");
    status = wait_end(&t);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 1 && shows(&t, "no-such"),
       "an unknown TERM is one line that names it");
    close_terminal(&t);
}

static void test_wrong_color(const char *socket)
{
    struct terminal t;
    int status;

    run_in_shell(&t, "", socket, "--color sometimes");
    status = wait_end(&t);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 2 &&
           shows(&t, "--color is \"auto\" or \"never\", and not \"sometimes\""),
       "a colour that is none is named");
    close_terminal(&t);
}

/* The frame stays there when the view ends; the shell's prompt comes into its last row. */
static void test_no_alternate_screen(const char *socket)
{
    struct terminal t;

    run_in_shell(&t, "TERM=vt100", socket, "");
    ok(wait_for(&t, "GitHub MCP Server") && shows(&t, "q leave"), "it is up on a vt100");
    type(&t, "q");
    ok(WEXITSTATUS(wait_end(&t)) == 0 && shows(&t, "GitHub MCP Server"), "its last frame stays");
    ok(!shows(&t, "q leave"), "but not the key bar, where the prompt comes");
    close_terminal(&t);
}

int main(void)
{
    AUTO_FREE char *socket = NULL;
    AUTO_FREE char *clean = NULL;
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGSEGV};
    struct rlimit no_core = {0, 0};
    pid_t helper;

    setrlimit(RLIMIT_CORE, &no_core);
    tap_deadline(240);
    if (!mkdtemp(dir))
        return 1;
    setenv("HOME", dir, 1);         /* whatever goes wrong, the user's own is not touched */
    socket = xasprintf("%s/s.sock", dir);
    helper = start_double(socket, NULL);
    test_paint(socket);
    test_resize(socket);
    test_quiet(socket);
    test_unknown_terminal(socket);
    test_wrong_color(socket);
    test_no_alternate_screen(socket);
    test_nonblocking(socket);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        test_end(socket, signals[i]);
    stop_double(helper);
    test_idle();
    test_flood(20);
    test_flood(10000);
    test_stall();
    clean = xasprintf("rm -rf %s", dir);
    ok(system(clean) == 0, "tidy");
    return done_testing();
}
