#!/usr/bin/env python3
"""Prints tests/golden/conv.json: encoders of pictures made of PyTorch's own layers, with gradients.

    tools/golden_conv.py > tests/golden/conv.json

Needs python3-torch (1.13 made the committed file). A block is Conv2d, GroupNorm (or nothing), ReLU and MaxPool2d, in
double. "grads" are those of the sum of all outputs' elements, each weighted by 1, 1.25 ... 2.5, 1 ... in its array.
"""

import json

import torch

torch.manual_seed(13)


def array(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def leaf(*shape):
    return (torch.randn(shape).double() * 1000).round().div(1000).requires_grad_()


class Block(torch.nn.Conv2d):
    def __init__(self, channels, out, groups):
        super().__init__(channels, out, 3, padding=1)
        self.norm = torch.nn.GroupNorm(groups, out) if groups > 0 else torch.nn.Identity()
        self.rest = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.MaxPool2d(2))

    def forward(self, x):
        return self.rest(self.norm(super().forward(x)))


def case(channels, groups):
    sizes = [2] + channels
    encoder = torch.nn.Sequential(*[Block(a, b, groups) for a, b in zip(sizes, channels)]).double()
    for p in encoder.parameters():
        p.data = leaf(*p.shape).data
    params = dict(encoder.named_parameters())
    leaves = {"x": leaf(2, 2, 6, 5)} | params
    grid = encoder(leaves["x"])
    weights = (1 + 0.25 * (torch.arange(grid.numel()) % 7).double()).reshape(grid.shape)
    grads = torch.autograd.grad((grid * weights).sum(), list(leaves.values()))
    return {
        "inputs": {"x": array(leaves["x"])},
        "params": {n: array(v) for n, v in params.items()},
        "outputs": {"grid": array(grid)},
        "grads": {n: array(g) for n, g in zip(leaves, grads)},
    }


cases = {"one group": case([3, 2], 1), "two groups": case([4, 4], 2), "not normalised": case([3, 2], 0)}
print("{")
print(",\n".join(f'"{name}": {json.dumps(c)}' for name, c in cases.items()))
print("}")
