#include <spool/optim/catch_interrupt.hpp>

#include <signal.h>

#include <atomic>
#include <mutex>

namespace spool {

namespace {

std::atomic<bool> was_caught{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch no other atomics");

std::mutex mutex;         // of what follows, which the handler only reads
int alive = 0;            // objects
struct sigaction before;  // what SIGINT did before the first of them

void on_interrupt(int) {
  if (!was_caught.exchange(true)) return;
  ::sigaction(SIGINT, &before, nullptr);
  ::raise(SIGINT);  // comes when this handler returns
}

bool is_plain(const struct sigaction& action, void (*handler)(int)) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}

}  // namespace

CatchInterrupt::CatchInterrupt() {
  const std::lock_guard lock(mutex);
  if (alive++ > 0) return;
  was_caught = false;
  ::sigaction(SIGINT, nullptr, &before);
  if (is_plain(before, SIG_IGN)) return;
  struct sigaction ours {};
  ours.sa_handler = on_interrupt;
  ours.sa_flags = SA_RESTART;
  ::sigemptyset(&ours.sa_mask);
  ::sigaction(SIGINT, &ours, nullptr);
}

CatchInterrupt::~CatchInterrupt() {
  const std::lock_guard lock(mutex);
  if (--alive > 0) return;
  struct sigaction now {};
  ::sigaction(SIGINT, nullptr, &now);
  if (is_plain(now, on_interrupt)) ::sigaction(SIGINT, &before, nullptr);
}

bool CatchInterrupt::caught() const { return was_caught; }

}  // namespace spool
