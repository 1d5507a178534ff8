#include <spool/graph/error.hpp>
#include <spool/graph/run/executor.hpp>
#include <spool/graph/run/fold.hpp>
#include <spool/graph/run/plain.hpp>
#include <spool/graph/run/stepper.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool::run {

namespace {

plan::Options standing(plan::Options o) {
  o.standing = true;
  return o;
}

// The plans of a step, and the memory that they run in. `fixed` computes what depends on parameters alone.
template <class T>
class Planned {
 public:
  Planned(Tape& tape, std::span<const Var> wanted, const plan::Options& options)
      : tape_(tape),
        options_(standing(options)),
        folded_(fold(tape, wanted)),
        fixed_(plan::make_plan(tape, folded_.fixed, options_)),
        plan_(plan::make_plan(tape, folded_.wanted, options_, folded_.fixed)) {
    for (const Var& v : folded_.fixed) values_.emplace_back(v.shape(), tape.dtype());
    versions_.resize(tape.params().size());
  }

  void run() {
    if (stale()) refresh();
    executor_.execute(plan_, memory_, tape_, nullptr);
  }
  const plan::Block& result(std::size_t i) const { return plan_.results[i]; }
  const T* base(std::size_t i) const { return executor_.base(result(i).at.base); }
  std::string text() const {
    return "when parameters have changed\n" + plan::plan_text(tape_, folded_.fixed, options_, false) +
           "each step\n" + plan::plan_text(tape_, folded_.wanted, options_, false, folded_.fixed);
  }

 private:
  bool stale() const {
    if (!ready_) return true;
    const auto params = tape_.params();
    for (std::size_t i = 0; i < params.size(); ++i)
      if (params[i].version() != versions_[i]) return true;
    return false;
  }

  void refresh() {
    ready_ = false;
    executor_.run(fixed_, fixed_memory_, tape_, nullptr,
                  [&](std::size_t i) { return values_[i].template as<T>().data(); });
    ++refreshed_;
    executor_.bind(plan_, memory_, tape_, [this](std::uint32_t id) -> Leaf {
      const auto at = std::ranges::find(folded_.fixed, id, &Var::id);
      if (at == folded_.fixed.end()) return leaf_of(tape_, id);
      const Tensor& value = values_[static_cast<std::size_t>(at - folded_.fixed.begin())];
      return {&value, 1, refreshed_};  // a serial will do: it is this plan's own
    });
    for (std::size_t i = 0; i < versions_.size(); ++i) versions_[i] = tape_.params()[i].version();
    ready_ = true;
  }

  Tape& tape_;
  plan::Options options_;
  Folded folded_;
  plan::Plan fixed_, plan_;  // of the fixed values, and of a step
  PlanMemory<T> fixed_memory_, memory_;
  Executor<T> executor_;
  std::vector<Tensor> values_;           // the fixed ones
  std::vector<std::uint64_t> versions_;  // of the tape's parameters
  std::uint64_t refreshed_ = 0;          // how often
  bool ready_ = false;
};

// Parts of the state keep their number and shapes over a step.
void check_kept(const Vars& before, const Vars& after, const Where& where) {
  if (after.size() != before.size())
    throw ShapeError(
        fmt::format("Stepper: a state keeps its parts, but {} became {}", before.size(), after.size()));
  for (std::size_t i = 0; i < after.size(); ++i)
    if (after[i].shape() != before[i].shape())
      throw ShapeError(after[i].tape().explain("Stepper", "each part of the state keeps its shape",
                                               Vars{before[i], after[i]}, where));
}

}  // namespace

struct StepProgram::Impl {
  explicit Impl(Recording r) : recorded(std::move(r)), options(plan::chosen_options(tape().options().plan)) {
    for (const Var& v : recorded.outputs) tape().check(v, "Stepper", recorded.where);
    for (const Vars* state : {&recorded.before, &recorded.after})
      for (const Var& v : *state) tape().check(v, "Stepper", recorded.where);
    check_kept(recorded.before, recorded.after, recorded.where);
    if (recorded.outputs.empty())
      throw TapeError("Stepper: the function gave no output" + detail::line_of("recorded", recorded.where));
    wanted = recorded.after;
    wanted.insert(wanted.end(), recorded.outputs.begin(), recorded.outputs.end());
    if (!options.plain && !tape().checks_finite()) {
      if (tape().dtype() == DType::f32)
        f32 = std::make_unique<Planned<float>>(tape(), wanted, options);
      else
        f64 = std::make_unique<Planned<double>>(tape(), wanted, options);
    }
    for (const Var& v : recorded.inputs) inputs.push_back(&tape().edit(v));
    for (const Var& v : recorded.before) state.push_back(&tape().edit(v));
    for (const Var& v : recorded.after) next.emplace_back(v.shape(), tape().dtype());
    for (const Var& v : recorded.outputs) outputs.emplace_back(v.shape(), tape().dtype());
  }

  Tape& tape() const { return *recorded.tape; }

  void check_token(std::int64_t token) const {
    const std::int64_t limit = std::int64_t{1} << (tape().dtype() == DType::f32 ? 24 : 53);
    if (token > limit || token < -limit)
      throw TapeError(
          fmt::format("Stepper: {} is too large for a {} to hold exactly{}", token,
                      tape().dtype() == DType::f32 ? "float" : "double",
                      tape().dtype() == DType::f32 ? "; give the options .dtype = DType::f64" : ""));
  }

  template <class T>
  void put(std::size_t i, std::span<const T> values) {
    check_size(i, values.size());
    inputs[i]->visit([&]<class U>(std::span<U> to) {
      std::ranges::transform(values, to.begin(), [](T v) { return static_cast<U>(v); });
    });
  }

  void check_size(std::size_t i, std::size_t size) const {
    if (size != inputs[i]->size())
      throw ShapeError(fmt::format("Stepper: input {} is {}; it can't take {} numbers", i,
                                   inputs[i]->shape().text(), size));
  }

  // A planned step that fails is run again plainly, which says what is wrong and where.
  template <class T>
  void step(Planned<T>* planned) {
    if (planned != nullptr) {
      try {
        planned->run();
        take(*planned);
        return;
      } catch (const InternalError&) {
        throw;
      } catch (const std::exception&) {
      }
    }
    const auto results = run_plain<T>(tape(), wanted);
    for (std::size_t i = 0; i < results.size(); ++i) std::ranges::copy(results[i], target<T>(i));
    for (std::size_t i = 0; i < state.size(); ++i) state[i]->assign(next[i]);  // where the plan reads it
  }

  // Where wanted value i goes.
  template <class T>
  T* target(std::size_t i) {
    return (i < next.size() ? next[i] : outputs[i - next.size()]).template as<T>().data();
  }

  // A part of the next state may be a part of the last one, in another place: those are set aside first.
  template <class T>
  void take(const Planned<T>& planned) {
    const auto copy = [&](std::size_t i, T* to) { copy_block(planned.result(i), planned.base(i), to); };
    const auto computed = [&](std::size_t i) { return planned.result(i).at.base == plan::Ref::arena; };
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (i >= next.size() || !computed(i)) copy(i, target<T>(i));
    for (std::size_t i = 0; i < next.size(); ++i) {
      T* const to = state[i]->template as<T>().data();
      computed(i) ? copy(i, to) : static_cast<void>(std::ranges::copy(next[i].template as<T>(), to));
    }
  }

  Recording recorded;
  plan::Options options;
  Vars wanted;                         // the next state, then the outputs
  std::vector<Tensor*> inputs, state;  // of the tape
  std::vector<Tensor> next, outputs;
  bool stepped = false;
  std::unique_ptr<Planned<float>> f32;  // null where the tape runs plainly
  std::unique_ptr<Planned<double>> f64;
};

StepProgram::StepProgram(Recording recording) : impl_(std::make_unique<Impl>(std::move(recording))) {}
StepProgram::StepProgram(StepProgram&&) noexcept = default;
StepProgram& StepProgram::operator=(StepProgram&&) noexcept = default;
StepProgram::~StepProgram() = default;

StepProgram::Impl& StepProgram::impl() const {
  if (impl_ == nullptr) throw TapeError("Stepper: it was moved from; use the one that it was moved to");
  return *impl_;
}

void StepProgram::expect_inputs(std::size_t given) const {
  const std::size_t inputs = impl().inputs.size();
  if (given != inputs)
    throw ShapeError(
        fmt::format("Stepper: a step takes {} input{}, not {}", inputs, inputs == 1 ? "" : "s", given));
}

void StepProgram::put_token(std::size_t i, std::int64_t token) {
  impl().check_token(token);
  put(i, static_cast<double>(token));
}

void StepProgram::put(std::size_t i, std::span<const int> tokens) {
  for (const int token : tokens) impl().check_token(token);
  impl().put(i, tokens);
}

void StepProgram::put(std::size_t i, std::span<const float> values) { impl().put(i, values); }
void StepProgram::put(std::size_t i, std::span<const double> values) { impl().put(i, values); }

void StepProgram::put(std::size_t i, const Tensor& value) {
  if (value.shape() != impl().inputs[i]->shape())
    throw ShapeError(fmt::format("Stepper: input {} is {}; it can't take data of shape {}", i,
                                 impl().inputs[i]->shape().text(), value.shape().text()));
  value.visit([&]<class T>(std::span<const T> values) { impl().put(i, values); });
}

void StepProgram::step() {
  impl().tape().dtype() == DType::f32 ? impl().step<float>(impl().f32.get())
                                      : impl().step<double>(impl().f64.get());
  impl().tape().next_draw();
  impl().stepped = true;
}

const std::vector<Tensor>& StepProgram::outputs() const {
  if (!impl().stepped) throw TapeError("Stepper: there are no outputs before the first step");
  return impl().outputs;
}

void StepProgram::read_state(std::vector<Tensor>& parts) const {
  parts.clear();
  for (const Tensor* part : impl().state) parts.push_back(*part);
}

void StepProgram::set_state(std::span<const Tensor> parts) {
  detail::check_parts("Stepper", parts.size(), impl().state.size());
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].shape() != impl().state[i]->shape())
      throw ShapeError(fmt::format("Stepper: part {} of the state is {}; it can't become {}", i,
                                   impl().state[i]->shape().text(), parts[i].shape().text()));
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i].visit([&](auto from) {
      impl().state[i]->visit([&]<class U>(std::span<U> to) {
        std::ranges::transform(from, to.begin(), [](auto v) { return static_cast<U>(v); });
      });
    });
}

std::string StepProgram::plan_text() const {
  return impl().f32 ? impl().f32->text() : impl().f64 ? impl().f64->text() : "plain, node by node\n";
}

}  // namespace spool::run
