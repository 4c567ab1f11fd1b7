/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers that another program on this machine runs as well. */
#ifndef MCPTOP_DIAGNOSE_DUPLICATES_H
#define MCPTOP_DIAGNOSE_DUPLICATES_H

#include "diagnose/finding.h"

/* Appends one finding a server. Takes a few milliseconds: when somebody asks, not in every turn. */
void duplicates_find(const struct fleet *fl, struct findings *out);

#endif
