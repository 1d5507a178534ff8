// Ctrl-C as a wish that trainings come to an end, instead of the end of the program. Only optim/*.cpp include
// this.
//
// Invariant: the handler is installed as long as any of these lives, on whatever thread; the last one to go
// restores the handler that was there before the first.
#pragma once

namespace spool {

class CatchInterrupt {
 public:
  /// A SIGINT that is ignored, as of a program started with nohup, stays ignored.
  CatchInterrupt();
  ~CatchInterrupt();
  CatchInterrupt(const CatchInterrupt&) = delete;
  CatchInterrupt& operator=(const CatchInterrupt&) = delete;

  /// Whether there was a Ctrl-C. A second one goes to the handler that was there before.
  bool caught() const;
};

}  // namespace spool
