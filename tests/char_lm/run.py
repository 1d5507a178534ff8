#!/usr/bin/env python3
"""Uses examples/char_lm as a person would: trains, kills it, goes on, makes mistakes.

    run.py CHAR_LM [KILLS]
"""
import gzip
import json
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

CHAR_LM = sys.argv[1]
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
SMALL = "--hidden 12 --seq 10 --batch 5 --threads 1 --save-every 7".split()
checks = 0


def run(*args):
    return subprocess.run([CHAR_LM, *map(str, args)], capture_output=True, text=True, timeout=300)


def check(holds, what, result=None):
    global checks
    checks += 1
    if not holds:
        sys.exit(f"FAILED: {what}" + (f"\nexit {result.returncode}\n{result.stdout}\n{result.stderr}" if result else ""))


def refuses(code, message, *args):
    """The program ends with this code and says exactly this, on one line, on standard error."""
    result = run(*args)
    check(result.returncode == code and result.stderr == f"char_lm: {message}\n", f"{args}: expected {message!r}", result)


def train_succeeds(*args):
    result = run("train", *args)
    check(result.returncode == 0, f"train {args}", result)
    return result.stdout


def make_text():
    words = "the cell reads a text and keeps a state of what it has read so far\n".split(" ")
    rng = random.Random(1)
    return " ".join(rng.choice(words) for _ in range(2500))


def killed_runs_end_the_same(folder, text):
    for cell, extra in [("lstm", ["--dropout", "0.2"]), ("gru", ["--optim", "rmsprop", "--embed", "6"])]:
        options = ["--text", text, "--cell", cell, *SMALL, "--steps", "400", *extra]
        whole, parts = folder / f"{cell}_whole", folder / f"{cell}_parts"
        start = time.time()
        train_succeeds(*options, "--model", whole)
        duration = time.time() - start
        rng = random.Random(7)
        killed = 0
        for _ in range(KILLS):
            resume = (parts / "last.safetensors").exists()
            process = subprocess.Popen([CHAR_LM, "train", *options, "--model", str(parts)] + ["--resume"] * resume,
                                       stdout=subprocess.DEVNULL)
            try:
                process.wait(rng.uniform(0, 2.5 * duration / KILLS))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            left = [p.name for p in parts.glob("*")] if parts.exists() else []
            check(all(n.startswith(("last.safetensors", "best.safetensors", "loss.svg", "samples.")) for n in left), f"files {left}")
        check(killed >= KILLS / 4, f"only {killed} of {KILLS} runs were killed before their end")
        train_succeeds(*options, "--model", parts, "--resume")
        same = (whole / "last.safetensors").read_bytes() == (parts / "last.safetensors").read_bytes()
        check(same, f"{cell}: the run that was killed {killed} times ends with other bits")
        print(f"{cell}: killed {killed} times, same bits")


def interrupt_saves(folder, text):
    where = folder / "interrupted"
    process = subprocess.Popen([CHAR_LM, "train", "--text", text, *SMALL, "--model", str(where)],
                               stdout=subprocess.PIPE, text=True)
    while not (where / "last.safetensors").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    check(process.returncode == 130 and f"char_lm train --resume --model {where}" in out, f"Ctrl-C: {out}")
    check("going on after step" in train_succeeds("--resume", "--model", where, "--steps", "1"), "resume")


def with_infinite_bias(checkpoint):
    header_size = int.from_bytes(checkpoint[:8], "little")
    header = json.loads(checkpoint[8 : 8 + header_size])
    at = 8 + header_size + header["model.head.bias"]["data_offsets"][0]
    return checkpoint[:at] + struct.pack("<f", float("inf")) + checkpoint[at + 4 :]


def mistakes(folder, text, model):
    size = pathlib.Path(text).stat().st_size
    refuses(2, "say what to do: train, eval, sample (or --help)")
    refuses(2, "'trian' is none of train, eval, sample", "trian")
    refuses(2, "--hidden must be at least 1, not 0", "train", "--hidden", 0)
    refuses(2, "--cell lstmm is none of rnn, lstm, gru", "train", "--cell", "lstmm")
    refuses(2, f"{model} holds a model already; go on with --resume, delete it, or name another --model", "train",
            "--text", text, *SMALL, "--model", model)
    refuses(2, "--hidden 99 differs from the model's 12; leave it out, or train another --model",
            "train", "--resume", "--model", model, "--hidden", 99)
    refuses(2, "--steps must be at least 0, or -1 for no bound, not -5", "train", "--steps=-5")
    refuses(2, "--decay must lie in (0, 1], not inf", "train", "--decay", "inf")
    refuses(2, "--lr must be above 0 and finite, not inf", "train", "--lr", "inf")
    refuses(2, "--model must name a directory", "train", "--model", "")
    result = run("train", "--optim", "adamm")
    check(result.returncode == 2 and "--optim adamm is none of adadelta, " in result.stderr, "an optimiser", result)
    check(run("train", "--nonsense").returncode == 2, "an unknown option")
    check(run("--help").returncode == 0 and "--temperature" in run("--help").stdout, "--help")

    latin, empty = folder / "latin.txt", folder / "empty.txt"
    latin.write_bytes("caf\u00e9".encode("latin-1"))
    empty.write_bytes(b"")
    for path in [latin, empty, folder, folder / "missing.txt"]:
        result = run("train", "--text", path, "--model", folder / "never")
        check(result.returncode == 1 and str(path) in result.stderr and result.stderr.count("\n") == 1, path, result)
        check(not (folder / "never").exists(), f"{path}: a model directory was made all the same")

    for extra, part in [(["--batch", 500], "training"), (["--split", "0.98,0.01,0.01"], "validation")]:
        result = run("train", "--text", text, "--model", folder / "never", *extra)
        check(result.returncode == 2 and f"the {part} part has" in result.stderr, f"a text too short: {extra}", result)
    refuses(2, "--split 0.9;0.1: '0.9;0.1' is not a number; write it like 0.9,0.05,0.05", "train", "--text", text,
            "--split", "0.9;0.1")

    before = (model / "last.safetensors").read_bytes()
    other = folder / "other.txt"
    other.write_text("another text\n" * 400)
    (folder / "text.txt").rename(folder / "kept.txt")
    other.rename(folder / "text.txt")
    result = run("train", "--resume", "--model", model)
    check(result.returncode == 1 and result.stderr.count("\n") == 1, "another text", result)
    (folder / "kept.txt").rename(folder / "text.txt")
    check((model / "last.safetensors").read_bytes() == before, "a refused run changed the model")
    check(pathlib.Path(text).stat().st_size == size, "the text")

    occupied = folder / "occupied"
    occupied.write_text("precious")
    for where in [occupied, occupied / "below"]:
        refuses(1, f"{where}: can't be made a directory for the model: Not a directory; name another",
                "train", "--text", text, "--model", where)
    check(occupied.read_text() == "precious", "a file in the way of the model")
    blocked = folder / "blocked"
    (blocked / "last.safetensors.tmp").mkdir(parents=True)
    result = run("train", "--text", text, *SMALL, "--model", blocked)
    check(result.returncode == 1 and "step" not in result.stdout, "what can't be saved is not trained", result)

    broken = folder / "broken"
    broken.mkdir()
    for cut in [0, 7, 100, len(before) - 1]:
        (broken / "best.safetensors").write_bytes(before[:cut])
        result = run("sample", "--model", broken)
        check(result.returncode == 1 and "best.safetensors" in result.stderr and result.stderr.count("\n") == 1,
              f"a checkpoint cut to {cut} bytes", result)
    (broken / "best.safetensors").write_bytes(with_infinite_bias((model / "best.safetensors").read_bytes()))
    refuses(1, f"{broken}: the model's head.bias is not finite; train it anew with a lower --lr", "sample", "--model",
            broken)
    result = run("sample", "--model", model, "--prime", "\u00e9")
    check(result.returncode == 1 and result.stderr.count("\n") == 1, "a prime outside the vocabulary", result)


def sampling(model):
    one, two = (run("sample", "--model", model, "--length", 80, "--prime", "the ") for _ in range(2))
    check(one.returncode == 0 and one.stdout == two.stdout and len(one.stdout) == 85, "sample", one)
    for option in [["--temperature", 0], ["--top-k", 1], ["--top-p", 0.000001]]:
        greedy = run("sample", "--model", model, "--length", 30, *option)
        check(greedy.stdout == run("sample", "--model", model, "--length", 30, "--temperature", 0).stdout, option)
    other = run("sample", "--model", model, "--length", 80, "--prime", "the ", "--seed", 7)
    check(other.returncode == 0 and other.stdout != one.stdout, "another seed, another sample", other)
    check("test loss" in run("eval", "--model", model).stdout, "eval")


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored, for children too
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = str(folder / "text.txt")
        pathlib.Path(text).write_text(make_text())
        model, log = folder / "model", folder / "log.jsonl"
        out = train_succeeds("--text", text, *SMALL, "--epochs", 3, "--lr", 0.01, "--model", model, "--log", log)
        check("best after step" in out and (model / "loss.svg").read_text().startswith("<svg"), out)
        losses = [json.loads(line).get("validation_loss") for line in log.read_text().splitlines()]
        losses = [v for v in losses if v is not None]
        check(len(losses) == 3 and losses[2] < losses[0] < 3, f"losses {losses}")
        with gzip.open(folder / "text.gz", "wt") as f:
            f.write(make_text())
        train_succeeds("--text", folder / "text.gz", *SMALL, "--epochs", 3, "--lr", 0.01, "--model", folder / "gz")
        sampling(model)
        mistakes(folder, text, model)
        interrupt_saves(folder, text)
        killed_runs_end_the_same(folder, text)
    print(f"{checks} checks passed")


main()
