#include <spool/graph/error.hpp>
#include <spool/io/log_mel.hpp>

#include <fmt/format.h>
#include <kissfft/kiss_fftr.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <numbers>
#include <vector>

namespace spool {

namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw ShapeError("log_mel: " + what);
}

double top_frequency(const LogMelOptions& o) {
  return o.f_max == 0 ? static_cast<double>(o.sample_rate) / 2 : o.f_max;
}

void check(const LogMelOptions& o) {
  require(o.sample_rate >= 1, fmt::format("sample_rate must be at least 1 Hz, not {}", o.sample_rate));
  require(o.n_fft >= 2 && o.n_fft % 2 == 0 && o.n_fft <= 1 << 24,
          fmt::format("n_fft must be even, from 2 to 2^24, not {}", o.n_fft));
  require(o.win_length >= 1 && o.win_length <= o.n_fft,
          fmt::format("win_length must lie in 1..n_fft = {}, not {}", o.n_fft, o.win_length));
  require(o.hop_length >= 1, fmt::format("hop_length must be at least 1, not {}", o.hop_length));
  require(o.n_mels >= 1 && o.n_mels <= 1 << 20, fmt::format("n_mels must be at least 1, not {}", o.n_mels));
  const double top = top_frequency(o), nyquist = static_cast<double>(o.sample_rate) / 2;
  require(o.f_min >= 0 && o.f_min < top && top <= nyquist,
          fmt::format("f_min {} and f_max {} must be in order, within 0..{} Hz", o.f_min, top, nyquist));
  require(o.floor > 0 && std::isfinite(o.floor), fmt::format("floor must be positive, not {}", o.floor));
}

// Where the n_mels + 2 corners of the triangles are, in Hz.
std::vector<double> corners(const LogMelOptions& o) {
  const double low = hz_to_mel(o.f_min, o.mel_scale), high = hz_to_mel(top_frequency(o), o.mel_scale);
  std::vector<double> hz;
  for (std::int64_t i = 0; i < o.n_mels + 2; ++i)
    hz.push_back(mel_to_hz(std::lerp(low, high, static_cast<double>(i) / static_cast<double>(o.n_mels + 1)),
                           o.mel_scale));
  return hz;
}

// The samples with what stands around them.
std::vector<float> padded(const Tensor& samples, const LogMelOptions& o) {
  require(samples.shape().rank() == 1,
          fmt::format("samples must be a vector [N], not {}; see Audio::mono", samples.shape().text()));
  const Tensor values = samples.to(DType::f32);
  const auto x = values.as<float>();
  require(std::ranges::all_of(x, [](float v) { return std::isfinite(v); }), "samples must be finite numbers");
  const std::int64_t n = std::ssize(x), around = o.pad == FramePad::none ? 0 : o.n_fft / 2;
  const std::int64_t needed = o.pad == FramePad::none ? o.n_fft : o.pad == FramePad::zeros ? 1 : around + 1;
  require(n >= needed, fmt::format("{} samples are too few: {} are needed", n, needed));
  std::vector<float> out(static_cast<std::size_t>(n + 2 * around));
  for (std::int64_t i = -around; i < n + around; ++i) {
    const std::int64_t from = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    if (from == i || o.pad == FramePad::reflect)
      out[static_cast<std::size_t>(i + around)] = x[static_cast<std::size_t>(from)];
  }
  return out;
}

struct Free {
  void operator()(void* p) const { kiss_fftr_free(p); }
};

}  // namespace

Tensor window_samples(WindowShape kind, std::int64_t n) {
  require(n >= 1, fmt::format("a window has at least one sample, not {}", n));
  Tensor out(Shape{n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    const double value = kind == WindowShape::hann      ? 0.5 - 0.5 * std::cos(phase)
                         : kind == WindowShape::hamming ? 0.54 - 0.46 * std::cos(phase)
                         : kind == WindowShape::blackman
                             ? 0.42 - 0.5 * std::cos(phase) + 0.08 * std::cos(2 * phase)
                             : 1;
    out.as<double>()[static_cast<std::size_t>(i)] = value;
  }
  return out;
}

double hz_to_mel(double hz, MelScale scale) {
  if (scale == MelScale::htk) return 2595 * std::log10(1 + hz / 700);
  return hz < 1000 ? 3 * hz / 200 : 15 + 27 * std::log(hz / 1000) / std::log(6.4);
}

double mel_to_hz(double mel, MelScale scale) {
  if (scale == MelScale::htk) return 700 * (std::pow(10, mel / 2595) - 1);
  return mel < 15 ? 200 * mel / 3 : 1000 * std::exp(std::log(6.4) * (mel - 15) / 27);
}

Tensor mel_frequencies(const LogMelOptions& options) {
  check(options);
  const std::vector<double> hz = corners(options);
  return Tensor(Shape{options.n_mels}, std::vector<double>(hz.begin() + 1, hz.end() - 1));
}

Tensor mel_filters(const LogMelOptions& options) {
  check(options);
  const std::vector<double> hz = corners(options);
  const std::int64_t bins = options.n_fft / 2 + 1;
  Tensor out(Shape{options.n_mels, bins}, DType::f64);
  const auto weights = out.as<double>();
  for (std::size_t m = 0, i = 0; m + 2 < hz.size(); ++m)
    for (std::int64_t k = 0; k < bins; ++k, ++i) {
      const double f = static_cast<double>(k * options.sample_rate) / static_cast<double>(options.n_fft);
      const double up = (f - hz[m]) / (hz[m + 1] - hz[m]), down = (hz[m + 2] - f) / (hz[m + 2] - hz[m + 1]);
      weights[i] = std::max(0.0, std::min(up, down)) * (options.area_norm ? 2 / (hz[m + 2] - hz[m]) : 1);
    }
  return out;
}

Tensor power_spectrogram(const Tensor& samples, const LogMelOptions& options) {
  check(options);
  const std::vector<float> x = padded(samples, options);
  const auto n = static_cast<std::size_t>(options.n_fft), bins = n / 2 + 1;
  const auto hop = static_cast<std::size_t>(options.hop_length), frames = 1 + (x.size() - n) / hop;
  const Tensor shape_of_window = window_samples(options.window, options.win_length);
  const auto through = shape_of_window.as<double>();
  const std::size_t before = (n - through.size()) / 2;

  const std::unique_ptr<kiss_fftr_state, Free> fft(
      kiss_fftr_alloc(static_cast<int>(n), /*inverse=*/0, nullptr, nullptr));
  if (!fft) throw std::bad_alloc();
  std::vector<float> frame(n);
  std::vector<kiss_fft_cpx> spectrum(bins);
  Tensor out(Shape{static_cast<std::int64_t>(frames), static_cast<std::int64_t>(bins)});
  auto power = out.as<float>().begin();
  for (std::size_t t = 0; t < frames; ++t) {
    for (std::size_t i = 0; i < through.size(); ++i)
      frame[before + i] = x[t * hop + before + i] * static_cast<float>(through[i]);
    kiss_fftr(fft.get(), frame.data(), spectrum.data());
    for (const kiss_fft_cpx c : spectrum) *power++ = c.r * c.r + c.i * c.i;
  }
  return out;
}

Tensor log_mel(const Tensor& samples, const LogMelOptions& options) {
  const Tensor power = power_spectrogram(samples, options), filters = mel_filters(options);
  const std::int64_t frames = power.shape()[0], bins = power.shape()[1];
  Tensor out(Shape{frames, options.n_mels});
  auto to = out.as<float>().begin();
  for (std::int64_t t = 0; t < frames; ++t)
    for (std::int64_t m = 0; m < options.n_mels; ++m) {
      const auto p =
          power.as<float>().subspan(static_cast<std::size_t>(t * bins), static_cast<std::size_t>(bins));
      const auto w =
          filters.as<double>().subspan(static_cast<std::size_t>(m * bins), static_cast<std::size_t>(bins));
      double sum = 0;
      for (std::size_t k = 0; k < p.size(); ++k) sum += static_cast<double>(p[k]) * w[k];
      *to++ = static_cast<float>(std::log(std::max(sum, options.floor)));
    }
  return out;
}

}  // namespace spool
