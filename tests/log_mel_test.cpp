// Log-mel features against PyTorch's stft and NumPy's filters (tests/golden/log_mel.json, which
// tools/golden_log_mel.py made), against what librosa's documentation prints, and what is refused.
#include <spool/spool.hpp>

#include <cmath>
#include <map>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

LogMelOptions options_of(const Reference& golden, const std::string& row) {
  const std::map<std::string, WindowShape> windows{{"hann", WindowShape::hann},
                                                   {"hamming", WindowShape::hamming},
                                                   {"blackman", WindowShape::blackman},
                                                   {"rectangular", WindowShape::rectangular}};
  const std::map<std::string, FramePad> pads{
      {"reflect", FramePad::reflect}, {"zeros", FramePad::zeros}, {"none", FramePad::none}};
  const auto number = [&](const char* name) { return golden.number(row + "/" + name); };
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(number(name)); };
  return {.sample_rate = whole("sample_rate"),
          .n_fft = whole("n_fft"),
          .win_length = whole("win_length"),
          .hop_length = whole("hop_length"),
          .n_mels = whole("n_mels"),
          .f_min = number("f_min"),
          .f_max = number("f_max"),
          .window = windows.at(golden.text(row + "/window")),
          .mel_scale = golden.text(row + "/mel_scale") == "htk" ? MelScale::htk : MelScale::slaney,
          .area_norm = golden.flag(row + "/area_norm"),
          .pad = pads.at(golden.text(row + "/pad"))};
}

// Every fifth row.
Tensor thinned(const Tensor& rows) {
  const std::int64_t n = (rows.shape()[0] + 4) / 5, width = rows.shape()[1];
  Tensor out(Shape{n, width}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < width; ++k)
      out.set(static_cast<std::size_t>(i * width + k), rows.at(static_cast<std::size_t>(5 * i * width + k)));
  return out;
}

std::string refusal(const Tensor& samples, const LogMelOptions& options) {
  return shape_error([&] { log_mel(samples, options); });
}

}  // namespace

TEST_CASE("spectrograms, filters and features are PyTorch's and NumPy's") {
  const Reference golden = Reference::golden("log_mel.json");
  for (int i = 0; i < 5; ++i) {
    const std::string row = std::to_string(i);
    INFO("row " << row);
    const LogMelOptions options = options_of(golden, row);
    const Tensor samples = golden.tensor(row + "/samples");
    const auto want = [&](const char* name, const Shape& shape) {
      return golden.tensor(row + "/" + name).reshaped(shape);
    };
    const Tensor filters = mel_filters(options);
    check_close("filters", filters, want("filters", filters.shape()), 1e-7);
    const Tensor power = power_spectrogram(samples, options);
    CHECK(power.shape() ==
          Shape{static_cast<std::int64_t>(golden.number(row + "/frames")), options.n_fft / 2 + 1});
    const Tensor some = thinned(power);
    check_close("power", some, want("power", some.shape()), 2e-4);
    // Floats: filters through which next to nothing of a loud tone comes (e^-22 here) have fewer digits.
    const Tensor features = log_mel(samples, options);
    check_near("log mel", features.to(DType::f64), want("log_mel", features.shape()), 3e-3);
  }
}

TEST_CASE("mel scales are those of librosa's documentation") {
  CHECK(hz_to_mel(60, MelScale::slaney) == Approx(0.9));
  CHECK(hz_to_mel(440, MelScale::slaney) == Approx(6.6));
  CHECK(mel_to_hz(3, MelScale::slaney) == Approx(200));
  CHECK(hz_to_mel(1000, MelScale::htk) == Approx(999.9855));
  for (const MelScale scale : {MelScale::htk, MelScale::slaney})
    for (const double hz : {0.0, 20.0, 999.0, 1000.0, 1001.0, 8000.0})
      CHECK(mel_to_hz(hz_to_mel(hz, scale), scale) == Approx(hz).margin(1e-9));

  // filters.mel(sr=22050, n_fft=2048): 128 filters of Slaney's kind, as printed for versions 0.7 and later.
  const LogMelOptions options{.sample_rate = 22050, .n_fft = 2048, .n_mels = 128};
  const Tensor filters = mel_filters(options);
  CHECK(filters.shape() == Shape{128, 1025});
  const std::vector<double> first{0, 0.016182853, 0.032365706, 0.028990088, 0.012807235, 0};
  const std::vector<double> second{0,           0,           0, 0.0097792358, 0.025962089, 0.035393705,
                                   0.019210852, 0.003027999, 0};
  for (std::size_t k = 0; k < first.size(); ++k) CHECK(filters.at(k) == Approx(first[k]).epsilon(1e-6));
  for (std::size_t k = 0; k < second.size(); ++k)
    CHECK(filters.at(1025 + k) == Approx(second[k]).epsilon(1e-6));
}

TEST_CASE("a tone is where its frequency says, and silence is the floor") {
  const LogMelOptions options{
      .sample_rate = 8000, .n_fft = 256, .win_length = 200, .hop_length = 80, .n_mels = 20};
  const Tensor middles = mel_frequencies(options);
  CHECK(middles.shape() == Shape{20});
  for (const std::size_t filter : {3U, 10U, 18U}) {
    Tensor tone(Shape{800});
    for (std::size_t i = 0; i < 800; ++i)
      tone.set(i, std::sin(2 * 3.14159265358979 * middles.at(filter) * static_cast<double>(i) / 8000));
    // Floats: filters through which next to nothing of a loud tone comes (e^-22 here) have fewer digits.
    const Tensor features = log_mel(tone, options);
    CHECK(features.shape() == Shape{11, 20});
    std::size_t loudest = 0;
    for (std::size_t m = 0; m < 20; ++m)
      if (features.at(5 * 20 + m) > features.at(5 * 20 + loudest)) loudest = m;
    CHECK(loudest == filter);
  }
  const Tensor silence = log_mel(Tensor(Shape{800}), options);
  CHECK(silence.at(0) == Approx(std::log(1e-10)));
}

TEST_CASE("what has no features is refused") {
  const Tensor some(Shape{1000});
  CHECK(refusal(Tensor(Shape{2, 500}), {}) ==
        "log_mel: samples must be a vector [N], not [2, 500]; see Audio::mono");
  CHECK(refusal(Tensor(Shape{256}), {}) == "log_mel: 256 samples are too few: 257 are needed");
  CHECK(refusal(Tensor(Shape{511}), {.pad = FramePad::none}) ==
        "log_mel: 511 samples are too few: 512 are needed");
  CHECK(refusal(Tensor(Shape{0}), {.pad = FramePad::zeros}) ==
        "log_mel: 0 samples are too few: 1 are needed");
  CHECK(log_mel(Tensor(Shape{1}), {.pad = FramePad::zeros}).shape() == Shape{1, 40});
  Tensor nan = some;
  nan.set(3, NAN);
  CHECK(refusal(nan, {}) == "log_mel: samples must be finite numbers");
  CHECK(refusal(some, {.sample_rate = 0}) == "log_mel: sample_rate must be at least 1 Hz, not 0");
  CHECK(refusal(some, {.n_fft = 401}) == "log_mel: n_fft must be even, from 2 to 2^24, not 401");
  CHECK(refusal(some, {.win_length = 513}) == "log_mel: win_length must lie in 1..n_fft = 512, not 513");
  CHECK(refusal(some, {.hop_length = 0}) == "log_mel: hop_length must be at least 1, not 0");
  CHECK(refusal(some, {.n_mels = 0}) == "log_mel: n_mels must be at least 1, not 0");
  CHECK(refusal(some, {.f_max = 9000}) ==
        "log_mel: f_min 0 and f_max 9000 must be in order, within 0..8000 Hz");
  CHECK(refusal(some, {.f_min = NAN}) ==
        "log_mel: f_min nan and f_max 8000 must be in order, within 0..8000 Hz");
  CHECK(refusal(some, {.floor = 0}) == "log_mel: floor must be positive, not 0");
}
