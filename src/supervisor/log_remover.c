/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of files and at most one child that deletes them. A child that cannot be started, or did
 * not do its work, is no reason to keep the files: then they are deleted here, and the loop
 * waits. */
#include "supervisor/log_remover.h"

#include <dirent.h>
#include <unistd.h>
#include "base/log_file.h"
#include "base/mem.h"
#include "base/strvec.h"
#include "io/child.h"

enum { FILES_MAX = 256 };        /* of one child: far below what an argument list may hold */

struct log_remover {
    struct ev_loop *loop;
    struct strvec waiting, going;   /* going: what the child has */
    struct child *child;
};

static void remove_here(struct strvec *files)
{
    for (size_t i = 0; i < files->n; i++)
        unlink(files->v[i]);
    strvec_fini(files);
}

static void send_off(struct log_remover *r);

static void on_over(void *ctx, const struct child_exit *x)
{
    struct log_remover *r = ctx;
    (void)x;
    child_free(TAKE(r->child));
    remove_here(&r->going);      /* what rm has left */
    send_off(r);
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    (void)ctx, (void)ch, (void)p, (void)n;
}

static void send_off(struct log_remover *r)
{
    static const struct child_events events = { .stream = { .data = on_data }, .over = on_over };
    static char *const no_env[] = { NULL };
    AUTO_STRVEC struct strvec argv = { 0 };
    if (r->child || !r->waiting.n)
        return;
    r->going = r->waiting;
    r->waiting = (struct strvec){ 0 };
    strvec_add(&argv, "rm");
    strvec_add(&argv, "-f");
    strvec_add(&argv, "--");
    for (size_t i = 0; i < r->going.n && i < FILES_MAX; i++)
        strvec_add(&argv, r->going.v[i]);
    struct child_spec spec = { .argv = argv.v, .envp = no_env };
    r->child = child_spawn(r->loop, &spec, &events, r, NULL);
    if (!r->child)
        remove_here(&r->going);
}

static void on_gone(void *ctx, const char *path)
{
    struct log_remover *r = ctx;
    strvec_add(&r->waiting, path);
    send_off(r);
}

void log_remover_sweep(struct log_remover *r, const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (log_file_is_gone_name(e->d_name))
            strvec_addf(&r->waiting, "%s/%s", dir, e->d_name);
    if (d)
        closedir(d);
    send_off(r);
}

struct log_remover *log_remover_new(struct ev_loop *loop, const char *log_dir)
{
    struct log_remover *r = xcalloc(1, sizeof *r);
    r->loop = loop;
    log_file_set_remover(on_gone, r);
    log_remover_sweep(r, log_dir);
    return r;
}

void log_remover_free(struct log_remover *r)
{
    if (!r)
        return;
    log_file_set_remover(NULL, NULL);
    child_free(r->child);
    remove_here(&r->going);
    remove_here(&r->waiting);
    free(r);
}
