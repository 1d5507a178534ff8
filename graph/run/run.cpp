// Tape::run and Tape::read: which values a run keeps, and for how long they stand.
#include <spool/graph/error.hpp>
#include <spool/graph/run/plain.hpp>
#include <spool/graph/tape.hpp>

#include <fmt/format.h>

namespace spool {

struct Tape::Kept {
  std::uint32_t epoch = 0;
  std::uint64_t bindings = 0;
  std::vector<std::uint64_t> param_versions;
  std::unordered_map<std::uint32_t, Tensor> values;
};

void Tape::KeptDeleter::operator()(Kept* kept) const { delete kept; }

namespace {

// Adds the versions of the parameters that are new to the tape.
void extend(std::vector<std::uint64_t>& versions, const Tape& tape) {
  for (const Param& p : tape.params().subspan(versions.size())) versions.push_back(p.version());
}

// Parameters that came onto the tape since then do not count.
bool unchanged(const Tape& tape, const std::vector<std::uint64_t>& then) {
  for (std::size_t i = 0; i < then.size(); ++i)
    if (tape.params()[i].version() != then[i]) return false;
  return true;
}

template <class T>
void compute(Tape& tape, std::span<const Var> wanted, std::unordered_map<std::uint32_t, Tensor>& values) {
  auto results = run_plain<T>(tape, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    values.insert_or_assign(wanted[i].id(), Tensor(wanted[i].shape(), std::move(results[i])));
}

}  // namespace

void Tape::run(std::span<const Var> wanted) {
  std::unique_ptr<Kept, KeptDeleter> fresh(new Kept{epoch(), bindings(), {}, {}});
  extend(fresh->param_versions, *this);
  dtype() == DType::f32 ? compute<float>(*this, wanted, fresh->values)
                        : compute<double>(*this, wanted, fresh->values);
  kept_ = std::move(fresh);
}

const Tensor& Tape::read(Var v) {
  check(v, "read");
  const bool current = kept_ && kept_->epoch == epoch() && kept_->bindings == bindings();
  if (!current) {
    run({v});
  } else if (!kept_->values.contains(v.id())) {
    if (!unchanged(*this, kept_->param_versions))
      throw TapeError(
          fmt::format("read: {} {} was not asked for in the last run, and parameters have changed since; "
                      "name it in that run",
                      label(v.id()), v.shape().text()));
    extend(kept_->param_versions, *this);
    dtype() == DType::f32 ? compute<float>(*this, {&v, 1}, kept_->values)
                          : compute<double>(*this, {&v, 1}, kept_->values);
  }
  return kept_->values.at(v.id());
}

}  // namespace spool
