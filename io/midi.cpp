#include <spool/graph/error.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/midi.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string_view>

namespace spool {

namespace {

constexpr std::uint32_t ticks_per_step = 120;

// Most significant byte first.
std::string big_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int k = bytes - 1; k >= 0; --k) out += static_cast<char>(value >> (8 * k) & 0xFF);
  return out;
}

// Seven bits a byte, most significant first; all but the last have the top bit set.
std::string variable_length(std::uint32_t value) {
  std::string out(1, static_cast<char>(value & 0x7F));
  while ((value >>= 7) > 0) out.insert(out.begin(), static_cast<char>((value & 0x7F) | 0x80));
  return out;
}

void require_between(std::string_view name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw ShapeError(fmt::format("MIDI: {} is {}; it goes from {} to {}", name, value, low, high));
}

void check(const Tensor& roll, const MidiOptions& o) {
  if (roll.shape().rank() != 2)
    throw ShapeError(fmt::format("a MIDI file is of a piano roll [T,K], not {}", roll.shape().text()));
  require_between("lowest_key", o.lowest_key, 0, 127);
  require_between("steps_per_quarter", o.steps_per_quarter, 1, 100);
  require_between("tempo", o.tempo, 4, 10000);
  require_between("instrument", o.instrument, 0, 127);
  require_between("velocity", o.velocity, 1, 127);
  if (o.lowest_key + roll.shape()[1] > 128)
    throw ShapeError(
        fmt::format("MIDI: {} keys from {} on go beyond the highest, 127", roll.shape()[1], o.lowest_key));
  for (std::size_t i = 0; i < roll.size(); ++i)
    if (std::isnan(roll.at(i))) throw ShapeError("MIDI: the piano roll has NaN in it");
}

// The events of a track, each after the time since the one before it.
class Track {
 public:
  void wait(std::uint32_t ticks) { waited_ += ticks; }
  void event(std::string_view bytes) {
    bytes_ += variable_length(waited_);
    bytes_ += bytes;
    waited_ = 0;
  }
  void event(int status, int first, int second) {
    event(std::string{static_cast<char>(status), static_cast<char>(first), static_cast<char>(second)});
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::uint32_t waited_ = 0;
};

}  // namespace

std::string encode_midi(const Tensor& roll, const MidiOptions& o) {
  check(roll, o);
  using namespace std::string_view_literals;
  const std::int64_t T = roll.shape()[0], K = roll.shape()[1];
  const auto sounds = [&](std::int64_t t, std::int64_t k) {
    return t >= 0 && t < T && roll.at(static_cast<std::size_t>(t * K + k)) > 0.5;
  };
  Track track;
  const double microseconds = std::round(60e6 / o.tempo);  // in a quarter note
  track.event("\xFF\x51\x03" + big_endian(static_cast<std::uint32_t>(microseconds), 3));
  track.event(std::string{'\xC0', static_cast<char>(o.instrument)});
  for (std::int64_t t = 0; t <= T; ++t) {
    if (t > 0) track.wait(ticks_per_step);
    for (std::int64_t k = 0; k < K; ++k)
      if (sounds(t - 1, k) && !sounds(t, k)) track.event(0x80, o.lowest_key + static_cast<int>(k), 64);
    for (std::int64_t k = 0; k < K; ++k)
      if (!sounds(t - 1, k) && sounds(t, k))
        track.event(0x90, o.lowest_key + static_cast<int>(k), o.velocity);
  }
  track.event("\xFF\x2F\x00"sv);

  const std::uint32_t ticks_per_quarter = ticks_per_step * static_cast<std::uint32_t>(o.steps_per_quarter);
  return "MThd" + big_endian(6, 4) + big_endian(0, 2) + big_endian(1, 2) + big_endian(ticks_per_quarter, 2) +
         "MTrk" + big_endian(static_cast<std::uint32_t>(track.bytes().size()), 4) + track.bytes();
}

void write_midi(const std::string& path, const Tensor& roll, const MidiOptions& options) {
  write_file(path, encode_midi(roll, options));
}

}  // namespace spool
