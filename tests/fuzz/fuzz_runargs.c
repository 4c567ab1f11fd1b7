/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of docker run, one a line of the input: whatever they are, a plan that takes them can be
 * written as words again (plan_run_args), and those are taken too and ask the engine for the same
 * container. The first byte chooses between extra_args and a whole `docker run`. */
#include "fuzz.h"

#include <string.h>
#include "base/mem.h"
#include "isolation/plan.h"
#include "isolation/runargs.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("a-i\n--rm\n-e\nTOKEN=x\n--network=none\n-v\n/a:/b:ro\n"),
    FUZZ_SEED("e-m512m\n--memory-swap=1g\n--cpus\n1.5\n--ulimit=nofile=1:2\n--read-only\n"),
    FUZZ_SEED("a--mount\ntype=bind,\"source=/a,b\",target=/c,ro\n--tmpfs=/t:size=1m\n-p\n1-2:3-4/udp"),
    FUZZ_SEED("e--gpus\n\"device=0,1\",driver=x\n--device=/a:/b:r\n--security-opt=label=disable\n"),
    FUZZ_SEED("a--log-driver=x\n--log-opt=a=b\n-la=b\n-h=x\n--entrypoint=\n--sysctl=a=b\n--init"),
    FUZZ_SEED("e-it\n--name\nx\n--add-host=a:1.2.3.4\n--dns=::1\n-u1:1\n--cap-add=ALL\n"),
    { NULL, 0 },
};

#define fuzz_fail(...) do { \
    fprintf(stderr, "broken: " __VA_ARGS__); \
    fputc('\n', stderr); \
    abort(); \
} while (0)

static struct plan *plain_plan(void)
{
    struct plan *p = xcalloc(1, sizeof(*p));
    p->mode = PLAN_DOCKER;
    p->server = xstrdup("s");
    p->image = xstrdup("image");
    p->network_mode = xstrdup("default");
    p->log_driver = xstrdup("local");
    p->adopted = true;
    return p;
}

/* run -i --rm, the name and four labels of ours, which are no words of a user's. */
enum { IDENTITY_WORDS = 3 + 2 + 4 * 2 };

static void compare(const struct plan *p)
{
    static const struct plan_identity id = {.instance = "i", .container_name = "n"};
    AUTO_STRVEC struct strvec args = {0}, own = {0};
    struct fault f = FAULT_NONE;
    size_t image = 0;
    plan_run_args(p, &id, false, &args);
    for (size_t i = IDENTITY_WORDS; i < args.n; i++)
        strvec_add(&own, args.v[i]);
    struct plan *q = plain_plan();
    const struct runargs again = {.plan = q, .where = "args", .dir = "/", .adopted = true};
    if (runargs_read(&again, &own, 0, &image, &f) < 0)
        fuzz_fail("the plan's own words are refused: %s", f.text);
    if (image + 1 != own.n || strcmp(own.v[image], "image") != 0)
        fuzz_fail("the image is not where it was");
    json_t *a = plan_create_json(p, &id), *b = plan_create_json(q, &id);
    if (!json_equal(a, b))
        fuzz_fail("%s\n%s", json_dumps(a, JSON_SORT_KEYS), json_dumps(b, JSON_SORT_KEYS));
    json_decref(a);
    json_decref(b);
    plan_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_STRVEC struct strvec words = {0};
    AUTO_FREE char *text = xstrndup((const char *)data, size);
    size_t index = 0;
    if (!*text || strstr(text, "env-f"))     /* it reads files */
        return 0;
    char *next = text + 1, *word;
    while ((word = strsep(&next, "\n")) != NULL)
        strvec_add(&words, word);
    struct plan *p = plain_plan();
    const struct runargs r = {.plan = p, .where = "args", .dir = "/", .adopted = *text != 'e'};
    struct fault f = FAULT_NONE;
    if (runargs_read(&r, &words, 0, &index, &f) == 0)
        compare(p);
    else if (!f.code || !*f.text || index >= words.n)
        fuzz_fail("a refusal without a word and a place");
    plan_free(p);
    return 0;
}
