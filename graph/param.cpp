#include <spool/graph/error.hpp>
#include <spool/graph/param.hpp>

#include <fmt/format.h>

#include <atomic>

namespace spool {

namespace {
std::atomic<std::uint64_t> next_serial{1};
}  // namespace

struct Param::State {
  const std::uint64_t serial = next_serial.fetch_add(1, std::memory_order_relaxed);
  std::string name;
  Tensor value;
  std::uint64_t version = 0;

  State(std::string n, Tensor v) : name(std::move(n)), value(std::move(v)) {}
};

Param::Param(std::string name, Tensor value)
    : state_(std::make_shared<State>(std::move(name), std::move(value))) {}

const std::string& Param::name() const { return state_->name; }
const Shape& Param::shape() const { return state_->value.shape(); }
DType Param::dtype() const { return state_->value.dtype(); }
const Tensor& Param::value() const { return state_->value; }
std::uint64_t Param::version() const { return state_->version; }
std::uint64_t Param::serial() const { return state_->serial; }

void Param::assign(const Tensor& value) {
  if (value.shape() != shape())
    throw ShapeError(fmt::format("parameter \"{}\" is {}; it can't take values of shape {}", name(),
                                 shape().text(), value.shape().text()));
  state_->value.assign(value);
  ++state_->version;
}

Tensor& Param::edit() {
  ++state_->version;
  return state_->value;
}

}  // namespace spool
