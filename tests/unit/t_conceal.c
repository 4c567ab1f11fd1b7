/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffs of configurations: what changes shows, what is a secret does not. */
#include <string.h>
#include "base/mem.h"
#include "config/conceal.h"
#include "tap.h"

struct scenario {
    const char *name, *from, *to, *want;
};

#define TEN "\"0123456789 0123456789 0123456789 0123456789 0123456789\""
#define LONG(servers) \
    "{\"padding\": [" TEN ", " TEN ", " TEN ", " TEN "], \"mcpServers\": {" servers "}}"
#define BY_VALUE "@@ by value, for the file's lines are too long to show @@\n"

static const struct scenario scenarios[] = {
    { .name = "a neighbour",
      .from = "{\"mcpServers\": {\"a\": {\n"
              "\"env\": {\"X_KEY\": \"hunter2\", \"PLAIN\": \"p1\"},\n\"m\": 1}}}\n",
      .to = "{\"mcpServers\": {\"a\": {\n\"env\": {\"X_KEY\": \"hunter2\", \"PLAIN\": \"p1\"},\n"
              "\"m\": 2}}}\n",
      .want = "@@ -1,3 +1,3 @@\n {\"mcpServers\": {\"a\": {\n"
              " \"env\": {\"X_KEY\": \"***\", \"PLAIN\": \"***\"},\n-\"m\": 1}}}\n+\"m\": 2}}}\n" },
    { .name = "a plain value that changes shows",
      .from = "{\"env\": {\"PLAIN\": \"p1\"}}\n", .to = "{\"env\": {\"PLAIN\": \"p2\"}}\n",
      .want = "@@ -1 +1 @@\n-{\"env\": {\"PLAIN\": \"p1\"}}\n+{\"env\": {\"PLAIN\": \"p2\"}}\n" },
    { .name = "a secret that changes shows as changed",
      .from = "{\"env\": {\"X_KEY\": \"hunter2\"}}\n",
      .to = "{\"env\": {\"X_KEY\": \"hunter3\"}}\n",
      .want = "@@ -1 +1 @@\n-{\"env\": {\"X_KEY\": \"***\"}}\n"
              "+{\"env\": {\"X_KEY\": \"*** (new)\"}}\n" },
    { .name = "a secret that begins with the one before",
      .from = "{\"env\": {\"X_KEY\": \"abcd1234\"},\n\"args\": [\"curl -H abcd1234 x\"]}\n",
      .to = "{\"env\": {\"X_KEY\": \"abcd1234-TAIL\"},\n\"args\": [\"curl -H abcd1234-TAIL x\"]}\n",
      .want = "@@ -1,2 +1,2 @@\n-{\"env\": {\"X_KEY\": \"***\"},\n+{\"env\": {\"X_KEY\": \"*** (new)\"},\n"
              " \"args\": [\"curl -H *** x\"]}\n" },
    { .name = "a reference is no secret",
      .from = "{\"env\": {\"X_KEY\": \"${env:X}\"}, \"m\": 1}\n",
      .to = "{\"env\": {\"X_KEY\": \"${env:X}\"}, \"m\": 2}\n",
      .want = "@@ -1 +1 @@\n-{\"env\": {\"X_KEY\": \"${env:X}\"}, \"m\": 1}\n"
              "+{\"env\": {\"X_KEY\": \"${env:X}\"}, \"m\": 2}\n" },
    { .name = "words, a script with a known value, the key of the API",
      .from = "{\"env\": {\"X_KEY\": \"hunter2\"},\n"
              "\"args\": [\"--token\", \"abc\", \"echo hunter2\"],\n"
              "\"api_key\": \"qwe\", \"m\": 1}\n",
      .to = "{\"env\": {\"X_KEY\": \"hunter2\"},\n"
              "\"args\": [\"--token\", \"abc\", \"echo hunter2\"],\n"
            "\"api_key\": \"qwe\", \"m\": 2}\n",
      .want = "@@ -1,3 +1,3 @@\n {\"env\": {\"X_KEY\": \"***\"},\n"
              " \"args\": [\"--token\", \"***\", \"echo ***\"],\n-\"api_key\": \"***\", \"m\": 1}\n"
              "+\"api_key\": \"***\", \"m\": 2}\n" },
    { .name = "of a file that is new", .from = "",
      .to = "{\"headers\": {\"Authorization\": \"Bearer hunter2\"}}\n",
      .want = "@@ -0,0 +1 @@\n+{\"headers\": {\"Authorization\": \"*** (new)\"}}\n" },
    { .name = "TOML",
      .from = "[a.env]\nX_KEY = \"hunter2\"\nPLAIN = \"p\"\nargs = [\"hunter2\"]\nm = 1\n",
      .to = "[a.env]\nX_KEY = \"hunter2\"\nPLAIN = \"p\"\nargs = [\"hunter2\"]\nm = 2\n",
      .want = "@@ -1,5 +1,5 @@\n [a.env]\n X_KEY = \"***\"\n PLAIN = \"p\"\n args = [\"***\"]\n"
              "-m = 1\n+m = 2\n" },
    { .name = "numbers, and words that are none",
      .from = "{\"env\": {\"X_KEY\": 731942, \"PLAIN\": 7, \"GONE\": null, \"Y_TOKEN\": [\"a\", {\"env\": {\"Z_KEY\": \"b\"}}]},\n"
              "\"args\": [5, \"--token\", 4242, [\"--token\", \"abc\"], {\"url\": \"http://u:pw@h\"}, \"731942\", \"--key\", \"def\"],\n\"m\": 1}\n",
      .to = "{\"env\": {\"X_KEY\": 731942, \"PLAIN\": 8, \"GONE\": null, \"Y_TOKEN\": [\"a\", {\"env\": {\"Z_KEY\": \"b\"}}]},\n"
              "\"args\": [5, \"--token\", 4242, [\"--token\", \"abc\"], {\"url\": \"http://u:pw@h\"}, \"731942\", \"--key\", \"def\"],\n\"m\": 1}\n",
      .want = "@@ -1,3 +1,3 @@\n-{\"env\": {\"X_KEY\": \"***\", \"PLAIN\": 7, \"GONE\": null, \"Y_TOKEN\": \"***\"},\n"
              "+{\"env\": {\"X_KEY\": \"***\", \"PLAIN\": 8, \"GONE\": null, \"Y_TOKEN\": \"***\"},\n"
              " \"args\": [5, \"--token\", \"***\", \"***\", \"***\", \"***\", \"--key\", \"***\"],\n \"m\": 1}\n" },
    { .name = "strings that no program can be given",
      .from = "{\"env\": {\"X_KEY\": \"a\\u0000b\"},\n\"args\": [\"a\\u0000b\", \"--token\", \"abc\"],\n\"m\": 1}\n",
      .to = "{\"env\": {\"X_KEY\": \"a\\u0000b\"},\n\"args\": [\"a\\u0000b\", \"--token\", \"abc\"],\n\"m\": 2}\n",
      .want = "@@ -1,3 +1,3 @@\n {\"env\": {\"X_KEY\": \"***\"},\n"
              " \"args\": [\"***\", \"--token\", \"***\"],\n-\"m\": 1}\n+\"m\": 2}\n" },
    { .name = "numbers in TOML",
      .from = "[a.env]\nX_KEY = 731942\nPLAIN = 12\nm = 1\n",
      .to = "[a.env]\nX_KEY = 731942\nPLAIN = 12\nm = 2\n",
      .want = "@@ -1,4 +1,4 @@\n [a.env]\n X_KEY = ***\n PLAIN = 12\n-m = 1\n+m = 2\n" },
    { .name = "comments and what follows the last secret stay",
      .from = "// mine\n{\"env\": {\"X_KEY\": \"hunter2\",}} // end\n",
      .to = "// mine\n{\"env\": {\"X_KEY\": \"hunter2\",}}\n",
      .want = "@@ -1,2 +1,2 @@\n // mine\n-{\"env\": {\"X_KEY\": \"***\",}} // end\n"
              "+{\"env\": {\"X_KEY\": \"***\",}}\n" },
    { .name = "a file of one long line is compared by values",
      .from = LONG("\"x\": {\"command\": \"y\", \"args\": [\"a\", 1.50]}"),
      .to = LONG("\"x\": {\"command\": \"y\", \"args\": [\"a\", 2, {}], "
                 "\"isolation\": {\"enabled\": true}}"),
      .want = BY_VALUE "-mcpServers.x.args[1]: 1.50\n+mcpServers.x.args[1]: 2\n"
              "+mcpServers.x.args[2]: {}\n+mcpServers.x.isolation.enabled: true\n" },
    { .name = "keys that are empty",
      .from = LONG("\"\": {\"\": 1, \"a\": []}"), .to = LONG("\"\": {\"\": 2, \"a\": []}"),
      .want = BY_VALUE "-mcpServers..: 1\n+mcpServers..: 2\n" },
    { .name = "its secrets too",
      .from = LONG("\"x\": {\"env\": {\"X_KEY\": \"hunter2\", \"A\": \"b\"}}"),
      .to = LONG("\"x\": {\"env\": {\"X_KEY\": \"hunter3\", \"A\": \"c\"}}"),
      .want = BY_VALUE "-mcpServers.x.env.X_KEY: \"***\"\n-mcpServers.x.env.A: \"b\"\n"
              "+mcpServers.x.env.X_KEY: \"*** (new)\"\n+mcpServers.x.env.A: \"c\"\n" },
    { .name = "a long line that is no JSON is shown as it is",
      .from = "n = 1 # " LONG("") "\n", .to = "n = 2 # " LONG("") "\n",
      .want = "@@ -1 +1 @@\n-n = 1 # " LONG("") "\n+n = 2 # " LONG("") "\n" },
};

enum { SERVERS = 4000 };

/* Each has a secret, and the last but one in its words that of the first. */
static void add_servers(struct buf *text, const char *memory)
{
    buf_add_str(text, "{\"mcpServers\": {\n");
    for (int i = 0; i < SERVERS; i++) {
        bool one = i == SERVERS - 2;
        buf_printf(text, "\"s%04d\": {\n\"env\": {\"X_KEY\": \"hunter-%04d\", \"A\": \"%d\"},\n", i, i, i);
        buf_printf(text, "\"args\": [\"x%s\"],\n\"m\": \"%s\"\n}%s\n", one ? "hunter-0000" : "",
                   one ? memory : "1g", i + 1 < SERVERS ? "," : "");
    }
    buf_add_str(text, "}}\n");
}

/* The deadline is the check that the work grows with the file and no faster. */
static void a_long_file(void)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT, out = BUF_INIT;
    add_servers(&from, "1g");
    add_servers(&to, "2g");
    conceal_diff(&from, &to, 3, &out);
    is_str(buf_str(&out), "@@ -19992,7 +19992,7 @@\n \"s3998\": {\n \"env\": {\"X_KEY\": \"***\", \"A\": \"***\"},\n"
           " \"args\": [\"x***\"],\n-\"m\": \"1g\"\n+\"m\": \"2g\"\n },\n \"s3999\": {\n"
           " \"env\": {\"X_KEY\": \"***\", \"A\": \"***\"},\n", "one line of a long file");
    buf_clear(&from);
    buf_clear(&out);
    buf_add_str(&from, "{}\n");
    conceal_diff(&from, &to, 3, &out);
    ok(!strstr(buf_str(&out), "hunter"), "all of it is new");
}

/* A list where a word should stand is hidden whole, on however many lines. */
static void a_cut_value(void)
{
    static const char lines[] = "{\"env\": {\"X_KEY\": [\n\"hunter1\",\n\"hunter2\",\n\"hunter3\"\n]},\n\"m\": ";
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT, out = BUF_INIT;
    buf_printf(&from, "%s1}\n", lines);
    buf_printf(&to, "%s2}\n", lines);
    conceal_diff(&from, &to, 2, &out);
    is_str(buf_str(&out), "@@ -1,2 +1,2 @@\n {\"env\": {\"X_KEY\": \"***\"},\n-\"m\": 1}\n+\"m\": 2}\n",
           "a hidden value that begins above what is shown");
}

int main(void)
{
    enum { CONTEXT = 9 };
    tap_deadline(30);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        const struct scenario *c = &scenarios[i];
        AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT, out = BUF_INIT;
        buf_add_str(&from, c->from);
        buf_add_str(&to, c->to);
        conceal_diff(&from, &to, CONTEXT, &out);
        is_str(buf_str(&out), c->want, "%s", c->name);
    }
    a_long_file();
    a_cut_value();
    return done_testing();
}
