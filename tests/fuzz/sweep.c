/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives a fuzz target without libFuzzer, the same way every time: each seed as it is, each of its
 * beginnings, each byte replaced by those that grammars turn on, bytes left out and doubled; then a
 * fixed number of random mixtures of the seeds. Seeds are the target's own and the files of its
 * corpus (real traffic, in MCPTOP_SRCDIR). Speaks TAP. With file names as arguments it runs these
 * instead (a finding again). */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 2048, MAX_SEEDS = 256, MIXTURES = 100000 };

static struct fuzz_seed all[MAX_SEEDS];
static size_t seeds;

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
    char line[2 * LONGEST + 40] = "# input: ";
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
    char work[LONGEST];
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

static void mixture(void)
{
    char work[LONGEST];
    size_t n = 0;
    for (size_t pieces = 1 + random_below(4); pieces; pieces--) {
        const struct fuzz_seed *s = &all[random_below(seeds)];
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

/* The bytes of a file, the caller's; NULL after it said why not. */
static char *load(const char *path, size_t *ret_len)
{
    char *bytes = NULL;
    FILE *f = fopen(path, "rb"), *mem = open_memstream(&bytes, ret_len);
    if (!f || !mem) {
        perror(path);
        return NULL;
    }
    for (int c; (c = getc(f)) != EOF;)
        putc(c, mem);
    fclose(f);
    fclose(mem);
    return bytes;
}

static int run_file(const char *path)
{
    size_t len = 0;
    char *bytes = load(path, &len);
    if (!bytes)
        return 1;
    run(bytes, len);
    free(bytes);
    printf("# %s: nothing broken\n", path);
    return 0;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* In the order of their names, so that each run is the same. They are kept until the end. */
static void load_corpus(const char *target)
{
    const char *srcdir = getenv("MCPTOP_SRCDIR"), *base = strrchr(target, '/');
    const char *name = strstr(base ? base : target, "fuzz_");
    struct dirent **files = NULL;
    char dir[512], path[1024];

    if (!srcdir || !name)
        return;
    snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", srcdir, name + strlen("fuzz_"));
    int n = scandir(dir, &files, visible, alphasort);
    for (int i = 0; i < n; i++) {
        struct fuzz_seed *seed = &all[seeds];
        snprintf(path, sizeof path, "%s/%s", dir, files[i]->d_name);
        if (seeds < MAX_SEEDS && (seed->bytes = load(path, &seed->len)))
            seeds++;
        free(files[i]);
    }
    free(files);
}

int main(int argc, char **argv)
{
    signal(SIGABRT, on_abort);
    if (argc > 1) {
        int failed = 0;
        for (int i = 1; i < argc; i++)
            failed |= run_file(argv[i]);
        return failed;
    }
    alarm(300);
    for (; seeds < MAX_SEEDS && fuzz_seeds[seeds].bytes; seeds++)
        all[seeds] = fuzz_seeds[seeds];
    load_corpus(argv[0]);
    printf("1..%zu\n", seeds + 1);
    fflush(stdout);
    for (size_t i = 0; i < seeds; i++) {
        sweep(&all[i]);
        printf("ok %zu - seed %zu, its beginnings and its changes\n", i + 1, i + 1);
        fflush(stdout);
    }
    for (int i = 0; i < MIXTURES; i++)
        mixture();
    printf("ok %zu - %d mixtures\n", seeds + 1, MIXTURES);
    return 0;
}
