// Tensor: an array of numbers in host memory, float or double, row-major. What goes into a tape (inputs,
// parameters) and what comes out (values, gradients). It does no arithmetic: that is what a tape is for.
#pragma once

#include <spool/graph/shape.hpp>

#include <cstddef>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace spool {

enum class DType : std::uint8_t { f32, f64 };
std::string_view name(DType dtype);  ///< "f32" or "f64"

namespace detail {

/// Gives memory that begins on a cache line: vector code takes up to twice as long for loads that straddle
/// two.
template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t line{64};

  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new(n * sizeof(T), line));
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, line); }
  friend bool operator==(LineAllocator, LineAllocator) { return true; }
};

}  // namespace detail

class Tensor {
 public:
  Tensor() : Tensor(Shape{}) {}                                   ///< A scalar 0.
  explicit Tensor(const Shape& shape, DType dtype = DType::f32);  ///< Zeros.
  /// Row-major values. Throws ShapeError when their number is not shape.size().
  Tensor(const Shape& shape, std::span<const double> values, DType dtype = DType::f32);
  Tensor(const Shape& shape, std::initializer_list<double> values, DType dtype = DType::f32);
  Tensor(const Shape& shape, const std::vector<float>& values);
  Tensor(const Shape& shape, const std::vector<double>& values);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return data_.index() == 0 ? DType::f32 : DType::f64; }
  std::size_t size() const;

  /// The elements; T is float or double and must be this tensor's dtype (else TapeError).
  template <class T>
  std::span<T> as();
  template <class T>
  std::span<const T> as() const;

  double at(std::size_t flat_index) const;  ///< Throws ShapeError past the end.
  void set(std::size_t flat_index, double value);
  double item() const;  ///< The only element; ShapeError when there is not exactly one.

  Tensor to(DType dtype) const;
  /// Becomes a tensor of this shape, of its own dtype, with elements yet to be set; in the memory it has,
  /// where that is enough.
  void resize(const Shape& shape);
  /// Becomes a copy of another one, as numbers of its own dtype; in the memory it has, likewise.
  void assign(const Tensor& from);
  Tensor reshaped(const Shape& shape) const;  ///< Same elements; ShapeError when the count differs.
  std::vector<double> doubles() const;

  /// Calls f with a std::span of the elements, of float or of double.
  template <class F>
  decltype(auto) visit(F&& f) {
    return std::visit([&](auto& v) -> decltype(auto) { return f(std::span(v)); }, data_);
  }
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit([&](const auto& v) -> decltype(auto) { return f(std::span(v)); }, data_);
  }

  /// Same dtype, shape and elements (NaN differs from NaN).
  friend bool operator==(const Tensor& a, const Tensor& b) = default;

 private:
  template <class T>
  using Elements = std::vector<T, detail::LineAllocator<T>>;

  Shape shape_;
  std::variant<Elements<float>, Elements<double>> data_;
};

}  // namespace spool
