/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files that make findings share. Private to this room. */
#ifndef MCPTOP_DIAGNOSE_DIAGNOSE_INTERNAL_H
#define MCPTOP_DIAGNOSE_DIAGNOSE_INTERNAL_H

#include "diagnose/symptoms.h"

/* causes.c: why it ended or could not start, by what the system and the engine tell. */
bool cause_of_start(const struct symptoms *s, struct findings *fs);
const char *cause_program(const struct symptoms *s);         /* what is run, "" = not known */
/* "npx -y pkg" as the command: told in f, with the way out. */
bool cause_in_command(const struct symptoms *s, struct finding *f);
/* meant.c: what was meant by config.command, where that is misspelt: a fix, or a step that names
 * several; an entry of the file system that is nearly this path: a step. */
void meant_command(const struct symptoms *s, struct finding *f);
void meant_path_step(const struct symptoms *s, struct finding *f, const char *path);
/* causes_engine.c */
bool cause_of_container(const struct symptoms *s, struct findings *fs);
bool cause_of_engine(const struct symptoms *s, struct findings *fs);
bool cause_of_oom(const struct symptoms *s, struct findings *fs);
bool cause_of_kill(const struct symptoms *s, struct findings *fs);
/* it has not ended, and is not ready for long */
bool cause_of_slowness(const struct symptoms *s, struct findings *fs);
/* … and where nothing more is known than how it ended */
void cause_of_end(const struct symptoms *s, struct findings *fs);

/* … a directory of isolation.volumes that is not there */
struct finding *tell_no_volume(const struct symptoms *s, struct findings *fs, const char *path);

/* expected.c: what the plan tells of a start that is still to come or under way. */
void expected_of_plan(const struct symptoms *s, struct findings *fs);
/* A runner that fetches its package in a container without a network. unless: " unless …" */
bool network_cuts_off(const struct symptoms *s);
struct finding *tell_cut_off(const struct symptoms *s, struct findings *fs, const char *unless);

/* words.c: by what it wrote to stderr. */
bool words_say(const struct symptoms *s, struct findings *fs);
/* A line of the run, made harmless, that holds `needle` (any case), the latest of the last ones; ""
 * matches any that is not empty. 0 = none, else its number. */
uint64_t words_find(const struct symptoms *s, enum ring_stream stream, const char *needle,
                    struct buf *ret_line);
/* The latest line of stderr that fits(); as above. */
uint64_t words_find_if(const struct symptoms *s, bool (*fits)(const char *line, const void *ctx),
                       const void *ctx, struct buf *ret_line);
/* The last lines of stderr as evidence. */
void words_last(const struct symptoms *s, struct finding *f, int lines);

/* files.c: the next absolute path in a line, and *at moved behind it. The caller's; NULL = there is
 * none. */
char *files_next_path(const char **at);
/* Paths of the host that the container lacks. exact: only what a line of stderr names. */
bool files_missing(const struct symptoms *s, struct findings *fs, bool exact);
/* One that it has, but may not write; one that a line of stderr misses, wherever its name
 * stands. */
bool files_read_only(const struct symptoms *s, struct findings *fs);
bool files_named_missing(const struct symptoms *s, struct findings *fs);
/* … and this one, which the line misses, is in the host's working_dir; NULL = whatever it is. */
bool files_in_working_dir(const struct symptoms *s, struct findings *fs, const char *file,
                          uint64_t seq, const char *line);
/* The first argument that is a path of the host and is not mounted; where an image may have one of
 * its own (/usr, /tmp …) it is none. The host's working_dir, where that is not mounted. NULL. */
const char *files_unmounted_argument(const struct symptoms *s);
const char *files_unmounted_working_dir(const struct symptoms *s);
/* The findings about these; there: what of the path exists on the host. seq, line: of stderr, that
 * shows it; 0 = none. */
struct finding *files_tell_not_mounted(const struct symptoms *s, struct findings *fs,
                                       const char *path, const char *there, uint64_t seq,
                                       const char *line);
struct finding *files_tell_working_dir(const struct symptoms *s, struct findings *fs, uint64_t seq,
                                       const char *line);
/* … and those that a server which runs has made for itself instead. */
void standing_of_paths(const struct symptoms *s, struct findings *fs);

/* … and paths that the arguments name and that are nowhere; exact as above. */
bool files_absent(const struct symptoms *s, struct findings *fs, bool exact);

/* denied.c: what the plan's hardening, or its own --read-only and --user, deny the server. */
bool denied_root(const struct symptoms *s, struct findings *fs);
bool denied_user(const struct symptoms *s, struct findings *fs);
/* … whether it has complained yet or not */
void standing_of_mounts(const struct symptoms *s, struct findings *fs);

/* standing.c: what is wrong while it runs, and with its plan. */
/* the plan's first warning about this ("volume"); NULL = none */
const struct plan_note *standing_warning(const struct plan *p, const char *what);
void standing_of_plan(const struct symptoms *s, struct findings *fs);
void standing_of_tools(const struct symptoms *s, struct findings *fs);
void standing_of_run(const struct symptoms *s, struct findings *fs);

/* fixes.c: each appends one to f->fixes. */
void fix_memory(struct finding *f, const struct symptoms *s);
void fix_cpus(struct finding *f, const struct symptoms *s);
void fix_cpus_to(struct finding *f, const struct symptoms *s, double cpus);
void fix_network(struct finding *f, const struct symptoms *s, const char *mode);
void fix_to_host(struct finding *f, const struct symptoms *s);
/* Is this command found on the host, by the server's PATH? why: may be NULL. */
bool fix_host_has(const struct symptoms *s, const char *command, struct fault *why);
void fix_isolate(struct finding *f, const struct symptoms *s);
void fix_mount(struct finding *f, const struct symptoms *s, const char *path, bool read_only);
void fix_image(struct finding *f, const struct symptoms *s, const char *image);
/* The same, of a name that was mistaken: also in the words of a docker run. */
void fix_image_name(struct finding *f, const struct symptoms *s, const char *image);
void fix_pull_policy(struct finding *f, const struct symptoms *s);
void fix_args(struct finding *f, const struct symptoms *s, const struct strvec *args,
              const char *title);
void fix_command(struct finding *f, const struct symptoms *s, const char *command);
void fix_split_command(struct finding *f, const struct symptoms *s);
void fix_ca(struct finding *f, const struct symptoms *s);
void fix_more_time(struct finding *f, const struct symptoms *s);          /* for initialize */
void fix_more_start_time(struct finding *f, const struct symptoms *s);    /* for the engine */
void fix_pids(struct finding *f, const struct symptoms *s);
void fix_tmpfs(struct finding *f, const struct symptoms *s, const char *dir);
void fix_user(struct finding *f, const struct symptoms *s, unsigned uid, unsigned gid,
              const char *path);                /* who owns path */
void fix_standard(struct finding *f, const struct symptoms *s);    /* where hardening is strict */
void fix_retry(struct finding *f, const char *title);

#endif
