// What each kind of step of a plan does, for one thread of a team. Work is divided by rows, columns or tiles;
// which thread gets which changes no bit of a result.
#pragma once

#include <spool/graph/plan/plan.hpp>

#include <algorithm>

namespace spool::run {

/// A thread's view of a run.
template <class T>
struct Context {
  const plan::Plan& plan;
  T* const* bases;
  T* packed;
  const std::int64_t* attrs;
  RandomState random;
  T* scratch;
  int thread = 0, threads = 1;

  T* at(const plan::Ref& r) const { return bases[r.base] + r.offset; }
  Attrs attrs_at(std::uint32_t first, std::uint32_t count) const { return {attrs + first, count}; }
  /// This thread's part of n pieces of work.
  std::pair<std::int64_t, std::int64_t> share(std::int64_t n) const {
    return {n * thread / threads, n * (thread + 1) / threads};
  }
  /// All of them for the first thread, none for the others.
  std::pair<std::int64_t, std::int64_t> alone(std::int64_t n) const { return {0, thread == 0 ? n : 0}; }
};

/// Work below this many multiplications or elements is left to one thread: fetching what others computed
/// costs more.
constexpr std::int64_t least_products = 1 << 16;
constexpr std::int64_t least_elements = 1 << 11;

/// This thread's part of a step; small steps are the first thread's alone.
template <class T>
void run_step(const plan::Pack& s, const Context<T>& c);
template <class T>
void run_step(const plan::RowsProduct& s, const Context<T>& c);
template <class T>
void run_step(const plan::LongProduct& s, const Context<T>& c);
template <class T>
void run_step(const plan::Tiles& s, const Context<T>& c);
template <class T>
void run_step(const plan::EvalStep& s, const Context<T>& c);
template <class T>
void run_step(const plan::Copies& s, const Context<T>& c);

/// Elements of scratch that each thread needs for a plan.
template <class T>
std::int64_t scratch_size(const plan::Plan& plan);
/// The same for one step of tiles.
template <class T>
std::int64_t tiles_scratch(const plan::Tiles& s, const plan::TileOps& ops);

/// Elements that an op of a tile goes through, on average: what an element-wise step works on stays in the
/// first caches. A single row that must not be cut may be longer.
constexpr std::int64_t tile_size = 1024;

}  // namespace spool::run
