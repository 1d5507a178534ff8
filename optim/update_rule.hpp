// UpdateRule: what one optimisation algorithm is. A constant, like an OpDef: a name, the limits of its
// options, the buffers it keeps for each parameter, and one loop that updates a parameter. OptimizerOf makes
// an Optimizer of it. The rules that come with Spool (optim/optimizers.hpp) and a user's are made alike:
//
//   struct LionOptions { double lr = 1e-4, weight_decay = 0; ... };
//   constexpr UpdateRule<LionOptions> lion_rule{.name = "Lion", .limits = ..., .update = ...};
//   using Lion = OptimizerOf<lion_rule>;
#pragma once

#include <spool/optim/optimizer.hpp>

#include <algorithm>
#include <concepts>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace spool {

/// One parameter, or a part of it, in the hands of its rule. T is the parameter's dtype.
template <class T>
struct Update {
  std::span<T> w;               ///< the parameter; of a rule that is `by_element`, maybe a part of it
  std::span<const T> g;         ///< its gradient; weight_decay * w is added already, unless decoupled
  double step;                  ///< the number of this update of this parameter, from 1
  std::span<T* const> buffers;  ///< as the rule listed them
};

/// An option and whether its value makes sense.
struct Limit {
  const char* option;
  double value;
  bool holds;
  const char* rule;  ///< "at least 0": reads on after "it must be"
};
Limit at_least_0(const char* option, double value);  ///< finite too
Limit fraction(const char* option, double value);    ///< in [0, 1)
/// Throws the TapeError "NAME: OPTION is VALUE; it must be RULE" for the first that does not hold.
void check_limits(const char* name, std::span<const Limit> limits);

template <class O>
struct UpdateRule {
  using Options = O;  ///< has double lr and double weight_decay
  using Limits = std::vector<Limit>;
  using Buffers = std::vector<Optimizer::Buffer>;

  /// One generic lambda without captures, for both dtypes: []<class T>(const O& o, const Update<T>& u) {...}
  struct Loop {
    template <class F>
    requires std::is_empty_v<F>
    constexpr Loop(F)  // NOLINT: so that a rule is written as a table of lambdas
        : f32([](const O& o, const Update<float>& u) { F{}(o, u); }),
          f64([](const O& o, const Update<double>& u) { F{}(o, u); }) {}
    void (*f32)(const O&, const Update<float>&);
    void (*f64)(const O&, const Update<double>&);
  };

  const char* name;
  Limits (*limits)(const O&) = nullptr;    ///< of the options besides lr and weight_decay
  Buffers (*buffers)(const O&) = nullptr;  ///< null: none
  bool decoupled_decay = false;            ///< the loop does weight decay itself
  /// Each element of w and of the buffers changes by its own gradient alone, and no scalar buffer changes:
  /// the loop may then be called for parts of a parameter, by several threads at once.
  bool by_element = false;
  Loop update;
};

template <const auto& rule>
class OptimizerOf final : public Optimizer {
 public:
  using Options = typename std::remove_cvref_t<decltype(rule)>::Options;
  /// Parameters with options of their own.
  struct Group {
    Params params;
    Options options = {};
  };

  /// Throws TapeError for no parameters, a parameter given twice, or an option out of its range.
  explicit OptimizerOf(Params params, Options options = {})
      : OptimizerOf(std::vector<Group>{{std::move(params), std::move(options)}}) {}
  /// The parameters of a model: Adam(lstm, {.lr = 1e-3}).
  template <class Model>
  requires requires(const Model& m) {
    { m.parameters() } -> std::convertible_to<Params>;
  }
  explicit OptimizerOf(const Model& model, Options options = {})
      : OptimizerOf(Params(model.parameters()), std::move(options)) {}
  explicit OptimizerOf(std::vector<Group> groups) : Optimizer(rule.name, rule.by_element) {
    if (groups.empty()) add_group({}, {}, {});
    options_.reserve(groups.size());  // addresses of options are kept
    for (Group& g : groups) {
      check(g.options);
      Options& o = options_.emplace_back(std::move(g.options));
      add_group(g.params, {&o.lr, momentum_of(o)},
                rule.buffers == nullptr ? std::vector<Buffer>{} : rule.buffers(o));
    }
  }

  const Options& options(int group = 0) const { return options_[checked(group)]; }

 private:
  void check(const Options& o) const {
    std::vector<Limit> limits{at_least_0("lr", o.lr), at_least_0("weight_decay", o.weight_decay)};
    if (rule.limits != nullptr)
      for (const Limit& limit : rule.limits(o)) limits.push_back(limit);
    check_limits(rule.name, limits);
  }

  static double* momentum_of(Options& o) {
    if constexpr (requires { o.betas[0]; })
      return &o.betas[0];
    else if constexpr (requires { o.momentum; })
      return o.momentum > 0 ? &o.momentum : nullptr;  // without it there is no buffer
    else
      return nullptr;
  }

  void update(Slot& slot, Tensor& param, const Tensor& gradient, const Part& part) const override {
    const Options& o = options_[slot.group];
    const double decay = rule.decoupled_decay ? 0 : o.weight_decay;
    const bool changes = part.scale != 1 || decay != 0;
    param.visit([&]<class T>(std::span<T> all) {
      // Kept by each thread, so that a step needs no new memory.
      thread_local std::vector<T> changed;
      thread_local std::vector<T*> buffers;
      const std::size_t most = changes && rule.by_element ? room : part.end - part.begin;
      for (std::size_t begin = part.begin; begin < part.end; begin += most) {
        const std::size_t n = std::min(most, part.end - begin);
        const std::span<T> w = all.subspan(begin, n);
        std::span<const T> g = gradient.as<T>().subspan(begin, n);
        if (changes) {
          changed.resize(std::max(changed.size(), n));
          for (std::size_t i = 0; i < n; ++i) changed[i] = change(g[i], w[i], part.scale, decay);
          g = std::span<const T>(changed).first(n);
        }
        buffers.clear();
        for (Tensor& b : slot.buffers)
          buffers.push_back(b.as<T>().data() + (b.size() == all.size() ? begin : 0));
        const Update<T> u{w, g, static_cast<double>(slot.step), buffers};
        if constexpr (std::is_same_v<T, float>)
          rule.update.f32(o, u);
        else
          rule.update.f64(o, u);
      }
    });
  }

  // A gradient's element, clipped by norm and with weight decay.
  template <class T>
  static T change(T g, T w, double scale, double decay) {
    if (scale != 1) g = static_cast<T>(g * scale);
    return decay != 0 ? g + static_cast<T>(decay) * w : g;
  }

  static constexpr std::size_t room = 1 << 13;  // elements of a gradient that are changed at a time
  std::vector<Options> options_;
};

}  // namespace spool
