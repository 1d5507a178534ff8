// The optimisers that come with Spool: options (names and default values are PyTorch's) and types. Each is
// made with parameters and options, or with groups of both:
//
//   Adam adam(parameters(lstm, head), {.lr = 2e-3});
//   Sgd sgd({{parameters(lstm), {.lr = 0.1, .momentum = 0.9}}, {parameters(head), {.lr = 0.01}}});
//
// w is a parameter, g its gradient plus weight_decay * w, t the number of the update. All operations are
// element-wise. The formulas are those that PyTorch 1.13 computes.
#pragma once

#include <spool/optim/update_rule.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace spool {

/// Stochastic gradient descent; momentum as in Sutskever et al. 2013 (Polyak's, or Nesterov's, which needs a
/// momentum and no dampening).
struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};
extern const UpdateRule<SgdOptions> sgd_rule;
using Sgd = OptimizerOf<sgd_rule>;

/// Tieleman and Hinton 2012, lecture 6e; centered as in Graves 2013 (arXiv 1308.0850), equations 38 to 45.
struct RmsPropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
};
extern const UpdateRule<RmsPropOptions> rmsprop_rule;
using RmsProp = OptimizerOf<rmsprop_rule>;

/// Duchi, Hazan and Singer 2011, the diagonal form.
struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
};
extern const UpdateRule<AdagradOptions> adagrad_rule;
using Adagrad = OptimizerOf<adagrad_rule>;

/// Zeiler 2012 (arXiv 1212.5701), algorithm 1.
struct AdadeltaOptions {
  double lr = 1.0;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
};
extern const UpdateRule<AdadeltaOptions> adadelta_rule;
using Adadelta = OptimizerOf<adadelta_rule>;

/// Riedmiller and Braun 1993, in the variant that keeps a weight where its gradient changes sign. For full
/// batches. lr is only the first step size, so schedules of lr have no effect.
struct RpropOptions {
  double lr = 1e-2;
  std::array<double, 2> etas{0.5, 1.2};
  std::array<double, 2> step_sizes{1e-6, 50};
  double weight_decay = 0;
};
extern const UpdateRule<RpropOptions> rprop_rule;
using Rprop = OptimizerOf<rprop_rule>;

/// Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1; amsgrad as in Reddi, Kale and Kumar 2018, where the
/// running maximum is of exp_avg_sq before its bias correction.
struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
};
extern const UpdateRule<AdamOptions> adam_rule;
using Adam = OptimizerOf<adam_rule>;

/// Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2: Adam whose weight decay shrinks w itself.
struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
};
extern const UpdateRule<AdamWOptions> adamw_rule;
using AdamW = OptimizerOf<adamw_rule>;

/// Kingma and Ba 2015, algorithm 2; eps is added to |g|.
struct AdamaxOptions {
  double lr = 2e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
};
extern const UpdateRule<AdamaxOptions> adamax_rule;
using Adamax = OptimizerOf<adamax_rule>;

/// Dozat 2016, algorithm 2, with the momentum schedule of its section 3.2.
struct NAdamOptions {
  double lr = 2e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
};
extern const UpdateRule<NAdamOptions> nadam_rule;
using NAdam = OptimizerOf<nadam_rule>;

/// Liu et al. 2020 (arXiv 1908.03265), algorithm 2.
struct RAdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
};
extern const UpdateRule<RAdamOptions> radam_rule;
using RAdam = OptimizerOf<radam_rule>;

/// Options that most algorithms share; what is left out keeps the algorithm's own default.
struct CommonOptions {
  std::optional<double> lr = {}, weight_decay = {}, momentum = {};
};

/// An optimiser by its name in lower case, for command lines. Throws TapeError for a name that does not
/// exist, and for a momentum where the algorithm has no such option.
std::unique_ptr<Optimizer> make_optimizer(std::string_view name, Params params,
                                          const CommonOptions& options = {});
/// "adadelta", "adagrad", ... in alphabetical order.
std::vector<std::string_view> optimizer_names();

}  // namespace spool
