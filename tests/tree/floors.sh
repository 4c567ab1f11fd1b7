#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Includes go only where tests/floors allows, and src never includes ui. A room's table line is
# one test. The last ones plant violations in a tree of their own: a check that cannot fail is none.
# MCPTOP_SRCDIR: the tree.

srcdir=${MCPTOP_SRCDIR:-$(dirname "$0")/../..}
count=0
failed=0

# room: what it includes that it may not, one `file:line: include` each; nothing when all is well.
climbs() { # TREE ROOM ALLOWED…
    tree=$1 room=$2
    shift 2
    case $room in
    ui) dir=$tree/ui ;;
    *) dir=$tree/src/$room ;;
    esac
    [ -d "$dir" ] || return 0
    find "$dir" -name '*.[ch]' | sort | while IFS= read -r file; do
        awk -v file="${file#"$tree"/}" -v room="$room" -v allowed=" $* " -v tree="$tree" '
            function exists(path,   line, there) {
                there = (getline line < path) >= 0
                close(path)
                return there
            }
            /^[ \t]*#[ \t]*include[ \t]*"/ {
                name = $0
                sub(/^[^"]*"/, "", name)
                sub(/".*/, "", name)
                top = name
                if (!sub(/\/.*/, "", top))
                    top = ""
                if (name == "config.h" && top == "")
                    next                        # what configure writes
                if (room == "ui" && exists(tree "/ui/" name))
                    next
                if (top == room && exists(tree "/src/" name))
                    next
                if (top != "" && index(allowed, " " top " ") && exists(tree "/src/" name))
                    next
                print file ":" FNR ": " name
            }' "$file"
    done
}

check() { # NAME OUTPUT
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
        failed=1
    fi
}

# `room: rooms` lines of the table, without comments.
table() {
    sed 's/#.*//; /^[[:space:]]*$/d' "$srcdir/tests/floors"
}

while IFS=: read -r room allowed; do
    # shellcheck disable=SC2086
    check "$room includes only: $room$allowed" "$(climbs "$srcdir" "$room" $allowed)"
done <<END
$(table)
END

# Every folder is in the table, so that a new one cannot be forgotten.
check "every room of src stands in tests/floors" "$(
    for dir in "$srcdir"/src/*/; do
        room=$(basename "$dir")
        table | grep -q "^$room:" || echo "src/$room"
    done)"

# main.c alone picks the role, so it alone may name the view's entry.
check "src never includes ui" "$(
    find "$srcdir/src" -name '*.[ch]' ! -path "$srcdir/src/main.c" | while IFS= read -r file; do
        sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file" | while read -r name; do
            case $name in
            ui/* | */ui/* | ../*) echo "$file: $name" ;;
            *) [ -e "$srcdir/src/$name" ] || [ ! -e "$srcdir/ui/$name" ] || echo "$file: $name" ;;
            esac
        done
    done)"

# Does it notice?
plant=$(mktemp -d) || exit 1
trap 'rm -rf "$plant"' EXIT
mkdir -p "$plant/src/base" "$plant/src/io" "$plant/ui/panes"
touch "$plant/src/base/buf.h" "$plant/src/io/stream.h" "$plant/ui/screen.h"
printf '#include <stdio.h>\n#include "base/buf.h"\n#include "config.h"\n' > "$plant/src/io/good.c"
printf '#include "io/stream.h"\n' > "$plant/src/base/climbs.c"
printf '#include "screen.h"\n' > "$plant/src/io/sees_ui.c"
printf '#include "screen.h"\n#include "base/buf.h"\n' > "$plant/ui/panes/good.c"
printf '#  include "io/stream.h"\n' > "$plant/ui/panes/sideways.c"
planted() { # NAME WANT GOT
    check "$1" "$([ "$2" = "$3" ] || printf 'want %s\ngot  %s' "$2" "$3")"
}
planted "an include that climbs is found" "src/base/climbs.c:1: io/stream.h" \
    "$(climbs "$plant" base)"
planted "an include of ui is found" "src/io/sees_ui.c:1: screen.h" "$(climbs "$plant" io base)"
planted "an include that goes sideways is found" "ui/panes/sideways.c:1: io/stream.h" \
    "$(climbs "$plant" ui base client)"

echo "1..$count"
exit $failed
