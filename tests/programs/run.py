#!/usr/bin/env python3
"""Uses the example programs as people would: on small data of the real sets' layouts, and with mistakes.

    run.py DIRECTORY_OF_THE_PROGRAMS

Each mistake must end in one line on standard error, word for word, and the exit code that goes with it.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is written next to the sources
import small_data
from cases import CUT, FIRST_READ, REFUSED, SMALL, SPOILT, USAGE, USES

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
VERBS = {
    "caption": "train, eval, caption", "char_lm": "train, eval, sample", "compare": "train, eval, measure",
    "forecast": "train, eval, forecast", "music": "train, eval, sample", "names": "train, eval, sample, classify",
    "sentiment": "train, eval, classify", "speech": "train, eval, recognize", "tagger": "train, eval, tag",
    "translate": "train, eval, translate", "tree": "train, eval, show",
    "vanish": "train, eval, answer, gradients, clipping", "video": "train, eval, classify",
}
WITHOUT_CELL = ["caption", "compare", "tree", "vanish"]
WITHOUT_DROPOUT = ["compare", "vanish"]


class Shop:
    """A directory with small data, where programs run; what they wrote is seen from there."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.checks, self.failures = 0, []
        small_data.make(self.folder / "data")
        (self.folder / "empty").mkdir()
        small_data.put(self.folder, "file", "abc")
        small_data.put(self.folder, "picture.png", small_data.png(20, bytes(range(0, 240, 12)) * 20))
        small_data.put(self.folder, "wide.png", small_data.png(14, bytes(14 * 56), height=56))
        small_data.put(self.folder, "lines.csv", (",".join(["0.1"] * 32) + "\n") * 2)

    def run(self, program, command, model="", data="data"):
        names = {"DATA": data, "MODEL": model, "FILE": "file", "PICTURE": "picture.png", "WIDE": "wide.png", "LINES": "lines.csv"}
        words = shlex.split(re.sub("|".join(names), lambda found: names[found[0]], command))
        return subprocess.run([PROGRAMS / program, *words, "--threads=1"], cwd=self.folder, capture_output=True,
                              encoding="utf-8", timeout=120)

    def check(self, holds, what, result=None):
        self.checks += 1
        if not holds:
            self.failures.append(what + (f"\nexit {result.returncode}\n{result.stdout}\n{result.stderr}" if result else ""))

    def default_batch(self, program):
        return re.search(r"--batch arg \(=(\d+)\)", self.run(program, "--help").stdout)[1]

    def refuses(self, program, command, code, message, **names):
        result = self.run(program, command, **names)
        self.check(result.returncode == code and result.stderr == f"{program}: {message}\n",
                   f"{program} {command}: expected {message!r}, exit {code}", result)


def model_of(use):
    """The directory of its model: "speech_strings"."""
    task = re.search(r"--(task|set|voice) (\S+)", use.train)
    return use.program + (f"_{task[2]}" if task else "")


def first_use(program):
    return next(use for use in USES if use.program == program)


def first_model(program):
    return model_of(first_use(program))


def works(shop, use):
    model = model_of(use)
    result = shop.run(use.program, f"train {use.train} --model {model}")
    shop.check(result.returncode == 0, f"{use.program} train {use.train}", result)
    for command, shown in use.commands:
        result = shop.run(use.program, f"{command} --model {model}", model)
        pattern = shown.replace("MODEL", model).replace("PICTURE", "picture.png")
        shop.check(result.returncode == 0 and result.stderr == "" and re.search(pattern, result.stdout),
                   f"{use.program} {command}: expected {pattern!r}", result)


def refuses_options(shop, program):
    """Mistakes that every program knows."""
    def says(command, message):
        shop.refuses(program, command, 2, message)
    says("", f"say what to do: {VERBS[program]} (or --help)")
    says("trian", f"'trian' is none of {VERBS[program]}")
    for verb in ["train", "eval"]:
        says(f"{verb} surplus", f"{verb}: don't know what to do with 'surplus'")
    says("train --nonsense", "unrecognised option '--nonsense'")
    says("train --batch x", "the argument ('x') for option '--batch' is invalid")
    for option in ["hidden", "batch", "epochs"]:
        if (program, option) != ("compare", "hidden"):
            says(f"train --{option} 0", f"--{option} must be at least 1, not 0")
    says("train --seed=-1", "--seed can't be negative")
    says("train --lr 0", "--lr must be above 0 and finite, not 0")
    says("train --lr nan", "--lr must be above 0 and finite, not nan")
    says("train --minutes=-1", "--minutes must be a number that is not negative, not -1")
    says("train --save-every=-1", "--save-every can't be negative: -1")
    says("train --model ''", "--model must name a directory")
    if program not in WITHOUT_CELL:
        says("train --cell x", "--cell x is none of rnn, lstm, gru")
    if program not in WITHOUT_DROPOUT:
        says("train --dropout 1", "--dropout must lie in [0, 1), not 1")
    result = shop.run(program, "--help")
    shop.check(result.returncode == 0 and "--model" in result.stdout and not result.stderr, f"{program} --help", result)
    shop.check(all(len(line) <= 80 for line in result.stdout.split("\n")), f"{program} --help: more than 80 columns", result)


def refuses_models(shop, program):
    """Directories that hold no model, another program's, or a damaged one."""
    model = first_model(program)
    other = first_model("names" if program != "names" else "tree")
    says = shop.refuses
    says(program, "train --model MODEL", 2, f"{model} holds a model already; go on with --resume, delete it, or name another --model",
         model=model)
    trained = first_use(program).train + " --batch " + shop.default_batch(program)
    says(program, "train --resume --batch 99 --model MODEL", 2, "--batch 99 differs from the model's "
         f"{re.search('--batch ([0-9]+)', trained)[1]}; leave it out, or train another --model", model=model)
    for option, kept in [("epochs", 1), ("patience", 0)]:
        says(program, f"train --resume --{option} 99 --model MODEL", 2,
             f"--{option} 99 differs from the model's {kept}; leave it out, or train another --model", model=model)
        says(program, f"eval --{option} 1 --model MODEL", 2, f"eval takes no --{option}; only train can use it", model=model)
    for command in ["eval", "train --resume"]:
        for where in ["nothere", "empty"]:
            says(program, f"{command} --model {where}", 1, f"no model in {where}; train one first: {program} train --model {where}")
        says(program, f"{command} --model file", 2, "file is a file; --model names the directory")
        if program != "vanish":
            says(program, f"{command} --model MODEL", 2, f"{model} was trained with --data DIR; give it again", model=model)
        says(program, f"{command} --model {other}", 1, f"{other}: holds a model of {other.split('_')[0]}, not of {program}")
    says(program, "train --epochs 1 --model file", 1,
         "file: can't be made a directory for the model: Not a directory; name another")
    whole = (shop.folder / model / "best.safetensors").read_bytes()
    for cut in [0, 7, 100, len(whole) - 1]:
        where = f"{program}_cut_{cut}"
        small_data.put(shop.folder, f"{where}/best.safetensors", whole[:cut])
        result = shop.run(program, f"eval --model {where}")
        shop.check(result.returncode == 1 and result.stderr.count("\n") == 1 and
                   result.stderr.startswith(f"{program}: {where}/best.safetensors: "), f"{program}: cut to {cut} bytes", result)


def with_infinite_number(checkpoint):
    """A checkpoint whose last parameter by name begins with infinity, and that name."""
    end = 8 + int.from_bytes(checkpoint[:8], "little")
    header = json.loads(checkpoint[8:end])
    name = max(name for name in header if name.startswith("model."))
    at = end + header[name]["data_offsets"][0]
    return checkpoint[:at] + struct.pack("<f", float("inf")) + checkpoint[at + 4:], name.removeprefix("model.")


def with_counts(checkpoint, **counts):
    """A checkpoint whose trainer counts something else."""
    end = 8 + int.from_bytes(checkpoint[:8], "little")
    header = json.loads(checkpoint[8:end])
    for name, count in counts.items():
        header["__metadata__"]["count:trainer." + name] = str(count)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + checkpoint[end:]


def refuses_infinite_weights(shop, use):
    model = model_of(use) + "_infinite"
    shutil.copytree(shop.folder / model_of(use), shop.folder / model)
    file = shop.folder / model / "best.safetensors"
    content, name = with_infinite_number(file.read_bytes())
    file.write_bytes(content)
    for command, _ in use.commands:
        if use.program != "compare":  # whose curves are all that it shows
            shop.refuses(use.program, f"{command} --model {model}", 1,
                         f"{model}: the model's {name} is not finite; train it anew with a lower --lr", model=model)


def refuses_data(shop, number, spoilt):
    data = f"data_{number}"
    shutil.copytree(shop.folder / "data", shop.folder / data, copy_function=os.link)
    path = shop.folder / data / spoilt.file
    whole = path.read_bytes() if path.exists() else b""
    for content, message in spoilt.said:
        path.unlink(missing_ok=True)  # rather than write into the other copies
        path.write_bytes(whole[:len(whole) // 2] if content is CUT else content)
        said = message.replace("DATA", data) if message[0] not in ":," else f"{data}/{spoilt.file}{message}"
        shop.refuses(spoilt.program, f"train --epochs 1 {spoilt.options}--data DATA --model {data}_model", 1, said, data=data)
        shop.check(not (shop.folder / f"{data}_model").exists(), f"{spoilt.program}, {said}: a model's directory was made")


def refuses_missing_data(shop, program):
    option, file = FIRST_READ[program]
    shop.refuses(program, f"train --data nothere {option}", 1, f"nothere/{file}: No such file or directory")


def goes_on_to_the_same_bits(shop):
    """Ctrl-C, and then the command that it says, in a shell."""
    (shop.folder / "the data").symlink_to("data")
    options = shlex.split(f"train {SMALL.replace('--epochs 1', '--epochs 400 --patience 390')}--dropout 0.2 --data 'the data' --save-every 3")
    command = [PROGRAMS / "names", *options, "--threads=1"]
    whole = subprocess.run([*command, "--model=whole"], cwd=shop.folder, capture_output=True, text=True, timeout=120)
    shop.check(whole.returncode == 0, "names, whole", whole)
    process = subprocess.Popen([*command, "--model=it's parts"], cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None and not (shop.folder / "it's parts" / "best.safetensors").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    said = re.search(r"^stopped after step \d+; to go on: (.*)\n\Z", out, re.M)
    shop.check(process.returncode == 130 and said, f"Ctrl-C: {process.returncode}\n{out}")
    if not said:
        return
    expected = [str(PROGRAMS / "names"), "train", "--resume", "--model", "it's parts", "--data", "the data", "--save-every", "3", "--threads=1"]
    shop.check(shlex.split(said[1]) == expected, f"to go on: {said[1]}")
    again = subprocess.run(said[1], shell=True, cwd=shop.folder, capture_output=True, text=True, timeout=120)
    shop.check(again.returncode == 0 and re.match("going on after step", again.stdout), said[1], again)
    ends = [(shop.folder / model / "last.safetensors").read_bytes() for model in ["whole", "it's parts"]]
    shop.check(ends[0] == ends[1], "names: a training that was interrupted ends with other bits")
    last = (shop.folder / "it's parts" / "last.safetensors").read_bytes()
    for where, validated, said in [
            ("early", 0, "its training was stopped before the first validation; go on with train --resume"),
            ("nan", 3, "no validation gave a finite number; train another --model with a lower --lr")]:
        small_data.put(shop.folder, f"{where}/last.safetensors", with_counts(last, validated_step=validated, best_step=0))
        shop.refuses("names", f"eval --model {where}", 1, f"{where}: {said}")
    small_data.put(shop.folder, "lost/last.safetensors", last)
    shop.refuses("names", "eval --model lost", 1, "lost/best.safetensors: No such file or directory")


def tells_of_data_and_quotes(shop):
    """A model that learnt without --data; and sentences whose quotes were forgotten."""
    shop.check(shop.run("names", f"train {SMALL} --model alone").returncode == 0, "names, without data")
    for command in ["eval", "train --resume"]:
        shop.refuses("names", f"{command} --data DATA --model alone", 2, "alone was trained without --data; leave it out")
    for program, command, hint in [("sentiment", "classify so good", 'classify "so good"'), ("tagger", "tag the cell", 'tag "the cell"'),
                                   ("sentiment", "classify 'so good' fine", ""), ("names", "classify mona ann", "")]:
        model = program + ("_classify" if program == "names" else "")
        result = shop.run(program, f"{command} --model {model}")
        said = f"{program}: 2 texts of one word each; quote a sentence: {program} {hint}\n" if hint else ""
        shop.check(result.returncode == 0 and result.stderr == said, f"{program} {command}: quotes", result)


def mistakes(shop, program):
    refuses_options(shop, program)
    refuses_models(shop, program)
    for code, table in [(2, USAGE), (1, REFUSED)]:
        for command, message in table.get(program, []):
            shop.refuses(program, command, code, message.replace("FILE", "file").replace("MODEL", first_model(program)), model=first_model(program))


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored, for children too
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        shop = Shop(folder)
        sources = pathlib.Path(__file__).resolve().parents[2] / "examples"
        shop.check({file.parent.name for file in sources.glob("*/main.cpp")} == set(VERBS), "programs that are not tested here")
        stages = [[(works, use) for use in USES],
                  [(refuses_infinite_weights, use) for use in USES] + [(mistakes, program) for program in VERBS] +
                  [(goes_on_to_the_same_bits,), (tells_of_data_and_quotes,)] +
                  [(refuses_missing_data, program) for program in FIRST_READ] +
                  [(refuses_data, n, spoilt) for n, spoilt in enumerate(SPOILT)]]
        for stage in stages:
            for task in [pool.submit(f, shop, *args) for f, *args in stage]:
                task.result()
        for failure in shop.failures:
            print(f"FAILED: {failure}")
        print(f"{shop.checks} checks, {len(shop.failures)} failed")
    return 1 if shop.failures else 0


sys.exit(main())
