#include <spool/graph/run/divide.hpp>
#include <spool/graph/run/failure.hpp>
#include <spool/graph/run/lease.hpp>
#include <spool/graph/run/threads.hpp>

namespace spool::run::detail {

namespace {
constexpr std::size_t least_shared = 8;  // pieces: tens of microseconds
}

void share(std::size_t pieces, const std::function<void(std::size_t)>& piece) {
  const Lease lease(pieces < least_shared ? 1 : threads());
  if (lease.team() == nullptr) {
    for (std::size_t p = 0; p < pieces; ++p) piece(p);
    return;
  }
  const auto n = static_cast<std::size_t>(lease.team()->size());
  Failure failure;
  const auto work = [&](int thread) {
    const auto t = static_cast<std::size_t>(thread);
    try {
      for (std::size_t p = pieces * t / n; p < pieces * (t + 1) / n; ++p) piece(p);
    } catch (...) {
      failure.keep();
    }
  };
  lease.team()->run(std::ref(work));
  failure.rethrow();
}

}  // namespace spool::run::detail
