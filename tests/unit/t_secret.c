/* SPDX-License-Identifier: GPL-3.0-or-later */
/* secret.h: what is hidden of a command's arguments, and what is not. */
#include "base/secret.h"

#include <stdlib.h>
#include "base/mem.h"
#include "tap.h"

static void values(void)
{
    static const struct {
        const char *value, *shown;
    } words[] = {
        {"https://h/mcp?api_key=hunter&x=1", "https://h/mcp?api_key=***&x=1"},
        {"https://h/mcp?x=1&KEY=hunter#f", "https://h/mcp?x=1&KEY=***#f"},
        {"https://h/?monkey=1&q", "https://h/?monkey=1&q"},
        {"postgres://u:hun@ter@h:1/db", "postgres://u:***@h:1/db"},
        {"Authorization: Bearer hunter", "Authorization:***"},
        {"X-Api-Key:hunter", "X-Api-Key:***"},
        {"OPENAI_KEY=hunter", "OPENAI_KEY=***"},
        {"GITHUB_PAT=hunter", "GITHUB_PAT=***"},
        {"NODE_PATH=/x", "NODE_PATH=/x"},
        {"token://host", "token://host"},
        {"Accept: text/plain", "Accept: text/plain"},
        {"ghp_0123456789abcdefghij", "***"},
        {"sk-ant-api03-0123456789abcdef", "***"},
        {"x=ghp_0123456789abcdefghij", "x=***"},
        {"sk-short", "sk-short"},
        {"export API_KEY=hunter; exec x", "export API_KEY=***; exec x"},
        {"cd /x && A_TOKEN='hun ter' B=1 run", "cd /x && A_TOKEN=*** B=1 run"},
        {"x; A_TOKEN=$1 run \"$A_TOKEN\"", "x; A_TOKEN=$1 run \"$A_TOKEN\""},
        {"run --api-key hunter --port 1", "run --api-key *** --port 1"},
        {"run --api-key=hunter -v", "run --api-key=*** -v"},
        {"run --token --port 1", "run --token --port 1"},
        {"echo ghp_0123456789abcdefghij | x", "echo *** | x"},
        {"curl https://u:hunter@h/ -o x", "curl https://u:***@h/ -o x"},
        {"const token = read(); run(token)", "const token = read(); run(token)"},
        {"sk-/is/a/path/of/some/length", "sk-/is/a/path/of/some/length"},
        {"@modelcontextprotocol/server-github", "@modelcontextprotocol/server-github"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO_BUF struct buf b = BUF_INIT;
        secret_mask_value(words[i].value, &b);
        is_str(buf_str(&b), words[i].shown, "%s", words[i].value);
    }
}

static void args(void)
{
    static const struct {
        const char *args[4], *shown[4];
    } lines[] = {
        {{"--token", "hunter", "x"}, {"--token", "***", "x"}},
        {{"--token", "--port", "80"}, {"--token", "--port", "80"}},
        {{"--key", "hunter"}, {"--key", "***"}},
        {{"--header=Authorization: Bearer hunter"}, {"--header=Authorization:***"}},
        {{"--header", "Authorization: Bearer hunter"}, {"--header", "Authorization:***"}},
        {{"-H", "Cookie: hunter"}, {"-H", "Cookie:***"}},
        {{"--url=https://u:hunter@h"}, {"--url=https://u:***@h"}},
        {{"--api-key=hunter"}, {"--api-key=***"}},
        {{"run", "-e", "PLAIN=hunter", "x"}, {"run", "-e", "PLAIN=***", "x"}},
        {{"--env", "PLAIN=hunter"}, {"--env", "PLAIN=***"}},
        {{"--env=PLAIN=hunter"}, {"--env=PLAIN=***"}},
        {{"-ePLAIN=hunter"}, {"-ePLAIN=***"}},
        {{"-e", "PLAIN", "A=1"}, {"-e", "PLAIN", "A=1"}},
        {{"-e", "x=1; run()"}, {"-e", "x=1; run()"}},
        {{"-y", "pkg", "/data", "PORT=1"}, {"-y", "pkg", "/data", "PORT=1"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        AUTO_STRVEC struct strvec out = {0};
        size_t n = 0;
        while (n < 4 && lines[i].args[n])
            n++;
        secret_mask_args((char *const *)lines[i].args, n, &out);
        is_int((int)out.n, (int)n, "%s …: as many words", lines[i].args[0]);
        for (size_t k = 0; k < n; k++)
            is_str(out.v[k], lines[i].shown[k], "  %s", lines[i].args[k]);
    }
    AUTO_STRVEC struct strvec none = {0};
    secret_mask_args(NULL, 0, &none);
    is_int((int)none.n, 0, "no arguments");
}

static void known(void)
{
    struct kvvec env = { 0 };
    struct strvec values = { 0 };
    AUTO_BUF struct buf b = BUF_INIT;
    static const char text[] = "a hunter2 b hunter2-more c true xghp_0123456789abcdefghij /x";
    kvvec_set(&env, "API_KEY", "hunter2");
    kvvec_set(&env, "API_TOKEN", "hunter2-more");
    kvvec_set(&env, "AUTH_ON", "true");
    kvvec_set(&env, "OTHER", "ghp_0123456789abcdefghij");
    kvvec_set(&env, "PLACE", "/x");
    kvvec_set(&env, "EMPTY_KEY", "");
    secret_know_env(&env, &values);
    is_int(values.n, 3, "what is known of an environment");
    secret_mask_known(text, sizeof text - 1, &values, &b);
    is_str(buf_str(&b), "a *** b *** c true x*** /x", "each occurrence, the longest first");
    char *owned = xstrdup("hunter2");
    secret_mask_known_in(&owned, &values);
    is_str(owned, "***", "in place");
    free(owned);
    kvvec_fini(&env);
    strvec_fini(&values);
}

int main(void)
{
    values();
    args();
    known();
    return done_testing();
}
