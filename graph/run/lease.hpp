// Lease: the process's team of threads for one run. Empty when there is to be one thread, or another run has
// the team.
#pragma once

#include <spool/graph/run/team.hpp>

#include <mutex>

namespace spool::run {

class Lease {
 public:
  explicit Lease(int threads);
  Team* team() const { return team_; }

 private:
  std::unique_lock<std::mutex> lock_;
  Team* team_ = nullptr;
};

}  // namespace spool::run
