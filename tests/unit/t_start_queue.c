/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who comes when, and who leaves while he waits, has his turn, or is just about to get it. */
#include <ev.h>
#include "supervisor/start_queue.h"
#include "tap.h"

enum { MANY = 6 };

struct one { struct start_place place; int nth; bool leaves; };

static int calls;

static void on_turn(void *ctx)
{
    struct one *o = ctx;
    o->nth = ++calls;
    if (o->leaves)
        start_queue_leave(&o->place);
}

static void loop_once(struct ev_loop *loop)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static void test_order(void)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct start_queue *q = start_queue_new(loop, 2);
    struct one o[MANY] = {0};
    calls = 0;
    for (int i = 0; i < MANY; i++)
        start_queue_enter(q, &o[i].place, on_turn, &o[i]);
    is_int(calls, 2, "so many at once");
    ok(o[0].nth == 1 && o[1].nth == 2, "who comes first has it before start_queue_enter returns");
    start_queue_leave(&o[3].place);
    start_queue_leave(&o[0].place);
    is_int(calls, 2, "nobody is called from another's leaving");
    loop_once(loop);
    ok(calls == 3 && o[2].nth == 3, "the next in the order in which they came");
    start_queue_leave(&o[1].place);
    start_queue_leave(&o[2].place);
    start_queue_leave(&o[4].place);
    loop_once(loop);
    ok(calls == 4 && o[5].nth == 4 && !o[3].nth && !o[4].nth, "who has left is never called");
    start_queue_leave(&o[5].place);
    start_queue_leave(&o[5].place);
    loop_once(loop);
    start_queue_enter(q, &o[3].place, on_turn, &o[3]);
    is_int(o[3].nth, 5, "it may come again");
    start_queue_leave(&o[3].place);
    start_queue_free(q);
    ev_loop_destroy(loop);
}

/* A start may fail on the spot, and its owner may begin another. */
static void test_leaves_in_its_turn(void)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct start_queue *q = start_queue_new(loop, 1);
    struct one o[MANY] = {0};
    calls = 0;
    for (int i = 0; i < MANY; i++) {
        o[i].leaves = i > 0;
        start_queue_enter(q, &o[i].place, on_turn, &o[i]);
    }
    is_int(calls, 1, "one at a time");
    start_queue_leave(&o[0].place);
    for (int i = 0; i < MANY; i++)
        loop_once(loop);
    is_int(calls, MANY, "all come, though each leaves at once");
    start_queue_free(q);
    ev_loop_destroy(loop);
}

static void test_no_overtaking(void)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct start_queue *q = start_queue_new(loop, 1);
    struct one o[3] = {0};
    calls = 0;
    start_queue_enter(q, &o[0].place, on_turn, &o[0]);
    start_queue_enter(q, &o[1].place, on_turn, &o[1]);
    start_queue_leave(&o[0].place);
    start_queue_enter(q, &o[2].place, on_turn, &o[2]);
    is_int(calls, 1, "who comes while the next is on his way queues up");
    loop_once(loop);
    ok(o[1].nth == 2 && !o[2].nth, "and does not overtake him");
    start_queue_leave(&o[1].place);
    start_queue_leave(&o[2].place);
    start_queue_free(q);
    ev_loop_destroy(loop);
    start_queue_free(NULL);
}

int main(void)
{
    test_order();
    test_leaves_in_its_turn();
    test_no_overtaking();
    return done_testing();
}
