#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The tree holds sources only: nothing generated, no path of a machine it was built on, a licence
# line in every source file, no unfinished business. Long files and lines are told, not failed.
# MCPTOP_SRCDIR, MCPTOP_BUILDDIR: the trees. In an unpacked distribution (no .git) the tests that
# ask git skip, the others look at the files that are there.

srcdir=${MCPTOP_SRCDIR:-$(dirname "$0")/../..}
srcdir=$(cd "$srcdir" && pwd)
builddir=${MCPTOP_BUILDDIR:-$srcdir}
count=0
failed=0

check() { # NAME OUTPUT
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" | head -20 | sed 's/^/# /'
        failed=1
    fi
}

if in_git=$(git -C "$srcdir" rev-parse --show-toplevel 2>/dev/null) && [ "$in_git" = "$srcdir" ]; then
    files() { git -C "$srcdir" ls-files; }
else
    in_git=
    files() {
        (cd "$srcdir" && find src ui tests scripts examples .ci README HACKING.md Makefile.am \
            configure.ac -type f ! -name '*.o' ! -name '*.pyc' 2>/dev/null)
    }
fi

sources() {
    files | grep -E '\.(c|h|py|sh)$|^scripts/|^\.ci/'
}

# grep over the sources, with names that are relative to the tree.
search() { # PATTERN [FILES' PATTERN]
    files | grep -Ev '^(COPYING|tests/tree/clean\.sh)$' | grep -E "${2:-.}" | (
        cd "$srcdir" && tr '\n' '\0' | xargs -0 -r grep -nIE -e "$1" /dev/null)
}

if [ -n "$in_git" ]; then
    check "nothing is committed that .gitignore names" \
        "$(git -C "$srcdir" ls-files -ci --exclude-standard)"
    check "no generated file is committed" \
        "$(files | grep -E '(^|/)(configure|Makefile\.in|aclocal\.m4|config\.(h\.in|log|status)|ltmain\.sh|compile|depcomp|missing|install-sh|tap-driver\.sh)$|\.(o|a|so|gcda|gcno|pyc|log|trs)$|~$|^config\.h$')"
    check "every source is named in Makefile.am, so that a distribution has it" \
        "$(files | grep -E '^(src|ui|tests|examples)/.*\.(c|h|py|sh|mjs|txt)$' | while IFS= read -r file; do
            tr -s ' \t\\' '\n' <"$srcdir/Makefile.am" | grep -qxF "$file" || printf '%s\n' "$file"
        done)"
    check "the top level stays readable" \
        "$(files | sed 's|/.*||' | sort -u | grep -Ev '^(src|ui|tests|configure\.ac|Makefile\.am|README|COPYING|HACKING\.md|docs|scripts|examples|m4|\..*)$')"
else
    for what in "nothing is committed that .gitignore names" "no generated file is committed" \
        "the top level stays readable"; do
        count=$((count + 1))
        echo "ok $count - $what # SKIP not a git checkout"
    done
fi

check "every source file has its licence line" "$(
    sources | while IFS= read -r file; do
        [ -s "$srcdir/$file" ] || continue
        head -3 "$srcdir/$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || echo "$file"
    done)"

# Directories of this build, and those that builders' machines use. /root is a container's home in
# the names of its caches, which are public interface.
own=$(printf '%s\n%s\n%s\n' "$srcdir" "$builddir" "$HOME" | awk 'length > 6' | sort -u |
    sed 's/[].[*^$\\]/\\&/g' | paste -sd '|')
check "no path of a machine" "$(search "${own:+$own|}(^|[^[:alnum:]_./])/(work/|tmp/[wbt]/)")"
check "no package index is hard-coded" \
    "$(search 'registry\.npmjs|(^|[^.[:alnum:]])pypi\.org|pythonhosted\.org')"
check "nothing is left for later" \
    "$(search '(^|[^[:alnum:]_])(TODO|FIXME|XXX)([^[:alnum:]_]|$)' '\.(c|h|py|sh|am|ac)$')"
check "no tabs or blanks at the ends of lines" \
    "$(search '[[:space:]]$' '\.(c|h|py|sh)$'; search '^ *	' '\.(c|h|py)$')"

sources | grep -E '\.(c|h|py)$' | while IFS= read -r file; do
    awk -v file="$file" '
        length > 120 { wide++ }
        END {
            if (NR > 600) print "# over 600 lines: " file " (" NR ")"
            if (wide) print "# over 120 columns: " file " (" wide " lines)"
        }' "$srcdir/$file"
done

echo "1..$count"
exit $failed
