#!/usr/bin/env python3
"""Writes the C++ source of embedded_text(): the project's own headers, sources and docs as one string.

    embed_text.py ROOT OUTPUT DEPFILE

Files are ordered by a checksum of their path and not by name, so that the last parts of the text, which a model
is validated and tested on, are of the same mixture as the part it learns from.
"""

import pathlib
import sys
import zlib

FOLDERS = ["graph", "ops", "layers", "optim", "io", "verify", "examples", "tests", "bench", "docs"]
SUFFIXES = {".hpp", ".cpp", ".md"}


def files(root):
    found = list(root.iterdir())
    for folder in FOLDERS:
        found += (root / folder).rglob("*")
    results = root / "docs" / "examples"  # what models wrote stands there
    kept = [path for path in found if path.suffix in SUFFIXES and path.is_file() and results not in path.parents]
    return sorted(kept, key=lambda path: zlib.crc32(path.relative_to(root).as_posix().encode()))


def literal(line):
    """A C++ string literal of the bytes of one line."""
    out = []
    for byte in line:
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def main():
    root, output, depfile = map(pathlib.Path, sys.argv[1:4])
    paths = files(root)
    lines = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
    with output.open("w", encoding="ascii") as out:
        out.write('#include "embedded_text.hpp"\n\nnamespace char_lm {\n\n')
        out.write("std::string_view embedded_text() {\n  static constexpr char text[] =\n")
        out.writelines(f"      {literal(line)}\n" for line in lines)
        out.write("      ;\n  return {text, sizeof text - 1};\n}\n\n}  // namespace char_lm\n")
    depfile.write_text(f"{output}: " + " ".join(str(path).replace(" ", "\\ ") for path in paths) + "\n")


if __name__ == "__main__":
    main()
