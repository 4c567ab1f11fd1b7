/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A configuration that is read after another: what comes out is what reading it alone gives, with
 * the problems told; and how much of it was not read again. */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "config/mcp_config.h"
#include "tap.h"

#define A "\"a\": {\"command\": \"uvx\", \"args\": [\"x\"],\n\"isolation\": {\n\"memory_limit\": \"1g\"}}"
#define B "\"b\": {\"command\": \"npx\", \"env\": {\"K\": \"v\"}}"
#define C "\"c\": {\"command\": \"node\",\n\"isolation\": {\"volumes\": [\"/a:/b\"]}}"
#define D "\"d\": {\"command\": \"x\", \"no_such_key\": 1}"
#define GLOBAL "\"docker_isolation\": {\n\"enabled\": true}"
#define OBJECT(servers) "{\"init_timeout\": \"9s\", \"mcpServers\": {\n" servers "\n},\n" GLOBAL "}\n"
#define ARRAY(servers) "{\"mcpServers\": [" servers "], " GLOBAL "}"
#define NAMED(n) "{\"name\": \"" n "\", \"command\": \"x\"}"

static const struct {
    const char *what, *before, *after;
    int same;           /* servers that are not read again */
} cases[] = {
    {"a value", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n\"b\": {\"command\": \"npx\"},\n" C), 2},
    {"a line more", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n\"b\": {\n\"command\": \"npx\"},\n" C), 2},
    {"the first", OBJECT(A ",\n" B ",\n" C), OBJECT("\n\"a\": {\"command\": \"y\"},\n" B ",\n" C), 2},
    {"another key", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n\"bb\": {\"command\": \"npx\", \"env\": {\"K\": \"v\"}},\n" C), 2},
    {"a comment before becomes the key", OBJECT(A ",\n\"old\": // \"new\":\n {\"command\": \"x\"},\n" C), OBJECT(A ",\n\"new\":\n {\"command\": \"x\"},\n" C), 2},
    {"so does one of the other kind", OBJECT(A ",\n\"old\": /* \"new\": /* */ {\"command\": \"x\"},\n" C), OBJECT(A ",\n\"new\": /* */ {\"command\": \"x\"},\n" C), 2},
    {"and the end of the key before", OBJECT(A ",\n\"a\\\"b\": {\"command\": \"x\"},\n" C), OBJECT(A ",\n\"b\": {\"command\": \"x\"},\n" C), 2},
    {"one more", OBJECT(A ",\n" C), OBJECT(A ",\n" B ",\n" C), 2},
    {"one less", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n" C), 2},
    {"others' places", OBJECT(A ",\n" B ",\n" C), OBJECT(C ",\n" B ",\n" A), 0},
    {"a problem is told again", OBJECT(A ",\n" D ",\n" B), OBJECT(A ",\n" D ",\n\"b\": {\"command\": \"y\"}"), 1},
    {"a name twice", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n\"c\": {\"command\": \"npx\"},\n" C), -1},
    {"what all inherit", OBJECT(A ",\n" B), "{\"init_timeout\": \"8s\", \"mcpServers\": {\n" A ",\n" B "\n},\n" GLOBAL "}\n", 0},
    {"both", OBJECT(A ",\n" B), "{\"init_timeout\": \"8s\", \"mcpServers\": {\n" A ",\n" C "\n},\n" GLOBAL "}\n", 0},
    {"what stands behind", OBJECT(A ",\n" B), "{\"init_timeout\": \"9s\", \"mcpServers\": {\n" A ",\n" B "\n},\n\"docker_isolation\": {}}\n", 0},
    {"a comment over the rest", OBJECT(A ",\n" B ",\n" C), OBJECT(A ",\n/*" B ",\n" C "*/"), 1},
    {"an array", ARRAY(NAMED("a") "," NAMED("b") "," NAMED("c")), ARRAY(NAMED("a") "," NAMED("bb") "," NAMED("c")), 2},
    {"places in an array", ARRAY(NAMED("a") "," NAMED("b") "," NAMED("c")), ARRAY(NAMED("a") "," NAMED("c")), 1},
    {"another form", ARRAY(NAMED("a")), OBJECT(A), 0},
    {"a variable that is not set", OBJECT("\"u\": {\"command\": \"${env:MCPTOP_T_UNSET}\"},\n" A), OBJECT("\"u\": {\"command\": \"${env:MCPTOP_T_UNSET}\"},\n" B), 0},
};

static void add_words(struct buf *out, const struct strvec *words)
{
    for (size_t i = 0; i < words->n; i++)
        buf_printf(out, " %s", words->v[i]);
}

/* What was read, as text. */
static char *render(const struct config *c, const struct problems *p)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; c && i < c->server_count; i++) {
        const struct config_server *s = &c->servers[i];
        buf_printf(&out, "%s %s %d %zu-%zu %d %s", s->name, s->key, s->line, s->from, s->to,
                   (int)(config_find(c, s->name) - c->servers), s->command ? s->command : "");
        buf_printf(&out, " %lld %s", (long long)s->init_timeout_ms,
                   s->isolation.memory_limit ? s->isolation.memory_limit : "");
        add_words(&out, &s->args);
        add_words(&out, &s->isolation.volumes);
        for (size_t k = 0; k < s->env.n; k++)
            buf_printf(&out, " %s=%s", s->env.v[k].key, s->env.v[k].value);
        for (size_t k = 0; k < ISO_KEYS; k++)
            buf_printf(&out, " %d", s->isolation.line[k]);
        buf_add_char(&out, '\n');
    }
    for (size_t i = 0; i < p->n; i++)
        buf_printf(&out, "%d %d %s: %s\n", (int)p->v[i].severity, p->v[i].line, p->v[i].key,
                   p->v[i].text);
    buf_printf(&out, c ? "%d\n" : "none\n", c ? c->docker_isolation.line[ISO_ENABLED] : 0);
    return buf_take(&out);
}

static int count_same(const struct config *c)
{
    int n = c ? 0 : -1;
    for (size_t i = 0; c && i < c->server_count; i++)
        n += c->servers[i].same_as != 0;
    return n;
}

/* Reads `after` after `before`; both are gone then. True: it is what it is alone. */
static bool is_read_alike(const char *before, const char *after, size_t n, int *ret_same,
                          struct buf *said)
{
    struct problems p = { 0 }, q = { 0 }, r = { 0 };
    struct config *old = config_parse("f", before, strlen(before), NULL, NULL, &p);
    const struct config_before known = { old, before, strlen(before) };
    struct config *new = config_parse_after(&known, "f", after, n, &q);
    struct config *alone = config_parse("f", after, n, NULL, NULL, &r);
    *ret_same = count_same(new);
    if (new && old)
        config_take_over(new, old);
    config_free(old);
    AUTO_FREE char *got = render(new, &q), *want = render(alone, &r);
    bool alike = strcmp(got, want) == 0;
    if (!alike)
        buf_printf(said, "%.*s\ngot:\n%s\nwant:\n%s", (int)n, after, got, want);
    config_free(new);
    config_free(alone);
    problems_fini(&p);
    problems_fini(&q);
    problems_fini(&r);
    return alike;
}

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf said = BUF_INIT;
        int same = 0;
        ok(is_read_alike(cases[i].before, cases[i].after, strlen(cases[i].after), &same, &said),
           "%s: as alone", cases[i].what);
        if (said.len)
            diag("%s", buf_str(&said));
        is_int(same, cases[i].same, "%s: so many are taken over", cases[i].what);
    }
}

/* Every byte of a text, left out, doubled, and replaced. */
static void test_any_byte(const char *before)
{
    static const char bytes[] = "\"{}[],:/*\n x1";
    AUTO_BUF struct buf said = BUF_INIT;
    size_t n = strlen(before), wrong = 0;
    int same = 0;
    for (size_t at = 0; at < n && !wrong; at++)
        for (size_t k = 0; k < sizeof bytes + 1 && !wrong; k++) {
            AUTO_BUF struct buf after = BUF_INIT;
            buf_add(&after, before, at);
            if (k < sizeof bytes - 1)
                buf_add_char(&after, bytes[k]);
            buf_add_str(&after, before + at + (k != sizeof bytes));
            if (k == sizeof bytes)
                buf_add(&after, before + at, 1);
            wrong += !is_read_alike(before, buf_str(&after), after.len, &same, &said);
        }
    ok(!wrong, "a change of any byte");
    if (said.len)
        diag("%s", buf_str(&said));
}

static void test_refused(void)
{
    static const char before[] = OBJECT(A ",\n" B), broken[] = OBJECT(A ",\n" B ",");
    struct problems p = { 0 };
    struct config *old = config_parse("f", before, strlen(before), NULL, NULL, &p);
    const struct config_before known = { old, before, strlen(before) };
    config_free(config_parse_after(&known, "f", before, strlen(before) - 3, &p));
    is_int(p.errors, 1, "an error");
    config_free(config_parse_after(&known, "f", broken, strlen(broken), &p));
    is_str(config_find(old, "b")->command, "npx", "leaves what was read before as it was");
    config_free(old);
    problems_fini(&p);
}

int main(void)
{
    tap_deadline(60);
    test_cases();
    test_any_byte(OBJECT(A ",\n" B ",\n" D ",\n" C));
    test_any_byte(ARRAY(NAMED("a") "," NAMED("b") ",\n" NAMED("c")));
    test_refused();
    return done_testing();
}
