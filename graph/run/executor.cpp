#include <spool/graph/error.hpp>
#include <spool/graph/run/denormals.hpp>
#include <spool/graph/run/executor.hpp>
#include <spool/graph/run/failure.hpp>
#include <spool/graph/run/steps.hpp>

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

// The leaf that a step packs, when there is one whose versions can be told. What is packed may also be a
// result: those have the bases after the leaves.
const Leaf* packed_leaf(const plan::Step& step, const std::vector<Leaf>& leaves) {
  const auto* p = std::get_if<plan::Pack>(&step);
  if (p == nullptr || !p->stays || p->from.base < plan::Ref::first_leaf) return nullptr;
  const std::size_t i = p->from.base - plan::Ref::first_leaf;
  return i < leaves.size() && leaves[i].serial != 0 ? &leaves[i] : nullptr;
}

}  // namespace

Leaf leaf_of(const Tape& tape, std::uint32_t id) {
  if (is_input(tape.op(id))) return {&tape.bound(id)};
  const Param& p = tape.param_at(id);
  return {&p.value(), p.serial(), p.version()};
}

template <class T>
void Executor<T>::bind(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, const LeafOf& leaf_of,
                       std::span<T* const> rooms) {
  arena_.reserve(static_cast<std::size_t>(plan.arena));
  memory.packed.reserve(static_cast<std::size_t>(plan.packed));
  memory.state.resize(plan.steps.size());
  scratch_elements_ = static_cast<std::size_t>(scratch_size<T>(plan));
  compute_scalars(plan, tape, scalars_);
  bases_.assign({arena_.data(), scalars_.data()});
  leaves_.clear();
  std::size_t conversions = 0;
  for (const std::uint32_t id : plan.leaves) {
    leaves_.push_back(leaf_of(id));
    const Tensor& value = *leaves_.back().value;
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
  for (const std::uint32_t i : plan.handed) bases_.push_back(rooms[i]);
  packed_.assign(plan.steps.size(), false);
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    if (const Leaf* leaf = packed_leaf(plan.steps[i], leaves_))
      packed_[i] = memory.state[i].serial == leaf->serial && memory.state[i].version == leaf->version;
}

template <class T>
void Executor<T>::execute(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team) {
  const int threads = team == nullptr ? 1 : team->size();
  if (scratch_.size() < static_cast<std::size_t>(threads)) scratch_.resize(static_cast<std::size_t>(threads));
  for (Memory<T>& m : scratch_) m.reserve(scratch_elements_);

  // What is packed anew is not known until the run has ended well.
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    if (!packed_[i]) memory.state[i] = {};

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
      if (packed_[i]) continue;
      if (!failure.happened()) {
        try {
          std::visit([&](const auto& step) { run_step(step, context); }, plan.steps[i]);
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
    if (const Leaf* leaf = packed_[i] ? nullptr : packed_leaf(plan.steps[i], leaves_)) {
      memory.state[i] = {leaf->serial, leaf->version};
      packed_[i] = true;
    }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace spool::run
