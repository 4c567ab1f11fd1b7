#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Links linkcheck.c with the whole of libmcptop.a. A link that fails is a failed test, not a build
# that breaks, so that the other tests still tell what they know.

program=tests/tree/linkcheck
cd "${MCPTOP_BUILDDIR:-.}" || exit 1
rm -f $program
if said=$(unset MAKEFLAGS MFLAGS MAKELEVEL; make -s $program 2>&1); then
    exec $program
fi
echo "not ok 1 - libmcptop.a links alone, whole, without ui"
printf '%s\n' "$said" | grep 'undefined reference\|multiple definition\|rror' | head -30 |
    sed 's/^/# /'
echo "1..1"
exit 1
