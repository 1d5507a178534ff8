// Failure: the first exception among threads that work together, for the one that waits for them.
#pragma once

#include <atomic>
#include <exception>

namespace spool::run {

class Failure {
 public:
  bool happened() const { return happened_.load(std::memory_order_relaxed); }
  /// Keeps the exception that is being handled, if it is the first.
  void keep() {
    if (!claimed_.exchange(true)) {
      what_ = std::current_exception();
      happened_.store(true, std::memory_order_release);
    }
  }
  void rethrow() const {
    if (happened_.load(std::memory_order_acquire)) std::rethrow_exception(what_);
  }

 private:
  std::atomic<bool> claimed_{false}, happened_{false};
  std::exception_ptr what_;
};

}  // namespace spool::run
