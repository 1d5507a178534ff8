// The threads of runs: how many there are, where they are, and that results do not depend on them.
#include <spool/graph/run/divide.hpp>
#include <spool/graph/run/team.hpp>
#include <spool/spool.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "catch.hpp"
#include "sanitizers.hpp"
#include "small_models.hpp"

using namespace spool;

TEST_CASE("the same bits with any number of threads, and when two tapes run at once") {
  // Large enough to be shared out: a run below some microseconds stays on one thread.
  const auto results = [](int n) {
    set_threads(n);
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48, .layers = 2, .dropout = 0.1}, 7, 33);
    tape.run(wanted);
    std::vector<std::vector<double>> values;
    for (const Var v : wanted) values.push_back(tape.read(v).doubles());
    return values;
  };
  const auto alone = results(1);
  for (const int n : {2, 3, 4}) {
    INFO(n << " threads");
    CHECK(results(n) == alone);
  }
  std::vector<std::vector<double>> beside;
  std::thread other([&] { beside = results(2); });
  const auto here = results(2);
  other.join();
  CHECK(here == alone);
  CHECK(beside == alone);
  set_threads(0);
}

TEST_CASE("threads of a run leave a processor that another of them is on") {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  if (CPU_COUNT(&allowed) < 2) {
    WARN("skipped: there is one processor");
    return;
  }
  run::Team team(2);
  bool apart = false;
  for (int i = 0; i < 100 && !apart; ++i) {  // other programs may push them together again
    std::array<int, 2> at{};
    const std::function<void(int)> look = [&](int thread) {
      at[static_cast<std::size_t>(thread)] = sched_getcpu();
    };
    team.run(look);
    cpu_set_t that = {};
    CPU_SET(static_cast<std::size_t>(at[1]), &that);
    sched_setaffinity(0, sizeof that, &that);  // the caller joins the other thread
    team.run(look);
    sched_setaffinity(0, sizeof allowed, &allowed);
    apart = at[0] != at[1];
  }
  CHECK(apart);
}

TEST_CASE("a process that was forked has threads of its own") {
#ifdef SPOOL_THREAD_SANITIZER
  WARN("skipped: the thread sanitizer ends programs that start threads after a fork");
  return;
#endif
  set_threads(3);
  const auto run = [] {
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48}, 7, 33);
    tape.run(wanted);
    return tape.value(wanted.back());
  };
  const double here = run();
  const pid_t child = fork();
  if (child == 0) _exit(run() == here ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  set_threads(0);
}

TEST_CASE("a run makes do with the threads that the system gives") {
#if defined(SPOOL_THREAD_SANITIZER) || defined(SPOOL_ADDRESS_SANITIZER)
  WARN("skipped: sanitizers need address space of their own");
  return;
#endif
  const auto run = [] {
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48}, 7, 33);
    tape.run(wanted);
    CHECK(tape.run_stats().fallbacks == 0);
    return tape.value(wanted.back());
  };
  const double here = run();
  const pid_t child = fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<std::size_t>(getpagesize()) + (std::size_t{200} << 20);
    const rlimit limit{most, most};  // room for the stacks of some threads
    setrlimit(RLIMIT_AS, &limit);
    set_threads(500);
    _exit(run() == here ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("all pieces of work are done with any number of threads, and the first that fails says why") {
  for (const int threads : {1, 2, 3})
    for (const std::size_t least : {std::size_t{2}, std::size_t{100}}) {
      INFO(threads << " threads, for " << least << " pieces or more");
      set_threads(threads);
      std::array<int, 20> calls{};
      const auto work = [&](std::size_t piece) {
        ++calls[piece];
        if (piece % 7 == 5) throw std::runtime_error("piece " + std::to_string(piece));
      };
      CHECK_THROWS_WITH(run::share(calls.size(), least, work), "piece 5");
      CHECK(std::ranges::count(calls, 1) == 20);
      CHECK_NOTHROW(run::share(5, least, work));
      CHECK_NOTHROW(run::share(0, least, work));
    }
  set_threads(0);
}

TEST_CASE("threads are counted from one") {
  CHECK_THROWS_WITH(set_threads(-1), "set_threads: -1 threads; they must be 1 to 1024, or 0 for the default");
  CHECK_THROWS_WITH(set_threads(1025),
                    "set_threads: 1025 threads; they must be 1 to 1024, or 0 for the default");
  set_threads(3);
  CHECK(threads() == 3);
  set_threads(0);
  CHECK(threads() >= 1);
}
