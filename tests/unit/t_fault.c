/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fault.h: texts, wrapping, and what is left of a text that is too long. */
#include "base/fault.h"

#include <errno.h>
#include "base/text.h"
#include "tap.h"

static void long_texts(void)
{
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct fault f = FAULT_NONE;

    fault_set(&f, ENOSPC, "write %s", longer);
    ok(strlen(f.text) < sizeof f.text, "a long text fits");
    ok(strstr(f.text, "\xe2\x80\xa6: No space left on device"),
       "a long path is cut, its cause is not");
    fault_set(&f, FAULT_CONFIG, "%s", longer);
    is_int(strlen(f.text), sizeof f.text - 1, "a long sentence fills the room");
    ok(strcmp(f.text + strlen(f.text) - 3, "\xe2\x80\xa6") == 0, "and its end is marked");

    for (size_t i = 0; i + 2 < sizeof longer; i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    bool utf8 = true;
    for (int shift = 0; shift < 8; shift++) {
        fault_set(&f, ENOSPC, "%.*s%s", shift, "abcdefgh", longer);
        utf8 = utf8 && text_is_utf8(f.text, strlen(f.text));
        fault_wrap(&f, "%.*s%s", shift, "abcdefgh", longer);
        utf8 = utf8 && text_is_utf8(f.text, strlen(f.text)) && strlen(f.text) < sizeof f.text;
    }
    ok(utf8, "no cut falls into a character");

    fault_set(&f, FAULT_TIMEOUT, "the cause");
    fault_wrap(&f, "%s", longer);
    ok(strstr(f.text, "\xe2\x80\xa6: the cause"), "a long context gives way to the cause");
    for (int i = 0; i < 100; i++)
        fault_wrap(&f, "level %d of a deep call with a long text about itself", i);
    ok(strncmp(f.text, "level 99 of", 11) == 0 && strlen(f.text) < sizeof f.text,
       "wrapping without end is safe");
}

int main(void)
{
    struct fault f = FAULT_NONE, g = FAULT_NONE;
    is_int(f.code, 0, "no fault at first");
    errno = EINTR;
    is_int(fault_set(&f, ENOENT, "open %s", "a.json"), -1, "fault_set is -1");
    is_int(errno, EINTR, "errno is left alone");
    is_int(f.code, ENOENT, "code");
    is_str(f.text, "open a.json: No such file or directory", "an errno brings its words");
    is_int(fault_wrap(&f, "server %s", "x"), -1, "fault_wrap is -1");
    is_str(f.text, "server x: open a.json: No such file or directory", "context stands before");
    is_int(f.code, ENOENT, "wrapping keeps the code");

    fault_set(&f, FAULT_CONFIG, "line 3: no such key");
    is_str(f.text, "line 3: no such key", "our own codes bring no words");
    fault_set(&f, FAULT_CONFIG, "again: %s", f.text);
    is_str(f.text, "again: line 3: no such key", "arguments may point into the fault");
    fault_wrap(&f, "%.5s", f.text);
    is_str(f.text, "again: again: line 3: no such key", "in a wrap too");

    is_int(fault_copy(&g, &f), -1, "fault_copy is -1");
    is_str(g.text, f.text, "a copy");
    is_int(g.code, FAULT_CONFIG, "with its code");
    is_int(fault_set(NULL, EIO, "%s", "x"), -1, "NULL: nobody wants to know");
    is_int(fault_wrap(NULL, "%s", "x"), -1, "NULL in a wrap");
    is_int(fault_copy(NULL, &f), -1, "NULL in a copy");
    fault_copy(&g, NULL);
    is_int(g.code, FAULT_CONFIG, "nothing to copy changes nothing");
    long_texts();
    return done_testing();
}
