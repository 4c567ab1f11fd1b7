/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of AI clients: what they name, mcptop into them and out of them byte for byte, and their
 * servers as ours. */
#include "config/foreign.h"

#include <stdint.h>
#include <string.h>
#include "base/mem.h"
#include "tap.h"

/* ---- places ---- */

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static const char *moved_env(const char *name)
{
    return !strcmp(name, "XDG_CONFIG_HOME")     ? "/x"
           : !strcmp(name, "CLAUDE_CONFIG_DIR") ? "/c"
           : !strcmp(name, "CODEX_HOME")        ? "relative"
                                                : NULL;
}

static void test_places(void)
{
    static const struct { const char *id, *path, *moved, *dir; } want[] = {
        {"claude-code", "/h/.claude.json", "/c/.claude.json", "/h/.claude"},
        {"claude-desktop", "/h/.config/Claude/claude_desktop_config.json",
         "/x/Claude/claude_desktop_config.json", "/h/.config/Claude"},
        {"cursor", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", "/h/.cursor"},
        {"vscode", "/h/.config/Code/User/mcp.json", "/x/Code/User/mcp.json",
         "/h/.config/Code/User"},
        {"gemini", "/h/.gemini/settings.json", "/h/.gemini/settings.json", "/h/.gemini"},
        {"codex", "/h/.codex/config.toml", "/h/.codex/config.toml", "/h/.codex"},
    };
    ok(ARRAY_LEN(want) == foreign_client_count, "every client is here");
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct foreign_client *c = foreign_find(want[i].id);
        AUTO_FREE char *path = foreign_path(c, "/h", no_env), *dir = foreign_dir(c, "/h", no_env),
                       *moved = foreign_path(c, "/h", moved_env);
        is_str(path, want[i].path, "%s: its file", want[i].id);
        is_str(moved, want[i].moved, "%s: where the environment moves it", want[i].id);
        is_str(dir, want[i].dir, "%s: its directory", want[i].id);
    }
    ok(!foreign_find("emacs"), "an unknown one");
}

/* ---- in and out ---- */

#define MCPTOP_AT(indent, nl)                                                                      \
    "\"mcptop\": {" nl indent "  \"command\": \"/bin/mcptop\"," nl indent                         \
    "  \"args\": [\"stdio\"]" nl indent "}"

static const struct { const char *what, *client, *before, *after; } cases[] = {
    {"no file", "cursor", "",
     "{\n  \"mcpServers\": {\n    " MCPTOP_AT("    ", "\n") "\n  }\n}\n"},
    {"blanks only", "cursor", " \n",
     "{\n  \"mcpServers\": {\n    " MCPTOP_AT("    ", "\n") "\n  }\n}\n"},
    {"typed", "vscode", "{\n\t\"servers\": {},\n\t\"inputs\": []\n}\n",
     "{\n\t\"servers\": {\n\t\t\"mcptop\": {\n\t\t\t\"type\": \"stdio\",\n\t\t\t\"command\": "
     "\"/bin/mcptop\",\n\t\t\t\"args\": [\"stdio\"]\n\t\t}\n\t},\n\t\"inputs\": []\n}\n"},
    {"beside others, with comments", "gemini",
     "// mine\n{\n  \"theme\": \"dark\", // t\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": "
     "\"x\"\n    } // last\n  }\n}\n",
     "// mine\n{\n  \"theme\": \"dark\", // t\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": "
     "\"x\"\n    }, // last\n    " MCPTOP_AT("    ", "\n") "\n  }\n}\n"},
    {"CRLF", "cursor", "{\r\n  \"mcpServers\": {\r\n    \"a\": {}\r\n  }\r\n}\r\n",
     "{\r\n  \"mcpServers\": {\r\n    \"a\": {},\r\n    " MCPTOP_AT("    ", "\r\n")
     "\r\n  }\r\n}\r\n"},
    {"one line", "claude-desktop", "{\"mcpServers\":{\"a\":{\"command\":\"x\"}}}",
     "{\"mcpServers\":{\"a\":{\"command\":\"x\"},\"mcptop\":{\"command\":\"/bin/mcptop\",\"args\":"
     "[\"stdio\"]}}}"},
    {"null", "cursor", "{\n  \"mcpServers\": null\n}\n",
     "{\n  \"mcpServers\": {\n    " MCPTOP_AT("    ", "\n") "\n  }\n}\n"},
    {"TOML, no file", "codex", "",
     "[mcp_servers.mcptop]\ncommand = \"/bin/mcptop\"\nargs = [\"stdio\"]\n"},
    {"TOML beside others", "codex",
     "model = \"x\" # m\n\n[mcp_servers.a]\ncommand = \"y\"\n[profiles.z]\nq = 1",
     "model = \"x\" # m\n\n[mcp_servers.a]\ncommand = \"y\"\n[profiles.z]\nq = 1\n\n"
     "[mcp_servers.mcptop]\ncommand = \"/bin/mcptop\"\nargs = [\"stdio\"]\n"},
    {"TOML, CRLF", "codex", "model = \"x\"\r\n",
     "model = \"x\"\r\n\r\n[mcp_servers.mcptop]\r\ncommand = \"/bin/mcptop\"\r\nargs = [\"stdio\"]"
     "\r\n"},
};

static int connect_as(const char *client, const char *text, const char *name, const char *command,
                      const char *server, struct buf *out, int *line, struct fault *f)
{
    AUTO_STRVEC struct strvec args = {0};
    strvec_add(&args, "stdio");
    if (server)
        strvec_add(&args, server);
    const struct foreign_entry e = {name, command, &args};
    return foreign_connect(foreign_find(client), text, strlen(text), &e, 1, out, line, f);
}

static int disconnect(const char *client, const char *text, const char *before, struct buf *out,
                      struct foreign_undone *u)
{
    const struct buf now = {.data = (char *)(uintptr_t)text, .len = strlen(text)};
    const struct buf old = {.data = (char *)(uintptr_t)before, .len = before ? strlen(before) : 0};
    int line;
    struct fault f = FAULT_NONE;
    int rc = foreign_disconnect(foreign_find(client), &now, before ? &old : NULL, out, u, &line,
                                &f);
    if (rc)
        printf("# %s\n", f.text);
    return rc;
}

static void test_connect(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT, again = BUF_INIT, undone = BUF_INIT;
        struct foreign_undone u = {0};
        struct fault f = FAULT_NONE;
        int line;
        int rc = connect_as(cases[i].client, cases[i].before, "mcptop", "/bin/mcptop", NULL, &out,
                            &line, &f);
        is_str(rc ? f.text : buf_str(&out), cases[i].after, "%s", cases[i].what);
        connect_as(cases[i].client, buf_str(&out), "mcptop", "/bin/mcptop", NULL, &again, &line,
                   &f);
        is_str(buf_str(&again), cases[i].after, "%s: again", cases[i].what);
        rc = disconnect(cases[i].client, buf_str(&out), cases[i].before, &undone, &u);
        is_str(rc ? "fault" : buf_str(&undone), cases[i].before, "%s: undone", cases[i].what);
        ok(u.exact && u.removed == 1, "%s: exactly", cases[i].what);
    }
}

static const struct { const char *what, *client, *text, *fault; int line; } refused[] = {
    {"another's entry", "cursor", "{\"mcpServers\": {\n\"mcptop\": {\"command\": \"x\"}}}",
     "not mcptop's", 2},
    {"another's table", "codex", "\n[mcp_servers.mcptop]\ncommand = \"x\"\n", "not mcptop's", 2},
    {"no object", "cursor", "{\n\"mcpServers\": []}", "is no object", 2},
    {"no object at all", "cursor", "[]", "is no object", 0},
    {"broken", "cursor", "{\n\"mcpServers\": {", "line 2, column", 2},
    {"broken TOML", "codex", "a = 1\nb\n", "line 2: expected \"=\"", 2},
    {"an inline table", "codex", "mcp_servers = {}\n", "mcptop cannot be added", 3},
};

static void test_refused(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        struct fault f = FAULT_NONE;
        int line = 0;
        int rc = connect_as(refused[i].client, refused[i].text, "mcptop", "/bin/mcptop", NULL, &out,
                            &line, &f);
        ok(rc == -1 && strstr(f.text, refused[i].fault) && line == refused[i].line && !out.len,
           "%s: %d: %s", refused[i].what, line, f.text);
    }
}

/* What is ours is brought up to date, what else stands in it stays. */
static void test_update(void)
{
    AUTO_BUF struct buf json = BUF_INIT, toml = BUF_INIT, inline_toml = BUF_INIT;
    struct fault f = FAULT_NONE;
    int line;
    connect_as("cursor", "{\"mcpServers\": {\"mcptop\": {\"env\": {\"A\": \"1\"}, \"command\": "
               "\"/old/mcptop\", \"args\": [\"stdio\"]}}}", "mcptop", "/bin/mcptop", NULL, &json,
               &line, &f);
    is_str(buf_str(&json), "{\"mcpServers\": {\"mcptop\": {\"env\": {\"A\": \"1\"}, \"command\": "
           "\"/bin/mcptop\", \"args\": [\"stdio\"]}}}", "JSON");
    connect_as("codex", "[mcp_servers.mcptop]\nargs = [\"stdio\"] # a\ncommand = '/old/mcptop' # c\n"
               "[mcp_servers.mcptop.env]\nA = \"1\"\n[z]\n", "mcptop", "/bin/mcptop", NULL, &toml,
               &line, &f);
    is_str(buf_str(&toml), "[mcp_servers.mcptop]\nargs = [\"stdio\"] # a\ncommand = \"/bin/mcptop\" "
           "# c\n[mcp_servers.mcptop.env]\nA = \"1\"\n[z]\n", "TOML");
    int rc = connect_as("codex", "[mcp_servers]\nmcptop = {command = \"/old/mcptop\", args = "
                        "[\"stdio\"]}\n", "mcptop", "/bin/mcptop", NULL, &inline_toml, &line, &f);
    ok(rc == -1 && strstr(f.text, "by hand"), "an inline table is not ours to rewrite: %s", f.text);
}

static void test_each(void)
{
    AUTO_STRVEC struct strvec one = {0}, two = {0};
    AUTO_BUF struct buf json = BUF_INIT, toml = BUF_INIT, out = BUF_INIT;
    struct foreign_undone u;
    int line;
    strvec_add(&one, "stdio");
    strvec_add(&one, "a.b");
    strvec_add(&two, "stdio");
    strvec_add(&two, "c\"d");
    const struct foreign_entry e[] = {{"a.b", "/bin/mcptop", &one}, {"c\"d", "/bin/mcptop", &two}};
    foreign_connect(foreign_find("cursor"), "{}", 2, e, 2, &json, &line, NULL);
    ok(strstr(buf_str(&json), "\"a.b\": {") && strstr(buf_str(&json), "\"stdio\", \"c\\\"d\"]"),
       "names of any kind in JSON");
    foreign_connect(foreign_find("codex"), "", 0, e, 2, &toml, &line, NULL);
    ok(strstr(buf_str(&toml), "[mcp_servers.\"a.b\"]\n") &&
           strstr(buf_str(&toml), "[mcp_servers.\"c\\\"d\"]\n"),
       "and in TOML");
    ok(disconnect("codex", buf_str(&toml), NULL, &out, &u) == 0 && u.removed == 2 && u.exact &&
           !out.len, "both go");
}

/* Somebody else has written meanwhile: only ours goes. */
static void test_cut(void)
{
    static const struct { const char *what, *client, *text, *before, *want; } cuts[] = {
        {"JSON", "cursor", "{\n  \"mcpServers\": {\n    \"mcptop\": {\"command\": \"/bin/mcptop\", "
         "\"args\": [\"stdio\"]},\n    \"new\": {\"command\": \"x\"}\n  }\n}\n", "{}",
         "{\n  \"mcpServers\": {\n    \"new\": {\"command\": \"x\"}\n  }\n}\n"},
        {"the object that we made", "claude-code", "{\n  \"n\": 2,\n  \"mcpServers\": {\n    "
         "\"mcptop\": {\"command\": \"/bin/mcptop\", \"args\": [\"stdio\"]}\n  }\n}\n",
         "{\n  \"n\": 1\n}\n", "{\n  \"n\": 2\n}\n"},
        {"the object that was there", "claude-code", "{\n  \"n\": 2,\n  \"mcpServers\": {\n    "
         "\"mcptop\": {\"command\": \"/bin/mcptop\", \"args\": [\"stdio\"]}\n  }\n}\n",
         "{\n  \"n\": 1,\n  \"mcpServers\": {}\n}\n", "{\n  \"n\": 2,\n  \"mcpServers\": {}\n}\n"},
        {"TOML", "codex", "a = 2\n\n[mcp_servers.mcptop]\ncommand = \"/bin/mcptop\"\nargs = "
         "[\"stdio\"]\n\n[mcp_servers.mcptop.env]\nX = \"1\"\n\n# of z\n[z]\nb = 1\n", "a = 1\n",
         "a = 2\n\n# of z\n[z]\nb = 1\n"},
        {"nothing of ours", "cursor", "{\"mcpServers\": {\"a\": {\"command\": \"mcptop\", \"args\": "
         "[\"ls\"]}}}", NULL, "{\"mcpServers\": {\"a\": {\"command\": \"mcptop\", \"args\": "
         "[\"ls\"]}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        struct foreign_undone u;
        int rc = disconnect(cuts[i].client, cuts[i].text, cuts[i].before, &out, &u);
        is_str(rc ? "fault" : buf_str(&out), cuts[i].want, "cut: %s", cuts[i].what);
        ok(!u.exact, "cut: %s: not taken for untouched", cuts[i].what);
    }
}

/* ---- reading ---- */

static void test_read(void)
{
    static const char text[] =
        "{ \"mcpServers\": { \"a\": { \"command\": \"npx\", /* c */ \"args\": [\"-y\", \"x\",], },\n"
        "\"b\": { \"url\": \"https://x\" }, \"me\": { \"command\": \"/usr/bin/mcptop\", \"args\": "
        "[\"stdio\"] } },\n\"projects\": { \"/p\": { \"mcpServers\": { \"c\": { \"command\": "
        "\"y\" } } }, \"/q\": {} } }";
    struct foreign_servers s;
    int line;
    ok(foreign_read(FOREIGN_JSON, text, strlen(text), &s, &line, NULL) == 0 && s.n == 4,
       "four servers");
    if (s.n == 4) {
        AUTO_FREE char *spec = json_dumps(s.v[0].spec, JSON_COMPACT);
        is_str(spec, "{\"command\":\"npx\",\"args\":[\"-y\",\"x\"]}", "values without comments");
        ok(s.v[1].is_remote && s.v[1].line == 2 && !s.v[0].is_remote, "a remote one, and its line");
        ok(s.v[2].is_mcptop && !s.v[0].is_mcptop, "mcptop itself");
        is_str(s.v[3].where, "/p", "one of a project");
    }
    foreign_servers_fini(&s);
    const char *array = "{\"servers\": [{\"name\": \"a\", \"command\": \"x\"}, "
                        "{\"command\": \"y\"}, 1]}";
    ok(foreign_read(FOREIGN_JSON, array, strlen(array), &s, &line, NULL) == 0 && s.n == 1 &&
           !strcmp(s.v[0].name, "a"), "an array, of which one has a name");
    foreign_servers_fini(&s);
    ok(foreign_read(FOREIGN_JSON, "[]", 2, &s, &line, NULL) == 0 && s.n == 0, "no object");
    ok(foreign_read(FOREIGN_TOML, "\n", 1, &s, &line, NULL) == 0 && s.n == 0, "an empty file");
    ok(foreign_read(FOREIGN_JSON, "{\n", 2, &s, &line, NULL) == -1 && line == 2 && !s.n,
       "a broken one, with its line");
}

static void test_import(void)
{
    static const struct { const char *what, *spec, *want, *notes; } imports[] = {
        {"as it is", "{\"command\":\"npx\",\"args\":[\"-y\"],\"env\":{\"A\":\"\\u0001 $x\"}}",
         "{\"command\":\"npx\",\"args\":[\"-y\"],\"env\":{\"A\":\"\\u0001 $x\"}}", ""},
        {"typed, other order", "{\"type\":\"stdio\",\"env\":{},\"args\":[],\"command\":\"x\"}",
         "{\"command\":\"x\",\"args\":[],\"env\":{}}", ""},
        {"Cursor's and Gemini's", "{\"command\":\"x\",\"cwd\":\"/w\",\"disabled\":true,\"timeout\":"
         "1500,\"includeTools\":[\"t\"],\"trust\":true}",
         "{\"command\":\"x\",\"working_dir\":\"/w\",\"enabled\":false,\"call_tool_timeout\":\"2s\","
         "\"enabled_tools\":[\"t\"]}", "left out: trust;"},
        {"Codex's", "{\"command\":\"x\",\"startup_timeout_sec\":20,\"tool_timeout_sec\":60.5,\"env\":"
         "{\"A\":\"1\"},\"env_vars\":[\"B\"]}",
         "{\"command\":\"x\",\"init_timeout\":\"20s\",\"call_tool_timeout\":\"61s\",\"env\":{\"A\":"
         "\"1\",\"B\":\"${env:B}\"}}", ""},
        {"Cline's", "{\"command\":\"x\",\"timeout\":60}",
         "{\"command\":\"x\",\"call_tool_timeout\":\"60s\"}", ""},
        {"no time", "{\"command\":\"x\",\"timeout\":-1}", "{\"command\":\"x\"}",
         "left out: timeout;"},
        {"MCPProxy's", "{\"name\":\"a\",\"protocol\":\"stdio\",\"command\":\"x\",\"isolation\":{"
         "\"enabled\":true},\"enabled\":false}",
         "{\"command\":\"x\",\"isolation\":{\"enabled\":true},\"enabled\":false}", ""},
        {"numbers in env", "{\"command\":\"x\",\"env\":{\"PORT\":8080,\"ON\":true}}",
         "{\"command\":\"x\",\"env\":{\"PORT\":\"8080\",\"ON\":\"true\"}}", ""},
        {"variables", "{\"command\":\"x\",\"args\":[\"${input:key}\",\"${env:OK}\"]}",
         "{\"command\":\"x\",\"args\":[\"${input:key}\",\"${env:OK}\"]}",
         "${input:key} is not replaced here: write ${env:NAME}, or the value;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(imports); i++) {
        AUTO_STRVEC struct strvec notes = {0};
        AUTO_BUF struct buf said = BUF_INIT;
        json_t *spec = json_loads(imports[i].spec, 0, NULL);
        json_t *ours = foreign_import(spec, &notes);
        AUTO_FREE char *got = json_dumps(ours, JSON_COMPACT);
        for (size_t k = 0; k < notes.n; k++)
            buf_printf(&said, "%s;", notes.v[k]);
        is_str(got, imports[i].want, "import: %s", imports[i].what);
        is_str(buf_str(&said), imports[i].notes, "import: %s: notes", imports[i].what);
        json_decref(ours);
        json_decref(spec);
    }
}

int main(void)
{
    tap_deadline(30);
    test_places();
    test_connect();
    test_refused();
    test_update();
    test_each();
    test_cut();
    test_read();
    test_import();
    return done_testing();
}
