// One mistake for each message in docs/errors.md, under the heading of its section there. Those about files
// are in errors_doc_files.cpp.
#include <spool/spool.hpp>

#include <cmath>
#include <new>

#include "errors_doc.hpp"

using namespace spool;

Param weight(const std::string& name, const Shape& shape) { return Param(name, Tensor(shape)); }

void fit(TrainerOptions o, std::size_t batches, const Trainer::Validation& validate) {
  const Param w = weight();
  Adam adam({w});
  o.epochs = 1;
  o.progress = false;
  Trainer(adam, o).fit(
      std::vector<int>(batches), [&](Tape& t, int) { return sum(t.param(w)); }, validate);
}

namespace {

Tape tape;
const Init init{.seed = 1};
const std::vector<int> eight{0, 1, 2, 3, 4, 5, 6, 7};
const std::vector<std::vector<std::string>> so_good{{"so", "good"}};

Var array(const Shape& shape, std::string_view name) { return tape.input(Tensor(shape), name); }
Var tokens(std::initializer_list<int> ids, std::string_view name) {
  return tape.tokens({static_cast<std::int64_t>(ids.size())}, ids, name);
}

// Ops with one mistake each.
constexpr OpDef no_gradient_for_b{.name = "my_op",
                                  .arity = 2,
                                  .kind = Kind::elementwise,
                                  .shape = shapes::same,
                                  .eval = map([](auto a, auto b) { return a + b; }),
                                  .vjp = [](const Step&, Var g) -> Grads { return {g}; }};
constexpr OpDef summed_gradient{.name = "my_op",
                                .arity = 1,
                                .kind = Kind::elementwise,
                                .shape = shapes::same,
                                .eval = map([](auto x) { return x; }),
                                .vjp = [](const Step&, Var g) -> Grads { return {sum(g)}; }};
constexpr OpDef no_eval{
    .name = "my_op", .arity = 1, .kind = Kind::elementwise, .shape = shapes::same, .eval = {}};
constexpr OpDef hungry{.name = "my_op",
                       .arity = 1,
                       .kind = Kind::elementwise,
                       .shape = shapes::same,
                       .eval = eval_of([](const auto&) { throw std::bad_alloc(); })};

// A step over [1, batch, 3], and one that gives the state that `after` makes of the state.
Stepper<Lstm::State> stepper(std::int64_t batch, std::int64_t layers = 1) {
  const Lstm lstm(init, {.input = 3, .hidden = 4, .layers = layers});
  return Stepper(Shape{1, batch, 3}, lstm.zero_state(batch),
                 [&](Var x, const Lstm::State& s) { return lstm.unroll(x, s); });
}
template <class F>
void step_into(F after) {
  Tape t;
  const Carried start(Vars{t.constant(0, {1, 2})});
  Stepper(Shape{1, 2}, start, [&](Var x, const Vars& s) { return std::pair(x, after(s)); });
}

// (so good), of these words.
WordTree two_leaves(std::vector<std::string> words) {
  using enum WordTree::Node;
  return {.order = {leaf, leaf, join}, .labels = {"", "", ""}, .words = std::move(words)};
}

// One sequence, by a step that gives so many rows of scores.
void decode(const DecodeOptions& options, std::int64_t rows = 1) {
  const Tensor scores({rows, 9});
  decode_greedy([&](auto, auto) -> const Tensor& { return scores; }, 1, options);
}

void sample(double temperature, double top_p) {
  Philox random(1);
  const SampleOptions how{.temperature = temperature, .top_p = top_p};
  sample_token(std::vector{0.5, 0.5}, how, random);
}

}  // namespace

const std::vector<Mistake> shape_mistakes{
    {"Shapes that do not broadcast",
     [] {
       array({2, 3}, "x") + array({2, 4}, "y");
     }},
    {"A matrix product",
     [] {
       matmul(array({8, 3}, "x"), array({4, 5}, "w"));
     }},
    {"A matrix product",
     [] {
       matmul(array({8, 3}, "x"), array({3}, "b"));
     }},
    {"An axis that does not exist",
     [] {
       sum(array({2, 3}, "x"), 2);
     }},
    {"A part that is not there",
     [] {
       slice(array({2, 3}, "x"), 1, 2, 5);
     }},
    {"A part that is not there",
     [] {
       select(array({2, 3}, "x"), 0, 2);
     }},
    {"A part that is not there",
     [] {
       split<4>(array({2, 6}, "x"));
     }},
    {"Elements that do not fit a shape",
     [] {
       reshape(array({2, 3}, "x"), {4, 2});
     }},
    {"Arrays that can't be joined",
     [] {
       concat({array({2, 3}, "x"), array({4, 5}, "y")}, 0);
     }},
    {"Arrays that can't be joined",
     [] {
       stack({array({2, 3}, "x"), array({4, 5}, "y")});
     }},
    {"Nothing to average or to choose from",
     [] {
       mean(array({0, 3}, "x"));
     }},
    {"Nothing to average or to choose from",
     [] {
       argmax(array({2, 0}, "x"));
     }},
    {"A loss that is not a scalar",
     [] {
       grad(array({2, 3}, "x") * 2, array({2}, "y"));
     }},
    {"Data that does not fit its slot",
     [] {
       tape.set(array({2, 3}, "x"), Tensor({3, 2}));
     }},
    {"Data that does not fit its slot",
     [] {
       tape.tokens({4, 1}, {1, 2, 3});
     }},
    {"A tensor and its numbers",
     [] {
       Tensor({2, 2}, {1, 2, 3});
     }},
    {"A tensor and its numbers",
     [] {
       tape.value(array({2, 3}, "x"));
     }},
    {"A shape that can't be",
     [] {
       Shape({2, -1});
     }},
    {"A shape that can't be",
     [] {
       Shape({1 << 30, 1 << 30, 1 << 30});
     }},
    {"The sizes of a layer", [] { Linear(init.named("head"), 0, 10); }},
    {"The sizes of a layer", [] { Lstm(init, {.input = 3, .hidden = 8, .layers = 0}); }},
    {"The sizes of a layer", [] { Lstm(init, {.input = 3, .hidden = 8, .dropout = 1.5}); }},
    {"The sizes of a layer", [] { Embedding(init, 10, 4, {.padding_idx = 10}); }},
    {"What a layer is given",
     [] {
       Linear(init, 8, 10)(array({32, 9}, "h"));
     }},
    {"What a layer is given",
     [] {
       Gru(init, {.input = 3, .hidden = 8}).unroll(array({5, 3}, "xs"));
     }},
    {"What a layer is given",
     [] {
       RnnCell(init, 3, 8).step(array({5, 3}, "x"), array({4, 8}, "h"));
     }},
    {"A state that does not fit the model",
     [] {
       const Lstm one(init, {.input = 3, .hidden = 8}), two(init, {.input = 3, .hidden = 8, .layers = 2});
       two.unroll(array({5, 1, 3}, "xs"), one.initial_state(tape, 1));
     }},
    {"Lengths of sequences",
     [] {
       const Rnn rnn(init, {.input = 3, .hidden = 8});
       rnn.unroll(array({5, 2, 3}, "xs"), {.lengths = tokens({5, 4, 2}, "lengths")});
     }},
    {"A step of a Stepper",
     [] {
       stepper(2).step(Tensor({1, 1, 3}));
     }},
    {"A step of a Stepper",
     [] {
       stepper(2).step(std::vector{0.5, 0.5, 0.5});
     }},
    {"A step of a Stepper", [] { stepper(2).step(1, 2); }},
    {"The state of a Stepper", [] { stepper(2).set_state(stepper(1).state()); }},
    {"The state of a Stepper", [] { stepper(2, 2).set_state(stepper(2).state()); }},
    {"The state of a Stepper",
     [] { step_into([](const Vars& s) {
            return Vars{concat({s[0], s[0]}, 1)};
          }); }},
    {"The state of a Stepper", [] { step_into([](const Vars&) { return Vars{}; }); }},
    {"Targets of a loss",
     [] {
       cross_entropy(array({5, 2, 65}, "logits"), array({2, 5}, "targets"));
     }},
    {"Targets of a loss",
     [] {
       mse_loss(array({8, 1}, "y"), array({8}, "targets"));
     }},
    {"Convolution and pooling",
     [] {
       conv1d(array({2, 4, 9}, "x"), array({6, 4, 3}, "w"), {.groups = 2});
     }},
    {"Convolution and pooling",
     [] {
       max_pool1d(array({2, 4, 3}, "x"), {.kernel = 5});
     }},
    {"A probability",
     [] {
       dropout(array({2, 3}, "x"), 1.5);
     }},
    {"A parameter that changes its shape", [] { weight().assign(Tensor({3})); }},
    {"A parameter that changes its shape",
     [] {
       Param w = weight();
       const Var y = tape.param(w) * 2;
       w.edit() = Tensor({3});
       tape.run({y});
     }},
    {"Gradients from elsewhere", [] { Sgd({weight()}).apply(std::vector{Tensor({3})}); }},
    {"A text too short", [] { TextBatches(eight, {.streams = 4, .steps = 2}); }},
    {"A text too short", [] { split_text(eight, 0.9, 0.05, 0.05); }},
    {"A text too short", [] { split_text(eight, 0.9, 0.2, 0); }},
    {"A set that can't be divided", [] { random_split(4, {}, 1); }},
    {"A set that can't be divided",
     [] {
       LengthBatches({1, -2}, {});
     }},
    {"A set that can't be divided",
     [] {
       const std::vector series{Tensor({2, 2}), Tensor({2, 3})};
       const std::vector<std::size_t> both{0, 1};
       pad(series, both);
     }},
    {"A set that can't be divided", [] { fit({}, 0); }},
    {"Sequences that are not there",
     [] {
       const std::vector<std::vector<int>> two{{1, 2}, {3}};
       pad(two, std::vector<std::size_t>{0, 2});
     }},
    {"Sequences that are not there", [] { LengthBatches({}, {}); }},
    {"Words for a vocabulary", [] { WordVocabulary(so_good, 2); }},
    {"Words for a vocabulary", [] { WordVocabulary(so_good, 0); }},
    {"Words for a vocabulary",
     [] {
       WordVocabulary(std::vector<std::vector<std::string>>{{"so", ""}});
     }},
    {"Attention and decoders",
     [] {
       Attention(init, {.query = 4, .memory = 6}).memory(array({5, 2, 4}, "memory"));
     }},
    {"Attention and decoders", [] { Attention(init, {.query = 4, .memory = 6, .score = Score::dot}); }},
    {"Attention and decoders",
     [] {
       const TokenDecoder decoder{Embedding(init, 9, 4), GruCell(init, 4, 8), Linear(init, 8, 9)};
       decoder(tokens({1, 2}, "tokens"), tape.constant(0, {2, 8}));
     }},
    {"Attention and decoders", [] { decode({}); }},
    {"Attention and decoders",
     [] {
       decode({.begin = 1, .end = 2, .banned = {0, 2}});
     }},
    {"Attention and decoders", [] { decode({.begin = 1, .end = 2, .banned = {9}}); }},
    {"Attention and decoders", [] { decode({.begin = 1, .end = 9}, /*rows=*/2); }},
    {"Attention and decoders", [] { decode_beam({}, 1, {.begin = 1, .end = 2}, {.width = 2, .best = 3}); }},
    {"Pictures for an encoder",
     [] {
       ConvEncoder(init, {.channels = {8, 16}})(array({2, 3, 2, 2}, "x"));
     }},
    {"Pictures for an encoder", [] { ConvEncoder(init, {.channels = {8}, .norm_groups = 3}); }},
    {"Pictures for an encoder",
     [] {
       grid_mean(array({2, 16, 8}, "features"));
     }},
    {"A cell in a wrapper",
     [] {
       const Residual cell{GruCell(init, 3, 8)};
       cell.step(array({5, 3}, "x"), tape.constant(0, {5, 8}));
     }},
    {"First values", [] { init.param("w", {4}, fill::orthogonal()); }},
    {"First values",
     [] {
       init.param("b", {4}, fill::stacked({fill::zeros(), fill::zeros(), fill::zeros()}));
     }},
    {"A tree and its words",
     [] {
       fold_tree(
           two_leaves({"so"}), [](std::size_t k) { return k; }, [](auto a, auto) { return a; });
     }},
    {"Something to draw",
     [] {
       line_chart(std::vector<Series>{{"loss", {1, 2, 3}, {0.5, 0.4}}});
     }},
    {"Something to draw",
     [] {
       line_chart(std::vector<Series>{{.name = "forecast", .x = {1, 2}, .y = {5, 6}, .low = {4, 5}}});
     }},
    {"Something to draw", [] { heat_map(Tensor({3})); }},
    {"Something to draw",
     [] {
       heat_map(Tensor({2, 3}), {.row_labels = {"one"}});
     }},
    {"Something to draw",
     [] {
       tree_chart(two_leaves({"so", "good"}), std::vector{0.5, 0.9});
     }},
    {"Something to draw", [] { panels(std::vector<std::string>{"picture.svg"}); }},
    {"Something to draw",
     [] {
       write_png("picture.png", Tensor({8, 8, 2}));
     }},
    {"Something to hear",
     [] {
       write_wav("sound.wav", Tensor({0, 2}), 8000);
     }},
    {"Something to hear",
     [] {
       write_midi("piece.mid", Tensor({16, 88}), {.lowest_key = 60});
     }},
    {"Something to hear",
     [] {
       write_midi("piece.mid", Tensor({16, 88}), {.tempo = 0});
     }},
    {"A gradient of the wrong shape",
     [] {
       const Var x = array({2, 3}, "x");
       grad(sum(record(summed_gradient, {x})), x);
     }},
};

const std::vector<Mistake> tape_mistakes{
    {"An empty Var", [] { tanh(Var{}); }},
    {"A Var from before clear()",
     [] {
       const Var x = array({2}, "x");
       tape.clear();
       tanh(x);
     }},
    {"A Var of another tape",
     [] {
       Tape other;
       array({2}, "x") + other.input(Tensor({2}));
     }},
    {"Numbers without a tape", [] { relu(0.5); }},
    {"An input without data",
     [] {
       tape.run({tanh(tape.input(Shape{2, 3}, "x"))});
     }},
    {"Data for what is not an input", [] { tape.set(tanh(array({2}, "x")), Tensor({2})); }},
    {"Read after parameters have changed",
     [] {
       Param w = weight();
       const Var y = tape.param(w) * 2, z = tape.param(w) * 3;
       tape.run({y});
       w.assign(Tensor({2}, {5, 5}));
       tape.read(z);
     }},
    {"Not a finite number",
     [] {
       Tape checking({.check_finite = true});
       checking.run({sum(log(checking.input(Tensor({2}, {1, 0}), "x")))});
     }},
    {"An index out of range",
     [] {
       tape.run({Embedding(init, 10, 4)(tokens({3, 12}, "ids"))});
     }},
    {"An index out of range",
     [] {
       tape.run({cross_entropy(array({2, 65}, "logits"), tokens({3, 65}, "targets"))});
     }},
    {"An index out of range", [] { tape.run({one_hot(tape.input(Tensor({1}, {1.5}), "ids"), 4)}); }},
    {"A probability that is none",
     [] { tape.run({binary_cross_entropy(tape.input(Tensor({1}, {3}), "scores"), 1)}); }},
    {"A Stepper out of turn", [] { stepper(1).outputs(); }},
    {"A Stepper out of turn",
     [] {
       auto made = stepper(1);
       const auto kept = std::move(made);
       made.step(std::vector{1, 2, 3});
     }},
    {"A Stepper out of turn",
     [] { Stepper(Shape{1}, Carried(Vars{}), [](Var, const Vars& s) { return std::pair(Vars{}, s); }); }},
    {"A token too large for a float", [] { tape.tokens({1}, {16'777'217}); }},
    {"A token too large for a float",
     [] {
       Stepper(Shape{1}, Carried(Vars{}), [](Var x, const Vars& s) {
         return std::pair(x, s);
       }).step(16'777'217);
     }},
    {"Not enough memory",
     [] {
       tape.run({record(hungry, {array({1 << 10, 1 << 10}, "x")})});
     }},
    {"A tensor of another type", [] { Tensor({2}).as<double>(); }},
    {"Training or not",
     [] {
       Lstm(init, {.input = 3, .hidden = 8, .dropout = 0.5}).unroll(array({5, 1, 3}, "xs"));
     }},
    {"Training or not",
     [] {
       const TokenDecoder decoder{Embedding(init, 9, 4), GruCell(init, 4, 8), Linear(init, 8, 9), 0.3};
       decoder.step(tokens({1, 2}, "tokens"), tape.constant(0, {2, 8}));
     }},
    {"Options without a meaning", [] { clamp(array({2}, "x"), 1, -1); }},
    {"Options without a meaning", [] { Adam({weight()}, {.lr = -1}); }},
    {"Options without a meaning", [] { step_decay(0); }},
    {"Options without a meaning", [] { Sgd({weight()}).set_clip({.max_norm = -1}); }},
    {"Options without a meaning", [] { make_optimizer("adm", {weight()}); }},
    {"Options without a meaning",
     [] {
       Adam adam({weight()});
       DataParallel(adam, 0);
     }},
    {"Options without a meaning", [] { fit({.patience = -1}); }},
    {"Options without a meaning", [] { fit({.resume = true}); }},
    {"A training that gets nowhere",
     [] {
       const Param w = weight();
       Adam adam({w});
       Trainer(adam, {.epochs = 200, .progress = false}).fit(std::vector{1}, [&](Tape& t, int) {
         return sum(t.param(w)) / 0;
       });
     }},
    {"A training that gets nowhere", [] { fit({}, 1, [] { return Metrics({}); }); }},
    {"Names of metrics", [] { fit({}, 1, [] {
                                return Metrics({{"best", 0.5}});
                              }); }},
    {"Names of what a Trainer keeps",
     [] {
       Adam adam({weight()});
       Trainer(adam).keep("model", tape);
     }},
    {"Names of what a Trainer keeps",
     [] {
       Adam adam({weight()});
       Trainer(adam).keep("model.x", tape);
     }},
    {"The parameters of an optimizer", [] { Adam(Params{}); }},
    {"The parameters of an optimizer",
     [] {
       const Param w = weight();
       Adam({w, w});
     }},
    {"A momentum where there is none", [] { Schedule(*make_optimizer("sgd", {weight()}), one_cycle({})); }},
    {"A loss that depends on no parameter", [] { Adam({weight()}).step(sum(array({2}, "x"))); }},
    {"A loss that depends on no parameter",
     [] {
       Adam adam({weight()});
       DataParallel(adam, 2).step([](Tape& t, int) { return sum(t.input(Tensor({2}))); });
     }},
    {"A loss on another tape",
     [] {
       const Param w = weight();
       Adam adam({w});
       const Var loss = sum(tape.param(w));  // here: the parts run at the same time
       DataParallel(adam, 2).step([&](Tape&, int) { return loss; });
     }},
    {"Gradients that wait", [] { Adam({weight()}).apply(); }},
    {"Gradients that wait",
     [] {
       const Param w = weight();
       Adam adam({w});
       adam.accumulate(sum(tape.param(w)));
       adam.state();
     }},
    {"Two parameters of one name",
     [] {
       snapshot(Params{weight("weight"), weight("weight")});
     }},
    {"Nothing to choose from",
     [] {
       const Tensor scores({1, 9}, std::vector<double>(9, std::log(-1)));
       decode_greedy([&](auto, auto) -> const Tensor& { return scores; }, 1, {.begin = 1, .end = 2});
     }},
    {"How to choose", [] { sample(-1, 1); }},
    {"How to choose", [] { sample(1, 0); }},
    {"How to choose", [] { decode_beam({}, 1, {.begin = 1, .end = 2}, {.length_penalty = -1}); }},
    {"How to choose", [] { inverse_sigmoid_decay(0, 0.5); }},
    {"A checkpoint of nothing", [] { checkpoint([](Var x) { return tanh(x); }, Var{}); }},
    {"A number that is no symbol", [] { Vocabulary("helo").decode(4); }},
    {"grad_check with nothing to check", [] { grad_check([](Tape&, const Vars& in) { return in[0]; }, {}); }},
    {"An op of your own",
     [] {
       const Var x = array({2}, "x"), y = array({2}, "y");
       grad(sum(record(no_gradient_for_b, {x, y})), x);
     }},
    {"An op of your own", [] { tape.run({record(no_eval, {array({2}, "x")})}); }},
    {"An op of your own",
     [] {
       record(no_eval, {array({2}, "x"), array({2}, "y")});
     }},
};
