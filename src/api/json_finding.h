/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Findings as the JSON of docs/api.md. New references. */
#ifndef MCPTOP_API_JSON_FINDING_H
#define MCPTOP_API_JSON_FINDING_H

#include <jansson.h>
#include "diagnose/finding.h"

json_t *json_finding(const struct finding *f);
json_t *json_fix(const struct fix *x);
/* Appended. FINDINGS_OWN: without what is told once for all servers. */
enum findings_part { FINDINGS_ALL, FINDINGS_OWN };
void json_findings(json_t *array, const struct findings *fs, enum findings_part part);

#endif
