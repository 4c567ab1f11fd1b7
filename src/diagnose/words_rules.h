/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What words.c (the table of rules) and words_missing.c (rules about what is not there) share. A
 * rule is asked with the latest line that has one of its words, makes a finding of it or says
 * false. Private to these two. */
#ifndef MCPTOP_DIAGNOSE_WORDS_RULES_H
#define MCPTOP_DIAGNOSE_WORDS_RULES_H

#include "diagnose/diagnose_internal.h"

struct match {
    const struct symptoms *s;
    struct findings *fs;
    uint64_t seq;
    const char *line;
};

/* The finding, with the line as its evidence. */
struct finding *words_told(const struct match *m, enum finding_kind kind, bool guess,
                           const char *sentence);
bool words_docker_in_docker(const struct match *m);

bool missing_tool(const struct match *m);
bool missing_package(const struct match *m);
bool missing_version(const struct match *m);
bool missing_runner(const struct match *m);
bool missing_python(const struct match *m);
bool missing_script(const struct match *m);
bool missing_module(const struct match *m);
bool missing_library(const struct match *m);
bool missing_dependency(const struct match *m);
bool missing_node_module(const struct match *m);

#endif
