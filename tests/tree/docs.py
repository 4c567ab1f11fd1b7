#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables in docs/ say what the program's own tables say, the man pages have no fault, and no
link leads nowhere.

A table stands between `table: NAME` and `end of table` in a comment. After a change of keys, verbs,
options or bindings:  UPDATE_DOCS=1 python3 tests/tree/docs.py  in the build directory writes them
anew (first: make tests/tree/doc_tables). A new key of the configuration needs a row in
src/config/key_doc.c."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

SRCDIR = os.environ.get("MCPTOP_SRCDIR") or \
    os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILDDIR = os.environ.get("MCPTOP_BUILDDIR") or os.getcwd()
UPDATE = os.environ.get("UPDATE_DOCS")
HOW = f"UPDATE_DOCS=1 python3 {os.path.relpath(__file__)}  in the build directory writes it anew"
PAGES = ("mcptop.1", "mcptop_config.5")


# ---- what the tables hold, in both languages --------------------------------------

def default_of(row):
    words = [f"`{row['default']}`"] if row["default"] is not None else []
    return "; ".join(words + ([row["default_is"]] if row["default_is"] else []))


def rows_at(tables, *places):
    """The documented keys of these places, each with its other spellings and where it stands."""
    for row in tables["config"]["docs"]:
        at = [p for p in row["at"] if p in places]
        if not at:
            continue
        also = {f["key"] for p in at for f in tables["config"]["fields"][p]
                if f["other_name_of"] == row["key"]}
        only = at[0] if len(places) > 1 and len(at) == 1 else None
        yield dict(row, also=sorted(also), only=only)


def place_note(row):
    return {"isolation": "In a server's `isolation` only. ",
            "docker_isolation": "In `docker_isolation` only. "}.get(row["only"], "")


def sentence(text):
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def images(tables):
    """Commands with the same image and cache share a row."""
    groups = {}
    for row in tables["images"]:
        name = "anything else" if row["command"] == "binary" else f"`{row['command']}`"
        groups.setdefault((row["image"], row["cache"]), []).append(name)
    return [(", ".join(names), image, cache) for (image, cache), names in groups.items()]


# ---- Markdown ----------------------------------------------------------------------

def md_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def md_keys(*places):
    def make(tables):
        return md_table(("key", "type", "default", "what it does", "example"), [
            (" or ".join(f"`{k}`" for k in [row["key"]] + row["also"]), row["type"],
             default_of(row), place_note(row) + sentence(row["text"]), f"`{row['example']}`")
            for row in rows_at(tables, *places)])
    return make


def md_images(tables):
    return md_table(("command", "image", "cache volume at"),
                    [(c, f"`{i}`", f"`{v}`" if v else "") for c, i, v in images(tables)])


# ---- man pages ---------------------------------------------------------------------

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    text = text.replace("→", "\\(->")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    lines = textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)
    return re.sub(r"^([.'])", r"\\&\1", "\n".join(lines), flags=re.M)


def roff_head(name, words):
    words = re.sub(r"[A-Z]+", r"\\fI\g<0>\\fR", roff(words))
    return f".TP\n\\fB{roff(name)}\\fR {words}".rstrip()


def man_keys(*places):
    def make(tables):
        out = []
        for row in rows_at(tables, *places):
            text = place_note(row) + sentence(row["text"])
            if row["also"]:
                text += f" Also understood: {', '.join(f'`{k}`' for k in row['also'])}."
            kind = f"Type: {row['type']}. Default: {default_of(row)}."
            example = f"Example: `\"{row['key']}\": {row['example']}`"
            out += [roff_head(row["key"], ""), roff(text), ".br", roff(kind), ".br", roff(example)]
        return "\n".join(out)
    return make


def man_images(tables):
    return "\n".join(f".TP\n{roff('`' + image + '`')}\n{roff(commands)}"
                     + (f"; cache volume at\n.I {roff(cache)}" if cache else "")
                     for commands, image, cache in images(tables))


def option_head(row):
    letter = f"\\fB\\-{row['letter']}\\fR, " if row["letter"] else ""
    value = f" \\fI{row['value']}\\fR" if row["value"] else ""
    return f".TP\n{letter}\\fB\\-\\-{roff(row['name'])}\\fR{value}"


def man_options(which):
    def make(tables):
        return "\n".join(f"{option_head(row)}\n{roff(row['help'])}"
                         for row in tables["options"] if which(row))
    return make


def man_verbs(tables):
    out = []
    for verb in tables["verbs"]:
        text = [roff(sentence(verb["summary"]))]
        if verb["more"]:
            text.append(roff(re.sub(r"\s+", " ", verb["more"].strip())))
        if verb["options"]:
            names = ", ".join(f"`--{o}`" for o in verb["options"])
            text.append(".br\n" + roff(f"Options: {names}."))
        out.append(roff_head(verb["name"], verb["words"]) + "\n" + "\n".join(text))
    return "\n".join(out)


def man_bindings(tables):
    out, group = [], None
    for row in tables["bindings"]:
        if row["group"] != group:
            group = row["group"]
            out.append(f".SS {group}")
        keys = ", ".join("\\fB" + k.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha") + "\\fR"
                         for k in row["keys"])
        out.append(f".TP\n{keys}\n{roff(row['help'])}")
    return "\n".join(out)


TABLES = {
    "docs/configuration.md": {
        "root": md_keys("root"), "logging": md_keys("logging"), "server": md_keys("server"),
        "isolation": md_keys("docker_isolation", "isolation"), "images": md_images},
    "docs/mcptop_config.5": {
        "root": man_keys("root"), "logging": man_keys("logging"), "server": man_keys("server"),
        "isolation": man_keys("docker_isolation", "isolation"), "images": man_images},
    "docs/mcptop.1": {
        "verbs": man_verbs, "keys": man_bindings,
        "options": man_options(lambda o: o["global"]),
        "options of the view": man_options(lambda o: o["view"]),
        "options of verbs": man_options(lambda o: not o["global"] and not o["view"])},
}
MARK = {".md": ("<!-- table: {} -->\n", "\n<!-- end of table -->"),
        ".1": ('.\\" table: {}\n', '\n.\\" end of table'),
        ".5": ('.\\" table: {}\n', '\n.\\" end of table')}


# ---- checks ------------------------------------------------------------------------

class Tap:
    count, failed = 0, 0

    def ok(self, passed, name, *saw):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        if not passed:
            for line in saw:
                print(f"# {line}")

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")


def read(name):
    with open(os.path.join(SRCDIR, name), encoding="utf-8") as file:
        return file.read()


def first_difference(got, want):
    for old, new in zip(got.splitlines() + [""], want.splitlines() + [""]):
        if old != new:
            return f"it says   {old}"[:300], f"should be {new}"[:300]
    return ()


def check_tables(tap, tables):
    for name, parts in TABLES.items():
        text = fresh = read(name)
        for part, make in parts.items():
            begin, end = MARK[os.path.splitext(name)[1]]
            begin = begin.format(part)
            head, found, rest = fresh.partition(begin)
            got, ended, tail = rest.partition(end)
            if not found or not ended:
                tap.ok(False, f"{name} has the table {part}", f"no {begin.strip()} … {end.strip()}")
                continue
            want = make(tables)
            fresh = head + begin + want + end + tail
            tap.ok(UPDATE or got == want, f"{name}: the table {part} is the program's",
                   *first_difference(got, want), HOW)
        if UPDATE and fresh != text:
            with open(os.path.join(SRCDIR, name), "w", encoding="utf-8") as file:
                file.write(fresh)


def check_keys(tap, tables):
    for place, fields in tables["config"]["fields"].items():
        documented = {row["key"] for row in tables["config"]["docs"] if place in row["at"]}
        keys = {f["key"] for f in fields
                if not f["ignored"] and not f["no_effect"] and not f["other_name_of"]}
        tap.ok(keys <= documented, f"every key of {place} is documented",
               f"no row in src/config/key_doc.c: {sorted(keys - documented)}")


def check_flags(tap, tables):
    """docker run's flags are grouped by hand; none is missing and none invented."""
    text = read("docs/configuration.md").partition("### Flags of `docker run`")[2].partition("\n## ")[0]
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`(?:--)([a-z-]+)`", table)) | set(re.findall(r"`(-[a-zA-Z])`", table))
    flags = {f["name"] for f in tables["run_flags"]} | \
        {f["other_name"] for f in tables["run_flags"] if f["other_name"]}
    letters = {"-" + f["letter"] for f in tables["run_flags"] if f["letter"]}
    ours = {n for n in named if not n.startswith("-")}
    # Where only the letter is named, that is enough.
    by_letter = {f["name"] for f in tables["run_flags"]
                 if f["letter"] and "-" + f["letter"] in named}
    tap.ok(flags - ours - by_letter <= {f["other_name"] for f in tables["run_flags"]},
           "every flag of docker run is in docs/configuration.md", sorted(flags - ours - by_letter))
    tap.ok(ours <= flags and {n for n in named if n.startswith("-")} <= letters,
           "and no other", sorted(ours - flags))


def check_page(tap, page):
    path = os.path.join(SRCDIR, "docs", page)
    for tool, argv in (("mandoc", ["mandoc", "-T", "lint", "-W", "style", path]),
                       ("groff", ["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-z", path])):
        if not shutil.which(tool):
            tap.skip(f"{page}: {tool} finds no fault", f"no {tool} here")
            continue
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        # A page without a date does not change when nothing did; and foreign names may be in use.
        faults = [line for line in done.stdout.splitlines()
                  if not re.search(r"missing date|operating system explicitly|referenced manual not found", line)]
        tap.ok(not faults, f"{page}: {tool} finds no fault", *faults[:10])


def check_links(tap):
    names = ["README", "HACKING.md"] + sorted(
        f"docs/{n}" for n in os.listdir(os.path.join(SRCDIR, "docs")) if n.endswith((".md", ".1", ".5")))
    dead = []
    for name in names:
        text = read(name)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not os.path.exists(os.path.join(SRCDIR, os.path.dirname(name), target)):
                dead.append(f"{name}: {target}")
        for target in re.findall(r"(?<![\w/.])docs/[\w.]+\.(?:md|1|5)\b", text):
            if not os.path.exists(os.path.join(SRCDIR, target)):
                dead.append(f"{name}: {target}")
    tap.ok(not dead, "no link in the documentation leads nowhere", *dead)
    for name in names:
        for anchor in re.findall(r"\]\(#([^)]+)\)", read(name)):
            heads = [re.sub(r"[^\w -]", "", h.strip().lower()).replace(" ", "-")
                     for h in re.findall(r"^#+ (.*)$", read(name), re.M)]
            tap.ok(anchor in heads, f"{name}: #{anchor} is a heading")


def check_verbs(tap, tables):
    """What a page tells its reader to type is there."""
    verbs = {v["name"] for v in tables["verbs"]}
    options = {o["name"] for o in tables["options"]} | {"no-warden"}
    wrong = []
    pages = [n for n in os.listdir(os.path.join(SRCDIR, "docs")) if n.endswith(".md")]
    for name in ["README"] + [f"docs/{n}" for n in sorted(pages)]:
        text = read(name)
        fences = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
        code = [body for language, body in fences if language in ("", "sh")]
        code += re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
        if name == "README":
            code = re.findall(r"^ {4}\S.*$", text, re.M)
        for verb, rest in re.findall(r"(?<![\w/.])mcptop ([a-z]+)\b([^`\n]*)", "\n".join(code)):
            wrong += [f"{name}: mcptop {verb}"] if verb not in verbs else []
            wrong += [f"{name}: mcptop {verb} --{o}" for o in re.findall(r"(?<=\s)--([a-z-]+)", rest)
                      if o not in options]
    tap.ok(not wrong, "every verb and option that a page tells to type is there", *wrong)


def main():
    tap = Tap()
    tables = json.loads(subprocess.run([os.path.join(BUILDDIR, "tests/tree/doc_tables")], check=True,
                                       stdout=subprocess.PIPE, text=True).stdout)
    check_keys(tap, tables)
    check_tables(tap, tables)
    check_flags(tap, tables)
    for page in PAGES:
        check_page(tap, page)
    check_links(tap)
    check_verbs(tap, tables)
    print(f"1..{tap.count}")
    sys.exit(1 if tap.failed else 0)


if __name__ == "__main__":
    main()
