#!/usr/bin/env python3
"""Prints tests/golden/layers.json: the variants of recurrent layers that PyTorch itself does not have.

    tools/golden_layers.py > tests/golden/layers.json

Needs python3-torch (1.13 made the committed file). Each step is written out here from the papers' equations, in
double, gate by gate, and differentiated by PyTorch. A case has its parameters (named as Spool names them), x
[T,B,D], the initial state of each cell, outputs ys and finals, and "grads" of everything that went in: of the sum
of all outputs' elements, each weighted by 1, 1.25 ... 2.5, 1 ... in its array.
"""

import json

import torch
import torch.nn.functional as F

T, B, D, H = 3, 2, 2, 3
torch.manual_seed(7)
SIGMOID, TANH = torch.sigmoid, torch.tanh


def weighted(t):
    weights = 1 + 0.25 * (torch.arange(t.numel()) % 7).double()
    return (t * weights.reshape(t.shape)).sum()


def array(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def leaf(*shape):
    return (torch.randn(shape).double() * 1000).round().div(1000).requires_grad_()


def norm(p, name, v):
    """Ba, Kiros and Hinton 2016; v itself where there are no such parameters."""
    if name + "_weight" not in p:
        return v
    mean = v.mean(-1, keepdim=True)
    variance = ((v - mean) ** 2).mean(-1, keepdim=True)
    return (v - mean) / torch.sqrt(variance + 1e-5) * p[name + "_weight"] + p[name + "_bias"]


def rnn_step(p, o, x, s):
    sums = x @ p["weight_ih"].T + p["bias_ih"] + s["h"] @ p["weight_hh"].T + p["bias_hh"]
    return {"h": TANH(norm(p, "norm", sums))}


def lstm_step(p, o, x, s):
    gate = o.get("gate", SIGMOID)
    from_x = norm(p, "norm_ih", x @ p["weight_ih"].T)
    from_h = norm(p, "norm_hh", s["h"] @ p["weight_hh"].T)
    rows = (from_x + from_h + p["bias_ih"] + p["bias_hh"]).split(H, -1)
    names = ["i", "g", "o"] if o.get("coupled") else ["i", "f", "g", "o"]
    a = dict(zip(names, rows))
    peep = lambda name, c: p["weight_c" + name] * c if "weight_c" + name in p else 0
    i = gate(a["i"] + peep("i", s["c"]))
    f = 1 - i if o.get("coupled") else gate(a["f"] + peep("f", s["c"]))
    c = f * s["c"] + i * TANH(a["g"])
    if "clip" in o:
        c = c.clamp(-o["clip"], o["clip"])
    h = gate(a["o"] + peep("o", c)) * TANH(norm(p, "norm_c", c))
    if "weight_hr" in p:
        h = h @ p["weight_hr"].T
    return {"h": h, "c": c}


def gru_step(p, o, x, s):
    wx, h = x @ p["weight_ih"].T, s["h"]
    u_rz, u_n = p["weight_hh"][: 2 * H], p["weight_hh"][2 * H :]
    b, d = p["bias_ih"], p["bias_hh"]
    rz = norm(p, "norm_ih", wx[:, : 2 * H]) + norm(p, "norm_hh", h @ u_rz.T) + b[: 2 * H] + d[: 2 * H]
    r, z = SIGMOID(rz).split(H, -1)
    from_x = norm(p, "norm_in", wx[:, 2 * H :]) + b[2 * H :]
    if o.get("reset_before"):
        from_h = norm(p, "norm_hn", (r * h) @ u_n.T) + d[2 * H :]
    else:
        from_h = r * (norm(p, "norm_hn", h @ u_n.T) + d[2 * H :])
    return {"h": (1 - z) * TANH(from_x + from_h) + z * h}


def parameters(kind, o, suffix, size):
    gates = {"rnn": 1, "lstm": 3 if o.get("coupled") else 4, "gru": 3}[kind]
    shapes = {"weight_ih": [gates * H, size], "weight_hh": [gates * H, o.get("proj", H)]}
    shapes |= {"bias_ih": [gates * H], "bias_hh": [gates * H]}
    if "proj" in o:
        shapes["weight_hr"] = [o["proj"], H]
    if o.get("peepholes"):
        shapes |= {"weight_c" + n: [H] for n in ("io" if o.get("coupled") else "ifo")}
    if o.get("norm"):
        norms = {
            "rnn": {"norm": H},
            "lstm": {"norm_ih": gates * H, "norm_hh": gates * H, "norm_c": H},
            "gru": {"norm_ih": 2 * H, "norm_hh": 2 * H, "norm_in": H, "norm_hn": H},
        }[kind]
        shapes |= {n + end: [s] for n, s in norms.items() for end in ("_weight", "_bias")}
    return {n + suffix: leaf(*s) for n, s in shapes.items()}


def run_cell(kind, o, params, suffix, xs, state, backwards):
    p = {n[: -len(suffix)]: v for n, v in params.items() if n.endswith(suffix)}
    step = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}[kind]
    ys = [None] * T
    for t in reversed(range(T)) if backwards else range(T):
        new = step(p, o, xs[t], state)
        for part, rate in o.get("zoneout", {}).items():  # in evaluation: the mean
            new[part] = rate * state[part] + (1 - rate) * new[part]
        state, ys[t] = new, new["h"]
    return torch.stack(ys), state


def case(kind, size=D, layers=1, directions=1, **o):
    width = o.get("proj", H)
    ends = [f"_l{l}{e}" for l in range(layers) for e in ["", "_reverse"][:directions]]
    params = {}
    for k, end in enumerate(ends):
        params |= parameters(kind, o, end, size if k < directions else width * directions)
    x = leaf(T, B, size)
    parts = {"h": width, "c": H} if kind == "lstm" else {"h": width}
    states = [{n: leaf(B, s) for n, s in parts.items()} for _ in ends]

    ys, finals = x, []
    for l in range(layers):
        outs = []
        for d in range(directions):
            k = l * directions + d
            y, last = run_cell(kind, o, params, ends[k], ys, states[k], d == 1)
            outs.append(y)
            finals.append(last)
        out = torch.cat(outs, -1)
        ys = out + ys if o.get("residual") and out.shape == ys.shape else out

    flat = lambda all: {f"{n}{end}": s[n] for end, s in zip(ends, all) for n in parts}
    loss = weighted(ys) + sum(weighted(v) for v in flat(finals).values())
    leaves = {"x": x, **flat(states), **params}
    grads = torch.autograd.grad(loss, list(leaves.values()))
    arrays = lambda d: {n: array(v) for n, v in d.items()}
    return {
        "inputs": arrays({"x": x, **flat(states)}),
        "params": arrays(params),
        "ys": array(ys),
        "finals": arrays(flat(finals)),
        "grads": arrays(dict(zip(leaves, grads))),
    }


hard_sigmoid = lambda v: (0.2 * v + 0.5).clamp(0, 1)
cases = {
    "rnn layer_norm": case("rnn", norm=True),
    "lstm peepholes": case("lstm", peepholes=True),
    "lstm coupled": case("lstm", coupled=True),
    "lstm coupled peepholes": case("lstm", coupled=True, peepholes=True),
    "lstm cell_clip": case("lstm", clip=0.4),
    "lstm layer_norm": case("lstm", norm=True),
    "lstm hard_sigmoid": case("lstm", gate=hard_sigmoid),
    "lstm all": case("lstm", layers=2, directions=2, peepholes=True, proj=2, norm=True, clip=0.9),
    "lstm zoneout": case("lstm", zoneout={"h": 0.05, "c": 0.5}),
    "lstm residual": case("lstm", size=H, layers=2, residual=True),
    "gru reset_before": case("gru", reset_before=True),
    "gru layer_norm": case("gru", norm=True),
    "gru reset_before layer_norm": case("gru", norm=True, reset_before=True),
    "gru zoneout": case("gru", zoneout={"h": 0.3}),
    "gru residual bidirectional": case("gru", size=2 * H, layers=2, directions=2, residual=True),
}
print(json.dumps(cases, separators=(",", ":")).replace('},"', '},\n"'))
