#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints src/base/text_width_table.h from Python's Unicode data. Run it when Unicode grows:

    scripts/width-table.py > src/base/text_width_table.h

Zero columns: nonspacing and enclosing marks, format characters that have no picture, the vowels and final
consonants of Hangul that join the syllable before them. Two columns: East Asian Wide and Fullwidth, and whole
blocks of ideographs and of emoji, so that characters newer than this Python's data come out right too.
Ambiguous ones are one column, as in every terminal that is not set to a CJK legacy mode.
"""
import unicodedata as u

# Format characters with a picture of their own: the soft hyphen, and the Arabic signs that span digits.
VISIBLE_FORMAT = {0xAD, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
JOINING_JAMO = [(0x1160, 0x11FF), (0xD7B0, 0xD7C6), (0xD7CB, 0xD7FB)]
# Reserved code points of these blocks will be wide (UAX 11, and the emoji blocks' plain habit).
WIDE_BLOCKS = [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x17000, 0x18DFF), (0x20000, 0x2FFFD),
               (0x30000, 0x3FFFD), (0x1F90C, 0x1F93A), (0x1F93C, 0x1F945), (0x1F947, 0x1F9FF),
               (0x1FA70, 0x1FAFF)]


def within(cp, ranges):
    return any(a <= cp <= b for a, b in ranges)


def width(cp):
    c = chr(cp)
    category = u.category(c)
    if category in ("Mn", "Me") or within(cp, JOINING_JAMO):
        return 0
    if category == "Cf" and cp not in VISIBLE_FORMAT or category in ("Zl", "Zp"):
        return 0
    if category != "Cn" and u.east_asian_width(c) in "WF" or within(cp, WIDE_BLOCKS):
        return 2
    return 1


def ranges(wanted):
    first = None
    for cp in range(0x300, 0x110001):
        hit = cp <= 0x10FFFF and width(cp) == wanted
        if hit and first is None:
            first = cp
        elif not hit and first is not None:
            yield first, cp - 1
            first = None


def table(name, wanted):
    print(f"\nstatic const struct width_range {name}[] = {{")
    row = "   "
    for a, b in ranges(wanted):
        cell = f" {{0x{a:04X},0x{b:04X}}},"
        if len(row) + len(cell) > 100:
            print(row)
            row = "   "
        row += cell
    print(row + "\n};")


print("/* SPDX-License-Identifier: GPL-3.0-or-later */")
print(f"/* Printed by scripts/width-table.py from Unicode {u.unidata_version}; everything below U+0300 has one")
print(" * column. Included by text_width.c alone. */")
table("zero_columns", 0)
table("two_columns", 2)
