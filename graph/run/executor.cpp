#include <spool/graph/error.hpp>
#include <spool/graph/run/denormals.hpp>
#include <spool/graph/run/executor.hpp>
#include <spool/graph/run/steps.hpp>

#include <atomic>
#include <exception>

namespace spool::run {

namespace {

// The number that each scalar stands for in this run.
template <class T>
void compute_scalars(const plan::Plan& plan, const Tape& tape, std::vector<T>& values) {
  values.resize(plan.scalars.size() + 1);
  const Shape one;
  for (std::size_t i = 0; i < plan.scalars.size(); ++i) {
    const plan::ScalarOp& s = plan.scalars[i];
    if (s.operands.empty()) {
      values[i] = static_cast<T>(s.node == plan::ScalarOp::one ? 1.0 : constant_value(tape, s.node));
      continue;
    }
    std::array<const T*, 8> in;
    std::array<const Shape*, 8> shapes;
    shapes.fill(&one);
    for (std::size_t k = 0; k < s.operands.size(); ++k) in[k] = &values[s.operands[k]];
    tape.op(s.node).eval.template get<T>()({{in.data(), s.operands.size()},
                                            {shapes.data(), s.operands.size()},
                                            &values[i],
                                            &one,
                                            tape.attrs(s.node),
                                            tape.random()});
  }
}

// Keeps the first thing that went wrong in any thread.
class Failure {
 public:
  bool happened() const { return happened_.load(std::memory_order_relaxed); }
  void keep() {
    if (!claimed_.exchange(true)) {
      what_ = std::current_exception();
      happened_.store(true, std::memory_order_release);
    }
  }
  void rethrow() const {
    if (happened_.load(std::memory_order_acquire)) std::rethrow_exception(what_);
  }

 private:
  std::atomic<bool> claimed_{false}, happened_{false};
  std::exception_ptr what_;
};

}  // namespace

template <class T>
void Executor<T>::bind(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape) {
  arena_.reserve(static_cast<std::size_t>(plan.arena));
  memory.packed.reserve(static_cast<std::size_t>(plan.packed));
  memory.state.resize(plan.steps.size());
  compute_scalars(plan, tape, scalars_);
  bases_.assign({arena_.data(), scalars_.data()});
  std::size_t conversions = 0;
  for (const std::uint32_t id : plan.leaves) {
    const Tensor& value = is_input(tape.op(id)) ? tape.bound(id) : tape.param_at(id).value();
    if (value.shape() != tape.shape(id)) throw ShapeError("a parameter has another shape than its node");
    value.visit([&]<class U>(std::span<const U> from) {
      if constexpr (std::is_same_v<U, T>) {
        bases_.push_back(from.data());
      } else {
        if (converted_.size() == conversions) converted_.emplace_back();
        converted_[conversions].assign(from.begin(), from.end());
        bases_.push_back(converted_[conversions++].data());
      }
    });
  }
}

template <class T>
void Executor<T>::execute(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team) {
  bind(plan, memory, tape);
  const int threads = team == nullptr ? 1 : team->size();
  if (scratch_.size() < static_cast<std::size_t>(threads)) scratch_.resize(static_cast<std::size_t>(threads));
  for (Memory<T>& m : scratch_) m.reserve(static_cast<std::size_t>(scratch_size<T>(plan)));

  // Whether a pack step's parameter is packed already.
  const auto packed_still = [&](const plan::Pack& p, std::size_t step) {
    if (p.from.base < plan::Ref::first_leaf) return false;
    const std::uint32_t leaf = plan.leaves[p.from.base - plan::Ref::first_leaf];
    if (!is_param(tape.op(leaf))) return false;
    const Param& param = tape.param_at(leaf);
    const auto& known = memory.state[step];
    return known.param == param.identity() && known.version == param.version() + 1;
  };

  Failure failure;
  const auto work = [&](int thread) {
    const FlushDenormals flush(std::is_same_v<T, float>);  // double is for checking
    const Context<T> context{plan,
                             const_cast<T* const*>(bases_.data()),
                             memory.packed.data(),
                             plan.attrs.data(),
                             tape.random(),
                             scratch_[static_cast<std::size_t>(thread)].data(),
                             thread,
                             threads};
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      if (!failure.happened()) {
        try {
          std::visit(
              [&]<class S>(const S& step) {
                if constexpr (std::is_same_v<S, plan::Pack>) {
                  if (packed_still(step, i)) return;
                }
                run_step(step, context);
              },
              plan.steps[i]);
        } catch (...) {
          failure.keep();
        }
      }
      if (team != nullptr) team->barrier();
    }
  };
  if (team != nullptr)
    team->run(std::ref(work));
  else
    work(0);
  failure.rethrow();

  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    if (const auto* p = std::get_if<plan::Pack>(&plan.steps[i]);
        p != nullptr && p->from.base >= plan::Ref::first_leaf) {
      const std::uint32_t leaf = plan.leaves[p->from.base - plan::Ref::first_leaf];
      if (is_param(tape.op(leaf)))
        memory.state[i] = {tape.param_at(leaf).identity(), tape.param_at(leaf).version() + 1};
    }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace spool::run
