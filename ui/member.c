/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON values as C values. Knows no object of the API. */
#include "member.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

static char *cleaned(const char *p, size_t n)
{
    struct buf b = BUF_INIT;

    text_clean_plain(&b, p, n);
    return buf_take(&b);
}

static void set_str(char **dst, char *taken)
{
    free(*dst);
    *dst = taken;
}

char *member_text(json_t *v)
{
    return json_is_string(v) ? cleaned(json_string_value(v), json_string_length(v)) : xstrdup("");
}

void member_take(char **dst, json_t *o, const char *key)
{
    set_str(dst, member_text(json_object_get(o, key)));
}

void member_take_raw(char **dst, json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    set_str(dst, xstrdup(s ? s : ""));
}

int64_t member_int(json_t *o, const char *key, int64_t otherwise)
{
    json_t *v = json_object_get(o, key);

    if (json_is_integer(v))
        return json_integer_value(v);
    if (json_is_real(v) && json_real_value(v) > -9e15 && json_real_value(v) < 9e15)
        return (int64_t)json_real_value(v);
    return otherwise;
}

int member_int32(json_t *o, const char *key, int otherwise)
{
    int64_t v = member_int(o, key, otherwise);

    return v > 2000000000 ? 2000000000 : v < -2000000000 ? -2000000000 : (int)v;
}

double member_real(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : -1;
}

bool member_bool(json_t *o, const char *key, bool otherwise)
{
    json_t *v = json_object_get(o, key);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}
