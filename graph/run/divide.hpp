// share and divide: loops in pieces for the threads that runs have (set_threads). Pieces depend on sizes
// only: what is summed up for each of them has the same bits however many threads there are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

namespace spool::run {

/// Calls piece(p) for each p < pieces, each thread for neighbours; fewer than `least` are this thread's
/// alone. All are called even when some throw; then the exception of the first of those, by number, is
/// thrown.
void share(std::size_t pieces, std::size_t least, const std::function<void(std::size_t)>& piece);

constexpr std::size_t most_pieces = 256;
constexpr std::size_t least_piece = 1 << 13;    // elements
constexpr std::size_t least_shared_pieces = 8;  // tens of microseconds

/// Takes `arrays` arrays of size(0), size(1), ... elements as one row, and calls part(piece, array, begin,
/// end) for all of it. Parts of a piece come in order in one thread, and pieces, fewer than most_pieces or as
/// many, in any order. Does not allocate.
template <class Size, class Part>
void divide(std::size_t arrays, const Size& size, const Part& part) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < arrays; ++i) total += size(i);
  const std::size_t each = std::max(least_piece, (total + most_pieces - 1) / most_pieces);
  const auto piece = [&](std::size_t p) {
    const std::size_t begin = p * each, end = std::min(begin + each, total);
    std::size_t before = 0;
    for (std::size_t i = 0; i < arrays && before < end; before += size(i), ++i) {
      const std::size_t from = std::max(begin, before) - before, to = std::min(end - before, size(i));
      if (from < to) part(p, i, from, to);
    }
  };
  share((total + each - 1) / each, least_shared_pieces, std::ref(piece));
}

}  // namespace spool::run
