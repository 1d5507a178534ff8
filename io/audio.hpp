// Sound files, through libsndfile: WAV first of all, and what else that library reads (FLAC, AIFF, AU, Ogg).
// Not here: changing the sample rate; features (log_mel.hpp).
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>

namespace spool {

struct Audio {
  Tensor samples = {};           ///< [N, channels] f32; full scale is -1..1
  std::int64_t sample_rate = 0;  ///< samples a second (Hz)

  double seconds() const;
  Tensor mono() const;  ///< [N]: the mean of the channels
};

/// Whole numbers of b bits are divided by 2^(b-1). Throws FileError "path: what is wrong" when the file is
/// missing, unreadable, empty, no sound file, truncated (for WAV: when it is shorter than its header says),
/// has no samples, or samples that are not finite.
Audio read_audio(const std::string& path);

/// A WAV file of 16 bits, written in one step (see AtomicFile); samples [N] or [N, channels], cut off at full
/// scale. Throws FileError when it can't be written, and ShapeError for other shapes, no samples, NaN, or a
/// sample rate that is not positive.
void write_wav(const std::string& path, const Tensor& samples, std::int64_t sample_rate);

}  // namespace spool
