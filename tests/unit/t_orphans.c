/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict on containers that may be left behind, case by case; and who is connected to a
 * socket, on real ones. */
#include "supervisor/orphans.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

enum { CREATED_MS = 1000000, BEFORE_MS = CREATED_MS - 2000, AFTER_MS = CREATED_MS + 60000 };

static struct orphan_subject subject(void)
{
    return (struct orphan_subject){
        .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .name = "clever_name", .image = "ghcr.io/x/y:1", .created_wall_ms = CREATED_MS, .cpu_percent = 0.1,
    };
}

static struct unix_client client(int64_t started_ms, bool connected, const char *words)
{
    struct unix_client c = {.pid = 4711, .started_wall_ms = started_ms, .connected = connected};
    AUTO_FREE char *copy = xstrdup(words);
    char *save = NULL;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        strvec_add(&c.argv, w);
    return c;
}

/* The verdict beside one such client. */
static bool orphan_beside(struct unix_client c, struct orphan_subject s, const char *name)
{
    struct unix_clients clients = {.v = &c, .n = 1};
    orphans_judge(&s, &clients, NULL, NULL);
    printf("# %s: %.*s …\n", name, (int)strcspn(buf_str(&s.evidence), "\n"),
           buf_str(&s.evidence));
    buf_fini(&s.evidence);
    strvec_fini(&c.argv);
    return s.orphan;
}

static void test_commands(void)
{
    static const struct {
        const char *words;
        int64_t started_ms;
        bool orphan;
        const char *name;
    } rows[] = {
        {"docker run -i --rm ghcr.io/x/y:1", BEFORE_MS, false, "the command that can have made it"},
        {"docker run -i --rm ghcr.io/x/y:1", AFTER_MS, true, "one that is younger made another"},
        {"docker run -i --rm ghcr.io/x/y:2", BEFORE_MS, true, "so did one with another image"},
        {"podman run -i y:1", BEFORE_MS, false, "the end of its whole name"},
        {"podman run -i x/y:1 sh", BEFORE_MS, false, "more of it"},
        {"podman run -i /y:1", BEFORE_MS, true, "no name of an image"},
        {"docker run -i z/y:1", BEFORE_MS, true, "one of another name"},
        {"docker run -i --name clever_name ghcr.io/x/y:1", BEFORE_MS, false, "its name"},
        {"docker run -i --name=other ghcr.io/x/y:1", BEFORE_MS, true, "another name"},
        {"/usr/bin/podman run -i ghcr.io/x/y:1", BEFORE_MS, false, "podman's"},
        {"docker logs -f clever_name", BEFORE_MS, true, "one that only watches"},
        {"docker events", BEFORE_MS, true, "another that only watches"},
        {"docker attach clever_name", AFTER_MS, false, "attached later, by name"},
        {"docker start -ai 0123456789ab", AFTER_MS, false, "attached later, by id"},
        {"docker attach other", AFTER_MS, true, "attached to another"},
        {"python3 agent.py", BEFORE_MS, false, "any program that is connected since before"},
        {"python3 agent.py", AFTER_MS, true, "but not one that came later"},
        {"docker system dial-stdio", BEFORE_MS, false, "the near end of a docker -H ssh://"},
        {"mcptop serve", BEFORE_MS, true, "another mcptop holds what has its label"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ok(orphan_beside(client(rows[i].started_ms, true, rows[i].words), subject(),
                         rows[i].words) == rows[i].orphan, "%s", rows[i].name);
    struct orphan_subject managed = subject();
    managed.managed = true;
    ok(!orphan_beside(client(BEFORE_MS, true, "/opt/mcptop serve"), managed, "managed"),
       "as this one has");
    ok(!orphan_beside(client(BEFORE_MS, false, "docker run -i ghcr.io/x/y:1"), subject(), "unseen"),
       "a command of somebody whose connections do not show counts, too");
}

static void test_doubt(void)
{
    struct orphan_subject s = subject();
    struct unix_clients nobody = {0}, unseen = {.unseen = 2}, elsewhere = {.elsewhere = 1};
    orphans_judge(&s, &nobody, NULL, NULL);
    ok(s.orphan, "nobody is there");
    ok(strstr(buf_str(&s.evidence), "made by `docker run -i`"), "and the evidence says so");
    orphans_judge(&s, &unseen, NULL, NULL);
    ok(!s.orphan, "somebody who does not show");
    is_str(buf_str(&s.evidence), "2 connections to the engine are of programs that do not show "
           "here: one may hold its input", "is told");
    orphans_judge(&s, &elsewhere, NULL, NULL);
    ok(!s.orphan, "somebody in another network namespace");
    is_str(buf_str(&s.evidence), "1 connection to the engine comes from another network namespace "
           "(a container that has its socket): one may hold its input", "is told, too");
    orphans_judge(&s, &nobody, NULL, "it has another door");
    ok(!s.orphan, "an engine with another door");
    is_str(buf_str(&s.evidence), "who holds its input cannot be told: it has another door",
           "is told, too");
    orphans_judge(&s, NULL, NULL, "no such list");
    ok(!s.orphan, "nothing is known");
    is_str(buf_str(&s.evidence), "who holds its input cannot be told: no such list",
           "is told, too");
    s.cpu_percent = 3;
    orphans_judge(&s, &nobody, NULL, NULL);
    ok(!s.orphan && strstr(buf_str(&s.evidence), "but busy: 3.0 %"), "one that works");
    s.cpu_percent = -1;
    orphans_judge(&s, &nobody, NULL, NULL);
    ok(!s.orphan, "one whose use is not known");
    buf_fini(&s.evidence);
}

static struct unix_client with_ended(struct unix_client c, unsigned ended)
{
    c.ended = ended;
    return c;
}

/* Where it is known whether the input has ended. */
static void test_inputs(void)
{
    static const char run[] = "docker run -i --rm ghcr.io/x/y:1";
    static const struct {
        const char *words;
        bool connected;
        unsigned ended;
        bool orphan_if_ended, orphan_if_open;
        const char *name;
    } rows[] = {
        {run, true, 0, true, false, "a docker run that has ended no input holds one that is open"},
        {run, true, 1, false, false, "one that has may wait for a container whose input has"},
        {run, false, 0, false, false, "one whose connections do not show may be anything"},
        {"traefik --providers.docker", true, 0, true, false, "what only watches has ended no input"},
        {"gitlab-runner run", true, 1, false, false, "what has may wait for the output"},
        {"docker attach clever_name", true, 0, false, false, "who is attached by name reads it"},
        {"docker system dial-stdio", true, 0, true, false, "the near end of a docker elsewhere"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct orphan_subject s = subject();
        s.input = INPUT_ENDED;
        ok(orphan_beside(with_ended(client(BEFORE_MS, rows[i].connected, rows[i].words), rows[i].ended), s,
                         "ended") == rows[i].orphan_if_ended, "%s: ended", rows[i].name);
        s.input = INPUT_OPEN;
        ok(orphan_beside(with_ended(client(BEFORE_MS, rows[i].connected, rows[i].words), rows[i].ended), s,
                         "open") == rows[i].orphan_if_open, "%s: open", rows[i].name);
    }
    struct orphan_subject s = subject();
    struct unix_client c = client(BEFORE_MS, true, "/usr/bin/traefik");
    struct unix_clients watcher = {.v = &c, .n = 1, .unseen = 2}, waiting = {.unseen = 2, .unseen_ended = 1},
                        far = {.elsewhere = 1, .elsewhere_name = "portainer"};
    s.input = INPUT_ENDED;
    orphans_judge(&s, &watcher, NULL, NULL);
    ok(s.orphan, "connections that do not show, and have ended nothing");
    is_str(buf_str(&s.evidence), "made by `docker run -i` or alike: its input came from that command alone\n"
           "its input has ended: nothing can be sent to it any more\n"
           "no program on this machine is left that can be that command\n"
           "traefik (pid 4711) is connected to the engine, but has ended no container's input\n"
           "idle: 0.1 % of a core in the last second", "all that was found is told");
    orphans_judge(&s, &waiting, NULL, NULL);
    ok(!s.orphan && strstr(buf_str(&s.evidence), "1 connection to the engine is of programs that do not show "
       "here: one may wait for its output"), "one that has: %s", buf_str(&s.evidence));
    orphans_judge(&s, &far, NULL, NULL);
    ok(!s.orphan, "nor where nobody may look");
    is_str(buf_str(&s.evidence), "1 connection to the engine comes from another network namespace (a container "
           "that has its socket; there runs portainer): one may wait for its output", "the doubt is named");
    buf_fini(&s.evidence);
    strvec_fini(&c.argv);
}

/* A docker run has one container. */
static void test_others(void)
{
    enum { HOUR_MS = 3600 * 1000 };
    struct orphan_other v[] = {
        {"aaaa", "first", "ghcr.io/x/y:1", CREATED_MS - HOUR_MS + 1000},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "clever_name",
         "ghcr.io/x/y:1", CREATED_MS},
    };
    struct orphan_other twins[] = {v[0], v[1], v[0]};
    strcpy(twins[2].id, "bbbb");
    struct orphan_others both = {v, 2}, alone = {v + 1, 1}, three = {twins, 3};
    static const struct {
        const char *words;
        int64_t started_ms;
        bool others, orphan;
        const char *name;
    } rows[] = {
        {"docker run -i ghcr.io/x/y:1", CREATED_MS - HOUR_MS, true, true,
         "it made the one that is as old as itself"},
        {"docker run -i ghcr.io/x/y:1", CREATED_MS - HOUR_MS, false, false,
         "without that one it may have waited for the image"},
        {"docker run -i ghcr.io/x/y:1", CREATED_MS - 1000, true, false, "it is as old as this one"},
        {"docker run -i ghcr.io/x/y:1", CREATED_MS - HOUR_MS / 2, true, false, "as old as neither"},
        {"docker run -i --pull=always ghcr.io/x/y:1", CREATED_MS - HOUR_MS, true, false,
         "with --pull it may have waited"},
        {"docker run -i --name clever_name ghcr.io/x/y:1", CREATED_MS - HOUR_MS, true, false,
         "it names this one"},
        {"docker run -i ghcr.io/x/y:1", 0, true, false, "its age is not known"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct unix_client c = client(rows[i].started_ms, true, rows[i].words);
        struct unix_clients clients = {.v = &c, .n = 1};
        struct orphan_subject s = subject();
        orphans_judge(&s, &clients, rows[i].others ? &both : &alone, NULL);
        ok(s.orphan == rows[i].orphan, "%s", rows[i].name);
        if (s.orphan)
            ok(strstr(buf_str(&s.evidence), "\ndocker (pid 4711) runs the same image, but made first\n"),
               "which is told");
        buf_fini(&s.evidence);
        strvec_fini(&c.argv);
    }
    struct unix_client c = client(CREATED_MS - HOUR_MS, true, "docker run -i ghcr.io/x/y:1");
    struct unix_clients clients = {.v = &c, .n = 1};
    struct orphan_subject s = subject();
    orphans_judge(&s, &clients, &three, NULL);
    ok(s.orphan && strstr(buf_str(&s.evidence), "runs the same image, but made one that is as old as itself\n"),
       "which of two is not known, and not said");
    buf_fini(&s.evidence);
    strvec_fini(&c.argv);
}

static void test_process_input(void)
{
    int in[2], up[2];
    char byte;
    if (pipe(in) || pipe(up))
        bail_out("no pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        close(in[0]);
        close(in[1]);
        if (write(up[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(in[0]);
    ok(read(up[0], &byte, 1) == 1, "a child reads a pipe");
    is_int(process_input(child, ""), INPUT_OPEN, "which we can write into");
    ok(write(in[1], "x", 1) == 1, "and do");
    is_int(process_input(child, ""), INPUT_OPEN, "still");
    is_int(process_input(child, "no such group"), INPUT_UNKNOWN, "another process of that number");
    close(in[1]);
    is_int(process_input(child, ""), INPUT_ENDED, "no more, though a byte is left to be read");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    is_int(process_input(child, ""), INPUT_UNKNOWN, "it has gone");
    is_int(process_input(0, ""), INPUT_UNKNOWN, "the engine did not tell");
}

/* Of such a one the kernel does not tell who opens it later that its writers have gone. */
static void test_input_of_a_fifo(void)
{
    char dir[] = "/tmp/t_orphans.XXXXXX", path[64], byte;
    int up[2];
    if (!mkdtemp(dir) || pipe(up))
        bail_out("no directory");
    snprintf(path, sizeof path, "%s/in", dir);
    if (mkfifo(path, 0600))
        bail_out("no FIFO");
    pid_t child = fork();
    if (child == 0) {
        int in = open(path, O_RDONLY | O_NONBLOCK);
        if (in >= 0 && dup2(in, 0) == 0 && write(up[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    ok(read(up[0], &byte, 1) == 1, "a child reads a FIFO that has a name");
    is_int(process_input(child, ""), INPUT_UNKNOWN, "whether anybody writes into it is not told");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ok(unlink(path) == 0 && rmdir(dir) == 0, "cleaned up");
}

/* The engine's command line, and what its file says. */
static bool has_door(const char *words, const char *file, json_t *info, pid_t listener, char *ret,
                     size_t n)
{
    char path[] = "/tmp/t_orphans.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, file, strlen(file)) != (ssize_t)strlen(file))
        bail_out("no file");
    close(fd);
    AUTO_FREE char *line = xasprintf("%s --config-file %s", words, path);
    struct unix_client c = client(BEFORE_MS, false, line);
    struct unix_clients clients = {.v = &c, .n = 1, .listener = listener};
    *ret = '\0';
    bool found = orphans_other_door(info, &clients, ret, n);
    strvec_fini(&c.argv);
    unlink(path);
    json_decref(info);
    return found;
}

static void test_doors(void)
{
    char text[200];
    size_t n = sizeof text;
    static const char *const warned = "WARNING: API is accessible on http://0.0.0.0:2375 without "
                                      "encryption.\n  Access to the remote API …";
    ok(!has_door("/usr/bin/dockerd -H fd://", "", NULL, 1, text, n), "one door");
    ok(has_door("/usr/bin/dockerd -H fd://", "{\"hosts\":[\"fd://\",\"tcp://0.0.0.0:2376\"]}", NULL,
                1, text, n), "a second one in its file");
    is_str(text, "the engine takes clients at tcp://0.0.0.0:2376, too, and they may be on any "
           "machine", "is named");
    ok(has_door("dockerd --host=tcp://127.0.0.1:2376 -H unix:///x", "", NULL, 4711, text, n),
       "on its command line");
    ok(!has_door("dockerd --host=tcp://127.0.0.1:2376 -H unix:///x", "", NULL, 5, text, n),
       "another engine's");
    ok(!has_door("dockerd-not -H tcp://127.0.0.1:2376", "", NULL, 4711, text, n), "no engine's");
    ok(has_door("podman", "", json_pack("{s:[s,s]}", "Warnings", "No swap limit", warned), 1, text,
                n), "by its own warning");
    ok(strstr(text, " at http://0.0.0.0:2375, too"), "%s", text);
    ok(!has_door("podman", "", json_pack("{s:n}", "Warnings"), 1, text, n), "no warning");
}

static int listener(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(at.sun_path, path);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 8))
        bail_out("no socket");
    return fd;
}

static int connected(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(to.sun_path, path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to))
        bail_out("no connection");
    return fd;
}

static void scan(const char *path, struct unix_clients *ret)
{
    static const char *const programs[] = {"no-such-program", NULL};
    struct fault f = FAULT_NONE;
    struct unix_scan *s = unix_scan_new(path, programs, &f);
    ok(s != NULL, "a scan of %s: %s", path, f.text);
    while (s && unix_scan_step(s, 3))
        ;
    *ret = (struct unix_clients){0};
    if (s)
        unix_scan_take(s, ret);
    unix_scan_free(s);
}

/* What a container does that has the socket. */
static void test_elsewhere(void)
{
    char dir[] = "/tmp/t_orphans.XXXXXX", path[64], byte;
    struct unix_clients c;
    int up[2];
    if (!mkdtemp(dir) || pipe(up))
        bail_out("no directory");
    snprintf(path, sizeof path, "%s/s", dir);
    int door = listener(path);
    pid_t child = fork();
    if (child == 0) {
        bool apart = unshare(CLONE_NEWNET) == 0;
        if (apart)
            shutdown(connected(path), SHUT_WR);
        if (write(up[1], apart ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    if (read(up[0], &byte, 1) != 1 || byte != 'y') {
        skip("no right to make a network namespace");
    } else {
        scan(path, &c);
        ok(c.n == 0 && c.elsewhere == 1 && *c.elsewhere_name,
           "a client in another network namespace that was not let in yet counts: %zu, %s", c.elsewhere,
           c.elsewhere_name);
        unix_clients_fini(&c);
        int inside = accept(door, NULL, NULL);
        scan(path, &c);
        close(inside);
        /* Who could make the namespace may go there. */
        ok(c.n == 1 && c.unseen == 0 && c.elsewhere == 0 && c.listener == getpid(),
           "a client in another network namespace is found: %zu, %zu", c.n, c.elsewhere);
        ok(c.n == 1 && c.v[0].pid == child && c.v[0].ended == 1, "and that it has ended its direction");
        unix_clients_fini(&c);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = 0;
        scan(path, &c);
        is_int((long)(c.n + c.unseen + c.elsewhere), 0, "and no more when it is dead");
        unix_clients_fini(&c);
    }
    if (child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(door);
    unlink(path);
    rmdir(dir);
}

static void test_scan(void)
{
    char dir[] = "/tmp/t_orphans.XXXXXX", path[64], link[64];
    struct unix_clients c;
    struct fault f = FAULT_NONE;
    int up[2];
    if (!mkdtemp(dir) || pipe(up))
        bail_out("no directory");
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(link, sizeof link, "%s/l", dir);
    int door = listener(path), own = connected(path), inside[2] = {accept(door, NULL, NULL)};
    ok(symlink(path, link) == 0, "a link to it");
    scan(path, &c);
    ok(c.n == 0 && c.unseen == 0, "our own connection does not count");
    unix_clients_fini(&c);
    pid_t child = fork();
    if (child == 0) {
        connected(path);
        if (write(up[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    char byte;
    ok(read(up[0], &byte, 1) == 1, "a child is connected");
    inside[1] = accept(door, NULL, NULL);
    int64_t now = clock_wall_ms();
    scan(link, &c);
    ok(c.n == 1 && c.unseen == 0 && c.v[0].pid == child && c.v[0].connected && c.v[0].argv.n > 0,
       "it is found, by a link to the socket, too: %zu clients, %zu unseen", c.n, c.unseen);
    is_int(c.n == 1 ? (long)c.v[0].ended : -1, 0, "with its connection open both ways");
    ok(c.n == 1 && c.v[0].started_wall_ms > now - 60000 && c.v[0].started_wall_ms < now + 1000,
       "with its age");
    unix_clients_fini(&c);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    scan(path, &c);
    ok(c.n == 0 && c.unseen == 0, "and is no client any more when it is dead");
    unix_clients_fini(&c);
    close(own);
    close(door);
    close(inside[0]);
    close(inside[1]);
    unlink(path);
    ok(!unix_scan_new(path, orphans_programs, &f) && strstr(f.text, path), "no socket: %s", f.text);
    unlink(link);
    rmdir(dir);
}

int main(void)
{
    test_commands();
    test_doubt();
    test_inputs();
    test_others();
    test_process_input();
    test_input_of_a_fifo();
    test_doors();
    test_scan();
    test_elsewhere();
    return done_testing();
}
