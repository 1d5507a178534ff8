#!/usr/bin/env python3
"""Holds the listings in README.md and docs/ against what they are listings of.

    check.py SOURCE_ROOT BUILD_ROOT [--write]

A fenced block after `<!-- file: PATH -->` is that file's text; after `<!-- part of PATH -->` it stands in that file,
laid out as there or not; after `<!-- output of PROGRAM -->` it is what that
program of the build prints, measured digits aside. With --write the blocks are brought up to date instead.
"""
import pathlib
import re
import subprocess
import sys

MARKED = re.compile(r"(<!-- (file:|part of|output of) ([^ ]+) -->\n```[a-z]*\n)(.*?)(```\n)", re.S)
# Rounding, which differs from machine to machine, decides which of many right entries comes out as the worst.
MEASURED = re.compile(r"worst at .*|\+- [^ ,]+")


def content(kind, name, shown, root, build):
    if kind == "part of":
        stands = "".join(shown.split()) in "".join((root / name).read_text().split())
        return shown if stands else f"(not in {name})\n"
    if kind == "file:":
        return (root / name).read_text()
    return subprocess.run([build / name], capture_output=True, text=True, check=True).stdout


def main():
    root, build = map(pathlib.Path, sys.argv[1:3])
    write = "--write" in sys.argv
    blocks, stale = 0, []
    for page in sorted([*root.glob("README.md"), *(root / "docs").glob("*.md")]):
        text = page.read_text()
        fresh = MARKED.sub(lambda m: m[1] + content(m[2], m[3], m[4], root, build) + m[5], text)
        blocks += len(MARKED.findall(text))
        if MEASURED.sub("", fresh) != MEASURED.sub("", text):
            stale.append(page.relative_to(root))
            if write:
                page.write_text(fresh)
    print(f"{blocks} listings")
    if stale and not write:
        sys.exit("out of date: " + ", ".join(map(str, stale)) + "\n"
                 "bring them up to date with tests/docs/check.py . build --write")
    if blocks == 0:
        sys.exit("no listings found")


main()
