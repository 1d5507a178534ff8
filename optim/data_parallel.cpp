#include <spool/graph/error.hpp>
#include <spool/graph/run/divide.hpp>
#include <spool/ops/grad.hpp>
#include <spool/optim/data_parallel.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

DataParallel::DataParallel(Optimizer& optimizer, int parts, const TapeOptions& options)
    : optimizer_(optimizer), params_(optimizer.params()) {
  if (parts < 1) throw TapeError(fmt::format("DataParallel: {} parts; there must be at least one", parts));
  TapeOptions own = options;
  for (int p = 0; p < parts; ++p, ++own.seed) parts_.emplace_back(own);
  for (const Param& p : params_) sums_.emplace_back(p.shape(), options.dtype);
}

Tape& DataParallel::tape(int part) {
  if (part < 0 || part >= parts())
    throw TapeError(fmt::format("DataParallel: there is no part {} of {}", part, parts()));
  return parts_[static_cast<std::size_t>(part)].tape;
}

double DataParallel::update(const Record& record, Accumulated how) {
  run::share(parts_.size(), 2, [&](std::size_t p) { run(static_cast<int>(p), record); });
  updates_.clear();
  for (std::size_t i = 0; i < params_.size(); ++i) updates_.push_back(reached(i) ? &sums_[i] : nullptr);
  if (std::ranges::count(updates_, nullptr) == std::ssize(updates_))
    throw TapeError("DataParallel: no part's loss depends on any parameter, so there is nothing to learn");
  const double factor = how == Accumulated::mean ? 1 / static_cast<double>(parts_.size()) : 1;
  add(factor);
  optimizer_.apply(updates_);
  double sum = 0;
  for (Part& p : parts_) sum += p.tape.value(p.loss);
  return sum * factor;
}

void DataParallel::run(int part, const Record& record) {
  Part& p = parts_[static_cast<std::size_t>(part)];
  p.tape.clear();
  p.also.clear();
  p.loss = record(p.tape, part, p.also);
  if (p.loss.tape_or_null() != &p.tape)
    throw TapeError(fmt::format("DataParallel: the loss of part {} is not on that part's tape", part));
  p.wrt.clear();
  for (const Param& param : params_) p.wrt.push_back(p.tape.param(param));
  p.gradients.resize(p.wrt.size());
  grad(p.loss, p.wrt, p.gradients, Where::none());
  p.wanted.assign(1, p.loss);
  p.wanted.insert(p.wanted.end(), p.gradients.begin(), p.gradients.end());
  p.wanted.insert(p.wanted.end(), p.also.begin(), p.also.end());
  p.tape.run(p.wanted);
}

bool DataParallel::reached(std::size_t param) const {
  return std::ranges::any_of(parts_, [param](const Part& p) { return depends(p.gradients[param]); });
}

// Element by element in the order of the parts; threads take elements.
void DataParallel::add(double factor) {
  gradients_.clear();
  for (Part& p : parts_)
    for (const Var& g : p.gradients) gradients_.push_back(&p.tape.read(g));
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i].resize(gradients_[i]->shape());
  const auto size = [&](std::size_t i) { return sums_[i].size(); };
  run::divide(sums_.size(), size, [&](std::size_t, std::size_t i, std::size_t begin, std::size_t end) {
    sums_[i].visit([&]<class T>(std::span<T> sum) {
      for (std::size_t g = i; g < gradients_.size(); g += sums_.size()) {
        const std::span<const T> more = gradients_[g]->template as<T>();
        for (std::size_t k = begin; k < end; ++k) sum[k] = g == i ? more[k] : sum[k] + more[k];
      }
      if (factor != 1)
        for (std::size_t k = begin; k < end; ++k) sum[k] *= static_cast<T>(factor);
    });
  });
}

}  // namespace spool
