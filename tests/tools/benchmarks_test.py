#!/usr/bin/env python3
"""What tools/compare and tools/regress compute: units, ratios, medians and verdicts, and how they read what programs
print. Runs no benchmark."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
from benchmarks import figures, rows, runs  # noqa: E402
from benchmarks.figures import Command, Figure, Row  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(TOOLS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


OURS, THEIRS = Command("rnn"), Command("onednn_rnn")


def row(kind="speedup", target=1.5, name="median_ms", other="step_ms"):
    return Row("g", "work", "peer", Figure(OURS, name), Figure(THEIRS, other) if other else None, kind, target)


class Recorded:
    """A runner that gives what it was told to, and notes the order."""

    def __init__(self, outputs):
        self.outputs, self.order = outputs, []

    def run(self, command):
        self.order.append(command.program)
        found = self.outputs[command]
        if isinstance(found, str):
            raise runs.RunError(found)
        return found.pop(0)


class Figures(unittest.TestCase):
    def test_costs_and_units(self):
        self.assertAlmostEqual(figures.cost("median_ms", 40), 0.04)
        self.assertAlmostEqual(figures.cost("step_us", 40), 4e-5)
        self.assertAlmostEqual(figures.cost("words_per_second", 50), 0.02)
        self.assertEqual(figures.cost("peak_mb", 7), 7)
        self.assertEqual(figures.shown("median_ms", 45.12), "45.1 ms")
        self.assertEqual(figures.shown("words_per_second", 27370), "27.4 k/s")
        self.assertEqual(figures.shown("run_allocations", 0), "0 allocations")
        self.assertEqual(figures.shown("gflops", 1.234), "1.23 GFLOP/s")

    def test_ratios(self):
        self.assertAlmostEqual(figures.round_value(row(), 20, 30), 1.5)  # we take 20 ms, they 30
        self.assertAlmostEqual(figures.round_value(row("cost"), 30, 20), 1.5)
        rates = row(name="words_per_second", other="words_per_second")
        self.assertAlmostEqual(figures.round_value(rates, 3000, 1000), 3)
        mixed = row(name="step_us", other="step_ms")
        self.assertAlmostEqual(figures.round_value(mixed, 500, 1), 2)
        self.assertEqual(figures.round_value(row("figure", other=None), 61, None), 61)

    def test_summary_is_the_median_of_the_rounds(self):
        self.assertEqual(figures.summary([3, 1, 2]), (2, 1, 3))
        self.assertEqual(figures.summary([1, 2]), (1.5, 1, 2))

    def test_verdicts_include_the_target(self):
        self.assertTrue(figures.meets(row(target=1.5), 1.5))
        self.assertFalse(figures.meets(row(target=1.5), 1.49))
        self.assertTrue(figures.meets(row("cost", 1.03), 1.03))
        self.assertFalse(figures.meets(row("figure", 60), 60.1))

    def test_a_regression_is_confirmed(self):
        asked = []

        def measure(*answers):
            def next_ratios(rounds):
                asked.append(rounds)
                return answers[len(asked) - 1]

            asked.clear()
            return next_ratios

        self.assertEqual(figures.judged(measure([1.2, 1.0, 1.1]), 3, 1.1), (1.1, 1.0, 1.2, False))
        self.assertEqual(asked, [3])
        self.assertEqual(figures.judged(measure([1.2], [1.0]), 3, 1.1)[3], False)
        self.assertEqual(asked, [3, 9])
        self.assertEqual(figures.judged(measure([1.2], [1.3]), 3, 1.1), (1.3, 1.3, 1.3, True))


class Runs(unittest.TestCase):
    def test_in_turn_and_back(self):
        runner = Recorded({OURS: [{"median_ms": 20}, {"median_ms": 20}], THEIRS: [{"step_ms": 30}, {"step_ms": 50}]})
        results, failed = runs.in_turn(runner, [OURS, THEIRS], 2)
        self.assertEqual(runner.order, ["rnn", "onednn_rnn", "onednn_rnn", "rnn"])
        self.assertEqual(failed, {})
        self.assertEqual(runs.measure(row(), results), ([1.5, 2.5], [20, 40]))

    def test_a_command_that_fails_is_left_out(self):
        runs.log = lambda text: None
        runner = Recorded({OURS: [{"median_ms": 20}, {"median_ms": 20}], THEIRS: "no memory"})
        results, failed = runs.in_turn(runner, [OURS, THEIRS], 2)
        self.assertEqual((len(results[OURS]), failed), (2, {THEIRS: "no memory"}))

    def test_readers(self):
        line = "lstm    V65 H128 L2 B50 T50 thr=2 model_train_step      45.120 ms (min 43.1 q1 44.0 q3 46.0 n=16)"
        found = runs.read_onednn(line + "\n# loss 4.1 -> 3.9 after 16+ steps; peak RSS 83 MB\n")
        self.assertEqual(found, {"model_train_step_ms": 45.12, "peak_mb": 83})
        floor = "floor stream L=2 H=128 {}: {} us/step (min 14 q1 14 q3 15)  27.1 GF/s\n"
        found = runs.read_floor(floor.format("row-major W   ", 16.5) + floor.format("block-packed W", 14.8))
        self.assertEqual(found, {"L2_H128_us": 14.8})
        self.assertEqual(runs.read_torch_rnn('{"cell": "lstm", "train": {"med": 0.09}}'), {"train_ms": 90})
        found = runs.read_torch_dynamic('# x\n{"bench": "tagger_train_packed", "sent_per_s": 64.0}\n')
        self.assertEqual(list(found), ["tagger_train_packed_words_per_second"])
        found = runs.read_libtorch("stream nn::LSTM only H=64 L=1       88.00 us/step (min 87.00 q1 1 q3 2 n=11)\n")
        self.assertEqual(found, {"stream nn::LSTM only H=64 L=1_us": 88})
        found = runs.read_ours('{"bench": "rnn", "median_ms": 9.1E1, "nodes": 6}')
        self.assertEqual(found, {"median_ms": 91, "nodes": 6})


class Regress(unittest.TestCase):
    def test_ratios_are_of_new_to_base(self):
        new, base = Command("new:rnn"), Command("base:rnn")
        runner = Recorded({new: [{"median_ms": 11}, {"median_ms": 30}], base: [{"median_ms": 10}, {"median_ms": 20}]})
        self.assertEqual(script("regress").ratios(runner, "a", Figure(OURS, "median_ms"), 2), [1.1, 1.5])
        self.assertEqual(runner.order, ["new:rnn", "base:rnn", "base:rnn", "new:rnn"])

    def test_a_figure_that_one_side_lacks(self):
        regress = script("regress")
        runner = Recorded({Command("new:rnn"): [{"median_ms": 1}], Command("base:rnn"): [{}]})
        self.assertRaises(runs.RunError, regress.ratios, runner, "a", Figure(OURS, "median_ms"), 1)


class Compare(unittest.TestCase):
    def setUp(self):
        self.compare = script("compare")

    def state(self, results, failed=None, absent=None, a_row=None):
        return self.compare.outcome(a_row or row(), results, failed or {}, absent or {})

    def test_states(self):
        good = {OURS: [{"median_ms": 20}], THEIRS: [{"step_ms": 30}]}
        self.assertEqual(self.state(good)["state"], "met")
        self.assertEqual(self.state(good, a_row=row(target=1.6))["state"], "not met")
        self.assertEqual(self.state(good, a_row=row(target=None))["state"], "measured")
        self.assertEqual(self.state(good, absent={"onednn_rnn": "get it"})["why"], "get it")
        self.assertEqual(self.state(good, failed={THEIRS: "no memory"})["state"], "failed")
        self.assertEqual(self.state(good, failed={OURS: "rnn: unrecognised option '--budget=1'"})["state"], "not yet")
        self.assertEqual(self.state(good | {OURS: [{}]})["state"], "not yet")

    def test_table(self):
        good = {OURS: [{"median_ms": 20}], THEIRS: [{"step_ms": 30}]}
        text = self.compare.table([self.state(good), self.state(good, a_row=row(target=1.6))])
        self.assertIn("| work | 20.0 ms | peer | 30.0 ms | 1.50 (1.50 to 1.50) | ≥ 1.5 | met |", text)
        self.assertIn("| ≥ 1.6 | **not met** |", text)

    def test_write_replaces_what_lies_between_the_marks(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "page.md")
            page.write_text("A\n<!-- tools/compare --write -->\nold\n<!-- end -->\nB\n", encoding="utf-8")
            self.compare.write(page, "new")
            expected = "A\n<!-- tools/compare --write -->\nnew\n<!-- end -->\nB\n"
            self.assertEqual(page.read_text(encoding="utf-8"), expected)
            page.write_text("no marks", encoding="utf-8")
            self.assertRaises(SystemExit, self.compare.write, page, "new")

    def test_rows_differ(self):
        for quick in (False, True):
            texts = [self.compare.text(r) for r in rows.comparison(quick)]
            self.assertEqual(len(texts), len(set(texts)))


if __name__ == "__main__":
    unittest.main()
