#!/usr/bin/env python3
"""Writes tests/golden/schedules.json: rates that PyTorch's schedulers give, step by step, for comparison.

    /usr/bin/python3 tools/golden_schedules.py > tests/golden/schedules.json

Each row has the learning rate of two groups (base rates 0.5 and 0.02) and, for one-cycle, the momentum of
the first. Written with PyTorch 1.13.
"""

import json
import warnings

import torch
from torch.optim import lr_scheduler as sched

warnings.simplefilter("ignore")
STEPS = 30
METRICS = [3, 2, 2.5, 1.9999, 1.99985, 1.5, 1.6, 1.7, 1.8, 1.9, 1.2, 1.3, 1.4, 1.5, 1.6, 1.2, 1.1, 1.1, 1.1,
           1.2, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3]


def optimizer(kind=torch.optim.SGD, **options):
    a, b = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    return kind([{"params": [a], "lr": 0.5}, {"params": [b], "lr": 0.02}], **options)


def rates(opt):
    return [group["lr"] for group in opt.param_groups]


def momentum(opt):
    group = opt.param_groups[0]
    return group["betas"][0] if "betas" in group else group["momentum"]


def run(make, steps=STEPS):
    opt = optimizer(lr=1)
    schedule = make(opt)
    rows = [rates(opt)]
    for _ in range(steps):
        opt.step()
        schedule.step()
        rows.append(rates(opt))
    return rows


def run_one_cycle(opt, steps, **options):
    schedule = sched.OneCycleLR(opt, [2.0, 0.1], total_steps=steps, **options)
    rows = [rates(opt) + [momentum(opt)]]
    for _ in range(steps - 1):
        opt.step()
        schedule.step()
        rows.append(rates(opt) + [momentum(opt)])
    return rows


def run_plateau(**options):
    opt = optimizer(lr=1)
    schedule = sched.ReduceLROnPlateau(opt, **options)
    rows = []
    for metric in METRICS:
        opt.step()
        schedule.step(metric)
        rows.append(rates(opt))
    return rows


def warm_up(opt, make):
    first = sched.LinearLR(opt, start_factor=0.1, total_iters=5)
    return sched.SequentialLR(opt, [first, make(opt)], milestones=[5])


adam, sgd = torch.optim.Adam, torch.optim.SGD
tables = {
    "torch": torch.__version__,
    "metrics": METRICS,
    "step": run(lambda o: sched.StepLR(o, 7, gamma=0.3)),
    "multi_step": run(lambda o: sched.MultiStepLR(o, [3, 8, 8, 20], gamma=0.5)),
    "exponential": run(lambda o: sched.ExponentialLR(o, 0.9)),
    "cosine": run(lambda o: sched.CosineAnnealingLR(o, 30, eta_min=0.001)),
    "cosine_past_end": run(lambda o: sched.CosineAnnealingLR(o, 12)),
    "restarts": run(lambda o: sched.CosineAnnealingWarmRestarts(o, 4, T_mult=2, eta_min=0.001)),
    "restarts_equal": run(lambda o: sched.CosineAnnealingWarmRestarts(o, 7)),
    "linear": run(lambda o: sched.LinearLR(o, start_factor=0.25, end_factor=0.75, total_iters=10)),
    "warm_up_cosine": run(lambda o: warm_up(o, lambda o: sched.CosineAnnealingLR(o, 25, eta_min=0.001))),
    "warm_up_step": run(lambda o: warm_up(o, lambda o: sched.StepLR(o, 6, gamma=0.5))),
    "one_cycle": run_one_cycle(optimizer(adam), 30),
    "one_cycle_linear": run_one_cycle(optimizer(sgd, lr=1, momentum=0.9), 25, anneal_strategy="linear",
                                      pct_start=0.4, base_momentum=0.8, max_momentum=0.9, div_factor=10.0,
                                      final_div_factor=100.0),
    "one_cycle_three_phases": run_one_cycle(optimizer(adam), 30, three_phase=True, pct_start=0.35),
    "plateau": run_plateau(factor=0.5, patience=2),
    "plateau_cooldown": run_plateau(factor=0.1, patience=1, cooldown=3, threshold=0.1, min_lr=1e-3),
    "plateau_max_abs": run_plateau(mode="max", factor=0.2, patience=3, threshold=0.3, threshold_mode="abs"),
}
print("{" + ",\n ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in tables.items()) + "}")
