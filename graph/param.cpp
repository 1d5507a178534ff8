#include <spool/graph/error.hpp>
#include <spool/graph/param.hpp>

#include <fmt/format.h>

namespace spool {

struct Param::State {
  std::string name;
  Tensor value;
  std::uint64_t version = 0;
};

Param::Param(std::string name, Tensor value)
    : state_(std::make_shared<State>(State{std::move(name), std::move(value)})) {}

const std::string& Param::name() const { return state_->name; }
const Shape& Param::shape() const { return state_->value.shape(); }
DType Param::dtype() const { return state_->value.dtype(); }
const Tensor& Param::value() const { return state_->value; }
std::uint64_t Param::version() const { return state_->version; }

void Param::assign(const Tensor& value) {
  if (value.shape() != shape())
    throw ShapeError(fmt::format("parameter \"{}\" is {}; it can't take values of shape {}", name(),
                                 shape().text(), value.shape().text()));
  state_->value = value.to(dtype());
  ++state_->version;
}

Tensor& Param::edit() {
  ++state_->version;
  return state_->value;
}

}  // namespace spool
