#!/usr/bin/env python3
"""Writes tests/golden/log_mel.json: spectrograms by torch.stft and mel filters by NumPy, for comparison.

    /usr/bin/python3 tools/golden_log_mel.py > tests/golden/log_mel.json

The filters follow the definitions that librosa 0.10 and torchaudio 0.13 document, all in float64. Written with
PyTorch 1.13 and NumPy 1.24.
"""

import json

import numpy as np
import torch

WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window,
           "rectangular": lambda n, **options: torch.ones(n, **options)}
PADS = {"reflect": "reflect", "zeros": "constant"}
DEFAULT = dict(sample_rate=8000, n_fft=128, win_length=100, hop_length=40, n_mels=10, f_min=0.0, f_max=0.0,
               window="hann", mel_scale="slaney", area_norm=True, pad="reflect")
CASES = [
    {},
    {"mel_scale": "htk", "area_norm": False},
    {"mel_scale": "htk", "window": "hamming", "pad": "zeros"},
    {"area_norm": False, "window": "blackman", "pad": "none", "f_min": 60.0, "f_max": 3800.0},
    {"window": "rectangular", "n_fft": 90, "win_length": 81, "hop_length": 17, "n_mels": 6},
]


def to_mel(hz, scale):
    hz = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    return np.where(hz < 1000, hz / (200 / 3), 15 + np.log(np.maximum(hz, 1) / 1000) * 27 / np.log(6.4))


def to_hz(mel, scale):
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def filters(c):
    top = c["f_max"] or c["sample_rate"] / 2
    mels = np.linspace(to_mel(c["f_min"], c["mel_scale"]), to_mel(top, c["mel_scale"]), c["n_mels"] + 2)
    edges = to_hz(mels, c["mel_scale"])
    bins = np.fft.rfftfreq(c["n_fft"], 1 / c["sample_rate"])
    # A triangle is what interpolating between its corners gives, and nothing outside.
    rows = [np.interp(bins, edges[m:m + 3], [0, 1, 0], left=0, right=0) for m in range(c["n_mels"])]
    if c["area_norm"]:
        rows = [row * 2 / (edges[m + 2] - edges[m]) for m, row in enumerate(rows)]
    return np.stack(rows)


def run(changes):
    c = DEFAULT | changes
    t = np.arange(600) / c["sample_rate"]
    samples = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.25 * np.cos(2 * np.pi * (300 + 9000 * t) * t) * (t > 0.02)
    samples = np.round(samples * 32768) / 32768
    spectrum = torch.stft(torch.tensor(samples), c["n_fft"], c["hop_length"], c["win_length"],
                          WINDOWS[c["window"]](c["win_length"], dtype=torch.float64), center=c["pad"] != "none",
                          pad_mode=PADS.get(c["pad"], "reflect"), return_complex=True)
    power = spectrum.abs().numpy().T ** 2
    mel = filters(c)
    log = np.log(np.maximum(power @ mel.T, 1e-10))
    digits = lambda array: [float(f"{v:.9g}") for v in np.asarray(array).ravel()]
    return c | {"samples": digits(samples), "frames": len(power), "power": digits(power[::5]), "filters": digits(mel),
                "log_mel": digits(log)}


rows = ",\n".join(json.dumps(run(changes)) for changes in CASES)
print(f"[\n{rows}\n]")
