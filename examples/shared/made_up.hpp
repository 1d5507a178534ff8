// What programs make up to learn from when they are given no data. It is no part of the library.
#pragma once

#include <spool/spool.hpp>

#include <string>
#include <utility>
#include <vector>

namespace examples {

/// A finger that rests, goes round to the right or to the left, or away: [16,2].
spool::Tensor made_up_track(int gesture, spool::Philox& random);

/// A disc, a ring, a square or its frame, somewhere, in noise: [28,28].
spool::Tensor made_up_picture(int kind, spool::Philox& random);

/// Two tones in noise, and a pause, 8000 samples a second: digits 2k and 2k + 1 have the same two in opposite
/// order.
spool::Tensor made_up_tones(int digit, spool::Philox& random);

/// Slopes of any steepness, each up to 1 and then down to 0 at once, and noise: 2,000 steps.
std::vector<double> made_up_series();

/// A day of four centuries as people write it, and as ISO 8601 does: {"5 March 1999", "1999-03-05"}.
std::pair<std::string, std::string> made_up_date(spool::Philox& random);

}  // namespace examples
