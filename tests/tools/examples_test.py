#!/usr/bin/env python3
"""What tools/examples makes of what programs print: bounds, tables of several seeds, the pages of docs/examples/, and
which results are kept. The program here is a script."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import re
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
loader = importlib.machinery.SourceFileLoader("examples", str(TOOLS / "examples"))
examples = importlib.util.module_from_spec(importlib.util.spec_from_loader("examples", loader))
loader.exec_module(examples)
from example_runs import Bound, Run  # noqa: E402

# Prints a table whose figures follow from the seed, draws, and counts how often it was called.
PROGRAM = """#!/bin/sh
echo "$*" >> calls
[ "$1" = train ] && { mkdir -p "$3"; echo "<svg/>" > "$3/loss.svg"; echo $5 > "$3/seed"; exit; }
seed=$(cat "$3/seed")
printf 'two test words  accuracy     words\\ngru             0.9%s00      12\\na baseline      0.5000      12\\n' $seed
[ $seed != 13 ]
"""
ROW = Run("words", ["train --model MODEL --seed SEED", "eval --model MODEL DATA"],
          [Bound("accuracy", r"gru +([\d.]+)", at_least=0.92)], pictures=["loss.svg"])
PAGE = """# toy

By hand.

<!-- results: words -->
old
<!-- end of results -->

By hand, too.
"""
RESULT = """# toy

By hand.

<!-- results: words -->
| two test words | accuracy | words |
| --- | --- | --- |
| gru | 0.9300 (0.9200 to 0.9400) | 12 |
| a baseline | 0.5000 | 12 |

Seeds 2, 4: the mean, and the smallest to the largest; SECONDS of one core a seed. With seed 2:

```
toy train --model my_toy --seed 2
toy eval --model my_toy DIR
```

![words: loss](toy_words_loss.svg)

This section is made by `tools/examples --full --data DIR toy`.
<!-- end of results -->

By hand, too.
"""


class Full(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        examples.ROOT, examples.BUILD = self.root, self.root / "build"
        (self.root / "docs/examples").mkdir(parents=True)
        (self.root / "build/examples").mkdir(parents=True)
        self.page = self.root / "docs/examples/toy.md"
        self.page.write_text(PAGE)
        self.install(PROGRAM)

    def install(self, text):
        program = self.root / "build/examples/toy"
        program.write_text(text.replace(">> calls", f">> {self.root}/calls"))
        program.chmod(0o755)

    def run_full(self, seeds):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            passed = examples.run_full("toy", ROW, "/data", seeds)
        return passed, printed.getvalue()

    def calls(self):
        return len((self.root / "calls").read_text().splitlines())

    def test_the_page_has_the_mean_the_range_the_commands_and_the_picture(self):
        self.assertTrue(self.run_full([2, 4])[0])
        self.assertEqual(re.sub(r"; \d+ seconds? of", "; SECONDS of", self.page.read_text()), RESULT)
        self.assertEqual((self.root / "docs/examples/toy_words_loss.svg").read_text(), "<svg/>\n")

    def test_results_are_kept_until_the_program_changes(self):
        self.run_full([2, 4])
        self.run_full([2, 4])
        self.assertEqual(self.calls(), 4)
        self.run_full([2, 4, 3])
        self.assertEqual(self.calls(), 6)
        self.install(PROGRAM + "\n")
        self.run_full([2])
        self.assertEqual(self.calls(), 8)

    def test_a_seed_below_the_bound_fails(self):
        passed, printed = self.run_full([2, 1])
        self.assertFalse(passed)
        self.assertIn("FAILED: accuracy is 0.91; it must be at least 0.92", printed)

    def test_a_program_that_fails_is_no_result(self):
        passed, printed = self.run_full([2, 13])
        self.assertFalse(passed)
        self.assertIn("exit 1", printed)
        self.assertEqual(self.page.read_text(), PAGE)


class Small(unittest.TestCase):
    def test_a_bound_that_finds_no_number_fails(self):
        problems, shown = examples.check([Bound("loss", r"loss ([\d.]+)", at_most=2)], "nothing\n")
        self.assertEqual((problems, shown), (["loss: not in the output:\nnothing\n"], []))

    def test_bounds_hold_at_their_ends(self):
        for value, good in [("1.99", True), ("2", True), ("2.01", False), ("nan", False)]:
            with self.subTest(value):
                problems, _ = examples.check([Bound("loss", r"loss (\S+)", at_most=2)], f"loss {value}\n")
                self.assertEqual(not problems, good)

    def test_tables_end_where_lines_do_not_fit(self):
        self.assertEqual(examples.tables_of("head  one  two\na b  1  2\n\nsome words\nc  3\n"),
                         [(["head", "one", "two"], {"a b": ["1", "2"]})])


if __name__ == "__main__":
    unittest.main()
