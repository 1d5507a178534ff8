#include <spool/graph/error.hpp>
#include <spool/optim/optimizers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

namespace spool {

namespace {

// An exponential moving average: x is mixed in with weight 1 - beta.
template <class T>
class Average {
 public:
  explicit Average(double beta) : keep_(static_cast<T>(beta)), take_(static_cast<T>(1 - beta)) {}
  void operator()(T& mean, T x) const { mean = keep_ * mean + take_ * x; }

 private:
  T keep_, take_;
};

// Calls f with two choices as constants: a loop without branches becomes vector code.
void choose(auto f, bool a, bool b) {
  using Yes = std::true_type;
  using No = std::false_type;
  if (a)
    b ? f(Yes{}, Yes{}) : f(Yes{}, No{});
  else
    b ? f(No{}, Yes{}) : f(No{}, No{});
}

// Limits shared by Adam and its kin.
std::vector<Limit> adam_limits(const auto& o) {
  return {fraction("betas[0]", o.betas[0]), fraction("betas[1]", o.betas[1]), at_least_0("eps", o.eps)};
}

// Both moments of Adam and its kin, by one gradient.
template <class T>
class Moments {
 public:
  Moments(const auto& o, const Update<T>& u)
      : m_(u.buffers[0]), v_(u.buffers[1]), g_(u.g.data()), mean_(o.betas[0]), mean_sq_(o.betas[1]) {}
  void update(std::size_t i) const {
    mean_(m_[i], g_[i]);
    mean_sq_(v_[i], g_[i] * g_[i]);
  }
  T m(std::size_t i) const { return m_[i]; }
  T v(std::size_t i) const { return v_[i]; }

 private:
  T *m_, *v_;
  const T* g_;
  Average<T> mean_, mean_sq_;
};

std::vector<Optimizer::Buffer> adam_buffers(const auto& o) {
  std::vector<Optimizer::Buffer> buffers{{"exp_avg"}, {"exp_avg_sq"}};
  if (o.amsgrad) buffers.push_back({"max_exp_avg_sq"});
  return buffers;
}

template <class T>
void adam_update(const auto& o, const Update<T>& u) {
  const Moments<T> moments(o, u);
  const T rate = static_cast<T>(o.lr / (1 - std::pow(o.betas[0], u.step)));
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(o.betas[1], u.step)));
  const T eps = static_cast<T>(o.eps);
  T* const most = o.amsgrad ? u.buffers[2] : nullptr;
  for (std::size_t i = 0; i < u.w.size(); ++i) {
    moments.update(i);
    T v = moments.v(i);
    if (most != nullptr) v = most[i] = std::max(most[i], v);
    u.w[i] -= rate * moments.m(i) / (std::sqrt(v) * root + eps);
  }
}

}  // namespace

// --- gradient descent -----------------------------------------------------------------------------------

constexpr UpdateRule<SgdOptions> sgd_rule{
    .name = "Sgd",
    .limits = [](const SgdOptions& o) -> std::vector<Limit> {
      return {at_least_0("momentum", o.momentum),
              {"dampening", o.dampening, !o.nesterov || o.dampening == 0, "0 with nesterov"},
              {"momentum", o.momentum, !o.nesterov || o.momentum > 0, "above 0 with nesterov"}};
    },
    .buffers = [](const SgdOptions& o) -> std::vector<Optimizer::Buffer> {
      if (o.momentum == 0) return {};
      return {{"momentum_buffer"}};
    },
    .by_element = true,
    .update =
        []<class T>(const SgdOptions& o, const Update<T>& u) {
          const T lr = static_cast<T>(o.lr), momentum = static_cast<T>(o.momentum);
          const T take = static_cast<T>(u.step == 1 ? 1 : 1 - o.dampening);
          T* const buffer = u.buffers.empty() ? nullptr : u.buffers[0];
          choose(
              [&](auto with_momentum, auto nesterov) {
                for (std::size_t i = 0; i < u.w.size(); ++i) {
                  T g = u.g[i];
                  if constexpr (with_momentum) {
                    buffer[i] = momentum * buffer[i] + take * g;
                    g = nesterov ? g + momentum * buffer[i] : buffer[i];
                  }
                  u.w[i] -= lr * g;
                }
              },
              buffer != nullptr, o.nesterov);
        },
};

constexpr UpdateRule<RpropOptions> rprop_rule{
    .name = "Rprop",
    .limits = [](const RpropOptions& o) -> std::vector<Limit> {
      return {
          {"etas[0]", o.etas[0], o.etas[0] > 0 && o.etas[0] < 1, "in (0, 1)"},
          {"etas[1]", o.etas[1], o.etas[1] > 1 && std::isfinite(o.etas[1]), "above 1"},
          at_least_0("step_sizes[0]", o.step_sizes[0]),
          {"step_sizes[1]", o.step_sizes[1], o.step_sizes[1] >= o.step_sizes[0], "at least step_sizes[0]"}};
    },
    .buffers = [](const RpropOptions& o) -> std::vector<Optimizer::Buffer> {
      return {{"prev"}, {"step_size", o.lr}};
    },
    .by_element = true,
    .update =
        []<class T>(const RpropOptions& o, const Update<T>& u) {
          const auto [least, most] = o.step_sizes;
          T *const previous = u.buffers[0], *const size = u.buffers[1];
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            const T agreement = u.g[i] * previous[i];
            const T eta = static_cast<T>(agreement > 0 ? o.etas[1] : agreement < 0 ? o.etas[0] : 1);
            size[i] = std::clamp(size[i] * eta, static_cast<T>(least), static_cast<T>(most));
            const T now = agreement < 0 ? 0 : u.g[i];
            u.w[i] -= now == 0 ? 0 : std::copysign(size[i], now);
            previous[i] = now;
          }
        },
};

// --- a rate for each weight -----------------------------------------------------------------------------

constexpr UpdateRule<RmsPropOptions> rmsprop_rule{
    .name = "RmsProp",
    .limits = [](const RmsPropOptions& o) -> std::vector<Limit> {
      return {fraction("alpha", o.alpha), at_least_0("eps", o.eps), at_least_0("momentum", o.momentum)};
    },
    .buffers = [](const RmsPropOptions& o) -> std::vector<Optimizer::Buffer> {
      std::vector<Optimizer::Buffer> buffers{{"square_avg"}};
      if (o.centered) buffers.push_back({"grad_avg"});
      if (o.momentum > 0) buffers.push_back({"momentum_buffer"});
      return buffers;
    },
    .by_element = true,
    .update =
        []<class T>(const RmsPropOptions& o, const Update<T>& u) {
          const Average<T> mean(o.alpha);
          const T lr = static_cast<T>(o.lr), eps = static_cast<T>(o.eps);
          const T momentum = static_cast<T>(o.momentum);
          T* const square = u.buffers[0];
          T* const center = o.centered ? u.buffers[1] : nullptr;
          const std::size_t last = o.centered ? 2 : 1;
          T* const buffer = u.buffers.size() > last ? u.buffers[last] : nullptr;
          choose(
              [&](auto centered, auto with_momentum) {
                for (std::size_t i = 0; i < u.w.size(); ++i) {
                  mean(square[i], u.g[i] * u.g[i]);
                  T variance = square[i];
                  if constexpr (centered) {
                    mean(center[i], u.g[i]);
                    variance = std::max(variance - center[i] * center[i], T{0});  // not negative by rounding
                  }
                  T change = u.g[i] / (std::sqrt(variance) + eps);
                  if constexpr (with_momentum) change = buffer[i] = momentum * buffer[i] + change;
                  u.w[i] -= lr * change;
                }
              },
              center != nullptr, buffer != nullptr);
        },
};

constexpr UpdateRule<AdagradOptions> adagrad_rule{
    .name = "Adagrad",
    .limits = [](const AdagradOptions& o) -> std::vector<Limit> {
      return {at_least_0("lr_decay", o.lr_decay), at_least_0("eps", o.eps),
              at_least_0("initial_accumulator_value", o.initial_accumulator_value)};
    },
    .buffers = [](const AdagradOptions& o) -> std::vector<Optimizer::Buffer> {
      return {{"sum", o.initial_accumulator_value}};
    },
    .by_element = true,
    .update =
        []<class T>(const AdagradOptions& o, const Update<T>& u) {
          const T lr = static_cast<T>(o.lr / (1 + (u.step - 1) * o.lr_decay)), eps = static_cast<T>(o.eps);
          T* const sum = u.buffers[0];
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            sum[i] += u.g[i] * u.g[i];
            u.w[i] -= lr * u.g[i] / (std::sqrt(sum[i]) + eps);
          }
        },
};

constexpr UpdateRule<AdadeltaOptions> adadelta_rule{
    .name = "Adadelta",
    .limits = [](const AdadeltaOptions& o) -> std::vector<Limit> {
      return {fraction("rho", o.rho), at_least_0("eps", o.eps)};
    },
    .buffers = [](const AdadeltaOptions&) -> std::vector<Optimizer::Buffer> {
      return {{"square_avg"}, {"acc_delta"}};
    },
    .by_element = true,
    .update =
        []<class T>(const AdadeltaOptions& o, const Update<T>& u) {
          const Average<T> mean(o.rho);
          const T lr = static_cast<T>(o.lr), eps = static_cast<T>(o.eps);
          T *const square = u.buffers[0], *const deltas = u.buffers[1];
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            mean(square[i], u.g[i] * u.g[i]);
            const T delta = std::sqrt(deltas[i] + eps) / std::sqrt(square[i] + eps) * u.g[i];
            mean(deltas[i], delta * delta);
            u.w[i] -= lr * delta;
          }
        },
};

// --- Adam and its kin -----------------------------------------------------------------------------------

constexpr UpdateRule<AdamOptions> adam_rule{
    .name = "Adam",
    .limits = adam_limits<AdamOptions>,
    .buffers = adam_buffers<AdamOptions>,
    .by_element = true,
    .update = []<class T>(const AdamOptions& o, const Update<T>& u) { adam_update(o, u); },
};

constexpr UpdateRule<AdamWOptions> adamw_rule{
    .name = "AdamW",
    .limits = adam_limits<AdamWOptions>,
    .buffers = adam_buffers<AdamWOptions>,
    .decoupled_decay = true,
    .by_element = true,
    .update =
        []<class T>(const AdamWOptions& o, const Update<T>& u) {
          const T keep = static_cast<T>(1 - o.lr * o.weight_decay);
          for (T& w : u.w) w *= keep;
          adam_update(o, u);
        },
};

constexpr UpdateRule<AdamaxOptions> adamax_rule{
    .name = "Adamax",
    .limits = adam_limits<AdamaxOptions>,
    .buffers = [](const AdamaxOptions&) -> std::vector<Optimizer::Buffer> {
      return {{"exp_avg"}, {"exp_inf"}};
    },
    .by_element = true,
    .update =
        []<class T>(const AdamaxOptions& o, const Update<T>& u) {
          const Average<T> mean(o.betas[0]);
          const T rate = static_cast<T>(o.lr / (1 - std::pow(o.betas[0], u.step)));
          const T beta2 = static_cast<T>(o.betas[1]), eps = static_cast<T>(o.eps);
          T *const m = u.buffers[0], *const most = u.buffers[1];
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            mean(m[i], u.g[i]);
            most[i] = std::max(beta2 * most[i], std::abs(u.g[i]) + eps);
            u.w[i] -= rate * m[i] / most[i];
          }
        },
};

constexpr UpdateRule<NAdamOptions> nadam_rule{
    .name = "NAdam",
    .limits =
        [](const NAdamOptions& o) {
          std::vector<Limit> limits = adam_limits(o);
          limits.push_back(at_least_0("momentum_decay", o.momentum_decay));
          return limits;
        },
    .buffers = [](const NAdamOptions&) -> std::vector<Optimizer::Buffer> {
      return {{"exp_avg"}, {"exp_avg_sq"}, {"mu_product", 1, true}};
    },
    .update =
        []<class T>(const NAdamOptions& o, const Update<T>& u) {
          const auto mu_at = [&](double t) {
            return o.betas[0] * (1 - 0.5 * std::pow(0.96, t * o.momentum_decay));
          };
          const double mu = mu_at(u.step), next = mu_at(u.step + 1);
          T& product = u.buffers[2][0];
          product *= static_cast<T>(mu);
          // The second mu is PyTorch's; the paper's product of the next step has only mu_next.
          const double product_next = static_cast<double>(product) * mu * next;
          const T rate_g = static_cast<T>(o.lr * (1 - mu) / (1 - static_cast<double>(product)));
          const T rate_m = static_cast<T>(o.lr * next / (1 - product_next));
          const T correction = static_cast<T>(1 - std::pow(o.betas[1], u.step));
          const T eps = static_cast<T>(o.eps);
          const Moments<T> moments(o, u);
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            moments.update(i);
            const T root = std::sqrt(moments.v(i) / correction) + eps;
            u.w[i] -= (rate_g * u.g[i] + rate_m * moments.m(i)) / root;
          }
        },
};

constexpr UpdateRule<RAdamOptions> radam_rule{
    .name = "RAdam",
    .limits = adam_limits<RAdamOptions>,
    .buffers = [](const RAdamOptions&) -> std::vector<Optimizer::Buffer> {
      return {{"exp_avg"}, {"exp_avg_sq"}};
    },
    .by_element = true,
    .update =
        []<class T>(const RAdamOptions& o, const Update<T>& u) {
          const double power = std::pow(o.betas[1], u.step), correction = 1 - power;
          const double rho_inf = 2 / (1 - o.betas[1]) - 1;
          const double rho = rho_inf - 2 * u.step * power / correction;
          const bool rectify = rho > 5;  // else the variance of the adaptive rate is unbounded
          double rate = o.lr / (1 - std::pow(o.betas[0], u.step));
          if (rectify)
            rate *= std::sqrt(correction * (rho - 4) * (rho - 2) * rho_inf /
                              ((rho_inf - 4) * (rho_inf - 2) * rho));
          const T step = static_cast<T>(rate), eps = static_cast<T>(o.eps);
          const Moments<T> moments(o, u);
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            moments.update(i);
            u.w[i] -= step * moments.m(i) / (rectify ? std::sqrt(moments.v(i)) + eps : T{1});
          }
        },
};

// --- by name --------------------------------------------------------------------------------------------

namespace {

template <class Named>
std::unique_ptr<Optimizer> make(Params params, const CommonOptions& common) {
  typename Named::Options o;
  o.lr = common.lr.value_or(o.lr);
  o.weight_decay = common.weight_decay.value_or(o.weight_decay);
  if constexpr (requires { o.momentum; })
    o.momentum = common.momentum.value_or(o.momentum);
  else if (common.momentum)
    throw TapeError("make_optimizer: only sgd and rmsprop have a momentum");
  return std::make_unique<Named>(std::move(params), o);
}

struct Entry {
  std::string_view name;
  std::unique_ptr<Optimizer> (*make)(Params, const CommonOptions&);
};
constexpr Entry by_name[]{
    {"adadelta", make<Adadelta>}, {"adagrad", make<Adagrad>}, {"adam", make<Adam>},
    {"adamax", make<Adamax>},     {"adamw", make<AdamW>},     {"nadam", make<NAdam>},
    {"radam", make<RAdam>},       {"rmsprop", make<RmsProp>}, {"rprop", make<Rprop>},
    {"sgd", make<Sgd>},
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(std::string_view name, Params params,
                                          const CommonOptions& options) {
  for (const Entry& e : by_name)
    if (e.name == name) return e.make(std::move(params), options);
  throw TapeError(fmt::format("make_optimizer: there is no optimizer \"{}\"; choose from {}", name,
                              fmt::join(optimizer_names(), ", ")));
}

std::vector<std::string_view> optimizer_names() {
  std::vector<std::string_view> names;
  for (const Entry& e : by_name) names.push_back(e.name);
  return names;
}

}  // namespace spool
