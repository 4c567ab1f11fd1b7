/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What words.c (the table of rules) and its rules share: words_network.c (resolvers, connections,
 * certificates), words_variable.c (keys that env does not give), words_tool.c (programs),
 * words_missing.c (packages, files, modules, libraries). A rule is asked with each line that has
 * one of its words, the latest first, until it makes a finding of one; it says false to those that
 * tell it nothing. Private to these. */
#ifndef MCPTOP_DIAGNOSE_WORDS_RULES_H
#define MCPTOP_DIAGNOSE_WORDS_RULES_H

#include "diagnose/diagnose_internal.h"

struct match {
    const struct symptoms *s;
    struct findings *fs;
    uint64_t seq;
    const char *line;
    const struct strvec *lines;      /* all that are read, the latest first; `line` is at [at] */
    size_t at;
};

/* The finding, with the line as its evidence. */
struct finding *words_told(const struct match *m, enum finding_kind kind, bool guess,
                           const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool words_boxed(const struct match *m);             /* it runs in a container */
/* Does the line have one of them, in any case? NULL ends the list. */
bool words_have(const char *line, const char *const *words);
/* Does any line that is read? */
bool words_anywhere(const struct match *m, const char *word);
/* The word that ends before `end`, without quotes and colons; the one that begins at `p`. What
 * stands after `words`, in quotes or up to a space; NULL = they are not there. The caller's. */
char *words_before(const char *line, const char *end);
char *words_after(const char *p);
char *words_piece(const char *line, const char *words);
bool words_docker_in_docker(const struct match *m);

bool network_failed(const struct match *m);
bool network_certificate(const struct match *m);
bool variable_missing(const struct match *m);
bool tool_client(const struct match *m);
bool tool_missing(const struct match *m);
bool tool_runner(const struct match *m);
bool tool_browser(const struct match *m);
bool tool_node(const struct match *m);
bool missing_package(const struct match *m);
bool missing_version(const struct match *m);
bool missing_python(const struct match *m);
bool missing_script(const struct match *m);
bool missing_project(const struct match *m);
bool missing_module(const struct match *m);
bool missing_library(const struct match *m);
bool missing_half(const struct match *m);
bool missing_build(const struct match *m);
bool missing_dependency(const struct match *m);
bool missing_node_module(const struct match *m);

#endif
