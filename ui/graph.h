/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sparklines and meters in eighth blocks, and the series they show. A series moves in steps of five
 * seconds: a graph that moves every second costs four times the bytes and tells nothing more. */
#ifndef MCPTOP_UI_GRAPH_H
#define MCPTOP_UI_GRAPH_H

#include <stdint.h>
#include "canvas.h"

enum { SERIES_LEN = 120, SERIES_STEP_MS = 5000 };

struct series {
    /* ring of finished steps, each the highest value seen in it; -1 = not known */
    float v[SERIES_LEN];
    int head, count;
    int64_t step;          /* the unfinished step: wall_ms / SERIES_STEP_MS */
    float now;             /* highest of the unfinished step */
    float last;            /* the latest value, which holds until the next one comes */
};

void series_add(struct series *s, int64_t wall_ms, double value);
void series_advance(struct series *s, int64_t wall_ms);    /* finishes the steps that are over */
/* 0 = newest finished; -1 when not known */
double series_at(const struct series *s, int back);
double series_max(const struct series *s);

/* `w` columns of one row; full scale is `scale`. Nothing is drawn where nothing is known. */
void graph_spark(struct canvas *c, int x, int y, int w, enum style st, const struct series *s,
                 double scale);
/* The same over h rows. */
void graph_area(struct canvas *c, struct rect r, enum style st, const struct series *s,
                double scale);
/* A bar of `w` columns filled to `share` (0-1). */
void graph_meter(struct canvas *c, int x, int y, int w, enum style st, double share);

#endif
