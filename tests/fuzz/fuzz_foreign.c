/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of AI clients: whatever they hold is read or refused; where mcptop gets in it is there, a
 * second time changes nothing, and it gets out byte for byte. */
#include "fuzz.h"

#include <string.h>
#include "base/mem.h"
#include "config/foreign.h"
#include "config/toml.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("model = \"x\" # m\n[mcp_servers.a]\ncommand = 'npx'\nargs = [\"-y\", 1_0, 0x1f]\n"
              "[mcp_servers.a.env]\nA = \"\"\"b\n\"\"\"\n[[c.\"d e\"]]\nx = { y.z = 1.5e3 }\n"),
    FUZZ_SEED("[mcp_servers]\r\nmcptop = { command = \"/bin/mcptop\", args = [\"stdio\"] }\r\n"),
    FUZZ_SEED("[mcp_servers.mcptop]\nargs = [ # c\n\"stdio\",]\ncommand = \"mcptop\"\n\n[z]\n"),
    FUZZ_SEED("{\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\", \"env\": {\"B\": \"c\"} } // d\n"
              "  },\n  \"projects\": { \"/p\": { \"mcpServers\": {} } },\n}\n"),
    FUZZ_SEED("{\"mcpServers\":[{\"name\":\"a\",\"url\":\"u\"}],\"servers\":null}"),
    FUZZ_SEED("{\"mcpServers\":{\"mcptop\":{\"command\":\"/x/mcptop\",\"args\":[\"stdio\"]}}}"),
    {NULL, 0},
};

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && !memcmp(buf_str(a), buf_str(b), a->len);
}

/* How many entries are mcptop's; -1: it cannot be read. */
static int ours(const struct foreign_client *c, const struct buf *text)
{
    struct foreign_servers s;
    int line, n = 0;
    if (foreign_read(c->format, buf_str(text), text->len, &s, &line, NULL))
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        AUTO_STRVEC struct strvec notes = {0};
        json_t *spec = foreign_import(s.v[i].spec, &notes);
        MUST(json_is_object(spec));
        json_decref(spec);
        n += s.v[i].is_mcptop;
    }
    foreign_servers_fini(&s);
    return n;
}

static void try_client(const struct foreign_client *c, const struct buf *text)
{
    AUTO_STRVEC struct strvec args = {0};
    AUTO_BUF struct buf in = BUF_INIT, again = BUF_INIT, back = BUF_INIT, cut = BUF_INIT;
    struct foreign_undone undone;
    struct fault f = FAULT_NONE;
    int line, before = ours(c, text);
    strvec_add(&args, "stdio");
    const struct foreign_entry e = {"mcptop", "/bin/mcptop", &args};
    if (foreign_connect(c, buf_str(text), text->len, &e, 1, &in, &line, &f)) {
        MUST(f.code && *f.text);
        return;
    }
    MUST(before >= 0 && ours(c, &in) > 0);
    MUST(foreign_connect(c, in.data, in.len, &e, 1, &again, &line, &f) == 0 && same(&in, &again));
    if (before == 0) {
        MUST(foreign_disconnect(c, &in, text, &back, &undone, &line, &f) == 0);
        MUST(undone.exact && undone.removed == 1 && same(&back, text));
    }
    if (foreign_disconnect(c, &in, NULL, &cut, &undone, &line, &f) == 0)
        MUST(ours(c, &cut) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct toml_doc doc;
    struct buf text = BUF_INIT;
    int line = 0;
    if (toml_parse(&doc, (const char *)data, size, &line, NULL) == 0) {
        for (size_t i = 0; i < doc.pair_count; i++)
            MUST(doc.pairs[i].start < doc.pairs[i].end && doc.pairs[i].end <= size);
        for (size_t i = 0; i < doc.table_count; i++)
            MUST(doc.tables[i].start < doc.tables[i].end && doc.tables[i].end <= size);
        toml_fini(&doc);
    } else {
        MUST(line > 0);
    }
    buf_add(&text, data, size);
    for (size_t i = 0; i < foreign_client_count; i++)
        try_client(&foreign_clients[i], &text);
    buf_fini(&text);
    return 0;
}
