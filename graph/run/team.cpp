#include <spool/graph/run/team.hpp>

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

}  // namespace

Team::Team(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { serve(i); });
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
    (*work_)(index);
    busy_.fetch_sub(1, std::memory_order_release);
  }
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
