#!/usr/bin/env python3
"""Compiles each program beside this script, which must fail with the sentence in its first line, and with few
other lines: what a user reads first must be what is missing.

    check.py INCLUDE_DIRECTORY COMPILER...
"""

import pathlib
import subprocess
import sys

include, compiler = sys.argv[1], sys.argv[2:]
failed = False
for program in sorted(pathlib.Path(__file__).parent.glob("*.cpp")):
    expected = program.read_text().splitlines()[0].removeprefix("// error: ")
    command = [*compiler, "-std=c++20", "-fsyntax-only", "-I", include, str(program)]
    run = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in run.stderr.splitlines() if "error:" in line]
    good = expected in (errors or [""])[0] and len(errors) <= 5
    print(f"{'ok' if good else 'FAILED'}  {program.name}: {len(errors)} errors, first: {(errors or ['none'])[0]}")
    failed |= not good
sys.exit(failed)
