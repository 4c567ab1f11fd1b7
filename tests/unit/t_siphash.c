/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SipHash-2-4 against the vectors of its paper's appendix and reference: key 00…0f, input 00, 01,
 * 02 … of n bytes. */
#include "base/siphash.h"
#include "tap.h"

int main(void)
{
    static const struct { size_t n; uint64_t want; } vectors[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
    };
    uint8_t key[16], in[16];

    tap_deadline(10);
    for (uint8_t i = 0; i < 16; i++)
        key[i] = in[i] = i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        ok(siphash24(key, in, vectors[i].n) == vectors[i].want, "%zu bytes", vectors[i].n);
    return done_testing();
}
