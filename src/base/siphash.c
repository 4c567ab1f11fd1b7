/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SipHash-2-4 as its paper defines it: two rounds a word, four at the end, little-endian words. */
#include "base/siphash.h"

struct sip { uint64_t v0, v1, v2, v3; };

static uint64_t rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static void rounds(struct sip *s, int count)
{
    while (count-- > 0) {
        s->v0 += s->v1; s->v1 = rotl(s->v1, 13); s->v1 ^= s->v0; s->v0 = rotl(s->v0, 32);
        s->v2 += s->v3; s->v3 = rotl(s->v3, 16); s->v3 ^= s->v2;
        s->v0 += s->v3; s->v3 = rotl(s->v3, 21); s->v3 ^= s->v0;
        s->v2 += s->v1; s->v1 = rotl(s->v1, 17); s->v1 ^= s->v2; s->v2 = rotl(s->v2, 32);
    }
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint64_t siphash24(const uint8_t key[16], const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
    struct sip s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                    k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    size_t whole = n / 8 * 8;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = little_endian(p + i, 8);
        s.v3 ^= m;
        rounds(&s, 2);
        s.v0 ^= m;
    }
    uint64_t last = ((uint64_t)n << 56) | little_endian(p + whole, n - whole);
    s.v3 ^= last;
    rounds(&s, 2);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
