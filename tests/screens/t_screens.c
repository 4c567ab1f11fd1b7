/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view without a terminal: recorded API data and a script of keys in, the picture and what was
 * asked of the API out, compared with the text files beside this one. The clock stands still.
 *
 *   UPDATE_SCREENS=1 tests/screens/t_screens    writes the files anew: look at the difference
 * before you commit it
 *
 * A script is keys; <Enter> and the like are named keys, <reply FILE> answers the oldest open
 * question, <event NAME FILE> is an event of the API, <wait MS> moves the clock, <lost> and <up>
 * are the connection, <size WxH> resizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/tap.h"
#include "view.h"

static const int64_t NOW = 1763800000000;

struct screen_case {
    const char *name;
    int w, h;
    const char *script;
    bool styles, readonly, ascii;
};

/* The demo configuration that scripts/start writes, recorded from its supervisor. */
#define DEMO "<event hello demo-hello.json><event log demo-log.json>"

/* The traffic by server asks for the selected one first. */
#define CALLS "<reply error.json><reply calls.json>"

/* With every status what concerns no server is asked for anew. */
#define BUDGET "<event status status-budget.json><reply error.json>"
#define FINDINGS "<reply findings.json>"

static const struct screen_case cases[] = {
    {.name = "demo-80x24", .w = 80, .h = 24, .script = DEMO},
    {.name = "demo-busy", .w = 80, .h = 24, .script = DEMO "<event status status-busy.json>"},
    {.name = "demo-160x50", .w = 160, .h = 50, .script = DEMO},
    {.name = "servers-80x24", .w = 80, .h = 24, .script = "", .styles = true},
    {.name = "servers-160x50", .w = 160, .h = 50, .script = "jjj"},
    {.name = "servers-100x30", .w = 100, .h = 30, .script = "G"},
    {.name = "servers-60x16", .w = 60, .h = 16, .script = ""},
    {.name = "servers-80x10", .w = 80, .h = 10, .script = ""},
    {.name = "servers-40x8", .w = 40, .h = 8, .script = "jjj"},
    {.name = "servers-more-below", .w = 60, .h = 10, .script = "jjj"},
    {.name = "pull-moves", .w = 80, .h = 24, .script = "<event pull pull.json>"},
    {.name = "pull-detail", .w = 80, .h = 24, .script = "<event pull pull.json><Enter>"},
    {.name = "pull-over", .w = 80, .h = 24, .script = "<event pull pull.json><event pull pull-over.json>"},
    {.name = "filter-traffic", .w = 80, .h = 24, .script = "5/e<Enter>"},
    {.name = "tiny-30x6", .w = 30, .h = 6, .script = ""},
    {.name = "tiny-1x1", .w = 1, .h = 1, .script = "jLx"},
    {.name = "log-60x16", .w = 60, .h = 16, .script = "<Tab>"},
    {.name = "ascii-80x24", .w = 80, .h = 24, .script = "", .ascii = true},
    {.name = "containers-80x24", .w = 80, .h = 24, .script = "2jj"},
    {.name = "containers-remove", .w = 80, .h = 24, .script = "2jjdy"},
    {.name = "containers-kept", .w = 80, .h = 24,
     .script = "<event container container-kept.json>2jjd"},
    {.name = "containers-image", .w = 80, .h = 24,
     .script = "<event container container-image.json>2/zz91<Enter>"},
    {.name = "containers-in-use", .w = 80, .h = 24, .script = "2d"},
    {.name = "resources-80x24", .w = 80, .h = 24,
     .script = "3<event usage usage.json><wait 5000><event usage usage2.json><wait 5000>"},
    {.name = "resources-160x50", .w = 160, .h = 50,
     .script = "3<event usage usage.json><wait 5000><event usage usage2.json><wait 5000>"},
    {.name = "events-80x24", .w = 80, .h = 24, .script = "4"},
    {.name = "traffic-80x24", .w = 80, .h = 24, .script = "5"},
    {.name = "detail-calls", .w = 80, .h = 40, .script = "<Enter><reply plan-host.json><reply server-calls.json>"},
    {.name = "calls-asking", .w = 80, .h = 24, .script = "55"},
    {.name = "calls-80x24", .w = 80, .h = 24, .script = "55" CALLS},
    {.name = "calls-160x50", .w = 160, .h = 50,
     .script = "55<reply error.json><reply error.json>" CALLS, .styles = true},
    {.name = "calls-filter", .w = 80, .h = 24, .script = "55" CALLS "/sqlite<Enter>"},
    {.name = "calls-back", .w = 80, .h = 24, .script = "55" CALLS "5"},
    {.name = "calls-again", .w = 80, .h = 24, .script = "55" CALLS "<wait 1100>"},
    {.name = "call-in-flight", .w = 80, .h = 24, .script = "55" CALLS "<Enter>"},
    {.name = "call-open", .w = 80, .h = 24, .script = "55" CALLS "jj<Enter><reply call.json>", .styles = true},
    {.name = "call-open-below", .w = 80, .h = 12, .script = "55" CALLS "jj<Enter><reply call.json>G"},
    {.name = "call-not-recorded", .w = 80, .h = 24, .script = "55" CALLS "jjj<Enter><reply call-not-recorded.json>"},
    {.name = "call-left", .w = 80, .h = 24, .script = "55" CALLS "jj<Enter><reply call.json>?<Esc><Esc>"},
    {.name = "replay-asks", .w = 80, .h = 24, .script = "55" CALLS "jjR"},
    {.name = "replay-no", .w = 80, .h = 24, .script = "55" CALLS "jjR<Enter>"},
    {.name = "replay-waits", .w = 80, .h = 24, .script = "55" CALLS "jjTy"},
    {.name = "replay-differs", .w = 80, .h = 24, .script = "55" CALLS "jjRy<reply replay.json>", .styles = true},
    {.name = "replay-same", .w = 80, .h = 24, .script = "55" CALLS "jj<Enter><reply call.json>Ty<reply replay-same.json>"},
    {.name = "replay-failed", .w = 80, .h = 24, .script = "55" CALLS "jjTy<reply replay-error.json>"},
    {.name = "replay-late", .w = 80, .h = 24, .script = "55" CALLS "jjRy<Esc>j<Enter><reply replay.json>"},
    {.name = "replay-not-recorded", .w = 80, .h = 24, .script = "55" CALLS "jjjR"},
    {.name = "replay-readonly", .w = 80, .h = 24, .script = "55" CALLS "jjR", .readonly = true},
    {.name = "detail-80x24", .w = 80, .h = 24, .script = "jjj<Enter>"},
    {.name = "detail-120x40", .w = 120, .h = 40, .script = "<Enter>"},
    {.name = "help-80x24", .w = 80, .h = 24, .script = "?"},
    {.name = "help-end", .w = 80, .h = 24, .script = "?G"},
    {.name = "help-over-detail", .w = 80, .h = 24, .script = "j<Enter>??"},
    {.name = "help-160x50", .w = 160, .h = 50, .script = "?"},
    {.name = "sort-memory", .w = 80, .h = 24, .script = "m", .styles = true},
    {.name = "marked", .w = 80, .h = 24, .script = "  s", .styles = true},
    {.name = "marked-stop", .w = 80, .h = 24, .script = "  sy"},
    {.name = "key-of-another-pane", .w = 80, .h = 24, .script = "d"},
    {.name = "restart-asks", .w = 80, .h = 24, .script = "r"},
    {.name = "restart-default-no", .w = 80, .h = 24, .script = "r<Enter>"},
    {.name = "restart-idle-at-once", .w = 80, .h = 24, .script = "jjjr"},
    {.name = "start", .w = 80, .h = 24, .script = "GS"},
    {.name = "kill", .w = 80, .h = 24, .script = "K"},
    {.name = "isolate-wait", .w = 80, .h = 24, .script = "jjx"},
    {.name = "isolate-asks", .w = 80, .h = 24, .script = "jjx<reply plan.json>", .styles = true},
    {.name = "isolate-yes", .w = 80, .h = 24, .script = "jjx<reply plan.json>y<reply change.json>"},
    {.name = "isolate-refused", .w = 80, .h = 24, .script = "jjx<reply error.json>"},
    {.name = "limits", .w = 80, .h = 24, .script = "L"},
    {.name = "limits-set", .w = 80, .h = 24, .script = "L<^U>1g<Tab><BS><BS><BS>2<Tab><^U>100<Tab> <Enter>"},
    {.name = "limits-suggested", .w = 80, .h = 24, .script = "L<^T><Enter>"},
    {.name = "limits-tight", .w = 80, .h = 24, .script = "jjjjjL"},
    {.name = "limits-oom-inside", .w = 80, .h = 24, .script = "<event usage usage.json>jjjjjL"},
    {.name = "limits-oom", .w = 80, .h = 24, .script = "jjjL<^T>"},
    {.name = "limits-oom-again", .w = 80, .h = 24, .script = "<event server finding-again.json>jjjL<^T>"},
    {.name = "limits-throttled", .w = 80, .h = 24, .script = "<event usage usage2.json>jL"},
    {.name = "limits-host", .w = 80, .h = 24, .script = "jjL"},
    {.name = "limits-engine-refuses", .w = 80, .h = 24,
     .script = "L<^U>1g<Enter><reply error-engine.json>"},
    {.name = "limits-engine-refuses-yes", .w = 80, .h = 24,
     .script = "L<^U>1g<Enter><reply error-engine.json>y<reply change.json>"},
    {.name = "limits-all", .w = 80, .h = 24,
     .script = BUDGET "L<Tab><Tab><Tab><Tab> <Tab><^U>1g"},
    {.name = "limits-all-asks", .w = 80, .h = 24,
     .script = BUDGET "L<Tab><Tab><Tab><Tab> <Tab><^U>1g<Enter>"
               "<reply preview.json>"},
    {.name = "limits-budget-asks", .w = 80, .h = 24,
     .script = BUDGET "L<^U>1g<Enter><reply preview-one.json>y"},
    {.name = "palette-set-all", .w = 80, .h = 24,
     .script = ":set * memory=1g<Enter><reply preview.json>y"},
    {.name = "limits-refused", .w = 80, .h = 24, .script = "L<^U>rubbish<Enter><reply error.json>"},
    {.name = "limits-mended", .w = 80, .h = 24, .script = "L<^U>rubbish<Enter><reply error.json><^T>"},
    {.name = "limits-typed", .w = 80, .h = 24, .script = "L1g<Tab><BS>5<Tab>100<Left>0<Enter>"},
    {.name = "limits-network-host", .w = 80, .h = 24, .script = "L<Tab><Tab><Tab>  "},
    {.name = "limits-network-asks", .w = 80, .h = 24,
     .script = "L<Tab><Tab><Tab>  <Enter><reply preview-network.json>"},
    {.name = "limits-network-yes", .w = 80, .h = 24,
     .script = "L<Tab><Tab><Tab>  <Enter><reply preview-network.json>y<reply change.json>"},
    {.name = "limits-taken-away", .w = 80, .h = 24, .script = "Lnone<Tab>"},
    {.name = "limits-own-client", .w = 80, .h = 24,
     .script = "<event server server-own-client.json>jjL"},
    {.name = "limits-remote", .w = 80, .h = 24,
     .script = "<event server server-remote.json>jjL"},
    {.name = "limits-60x16", .w = 60, .h = 16, .script = "L"},
    {.name = "limits-40x8", .w = 40, .h = 8, .script = "L<Tab><Tab><Tab>"},
    {.name = "limits-done", .w = 80, .h = 24, .script = "L<^U>1g<Enter><reply change.json>"},
    {.name = "undo-wait", .w = 80, .h = 24, .script = "u"},
    {.name = "undo", .w = 80, .h = 24, .script = "u<reply undo-plan.json>", .styles = true},
    {.name = "undo-yes", .w = 80, .h = 24, .script = "u<reply undo-plan.json>y<reply change.json>"},
    {.name = "undo-refused", .w = 80, .h = 24, .script = "u<reply error.json>"},
    {.name = "filter-list", .w = 80, .h = 24, .script = "/file<Enter>"},
    {.name = "filter-command", .w = 80, .h = 24, .script = "/uvx<Enter>"},
    {.name = "filter-containers", .w = 80, .h = 24, .script = "2/zz91<Enter>d"},
    {.name = "filter-containers-none", .w = 80, .h = 24, .script = "2/nothing"},
    {.name = "filter-log", .w = 80, .h = 24, .script = "&warn<Enter>", .styles = true},
    {.name = "log-paused", .w = 80, .h = 24, .script = "<Tab>kkk<event log log-more.json>",
     .styles = true},
    {.name = "log-oldest", .w = 80, .h = 24, .script = "<Tab>g"},
    {.name = "log-search", .w = 80, .h = 24, .script = "<Tab>/warn<Enter>N", .styles = true},
    {.name = "log-wrap", .w = 80, .h = 24, .script = "wt"},
    {.name = "log-right", .w = 80, .h = 24, .script = "<Tab><Right><Right>"},
    {.name = "log-mark", .w = 80, .h = 24, .script = "M"},
    {.name = "log-gap", .w = 80, .h = 24, .script = "<event gap gap.json>"},
    {.name = "log-zoom", .w = 80, .h = 24, .script = "<Tab>z"},
    {.name = "log-all", .w = 80, .h = 24, .script = "a<event log log-more.json>"},
    {.name = "palette", .w = 80, .h = 24, .script = ":re<Tab>"},
    {.name = "palette-all", .w = 80, .h = 24, .script = ":"},
    {.name = "palette-wide", .w = 160, .h = 50, .script = ":"},
    {.name = "palette-set", .w = 80, .h = 24,
     .script = ":set github memory=1g network=none<Enter>"},
    {.name = "set-without-effect", .w = 80, .h = 24,
     .script = ":set filesystem memory=1g<Enter><reply change-no-effect.json>"},
    {.name = "start-what-runs", .w = 80, .h = 24, .script = "/files<Enter>S"},
    {.name = "palette-unknown", .w = 80, .h = 24, .script = ":fly<Enter>"},
    {.name = "shutdown", .w = 80, .h = 24, .script = ":shutdown<Enter>"},
    {.name = "shutdown-yes", .w = 80, .h = 24,
     .script = ":shutdown<Enter>y<reply error-none.json>"},
    {.name = "engine-down", .w = 80, .h = 24, .script = "<event status status-engine-down.json>",
     .styles = true},
    {.name = "config-errors", .w = 80, .h = 24, .script = "<event status status-config.json>"},
    {.name = "config-entry", .w = 80, .h = 24, .script = "<event status status-config-entry.json>"},
    {.name = "config-entry-160x50", .w = 160, .h = 50, .script = "<event status status-config-entry.json>"},
    {.name = "config-listed", .w = 80, .h = 24,
     .script = "<event status status-config.json><reply findings.json>!"},
    {.name = "config-broken-at-start", .w = 80, .h = 24,
     .script = "<event hello hello-broken.json>"},
    {.name = "config-no-file", .w = 80, .h = 24, .script = "<event hello hello-no-file.json>",
     .styles = true},
    {.name = "config-file-removed", .w = 80, .h = 24, .script = "<event hello hello-file-removed.json>",
     .styles = true},
    {.name = "supervisor-gone", .w = 80, .h = 24, .script = "<lost><wait 3000>r", .styles = true},
    {.name = "another-supervisor", .w = 80, .h = 24,
     .script = "<lost><event hello hello-again.json><up><event log log-again.json>"},
    {.name = "readonly", .w = 80, .h = 24, .script = "r", .readonly = true},
    {.name = "server-removed", .w = 80, .h = 24, .script = "jj<event server_removed removed.json>"},
    {.name = "server-removed-late-reply", .w = 80, .h = 24,
     .script = "jjx<reply plan.json>y<event server_removed removed.json><reply change.json>"},
    {.name = "marks-filtered-away", .w = 80, .h = 24, .script = " /file<Enter>r"},
    {.name = "marks-not-in-detail", .w = 80, .h = 24, .script = " <Enter>r"},
    {.name = "isolate-marked", .w = 80, .h = 24, .script = "jj x"},
    {.name = "isolate-several-wait", .w = 80, .h = 24, .script = "jj G x<reply plan.json>y"},
    {.name = "isolate-several", .w = 80, .h = 24,
     .script = "jj G x<reply plan.json><reply plan.json>y"},
    {.name = "log-missed", .w = 80, .h = 24, .script = "<event log log-later.json>"},
    {.name = "log-all-again", .w = 80, .h = 24,
     .script = "a<event log log-more.json><event log log-more.json>"},
    {.name = "log-unwrapped", .w = 60, .h = 16, .script = "w<Tab>kkkkkw"},
    {.name = "log-late-page", .w = 80, .h = 24,
     .script = "jk<event log log-later.json><Tab>g<Tab>jk<event log log-later.json>"
               "<reply page-empty.json><Tab>g"},
    {.name = "log-of-nobody", .w = 80, .h = 24, .script = ":log fly<Enter>"},
    {.name = "engine-slow", .w = 80, .h = 24, .script = "<event server server-waits.json>", .styles = true},
    {.name = "engine-slow-detail", .w = 80, .h = 24,
     .script = "<event server server-waits.json>jjjjj<Enter>"},
    {.name = "finding", .w = 80, .h = 24, .script = "<event server finding.json>", .styles = true},
    {.name = "finding-guess", .w = 80, .h = 24, .script = "<event server finding-guess.json>"},
    {.name = "finding-detail", .w = 80, .h = 24, .script = "<event server finding.json>jjj<Enter>"},
    {.name = "detail-other-way", .w = 120, .h = 40,
     .script = "<Enter><reply plan-host.json><event docker event-server.json>"},
    {.name = "detail-no-other-way", .w = 120, .h = 40, .script = "<Enter><reply error.json>"},
    {.name = "finding-wide", .w = 160, .h = 50, .script = "<event server finding.json>jjj"},
    {.name = "fix-wait", .w = 80, .h = 24, .script = "<event server finding.json>jjjF"},
    {.name = "fix-asks", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>"},
    {.name = "fix-yes", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>y<reply change.json>"},
    {.name = "fix-tried-again", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>y<reply change-again.json>"},
    {.name = "fix-no", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json><Enter>"},
    {.name = "fix-another-way", .w = 80, .h = 24,
     .script = "<event server finding-guess.json>F<reply fix-plan.json>F<reply fix-plan.json>y"},
    {.name = "toast-read", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>y<reply error.json>"
               "<event server heavy-ready.json><wait 1400>"},
    {.name = "toast-old", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>y<reply error.json>"
               "<event server heavy-ready.json><wait 1600>"},
    {.name = "toast-next-key", .w = 80, .h = 24,
     .script = "<event server finding.json>jjjF<reply fix-plan.json>y<reply error.json>j"},
    {.name = "fix-weakens", .w = 80, .h = 24, .script = "<event server finding-weakens.json>jjj"},
    {.name = "fix-weakens-asks", .w = 80, .h = 24,
     .script = "<event server finding-weakens.json>jjjF<reply fix-weakens-plan.json>"},
    {.name = "fix-by-hand", .w = 80, .h = 24, .script = "<event server finding-by-hand.json>F"},
    {.name = "sessions", .w = 80, .h = 24, .script = "<event server sessions.json>"},
    {.name = "sessions-detail", .w = 80, .h = 30, .script = "<event server sessions.json><Enter>"},
    {.name = "tools-changed", .w = 80, .h = 24, .script = "<event server tools-changed.json>"},
    {.name = "tools-changed-detail", .w = 80, .h = 30,
     .script = "<event server tools-changed.json><Enter>"},
    {.name = "approve-asks", .w = 80, .h = 40,
     .script = "<event server tools-changed.json>A<reply tool-changes.json>", .styles = true},
    {.name = "approve-yes", .w = 80, .h = 24,
     .script = "<event server tools-changed.json>A<reply tool-changes.json>y<reply tool-changes.json>"},
    {.name = "approve-no", .w = 80, .h = 24,
     .script = "<event server tools-changed.json>A<reply tool-changes.json><Enter>"},
    {.name = "approve-refused", .w = 80, .h = 24, .script = "<event server tools-changed.json>A<reply error.json>"},
    {.name = "approve-nothing", .w = 80, .h = 24, .script = "A"},
    {.name = "fix-nothing", .w = 80, .h = 24, .script = "F"},
    {.name = "findings-asking", .w = 80, .h = 24, .script = "!"},
    {.name = "findings-80x24", .w = 80, .h = 24, .script = "!" FINDINGS, .styles = true},
    {.name = "findings-160x50", .w = 160, .h = 50, .script = "!<reply error.json>" FINDINGS, .styles = true},
    {.name = "findings-60x16", .w = 60, .h = 16, .script = "!" FINDINGS "j"},
    {.name = "findings-end", .w = 80, .h = 24, .script = "!" FINDINGS "G"},
    {.name = "findings-of-selected", .w = 80, .h = 24, .script = "j!" FINDINGS},
    {.name = "findings-look-anew", .w = 80, .h = 24,
     .script = "!" FINDINGS "Gk<Esc>g!"},
    {.name = "findings-chosen-first", .w = 80, .h = 24, .script = "j!jj" FINDINGS},
    {.name = "findings-left", .w = 80, .h = 24, .script = "!" FINDINGS "Gk<Esc>"},
    {.name = "findings-gone", .w = 80, .h = 24,
     .script = "!" FINDINGS "j<wait 1100><event server finding.json><reply findings-less.json>"},
    {.name = "findings-come-back", .w = 80, .h = 24,
     .script = "!" FINDINGS "j<wait 1100><event server finding.json><reply findings-less.json>"
               "<wait 1100><event server finding.json>" FINDINGS},
    {.name = "findings-chosen-meanwhile", .w = 80, .h = 24,
     .script = "!" FINDINGS "j<wait 1100><event server finding.json><reply findings-less.json>j"
               "<wait 1100><event server finding.json>" FINDINGS},
    {.name = "findings-filter", .w = 80, .h = 24, .script = "!" FINDINGS "/sqlite<Enter>"},
    {.name = "findings-log", .w = 80, .h = 24, .script = "!" FINDINGS "j<Tab>"},
    {.name = "findings-expected", .w = 80, .h = 24, .script = "!<reply findings-expected.json>"},
    {.name = "findings-none", .w = 80, .h = 24, .script = "!<reply findings-none.json>"},
    {.name = "findings-none-no-engine", .w = 80, .h = 24,
     .script = "<event status status-engine-down.json>!<reply findings-none.json>"},
    {.name = "findings-own", .w = 80, .h = 24, .script = "!" FINDINGS "GF"},
    {.name = "findings-fix", .w = 80, .h = 24,
     .script = "<event server finding.json>!" FINDINGS "jF<reply fix-plan.json>F"},
    {.name = "findings-fix-yes", .w = 80, .h = 24,
     .script = "<event server finding.json>!" FINDINGS "F<reply fix-plan.json>y<reply change.json><wait 1100>"},
    {.name = "findings-open", .w = 80, .h = 24, .script = "!" FINDINGS "jj<Enter>"},
    {.name = "findings-back", .w = 80, .h = 24, .script = "5!" "<reply error.json>" FINDINGS "<Enter><Esc><Esc>"},
    {.name = "fix-readonly", .w = 80, .h = 24, .script = "<event server finding.json>jjjF",
     .readonly = true},
    {.name = "resized", .w = 160, .h = 50, .script = "L<size 80x24><size 20x3><size 81x25>"},
};

/* ---- what the view asks ---- */

struct outside {
    struct buf asked;
    struct view_call *open[32];
    int open_count;
};

static void io_send(void *ctx, const char *method, const char *path, json_t *body,
                    struct view_call *call)
{
    struct outside *o = ctx;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    buf_printf(&o->asked, "asked: %s %s%s%s\n", method, path, text ? " " : "", text ? text : "");
    free(text);
    json_decref(body);
    if (o->open_count < 32)
        o->open[o->open_count++] = call;
}

static void io_follow(void *ctx, const char *server, bool all)
{
    struct outside *o = ctx;

    buf_printf(&o->asked, "follows: %s\n", all ? "(all)" : server ? server : "(none)");
}

static void io_copy(void *ctx, const char *text, size_t n)
{
    struct outside *o = ctx;

    buf_printf(&o->asked, "copies: %.*s\n", (int)n, text);
}

static void io_nothing(void *ctx)
{
    (void)ctx;
}

static void io_theme(void *ctx, const struct theme *t)
{
    (void)ctx;
    (void)t;
}

static const struct view_io io = {io_send, io_follow, io_copy, io_nothing, io_theme, io_nothing};

/* ---- scripts ---- */

static char *data_path(const char *dir, const char *file)
{
    const char *root = getenv("MCPTOP_SRCDIR");

    return xasprintf("%s/tests/screens/%s%s", root ? root : ".", dir, file);
}

static char *read_file(const char *path)
{
    struct buf b = BUF_INIT;
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "re");

    if (!f)
        return NULL;
    while ((n = fread(chunk, 1, sizeof(chunk), f)))
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_take(&b);
}

static char *read_data(const char *file)
{
    AUTO_FREE char *path = data_path("data/", file);
    char *text = read_file(path);

    if (!text)
        ok(false, "%s is there", path);
    return text ? text : xstrdup("");
}

static void apply_event(struct view *v, const char *name, const char *file)
{
    AUTO_FREE char *json = read_data(file);

    ok(view_event(v, name, json, strlen(json)) > 0, "event %s of %s is taken", name, file);
}

static void apply_reply(struct view *v, struct outside *o, const char *file)
{
    AUTO_FREE char *json = read_data(file);
    json_t *reply = json_loads(json, 0, NULL);
    struct view_call *call = o->open[0];

    if (!o->open_count) {
        ok(false, "a question is open for %s", file);
        json_decref(reply);
        return;
    }
    memmove(o->open, o->open + 1, (size_t)--o->open_count * sizeof(*o->open));
    call->status = (long)json_integer_value(json_object_get(reply, "status"));
    view_reply(v, call, json_object_get(reply, "data"),
               json_string_value(json_object_get(reply, "error")));
    json_decref(reply);
}

static int named_key(const char *name)
{
    static const struct { const char *name; int key; } names[] = {
        {"Enter", K_ENTER}, {"Esc", K_ESC}, {"Tab", K_TAB}, {"BS", K_BACKSPACE},
        {"Right", K_RIGHT}, {"Left", K_LEFT},
        {"^U", K_CTRL('U')}, {"^T", K_CTRL('T')}, {"PgUp", K_PGUP}, {"PgDn", K_PGDN},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i].name, name))
            return names[i].key;
    return K_NONE;
}

static void run_word(struct view *v, struct outside *o, const char *word, int64_t *now)
{
    char a[64], b[64];
    int w, h;

    if (sscanf(word, "reply %63s", a) == 1) {
        apply_reply(v, o, a);
    } else if (sscanf(word, "event %63s %63s", a, b) == 2) {
        apply_event(v, a, b);
    } else if (sscanf(word, "wait %d", &w) == 1) {
        *now += w;
        clock_freeze(*now - NOW, *now);
        view_draw(v);
    } else if (sscanf(word, "size %dx%d", &w, &h) == 2) {
        view_resize(v, w, h);
        view_draw(v);
    } else if (!strcmp(word, "lost")) {
        view_connection(v, CONN_LOST, NULL);
    } else if (!strcmp(word, "up")) {
        view_connection(v, CONN_UP, NULL);
    } else {
        ok(named_key(word) != K_NONE, "key <%s> is known", word);
        view_key(v, named_key(word));
    }
}

static void run_script(struct view *v, struct outside *o, const char *script)
{
    int64_t now = NOW;

    view_draw(v);
    while (*script) {
        const char *end = *script == '<' ? strchr(script, '>') : NULL;
        if (end && end > script + 1) {
            AUTO_FREE char *word = xstrndup(script + 1, (size_t)(end - script - 1));
            run_word(v, o, word, &now);
            script = end + 1;
        } else {
            view_key(v, *script++);
        }
        view_draw(v);
    }
}

static void show_difference(const char *got, const char *want)
{
    while (*got || *want) {
        size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
        if (n != m || memcmp(got, want, n) != 0)
            printf("#  want |%.*s|\n#   got |%.*s|\n", (int)m, want, (int)n, got);
        got += n + (got[n] == '\n');
        want += m + (want[m] == '\n');
    }
}

static void compare(const char *name, const char *got)
{
    AUTO_FREE char *file = xasprintf("%s.screen", name);
    AUTO_FREE char *path = data_path("", file);
    AUTO_FREE char *want = read_file(path);
    FILE *f;

    if (getenv("UPDATE_SCREENS") && (f = fopen(path, "we"))) {
        fputs(got, f);
        fclose(f);
        return;
    }
    if (!ok(want && !strcmp(got, want), "screen %s", name))
        show_difference(got, want ? want : "");
}

static void outside_fini(struct outside *o)
{
    for (int i = 0; i < o->open_count; i++)
        view_call_free(o->open[i]);
    buf_fini(&o->asked);
}

static void run_case(const struct screen_case *c)
{
    struct outside o = {0};
    struct view v;
    AUTO_BUF struct buf got = BUF_INIT;

    clock_freeze(0, NOW);
    view_init(&v, &io, &o);
    v.readonly = c->readonly;
    v.canvas.ascii = c->ascii;
    view_resize(&v, c->w, c->h);
    apply_event(&v, "hello", "hello.json");
    view_connection(&v, CONN_UP, NULL);
    apply_event(&v, "log", "log.json");
    /* what is asked at the start is no part of a case */
    v.found.stale = false;
    for (int i = 0; i < o.open_count; i++)
        view_call_free(o.open[i]);
    o.open_count = 0;
    buf_clear(&o.asked);
    for (size_t i = 0; i < v.feed.server_count; i++)
        v.feed.servers[i]->calls.open_count = 0;
    run_script(&v, &o, c->script);
    canvas_dump(&v.canvas, &got, c->styles);
    buf_add(&got, buf_str(&o.asked), o.asked.len);
    compare(c->name, buf_str(&got));
    outside_fini(&o);
    view_fini(&v);
}

/* Answers and events come on connections of their own: an answer that was written before an event
 * may be read after it. */
static void test_late_answer(void)
{
    static const char event[] = "{\"name\":\"late\",\"state\":\"ready\",\"revision\":7}";
    struct outside o = {0};
    struct view v;
    view_init(&v, &io, &o);
    ok(view_event(&v, "server", event, strlen(event)) > 0, "a server comes");
    for (int revision = 6; revision <= 7; revision++) {
        json_t *answer = json_pack("{s:s, s:s, s:i}", "name", "late", "state", "starting",
                                   "revision", revision);
        view_take_server(&v, answer);
        is_int(feed_find(&v.feed, "late")->state, revision == 6 ? STATE_READY : STATE_STARTING,
               "an answer of revision %d beside an event of 7", revision);
        json_decref(answer);
    }
    outside_fini(&o);
    view_fini(&v);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tap_deadline(60);
    test_late_answer();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run_case(&cases[i]);
    return done_testing();
}
