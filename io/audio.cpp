#include <spool/graph/error.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/audio.hpp>
#include <spool/io/file.hpp>

#include <fmt/format.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

namespace spool {

namespace {

// A file in memory, for libsndfile to read and write.
struct Memory {
  std::string bytes = {};
  std::size_t at = 0;
};

sf_count_t length(void* m) { return std::ssize(static_cast<Memory*>(m)->bytes); }
sf_count_t tell(void* m) { return static_cast<sf_count_t>(static_cast<Memory*>(m)->at); }

sf_count_t seek(sf_count_t offset, int whence, void* m) {
  const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? tell(m) : length(m);
  static_cast<Memory*>(m)->at = static_cast<std::size_t>(std::max<sf_count_t>(0, from + offset));
  return tell(m);
}

sf_count_t read(void* to, sf_count_t count, void* m) {
  auto& [bytes, at] = *static_cast<Memory*>(m);
  if (at >= bytes.size() || count <= 0) return 0;
  const std::size_t n = std::min(static_cast<std::size_t>(count), bytes.size() - at);
  std::memcpy(to, bytes.data() + at, n);
  at += n;
  return static_cast<sf_count_t>(n);
}

sf_count_t write(const void* from, sf_count_t count, void* m) {
  auto& [bytes, at] = *static_cast<Memory*>(m);
  const auto n = static_cast<std::size_t>(count);
  if (bytes.size() < at + n) bytes.resize(at + n);
  std::memcpy(bytes.data() + at, from, n);
  at += n;
  return count;
}

struct Close {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using File = std::unique_ptr<SNDFILE, Close>;

File open(Memory& memory, int mode, SF_INFO& info) {
  SF_VIRTUAL_IO io{length, seek, read, write, tell};
  return File(sf_open_virtual(&io, mode, &info, &memory));
}

// libsndfile reads a WAV file that was cut as if it had been shorter. Its header says how long it was;
// writers that could not know say 0 or all ones.
void check_length(const std::string& path, const std::string& bytes) {
  if (!bytes.starts_with("RIFF") || bytes.size() < 8) return;
  std::uint64_t said = 0;
  for (std::size_t i = 4; i < 8; ++i)
    said |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * (i - 4));
  if (said != 0 && said != 0xFFFFFFFF && said + 8 > bytes.size() + 1)  // a last byte of padding may be absent
    fail_file(path,
              fmt::format("is truncated: it has {} bytes, and its header says {}", bytes.size(), said + 8));
}

}  // namespace

double Audio::seconds() const {
  return static_cast<double>(samples.shape()[0]) / static_cast<double>(sample_rate);
}

Tensor Audio::mono() const {
  const std::int64_t N = samples.shape()[0], channels = samples.shape()[1];
  Tensor out(Shape{N});
  const auto from = samples.as<float>();
  for (std::size_t i = 0, k = 0; i < out.size(); ++i) {
    float sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += from[k++];
    out.as<float>()[i] = sum / static_cast<float>(channels);
  }
  return out;
}

Audio read_audio(const std::string& path) {
  Memory memory{read_file(path)};
  if (memory.bytes.empty()) fail_file(path, "is empty");
  check_length(path, memory.bytes);
  SF_INFO info{};
  const File file = open(memory, SFM_READ, info);
  if (!file) fail_file(path, fmt::format("is not a sound file, or is damaged: {}", sf_strerror(nullptr)));
  if (info.frames <= 0) fail_file(path, "has no samples");
  // Block by block: what the header says of the length may be wrong.
  constexpr std::size_t block = 1 << 16;
  const auto channels = static_cast<std::size_t>(info.channels);
  std::vector<float> samples;
  for (std::size_t got = block; got == block;) {
    const std::size_t had = samples.size();
    samples.resize(had + block * channels);
    got = static_cast<std::size_t>(
        std::max<sf_count_t>(0, sf_readf_float(file.get(), samples.data() + had, block)));
    samples.resize(had + got * channels);
  }
  const std::int64_t frames = std::ssize(samples) / info.channels;
  if (frames != info.frames)
    fail_file(path, fmt::format("is truncated or damaged: it has {} of its {} samples", frames, info.frames));
  if (!std::ranges::all_of(samples, [](float v) { return std::isfinite(v); }))
    fail_file(path, "has samples that are not finite numbers");
  return {Tensor(Shape{frames, info.channels}, samples), info.samplerate};
}

void write_wav(const std::string& path, const Tensor& samples, std::int64_t sample_rate) {
  const Shape& shape = samples.shape();
  const std::int64_t channels = shape.rank() == 2 ? shape[1] : 1;
  if ((shape.rank() != 1 && shape.rank() != 2) || shape.size() == 0 || channels > 1024)
    throw ShapeError(fmt::format("sound is [N] or [N, channels] with samples, not {}", shape.text()));
  if (sample_rate < 1 || sample_rate > std::numeric_limits<int>::max())
    throw ShapeError(fmt::format("a sample rate is a positive number of Hz, not {}", sample_rate));
  std::vector<short> words;
  for (const double v : samples.doubles()) {
    if (std::isnan(v)) throw ShapeError("sound can't be NaN");
    words.push_back(static_cast<short>(std::lround(std::clamp(v * 32768, -32768.0, 32767.0))));
  }
  Memory memory;
  SF_INFO info{};
  info.samplerate = static_cast<int>(sample_rate);
  info.channels = static_cast<int>(channels);
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  {
    const File file = open(memory, SFM_WRITE, info);
    if (!file || sf_writef_short(file.get(), words.data(), shape[0]) != shape[0])
      fail_file(path, fmt::format("can't be written: {}", sf_strerror(file.get())));
  }
  write_file(path, memory.bytes);
}

}  // namespace spool
