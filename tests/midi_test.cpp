// MIDI files: the bytes that the standard's own text asks for, and what another program reads in them.
#include <spool/spool.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;
using namespace std::string_literals;

namespace {

std::string refusal(const Tensor& roll, const MidiOptions& options = {}) {
  return text_of<ShapeError>([&] { encode_midi(roll, options); });
}

// What a program prints; empty where it can't run.
std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) out += static_cast<char>(c);
  return out;
}

}  // namespace

TEST_CASE("a piano roll becomes the events of a MIDI file") {
  // Two keys: the lower sounds for a quarter note and a half, the upper in the last step alone.
  const Tensor roll({3, 2}, {1, 0, 1, 0.5, 1, 0.6});
  const std::string track =
      "\0\xFF\x51\x03\x07\xA1\x20"s  // 500,000 microseconds in a quarter note
      "\0\xC0\x13"s                  // instrument 19
      "\0\x90\x3C\x50"s              // middle C begins
      "\x81\x70\x90\x3D\x50"s        // two steps = 240 ticks, in two bytes of seven bits
      "\x78\x80\x3C\x40\0\x80\x3D\x40"s
      "\0\xFF\x2F\0"s;
  const std::string head = "MThd\0\0\0\6\0\0\0\1\0\xF0MTrk\0\0\0"s;
  CHECK(encode_midi(roll, {.lowest_key = 60, .steps_per_quarter = 2, .tempo = 120, .instrument = 19}) ==
        head + static_cast<char>(track.size()) + track);
}

TEST_CASE("silence lasts as long as it stands there") {
  const std::string bytes = encode_midi(Tensor(Shape{150, 1}));
  CHECK(bytes.ends_with("\x81\x8C\x50\xFF\x2F\0"s));  // 18,000 ticks = 1 * 128^2 + 12 * 128 + 80
  CHECK(encode_midi(Tensor(Shape{0, 88})).ends_with("\0\xFF\x2F\0"s));
}

TEST_CASE("mido reads in a MIDI file what was written") {
  // Of a made-up piece: mido's notes, told as "key begin end" in steps.
  const Scratch scratch;
  Tensor roll(Shape{40, 88});
  std::string expected;
  for (std::size_t t = 0; t < 40; t += 4)
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t key = (7 * t + 23 * k) % 88, length = 1 + (t + k) % 4;
      for (std::size_t i = 0; i < length; ++i) roll.set((t + i) * 88 + key, 1);
    }
  for (std::size_t k = 0; k < 88; ++k)
    for (std::size_t t = 0; t < 40; ++t) {
      const auto on = [&](std::size_t i) { return i < 40 && roll.at(i * 88 + k) > 0; };
      if (!on(t) || (t > 0 && on(t - 1))) continue;
      std::size_t end = t;
      while (on(end)) ++end;
      expected += std::to_string(k + 21) + " " + std::to_string(t) + " " + std::to_string(end) + "\n";
    }
  write_midi(scratch / "piece.mid", roll, {.steps_per_quarter = 4});
  const std::string script = scratch.file("read.py", R"(
import mido, sys
file = mido.MidiFile(sys.argv[1])
step, now, begins, notes = file.ticks_per_beat / 4, 0, {}, []
for message in file.tracks[0]:
    now += message.time / step
    if message.type == "note_on":
        begins[message.note] = now
    elif message.type == "note_off":
        notes.append((message.note, int(begins.pop(message.note)), int(now)))
assert not begins and now == 40 and len(file.tracks) == 1
for note in sorted(notes):
    print(*note)
)");
  if (output_of("/usr/bin/python3 -c 'import mido; print(1)' 2>/dev/null").empty()) {
    std::cout << "skipped: python3-mido is not installed\n";
    return;
  }
  CHECK(output_of("/usr/bin/python3 " + script + " " + scratch / "piece.mid") == expected);
}

TEST_CASE("what is no piano roll is refused") {
  CHECK(refusal(Tensor(Shape{3})) == "a MIDI file is of a piano roll [T,K], not [3]");
  CHECK(refusal(Tensor(Shape{3, 108})) == "MIDI: 108 keys from 21 on go beyond the highest, 127");
  CHECK(refusal(Tensor({1, 1}, {NAN})) == "MIDI: the piano roll has NaN in it");
  CHECK(refusal(Tensor(Shape{1, 1}), {.lowest_key = -1}) == "MIDI: lowest_key is -1; it goes from 0 to 127");
  CHECK(refusal(Tensor(Shape{1, 1}), {.tempo = NAN}) == "MIDI: tempo is nan; it goes from 4 to 10000");
  CHECK(refusal(Tensor(Shape{1, 1}), {.velocity = 0}) == "MIDI: velocity is 0; it goes from 1 to 127");
}
