"""What run.py does with the example programs: uses that must work, and mistakes with what is said about them.

In commands DATA stands for the small data, MODEL for the directory of the model that a use has trained.
"""
import dataclasses
import gzip

from small_data import idx, ts_text, wav

SMALL = "--epochs 1 --hidden 4 "


@dataclasses.dataclass
class Use:
    """A training, and commands that use its model, each with what its output must show (a pattern)."""
    program: str
    train: str
    commands: list


EVAL = "eval --data DATA"

USES = [
    Use("caption", SMALL + "--embed 4 --data DATA", [(EVAL + " --beam 1", r"^3 test pictures .*\nlstm +\d"),
                                                     ("caption PICTURE", r"^PICTURE: .*\n\nwhere it looked")]),
    Use("caption", SMALL + "--embed 4 --set emoji --longest 2 --attention none --data DATA", [(EVAL, r"^2 test pictures .*\nlstm +\d")]),
    Use("char_lm", SMALL + "--layers 1 --seq 10 --batch 5 --samples-at 5 --voice shakespeare --data DATA",
        [(EVAL, r"^nats per character .*\nlstm +\d"), ("sample --length 20 --prime cell", r"^cell[\s\S]{20}\n$")]),
    Use("compare", "--epochs 1 --parameters 1000 --length 4 --batch 4 --data DATA", [(EVAL, r"\nlstm, text +\d")]),
    Use("forecast", SMALL + "--data DATA", [(EVAL, r"^70 windows, 11 steps ahead .*\ngru +\d[\s\S]*\npicture: MODEL/last_window.svg\n$"),
                                            ("forecast --data DATA", r"^steps after the end .*\n1 +\d(.*\n){10}11 .*\npicture: MODEL/forecast.svg\n$")]),
    *(Use("forecast", SMALL + f"--set {name} --data DATA", [(EVAL, rf"^{windows} windows.*\ngru +\d")])
      for name, windows in [("airline", 69), ("sp500", 61), ("etth1", 57)]),
    Use("music", SMALL + "--data DATA",
        [(EVAL, r"^2 test pieces .*\ngru +\d"),
         ("sample --data DATA --piece 1 --given 3 --frames 6 --out MODEL/piece.mid", r"^3 frames of a piece, 3 of its own")]),
    Use("music", SMALL + "--set Nottingham --cell rnn --data DATA", [(EVAL, r"^2 test pieces .*\nrnn +\d")]),
    Use("names", SMALL + "--data DATA", [(EVAL, r"^12 test names .*\ngru +\d"), ("sample --count 2", r"^.*\n.*\n$")]),
    Use("names", SMALL + "--task classify --data DATA",
        [(EVAL, r"^12 test examples of 2 classes .*\ngru +\d"), ("classify monax", r"^monax:  \w+ [01]\.\d\d  \w+ [01]\.")]),
    Use("sentiment", SMALL + "--data DATA",
        [(EVAL, r"^12 test examples of 2 classes .*\ngru, attention +\d"), ("classify fine", r"^fine:  (good|bad) "),
         (f"classify {'so-' * 30}good", r"\nwhich words speak for it: MODEL/why.svg\n$")]),
    *(Use("sentiment", SMALL + f"--set {name} --by character --data DATA",
          [(EVAL, r"^8 test examples of 2 classes "), ("classify 好", r"^好:  (good|bad) ")]) for name in ["waimai", "hotels"]),
    Use("speech", SMALL + "--layers 1 --data DATA", [(EVAL, r"^50 test examples of 10 classes .*\ngru +\d[\s\S]*\nexample: MODEL/example.wav\n$"),
                                                     ("recognize MODEL/example.wav", r"^MODEL/example.wav:  \d [01]\.")]),
    Use("speech", SMALL + "--layers 1 --task strings --data DATA",
        [(EVAL, r"^200 test strings of \d+ digits .*\ngru, CTC +\d[\s\S]*\npicture: MODEL/string.svg\nexample: MODEL/example.wav\n$"),
         ("recognize MODEL/example.wav", r"^MODEL/example.wav: .*\n$")]),
    Use("speech", SMALL + "--layers 1 --task vowels --data DATA", [(EVAL, r"^8 test examples of 2 classes .*\ngru +\d[\s\S]*\nexample: MODEL/example.csv\n$"),
                                                                   ("recognize MODEL/example.csv", r"^MODEL/example.csv:  \w+ [01]\.")]),
    Use("tagger", SMALL + "--embed 4 --letters 4 --data DATA",
        [(EVAL, r"accuracy .*\ngru +\d"), ("tag 'the cell reads'", r"^the/\w+ cell/\w+ reads/\w+\n$")]),
    *(Use("translate", SMALL + f"--embed 4 --task {name} --data DATA",
          [(EVAL, r"\nbeam search \(\d texts\) +\d"), (f"translate {text}", r"where it looked: MODEL/attention.svg\n$")])
      for name, text in [("phonemes", "mona"), ("eng-fra", "'Mona reads.'"), ("cmn-eng", "我读mona。")]),
    Use("tree", SMALL + "--embed 4 --data DATA",
        [(EVAL, r"^10 test examples of 2 classes .*\nTree-LSTM +\d"), ("show '(so good)'", r"^\d\.\d+  so\n\d\.\d+  good\n\d\.\d+  so good\n")]),
    Use("vanish", SMALL + "--length 16 --batch 4", [("eval", r"\ngru, adding, T = 16 +\d"), ("answer", r"^rnn, adding, T = 4: ")]),
    Use("vanish", SMALL + "--length 16 --batch 4 --task copy --start keras", [("eval", r"\ngru, copy, T = 16 +\d")]),
    *(Use("video", SMALL + f"--task {name} --data DATA",
          [(EVAL, rf"^{tests} .*\ngru +\d[\s\S]*\nexample: MODEL/example.{end}\n$"),
           (f"classify MODEL/example.{end}", rf"^MODEL/example.{end}:  [\w-]+ [01]\..*\npicture: MODEL/frames.svg\n$")])
      for name, tests, end in [("gestures", "85 test examples of 2 classes", "csv"),
                               ("moving", "20 test examples of 10 classes", "png"), ("rows", "20 test examples of 10 classes", "png")]),
]

NONE_OF = "--{} x is none of {}"

# Options of each program that can't be followed: exit code 2.
USAGE = {
    "caption": [("train --set x --data DATA", "--set x is none of emoji, stamps"),
                ("train --set emoji", "--set needs --data DIR"),
                ("train --longest=-1 --data DATA", "--longest must be at least 1, not -1"),
                ("train --beam 2", "train takes no --beam; only eval, caption can use it"),
                ("train --attention x", "--attention x is none of additive, general, dot, none"),
                ("train --attention dot", "--attention dot does not fit this model; take general, or --hidden 96"),
                ("train --scheduled 0.5", "--scheduled must be 0, or at least 1, not 0.5"),
                ("train --min-count 0", "--min-count must be at least 1, not 0"),
                ("eval --model MODEL --data DATA --beam 0", "--beam must lie in 1..100, not 0"),
                ("eval --model MODEL --data DATA --length-penalty=-1", "--length-penalty must not be below 0: -1"),
                ("caption --model MODEL", "caption needs PNG files"),
                ("caption --model MODEL ''", "caption: argument 1 is empty")],
    "char_lm": [("train --voice x", "--voice x is none of cpp, shakespeare, warpeace, latex"),
                ("train --voice latex", "--voice latex needs --data DIR, where its text is"),
                ("train --voice latex --text a --data DATA", "--voice and --text name two texts; leave one out"),
                ("train --data DATA", "--data needs --voice shakespeare, warpeace or latex"),
                ("train --samples-at 1,1.5", "--samples-at 1,1.5: 1.5 is no number of steps; write it like 1,100,1000"),
                ("train --samples-at=-3", "--samples-at -3: -3 is no number of steps; write it like 1,100,1000"),
                ("train --seq 0", "--seq must be at least 1, not 0")],
    "compare": [("measure --model MODEL", "measure takes no --model; only train, eval can use it"),
                ("measure --epochs 3", "measure takes no --epochs; only train can use it"),
                ("measure surplus", "measure: don't know what to do with 'surplus'"),
                ("measure --hidden 0", "--hidden must be at least 1, not 0"),
                ("train --length 1", "--length must be at least 2, not 1"),
                ("train --parameters 999", "--parameters must be at least 1000, not 999")],
    "forecast": [("train --set x --data DATA", "--set x is none of etth1, sp500, airline, sunspots")],
    "music": [("sample --model MODEL --data DATA --piece 2", "--piece must be 0 to 1, not 2"),
              ("sample --model MODEL --data DATA --given 21", "--given must be 0 to 20, not 21"),
              ("sample --model MODEL --data DATA --frames 16", "--frames must be 17 to 5000, not 16"),
              ("sample --model MODEL --data DATA --out ''", "--out must name a MIDI file"),
              ("sample --model MODEL", "MODEL was trained with --data DIR; give it again"),
              ("sample --model MODEL --data DATA --temperature 0", "--temperature must be above 0, not 0")],
    "names": [("train --task x", "--task x is none of generate, classify"),
              ("classify --model MODEL", "classify needs a name"),
              ("sample --model MODEL --count 0", "--count must be at least 1, not 0"),
              ("classify --model MODEL mona", "the model in --model was trained with --task generate")],
    "sentiment": [("train --set x --data DATA", "--set x is none of films, waimai, hotels"),
                  ("train --min-count 0", "--min-count must be at least 1, not 0"),
                  ("train --by x", "--by x is none of word, character"),
                  ("train --pooling x", "--pooling x is none of last, mean, attention"),
                  ("train --longest 0", "--longest must be above 0"),
                  ("train --unknown 1", "--unknown must be in [0, 1)"),
                  ("classify --model MODEL", "classify needs a text, in quotes"),
                  ("classify --model MODEL fine '\udcff'", "classify: argument 2 is not UTF-8"),
                  ("classify --model MODEL ' '", "classify: a text is empty")],
    "speech": [("train --task x", "--task x is none of digits, strings, vowels"),
               ("train --task vowels",
                "the vowels are series of DIR/mts_japanese_vowels: train and eval them with --data DIR"),
               ("recognize --model MODEL", "recognize needs a file")],
    "tagger": [("train --letters 0", "--letters must be at least 1, not 0"),
               ("tag --model MODEL", "tag needs sentences, each in quotes"),
               ("tag --model MODEL ' '", "tag: a sentence is empty")],
    "translate": [("train --task x", "--task x is none of dates, phonemes, eng-fra, cmn-eng"),
                  ("train --task phonemes", "--task phonemes needs --data DIR"),
                  ("train --attention x", "--attention x is none of additive, general, dot, none"),
                  ("train --data DATA", "--data needs --task phonemes, eng-fra or cmn-eng"),
                  ("translate --model MODEL", "translate needs a text, in quotes"),
                  ("translate --model MODEL ' '", "there is nothing to translate in an empty text")],
    "tree": [("show --model MODEL", "show needs a tree, such as \"((not very) good)\""),
             ("show --model MODEL ''", "show: argument 1 is empty"),
             ("show --model MODEL 'ab\udcff'", "show: argument 1 is not UTF-8")],
    "vanish": [("gradients --task copy", "gradients takes no --task; only train, eval, answer can use it"),
               ("clipping --length 50", "clipping takes no --length; only train, eval, answer, gradients can use it"),
               ("train --task x", "--task x is none of adding, copy"),
               ("train --start x", "--start x is none of torch, keras, wide, chrono"),
               ("train --data DATA", "sequences are made here; leave out --data"),
               ("train --length 15", "--length must be at least 16, not 15")],
    "video": [("train --task x", "--task x is none of gestures, moving, rows"),
              ("classify --model MODEL", "classify needs a file")],
}

# What is read first of the data, and the option that says so where there is one.
FIRST_READ = {
    "caption": ("", "caption_stamps"),
    "char_lm": ("--voice shakespeare", "tinyshakespeare/input.txt"),
    "compare": ("", "tinyshakespeare/input.txt"),
    "forecast": ("", "timeseries/sunspots.csv"),
    "music": ("", "music_polyphonic/JSB_Chorales.txt.gz"),
    "names": ("", "names_makemore"),
    "sentiment": ("", "sentiment_en_rt/rt-polarity.neg"),
    "speech": ("", "speech_fsdd/recordings"),
    "tagger": ("", "pos_ud_ewt/ewt-train.tsv.gz"),
    "translate": ("--task phonemes", "seq2seq_cmudict/cmudict.dict.gz"),
    "tree": ("", "sst_trees/train.txt.gz"),
    "video": ("", "gesture_point_history/point_history_classifier_label.csv"),
}

# What users give a model that it can't take: exit code 1.
REFUSED = {
    "caption": [("caption --model MODEL nothere.png", "nothere.png: No such file or directory"),
                ("caption --model MODEL FILE", "FILE: is not a PNG file")],
    "char_lm": [("sample --model MODEL --prime é", "--prime: symbol \"é\" (U+00E9) at line 1, column 1 is not among the 15 symbols of the vocabulary")],
    "names": [("sample --model MODEL --prefix é", "--prefix: symbol \"é\" (U+00E9) at line 2, column 1 is not among the 11 symbols of the vocabulary")],
    "speech": [("recognize --model MODEL FILE", "FILE: is not a sound file, or is damaged: Format not recognised.")],
    "tree": [("show --model MODEL '((so good)'", "show: a bracket is never closed"),
             ("show --model MODEL '()'", "show: there is no word")],
    "video": [("classify --model MODEL PICTURE", "picture.png: is a picture, and this model wants a CSV file: x and y of 16 places"),
              ("classify --model video_rows LINES", "lines.csv: is a table, and this model wants a PNG file of 28 x 28 pixels"),
              ("classify --model MODEL LINES", "lines.csv: has 2 lines; give each track a file of its own"),
              ("classify --model video_rows WIDE", "wide.png: has 14 x 56 pixels, not 28 x 28"),
              ("classify --model MODEL nothere.csv", "nothere.csv: No such file or directory"),
              ("classify --model MODEL FILE", "FILE: line 1, column \"1\": \"abc\" is not a finite number")],
}


@dataclasses.dataclass
class Spoilt:
    """A file of the data with other bytes, and what training says about it. CUT: its first half."""
    program: str
    options: str
    file: str
    said: list  # of (bytes, message); messages begin with the file's path where they begin with ": "


CUT = None
NOT_UTF8 = (b"\xff", ": is not UTF-8 text: byte 0 (0xff) at line 1, column 1; convert it to UTF-8 first")
EMPTY = (b"", ": is empty")
DAMAGED = (CUT, ": is damaged or truncated gzip")
TOO_FEW = "a split of 0.8, 0.1, 0.1 leaves no {} part of {} examples: use more examples or other fractions"


def packed(text):
    return gzip.compress(text if isinstance(text, bytes) else text.encode(), mtime=0)


def rows(head, row, count):
    return (head + "\n" + (row + "\n") * count).encode()


def track(label, value):
    return packed((",".join([label, *[value] * 32]) + "\n") * 500)


SPOILT = [
    Spoilt("caption", "", "caption_stamps/images48-idx4-ubyte.gz",
           [DAMAGED, EMPTY, (b"abc", ": is not an IDX file"),
            (packed(idx([30, 16, 16, 3], b"x")),
             ": is a damaged or truncated IDX file: it has 1 bytes of numbers, and its header says 23040"),
            (packed(idx([29, 8, 8, 3], bytes(29 * 192))), "DATA/caption_stamps: pictures [29, 8, 8, 3] are not "
             "[30, S, S, 3]"),
            (packed(idx([30, 8, 12, 3], bytes(30 * 288))), "DATA/caption_stamps: pictures [30, 8, 12, 3] are not "
             "[30, S, S, 3]"),
            (packed(idx([30, 7, 7, 3], bytes(30 * 147))),
             "DATA/caption_stamps: pictures [30, 7, 7, 3] are too small")]),
    Spoilt("caption", "", "caption_stamps/captions.tsv",
           [EMPTY, NOT_UTF8, (rows("index\tfile\tde", "1\t2\t3", 30), ": has no column \"en\"; it has \"index\", \"file\", \"de\""),
            (rows("index\tfile\ten", "0\tx", 30), ": line 2: 2 fields where line 1 has 3"),
            (rows("index\tfile\ten", "0\tx\ta b c d e f", 30), TOO_FEW.format("training", 0))]),
    Spoilt("char_lm", "--voice shakespeare ", "tinyshakespeare/input.txt", [EMPTY, NOT_UTF8]),
    Spoilt("compare", "--parameters 1000 --length 4 ", "tinyshakespeare/input.txt",
           [EMPTY, NOT_UTF8]),
    Spoilt("forecast", "", "timeseries/sunspots.csv",
           [EMPTY, NOT_UTF8, (b"YEAR,SUN\n1,2\n", ": has no column \"SUNACTIVITY\"; it has \"YEAR\", \"SUN\""),
            (b"YEAR,SUNACTIVITY\n", ": has a header and no rows"),
            (b"YEAR,SUNACTIVITY\n1,nan\n", ": line 2, column \"SUNACTIVITY\": \"nan\" is not a finite number"),
            (b"YEAR,SUNACTIVITY\n1,2,3\n", ": line 2: 3 fields where line 1 has 2"),
            (rows("YEAR,SUNACTIVITY", "1,2", 20), ": 20 rows are too few to forecast 11 from 44"),
            (rows("YEAR,SUNACTIVITY", "1,2", 400), ": the series never changes"),
            (rows("YEAR,SUNACTIVITY", "1,1e300\n1,-1e300", 200), ": the series changes by more than can be squared")]),
    Spoilt("forecast", "--set etth1 ", "timeseries/ETTh1.csv.gz", [DAMAGED]),
    Spoilt("forecast", "--set airline ", "timeseries/Airline.csv", [(rows("Date,Passengers", "1,0", 400), ": 0 has no logarithm")]),
    Spoilt("music", "", "music_polyphonic/JSB_Chorales.txt.gz",
           [DAMAGED, EMPTY, NOT_UTF8,
            (b"x", ": line 1: must be train, valid or test, a tab, and the frames of a piece"),
            (b"train\t1,2 88", ": line 1: '88' is no key: they are numbers from 0 to 87"),
            (b"train\t1\ntrain\t1,,2", ": line 2: '' is no key: they are numbers from 0 to 87"),
            (b"train\t1 -\nvalid\t-\n", ": has no piece of part test")]),
    Spoilt("names", "", "names_makemore/names.txt", [EMPTY, NOT_UTF8, (b"a\nb\n", TOO_FEW.format("validation", 2))]),
    Spoilt("names", "--task classify ", "names_nationality/Here.txt", [EMPTY, NOT_UTF8]),
    Spoilt("sentiment", "", "sentiment_en_rt/rt-polarity.neg", [EMPTY, NOT_UTF8]),
    Spoilt("sentiment", "--set waimai ", "sentiment_zh/waimai_10k.csv.gz",
           [DAMAGED, EMPTY, NOT_UTF8, (b"label,text\n1,x\n", ": has no column \"review\"; it has \"label\", \"text\""),
            (b"label,review\n2,x\n", ": label 2 is neither 0 nor 1"),
            (b"label,review\nnan,x\n", ": line 2, column \"label\": \"nan\" is not a finite number"),
            (b"label,review\n1,x,y\n", ": line 2: 3 fields where line 1 has 2"),
            (b"label,review\n1,\"x\n", ": a quote is never closed")]),
    Spoilt("speech", "", "speech_fsdd/recordings/3_ann_1.wav",
           [(b"", ": is empty"), (b"RIFF", ": is not a sound file, or is damaged: Format not recognised."),
            (CUT, ": is truncated: it has 822 bytes, and its header says 1644"),
            (wav(16000, [0] * 99), ": has 16000 samples a second; convert it to 8000, as sox does by -r"),
            (wav(8000, []), ": has no samples")]),
    Spoilt("speech", "", "speech_fsdd/recordings/three.wav", [(b"", ": is not called {digit}_{speaker}_{index}.wav")]),
    Spoilt("speech", "--task vowels ", "mts_japanese_vowels/JapaneseVowels_TRAIN.ts.gz",
           [DAMAGED, (b"x", ": line 1: is no heading, which begins with @; is this a .ts file?"),
            (ts_text([]), ": has no series after @data"),
            (ts_text(["1,2:3,4:3"]), ": line 9: class \"3\" is not listed after @classLabel"),
            (ts_text(["1,2:3,nan:1"]), ": line 9: \"nan\" is not a finite number"),
            (ts_text(["1,2:3:1"]), ": line 9: channel 2 has 1 values where the first has 2")]),
    Spoilt("speech", "--task vowels ", "mts_japanese_vowels/JapaneseVowels_TEST.ts.gz",
           [(ts_text(["1,2:1"], dimensions=1), ": has other classes or channels than the training file")]),
    Spoilt("tagger", "", "pos_ud_ewt/ewt-train.tsv.gz",
           [DAMAGED, EMPTY, NOT_UTF8, (b"\n\n", ": holds no sentence"), (b"word\n", ": has no second column, with the tags"),
            (b"word\tA\nx\n", ": line 2: has 1 fields and not 2, as those before")]),
    Spoilt("translate", "--task phonemes ", "seq2seq_cmudict/cmudict.dict.gz",
           [DAMAGED, EMPTY, NOT_UTF8, (b"word\n", "a split of 0.9, 0.04, 0.06 leaves no training part of 0 examples: use more "
                                       "examples or other fractions")]),
    Spoilt("translate", "--task eng-fra ", "translation_tatoeba/eng-fra.5000.txt.gz",
           [DAMAGED, EMPTY, (b"a line\n", "eng-fra: a line has no tab between two languages: a line")]),
    Spoilt("tree", "", "sst_trees/train.txt.gz",
           [DAMAGED, EMPTY, (b"x", ", line 1: \"x\" stands outside of the brackets"),
            (b"(2 (2 a) (2 b))\n", ": no tree is positive or negative as a whole"),
            (b"(3 (2 a)", ", line 1: a bracket is never closed"),
            (b"(5 (2 a) (2 b))\n", ": the label '5' is none of 0 to 4"),
            (b"(3 (2 a) (2 b) (2 c))\n", ", line 1: a node is neither one word nor two trees")]),
    Spoilt("video", "", "gesture_point_history/point_history.csv.gz",
           [DAMAGED, EMPTY, (packed("0,1,2\n" * 100), ": has 3 columns, not 32"),
            (track("2", "1"), ": class 2 is none of 0 to 1"), (track("0.5", "1"), ": class 0.5 is none of 0 to 1"),
            (track("1e300", "1"), ": class 1e+300 is none of 0 to 1"),
            (track("0", "nan"), ": line 1, column \"2\": \"nan\" is not a finite number")]),
    Spoilt("video", "", "gesture_point_history/point_history_classifier_label.csv", [EMPTY]),
    Spoilt("video", "--task rows ", "fashion_mnist/train6k-images-idx3-ubyte.gz",
           [DAMAGED, (b"x", ": is not an IDX file"),
            (packed(idx([40, 28, 27], bytes(40 * 28 * 27))), "DATA/fashion_mnist/train6k: pictures and labels do not fit")]),
    Spoilt("video", "--task rows ", "fashion_mnist/train6k-labels-idx1-ubyte.gz",
           [(packed(idx([40], [10] * 40)), "DATA/fashion_mnist: class 10 is none of 0 to 9")]),
]
