/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "supervisor/chatter.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

/* Below an error of Node's stand its properties: "  code: 'ENOENT',", "  spawnargs: [ '-x' ]". */
static bool is_property(const char *line)
{
    static const char *const names[] = { "errno", "code", "syscall", "path", "spawnargs", "address",
                                         "port", "hostname", "dest", "requireStack",
                                         "cmd", "status",
                                         "signal", "output", "pid", "stdout", "stderr", "errors" };
    size_t n = strcspn(line, ":");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == n && strncmp(line, names[i], n) == 0)
            return line[n] == ':' && (line[n + 1] == ' ' || !line[n + 1]);
    return false;
}

/* "main.main()", "net/http.(*Server).Serve(0xc0000…)", "goroutine 1 [running]:", and below each
 * "\t/app/main.go:12 +0x1d". */
static bool is_frame_of_go(const char *line, size_t n)
{
    size_t word = strcspn(line, " ");
    const char *dot = memchr(line, '.', n), *open = memchr(line, '(', n);
    return strncmp(line, "goroutine ", 10) == 0 || (line[0] == '/' && strstr(line, ".go:")) ||
           strncmp(line, "created by ", 11) == 0 ||
           (n && line[n - 1] == ')' && dot && open && dot < open && (size_t)(open - line) < word);
}

/* "See 'docker run --help'.", "Run 'docker run --help' for more information" */
static bool is_pointer_to_help(const char *line)
{
    return (strncasecmp(line, "see '", 5) == 0 || strncasecmp(line, "run '", 5) == 0) &&
           strstr(line, "--help'");
}

bool chatter_is(const char *line)
{
    static const char *const begins[] = {
        "npm notice", "npm warn", "npm error a complete log", "npm err! a complete log",
        "a complete log of this run", "node.js v", "at ", "hint:", "downloading ", "downloaded ",
        "installed ", "resolved ", "prepared ", "building ", "built ", "audited ", "[notice]",
        "warning: running pip as", "mcptop: this image has no ", "note: run with `rust_backtrace",
        "for further information visit ", "requirestack:", "begin failed--", "exit status ",
        "stack backtrace:", "... ", "emitted 'error' event on ",
        "usage:",
    };
    static const char *const whole[] = { "npm error", "npm err!", "error:" };
    size_t blanks = strspn(line, " \t"), n;
    line += blanks;
    n = strlen(line);
    while (n && line[n - 1] == ' ')
        n--;
    if ((blanks && is_property(line)) || is_frame_of_go(line, n) || is_pointer_to_help(line))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (strncasecmp(line, begins[i], strlen(begins[i])) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (n == strlen(whole[i]) && strncasecmp(line, whole[i], n) == 0)
            return true;
    return strspn(line, "^~[]{}(),;-=*_.") >= n;
}
