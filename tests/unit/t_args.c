/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/args.c and base/near.c. */
#include "cli/args.h"
#include "base/mem.h"
#include "base/near.h"
#include "tap.h"

static struct args a;
static struct fault f;

#define PARSE(...) ({ \
    const char *argv_[] = { "mcptop", __VA_ARGS__, NULL }; \
    args_fini(&a); \
    f = FAULT_NONE; \
    args_parse(&a, (int)ARRAY_LEN(argv_) - 1, (char **)argv_, &f); })
#define VERB(...) ({ \
    const char *argv_[] = { "mcptop", __VA_ARGS__, NULL }; \
    args_find_verb((int)ARRAY_LEN(argv_) - 1, (char **)argv_); })

static void t_forms(void)
{
    ok(!PARSE("logs", "-n", "5", "x"), "-n 5");
    is_str(a.value[OPT_LINES], "5", "its value");
    is_int((long long)a.words.n, 2, "the words");
    is_str(a.words.v[1], "x", "in order");
    PARSE("logs", "-n5", "x");
    is_str(a.value[OPT_LINES], "5", "-n5");
    PARSE("--lines=5", "logs");
    is_str(a.value[OPT_LINES], "5", "--lines=5 before the verb");
    PARSE("--lines", "5", "logs");
    is_str(a.value[OPT_LINES], "5", "--lines 5");
    is_int((long long)a.words.n, 1, "a value is no word");
    PARSE("logs", "-fn", "7", "x");
    ok(a.value[OPT_FOLLOW] && !strcmp(a.value[OPT_LINES], "7"), "-fn 7");
    PARSE("call", "x", "t", "-");
    is_str(a.words.v[3], "-", "a lone - is a word");
    PARSE("ls", "--", "--json");
    ok(!a.value[OPT_JSON] && a.words.n == 2, "nothing after -- is an option");
}

static void t_refusals(void)
{
    ok(PARSE("ls", "--jsn") == -1, "an unknown option");
    ok(strstr(f.text, "did you mean --json"), "says what was meant: %s", f.text);
    ok(PARSE("ls", "-Z") == -1, "an unknown letter");
    ok(PARSE("ls", "--json=1") == -1, "a value that is not wanted: %s", f.text);
    ok(PARSE("logs", "-n") == -1, "a value that is missing: %s", f.text);
    ok(PARSE("ls", "--socket=") == -1 && PARSE("ls", "--socket", "") == -1 &&
           PARSE("logs", "-n", "") == -1, "a value that is empty: %s", f.text);
    int64_t n;
    PARSE("logs", "-n", "12x");
    ok(args_number(&a, OPT_LINES, 0, 100, 1, &n, &f) == -1, "12x is no number: %s", f.text);
    PARSE("logs", "-n", "101");
    ok(args_number(&a, OPT_LINES, 0, 100, 1, &n, &f) == -1, "101 is too many");
    PARSE("logs", "-n", "100");
    ok(!args_number(&a, OPT_LINES, 0, 100, 1, &n, &f) && n == 100, "100 is not");
    PARSE("logs");
    ok(!args_number(&a, OPT_LINES, 0, 100, 42, &n, &f) && n == 42, "the default");
}

static void t_words(void)
{
    AUTO_STRVEC struct strvec words = { 0 };
    ok(!PARSE("--readonly", "--data-dir", "/d", "--color=never"), "options of the view");
    args_words(&a, OPTS_VIEW, &words);
    is_int((long long)words.n, 3, "are words again, without the others");
    is_str(words.v[0], "--readonly", "one without a value");
    is_str(words.v[1], "--color", "one");
    is_str(words.v[2], "never", "with a value");
}

static void t_verb(void)
{
    is_int(VERB("ls"), 1, "the first word");
    is_int(VERB("--data-dir", "serve", "ls"), 3, "a value is no verb");
    is_int(VERB("--data-dir=serve", "ls"), 2, "nor with =");
    is_int(VERB("-n", "5", "logs"), 3, "nor of a letter");
    is_int(VERB("--readonly"), 0, "none");
    is_int(VERB("--theme", "mono"), 0, "the view's options are known, too");
    is_int(VERB("--", "ls"), 2, "after --");
}

static const char *nearest(const char *word, const char *const *from)
{
    struct near n;
    near_init(&n, word);
    for (; *from; from++)
        near_try(&n, *from);
    return n.best ? n.best : "";
}

static void t_near(void)
{
    static const char *const verbs[] = { "ls", "logs", "start", "stop", "restart", "status", "shutdown", NULL };
    is_str(nearest("lgos", verbs), "logs", "swapped letters");
    is_str(nearest("restrat", verbs), "restart", "in a long word");
    is_str(nearest("statsu", verbs), "status", "status");
    is_str(nearest("SHUTDOWN", verbs), "shutdown", "case");
    is_str(nearest("shut", verbs), "shutdown", "a beginning");
    is_str(nearest("frobnicate", verbs), "", "nothing is near");
    is_str(nearest("", verbs), "", "nor to nothing");
    char huge[300];
    memset(huge, 'l', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    is_str(nearest(huge, verbs), "", "a huge word is only far");
}

int main(void)
{
    t_forms();
    t_refusals();
    t_words();
    t_verb();
    t_near();
    args_fini(&a);
    return done_testing();
}
