// From sound to features: frames through a window, their power spectrum by KISS FFT, triangular filters on
// the mel scale, the logarithm. Names and values are those of torchaudio.transforms.MelSpectrogram and of
// librosa.feature.melspectrogram. Not here: reading sound (audio.hpp); MFCCs.
#pragma once

#include <spool/graph/tensor.hpp>

#include <cstdint>

namespace spool {

/// Periodic windows, as a spectrogram needs them (scipy.signal.get_window's default).
enum class WindowShape : std::uint8_t { hann, hamming, blackman, rectangular };

/// How Hz become mel. htk: 2595 log10(1 + f / 700) (O'Shaughnessy 1987, in the HTK book). slaney: 3 f / 200
/// below 1000 Hz, from there on 15 + 27 ln(f / 1000) / ln 6.4 (Slaney's Auditory Toolbox, 1998).
enum class MelScale : std::uint8_t { htk, slaney };

/// What stands before the first and after the last sample, n_fft / 2 of each, so that frame t has sample
/// t * hop_length in its middle; with `none` frame t begins there. torchaudio and older versions of librosa
/// reflect, newer ones of librosa take zeros.
enum class FramePad : std::uint8_t { reflect, zeros, none };

struct LogMelOptions {
  std::int64_t sample_rate = 16'000;  ///< Hz
  std::int64_t n_fft = 512;           ///< samples of a frame, an even number
  std::int64_t win_length = 400;      ///< of these, in the middle, the window lets through; 1..n_fft
  std::int64_t hop_length = 160;      ///< samples from one frame to the next
  std::int64_t n_mels = 40;           ///< filters
  double f_min = 0, f_max = 0;        ///< Hz; where filters begin and end. f_max 0: half of the sample rate
  WindowShape window = WindowShape::hann;
  MelScale mel_scale = MelScale::slaney;
  bool area_norm =
      true;  ///< each filter is divided by half its width in Hz (norm="slaney"); else its peak is 1
  FramePad pad = FramePad::reflect;
  double floor = 1e-10;  ///< powers below count as this, so that silence has a logarithm
};

/// [n], f64.
Tensor window_samples(WindowShape kind, std::int64_t n);

double hz_to_mel(double hz, MelScale scale);
double mel_to_hz(double mel, MelScale scale);

/// The middle of each filter in Hz: [n_mels], f64. ShapeError for sizes or frequencies that make no sense,
/// here and below.
Tensor mel_frequencies(const LogMelOptions& options);
/// Triangles over the bins of a spectrum: [n_mels, n_fft/2 + 1], f64. A filter narrower than the distance of
/// two bins can be empty: take fewer filters or a larger n_fft.
Tensor mel_filters(const LogMelOptions& options);

/// Squared magnitudes of the windowed frames: samples [N] -> [frames, n_fft/2 + 1] f32; bin k is at
/// k * sample_rate / n_fft Hz. There are 1 + N / hop_length frames (1 + (N - n_fft) / hop_length without
/// padding). ShapeError when the samples are no vector, NaN, or too few: 1 with zeros, n_fft / 2 + 1 to
/// reflect, n_fft without padding.
Tensor power_spectrogram(const Tensor& samples, const LogMelOptions& options);

/// ln(max(power through each filter, floor)): samples [N] -> [frames, n_mels] f32. Errors as above.
Tensor log_mel(const Tensor& samples, const LogMelOptions& options);

}  // namespace spool
