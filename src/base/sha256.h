/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 (FIPS 180-4): the hash of what a stranger may choose, where no other text may be found
 * that has the same one. */
#ifndef MCPTOP_BASE_SHA256_H
#define MCPTOP_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 2 * SHA256_BYTES + 1 };

void sha256(const void *data, size_t n, uint8_t ret[SHA256_BYTES]);
/* Lower-case, NUL-terminated. Returns out. */
char *sha256_hex(const uint8_t digest[SHA256_BYTES], char out[SHA256_HEX]);

#endif
