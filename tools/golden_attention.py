#!/usr/bin/env python3
"""Prints tests/golden/attention.json: attention and the two decoder cells around it, with gradients.

    tools/golden_attention.py > tests/golden/attention.json

Needs python3-torch (1.13 made the committed file). Scores, contexts and cells are written out here from the
papers' equations (Bahdanau et al. 2015; Luong et al. 2015) for one sequence at a time, in double, each sequence
cut to its own length, so that no mask is needed; recurrent cells are torch.nn.GRUCell and torch.nn.LSTMCell.
"grads" are those of the sum of all outputs' elements, each weighted by 1, 1.25 ... 2.5, 1 ... in its array.
"""

import json

import torch

T, B, S, Q, E, K, X, A = 3, 3, 4, 3, 2, 5, 2, 4
LENGTHS = [4, 1, 3]
torch.manual_seed(11)


def weighted(t):
    weights = 1 + 0.25 * (torch.arange(t.numel()) % 7).double()
    return (t * weights.reshape(t.shape)).sum()


def array(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def leaf(*shape):
    return (torch.randn(shape).double() * 1000).round().div(1000).requires_grad_()


def parameters(score, query, memory):
    if score == "additive":
        return {
            "query.weight": leaf(K, query),
            "memory.weight": leaf(K, memory),
            "score.weight": leaf(1, K),
        }
    return {"memory.weight": leaf(query, memory)} if score == "general" else {}


def attend(score, p, q, m, scale=1):
    """One query [Q] and one memory [S,E] -> context [E], weights [S]."""
    if score == "additive":
        e = torch.stack([p["score.weight"][0] @ torch.tanh(p["query.weight"] @ q + p["memory.weight"] @ h) for h in m])
    elif score == "general":
        e = torch.stack([q @ (p["memory.weight"] @ h) for h in m])
    else:
        e = torch.stack([q @ h for h in m])
    weights = torch.softmax(e * scale, 0)
    return weights @ m, weights


def padded(weights):
    return torch.cat([weights, torch.zeros(S - len(weights)).double()])


def case(score, memory=E, lengths=LENGTHS, scale=1):
    p = parameters(score, Q, memory)
    leaves = {"query": leaf(T, B, Q), "memory": leaf(S, B, memory)} | p
    found = [
        [attend(score, p, leaves["query"][t, b], leaves["memory"][: lengths[b], b], scale) for b in range(B)]
        for t in range(T)
    ]
    context = torch.stack([torch.stack([c for c, _ in row]) for row in found])
    weights = torch.stack([torch.stack([padded(w) for _, w in row]) for row in found])
    return finish(leaves, p, {"context": context, "weights": weights}) | {"lengths": lengths}


def finish(leaves, p, outputs):
    grads = torch.autograd.grad(sum(weighted(v) for v in outputs.values()), list(leaves.values()))
    arrays = lambda d: {n: array(v) for n, v in d.items()}
    return {
        "inputs": arrays({n: v for n, v in leaves.items() if n not in p}),
        "params": arrays(p),
        "outputs": arrays(outputs),
        "grads": arrays(dict(zip(leaves, grads))),
    }


def cell_case(kind):
    """bahdanau: a GRU with additive attention; luong: an LSTM with general attention and input feeding."""
    luong = kind == "luong"
    cell = (torch.nn.LSTMCell(X + A, Q) if luong else torch.nn.GRUCell(X + E, Q)).double()
    for w in cell.parameters():
        w.data = leaf(*w.shape).data
    score = "general" if luong else "additive"
    p = {"attention." + n: v for n, v in parameters(score, Q, E).items()}
    p |= {n: v for n, v in cell.named_parameters()}
    if luong:
        p |= {"combine.weight": leaf(A, E + Q), "combine.bias": leaf(A)}
    leaves = {"xs": leaf(T, B, X), "memory": leaf(S, B, E), "h": leaf(B, Q)}
    if luong:
        leaves |= {"c": leaf(B, Q), "fed": leaf(B, A)}
    leaves |= p
    attention = {n[len("attention.") :]: v for n, v in p.items() if n.startswith("attention.")}
    looks = lambda h: torch.stack(
        [attend(score, attention, h[b], leaves["memory"][: LENGTHS[b], b])[0] for b in range(B)]
    )
    ys, h, c, fed = [], leaves["h"], leaves.get("c"), leaves.get("fed")
    for x in leaves["xs"]:
        if luong:
            h, c = cell(torch.cat([x, fed], 1), (h, c))
            fed = torch.tanh(torch.cat([looks(h), h], 1) @ p["combine.weight"].T + p["combine.bias"])
            ys.append(fed)
        else:
            context = looks(h)
            h = cell(torch.cat([x, context], 1), h)
            ys.append(torch.cat([h, context], 1))
    outputs = {"ys": torch.stack(ys), "h": h} | ({"c": c} if luong else {})
    return finish(leaves, p, outputs) | {"lengths": LENGTHS}


cases = {
    "additive": case("additive"),
    "additive whole": case("additive", lengths=[S] * B),
    "general": case("general"),
    "dot": case("dot", memory=Q),
    "scaled dot": case("dot", memory=Q, scale=0.5),
    "bahdanau": cell_case("bahdanau"),
    "luong": cell_case("luong"),
}
print("{")
print(",\n".join(f'"{name}": {json.dumps(c)}' for name, c in cases.items()))
print("}")
