/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/secret.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool contains_word(const char *s, size_t n, const char *word)
{
    size_t k = strlen(word);
    for (size_t i = 0; i + k <= n; i++)
        if (strncasecmp(s + i, word, k) == 0)
            return true;
    return false;
}

static bool ends_with(const char *s, size_t n, const char *word)
{
    size_t k = strlen(word);
    return k <= n && strncasecmp(s + n - k, word, k) == 0;
}

/* Is that the name of a secret? */
static bool sounds_secret(const char *s, size_t n)
{
    static const char *const words[] = {
        "token", "secret", "passw",      "apikey",     "api-key",     "api_key",     "credential",
        "auth",  "cookie", "access-key", "access_key", "private-key", "private_key", "bearer"};
    static const char *const ends[] = {"_key", "-key", "_pat", "-pat", "_pwd"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (contains_word(s, n, words[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (ends_with(s, n, ends[i]))
            return true;
    return false;
}

/* Does it begin as tokens of well-known services do, and is it one long word? */
static bool is_token_of(const char *s, size_t n)
{
    static const char *const begins[] = {
        "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-",
        "xapp-", "hf_", "ntn_", "lin_api_", "tvly-", "AIza", "AKIA", "eyJ"};
    enum { SHORTEST = 20 };
    if (n < SHORTEST || strspn(s, LETTERS DIGITS "_.-") < n)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (strncmp(s, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static bool is_token(const char *s)
{
    return is_token_of(s, strlen(s));
}

bool secret_is_named(const char *name, size_t n, const char *value)
{
    return sounds_secret(name, n) || is_token(value);
}

/* "…?a=b&api_key=x" → "…?a=b&api_key=***". */
static void mask_query(const char *s, struct buf *out)
{
    for (bool in_query = false;; in_query = true) {
        size_t n = strcspn(s, "?&#"), name = strcspn(s, "=?&#");
        bool key = name == 3 && strncasecmp(s, "key", 3) == 0;
        bool hide = in_query && name < n && (key || sounds_secret(s, name));
        buf_add(out, s, hide ? name + 1 : n);
        buf_add_str(out, hide ? SECRET_MASK : "");
        s += n;
        if (!*s)
            return;
        buf_add_char(out, *s++);
    }
}

/* "scheme://user:password@host" → "scheme://user:***@host", and the secrets of its query; what is
 * no URL is copied. */
static void mask_url(const char *arg, struct buf *out)
{
    const char *host = strstr(arg, "://");
    if (!host) {
        buf_add_str(out, arg);
        return;
    }
    host += 3;
    const char *at = memrchr(host, '@', strcspn(host, "/?# "));
    const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    if (colon) {
        buf_add(out, arg, (size_t)(colon + 1 - arg));
        buf_add_str(out, SECRET_MASK);
        arg = at;
    }
    mask_query(arg, out);
}

/* The value that a shell reads at s: a quoted piece, or up to what ends a word. References ($X) say
 * nothing: 0. */
static size_t shell_word(const char *s)
{
    if (*s == '$' || ((*s == '"' || *s == '\'') && s[1] == '$'))
        return 0;
    if (*s == '"' || *s == '\'') {
        const char *end = strchr(s + 1, *s);
        return end ? (size_t)(end + 1 - s) : strlen(s);
    }
    return strcspn(s, " \t\n;&|()<>\"'");
}

/* A word of a script that ends at s+n and says that its value is a secret: where that value begins;
 * 0 = it does not. */
static size_t secret_follows(const char *s, size_t n)
{
    bool variable = n && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_" DIGITS) == n;
    bool flag = *s == '-' && n > 2;
    if (!(variable || flag) || !sounds_secret(s, n))
        return 0;
    if (s[n] == '=')
        return n + 1;
    size_t gap = strspn(s + n, " ");
    return flag && gap && s[n + gap] != '-' ? n + gap : 0;
}

/* What stands in the text of a script. */
static void mask_script(const char *s, struct buf *out)
{
    while (*s) {
        size_t n = strspn(s, LETTERS DIGITS "_.-"), at = secret_follows(s, n);
        size_t hidden = at ? shell_word(s + at) : 0;
        if (hidden) {
            buf_add(out, s, at);
            buf_add_str(out, SECRET_MASK);
            s += at + hidden;
        } else if (is_token_of(s, n)) {
            buf_add_str(out, SECRET_MASK);
            s += n;
        } else {
            buf_add(out, s, n ? n : 1);
            s += n ? n : 1;
        }
    }
}

static void mask_text(const char *s, struct buf *out)
{
    AUTO_BUF struct buf script = BUF_INIT;
    if (!strpbrk(s, " \n")) {
        mask_url(s, out);
        return;
    }
    mask_script(s, &script);
    mask_url(buf_str(&script), out);
}

void secret_mask_value(const char *value, struct buf *out)
{
    size_t n = strspn(value, LETTERS DIGITS "_.-");
    bool named = value[n] == '=' || (value[n] == ':' && strncmp(value + n, "://", 3) != 0);
    if (named && sounds_secret(value, n)) {
        buf_add(out, value, n + 1);
        buf_add_str(out, SECRET_MASK);
    } else if (is_token(value) || (named && is_token(value + n + 1))) {
        buf_add(out, value, named ? n + 1 : 0);
        buf_add_str(out, SECRET_MASK);
    } else {
        mask_text(value, out);
    }
}

/* "NAME=…" as a variable of the environment is written; 0 = it is none, else where its value is. In
 * capitals, so that the script of `node -e` shows. */
static size_t variable_value(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_" DIGITS);
    return n && s[n] == '=' && (*s < '0' || *s > '9') ? n + 1 : 0;
}

/* The value of `-e NAME=…`, which is a secret as often as not. */
static void mask_variable(const char *s, struct buf *out)
{
    size_t at = variable_value(s);
    buf_add(out, s, at);
    if (at)
        buf_add_str(out, SECRET_MASK);
    else
        secret_mask_value(s, out);
}

enum next { NEXT_AS_IT_IS, NEXT_HIDDEN, NEXT_VARIABLE };

static char *mask_arg(const char *arg, enum next *next)
{
    struct buf out = BUF_INIT;
    size_t name = strcspn(arg, "=");
    bool flag = arg[0] == '-' && arg[1];
    bool env = !strcmp(arg, "-e") || !strcmp(arg, "--env");
    if (*next == NEXT_HIDDEN && !flag) {
        buf_add_str(&out, SECRET_MASK);
    } else if (*next == NEXT_VARIABLE && !flag) {
        mask_variable(arg, &out);
    } else if (!strncmp(arg, "--env=", 6)) {
        buf_add(&out, arg, 6);
        mask_variable(arg + 6, &out);
    } else if (!strncmp(arg, "-e", 2) && variable_value(arg + 2)) {
        buf_add(&out, arg, 2);
        mask_variable(arg + 2, &out);
    } else if (flag && arg[name] == '=') {
        buf_add(&out, arg, name + 1);
        if (sounds_secret(arg, name))
            buf_add_str(&out, SECRET_MASK);
        else
            secret_mask_value(arg + name + 1, &out);
    } else {
        secret_mask_value(arg, &out);
    }
    if (env)
        *next = NEXT_VARIABLE;
    else
        *next = flag && !arg[name] && sounds_secret(arg, name) ? NEXT_HIDDEN : NEXT_AS_IT_IS;
    return buf_take(&out);
}

void secret_mask_args(char *const *args, size_t n, struct strvec *out)
{
    enum next next = NEXT_AS_IT_IS;
    for (size_t i = 0; i < n; i++)
        strvec_give(out, mask_arg(args[i], &next));
}
