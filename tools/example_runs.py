"""What tools/examples runs: a row of SMALL for every program in examples/, and rows of FULL for those on real data.

In commands MODEL stands for a fresh directory, DATA for that of --data, SEED for each seed in turn. The last command
of a row shows the results.
"""
import dataclasses


@dataclasses.dataclass
class Bound:
    """A number that the output shows (the pattern's group), and how bad it may be at most."""
    what: str
    pattern: str
    at_most: float = float("inf")
    at_least: float = float("-inf")

    def holds(self, value):
        return self.at_least <= value <= self.at_most

    def text(self):
        return f"at most {self.at_most:g}" if self.at_most < float("inf") else f"at least {self.at_least:g}"


@dataclasses.dataclass
class Run:
    """Commands one after the other, without the program's name."""
    name: str
    commands: list
    bounds: list = dataclasses.field(default_factory=list)
    pictures: list = dataclasses.field(default_factory=list)  # files in the model's directory, for the docs
    texts: list = dataclasses.field(default_factory=list)  # Markdown in the model's directory, put into the docs


# Bounds are what was seen with a few seeds and some room; beside each, what is reached without a network.
SMALL = {
    "caption": [
        Run("caption", ["train --epochs 5 --model MODEL", "eval --model MODEL"],
            [Bound("BLEU-1", r"lstm +([\d.]+)", at_least=97)]),  # the nearest picture's caption: 94.75, the same words: 63.75
    ],
    "compare": [
        Run("compare, measure", ["measure --parameters 1000 --hidden 16 --length 10"],
            [Bound("parameters of 16 LSTM units", r"\nlstm +16 +\S+ +([\d.]+)", at_most=1280)]),  # 4 (2 16 + 16 16 + 2 16)
        Run("compare", ["train --epochs 8 --length 30 --parameters 3000 --model MODEL", "eval --model MODEL"],
            [Bound("squared error of a GRU", r"gru, adding, T = 30 +([\d.]+)", at_most=0.01),  # always 1: 0.1667
             Bound("nats per character of an LSTM", r"lstm, text +([\d.]+)", at_most=0.35)]),  # frequencies: 2.78
    ],
    "char_lm": [
        Run("char_lm", ["train --threads 1 --steps 800 --hidden 64 --layers 1 --batch 20 --lr 0.01 --model MODEL",
                        "sample --model MODEL --prime 'int ' --length 100", "eval --threads 1 --model MODEL"],
            [Bound("nats per character", r"lstm +[\d.]+ +([\d.]+)", at_most=2.05)]),  # n-grams: 1.07
    ],
    "forecast": [
        Run("forecast", ["train --epochs 20 --model MODEL", "forecast --model MODEL", "eval --model MODEL"],
            [Bound("quantile loss", r"gru +\S+ +([\d.]+)", at_most=0.0695),
             Bound("of the autoregression", r"autoregression +\S+ +([\d.]+)", at_most=0.0745)]),  # naive: 0.11
    ],
    "music": [
        Run("music", ["train --epochs 20 --model MODEL", "sample --model MODEL --out MODEL/piece.mid", "eval --model MODEL"],
            [Bound("nats per frame", r"gru +([\d.]+)", at_most=5.2)]),  # logistic regression on the frame before: 7.3
    ],
    "names": [
        Run("names, writing", ["train --model MODEL --epochs 6", "sample --model MODEL --count 3", "eval --model MODEL"],
            [Bound("nats per character", r"gru +([\d.]+)", at_most=0.82)]),  # n-grams: 0.85
        Run("names, classes",
            ["train --task classify --model MODEL --epochs 3", "classify --model MODEL tavikotashi", "eval --model MODEL"],
            [Bound("balanced accuracy", r"gru +[\d.]+ +([\d.]+)", at_least=0.95)]),  # the most frequent class: 0.25
    ],
    "tagger": [
        Run("tagger", ["train --model MODEL --epochs 2", 'tag --model MODEL "the tavibu lusilen the kobutaish grokovi"',
                       "eval --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.98)]),  # each word's most frequent tag: 0.74
    ],
    "translate": [
        Run("translate", ["train --model MODEL --epochs 3", "translate --model MODEL '5 March 1999'", "eval --model MODEL"],
            [Bound("% of characters wrong", r"beam search \(\d+ texts\) +([\d.]+)", at_most=1)]),  # nearest date: 19.5
        Run("translate, sampling", ["train --attention general --scheduled 40 --model MODEL --epochs 4",
                                    "eval --model MODEL --beam 2"],
            [Bound("% of characters wrong", r"greedy \(\d+ texts\) +([\d.]+)", at_most=1)]),
    ],
    "tree": [
        Run("tree", ["train --embed 16 --hidden 24 --dropout 0 --lr 0.01 --epochs 4 --model MODEL",
                     'show --model MODEL "((xor 1) (not 0))"', "eval --model MODEL"],
            [Bound("accuracy", r"Tree-LSTM +([\d.]+)", at_least=0.95)]),  # a bag of words: 0.57
    ],
    "vanish": [
        Run("vanish, gradients", ["gradients --length 100 --model MODEL"],
            [Bound("horizon of an RNN", r"rnn torch, layers: 1 +\S+ +\S+ +([\d.]+)", at_most=15),
             Bound("of an LSTM that remembers", r"lstm chrono, layers: 3 +\S+ +\S+ +([\d.]+)", at_least=99)]),
        Run("vanish, clipping", ["clipping --model MODEL"],
            [Bound("squared error, clipped", r"\nclipped +\S+ +\S+ +([\d.]+)", at_most=0.12)]),  # always 1: 0.1667
        Run("vanish, adding",
            ["train --length 40 --epochs 8 --model MODEL", "answer --model MODEL", "eval --model MODEL"],
            [Bound("squared error of a GRU", r"gru, adding, T = 40 +([\d.]+)", at_most=0.01),  # always 1: 0.1667
             Bound("of an LSTM", r"lstm, adding, T = 40 +([\d.]+)", at_most=0.06),
             Bound("of an RNN", r"rnn, adding, T = 40 +([\d.]+)", at_least=0.1)]),
    ],
    "speech": [
        Run("speech, digits",
            ["train --model MODEL --epochs 6", "eval --model MODEL", "recognize --model MODEL MODEL/example.wav",
             "eval --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.95)]),  # logistic regression: 0.5, since pairs differ in order
        Run("speech, strings",
            ["train --task strings --model MODEL --epochs 10 --lr 0.01 --layers 1 --hidden 48 --batch 8 --dropout 0.1",
             "eval --model MODEL", "recognize --model MODEL MODEL/example.wav", "eval --model MODEL"],
            [Bound("label error rate", r"gru, CTC +([\d.]+)", at_most=0.1)]),  # saying nothing: 1
    ],
    "video": [
        Run("video, gestures",
            ["train --model MODEL --epochs 10", "eval --model MODEL", "classify --model MODEL MODEL/example.csv",
             "eval --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.9)]),  # logistic regression: 0.3, a circle begins anywhere
        Run("video, moving",
            ["train --task moving --model MODEL --epochs 7 --lr 0.006", "eval --model MODEL",
             "classify --model MODEL MODEL/example.png", "eval --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.93)]),  # logistic regression: 0.85
        Run("video, rows",
            ["train --task rows --model MODEL --epochs 12 --lr 0.01", "eval --model MODEL",
             "classify --model MODEL MODEL/example.png", "eval --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.97)]),  # logistic regression: 0.93
    ],
    "sentiment": [
        Run("sentiment", ["train --model MODEL", "classify --model MODEL 'the film is not dull'", "eval --model MODEL"],
            [Bound("accuracy", r"gru, attention +([\d.]+)", at_least=0.85)]),  # a bag of words: 0.52
    ],
}

# Of char_lm: about 10,000 steps in a few minutes of one core.
CHAR_LM = "--layers 1 --batch 20 --lr 0.004 --steps 10000 --epochs 1000 --threads 1 --seed SEED --model MODEL"

ENG_FRA = "--epochs 10 --hidden 96 --embed 64 --dropout 0.4"

# The name of a run marks its place in docs/examples/NAME.md: <!-- results: NAME --> and <!-- end of results -->.
# Bounds are those that the program must hold with every seed.
FULL = {
    "caption": [
        Run("attention", ["train --min-count 2 --data DATA --seed SEED --threads 1 --model MODEL",
                          "eval --data DATA --threads 1 --model MODEL"],
            [Bound("BLEU-1", r"lstm +([\d.]+)", at_least=31)]),  # the same words: 29.17, the nearest picture's: 30.46
        Run("state", ["train --min-count 2 --attention none --data DATA --seed SEED --threads 1 --model MODEL",
                      "eval --data DATA --threads 1 --model MODEL"]),
        *(Run(name, [f"train --set emoji --longest 8 --min-count 2 --dropout 0.3 --epochs 30 --batch 32 {attention}"
                     "--data DATA --seed SEED --threads 1 --model MODEL", "eval --data DATA --threads 1 --model MODEL"],
              bounds)
          for name, attention, bounds in [  # the same words: 13.48, the nearest picture's: 20.86
              ("emoji", "", [Bound("BLEU-1", r"lstm +([\d.]+)", at_least=14)]), ("emoji_state", "--attention none ", [])]),
        Run("shapes", ["train --epochs 5 --seed SEED --model MODEL", "eval --model MODEL"], pictures=["looked.svg"]),
    ],
    "forecast": [
        Run(name, [f"train --set {name} {options} --threads 1 --data DATA --seed SEED --model MODEL",
                   "eval --threads 1 --data DATA --model MODEL"], pictures=["last_window.svg"])
        for name, options in [("etth1", "--hidden 64 --batch 64 --epochs 12"), ("sp500", "--epochs 10"),
                              ("airline", "--batch 16 --lr 0.01 --epochs 600"), ("sunspots", "--epochs 200")]
    ],
    "music": [
        Run(f"{name}_{cell}", [f"train --set {music} --cell {cell} --hidden {hidden} --batch 2 --lr {lr} --threads 1 "
                               "--data DATA --seed SEED --model MODEL", "eval --threads 1 --data DATA --model MODEL"],
            [Bound("nats per frame", cell + r" +([\d.]+)", at_most=most)],
            ["expected.svg"] if (name, cell) == ("jsb", "lstm") else [])
        for cell, hidden, lr, bounds in [("rnn", 100, 0.002, (8.8, 3.9)), ("gru", 46, 0.01, (9.05, 4.4)),
                                         ("lstm", 36, 0.01, (8.75, 4.2))]
        # logistic regression on the frame before: 9.08 and 4.57
        for name, music, most in zip(("jsb", "nottingham"), ("JSB_Chorales", "Nottingham"), bounds)
    ],
    "compare": [
        Run("measure", ["measure --threads 1 --data DATA --seed SEED"]),
        Run("quality", ["train --epochs 40 --data DATA --seed SEED --threads 1 --model MODEL", "eval --threads 1 --data DATA --model MODEL"],
            pictures=["time.svg"]),
    ],
    "char_lm": [
        Run(voice, [f"train --voice {voice} {data}{CHAR_LM}", f"eval {data}--threads 1 --model MODEL"],
            [Bound("nats per character", r"lstm +[\d.]+ +([\d.]+)", at_most=most)],
            pictures=["loss.svg"], texts=["samples.md"])
        for voice, data, most in [  # n-grams: 1.58, 1.00, 1.07; the last one's text changes with the sources
            ("shakespeare", "--data DATA ", 1.78), ("latex", "--data DATA ", 1.19), ("cpp", "", 1.4)]
    ],
    "names": [
        Run("generate", ["train --task generate --data DATA --seed SEED --model MODEL", "eval --data DATA --model MODEL"]),
        Run("classify", ["train --task classify --data DATA --seed SEED --model MODEL", "eval --data DATA --model MODEL"],
            pictures=["confusion.svg"]),
    ],
    "tagger": [
        Run("english", ["train --data DATA --seed SEED --model MODEL", "eval --data DATA --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.92)], pictures=["confusion.svg"]),
    ],
    "translate": [
        Run("phonemes",
            ["train --task phonemes --hidden 96 --embed 48 --batch 64 --epochs 6 --threads 1 --data DATA --seed SEED "
             "--model MODEL", "eval --threads 1 --data DATA --model MODEL"],
            [Bound("phoneme error rate", r"beam search \(\d+ texts\) +([\d.]+)", at_most=9)], ["attention.svg"]),
        *(Run(name, [f"train --task {task} --min-count 2 --threads 1 {options} --data DATA --seed SEED --model MODEL",
                     "eval --threads 1 --data DATA --model MODEL"],
              [Bound("BLEU", r"beam search \(\d+ texts\) +[\d.]+ +[\d.]+ +([\d.]+)", at_least=n) for n in least], pictures)
          for name, task, options, least, pictures in [
              ("cmn-eng", "cmn-eng", "--hidden 128 --embed 64 --dropout 0.3", [24], ["attention.svg"]),  # nearest: 13.0
              ("eng-fra", "eng-fra", ENG_FRA, [10], []),  # nearest: 9.0, in the next three too
              ("general", "eng-fra", ENG_FRA + " --attention general", [], []),
              ("without", "eng-fra", ENG_FRA + " --attention none", [], []),
              ("scheduled", "eng-fra", ENG_FRA + " --scheduled 200", [10], []),
          ]),
    ],
    "tree": [
        Run("sst", ["train --data DATA --seed SEED --threads 1 --model MODEL",
                    'show --model MODEL "(((Somewhat blurred) ,) but) (((Kinnear \'s) performance) (is (razor sharp)))"',
                    "eval --data DATA --model MODEL"],
            [Bound("accuracy", r"Tree-LSTM +([\d.]+)", at_least=0.82)],  # a bag of words: 0.825
            pictures=["tree.svg"]),
    ],
    "vanish": [
        Run("gradients", ["gradients --length 200 --hidden 64 --seed SEED --model MODEL"], pictures=["gradients.svg"]),
        Run("clipping", ["clipping --seed SEED --model MODEL"], pictures=["clipping.svg"]),
        Run("adding", ["train --task adding --length 400 --seed SEED --threads 1 --model MODEL", "eval --model MODEL"],
            [Bound("squared error of a GRU", r"gru, adding, T = 400 +([\d.]+)", at_most=0.01),  # always 1: 0.1667
             Bound("of a tanh RNN", r"rnn, adding, T = 400 +([\d.]+)", at_least=0.15)],
            pictures=["curves.svg"]),
        Run("copy", ["train --task copy --length 200 --hidden 64 --epochs 200 --seed SEED --threads 1 --model MODEL",
                     "eval --threads 1 --model MODEL"],
            [Bound("share of symbols right, of a GRU, at T = 50", r"gru, copy, T = 50 +\S+ +\S+ +([\d.]+)", at_least=0.9)],
            pictures=["curves.svg"]),
    ],
    "speech": [
        Run("digits", ["train --task digits --data DATA --threads 1 --seed SEED --model MODEL",
                       "eval --data DATA --threads 1 --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.95)], pictures=["confusion.svg"]),
        Run("strings", ["train --task strings --epochs 10 --data DATA --threads 1 --seed SEED --model MODEL",
                        "eval --data DATA --threads 1 --model MODEL"],
            [Bound("label error rate", r"gru, CTC +([\d.]+)", at_most=0.05)], pictures=["string.svg"]),
        Run("vowels", ["train --task vowels --data DATA --threads 1 --seed SEED --model MODEL",
                       "eval --data DATA --threads 1 --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.95)]),
    ],
    "video": [
        Run("gestures", ["train --task gestures --data DATA --threads 1 --seed SEED --model MODEL",
                         "eval --data DATA --threads 1 --model MODEL", "classify --model MODEL MODEL/example.csv",
                         "eval --data DATA --threads 1 --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.96)], pictures=["frames.svg"]),
        Run("moving", ["train --task moving --data DATA --threads 1 --seed SEED --epochs 12 --model MODEL",
                       "eval --data DATA --threads 1 --model MODEL", "classify --model MODEL MODEL/example.png",
                       "eval --data DATA --threads 1 --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.8)], pictures=["frames.svg"]),
        Run("rows", ["train --task rows --hidden 128 --epochs 20 --data DATA --threads 1 --seed SEED --model MODEL",
                     "eval --data DATA --threads 1 --model MODEL", "classify --model MODEL MODEL/example.png",
                     "eval --data DATA --threads 1 --model MODEL"],
            [Bound("accuracy", r"gru +([\d.]+)", at_least=0.84)], pictures=["frames.svg"]),
    ],
    "sentiment": [
        Run("films", ["train --set films --data DATA --seed SEED --threads 1 --model MODEL", "eval --data DATA --model MODEL"],
            [Bound("accuracy", r"gru, attention +([\d.]+)", at_least=0.76)],  # a bag of words: 0.792
            pictures=["confusion.svg"]),
        *(Run(pooling, [f"train --set films --pooling {pooling} --data DATA --seed SEED --threads 1 --model MODEL",
                        "eval --data DATA --model MODEL"]) for pooling in ["last", "mean"]),
        *(Run(name, [f"train --set {name} --by character --data DATA --seed SEED --threads 1 --model MODEL",
                     "eval --data DATA --model MODEL"],
              [Bound("accuracy", r"gru, attention +([\d.]+)", at_least=least)])
          for name, least in [("waimai", 0.87), ("hotels", 0.86)]),  # a bag of characters and pairs: 0.877, 0.883
        Run("characters", ["train --set films --by character --data DATA --seed SEED --threads 1 --model MODEL",
                           "eval --data DATA --model MODEL"]),
    ],
}
