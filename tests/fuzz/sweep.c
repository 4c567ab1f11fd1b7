/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives a fuzz target without libFuzzer, the same way every time: each seed as it is, each of its
 * beginnings, each byte replaced by those that grammars turn on, bytes left out and doubled; then a
 * fixed number of random mixtures of the seeds. Speaks TAP. With file names as arguments it runs
 * these instead (a finding again). */
#include "fuzz.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MAX_INPUT = 2048, MIXTURES = 100000 };

static uint8_t *current;   /* for the last words */
static size_t current_len;

/* From a heap block of the exact size, so that a sanitizer sees a read behind it. */
static void run(const char *p, size_t n)
{
    current = malloc(n ? n : 1);
    current_len = n;
    if (!current)
        abort();
    if (n)
        memcpy(current, p, n);
    LLVMFuzzerTestOneInput(current, n);
    free(current);
}

static void on_abort(int sig)
{
    static const char hex[] = "0123456789abcdef";
    char line[2 * MAX_INPUT + 40] = "# input: ";
    size_t at = strlen(line);
    for (size_t i = 0; i < current_len && at + 3 < sizeof line; i++) {
        line[at++] = hex[current[i] >> 4];
        line[at++] = hex[current[i] & 15];
    }
    line[at++] = '\n';
    if (write(STDOUT_FILENO, line, at) < 0) {
        /* The test fails all the same: it ends by the signal. */
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static const char turning[] =
    "\0\t\n\r\33 \"#+,-./019:;[\\]_aefmnu{}~\177\200\234\235\302\303\340\355\357\360\377";

static void sweep(const struct fuzz_seed *seed)
{
    char work[MAX_INPUT];
    size_t n = seed->len < sizeof work - 1 ? seed->len : sizeof work - 1;
    for (size_t i = 0; i <= n; i++)
        run(seed->bytes, i);
    for (size_t i = 0; i < n; i++) {
        memcpy(work, seed->bytes, n);
        for (size_t k = 0; k < sizeof turning - 1; k++) {
            work[i] = turning[k];
            run(work, n);
        }
        memcpy(work, seed->bytes, i);
        memcpy(work + i, seed->bytes + i + 1, n - i - 1);
        run(work, n - 1);
        memcpy(work, seed->bytes, i + 1);
        memcpy(work + i + 1, seed->bytes + i, n - i);
        run(work, n + 1);
    }
}

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);

static size_t random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return n ? (size_t)(random_state >> 11) % n : 0;
}

static void mixture(size_t seeds)
{
    char work[MAX_INPUT];
    size_t n = 0;
    for (size_t pieces = 1 + random_below(4); pieces; pieces--) {
        const struct fuzz_seed *s = &fuzz_seeds[random_below(seeds)];
        size_t from = random_below(s->len + 1), len = random_below(s->len - from + 1);
        if (n + len > sizeof work)
            break;
        memcpy(work + n, s->bytes + from, len);
        n += len;
    }
    for (size_t changes = random_below(8); changes && n; changes--) {
        size_t at = random_below(n);
        work[at] = random_below(2) ? turning[random_below(sizeof turning - 1)]
                                   : (char)random_below(256);
    }
    run(work, n);
}

static int run_file(const char *path)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *f = fopen(path, "rb"), *mem = open_memstream(&bytes, &len);
    if (!f || !mem) {
        perror(path);
        return 1;
    }
    for (int c; (c = getc(f)) != EOF;)
        putc(c, mem);
    fclose(f);
    fclose(mem);
    run(bytes, len);
    free(bytes);
    printf("# %s: nothing broken\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    size_t seeds = 0;
    signal(SIGABRT, on_abort);
    if (argc > 1) {
        int failed = 0;
        for (int i = 1; i < argc; i++)
            failed |= run_file(argv[i]);
        return failed;
    }
    alarm(300);
    while (fuzz_seeds[seeds].bytes)
        seeds++;
    printf("1..%zu\n", seeds + 1);
    fflush(stdout);
    for (size_t i = 0; i < seeds; i++) {
        sweep(&fuzz_seeds[i]);
        printf("ok %zu - seed %zu, its beginnings and its changes\n", i + 1, i + 1);
        fflush(stdout);
    }
    for (int i = 0; i < MIXTURES; i++)
        mixture(seeds);
    printf("ok %zu - %d mixtures\n", seeds + 1, MIXTURES);
    return 0;
}
