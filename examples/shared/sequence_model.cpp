#include "sequence_model.hpp"

namespace examples {

using spool::Tape;
using spool::Var;

Pooling pooling_of(const std::string& name) {
  require_one_of("pooling", name, {"last", "mean", "attention"});
  return name == "last" ? Pooling::last : name == "mean" ? Pooling::mean : Pooling::attention;
}

SequenceModel::SequenceModel(const spool::Init& init, SequenceModelOptions options)
    : options_(std::move(options)),
      layers_(init.named("recurrent"),
              {.cell = options_.recipe.cell,
               .input = options_.symbols > 0 ? options_.recipe.embed : options_.width,
               .hidden = options_.recipe.hidden,
               .layers = options_.recipe.layers,
               .bidirectional = options_.bidirectional,
               .dropout = options_.recipe.dropout}),
      head_(init.named("head"), layers_.output_size(), options_.classes) {
  if (options_.symbols > 0) table_.emplace(init.named("embedding"), options_.symbols, options_.recipe.embed);
  if (options_.pooling == Pooling::attention)
    look_.emplace(init.named("attention"), layers_.output_size(), 1, spool::LinearOptions{.bias = false});
}

Var SequenceModel::operator()(Tape& tape, const spool::PaddedIds& x, bool training) const {
  return (*this)((*table_)(tape.tokens(x.shape, x.ids)), tape.tokens({std::ssize(x.lengths)}, x.lengths),
                 training);
}

Var SequenceModel::operator()(Tape& tape, const spool::PaddedRows& x, bool training) const {
  return (*this)(tape.input(x.values), tape.tokens({std::ssize(x.lengths)}, x.lengths), training);
}

Var SequenceModel::operator()(Var xs, Var lengths, bool training) const {
  const double p = options_.recipe.dropout;
  const auto out = layers_(spool::dropout(xs, p, training), {.lengths = lengths, .training = training});
  return head_(spool::dropout(pooled(out, lengths), p, training));
}

Var SequenceModel::pooled(const AnyRecurrent::Output& out, Var lengths) const {
  const Var ys = out.ys;  // 0 past each sequence's end
  const std::int64_t T = ys.shape()[0], B = ys.shape()[1];
  switch (options_.pooling) {
    case Pooling::last:
      return out.last;
    case Pooling::mean:
      return spool::sum(ys, 0) / spool::reshape(lengths, {B, 1});
    case Pooling::attention: {
      const Var mask = spool::mask_past_end(ys.tape().constant(1, {T, B, 1}), lengths);
      const Var weights = spool::masked_softmax((*look_)(spool::tanh(ys)), mask, 0);
      return spool::sum(weights * ys, 0);
    }
    case Pooling::none:
      break;
  }
  return ys;
}

spool::Params SequenceModel::parameters() const {
  spool::Params all = spool::parameters(layers_, head_);
  const auto add = [&](const auto& part) {
    if (!part) return;
    const spool::Params some = part->parameters();
    all.insert(all.end(), some.begin(), some.end());
  };
  add(table_);
  add(look_);
  return all;
}

spool::Stepper<spool::Vars> SequenceModel::stepper() const {
  const spool::Shape one = table_ ? spool::Shape{1, 1} : spool::Shape{1, 1, options_.width};
  return {one, layers_.zero_state(1), [&](Var x, const spool::Vars& state) {
            const auto [ys, next] = layers_(table_ ? (*table_)(x) : x, state, {.training = false});
            return std::pair(head_(ys), next);
          }};
}

}  // namespace examples
