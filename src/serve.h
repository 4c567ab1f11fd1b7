/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's role: `mcptop serve`. Wires loop, fleet, API and warden; parses its own options.
 *
 *   --config FILE --data-dir DIR --log-dir DIR --socket PATH --listen ADDR:PORT|none
 *   --no-warden     run the supervisor itself in the foreground, without its guardian (debugging, valgrind)
 *   --ready-fd N    write "ok\n" to N once the API answers, or "error: SENTENCE\n"; then close it
 *
 * Exit codes: 0 stopped in order; 2 wrong usage; 10 another supervisor holds the data directory's lock;
 * 11 cannot start (data directory, socket …): the warden does not retry any of these. */
#ifndef MCPTOP_SERVE_H
#define MCPTOP_SERVE_H

enum { SERVE_EXIT_LOCKED = 10, SERVE_EXIT_CANNOT_START = 11 };
int serve_main(int argc, char **argv);

#endif
