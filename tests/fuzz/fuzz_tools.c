/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of tools: its canonical text is JSON, of the same meaning to a second reading, and does not
 * depend on how it was written; what is taken into a book is known afterwards, also when the book was
 * written and read; and a text that was revealed hides nothing. */
#include "fuzz.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "base/text.h"
#include "supervisor/tool_book.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("[{\"name\":\"a\",\"b\":[1,{\"d\":0,\"c\":1e400}]},{\"name\":\"\\u0061\"}]"),
    FUZZ_SEED("[{\"z\":\"\\ud800\",\"a\":{},\"a\":[],\"name\":\"x\",\"Name\":\"y\"},7,\"s\",[[]]]"),
    FUZZ_SEED("[ { \"name\" : \"\xe2\x80\xae\\u200b\" , \"\" : null } , {} ]"),
    FUZZ_SEED("[]"),
    { NULL, 0 },
};

static void canon_is_stable(struct span list)
{
    AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT;

    tool_canon(list, &once);
    const char *end = once.data + once.len;
    MUST(jscan_value(once.data, end, NULL) == end);
    MUST(!memchr(once.data, '\n', once.len));
    tool_canon((struct span){once.data, once.len}, &twice);
    MUST(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
}

static void knows_all(const struct tool_book *b, struct span list)
{
    struct tool_changes c = {0};

    tool_book_compare(b, list, &c);
    MUST(c.n == 0);
    tool_changes_fini(&c);
}

static void book_holds(struct span list)
{
    AUTO_TOOL_BOOK struct tool_book b = {0}, again = {0};
    AUTO_BUF struct buf file = BUF_INIT;

    tool_book_take(&b, list, NULL);
    knows_all(&b, list);
    tool_book_write(&b, "x", &file);
    MUST(tool_book_read(&again, "x", (struct span){file.data, file.len}, true) == 0);
    MUST(again.n == b.n);
    knows_all(&again, list);
}

static void reveals(const char *p, size_t n)
{
    AUTO_BUF struct buf out = BUF_INIT;
    uint32_t cp;

    text_reveal(&out, p, n);
    MUST(!out.len || text_is_utf8(out.data, out.len));
    for (size_t i = 0; i < out.len; i += text_decode(out.data + i, out.len - i, &cp)) {
        text_decode(out.data + i, out.len - i, &cp);
        MUST(!text_is_deceptive(cp) && (cp >= ' ' || cp == '\n') && !(cp >= 0x7F && cp < 0xA0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;

    reveals(p, size);
    if (!size || *p != '[' || jscan_value(p, end, NULL) != end)
        return 0;
    canon_is_stable((struct span){p, size});
    book_holds((struct span){p, size});
    return 0;
}
