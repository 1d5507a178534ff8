"""The tables of tools/compare and tools/regress as data: what runs, which figure is read, what it should be."""

import dataclasses

from .figures import Command, Figure, Row


@dataclasses.dataclass(frozen=True)
class Size:
    hidden: int
    layers: int
    batch: int
    seq: int
    repeats: int  # enough for a median; the largest steps take seconds


SIZES = {
    "small": Size(128, 2, 50, 50, 11),
    "medium": Size(256, 2, 64, 100, 7),
    "large": Size(512, 2, 64, 100, 5),
}
ONEDNN_CELL = {"lstm": "lstm", "gru": "lbrgru", "rnn": "rnn"}  # lbrgru has PyTorch's equations, as ours has


def threads_text(n):
    return "1 thread" if n == 1 else f"{n} threads"


# --- commands ---------------------------------------------------------------------------------------------


def rnn(size, threads, *more):
    args = {"hidden": size.hidden, "layers": size.layers, "batch": size.batch, "seq": size.seq, "threads": threads}
    args["repeat"] = size.repeats
    return Command("rnn", (*(f"--{k}={v}" for k, v in args.items()), *more, "--json"), threads)


def streaming(hidden, layers):
    args = ("--mode=stream", f"--hidden={hidden}", f"--layers={layers}", "--json")
    return Command("rnn", args, 1)


def dynamic(task, threads, *more):
    # SGD, as the peers' driver; the sentences shared out to as many tapes as there are threads.
    args = (f"--task={task}", f"--threads={threads}", f"--tapes={threads}", "--optim=sgd", *more, "--json")
    return Command("dynamic", args, threads)


def onednn(cell, size, threads):
    sizes = (65, size.hidden, size.layers, size.batch, size.seq, threads)
    return Command("onednn_rnn", (ONEDNN_CELL[cell], *map(str, sizes)), threads)


def torch(cell, name, threads, impl="module"):
    args = {"cell": cell, "config": name, "threads": threads, "impl": impl, "reps": SIZES[name].repeats}
    return Command("torch_rnn", (*(f"--{k}={v}" for k, v in args.items()), "--modes=train"), threads)


def torch_dynamic(task, threads, repeats):
    args = ("--task", task, "--threads", str(threads), "--reps", str(repeats))
    return Command("torch_tagger_tree", args, threads)


# --- the targets ------------------------------------------------------------------------------------------


def training_rows(sizes):
    targets = {("small", 2): 1.35, ("medium", 2): 1.3, ("large", 2): 1.15}
    targets |= {("small", 1): 1.35, ("medium", 1): 1.3, ("large", 1): 1.2}
    for name in sizes:
        for threads in (2, 1):
            work = f"LSTM training, {name}, {threads_text(threads)}"
            ours = Figure(rnn(SIZES[name], threads), "median_ms")
            fused = Figure(onednn("lstm", SIZES[name], threads), "model_train_step_ms")
            yield Row(work, work, "oneDNN", ours, fused, "speedup", targets[name, threads])
            module = Figure(torch("lstm", name, threads), "train_ms")
            yield Row(work, work, "PyTorch nn.LSTM", ours, module, "speedup", 2.4 if threads == 2 else 1.7)
            if (name, threads) == ("large", 2):
                memory = Figure(ours.command, "peak_mb")
                yield Row(work, "LSTM training, large: peak memory", "", memory, None, "figure", 400)


def other_cell_rows(sizes):
    for cell in ("gru", "rnn"):
        for name in sizes:
            work = f"{cell.upper()} training, {name}, 2 threads"
            ours = Figure(rnn(SIZES[name], 2, f"--cell={cell}"), "median_ms")
            fused = Figure(onednn(cell, SIZES[name], 2), "model_train_step_ms")
            yield Row(work, work, "oneDNN", ours, fused, "speedup", 1.25)


def own_cell_rows(sizes):
    for name in sizes:
        if name == "large":
            continue
        for threads in (2, 1):
            work = f"a user's own LSTM, {name}, {threads_text(threads)}"
            plain = Figure(rnn(SIZES[name], threads), "median_ms")
            own = Figure(rnn(SIZES[name], threads, "--cell=custom"), "median_ms")
            yield Row(work, work, "our LSTM", own, plain, "cost", 1.03)
            theirs = Figure(torch("lstm", name, threads, "custom"), "train_ms")
            yield Row(work, work, "PyTorch, own cell", own, theirs, "speedup", None)


def variant_rows(sizes):
    names = {"lnlstm": "layer norm", "zoneout": "zoneout", "peephole": "peepholes", "projection": "projection"}
    for name in sizes:
        if name == "large":
            continue
        plain = Figure(rnn(SIZES[name], 2), "gflops")
        for cell, text in names.items():
            variant = Figure(rnn(SIZES[name], 2, f"--cell={cell}"), "gflops")
            work = f"LSTM with {text}, {name}, 2 threads"
            yield Row(f"variants, {name}", work, "our LSTM, for the same FLOPs", variant, plain, "cost", 1.25)


def second_thread_rows(sizes):
    for name in sizes:
        one, two = (Figure(rnn(SIZES[name], threads), "median_ms") for threads in (1, 2))
        yield Row(f"second thread, {name}", f"LSTM training, {name}, 2 threads", "1 thread", two, one, "speedup", 1.8)


def streaming_rows():
    floor = Command("lstm_floor", (), 1)
    for layers in (1, 2):
        for hidden in (64, 128, 256, 512):
            ours = Figure(streaming(hidden, layers), "step_us")
            best = Figure(floor, f"L{layers}_H{hidden}_us")
            work = f"streaming, H{hidden} x {layers}"
            yield Row("streaming", work, "lstm_floor (plain loops)", ours, best, "cost", 1.3)
    for layers, hidden in ((1, 64), (2, 128), (2, 256)):
        ours = Figure(streaming(hidden, layers), "step_us")
        theirs = Figure(Command("libtorch_micro", ("1",), 1), f"stream emb+nn::LSTM+dec H={hidden} L={layers}_us")
        yield Row("libtorch", f"streaming, H{hidden} x {layers}", "libtorch", ours, theirs, "speedup", None)


def dynamic_rows(repeats):
    dynet = Figure(Command("dynet"), "words_per_second")
    for task in ("tagger", "tree"):
        for threads in (1, 2):
            work = f"{task}, {threads_text(threads)}"
            ours = Figure(dynamic(task, threads, f"--repeat={repeats}"), "words_per_second")
            peer = torch_dynamic(task, threads, repeats)
            if threads == 1:
                yield Row(work, work, "DyNet", ours, dynet, "speedup", 2)
            if task == "tagger":
                packed = Figure(peer, "tagger_train_packed_words_per_second")
                yield Row(work, work, "PyTorch packed", ours, packed, "speedup", 3)
            else:
                by_hand = Figure(peer, "tree_train_level_batched_words_per_second")
                target = 1.5 if threads == 2 else None
                yield Row(work, work, "PyTorch, batched by hand", ours, by_hand, "speedup", target)


def tape_rows():
    micro = Command("micro", ("--json",), 1)
    for work, name, target in (
        ("recording an op", "chain_record_ns", 60),
        ("recording an op of an LSTM", "lstm_record_ns", None),
        ("planning a node of an unseen tape", "lstm_plan_ns", 400),
        ("running a node of a known plan, kernels included", "lstm_run_ns", 20),
        ("running a known plan: allocations", "run_allocations", 0),
        ("a training step on a new batch: allocations", "step_allocations", 0),
    ):
        yield Row("tape", work, "", Figure(micro, name), None, "figure", target)
    libtorch = Figure(Command("libtorch_micro", ("1",), 1), "add 1-elem fwd chain(1000), requires_grad_ns")
    ours = Figure(micro, "chain_step_ns")
    yield Row("libtorch", "an op recorded and run", "libtorch", ours, libtorch, "speedup", None)


def budget_rows():
    plain = Figure(rnn(SIZES["large"], 2), "median_ms")
    bounded = rnn(SIZES["large"], 2, "--budget=54000000")  # for values and gradients; the process has weights and moments, too
    work = "LSTM training, large, within 100 MB"
    yield Row("budget", f"{work}: peak memory", "", Figure(bounded, "peak_mb"), None, "figure", 100)
    yield Row("budget", work, "without a budget", Figure(bounded, "median_ms"), plain, "cost", 1.4)


def length_rows(longest):
    def steps(T, *more):
        return rnn(Size(128, 1, 1, T, 5 if T < 100000 else 2), 1, *more)

    def text(T):
        return f"{T:,} steps"

    base = Figure(steps(100), "per_step_us")
    for T in (10, 1000, 10000, 100000):
        if T <= longest:
            ours = Figure(steps(T), "per_step_us")
            yield Row("length", f"time of a step, {text(T)}", text(100), ours, base, "cost", 1.1)
    if longest >= 100000:
        # Ten times the steps, and no more than the root of ten times the memory.
        more, less = steps(100000, "--segment=316"), steps(10000, "--segment=100")
        work = "in segments"
        memory = [Figure(command, "peak_mb") for command in (more, less)]
        yield Row(work, f"memory {work}, {text(100000)}", text(10000), *memory, "cost", 3.2)
        time = [Figure(command, "per_step_us") for command in (more, less)]
        yield Row(work, f"time of a step {work}, {text(100000)}", text(10000), *time, "cost", 1.1)


def comparison(quick):
    """All rows of tools/compare."""
    sizes = ["small"] if quick else list(SIZES)
    rows = [
        *training_rows(sizes),
        *other_cell_rows(sizes),
        *own_cell_rows(sizes),
        *variant_rows(sizes),
        *second_thread_rows(sizes),
        *streaming_rows(),
        *dynamic_rows(3 if quick else 11),
        *tape_rows(),
        *([] if quick else budget_rows()),
        *length_rows(10000 if quick else 100000),
    ]
    return rows


# --- regressions ------------------------------------------------------------------------------------------


def settings():
    """What tools/regress measures of each build: a name and a figure."""
    small, tiny = SIZES["small"], Size(64, 1, 8, 50, 21)
    return {
        "lstm train, 1 thread": Figure(rnn(small, 1), "median_ms"),
        "lstm train, 2 threads": Figure(rnn(small, 2), "median_ms"),
        "lstm train, tiny": Figure(rnn(tiny, 1), "median_ms"),
        "lstm train, medium, 2 threads": Figure(rnn(SIZES["medium"], 2), "median_ms"),
        "lstm forward": Figure(rnn(small, 1, "--mode=forward"), "median_ms"),
        "gru train": Figure(rnn(small, 1, "--cell=gru"), "median_ms"),
        "custom cell train": Figure(rnn(small, 1, "--cell=custom"), "median_ms"),
        "layer norm train": Figure(rnn(small, 1, "--cell=lnlstm"), "median_ms"),
        "streaming": Figure(streaming(128, 2), "step_us"),
        "tagger": Figure(dynamic("tagger", 1, "--repeat=5"), "words_per_second"),
        "tree": Figure(dynamic("tree", 1, "--repeat=5"), "words_per_second"),
        "recording": Figure(Command("micro", ("--json",)), "lstm_record_ns"),
        "running small ops": Figure(Command("micro", ("--json",)), "lstm_run_ns"),
    }
