/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One list of revisions, in order of time: a place in it is kept in session ids (mcp_sessions.c),
 * so new ones come at its end. */
#include "mcp/protocol.h"

#include <string.h>
#include "base/mem.h"

const char modern_version[] = PROTOCOL_MODERN;
const char protocol_latest[] = PROTOCOL_LATEST;
static const char *const known_versions[] = {"2024-11-05", "2025-03-26", "2025-06-18",
                                              protocol_latest};

const char *protocol_known(struct span version)
{
    for (size_t i = 0; i < ARRAY_LEN(known_versions); i++) {
        if (version.n >= 2 &&
            span_is((struct span){version.p + 1, version.n - 2}, known_versions[i]))
            return known_versions[i];
    }
    return NULL;
}

const char *protocol_at(unsigned index)
{
    return index < ARRAY_LEN(known_versions) ? known_versions[index] : protocol_latest;
}

unsigned protocol_index(const char *version)
{
    unsigned i = 0;

    while (i < ARRAY_LEN(known_versions) - 1 && version != known_versions[i])
        i++;
    return i;
}

bool protocol_is_known(const char *version)
{
    for (size_t i = 0; i < ARRAY_LEN(known_versions); i++) {
        if (strcmp(version, known_versions[i]) == 0)
            return true;
    }
    return strcmp(version, modern_version) == 0;
}

unsigned protocol_features(struct span capabilities)
{
    struct span elicitation = span_member(capabilities, "elicitation");
    unsigned features = 0;

    if (span_member(capabilities, "sampling").n)
        features |= CLIENT_SAMPLING;
    if (elicitation.n)
        features |= CLIENT_ELICITATION;
    if (span_member(elicitation, "url").n)
        features |= CLIENT_ELICITATION_URL;
    if (span_member(capabilities, "roots").n)
        features |= CLIENT_ROOTS;
    return features;
}
