"""Small data sets of the layouts that the example programs read from --data DIR."""
import gzip
import io
import math
import random
import struct
import wave
import zlib


def put(folder, name, content):
    """Writes one file, text or bytes, compressed where its name ends in .gz."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    packed = data.startswith(b"\x1f\x8b")
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") and not packed else data)


def idx(shape, values):
    """Bytes in the IDX format of MNIST."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(values)


def wav(rate, samples):
    """Bytes of a WAV file of one channel."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return out.getvalue()


def ts_text(lines, dimensions=2):
    """A set of the UEA and UCR archives with classes 1 and 2, compressed."""
    head = (f"@problemName small\n@timeStamps false\n@missing false\n@univariate false\n@dimensions {dimensions}\n"
            "@equalLength false\n@classLabel true 1 2\n@data\n")
    return gzip.compress((head + "".join(line + "\n" for line in lines)).encode(), mtime=0)


def png(side, grey, height=None):
    """Bytes of a grey PNG of so many pixels a side, or of another height."""
    height = height or side
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + grey[y * side:(y + 1) * side] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_pictures(folder, rng):
    captions = [("A red thing.", (255, 0, 0)), ("Something green", (0, 255, 0)), ("blue!", (0, 0, 255))]
    for name, size, column in [("stamps", 48, "en"), ("emoji", 32, "en_name")]:
        pixels = b"".join(bytes(captions[i % 3][1]) * (16 * 16) for i in range(30))
        put(folder, f"caption_{name}/images{size}-idx4-ubyte.gz", idx([30, 16, 16, 3], pixels))
        lines = [f"{i}\tfile{i}\t{captions[i % 3][0]}" for i in range(30)]
        put(folder, f"caption_{name}/captions.tsv", "\n".join([f"index\tfile\t{column}", *lines]) + "\n")
    for name, count in [("train6k", 40), ("t2k", 20)]:
        values = [rng.randrange(20) + 200 * (p // 28 < 3 * (i % 10)) for i in range(count) for p in range(28 * 28)]
        put(folder, f"fashion_mnist/{name}-images-idx3-ubyte.gz", idx([count, 28, 28], values))
        put(folder, f"fashion_mnist/{name}-labels-idx1-ubyte.gz", idx([count], [i % 10 for i in range(count)]))


def make_numbers(folder, rng):
    wave_of = [10 + 5 * math.sin(t / 2) + rng.random() for t in range(400)]
    series = {"ETTh1.csv.gz": "OT", "sp500_2001_2010_daily.csv": "Close", "Airline.csv": "Passengers",
              "sunspots.csv": "SUNACTIVITY"}
    for name, column in series.items():
        lines = [f"{1700 + t},{x:.3f}" for t, x in enumerate(wave_of)]
        put(folder, "timeseries/" + name, "\n".join([f"date,{column}", *lines]) + "\n")

    tracks = [",".join([str(n // 50 % 2), *(f"{(i // 2) * (1 if n // 50 % 2 else -1) / 100 + rng.random() / 1000:.4f}"
                                            for i in range(32))]) for n in range(500)]
    put(folder, "gesture_point_history/point_history.csv.gz", "\n".join(tracks) + "\n")
    put(folder, "gesture_point_history/point_history_classifier_label.csv", "\ufeffleft\r\nright\r\n")

    for part, count in [("TRAIN", 24), ("TEST", 8)]:
        lines = []
        for i in range(count):
            channels = [",".join(f"{i % 2 + rng.random():.3f}" for _ in range(5 + i % 4)) for _ in range(2)]
            rows = channels[0].count(",") + 1
            channels[1] = ",".join(channels[1].split(",")[:rows])
            lines.append(":".join([*channels, str(i % 2 + 1)]))
        put(folder, f"mts_japanese_vowels/JapaneseVowels_{part}.ts.gz", ts_text(lines))


def make_sounds(folder, rng):
    for digit in range(10):
        for index in range(8):
            tone = [int(8000 * math.sin(t * (digit + 1) / 10) + rng.randrange(500)) for t in range(800)]
            put(folder, f"speech_fsdd/recordings/{digit}_ann_{index}.wav", wav(8000, tone))

    def piece():
        chord = rng.choice([(39, 51, 58, 67), (46, 49, 55, 63)])
        return " ".join(rng.choice([",".join(map(str, chord)), "-"]) for _ in range(20))
    parts = ["train"] * 8 + ["valid"] * 2 + ["test"] * 2
    for name in ["JSB_Chorales", "Nottingham"]:
        put(folder, f"music_polyphonic/{name}.txt.gz", "\n".join(f"{part}\t{piece()}" for part in parts) + "\n")


def make_texts(folder, rng):
    words = ["the", "cell", "reads", "a", "text", "and", "keeps", "state"]

    def sentence():
        return " ".join(rng.choice(words) for _ in range(3 + rng.randrange(4)))
    put(folder, "tinyshakespeare/input.txt", "\n".join(sentence() for _ in range(400)))
    names = sorted({"".join(rng.choice("aeioklmnst") for _ in range(3 + rng.randrange(4))) for _ in range(120)})
    put(folder, "names_makemore/names.txt", "\n".join(names) + "\n")
    for i, nation in enumerate(["Here", "There"]):
        put(folder, f"names_nationality/{nation}.txt", "\n".join(name + "xy"[i] for name in names[:60]) + "\n")
    put(folder, "names_nationality/README.txt", "not a nation\n")
    for i, end in enumerate(["neg", "pos"]):
        lines = [f"{sentence()} {['dull', 'fine'][i]} {n}" for n in range(60)]
        put(folder, f"sentiment_en_rt/rt-polarity.{end}", "\n".join(lines) + "\n")
    for name in ["waimai_10k.csv.gz", "ChnSentiCorp_htl_all.csv.gz"]:
        lines = [f'{n % 2},"{"好" if n % 2 else "坏"}，{rng.choice("吃喝住")}{n}"' for n in range(80)]
        put(folder, "sentiment_zh/" + name, "\n".join(["label,review", *lines]) + "\n")
    for part, count in [("train", 40), ("dev", 10), ("test", 10)]:
        lines = ["\n".join(f"{word}\t{'VERB' if word in ('reads', 'keeps') else 'NOUN'}\tX" for word in sentence().split())
                 for _ in range(count)]
        put(folder, f"pos_ud_ewt/ewt-{part}.tsv.gz", "\n\n".join(lines) + "\n\n")
    spelt = [f"{name} {' '.join(c.upper() + '1' for c in name)} # a comment" for name in names]
    put(folder, "seq2seq_cmudict/cmudict.dict.gz", "\n".join(spelt) + "\n")
    put(folder, "translation_tatoeba/eng-fra.5000.txt.gz",
        "\n".join(f"{name.title()} reads.\t{name.title()} lit.\tby somebody" for name in names) + "\n")
    put(folder, "translation_tatoeba/cmn-eng.txt.gz",
        "\n".join(f"{name.title()} reads.\t我读{name}。\tby somebody" for name in names) + "\n")
    for name, count in [("train.txt.gz", 30), ("dev.txt", 10), ("test.txt.gz", 10)]:
        lines = [f"({label} (2 {rng.choice(words)}) ({label} (2 so) ({label} {'good' if label > 2 else 'bad'})))"
                 for label in (rng.choice([0, 1, 3, 4]) for _ in range(count))]
        put(folder, f"sst_trees/{name}", "\n".join([*lines, "(2 (2 the) (2 film))"]) + "\n")


def make(folder):
    """All of them, always the same."""
    rng = random.Random(1)
    for some in [make_pictures, make_numbers, make_sounds, make_texts]:
        some(folder, rng)
