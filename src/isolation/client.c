/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is a command line a container engine's client, also behind the programs people put before it?
 * Reads words as a shell and env, sudo, nice … would, without running anything. It errs towards
 * "no" for what only a real shell could tell (variables, files): then the plan's ordinary rules
 * hold. */
#include "isolation/runtime.h"

#include <ctype.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"

enum { NESTING_MAX = 8 };

/* Programs that run the command after their own options. */
struct wrapper {
    const char *name;
    /* short options that take the next word when nothing is joined to them */
    const char *with_value;
    const char *long_values;   /* long options that take the next word, space separated */
    int positionals;           /* words of its own before the command */
    bool assignments;          /* X=y words before the command */
};
static const struct wrapper wrappers[] = {
    {.name = "env", .with_value = "uC", .long_values = "--unset --chdir", .assignments = true},
    {.name = "sudo",
     .with_value = "ugpCTrtDRUh",
     .assignments = true,
     .long_values = "--user --group --prompt --chdir --chroot --host --role --type --close-from "
                    "--command-timeout"},
    {.name = "doas", .with_value = "uC", .long_values = ""},
    {.name = "nice", .with_value = "n", .long_values = "--adjustment"},
    {.name = "ionice", .with_value = "cnp", .long_values = "--class --classdata"},
    {.name = "timeout",
     .with_value = "sk",
     .long_values = "--signal --kill-after",
     .positionals = 1},
    {.name = "exec", .with_value = "a", .long_values = ""},
    {.name = "stdbuf", .with_value = "ioe", .long_values = "--input --output --error"},
    {.name = "nohup", .with_value = "", .long_values = ""},
    {.name = "setsid", .with_value = "", .long_values = ""},
    {.name = "command", .with_value = "", .long_values = ""},
    {.name = "time", .with_value = "fo", .long_values = ""},
    {.name = "builtin", .with_value = "", .long_values = ""},
};
static const char *const clients[] = {
    "docker", "podman", "nerdctl", "docker-compose", "podman-remote", "podman-compose", "finch"};
static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ash", "ksh", "busybox"};
/* What may stand before a command in shell text. */
static const char *const shell_words[] = {"if",    "then", "else", "elif", "do", "while",
                                          "until", "!",    "{",    "(",    "&&"};

static const char *find_client(char *const *words, size_t n, int depth);

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static bool is_assignment(const char *word)
{
    const char *eq = strchr(word, '=');
    if (!eq || eq == word || isdigit((unsigned char)word[0]))
        return false;
    for (const char *p = word; p < eq; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return true;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

/* How many words the option at words[0] takes: 1, or 2 with its value. */
static size_t option_words(const struct wrapper *w, const char *word)
{
    if (word[1] == '-')
        return has_word(w->long_values, word) ? 2 : 1;
    for (const char *p = word + 1; *p; p++)
        if (strchr(w->with_value, *p))
            return p[1] ? 1 : 2;
    return 1;
}

/* ---- shell text ---- */

/* Copies one shell word at *p to out, quotes removed. */
static void shell_word(const char **p, struct buf *out)
{
    char quote = 0;
    for (; **p; (*p)++) {
        char c = **p;
        if (!quote && strchr(" \t\n;|&()<>", c))
            return;
        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
        } else if (c == '\\' && quote != '\'' && (*p)[1]) {
            (*p)++;
            if (**p != '\n')
                buf_add_char(out, **p);
        } else {
            buf_add_char(out, c);
        }
    }
}

/* Every simple command of the text, one after the other. */
static const char *client_in_shell_text(const char *text, int depth)
{
    const char *found = NULL;
    for (const char *p = text; *p && !found;) {
        AUTO_STRVEC struct strvec words = {0};
        while (*p && !strchr(";|&\n", *p)) {
            if (strchr(" \t()<>", *p)) {
                p++;
                continue;
            }
            if (*p == '#')
                p += strcspn(p, "\n");
            struct buf word = BUF_INIT;
            const char *before = p;
            shell_word(&p, &word);
            if (p > before)
                strvec_give(&words, buf_take(&word));
            else
                buf_fini(&word);
        }
        p += *p != '\0';
        size_t skip = 0;
        while (skip < words.n && is_one_of(words.v[skip], shell_words, ARRAY_LEN(shell_words)))
            skip++;
        found = words.n > skip ? find_client(words.v + skip, words.n - skip, depth + 1) : NULL;
    }
    return found;
}

/* sh [options] -c TEXT: options may be joined ("-lc") and -o and +o take a word. */
static const char *client_in_shell(char *const *words, size_t n, int depth)
{
    bool has_c = false;
    for (size_t i = 0; i < n; i++) {
        const char *w = words[i];
        if ((w[0] == '-' || w[0] == '+') && w[1]) {
            if (w[1] == '-') {
                i += has_word("--rcfile --init-file", w);
                continue;
            }
            has_c = has_c || strchr(w, 'c') != NULL;
            i += w[strlen(w) - 1] == 'o';
        } else if (has_c) {
            return client_in_shell_text(w, depth);
        } else if (i == 0 && is_one_of(w, shells, ARRAY_LEN(shells))) {
            continue;      /* busybox sh -c */
        } else {
            return NULL;   /* a script's file: only running it would tell */
        }
    }
    return NULL;
}

/* ---- words ---- */

static const char *client_in_wrapper(const struct wrapper *w, char *const *words, size_t n,
                                     int depth)
{
    size_t i = 0;
    int positionals = w->positionals;
    while (i < n) {
        if (strcmp(w->name, "env") == 0 && (strncmp(words[i], "-S", 2) == 0 ||
                                            strncmp(words[i], "--split-string", 14) == 0)) {
            const char *text = words[i] + (words[i][1] == 'S' ? 2 : words[i][14] == '=' ? 15 : 14);
            return *text ? client_in_shell_text(text, depth)
                         : i + 1 < n ? client_in_shell_text(words[i + 1], depth) : NULL;
        }
        if (strcmp(words[i], "--") == 0) {
            i++;
            break;
        }
        if (words[i][0] == '-' && words[i][1])
            i += option_words(w, words[i]);
        else if (strcmp(words[i], "-") == 0 || (w->assignments && is_assignment(words[i])))
            i++;
        else if (positionals-- > 0)
            i++;
        else
            break;
    }
    while (i < n && w->assignments && is_assignment(words[i]))
        i++;
    return i < n ? find_client(words + i, n - i, depth + 1) : NULL;
}

static const char *find_client(char *const *words, size_t n, int depth)
{
    while (n > 0 && depth > 0 && is_assignment(words[0])) {
        words++;
        n--;
    }
    if (n == 0 || depth > NESTING_MAX)
        return NULL;
    char scratch[64];
    const char *base = runtime_base_name(words[0], scratch, sizeof(scratch));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        if (strcmp(base, clients[i]) == 0)
            return clients[i];
    if (is_one_of(base, shells, ARRAY_LEN(shells)))
        return client_in_shell(words + 1, n - 1, depth);
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
        if (strcmp(base, wrappers[i].name) == 0)
            return client_in_wrapper(&wrappers[i], words + 1, n - 1, depth);
    return NULL;
}

const char *runtime_container_client(const char *command, const struct strvec *args)
{
    AUTO_STRVEC struct strvec words = {0};
    strvec_add(&words, command);
    for (size_t i = 0; i < args->n; i++)
        strvec_add(&words, args->v[i]);
    return find_client(words.v, words.n, 0);
}
