#include <spool/graph/error.hpp>
#include <spool/graph/run/divide.hpp>
#include <spool/ops/grad.hpp>
#include <spool/optim/optimizer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace spool {

namespace {

std::size_t count_non_finite(const Tensor& t) {
  return t.visit([](auto elements) {
    return static_cast<std::size_t>(
        std::ranges::count_if(elements, [](auto x) { return !std::isfinite(x); }));
  });
}

void add_to(Tensor& sum, const Tensor& t) {
  t.visit([&](auto in) {
    sum.visit([&]<class T>(std::span<T> out) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += static_cast<T>(in[i]);
    });
  });
}

void scale(Tensor& t, double factor) {
  t.visit([&]<class T>(std::span<T> elements) {
    for (T& x : elements) x = static_cast<T>(x * factor);
  });
}

void fill(Tensor& t, double value) {
  t.visit([&]<class T>(std::span<T> elements) { std::ranges::fill(elements, static_cast<T>(value)); });
}

std::string text(DType dtype, const Shape& shape) { return fmt::format("{} {}", name(dtype), shape.text()); }

}  // namespace

void Optimizer::fail(const std::string& what) const { throw TapeError(fmt::format("{}: {}", name_, what)); }

void Optimizer::add_group(const Params& params, Knobs knobs, const std::vector<Buffer>& buffers) {
  if (params.empty()) fail("the list of parameters is empty");
  for (const Param& p : params) {
    if (std::ranges::find(slots_, p, &Slot::param) != slots_.end())
      fail(fmt::format("parameter \"{}\" is in the list twice", p.name()));
    Slot slot{p, groups_.size(), p.shape(), p.dtype(), 0, {}};
    for (const Buffer& b : buffers)
      fill(slot.buffers.emplace_back(b.scalar ? Shape{} : p.shape(), p.dtype()), b.initial);
    slots_.push_back(std::move(slot));
  }
  groups_.push_back({knobs, buffers});
  discard();
}

// --- updating -----------------------------------------------------------------------------------------

void Optimizer::check_params() const {
  for (const Slot& s : slots_)
    if (s.param.shape() != s.shape || s.param.dtype() != s.dtype)
      fail(fmt::format("parameter \"{}\" was {} and is now {}; make a new optimizer for it", s.param.name(),
                       text(s.dtype, s.shape), text(s.param.dtype(), s.param.shape())));
}

// A recording that runs again and again is differentiated once.
void Optimizer::differentiate(Var loss) {
  Tape& tape = tape_of(name_.c_str(), std::array{Operand(loss, Where::none())});
  if (differentiated_ == loss) return;
  wrt_.clear();
  for (const Slot& s : slots_) wrt_.push_back(tape.param(s.param));
  nodes_.resize(slots_.size());
  grad(loss, wrt_, nodes_, Where::none());
  differentiated_ = loss;
}

void Optimizer::run(Var loss, std::span<const Var> also) {
  check_params();
  differentiate(loss);
  wanted_.assign(1, loss);
  std::ranges::copy_if(nodes_, std::back_inserter(wanted_), depends);
  if (wanted_.size() == 1) fail("the loss depends on none of the parameters, so there is nothing to learn");
  wanted_.insert(wanted_.end(), also.begin(), also.end());
  loss.tape().run(wanted_);
}

// As numbers of the parameter's dtype. `to` has a place for each slot, empty where no copy was needed yet.
void Optimizer::copy(std::size_t slot, const Tensor& gradient, std::vector<Tensor>& to) const {
  while (to.size() < slots_.size()) to.emplace_back(Shape{0}, slots_[to.size()].dtype);
  to[slot].assign(gradient);
}

void Optimizer::take(std::size_t slot, const Tensor& gradient) {
  gradients_[slot] = &gradient;
  if (gradient.dtype() == slots_[slot].dtype) return;
  copy(slot, gradient, copies_);
  gradients_[slot] = &copies_[slot];
}

void Optimizer::add_run(Var loss) {
  if (accumulated_ == 0) waits_.assign(slots_.size(), 0);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!depends(nodes_[i])) continue;
    const Tensor& g = loss.tape().read(nodes_[i]);
    waits_[i] ? add_to(waiting_[i], g) : copy(i, g, waiting_);
    waits_[i] = 1;
  }
  ++accumulated_;
}

void Optimizer::update_by_run(Var loss) {
  if (accumulated_ != 0) {
    add_run(loss);
    return apply();
  }
  gradients_.assign(slots_.size(), nullptr);
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (depends(nodes_[i])) take(i, loss.tape().read(nodes_[i]));
  update_all();
}

void Optimizer::step(Var loss) {
  run(loss, {});
  update_by_run(loss);
}

void Optimizer::accumulate(Var loss) {
  run(loss, {});
  add_run(loss);
}

void Optimizer::discard() { accumulated_ = 0; }

void Optimizer::apply(Accumulated how) {
  if (accumulated_ == 0) fail("there are no gradients to apply; call accumulate(loss) first");
  check_params();
  const double factor = how == Accumulated::mean ? 1 / static_cast<double>(accumulated_) : 1;
  discard();
  gradients_.assign(slots_.size(), nullptr);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!waits_[i]) continue;
    if (factor != 1) scale(waiting_[i], factor);
    gradients_[i] = &waiting_[i];
  }
  update_all();
}

void Optimizer::apply(std::span<const Tensor> gradients) {
  apply_all(gradients.size(), [&](std::size_t i) { return &gradients[i]; });
}

void Optimizer::apply(std::span<const Tensor* const> gradients) {
  apply_all(gradients.size(), [&](std::size_t i) { return gradients[i]; });
}

// By the gradient at(i) of each parameter, or none where that is null.
template <class At>
void Optimizer::apply_all(std::size_t count, const At& at) {
  check_params();
  if (count != slots_.size())
    fail(fmt::format("apply: {} gradients for {} parameters", count, slots_.size()));
  for (std::size_t i = 0; i < count; ++i)
    if (at(i) != nullptr) check_gradient(i, *at(i));
  gradients_.assign(count, nullptr);
  for (std::size_t i = 0; i < count; ++i)
    if (at(i) != nullptr) take(i, *at(i));
  update_all();
}

void Optimizer::check_gradient(std::size_t slot, const Tensor& gradient) const {
  const Slot& s = slots_[slot];
  if (gradient.shape() != s.shape)
    throw ShapeError(fmt::format("{}: apply: the gradient of \"{}\" must be {}, not {}", name_,
                                 s.param.name(), s.shape.text(), gradient.shape().text()));
}

void Optimizer::update_all() {
  std::vector<std::string> unreached = std::move(last_.unreached);  // mostly the same as in the last step
  unreached.resize(static_cast<std::size_t>(std::ranges::count(gradients_, nullptr)));
  for (std::size_t i = 0, k = 0; i < slots_.size(); ++i)
    if (gradients_[i] == nullptr) unreached[k++] = slots_[i].param.name();
  last_ = {};
  last_.unreached = std::move(unreached);
  last_.grad_norm = grad_norm(gradients_, clip_.norm_type);
  if (!std::isfinite(last_.grad_norm)) return skip();

  const double scale = clip();
  params_.assign(slots_.size(), nullptr);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (gradients_[i] == nullptr) continue;
    ++slots_[i].step;
    params_[i] = &slots_[i].param.edit();
  }
  const auto size = [&](std::size_t i) { return params_[i] == nullptr ? 0 : params_[i]->size(); };
  const auto part = [&](std::size_t, std::size_t i, std::size_t begin, std::size_t end) {
    update(slots_[i], *params_[i], *gradients_[i], {begin, end, scale});
  };
  if (by_element_) return run::divide(slots_.size(), size, part);
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (params_[i] != nullptr) part(0, i, 0, size(i));
}

// Clips elements; what is to be multiplied for the norm is the result.
double Optimizer::clip() {
  double norm = last_.grad_norm;
  if (std::isfinite(clip_.value)) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (gradients_[i] == nullptr) continue;
      if (copies_.empty() || gradients_[i] != &copies_[i]) copy(i, *gradients_[i], copies_);
      clip_grad_value({&copies_[i], 1}, clip_.value);
      gradients_[i] = &copies_[i];
    }
    norm = grad_norm(gradients_, clip_.norm_type);
  }
  return std::min(clip_.max_norm / (norm + 1e-6), 1.0);
}

// Reports which gradients are to blame that nothing is updated.
void Optimizer::skip() {
  last_.skipped = true;
  last_.reason = "the norm of the gradients is too large for a double";
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::size_t bad = gradients_[i] == nullptr ? 0 : count_non_finite(*gradients_[i]);
    if (bad == 0) continue;
    const std::string& param = slots_[i].param.name();
    if (last_.non_finite.empty())
      last_.reason = fmt::format("the gradient of \"{}\" has {} of {} elements that are not finite", param,
                                 bad, gradients_[i]->size());
    last_.non_finite.push_back({param, bad});
  }
}

// --- settings -----------------------------------------------------------------------------------------

Params Optimizer::params() const {
  Params all;
  for (const Slot& s : slots_) all.push_back(s.param);
  return all;
}

void Optimizer::set_clip(const Clip& clip) {
  check(clip);
  clip_ = clip;
}

std::size_t Optimizer::checked(int group) const {
  if (group < 0 || group >= groups()) fail(fmt::format("there is no group {} among {}", group, groups()));
  return static_cast<std::size_t>(group);
}

double Optimizer::lr(int group) const { return *groups_[checked(group)].knobs.lr; }

void Optimizer::set_lr(double lr, int group) {
  const Knobs knobs = groups_[checked(group)].knobs;
  if (!(lr >= 0 && std::isfinite(lr)))
    fail(fmt::format("lr is {}; it must be a finite number of at least 0", lr));
  *knobs.lr = lr;
}

std::optional<double> Optimizer::momentum(int group) const {
  const double* momentum = groups_[checked(group)].knobs.momentum;
  return momentum == nullptr ? std::nullopt : std::optional(*momentum);
}

void Optimizer::set_momentum(double momentum, int group) {
  const Knobs knobs = groups_[checked(group)].knobs;
  if (knobs.momentum == nullptr)
    fail("there is no momentum to set; choose an algorithm with momentum and make it with one above 0");
  if (!(momentum >= 0 && momentum < 1)) fail(fmt::format("momentum is {}; it must be in [0, 1)", momentum));
  *knobs.momentum = momentum;
}

// --- saving -------------------------------------------------------------------------------------------

std::string Optimizer::entry(std::size_t slot, const char* what) const {
  return fmt::format("{}.{}.{}", slot, slots_[slot].param.name(), what);
}

std::vector<std::pair<std::string, double*>> Optimizer::knobs() const {
  std::vector<std::pair<std::string, double*>> all;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Knobs& knobs = groups_[i].knobs;
    all.emplace_back(fmt::format("group.{}.lr", i), knobs.lr);
    if (knobs.momentum != nullptr) all.emplace_back(fmt::format("group.{}.momentum", i), knobs.momentum);
  }
  return all;
}

Snapshot Optimizer::state() const {
  if (accumulated_ != 0)
    fail(fmt::format("state: the gradients of {} accumulate() calls wait; call apply() or discard() first",
                     accumulated_));
  Snapshot s;
  s.texts["algorithm"] = name_;
  for (const auto& [name, value] : knobs()) s.numbers[name] = *value;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    s.counts[entry(i, "step")] = slots_[i].step;
    const std::vector<Buffer>& buffers = groups_[slots_[i].group].buffers;
    for (std::size_t b = 0; b < buffers.size(); ++b)
      s.tensors[entry(i, buffers[b].name)] = slots_[i].buffers[b];
  }
  return s;
}

void Optimizer::load_state(const Snapshot& from) {
  const auto refuse = [&](const std::string& what) {
    throw FileError(fmt::format("{}: {}", from.origin, what));
  };
  const Snapshot ours = state();
  if (const std::string& algorithm = from.text("algorithm"); algorithm != name_)
    refuse(fmt::format("it is the state of {}, not of {}", algorithm, name_));
  if (from.counts.size() != ours.counts.size())
    refuse(fmt::format("it is the state of {} parameters, not of {}", from.counts.size(), slots_.size()));
  if (from.tensors.size() != ours.tensors.size() || from.numbers.size() != ours.numbers.size())
    refuse(fmt::format("it is the state of {} with other options or groups", name_));
  for (const auto& [name, count] : ours.counts) from.count(name);
  for (const auto& [name, number] : ours.numbers)
    if (const double value = from.number(name); !(value >= 0 && std::isfinite(value)))
      refuse(fmt::format("\"{}\" is {}; it must be a finite number of at least 0", name, value));
  for (const auto& [name, tensor] : ours.tensors)
    if (const Tensor& t = from.tensor(name); t.shape() != tensor.shape() || t.dtype() != tensor.dtype())
      refuse(fmt::format("\"{}\" is {}, not {}", name, text(t.dtype(), t.shape()),
                         text(tensor.dtype(), tensor.shape())));

  for (const auto& [name, value] : knobs()) *value = from.number(name);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].step = from.count(entry(i, "step"));
    const std::vector<Buffer>& buffers = groups_[slots_[i].group].buffers;
    for (std::size_t b = 0; b < buffers.size(); ++b)
      slots_[i].buffers[b] = from.tensor(entry(i, buffers[b].name));
  }
}

}  // namespace spool
