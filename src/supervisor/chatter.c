/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "supervisor/chatter.h"

#include <string.h>
#include <strings.h>
#include "base/mem.h"

bool chatter_is(const char *line)
{
    static const char *const begins[] = {
        "npm notice", "npm warn", "npm error a complete log", "npm err! a complete log",
        "a complete log of this run", "node.js v", "at ", "hint:", "downloading ", "downloaded ",
        "installed ", "resolved ", "prepared ", "building ", "built ", "audited ", "[notice]",
        "warning: running pip as", "mcptop: this image has no ",
    };
    static const char *const whole[] = { "npm error", "npm err!", "^", "}", "{", "error:" };
    line += strspn(line, " \t");
    size_t n = strlen(line);
    while (n && line[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (strncasecmp(line, begins[i], strlen(begins[i])) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (n == strlen(whole[i]) && strncasecmp(line, whole[i], n) == 0)
            return true;
    return n == 0 || strspn(line, "^~") == n;
}
