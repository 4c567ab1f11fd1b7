/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SipHash-2-4 (Aumasson, Bernstein, 2012): a keyed 64-bit hash of short inputs. */
#ifndef MCPTOP_BASE_SIPHASH_H
#define MCPTOP_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash24(const uint8_t key[16], const void *data, size_t n);

#endif
