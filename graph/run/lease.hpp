// Lease: the process's team of threads for one run. Empty when there is to be one thread, or another run has
// the team.
#pragma once

#include <spool/graph/run/team.hpp>

#include <atomic>
#include <mutex>

namespace spool::run {

class Lease {
 public:
  explicit Lease(int threads);
  Team* team() const { return team_; }

 private:
  // Unlike a mutex, it may be tried by the thread that has it: a run within what the team works on.
  struct Claim {
    bool try_lock() { return !taken.exchange(true, std::memory_order_acquire); }
    void unlock() { taken.store(false, std::memory_order_release); }
    std::atomic<bool> taken = false;
  };
  static Claim claim_;
  struct AtExit {
    ~AtExit();
  };
  static const AtExit at_exit_;

  std::unique_lock<Claim> lock_;
  Team* team_ = nullptr;
};

}  // namespace spool::run
