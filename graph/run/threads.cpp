#include <spool/graph/error.hpp>
#include <spool/graph/run/lease.hpp>
#include <spool/graph/run/threads.hpp>

#include <fmt/format.h>

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace spool {

namespace {

constexpr int most_threads = 1024;  // more would take the system's last ones

int read_default() {
  if (const char* text = std::getenv("SPOOL_THREADS"); text != nullptr) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > most_threads)
      throw TapeError(
          fmt::format("SPOOL_THREADS is \"{}\"; it must be a number from 1 to {}", text, most_threads));
    return static_cast<int>(n);
  }
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

std::atomic<int> wanted = 0;  // 0: the default
// Whoever has the claim has these.
std::unique_ptr<run::Team> the_team;
int team_threads = 0;    // as asked for: the system may have given fewer
pid_t team_process = 0;  // a process that was forked has the team's memory, but not its threads

}  // namespace

void set_threads(int n) {
  if (n < 0 || n > most_threads)
    throw TapeError(
        fmt::format("set_threads: {} threads; they must be 1 to {}, or 0 for the default", n, most_threads));
  wanted = n;
}

int threads() {
  static const int by_default = read_default();
  const int n = wanted;
  return n > 0 ? n : by_default;
}

namespace run {

Lease::Claim Lease::claim_;

// A program may end within a run: a function that records, or an op, calls exit(). Then the team is not
// waited for, since the thread that ends the program may be one of it.
Lease::AtExit::~AtExit() {
  if (claim_.taken) static_cast<void>(the_team.release());
}
const Lease::AtExit Lease::at_exit_;

Lease::Lease(int threads) : lock_(claim_, std::try_to_lock) {
  if (!lock_.owns_lock() || threads == 1) return;
  if (the_team != nullptr && team_process != getpid()) static_cast<void>(the_team.release());
  if (the_team == nullptr || team_threads != threads) {
    the_team.reset();
    team_process = getpid();
    team_threads = threads;
    the_team = std::make_unique<Team>(threads);
  }
  team_ = the_team.get();
}

}  // namespace run

}  // namespace spool
