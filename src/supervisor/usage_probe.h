/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two kinds of probes share; private to usage*.c. */
#ifndef MCPTOP_SUPERVISOR_USAGE_PROBE_H
#define MCPTOP_SUPERVISOR_USAGE_PROBE_H

#include <stddef.h>
#include "supervisor/usage.h"

struct usage_tree;
struct usage_tree *usage_tree_new(const char *root, pid_t pid);
void usage_tree_free(struct usage_tree *t);
bool usage_tree_sample(struct usage_tree *t, int64_t now_ms, struct usage *u);

struct usage_cgroup;
struct usage_cgroup *usage_cgroup_new(const char *root, pid_t pid, const char *container_id);
void usage_cgroup_free(struct usage_cgroup *c);
bool usage_cgroup_sample(struct usage_cgroup *c, int64_t now_ms, struct usage *u);
void usage_cgroup_refresh(struct usage_cgroup *c);

/* The whole of a small file that is kept open, read again from its start; NUL-terminated. -1
 * when it cannot be read. */
long usage_pread(int fd, char *out, size_t n);
/* Opens ROOT + path (printf); -1 when it cannot. */
int usage_open(const char *root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The number after "key " at the start of a line; -1 when absent. */
int64_t usage_field(const char *text, const char *key);

#endif
