"""Figures of benchmarks, and the arithmetic on them: units, ratios, medians, verdicts. Nothing here runs anything.

The end of a figure's name says its unit: median_ms, lstm_run_ns, words_per_second, gflops, peak_mb,
run_allocations. A ratio is of costs, of which less is better; a rate's cost is its inverse.
"""

import dataclasses
import statistics

TIMES = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def is_rate(name):
    return name.endswith(("per_second", "gflops"))


def cost(name, value):
    if is_rate(name):
        return 1 / value
    return value * TIMES.get(name.rsplit("_", 1)[-1], 1)


def digits(value):
    """About three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def shown(name, value):
    """A figure with its unit: "91.3 ms", "27.4 k/s"."""
    if name.endswith("per_second"):
        return f"{digits(value / 1000)} k/s" if value >= 1000 else f"{digits(value)} /s"
    unit = {"gflops": "GFLOP/s", "mb": "MB"}.get(name.rsplit("_", 1)[-1], name.rsplit("_", 1)[-1])
    return f"{digits(value)} {unit}"


@dataclasses.dataclass(frozen=True)
class Command:
    """A program by its short name, with arguments. Equal commands run once a round, however many rows ask."""

    program: str
    args: tuple = ()
    threads: int = 1

    def text(self):
        return " ".join([self.program, *self.args])


@dataclasses.dataclass(frozen=True)
class Figure:
    command: Command
    name: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table.

    kind "speedup": cost of `other` divided by ours, at least the target;
    kind "cost":    our cost divided by that of `other`, at most the target;
    kind "figure":  ours alone, at most the target.
    A target of None is no target: the row informs. Rows of one group are measured in turn.
    """

    group: str
    work: str
    against: str
    ours: Figure
    other: Figure | None
    kind: str
    target: float | None

    def figures(self):
        return [f for f in (self.ours, self.other) if f]


def round_value(row, ours, other):
    """The row's value in one round, from the figures of that round."""
    if row.kind == "figure":
        return ours
    ratio = cost(row.ours.name, ours) / cost(row.other.name, other)
    return round(ratio if row.kind == "cost" else 1 / ratio, 6)  # 1.35 is not 1.3499999999999999


def summary(values):
    """The median, and how far the rounds lie apart."""
    return statistics.median(values), min(values), max(values)


def meets(row, value):
    return value >= row.target if row.kind == "speedup" else value <= row.target


def judged(measure, rounds, limit):
    """Whether something became slower. measure(rounds) gives its ratios; a median above the limit is doubted, and
    measured again. Returns median, least and largest ratio, and the verdict."""
    ratio, low, high = summary(measure(rounds))
    if ratio <= limit:
        return ratio, low, high, False
    ratio, low, high = summary(measure(3 * rounds))
    return ratio, low, high, ratio > limit
