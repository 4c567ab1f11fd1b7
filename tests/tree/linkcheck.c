/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Links the whole of libmcptop.a, every object of it, with the core's libraries and without ui or
 * ncurses: an object that needs the view, or anything that nobody provides, fails this link. That
 * it was linked is the test; what it runs is one line.
 */
#include <stdio.h>

int main(void)
{
    puts("ok 1 - libmcptop.a links alone, whole, without ui\n1..1");
    return 0;
}
