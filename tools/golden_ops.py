#!/usr/bin/env python3
"""Prints tests/golden/ops.json: values and gradients of ops as PyTorch computes them in double.

    tools/golden_ops.py > tests/golden/ops.json

Needs python3-torch (1.13 made the committed file). Each case has a name, which the test maps to a call of
ours, its inputs and its output; "grads" are those of the output's elements weighted by 1, 1.25 ... 2.5, 1 ...;
"second" those of the sum of the first gradients under the same weights. Both are absent where PyTorch's
are not asked for. Numbers that JSON does not have are strings: "nan", "inf", "-inf".
"""

import json
import math
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(1)
INF, NAN = math.inf, math.nan
# Kinks, tiny and huge numbers, both signs.
EVERYWHERE = [-1e4, -120.0, -40.0, -20.5, -6.25, -3.0, -2.5, -1.0, -0.5, -1e-9, 0.0,
              1e-9, 0.5, 1.0, 1.75, 2.5, 3.0, 6.25, 20.0, 20.5, 40.0, 120.0, 1e4]
POSITIVE = [1e-300, 1e-9, 0.25, 0.5, 1.0, 7.0, 1e4, 1e300]
cases = []


def numbers(values):
    return [v if math.isfinite(v) else repr(v) for v in values]


def array(t):
    return {"shape": list(t.shape), "data": numbers(t.detach().reshape(-1).tolist())}


def weighted(t):
    weights = 1 + 0.25 * (torch.arange(t.numel()) % 7).double()
    return (t * weights.reshape(t.shape)).sum()


def gradients(y, inputs, keep):  # the addition turns PyTorch's symbolic zeros into numbers
    found = torch.autograd.grad(y, inputs, create_graph=keep, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g + torch.zeros_like(x) for g, x in zip(found, inputs)]


def case(name, f, *inputs, order=2):
    xs = [torch.as_tensor(x, dtype=torch.float64).clone().requires_grad_(order > 0) for x in inputs]
    y = f(*xs)
    row = {"name": name, "inputs": [array(x) for x in xs], "output": array(y)}
    if order > 0:
        first = gradients(weighted(y), xs, order > 1)
        row["grads"] = [array(g) for g in first]
        if order > 1:
            total = sum(weighted(g) for g in first)
            second = gradients(total, xs, False) if total.requires_grad else [torch.zeros_like(x) for x in xs]
            row["second"] = [array(g) for g in second]
    cases.append(row)


def some(*shape):
    return (torch.randn(*shape, dtype=torch.float64) * 1000).round() / 1000


def without(*numbers):
    return [x for x in EVERYWHERE if x not in numbers]


def elementwise():
    for name in ["exp", "expm1", "square", "sin", "cos", "tanh", "erf", "sigmoid"]:
        case(name, getattr(torch, name), EVERYWHERE + [NAN])
    case("abs", torch.abs, EVERYWHERE)
    for name in ["sign", "floor"]:
        case(name, getattr(torch, name), EVERYWHERE, order=1)
    for name in ["log", "sqrt", "rsqrt"]:
        case(name, getattr(torch, name), POSITIVE)
        case(name, getattr(torch, name), [0.0, -1.0, INF, NAN], order=1)
    case("log1p", torch.log1p, POSITIVE + [-1e-9, -0.5, -1.0, -2.0])

    base = [0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0, -2.0, -2.0, 1.0, INF]
    power = [0.0, 0.5, 1.0, 2.0, -1.0, 0.0, 3.5, 2.0, 3.0, INF, 2.0]
    case("pow", torch.pow, base, power, order=1)
    case("pow", torch.pow, [0.5, 2.0, 3.0, 0.5], [0.5, 1.0, -1.5, 2.5])
    for p in [0, 0.5, 1, 2, 3, -1, -1.5, 2.5]:
        case(f"pow by {p}", lambda x: x ** p, [0.0, 0.5, 2.0, -2.0])

    case("maximum", torch.maximum, [1.0, 2.0, 3.0, NAN, 1.0, INF], [1.0, 3.0, 2.0, 1.0, NAN, INF])
    case("minimum", torch.minimum, [1.0, 2.0, 3.0, NAN, 1.0, INF], [1.0, 3.0, 2.0, 1.0, NAN, INF])
    case("clamp -1 2.5", lambda x: x.clamp(-1, 2.5), EVERYWHERE + [NAN])
    case("where", lambda c, a, b: torch.where(c != 0, a, b), [0.0, 1.0, -2.0], some(3), some(2, 3))


def activations():
    case("relu", F.relu, EVERYWHERE + [NAN])
    case("leaky_relu", F.leaky_relu, EVERYWHERE + [NAN])
    case("thresholded_relu 1", lambda x: F.threshold(x, 1, 0), EVERYWHERE)
    for name, f in [("elu", F.elu), ("elu 0.5", lambda x: F.elu(x, 0.5)), ("selu", F.selu)]:
        case(name, f, without(0.0))
        case(name, f, [0.0], order=1)  # a kink: there is no second derivative
    case("gelu", F.gelu, EVERYWHERE)
    case("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), EVERYWHERE)
    case("silu", F.silu, EVERYWHERE)
    case("softplus", F.softplus, without(20.0) + [NAN])
    case("softplus", F.softplus, [20.0], order=1)  # the threshold itself
    case("softplus 2 3", lambda x: F.softplus(x, 2, 3), EVERYWHERE)
    case("log_sigmoid", F.logsigmoid, EVERYWHERE)
    # F.hardsigmoid means the same, but its gradient has 1/6 rounded to float.
    hard_sigmoid = lambda x: F.relu6(x + 3) / 6
    case("hard_sigmoid", hard_sigmoid, without(-3.0, 3.0))
    case("hard_tanh", F.hardtanh, EVERYWHERE)
    case("softsign", F.softsign, EVERYWHERE)


def reductions():
    x = some(2, 3, 4)
    ties = [[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0], [-1.0, -2.0, -1.0, 0.0]]
    for name, axes in [("all", (0, 1, 2)), ("0", (0,)), ("1", (1,)), ("2", (2,)), ("0 2", (0, 2))]:
        case(f"sum {name}", lambda t: t.sum(axes), x)
        case(f"mean {name}", lambda t: t.mean(axes), x)
        case(f"logsumexp {name}", lambda t: t.logsumexp(axes), x)
        case(f"variance {name}", lambda t: t.var(axes), x)
        case(f"stddev {name}", lambda t: t.std(axes), x)
        for p in [1, 2, 3, 0.5, INF]:
            case(f"norm {p} {name}", lambda t: torch.linalg.vector_norm(t, p, axes), x)
    for name, axes in [("0", (0,)), ("1", (1,)), ("all", (0, 1))]:
        case(f"max {name}", lambda t: t.amax(axes), ties)
        case(f"min {name}", lambda t: t.amin(axes), ties)
        case(f"norm inf {name}", lambda t: torch.linalg.vector_norm(t, INF, axes), ties)
    # Zeros among the factors; zeros among the elements of a norm, and nothing but zeros.
    case("prod 1", lambda t: t.prod(1), [[2.0, -3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    case("prod 0", lambda t: t.prod(0), some(5, 2))
    for p in [1, 2, 3, 1.5]:
        case(f"norm {p} 1", lambda t: torch.linalg.vector_norm(t, p, 1), [[3.0, 0.0, -4.0], [0.0, 0.0, 0.0]],
             order=1)
    case("norm 2 all", torch.linalg.vector_norm, [0.0, 0.0], order=1)
    case("stddev 1", lambda t: t.std(1), [[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]], order=1)
    case("logsumexp 1", lambda t: t.logsumexp(1),
         [[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4], [-INF, 0.5, 1.0], [1e4, -INF, 9999.0]], order=1)
    case("logsumexp 1", lambda t: t.logsumexp(1), [[-INF, -INF], [INF, 1.0], [NAN, 1.0]], order=0)
    case("cumsum 1", lambda t: t.cumsum(1), x)
    case("cumsum 0 reverse", lambda t: t.flip(0).cumsum(0).flip(0), x)
    case("argmax 1", lambda t: t.argmax(1).double(), ties, order=0)
    case("argmax 0", lambda t: t.argmax(0).double(), [[1.0, NAN, 2.0], [3.0, 5.0, 2.0]], order=0)


def softmaxes():
    hard = [[1e4, 1e4, -1e4], [-1e4, -1e4, -9999.0], [-INF, 0.5, 1.0], [0.0, 0.0, 0.0]]
    for name, f in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax)]:
        case(f"{name} -1", lambda t: f(t, -1), hard, order=2 if name == "softmax" else 1)
        case(f"{name} 1", lambda t: f(t, 1), some(2, 3, 2))
        case(f"{name} 0", lambda t: f(t, 0), some(4))


def movement():
    case("permute 2 0 1", lambda t: t.permute(2, 0, 1), some(2, 3, 4))
    case("slice 1 1 3", lambda t: t[:, 1:3], some(2, 4))
    case("concat 1", lambda a, b: torch.cat([a, b], 1), some(2, 1), some(2, 3))
    case("stack 1", lambda a, b: torch.stack([a, b], 1), some(2, 2), some(2, 2))
    case("broadcast 3 2 4", lambda t: t.expand(3, 2, 4), some(2, 1))
    case("split and swap", lambda t: torch.cat(list(reversed(t.chunk(3, 0)))), some(6, 2))
    shapes = [((2, 3), (3, 4)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)),
              ((2, 2, 3), (2, 3, 2))]
    for a, b in shapes:
        case("matmul", torch.matmul, some(*a), some(*b))
    case("matmul tn", lambda a, b: a.transpose(-1, -2) @ b, some(3, 2), some(3, 4))
    case("matmul nt", lambda a, b: a @ b.transpose(-1, -2), some(2, 2, 3), some(4, 3))
    case("matmul tt", lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2), some(2, 3, 2), some(2, 4, 3))


for family in [elementwise, activations, reductions, softmaxes, movement]:
    family()
print("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]")
sys.stderr.write(f"{len(cases)} cases\n")
