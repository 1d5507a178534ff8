// Team: threads that work on one run together. They wait by spinning for a moment, since the steps of a run
// follow each other within microseconds, and sleep between runs. No two share a processor while others are
// free; they are not tied to any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace spool::run {

class Team {
 public:
  /// Of fewer threads where the system gives no more.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  /// Calls work(0) here and work(1), work(2), ... in the other threads; returns when all have returned. work
  /// must not throw. One caller at a time.
  void run(const std::function<void(int)>& work);
  /// Waits until every thread of the team is here.
  void barrier();

 private:
  void serve(int index);
  void settle(std::size_t index);

  std::vector<std::thread> workers_;
  std::vector<std::atomic<int>> processors_;  // where each thread began the last call; -1: not yet known
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> calls_{0};
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};
  alignas(64) std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace spool::run
