// Tape::run and Tape::read: which values a run keeps, and for how long they stand; which plan runs them.
#include <spool/graph/error.hpp>
#include <spool/graph/plan/cache.hpp>
#include <spool/graph/run/executor.hpp>
#include <spool/graph/run/lease.hpp>
#include <spool/graph/run/plain.hpp>
#include <spool/graph/run/predict.hpp>
#include <spool/graph/run/threads.hpp>
#include <spool/graph/tape.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <deque>
#include <list>

namespace spool {

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

// The values of nodes, kept in tensors that serve again for the next run.
class Values {
 public:
  void clear() {
    used_ = 0;
    slots_.clear();
  }
  Tensor& slot(const Var& v, DType dtype) {
    const auto [it, added] = slots_.try_emplace(v.id(), used_);
    if (added && used_++ == tensors_.size()) tensors_.emplace_back(v.shape(), dtype);
    Tensor& t = tensors_[it->second];
    t.resize(v.shape());
    return t;
  }
  std::size_t count() const { return used_; }
  /// Forgets all but the first n.
  void keep(std::size_t n) {
    boost::unordered::erase_if(slots_, [n](const auto& slot) { return slot.second >= n; });
    used_ = std::min(used_, n);
  }
  const Tensor* find(const Var& v) const {
    const auto it = slots_.find(v.id());
    return it == slots_.end() ? nullptr : &tensors_[it->second];
  }

 private:
  std::deque<Tensor> tensors_;  // a deque: references stay good while more are read
  std::size_t used_ = 0;
  boost::unordered_flat_map<std::uint32_t, std::size_t> slots_;
};

std::uint64_t nanoseconds_since(std::chrono::steady_clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count());
}

// Plans by what they serve, the last used first, and the memory that they run in. Where each recording
// differs from the last one, old plans never serve again: large ones don't stay.
template <class T>
class Planned {
 public:
  void run(Tape& tape, std::span<const Var> wanted, const plan::Options& options, int threads, Values& values,
           RunStats& stats) {
    Entry& entry = find(tape, wanted, options, stats);
    const auto start = std::chrono::steady_clock::now();
    const auto room = [&](std::size_t i) {
      return values.slot(wanted[i], tape.dtype()).template as<T>().data();
    };
    if (entry.plan.work < least_shared_work) {
      executor_.run(entry.plan, entry.memory, tape, nullptr, room);
    } else {
      const run::Lease lease(threads);
      executor_.run(entry.plan, entry.memory, tape, lease.team(), room);
    }
    stats.run_ns = nanoseconds_since(start);
    stats.steps = entry.plan.steps.size();
    stats.nodes = entry.plan.nodes;
    stats.arena_bytes = executor_.bytes() + static_cast<std::size_t>(entry.plan.handed_size) * sizeof(T);
    stats.packed_bytes = entry.memory.packed.bytes();
  }

 private:
  static constexpr std::size_t most_plans = 16, most_nodes = 250'000;  // beside the last one
  static constexpr std::int64_t least_shared_work = 4'000'000;  // multiplications: tens of microseconds

  struct Entry {
    plan::Key key;
    plan::Plan plan;
    run::PlanMemory<T> memory;
    std::size_t nodes = 0;  // recorded ones
  };

  Entry& find(Tape& tape, std::span<const Var> wanted, const plan::Options& options, RunStats& stats) {
    const auto start = std::chrono::steady_clock::now();
    for (auto it = plans_.begin(); it != plans_.end(); ++it)
      if (it->key.matches(tape, wanted)) {
        plans_.splice(plans_.begin(), plans_, it);
        ++stats.hits;
        stats.plan_ns = nanoseconds_since(start);
        return plans_.front();
      }
    std::list<Entry> spare;  // one that goes makes room for the next, in its own memory
    while (plans_.size() == most_plans || (plans_.size() > 1 && nodes_ + tape.size() > most_nodes)) {
      nodes_ -= plans_.back().nodes;
      spare.splice(spare.begin(), plans_, std::prev(plans_.end()));
    }
    if (spare.empty()) spare.emplace_back();
    Entry& entry = spare.front();
    entry.key.assign(tape, wanted);
    entry.plan = plan::make_plan(tape, wanted, options);
    entry.memory.state.clear();
    entry.nodes = tape.size();
    plans_.splice(plans_.begin(), spare, spare.begin());
    nodes_ += tape.size();
    ++stats.plans;
    stats.plan_ns = nanoseconds_since(start);
    return plans_.front();
  }

  run::Executor<T> executor_;
  std::list<Entry> plans_;
  std::size_t nodes_ = 0;  // of all plans
};

template <class T>
void compute_plain(Tape& tape, std::span<const Var> wanted, Values& values) {
  const auto results = run_plain<T>(tape, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    values.slot(wanted[i], tape.dtype()) = Tensor(wanted[i].shape(), results[i]);
}

plan::Options options_of(const Tape& tape) {
  plan::Options options = plan::chosen_options(tape.options().plan);
  options.hand_out = true;
  return options;
}

// A planned run that fails is run again plainly, which says what is wrong and where.
template <class T>
void compute(Tape& tape, std::span<const Var> wanted, const plan::Options& options, Planned<T>& planned,
             Values& values, RunStats& stats) {
  for (const Var& v : wanted) tape.check(v, "run");
  ++stats.runs;
  if (!options.plain && !tape.checks_finite()) {
    const int n = threads();
    const std::size_t before = values.count();
    try {
      return planned.run(tape, wanted, options, n, values, stats);
    } catch (const InternalError&) {
      throw;
    } catch (const std::exception&) {
      ++stats.fallbacks;
      values.keep(before);  // the others may be half computed
    }
  }
  compute_plain<T>(tape, wanted, values);
}

}  // namespace

struct Tape::Kept {
  explicit Kept(const Tape& tape) : options(options_of(tape)) {}

  std::uint32_t epoch = 0;
  std::uint64_t bindings = 0;
  bool valid = false;
  std::vector<std::uint64_t> param_versions;
  Values values;
  plan::Options options;
  Planned<float> f32;
  Planned<double> f64;
  RunStats stats;

  void compute(Tape& tape, std::span<const Var> wanted) {
    tape.dtype() == DType::f32 ? spool::compute<float>(tape, wanted, options, f32, values, stats)
                               : spool::compute<double>(tape, wanted, options, f64, values, stats);
  }
};

void Tape::KeptDeleter::operator()(Kept* kept) const { delete kept; }

void Tape::run(std::span<const Var> wanted) {
  if (!kept_) kept_.reset(new Kept(*this));
  Kept& k = *kept_;
  for (const Var& v : wanted) check(v, "run");
  k.valid = false;
  k.values.clear();
  k.param_versions.clear();
  extend(k.param_versions, *this);
  k.compute(*this, wanted);
  k.epoch = epoch();
  k.bindings = bindings();
  k.valid = true;
}

const Tensor& Tape::read(Var v) {
  check(v, "read");
  const bool current = kept_ && kept_->valid && kept_->epoch == epoch() && kept_->bindings == bindings();
  if (!current) {
    run({v});
  } else if (kept_->values.find(v) == nullptr) {
    if (!unchanged(*this, kept_->param_versions))
      throw TapeError(
          fmt::format("read: {} {} was not asked for in the last run, and parameters have changed since; "
                      "name it in that run",
                      label(v.id()), v.shape().text()));
    extend(kept_->param_versions, *this);
    kept_->compute(*this, {&v, 1});
  }
  return *kept_->values.find(v);
}

std::string Tape::plan_text(std::span<const Var> wanted) {
  for (const Var& v : wanted) check(v, "plan_text");
  return plan::plan_text(*this, wanted, options_of(*this), false);
}

std::string Tape::explain_plan(std::span<const Var> wanted) {
  for (const Var& v : wanted) check(v, "explain_plan");
  return plan::plan_text(*this, wanted, options_of(*this), true);
}

std::size_t predicted_bytes(Tape& tape, std::span<const Var> wanted) {
  for (const Var& v : wanted) tape.check(v, "predicted_bytes");
  const plan::Plan plan = plan::make_plan(tape, wanted, options_of(tape));
  const std::int64_t elements = plan.arena + plan.handed_size;
  return static_cast<std::size_t>(elements) * (tape.dtype() == DType::f32 ? sizeof(float) : sizeof(double));
}

RunStats Tape::run_stats() const { return kept_ ? kept_->stats : RunStats{}; }

}  // namespace spool
