/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two hashes of a plan, and what a change of it takes: FNV-1a over its fields, each preceded by
 * its length, so that no two plans meet by moving a byte from one field to the next. Stable between
 * versions as long as the fields are: a label carries it. */
#include <string.h>
#include "isolation/plan_make.h"

static void mix(uint64_t *h, const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ b[i]) * 1099511628211u;
}

static void mix_int(uint64_t *h, int64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)((uint64_t)v >> (8 * i));
    mix(h, b, sizeof(b));
}

static void mix_str(uint64_t *h, const char *s)
{
    mix_int(h, s ? (int64_t)strlen(s) : -1);
    if (s)
        mix(h, s, strlen(s));
}

static void mix_kv(uint64_t *h, const struct kvvec *kv)
{
    mix_int(h, (int64_t)kv->n);
    for (size_t i = 0; i < kv->n; i++) {
        mix_str(h, kv->v[i].key);
        mix_str(h, kv->v[i].value);
    }
}

static void mix_mount_rest(uint64_t *h, const struct plan_mount *m)
{
    mix_str(h, m->bind);
    mix_str(h, m->propagation);
    mix_int(h, m->is_tmpfs + m->no_copy * 2);
    mix_int(h, m->tmpfs_bytes);
    mix_int(h, m->tmpfs_mode);
}

static void mix_container(uint64_t *h, const struct plan *p)
{
    mix_str(h, p->image);
    mix_str(h, p->network_mode);
    mix_int(h, (int64_t)p->mount_count);
    for (size_t i = 0; i < p->mount_count; i++) {
        mix_str(h, p->mounts[i].source);
        mix_str(h, p->mounts[i].target);
        mix_int(h, p->mounts[i].is_volume * 2 + p->mounts[i].read_only);
        mix_mount_rest(h, &p->mounts[i]);
    }
    mix_kv(h, &p->container_env);
    if (p->client_env.n)       /* without any the hash is what it was before there could be */
        mix_kv(h, &p->client_env);
    mix_str(h, p->log_driver);
    mix_str(h, p->log_max_size);
    mix_str(h, p->log_max_files);
    mix_kv(h, &p->log_options);
    mix_int(h, p->init + p->adopted * 2 + p->init_denied * 4);
    mix_int(h, (int64_t)p->env_unset.n);
    for (size_t i = 0; i < p->env_unset.n; i++)
        mix_str(h, p->env_unset.v[i]);
    mix_int(h, (int64_t)p->option_count);
    for (size_t i = 0; i < p->option_count; i++) {
        mix_str(h, p->options[i].flag);
        mix_str(h, p->options[i].value);
    }
}

void plan_set_hashes(struct plan *p)
{
    static const uint64_t offset_basis = 14695981039346656037u;
    p->hash = offset_basis;
    mix_int(&p->hash, p->mode);
    mix_str(&p->hash, p->server);
    mix_int(&p->hash, (int64_t)p->argv.n);
    for (size_t i = 0; i < p->argv.n; i++)
        mix_str(&p->hash, p->argv.v[i]);
    mix_kv(&p->hash, &p->env);
    mix_str(&p->hash, p->working_dir);
    if (p->mode == PLAN_DOCKER)
        mix_container(&p->hash, p);

    p->live_hash = offset_basis;
    mix_int(&p->live_hash, p->memory_bytes);
    mix_int(&p->live_hash, p->memory_swap_bytes);
    mix_int(&p->live_hash, p->nano_cpus);
    mix_int(&p->live_hash, p->pids_limit);
}

/* Tried on Docker 20.10: NanoCpus 0 and Memory 0 mean "as it is", anything below is refused. A
 * limit of processes is taken away by -1. */
static bool loses_limit(const struct plan *from, const struct plan *to)
{
    return from->mode == PLAN_DOCKER && to->mode == PLAN_DOCKER &&
        ((from->memory_bytes && !to->memory_bytes) || (from->nano_cpus && !to->nano_cpus));
}

enum plan_change plan_change(const struct plan *from, const struct plan *to)
{
    if (from->hash != to->hash || loses_limit(from, to))
        return PLAN_RESTARTS;
    return from->live_hash != to->live_hash ? PLAN_LIVE : PLAN_SAME;
}
