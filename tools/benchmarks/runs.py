"""Runs commands in turn and collects their figures, round after round."""

import json
import os
import random
import re
import subprocess
import sys

from . import figures


def log(text):
    print(text, file=sys.stderr, flush=True)


# --- what programs print ----------------------------------------------------------------------------------


def read_ours(text):
    """The one JSON line of a program of bench/."""
    values = json.loads(text.splitlines()[-1])
    return {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}


def read_onednn(text):
    """... model_train_step  45.120 ms (min ...; # ... peak RSS 83 MB"""
    found = re.findall(r"thr=\d+ (\S.*?) +([\d.]+) ms", text)
    memory = re.findall(r"peak RSS (\d+) MB", text)
    return {f"{name}_ms": float(ms) for name, ms in found} | {"peak_mb": float(mb) for mb in memory}


def read_floor(text):
    """floor stream L=1 H=64 row-major W : 1.45 us/step; the better of both layouts of the weights."""
    best = {}
    for layers, hidden, us in re.findall(r"L=(\d+) H=(\d+) .*?: +([\d.]+) us/step", text):
        name = f"L{layers}_H{hidden}_us"
        best[name] = min(float(us), best.get(name, float("inf")))
    return best


def read_torch_rnn(text):
    values = json.loads(text.splitlines()[-1])
    found = {f"{mode}_ms": values[mode]["med"] * 1e3 for mode in ("train", "fwd") if mode in values}
    if "stream" in values:
        found["stream_us"] = values["stream"]["med"] * 1e6
    if "rss_train_mb" in values:
        found["peak_mb"] = values["rss_train_mb"]
    return found


def read_torch_dynamic(text):
    """The driver counts sentences; their lengths are its first random numbers."""
    draw = random.Random(1)
    sentences = 64
    words = sum(draw.randint(5, 40) for _ in range(sentences))
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {f"{x['bench']}_words_per_second": x["sent_per_s"] * words / sentences for x in lines}


def read_libtorch(text):
    """add chain(1000) fwd+backward    9000.12 ns/op (min ..."""
    found = re.findall(r"^(\S.*?) +([\d.]+) (us|ns)/(?:step|op)", text, re.MULTILINE)
    return {f"{name}_{unit}": float(value) for name, value, unit in found}


READERS = {
    "lstm_floor": read_floor,
    "onednn_rnn": read_onednn,
    "torch_rnn": read_torch_rnn,
    "torch_tagger_tree": read_torch_dynamic,
    "libtorch_micro": read_libtorch,
}
OURS = ("rnn", "dynamic", "micro")


# --- running ----------------------------------------------------------------------------------------------


class RunError(Exception):
    pass


class Runner:
    """Starts programs pinned: N threads on the first N cores, for all alike."""

    def __init__(self, argv, libraries=None, timeout=1800):
        self.argv = argv
        self.libraries = libraries  # a folder for the peers' LD_LIBRARY_PATH
        self.timeout = timeout

    def run(self, command):
        """The figures that the command prints."""
        threads = command.threads
        env = dict(os.environ, OMP_PROC_BIND="close", OMP_PLACES=",".join("{%d}" % i for i in range(threads)))
        if self.libraries and command.program not in OURS:
            env["LD_LIBRARY_PATH"] = self.libraries
        cores = set(range(min(threads, os.cpu_count() or 1)))
        try:
            done = subprocess.run(
                [*self.argv[command.program], *command.args],
                env=env,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
                capture_output=True,
                text=True,
                timeout=self.timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise RunError(f"{command.text()}: {e}") from e
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise RunError(f"{command.text()}: {last}")
        try:
            return READERS.get(command.program, read_ours)(done.stdout)
        except (ValueError, KeyError, IndexError) as e:
            raise RunError(f"{command.text()}: its output is not understood: {e!r}") from e


def in_turn(runner, commands, rounds, say=lambda command, figures: None):
    """Runs the commands one after the other, `rounds` times, every other time backwards, so that none always has the
    warmer machine. Returns a list of figures for each command, and the reason for each that failed."""
    results = {command: [] for command in commands}
    failed = {}
    for i in range(rounds):
        for command in commands if i % 2 == 0 else reversed(commands):
            if command in failed:
                continue
            try:
                found = runner.run(command)
            except RunError as e:
                failed[command] = str(e)
                log(f"  {e}")
                continue
            results[command].append(found)
            say(command, found)
    return results, failed


def measure(row, results):
    """The row's value in each round, and the median of each figure; KeyError for a figure that was not printed."""
    columns = [[found[f.name] for found in results[f.command]] for f in row.figures()]
    values = [figures.round_value(row, *one, *[None] * (2 - len(one))) for one in zip(*columns)]
    return values, [figures.summary(column)[0] for column in columns]


def cores():
    return len(os.sched_getaffinity(0))
