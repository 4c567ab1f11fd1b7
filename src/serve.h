/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's role: `mcptop serve`. Wires loop, fleet, API and warden; parses its own
 * options.
 *
 *   --config FILE --data-dir DIR --log-dir DIR --socket PATH --listen ADDR:PORT|none
 *   --no-warden     run the supervisor itself, without its guardian (debugging, valgrind)
 *   --ready-fd N    write "ok\n" to N once the API answers, or "error: SENTENCE\n"; then close it
 *
 * With SERVE_EXIT_LOCKED the word is "busy: SENTENCE\n": whoever started us goes on with the one
 * that holds the lock. N is set close-on-exec first. A supervisor that the warden started again
 * finds nobody at the other end (EPIPE): that is fine.
 *
 * Exit codes: 0 stopped in order; 2 wrong usage; 10 another supervisor holds the data directory's
 * lock; 11 cannot start (data directory, socket …): the warden does not retry any of these.
 *
 * SIGTERM and SIGINT stop it in order. They may come twice (from the terminal or a service manager,
 * and from the warden): the second one changes nothing. MCPTOP_PREVIOUS_END in the environment says
 * how the supervisor before this one ended (warden.h). */
#ifndef MCPTOP_SERVE_H
#define MCPTOP_SERVE_H

enum { SERVE_EXIT_LOCKED = 10, SERVE_EXIT_CANNOT_START = 11 };
int serve_main(int argc, char **argv);

#endif
