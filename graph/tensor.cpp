#include <spool/graph/error.hpp>
#include <spool/graph/tensor.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

std::string_view name(DType dtype) { return dtype == DType::f32 ? "f32" : "f64"; }

namespace {
void check_count(const Shape& shape, std::size_t count) {
  if (static_cast<std::int64_t>(count) != shape.size())
    throw ShapeError(
        fmt::format("a tensor of shape {} holds {} values, not {}", shape.text(), shape.size(), count));
}
}  // namespace

Tensor::Tensor(const Shape& shape, DType dtype) : shape_(shape) {
  const auto n = static_cast<std::size_t>(shape.size());
  if (dtype == DType::f32)
    data_ = Elements<float>(n);
  else
    data_ = Elements<double>(n);
}

Tensor::Tensor(const Shape& shape, std::span<const double> values, DType dtype) : Tensor(shape, dtype) {
  check_count(shape, values.size());
  visit([&]<class T>(std::span<T> out) {
    std::transform(values.begin(), values.end(), out.begin(), [](double v) { return static_cast<T>(v); });
  });
}

Tensor::Tensor(const Shape& shape, std::initializer_list<double> values, DType dtype)
    : Tensor(shape, std::span(values.begin(), values.size()), dtype) {}

Tensor::Tensor(const Shape& shape, const std::vector<float>& values)
    : shape_(shape), data_(Elements<float>(values.begin(), values.end())) {
  check_count(shape, size());
}

Tensor::Tensor(const Shape& shape, const std::vector<double>& values)
    : shape_(shape), data_(Elements<double>(values.begin(), values.end())) {
  check_count(shape, size());
}

std::size_t Tensor::size() const {
  return visit([](auto v) { return v.size(); });
}

template <class T>
std::span<T> Tensor::as() {
  if (auto* v = std::get_if<Elements<T>>(&data_)) return *v;
  throw TapeError(fmt::format("this tensor holds {}; convert it first with to(DType)", name(dtype())));
}

template <class T>
std::span<const T> Tensor::as() const {
  return const_cast<Tensor*>(this)->as<T>();
}

template std::span<float> Tensor::as();
template std::span<double> Tensor::as();
template std::span<const float> Tensor::as() const;
template std::span<const double> Tensor::as() const;

namespace {
void check_index(const Tensor& t, std::size_t i) {
  if (i >= t.size())
    throw ShapeError(
        fmt::format("element {} of a tensor of shape {}, which has {}", i, t.shape().text(), t.size()));
}
}  // namespace

double Tensor::at(std::size_t i) const {
  check_index(*this, i);
  return visit([&](auto v) { return static_cast<double>(v[i]); });
}

void Tensor::set(std::size_t i, double value) {
  check_index(*this, i);
  visit([&]<class T>(std::span<T> v) { v[i] = static_cast<T>(value); });
}

double Tensor::item() const {
  if (size() != 1)
    throw ShapeError(fmt::format("item() needs one element; this tensor is {}", shape_.text()));
  return at(0);
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor out(shape_, dtype);
  out.assign(*this);
  return out;
}

void Tensor::resize(const Shape& shape) {
  shape_ = shape;
  std::visit([&](auto& v) { v.resize(static_cast<std::size_t>(shape.size())); }, data_);
}

void Tensor::assign(const Tensor& from) {
  resize(from.shape());
  from.visit([&](auto elements) {
    visit([&]<class T>(std::span<T> to) {
      std::transform(elements.begin(), elements.end(), to.begin(), [](auto v) { return static_cast<T>(v); });
    });
  });
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check_count(shape, size());
  Tensor out = *this;
  out.shape_ = shape;
  return out;
}

std::vector<double> Tensor::doubles() const {
  return visit([](auto v) { return std::vector<double>(v.begin(), v.end()); });
}

}  // namespace spool
