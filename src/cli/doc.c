/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of documents by a path. A document of another version may lack anything: then there is a
 * default, never a crash. */
#include "cli/doc.h"

#include <math.h>
#include <string.h>

json_t *doc_get(json_t *o, const char *path)
{
    while (o && *path) {
        size_t n = strcspn(path, ".");
        char key[64];
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        o = json_object_get(o, key);
        path += n + (path[n] == '.');
    }
    return o;
}

const char *doc_str(json_t *o, const char *path)
{
    const char *s = json_string_value(doc_get(o, path));
    return s ? s : "";
}

int64_t doc_int(json_t *o, const char *path, int64_t otherwise)
{
    json_t *v = doc_get(o, path);
    if (json_is_integer(v))
        return json_integer_value(v);       /* exact: sequence numbers may be beyond a double's */
    double real = json_is_real(v) ? json_real_value(v) : NAN;
    return real > -9e15 && real < 9e15 ? (int64_t)real : otherwise;
}

double doc_real(json_t *o, const char *path, double otherwise)
{
    json_t *v = doc_get(o, path);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool doc_true(json_t *o, const char *path)
{
    return json_is_true(doc_get(o, path));
}
