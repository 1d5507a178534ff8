// Memory: an array on cache-line boundaries that is not initialised, and grows when more is asked for.
#pragma once

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace spool::run {

template <class T>
class Memory {
 public:
  /// At least n elements; what was in it is lost when it grows.
  void reserve(std::size_t n) {
    if (n <= size_) return;
    data_.reset();
    size_ = 0;  // if there is no more
    data_.reset(static_cast<T*>(::operator new(n * sizeof(T), alignment)));
    size_ = n;
#if defined(MADV_HUGEPAGE)
    // Pages of 2 MB spare the processor most of its address translation; a wish, that the system may refuse.
    const auto begin = reinterpret_cast<std::uintptr_t>(data_.get()), end = begin + n * sizeof(T);
    constexpr std::uintptr_t page = 4096;
    const std::uintptr_t first = (begin + page - 1) / page * page;
    if (end > first + (std::uintptr_t{1} << 22))
      madvise(reinterpret_cast<void*>(first), (end - first) / page * page, MADV_HUGEPAGE);
#endif
  }
  T* data() const { return data_.get(); }
  std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Delete {
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T, Delete> data_;
  std::size_t size_ = 0;
};

}  // namespace spool::run
