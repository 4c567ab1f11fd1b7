/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pull of an image as the view shows it: the sum, and each layer. Layers come with the pull's
 * own events only; a server's object in between leaves those that are known. */
#include "feed.h"

#include <string.h>
#include "base/mem.h"
#include "member.h"

static struct feed_layer layer_of(json_t *part)
{
    struct feed_layer l = {.done = json_integer_value(json_array_get(part, 1)),
                           .total = json_integer_value(json_array_get(part, 2)),
                           .complete = json_is_true(json_array_get(part, 3))};
    const char *id = json_string_value(json_array_get(part, 0));

    /* Of a digest; what is none has no place on the screen. */
    if (id && strspn(id, "0123456789abcdef") == strlen(id))
        memcpy(l.id, id, strlen(id) < sizeof(l.id) ? strlen(id) : sizeof(l.id) - 1);
    return l;
}

static void take_layers(struct feed_server *s, json_t *parts)
{
    size_t n = json_array_size(parts);

    n = n < FEED_LAYERS_MAX ? n : FEED_LAYERS_MAX;
    s->layers = xrealloc(s->layers, (n ? n : 1) * sizeof(*s->layers));
    s->layer_count = n;
    for (size_t i = 0; i < n; i++)
        s->layers[i] = layer_of(json_array_get(parts, i));
}

void feed_pull_fini(struct feed_server *s)
{
    free(s->layers);
    s->layers = NULL;
    s->layer_count = 0;
}

void feed_parse_pull(struct feed_server *s, json_t *pull)
{
    json_t *parts = json_object_get(pull, "parts");

    member_take(&s->pull_text, pull, "text");
    if (json_is_object(pull) && !*s->pull_text) {
        free(s->pull_text);
        s->pull_text = xstrdup("pulling");
    }
    s->pull_layer = member_int32(pull, "layer", 0);
    s->pull_layers = member_int32(pull, "layers", 0);
    s->pull_done = member_int(pull, "done", 0);
    s->pull_total = member_int(pull, "total", 0);
    s->pull_rate = member_int(pull, "rate", 0);
    if (!json_is_object(pull))
        feed_pull_fini(s);
    else if (json_is_array(parts))
        take_layers(s, parts);
}
