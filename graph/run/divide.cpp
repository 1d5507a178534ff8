#include <spool/graph/run/divide.hpp>
#include <spool/graph/run/lease.hpp>
#include <spool/graph/run/threads.hpp>

#include <exception>
#include <mutex>

namespace spool::run {

namespace {

// What the piece of the lowest number threw.
class First {
 public:
  /// Keeps the exception that is being handled.
  void keep(std::size_t piece) {
    const std::scoped_lock lock(mutex_);
    if (what_ != nullptr && piece_ < piece) return;
    piece_ = piece;
    what_ = std::current_exception();
  }
  void rethrow() const {
    if (what_ != nullptr) std::rethrow_exception(what_);
  }

 private:
  std::mutex mutex_;
  std::size_t piece_ = 0;
  std::exception_ptr what_;
};

}  // namespace

void share(std::size_t pieces, std::size_t least, const std::function<void(std::size_t)>& piece) {
  First failure;
  const auto take = [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      try {
        piece(p);
      } catch (...) {
        failure.keep(p);
      }
    }
  };
  if (pieces < least) {
    take(0, pieces);
  } else {
    const Lease lease(threads());
    const auto n = static_cast<std::size_t>(lease.team() == nullptr ? 1 : lease.team()->size());
    const auto work = [&](int thread) {
      const auto t = static_cast<std::size_t>(thread);
      take(pieces * t / n, pieces * (t + 1) / n);
    };
    lease.team() == nullptr ? work(0) : lease.team()->run(std::ref(work));
  }
  failure.rethrow();
}

}  // namespace spool::run
