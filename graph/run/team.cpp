#include <spool/graph/run/team.hpp>

#include <sched.h>

#include <algorithm>
#include <exception>
#include <span>

namespace spool::run {

namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins while `value` is `old`; after a while gives the core away, in case the one waited for needs it.
void spin_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; value.load(std::memory_order_acquire) == old; ++i) {
    if (i < 4000)
      relax();
    else
      std::this_thread::yield();
  }
}

// Moves this thread to another processor that it may use and that is not among `taken`; it stays free to be
// moved again.
void leave_for_another(std::span<const std::atomic<int>> taken) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  for (const std::atomic<int>& cpu : taken)
    if (cpu >= 0) CPU_CLR(static_cast<std::size_t>(cpu), &others);
  if (CPU_COUNT(&others) == 0) return;
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

}  // namespace

Team::Team(int threads) : processors_(static_cast<std::size_t>(threads)) {
  for (std::atomic<int>& p : processors_) p = -1;
  workers_.reserve(processors_.size());
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { serve(i); });
  } catch (const std::exception&) {  // those that there are will do
  }
}

Team::~Team() {
  stop_ = true;
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void Team::run(const std::function<void(int)>& work) {
  if (workers_.empty()) return work(0);
  work_ = &work;
  processors_[0] = sched_getcpu();
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  work(0);
  for (int i = 0; busy_.load(std::memory_order_acquire) != 0; ++i)
    i < 4000 ? relax() : std::this_thread::yield();
}

void Team::serve(int index) {
  std::uint32_t served = 0;
  for (;;) {
    for (int i = 0; i < 20000 && calls_.load(std::memory_order_acquire) == served; ++i) relax();
    calls_.wait(served, std::memory_order_acquire);
    served = calls_.load(std::memory_order_acquire);
    if (stop_) return;
    settle(static_cast<std::size_t>(index));
    (*work_)(index);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

// The system wakes a thread where its caller runs, and may leave both there for seconds.
void Team::settle(std::size_t index) {
  const int here = sched_getcpu();
  processors_[index] = here;
  const auto earlier = std::span(processors_).first(index);
  if (std::ranges::none_of(earlier, [&](const std::atomic<int>& p) { return p == here; })) return;
  leave_for_another(processors_);
  processors_[index] = sched_getcpu();
}

void Team::barrier() {
  if (workers_.empty()) return;
  const std::uint32_t phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == workers_.size()) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
  } else {
    spin_while(phase_, phase);
  }
}

}  // namespace spool::run
