#!/usr/bin/python3
"""Trains the model of examples/char_lm in PyTorch, from the same initial weights and over the same batches.

    build/examples/char_lm train --text FILE --cell lstm --steps 0 --model DIR   # writes initial weights
    tools/torch_char_lm.py --weights DIR/last.safetensors --text FILE --cell lstm --epochs 10

Needs Debian's python3-torch. Prints a JSON line for each epoch: validation loss in nats per character, as
`char_lm train` does. It exists so that the two can be compared; Spool itself never runs it.
"""
import argparse
import gzip
import json
import struct
import sys
import time

import torch

CELLS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def read_safetensors(path):
    """Name -> float tensor, for the F32 and F64 tensors of a safetensors file."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    dtypes = {"F32": torch.float32, "F64": torch.float64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in dtypes:
            begin, end = entry["data_offsets"]
            if begin < end:
                flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtypes[entry["dtype"]])
                tensors[name] = flat.reshape(entry["shape"])
    return tensors


class CharLm(torch.nn.Module):
    def __init__(self, vocabulary, args):
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = torch.nn.Embedding(vocabulary, args.embed) if args.embed else None
        self.recurrent = CELLS[args.cell](args.embed or vocabulary, args.hidden, args.layers)
        self.head = torch.nn.Linear(args.hidden, vocabulary)

    def forward(self, tokens, state):
        if self.embedding:
            x = self.embedding(tokens)
        else:
            x = torch.nn.functional.one_hot(tokens, self.vocabulary).float()
        y, state = self.recurrent(x, state)
        return self.head(y), state


def streams(data, batch):
    """[steps, batch] inputs and targets: `batch` contiguous stretches of the text side by side."""
    steps = (len(data) - 1) // batch
    cut = lambda first: data[first:first + steps * batch].view(batch, steps).t().contiguous()
    return cut(0), cut(1)


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def evaluate(model, data, seq, batch=10):
    inputs, targets = streams(data, batch)
    state, total, count = None, 0.0, 0
    with torch.no_grad():
        for t in range(0, len(inputs) - seq + 1, seq):
            logits, state = model(inputs[t:t + seq], state)
            flat = targets[t:t + seq].reshape(-1)
            total += torch.nn.functional.cross_entropy(logits.reshape(len(flat), -1), flat, reduction="sum").item()
            count += len(flat)
    return total / count


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weights", required=True, help="safetensors file with the initial weights")
    p.add_argument("--text", required=True, help="UTF-8 text, or .gz")
    p.add_argument("--cell", choices=CELLS, default="lstm")
    for name, default in [("layers", 2), ("hidden", 128), ("embed", 0), ("seq", 50), ("batch", 50), ("epochs", 10),
                          ("threads", 2)]:
        p.add_argument("--" + name, type=int, default=default)
    p.add_argument("--optim", choices=["adam", "rmsprop"], default="adam")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--clip", type=float, default=5.0, help="bound on the global norm of the gradient")
    args = p.parse_args()

    torch.set_num_threads(args.threads)
    opened = gzip.open(args.text, "rt", encoding="utf-8", newline="") if args.text.endswith(".gz") else \
        open(args.text, encoding="utf-8", newline="")
    text = opened.read()
    symbols = sorted(set(text))
    index = {c: i for i, c in enumerate(symbols)}
    data = torch.tensor([index[c] for c in text])
    a, b = int(0.9 * len(data)), int(0.95 * len(data))
    train, validation, test = data[:a], data[a:b], data[b:]

    model = CharLm(len(symbols), args)
    initial = read_safetensors(args.weights)
    model.load_state_dict({name: initial["model." + name] for name in model.state_dict()})
    make = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[args.optim]
    optimiser = make(model.parameters(), lr=args.lr)

    inputs, targets = streams(train, args.batch)
    start = time.time()
    for epoch in range(1, args.epochs + 1):
        state = None
        for t in range(0, len(inputs) - args.seq + 1, args.seq):
            logits, state = model(inputs[t:t + args.seq], state)
            state = detached(state)
            flat = targets[t:t + args.seq].reshape(-1)
            loss = torch.nn.functional.cross_entropy(logits.reshape(len(flat), -1), flat)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            optimiser.step()
        print(json.dumps({"epoch": epoch, "validation": round(evaluate(model, validation, args.seq), 4),
                          "train": round(loss.item(), 4), "seconds": round(time.time() - start)}), flush=True)
    print(json.dumps({"test": round(evaluate(model, test, args.seq), 4)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
