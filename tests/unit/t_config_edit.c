/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The editor: one value changes, every other byte stays. A table of exact results in every form
 * people write (guide's comments, tabs, CRLF, one line, trailing commas, empty objects, both shapes
 * of mcpServers), then properties over whole files: what was put in can be taken out to the same
 * bytes, and the loader reads what was written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "config/mcp_config.h"
#include "config/edit.h"
#include "tap.h"

static const struct {
    const char *what, *text, *server, *path, *value, *want;
} cases[] = {
    /* replacing */
    {"a value is replaced", "{\"docker_isolation\": {\"enabled\": true }}", NULL,
     "docker_isolation.enabled", "false", "{\"docker_isolation\": {\"enabled\": false }}"},
    {"the same value changes nothing", "{ \"a\" : 1.0 }", NULL, "a", "1.0", "{ \"a\" : 1.0 }"},
    {"an escaped equal string changes nothing", "{\"a\": \"512\\u006d\"}", NULL, "a", "\"512m\"",
     "{\"a\": \"512\\u006d\"}"},
    {"an equal array with comments changes nothing", "{\"a\": [1, /* x */ {\"b\": 2},]}", NULL, "a",
     "[1,{\"b\":2}]", "{\"a\": [1, /* x */ {\"b\": 2},]}"},
    {"another array replaces it", "{\"a\": [1]}", NULL, "a", "[1,2]", "{\"a\": [1,2]}"},
    {"of repeated keys the last is changed",
     "{\"isolation\": {\n\"enabled\": false, // one\n// OR\n\"enabled\": true, // two\n\"image\": \"x\"}}",
     NULL, "isolation.enabled", "false",
     "{\"isolation\": {\n\"enabled\": false, // one\n// OR\n\"enabled\": false, // two\n\"image\": \"x\"}}"},
    {"a byte order mark stays", "\xef\xbb\xbf{\"a\":1}", NULL, "a", "2", "\xef\xbb\xbf{\"a\":2}"},

    /* putting in: objects with members on their own lines */
    {"at the end, two spaces", "{\n  \"a\": 1\n}\n", NULL, "b", "2",
     "{\n  \"a\": 1,\n  \"b\": 2\n}\n"},
    {"at the end, tabs", "{\n\t\"a\": {\n\t\t\"x\": 1\n\t}\n}\n", NULL, "a.y", "2",
     "{\n\t\"a\": {\n\t\t\"x\": 1,\n\t\t\"y\": 2\n\t}\n}\n"},
    {"at the end, CRLF", "{\r\n  \"a\": 1\r\n}\r\n", NULL, "b", "2",
     "{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n"},
    {"a new object, in the file's indentation", "{\n    \"a\": 1\n}\n", NULL, "o.b", "true",
     "{\n    \"a\": 1,\n    \"o\": {\n        \"b\": true\n    }\n}\n"},
    {"a new object with tabs and CRLF", "{\r\n\t\"a\": 1\r\n}", NULL, "o.p.b", "true",
     "{\r\n\t\"a\": 1,\r\n\t\"o\": {\r\n\t\t\"p\": {\r\n\t\t\t\"b\": true\r\n\t\t}\r\n\t}\r\n}"},
    {"a file without indentation stays without", "{\n\"a\": {\n\"x\": 1\n}\n}\n", NULL, "o.b", "1",
     "{\n\"a\": {\n\"x\": 1\n},\n\"o\": {\n\"b\": 1\n}\n}\n"},
    {"after a line comment", "{\n  \"a\": 1 // one\n}\n", NULL, "b", "2",
     "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n"},
    {"after a line comment, CRLF", "{\r\n  \"a\": 1 // one\r\n}", NULL, "b", "2",
     "{\r\n  \"a\": 1, // one\r\n  \"b\": 2\r\n}"},
    {"after a block comment over lines", "{\n  \"a\": 1 /* one\n  more */\n}\n", NULL, "b", "2",
     "{\n  \"a\": 1, /* one\n  more */\n  \"b\": 2\n}\n"},
    {"before comments on lines of their own", "{\n  \"a\": 1\n  // end\n}\n", NULL, "b", "2",
     "{\n  \"a\": 1,\n  \"b\": 2\n  // end\n}\n"},
    {"a trailing comma is kept", "{\n  \"a\": 1, // one\n}\n", NULL, "b", "2",
     "{\n  \"a\": 1, // one\n  \"b\": 2,\n}\n"},
    {"the brace on the last line", "{\n  \"a\": 1 }\n", NULL, "b", "2",
     "{\n  \"a\": 1,\n  \"b\": 2 }\n"},
    {"the first member beside the brace", "{ \"a\": 1,\n  \"b\": 2\n}\n", NULL, "c", "3",
     "{ \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n"},

    /* putting in: objects on one line */
    {"one line", "{\"a\": 1, \"b\": 2}", NULL, "c", "3", "{\"a\": 1, \"b\": 2, \"c\": 3}"},
    {"one line, tight", "{\"a\":1,\"b\":2}", NULL, "o.c", "3", "{\"a\":1,\"b\":2,\"o\":{\"c\":3}}"},
    {"one member, tight", "{\"a\":1}", NULL, "c", "3", "{\"a\":1,\"c\":3}"},
    {"one line with spaces", "{ \"a\" : 1 , \"b\" : 2 }", NULL, "c", "3",
     "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }"},
    {"one line with a trailing comma", "{\"a\": 1, \"b\": 2,}", NULL, "c", "3",
     "{\"a\": 1, \"b\": 2, \"c\": 3,}"},
    {"one line before a comment", "{\"a\": 1 // x\n}", NULL, "b", "2",
     "{\"a\": 1, \"b\": 2 // x\n}"},
    {"commas first", "{\n  \"a\": 1\n, \"b\": 2\n}", NULL, "c", "3",
     "{\n  \"a\": 1\n, \"b\": 2, \"c\": 3\n}"},

    /* putting in: empty objects */
    {"an empty file of an object", "{}", NULL, "a", "1", "{\n  \"a\": 1\n}"},
    {"an empty object with a newline", "{\n}\n", NULL, "a", "1", "{\n  \"a\": 1\n}\n"},
    {"an empty object in a file with lines", "{\n    \"o\": {}\n}\n", NULL, "o.a", "1",
     "{\n    \"o\": {\n        \"a\": 1\n    }\n}\n"},
    {"an empty object on one line", "{\"o\":{}}", NULL, "o.a", "1", "{\"o\":{\"a\":1}}"},
    {"an empty object with a space", "{\"o\": { }}", NULL, "o.a", "1", "{\"o\": { \"a\": 1 }}"},
    {"an object with a comment only", "{\n  \"o\": {\n    // nothing yet\n  }\n}\n", NULL, "o.a",
     "1", "{\n  \"o\": {\n    // nothing yet\n    \"a\": 1\n  }\n}\n"},
    {"null becomes the object", "{\n  \"isolation\": null\n}\n", NULL, "isolation.mode", "\"none\"",
     "{\n  \"isolation\": {\n    \"mode\": \"none\"\n  }\n}\n"},
    {"a file without mcpServers", "{\n  \"listen\": \"x\"\n}\n", NULL, "docker_isolation.enabled",
     "true", "{\n  \"listen\": \"x\",\n  \"docker_isolation\": {\n    \"enabled\": true\n  }\n}\n"},

    /* servers */
    {"a server in an array", "{\"mcpServers\": [\n  {\"name\": \"a\"},\n  {\"name\": \"b\"}\n]}",
     "b", "isolation.enabled", "true",
     "{\"mcpServers\": [\n  {\"name\": \"a\"},\n  {\"name\": \"b\", \"isolation\": {\"enabled\": true}}\n]}"},
    {"a server by its key",
     "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"x\"\n    }\n  }\n}\n", "a",
     "isolation.memory_limit", "\"1g\"",
     "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"x\",\n      \"isolation\": {\n        "
     "\"memory_limit\": \"1g\"\n      }\n    }\n  }\n}\n"},
    {"an escaped name is the name", "{\"mcpServers\": {\"\\u0061\": {\"enabled\": true}}}", "a",
     "enabled", "false", "{\"mcpServers\": {\"\\u0061\": {\"enabled\": false}}}"},
    {"a name with a dot and a quote", "{\"mcpServers\": {\"a.\\\"b\": {\"enabled\": true}}}",
     "a.\"b", "enabled", "false", "{\"mcpServers\": {\"a.\\\"b\": {\"enabled\": false}}}"},

    /* taking out */
    {"an absent key", "{\"a\": 1}", NULL, "b.c", NULL, "{\"a\": 1}"},
    {"the only member", "{\"o\": { \"a\": 1 }}", NULL, "o.a", NULL, "{\"o\": {}}"},
    {"the only member beside a comment", "{\n  // c\n  \"a\": 1\n}\n", NULL, "a", NULL,
     "{\n  // c\n}\n"},
    {"the first on a line", "{\"a\": 1, \"b\": 2}", NULL, "a", NULL, "{\"b\": 2}"},
    {"the last on a line", "{\"a\": 1, \"b\": 2}", NULL, "b", NULL, "{\"a\": 1}"},
    {"the middle on a line", "{\"a\":1,\"b\":2,\"c\":3}", NULL, "b", NULL, "{\"a\":1,\"c\":3}"},
    {"the first of lines", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", NULL, "a", NULL,
     "{\n  \"b\": 2\n}\n"},
    {"the last of lines", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", NULL, "b", NULL, "{\n  \"a\": 1\n}\n"},
    {"the last, a comment before it", "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n", NULL, "b", NULL,
     "{\n  \"a\": 1 // one\n}\n"},
    {"the last with a trailing comma", "{\r\n  \"a\": 1,\r\n  \"b\": 2,\r\n}\r\n", NULL, "b", NULL,
     "{\r\n  \"a\": 1,\r\n}\r\n"},
    {"an object over lines", "{\n  \"a\": {\n    \"x\": 1\n  },\n  \"b\": 2\n}\n", NULL, "a", NULL,
     "{\n  \"b\": 2\n}\n"},
    {"a comment beside it stays", "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n", NULL, "a", NULL,
     "{\n  // one\n  \"b\": 2\n}\n"},
    {"all repetitions go", "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}\n", NULL, "a", NULL,
     "{\n  \"b\": 2\n}\n"},
};

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        struct fault f = FAULT_NONE;
        int rc = edit_text(cases[i].text, strlen(cases[i].text), cases[i].server, cases[i].path,
                           cases[i].value, &out, &f);
        is_str(rc == 0 ? buf_str(&out) : f.text, cases[i].want, "%s", cases[i].what);
    }
}

static const struct {
    const char *what, *text, *server, *path, *value, *fault;
} fault_cases[] = {
    {"a broken file", "{\"a\": }", NULL, "a", "1", "the configuration cannot be changed"},
    {"a file of an array", "[]", NULL, "a", "1", "is no object"},
    {"a broken value", "{}", NULL, "a", "{", "the new value of a"},
    {"a value with rubbish behind it", "{}", NULL, "a", "1, \"b\": 2", "the new value of a"},
    {"an empty part of the path", "{}", NULL, "a..b", "1", "is no path of a key"},
    {"no such server", "{\"mcpServers\": []}", "x", "a", "1", "has no server \"x\""},
    {"no servers at all", "{}", "x", "a", "1", "has no server \"x\""},
    {"a server that is no object", "{\"mcpServers\": {\"x\": 1}}", "x", "a", "1",
     "has no server \"x\""},
    {"two of that name", "{\"mcpServers\": [{\"name\":\"x\"},\n{\"name\":\"x\"}]}", "x", "a", "1",
     "(lines 1 and 2)"},
    {"a value in the way", "{\"a\":\n1}", NULL, "a.b", "1", "\"a\" on line 2 is no object"},
};

static void test_faults(void)
{
    for (size_t i = 0; i < ARRAY_LEN(fault_cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        struct fault f = FAULT_NONE;
        int rc = edit_text(fault_cases[i].text, strlen(fault_cases[i].text), fault_cases[i].server,
                           fault_cases[i].path, fault_cases[i].value, &out, &f);
        ok(rc == -1 && strstr(f.text, fault_cases[i].fault), "%s: %s", fault_cases[i].what, f.text);
    }
}

/* ---- properties ---- */

static const char *const files[] = {
    /* the guide's snippets with a server round them */
    "{\n\"docker_isolation\": {\n\"enabled\": true, // Master switch\n\"memory_limit\": \"512m\" // limit\n},\n"
    "\"mcpServers\": [\n{\n\"name\": \"s\",\n\"command\": \"uvx\",\n\"isolation\": {\n\"enabled\": false, // Disable isolation "
    "for this server\n// OR customize settings:\n\"enabled\": true,\n\"image\": \"python:3.12-slim\", // Custom image\n"
    "\"working_dir\": \"/workspace\" // Working directory in container\n}\n}\n]\n}\n",
    "{\n\t\"mcpServers\": {\n\t\t\"r\": {\n\t\t\t\"command\": \"npx\"\n\t\t},\n\t\t\"s\": {\n\t\t\t\"command\": \"npx\",\n"
    "\t\t\t\"args\": [\n\t\t\t\t\"-y\",\n\t\t\t\t\"x\"\n\t\t\t],\n\t\t\t\"isolation\": {\n\t\t\t\t\"enabled\": true\n"
    "\t\t\t}\n\t\t}\n\t}\n}",
    "{\r\n  \"mcpServers\": [\r\n    {\r\n      \"name\": \"s\",\r\n      \"command\": \"uvx\",\r\n      \"isolation\": {"
    "\r\n        \"enabled\": true,   // on\r\n      },\r\n    },\r\n  ],\r\n}\r\n",
    "{\"mcpServers\":{\"s\":{\"command\":\"uvx\",\"isolation\":{\"mode\":\"docker\"}}}}",
    "{ \"mcpServers\" : [ { \"name\" : \"s\" , \"command\" : \"uvx\" , \"isolation\" : { \"enabled\" : true } } ] }\n",
    "// top\n{ /* a */ \"mcpServers\": /* b */ { \"s\": { // c\n  \"command\": \"uvx\" /* d */, /* e */\n  \"isolation\": {\n"
    "    /* f */ \"enabled\": true /* g */ } // h\n} /* i */ } } // j",
};
static const struct edit_change changes[] = {
    {"isolation.enabled", "false"},
    {"isolation.mode", "\"none\""},
    {"isolation.memory_limit", "\"1g\""},
    {"isolation.cpu_limit", "\"2\""},
    {"isolation.network_mode", "\"none\""},
    {"isolation.env.X", "\"a b\""},
    {"isolation.image", "\"i:1\""},
    {"isolation.volumes", "[\"/a:/b:ro\"]"},
    {"enabled", "false"},
    {"env.NEW", "\"1\""},
};

static int edit(const struct buf *text, const struct edit_change *c, struct buf *out,
                struct fault *f)
{
    return edit_text(buf_str(text), text->len, "s", c->path, c->json_value, out, f);
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(buf_str(a), buf_str(b), a->len) == 0;
}

/* Is every byte of `a` still there in `b`, in order? (What is put in may go to two places: a comma
 * before a comment.) */
static bool kept_in(const struct buf *a, const struct buf *b)
{
    size_t i = 0;
    for (size_t k = 0; k < b->len && i < a->len; k++)
        i += a->data[i] == b->data[k];
    return i == a->len;
}

static bool loads(const struct buf *text)
{
    struct problems p = {0};
    struct config *c = config_parse("x", buf_str(text), text->len, NULL, NULL, &p);
    for (size_t i = 0; i < p.n && !c; i++)
        printf("# line %d: %s: %s\n", p.v[i].line, p.v[i].key, p.v[i].text);
    config_free(c);
    problems_fini(&p);
    return c != NULL;
}

static void test_one_property(size_t file, const struct edit_change *c)
{
    AUTO_BUF struct buf before = BUF_INIT;
    AUTO_BUF struct buf after = BUF_INIT;
    AUTO_BUF struct buf again = BUF_INIT;
    AUTO_BUF struct buf undone = BUF_INIT;
    AUTO_BUF struct buf removed = BUF_INIT;
    struct fault f = FAULT_NONE;
    buf_add_str(&before, files[file]);
    ok(edit(&before, c, &after, &f) == 0 && loads(&after), "file %zu, %s: set, and it loads", file,
       c->path);
    ok(edit(&after, c, &again, &f) == 0 && same(&after, &again),
       "file %zu, %s: setting it twice changes nothing", file, c->path);
    const struct edit_change take_out = {c->path, NULL};
    ok(edit(&before, &take_out, &removed, &f) == 0, "file %zu, %s: removed", file, c->path);
    bool was_absent = same(&before, &removed);
    if (!was_absent)
        return;
    ok(kept_in(&before, &after), "file %zu, %s: no byte of the file is lost", file, c->path);
    bool new_object = strcmp(c->path, "env.NEW") == 0 || strcmp(c->path, "isolation.env.X") == 0;
    const char *dot = strrchr(c->path, '.');
    AUTO_FREE char *parent = xstrndup(c->path, dot ? (size_t)(dot - c->path) : 0);
    const struct edit_change undo = {new_object ? parent : c->path, NULL};
    ok(edit(&after, &undo, &undone, &f) == 0 && same(&before, &undone),
       "file %zu, %s: put in and taken out", file, c->path);
    if (!same(&before, &undone))
        printf("# %s\n#---\n# %s\n", buf_str(&after), buf_str(&undone));
}

static void test_properties(void)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        for (size_t k = 0; k < ARRAY_LEN(changes); k++)
            test_one_property(i, &changes[k]);
}

/* Every prefix of a file is an input too: a fault or a result that parses, never a crash. */
static void test_prefixes(void)
{
    size_t done = 0;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        for (size_t n = 0; n <= strlen(files[i]); n++) {
            /* so that a sanitizer sees a read behind it */
            AUTO_FREE char *exact = xmalloc(n ? n : 1);
            memcpy(exact, files[i], n);
            AUTO_BUF struct buf out = BUF_INIT;
            done += edit_text(exact, n, "s", "isolation.memory_limit", "\"1g\"", &out, NULL) == 0;
        }
    }
    ok(done >= ARRAY_LEN(files), "prefixes of files: %zu parse and are edited", done);
}

/* ---- the file ---- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "wrote %s", path);
    close(fd);
}

static char *read_file(const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    close(fd);
    return xstrndup(text, n > 0 ? (size_t)n : 0);
}

static bool is_alone(const char *dir, int entries)
{
    AUTO_FREE char *command = xasprintf("test \"$(ls -A %s | wc -l)\" -eq %d", dir, entries);
    return system(command) == 0;
}

static void test_file(void)
{
    char dir[] = "/tmp/t_config_edit.XXXXXX";
    ok(mkdtemp(dir) != NULL, "a directory of its own");
    AUTO_FREE char *real = xasprintf("%s/real.json", dir);
    AUTO_FREE char *link = xasprintf("%s/mcp_config.json", dir);
    write_file(real, files[0]);
    ok(chmod(real, 0640) == 0 && symlink("real.json", link) == 0,
       "a symlink to a file of mode 0640");

    AUTO_BUF struct buf old = BUF_INIT;
    AUTO_BUF struct buf new = BUF_INIT;
    struct fault f = FAULT_NONE;
    struct stat st;
    ok(edit_file(link, "s",
                 (struct edit_change[]){{"isolation.memory_limit", "\"1g\""}, {"enabled", "false"}},
                 2, &old, &new, &f) == 0,
       "two changes at once: %s", f.text);
    AUTO_FREE char *text = read_file(real);
    is_str(buf_str(&old), files[0], "the old text is handed out");
    is_str(text, buf_str(&new), "the new one stands in the file");
    ok(strstr(text, "\"memory_limit\": \"1g\"") && strstr(text, "\"enabled\": false\n}"),
       "with both changes");
    ok(lstat(link, &st) == 0 && S_ISLNK(st.st_mode), "the symlink is a symlink");
    ok(stat(real, &st) == 0 && (st.st_mode & 07777) == 0640, "the mode is kept");
    ok(is_alone(dir, 2), "no temporary file is left");

    ino_t inode = st.st_ino;
    ok(edit_file(link, "s", (struct edit_change[]){{"enabled", "false"}}, 1, NULL, NULL, &f) == 0,
       "the same again");
    ok(stat(real, &st) == 0 && st.st_ino == inode, "does not touch the file");

    ok(edit_file(link, "s", (struct edit_change[]){{"isolation.memory_limit", "\"many\""}}, 1, NULL,
                 NULL, &f) < 0 &&
           strstr(f.text, "memory_limit") && strstr(f.text, "line"),
       "a value that would not load is refused: %s", f.text);
    AUTO_FREE char *untouched = read_file(real);
    is_str(untouched, text, "and the file is as it was");

    write_file(real, "{\"listen\": 1, \"mcpServers\": {\"s\": {\"command\": \"x\"}}}");
    ok(edit_file(link, "s", (struct edit_change[]){{"enabled", "true"}}, 1, NULL, NULL, &f) < 0 &&
           strstr(f.text, "mended first"),
       "a file with an error of its own is not touched: %s", f.text);
    write_file(real, "{");
    ok(edit_file(link, "s", (struct edit_change[]){{"enabled", "true"}}, 1, NULL, NULL, &f) < 0,
       "nor a broken one: %s", f.text);
    ok(is_alone(dir, 2), "no temporary file is left");
    unlink(link);
    ok(edit_file(link, "s", (struct edit_change[]){{"enabled", "true"}}, 1, NULL, NULL, &f) < 0 &&
           f.code == ENOENT,
       "a missing file is a fault: %s", f.text);
    unlink(real);
    rmdir(dir);
}

/* ---- servers that are added ---- */

#define SPEC "{\"command\":\"npx\",\"args\":[\"-y\",\"x\"],\"env\":{\"A\":\"1\"}}"

static const struct { const char *what, *text, *want; } additions[] = {
    {"an empty text", "",
     "{\n  \"mcpServers\": {\n    \"n.w\": {\n      \"command\": \"npx\",\n      \"args\": [\"-y\", "
     "\"x\"],\n      \"env\": {\n        \"A\": \"1\"\n      }\n    }\n  }\n}\n"},
    {"no mcpServers", "{\n\t\"listen\": \"none\" // l\n}\n",
     "{\n\t\"listen\": \"none\", // l\n\t\"mcpServers\": {\n\t\t\"n.w\": {\n\t\t\t\"command\": "
     "\"npx\",\n\t\t\t\"args\": [\"-y\", \"x\"],\n\t\t\t\"env\": {\n\t\t\t\t\"A\": \"1\"\n\t\t\t}"
     "\n\t\t}\n\t}\n}\n"},
    {"an object on one line", "{\"mcpServers\":{\"a\":{\"command\":\"x\"}}}",
     "{\"mcpServers\":{\"a\":{\"command\":\"x\"},\"n.w\":{\"command\":\"npx\",\"args\":[\"-y\", "
     "\"x\"],\"env\":{\"A\":\"1\"}}}}"},
    {"an array over lines",
     "{\r\n  \"mcpServers\": [\r\n    {\r\n      \"name\": \"a\",\r\n      \"command\": \"x\"\r\n    }, "
     "// a\r\n  ]\r\n}\r\n",
     "{\r\n  \"mcpServers\": [\r\n    {\r\n      \"name\": \"a\",\r\n      \"command\": \"x\"\r\n    }, "
     "// a\r\n    {\r\n      \"name\": \"n.w\",\r\n      \"command\": \"npx\",\r\n      \"args\": "
     "[\"-y\", \"x\"],\r\n      \"env\": {\r\n        \"A\": \"1\"\r\n      }\r\n    },\r\n  ]\r\n}\r\n"},
    {"an array of lines", "{\n\"mcpServers\": [\n  { \"name\": \"a\", \"command\": \"x\" }\n]\n}\n",
     "{\n\"mcpServers\": [\n  { \"name\": \"a\", \"command\": \"x\" },\n  { \"name\": \"n.w\", "
     "\"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"env\": {\"A\": \"1\"} }\n]\n}\n"},
    {"an array on one line", "{\"mcpServers\": [{\"name\": \"a\", \"command\": \"x\"}]}",
     "{\"mcpServers\": [{\"name\": \"a\", \"command\": \"x\"}, {\"name\": \"n.w\", \"command\": "
     "\"npx\", \"args\": [\"-y\", \"x\"], \"env\": {\"A\": \"1\"}}]}"},
    {"an empty array", "{\n  \"mcpServers\": []\n}\n",
     "{\n  \"mcpServers\": [\n    {\n      \"name\": \"n.w\",\n      \"command\": \"npx\",\n      "
     "\"args\": [\"-y\", \"x\"],\n      \"env\": {\n        \"A\": \"1\"\n      }\n    }\n  ]\n}\n"},
};

static void test_additions(void)
{
    json_t *spec = json_loads(SPEC, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(additions); i++) {
        AUTO_BUF struct buf out = BUF_INIT, again = BUF_INIT;
        struct fault f = FAULT_NONE;
        int rc = edit_add_server(additions[i].text, strlen(additions[i].text), "n.w", spec, &out, &f);
        is_str(rc == 0 ? buf_str(&out) : f.text, additions[i].want, "added to %s", additions[i].what);
        ok(rc == 0 && loads(&out), "added to %s: it loads", additions[i].what);
        ok(edit_add_server(buf_str(&out), out.len, "n.w", spec, &again, &f) == -1 &&
               f.code == FAULT_CONFLICT && strstr(f.text, "on line"),
           "added to %s: not twice: %s", additions[i].what, f.text);
    }
    AUTO_BUF struct buf out = BUF_INIT;
    struct fault f = FAULT_NONE;
    ok(edit_add_server("{\n\"mcpServers\": 1}", 19, "a", spec, &out, &f) == -1 &&
           strstr(f.text, "line 2"), "no list of servers: %s", f.text);
    json_decref(spec);
}

int main(void)
{
    tap_deadline(60);
    test_cases();
    test_faults();
    test_additions();
    test_properties();
    test_prefixes();
    test_file();
    return done_testing();
}
