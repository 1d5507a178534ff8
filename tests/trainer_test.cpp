// Trainer: the loop by hand gives the same bits; early stopping, the best weights, the log and what is shown,
// and what is refused.
#include <spool/spool.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"
#include "trainer_models.hpp"

using namespace spool;

namespace {

// What f writes to a stream of the program: to STDOUT_FILENO or STDERR_FILENO.
std::string written_to(int stream, const std::function<void()>& f) {
  const Scratch scratch;
  const std::string path = scratch.file("output", "");
  std::fflush(nullptr);
  const int before = ::dup(stream);
  const int file = ::open(path.c_str(), O_WRONLY);
  ::dup2(file, stream);
  f();
  std::fflush(nullptr);
  ::dup2(before, stream);
  ::close(file);
  ::close(before);
  return bytes_of(path);
}

std::vector<boost::json::object> lines_of(const std::string& path) {
  std::vector<boost::json::object> lines;
  std::istringstream in(bytes_of(path));
  for (std::string line; std::getline(in, line);) lines.push_back(boost::json::parse(line).as_object());
  return lines;
}

}  // namespace

TEST_CASE("a trainer gives the bits of the loop by hand") {
  const auto batches = make_batches(5);
  const Model a, b;
  Adam by_hand(a.parameters(), {.lr = 0.02});
  by_hand.set_clip({.max_norm = 0.5});
  Schedule schedule(by_hand, warm_up(3, cosine({.steps = 20})));
  Tape tape({.seed = 3});
  std::vector<double> losses;
  for (std::size_t step = 0; step < 15; ++step) {
    tape.clear();
    const Var loss = a.loss(tape, batches[step % 5]);
    by_hand.step(loss);
    losses.push_back(tape.value(loss));
    schedule.step();
  }

  TrainerOptions o = quiet(3);
  o.clip = 0.5;
  o.schedule = warm_up(3, cosine({.steps = 20}));
  o.tape = {.seed = 3};
  o.restore_best = false;
  Adam adam(b.parameters(), {.lr = 0.02});
  const TrainResult result =
      Trainer(adam, o).fit(batches, [&](Tape& t, const Batch& batch) { return b.loss(t, batch); });
  CHECK(a.values() == b.values());
  REQUIRE(result.curve.size() == 15);
  for (std::size_t i = 0; i < 15; ++i) CHECK(result.curve[i].loss == losses[i]);
  CHECK(result.steps == 15);
  CHECK((!result.interrupted && !result.stopped_early));
  // Without a validation the mean loss of the epoch is the metric.
  const double last = (losses[10] + losses[11] + losses[12] + losses[13] + losses[14]) / 5;
  CHECK(result.curve.back().metric == Approx(last).epsilon(1e-12));
  CHECK(std::isnan(result.curve[13].metric));
}

TEST_CASE("a trainer fits: the validation loss falls") {
  const auto batches = make_batches(8);
  const Model m;
  Adam adam(m.parameters(), {.lr = 0.02});
  const double before = m.validation(batches);
  const TrainResult result = Trainer(adam, quiet(60))
                                 .fit(
                                     batches, [&](Tape& t, const Batch& b) { return m.loss(t, b); },
                                     [&] { return m.validation(batches); });
  CHECK(result.best < before / 10);
  CHECK(m.validation(batches) == result.best);  // the best weights are back
}

TEST_CASE("patience counts validations in a row that are no better, and the best is kept") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TrainResult r = with_validations({.epochs = 20, .patience = 3}, {5, 4, 3, 3.5, 3, 3.1, 0});
  CHECK((r.steps == 6 && r.best == 3 && r.best_step == 3 && r.stopped_early));
  r = with_validations({.epochs = 20, .patience = 2}, {5, 6, 4, 6, nan});
  CHECK((r.steps == 5 && r.best == 4 && r.best_step == 3 && r.stopped_early));
  r = with_validations({.epochs = 4}, {5, 6, 7, 8});
  CHECK((r.steps == 4 && r.best == 5 && r.best_step == 1 && !r.stopped_early));
  r = with_validations({.epochs = 9, .patience = 1, .maximize = true}, {0.2, 0.7, 0.6});
  CHECK((r.steps == 3 && r.best == 0.7 && r.best_step == 2));
  r = with_validations({.epochs = 2}, {nan, nan});
  CHECK((r.best_step == 0 && std::isnan(r.best)));
}

TEST_CASE("the weights are those of the best validation, or the last") {
  const auto batches = make_batches(2);
  for (const bool restore : {true, false}) {
    const Model m;
    Sgd sgd(m.parameters(), {.lr = 0.1});
    TrainerOptions o = quiet(4);
    o.restore_best = restore;
    std::vector<std::vector<Tensor>> seen;
    const std::vector<double> metrics{3, 1, 2, 4};
    Trainer(sgd, o).fit(
        batches, [&](Tape& t, const Batch& b) { return m.loss(t, b); },
        [&] {
          seen.push_back(m.values());
          return metrics[seen.size() - 1];
        });
    CHECK(m.values() == seen[restore ? 1 : 3]);
    CHECK(seen[1] != seen[3]);
  }
}

TEST_CASE("the bounds of a run: steps, epochs, time; how often it validates") {
  const Constant c;
  const auto steps = [&](TrainerOptions o, int batches, int* validations = nullptr) {
    Sgd sgd({c.w}, {.lr = 0.1});
    o.progress = false;
    return Trainer(sgd, o)
        .fit(std::vector<int>(static_cast<std::size_t>(batches)), c,
             [&] {
               if (validations != nullptr) ++*validations;
               return 1.0;
             })
        .steps;
  };
  CHECK(steps({.epochs = 2}, 5) == 10);
  CHECK(steps({.epochs = 2, .steps = 7}, 5) == 7);
  CHECK(steps({.epochs = 2, .steps = 70}, 5) == 10);
  CHECK(steps({.epochs = 0}, 5) == 0);
  CHECK(steps({.steps = 0}, 5) == 0);
  CHECK(steps({.epochs = 1'000'000'000, .minutes = 1e-4}, 5) < 1'000'000);
  int validations = 0;
  steps({.epochs = 2}, 5, &validations);
  CHECK(validations == 2);
  steps({.epochs = 2, .steps = 7}, 5, &validations);  // and at the end
  CHECK(validations == 4);
  steps({.epochs = 2, .validate_every = 3}, 5, &validations);  // 3, 6, 9, 10
  CHECK(validations == 8);
}

TEST_CASE("epochs times batches never overflow") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(TrainerOptions{.epochs = 3}.total_steps(5) == 15);
  CHECK(TrainerOptions{.epochs = 3, .steps = 4}.total_steps(5) == 4);
  CHECK(TrainerOptions{.epochs = 3, .steps = 40}.total_steps(5) == 15);
  CHECK(TrainerOptions{.epochs = most}.total_steps(1) == most);
  CHECK(TrainerOptions{.epochs = most}.total_steps(2) == most);
  CHECK(TrainerOptions{.epochs = most / 2}.total_steps(2) == most - 1);
  CHECK(TrainerOptions{.epochs = most, .steps = 7}.total_steps(1000) == 7);
  CHECK(TrainerOptions{.epochs = 0}.total_steps(1000) == 0);

  const Constant c;
  Sgd sgd({c.w}, {.lr = 0.1});
  CHECK(Trainer(sgd, {.epochs = most, .steps = 7, .progress = false}).fit(std::vector{1, 2}, c).steps == 7);
}

TEST_CASE("the best file holds the best weights, and what the model is") {
  const auto batches = make_batches(3);
  Scratch folder;
  const Model m;
  Sgd sgd(m.parameters(), {.lr = 0.1});
  TrainerOptions o = quiet(4);
  o.directory = folder / "deep/run";
  o.model = {{"cell", "none"}};
  int validations = 0;
  Trainer(sgd, o).fit(
      batches, [&](Tape& t, const Batch& b) { return m.loss(t, b); },
      [&] { return ++validations == 2 ? 0.5 : 1.0; });
  const Model other;
  restore(other.parameters(),
          load_checkpoint(o.directory + "/best.safetensors", o.model).state.part("model"));
  CHECK(other.values() == m.values());
  CHECK(bytes_of(o.directory + "/loss.svg").starts_with("<svg"));
}

TEST_CASE("a plateau of the metric lowers the rate") {
  const Constant c;
  Sgd sgd({c.w}, {.lr = 1});
  TrainerOptions o = quiet(5);
  o.maximize = true;
  o.plateau = PlateauOptions{.factor = 0.5, .patience = 1};
  std::vector<double> rates, metrics{1, 2, 2, 2, 2};
  Trainer(sgd, o).fit(std::vector{1}, c, [&] {
    rates.push_back(sgd.lr());
    return metrics[rates.size() - 1];
  });
  CHECK(rates == std::vector<double>{1, 1, 1, 1, 0.5});
}

TEST_CASE("the log is JSON lines, one for each point and validation") {
  Scratch folder;
  const auto batches = make_batches(2);
  const Model m;
  Sgd sgd(m.parameters(), {.lr = 0.1});
  TrainerOptions o = quiet(2);
  o.log = folder / "log.jsonl";
  o.unit = "rows";
  o.units_per_step = 4;
  double accuracy = 0;
  Trainer(sgd, o).fit(
      batches, [&](Tape& t, const Batch& b) { return m.loss(t, b); },
      [&]() -> Metrics {
        accuracy += 0.25;
        return {{"validation loss", std::nan("")}, {"accuracy", accuracy}};
      });
  const auto lines = lines_of(o.log);
  REQUIRE(lines.size() == 6);  // two steps and a validation, twice
  CHECK(lines[0].at("step").as_int64() == 1);
  CHECK(lines[0].at("loss").as_double() > 0);
  CHECK(lines[0].at("lr").as_double() == 0.1);
  CHECK(lines[0].at("grad_norm").as_double() > 0);
  CHECK(lines[0].at("rows_per_second").as_double() > 0);
  CHECK(lines[5].at("step").as_int64() == 4);
  CHECK(lines[5].at("accuracy").as_double() == 0.5);
  CHECK(lines[5].at("validation_loss").is_null());
  CHECK(lines[5].at("best").as_bool() == false);
}

TEST_CASE("what is shown of validations: losses in their unit, and what was the best so far") {
  const auto validated = [](TrainerOptions o, const Trainer::Validation& validate) {
    const Constant c;
    Sgd sgd({c.w}, {.lr = 0.1});
    o.epochs = 2;
    return written_to(STDOUT_FILENO, [&] { Trainer(sgd, o).fit(std::vector{1, 2}, c, validate); });
  };
  double x = 4;
  const auto several = [&]() -> Metrics {
    x += 1;
    return {{"validation loss", x}, {"accuracy", x / 10}};
  };
  CHECK(
      validated({.loss_unit = "nats per token"}, several) ==
      "step 2  training loss 0.0000 nats per token  validation loss 5.0000 nats per token  accuracy 0.5000  "
      "(best so far)\n"
      "step 4  training loss 0.0000 nats per token  validation loss 6.0000 nats per token  accuracy "
      "0.6000\n");
  CHECK(validated({.patience = 1}, [] { return 1.0; }) ==
        "step 2  training loss 0.0000  validation loss 1.0000  (best so far)\n"
        "step 4  training loss 0.0000  validation loss 1.0000\n"
        "stopped: no better for 1 validations in a row\n");
  CHECK(validated({.loss_unit = "nats"}, {}) ==
        "step 2  training loss 0.0000 nats  (best so far)\nstep 4  training loss 0.0000 nats\n");
  CHECK(validated({.progress = false}, several).empty());
}

TEST_CASE("the loss curve has a metric that is a loss, and another chart has one that is none") {
  const auto chart = [](const Metrics& metrics, bool maximize = false) {
    const Scratch folder;
    const Constant c;
    Sgd sgd({c.w}, {.lr = 0.1});
    TrainerOptions o = quiet(3);
    o.directory = folder.path().string();
    o.maximize = maximize;
    Trainer(sgd, o).fit(std::vector{1}, c, [&] { return metrics; });
    o.resume = true;  // which ends at once, and draws again
    const std::string drawn = bytes_of(folder / "loss.svg");
    std::filesystem::remove(folder / "loss.svg");
    Trainer(sgd, o).fit(std::vector{1}, c, [&] { return metrics; });
    CHECK(bytes_of(folder / "loss.svg") == drawn);
    return drawn;
  };
  const auto shows = [](const std::string& svg, const std::string& name) {
    return svg.find(">" + name + "<") != svg.npos;
  };
  const auto charts = [](const std::string& svg) {
    std::size_t n = 0;
    for (auto at = svg.find("<svg x="); at != svg.npos; at = svg.find("<svg x=", at + 1)) ++n;
    return n;
  };
  const std::string loss = chart(1.0), quantile = chart({{"quantile loss", 1}, {"accuracy", 1}});
  CHECK(shows(loss, "validation loss"));
  CHECK(shows(loss, "Loss in training and validation"));
  CHECK(charts(loss) == 1);
  CHECK(shows(quantile, "quantile loss"));
  CHECK(charts(quantile) == 1);
  const std::string rate = chart({{"error rate", 0.5}, {"validation loss", 1}});
  CHECK(shows(rate, "error rate"));
  CHECK(shows(rate, "error rate in validation"));
  CHECK(shows(rate, "Loss in training"));
  CHECK(charts(rate) == 2);
  CHECK(rate.find("nan") == rate.npos);
  CHECK(charts(chart({{"accuracy", 0.5}}, /*maximize=*/true)) == 2);
  CHECK(charts(chart({{"validation loss", 0.5}}, /*maximize=*/true)) == 2);
}

TEST_CASE("steps that update by themselves: a batch in parts") {
  const auto batches = make_batches(4);
  const Model a, b;
  Sgd one(a.parameters(), {.lr = 0.1}), two(b.parameters(), {.lr = 0.1});
  DataParallel hand(one, 2, {.seed = 1}), parts(two, 2, {.seed = 1});
  const auto update = [](DataParallel& p, const Model& m, const Batch& batch) {
    return p.step([&](Tape& t, int) { return m.loss(t, batch); });
  };
  for (const Batch& batch : batches) update(hand, a, batch);
  Trainer trainer(two, quiet(1));
  trainer.keep("part0", parts.tape(0));
  trainer.keep("part1", parts.tape(1));
  trainer.fit(batches, [&](Tape&, const Batch& batch) { return update(parts, b, batch); });
  CHECK(a.values() == b.values());
}

TEST_CASE("batches by their number: a text") {
  const std::vector<int> ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const TextBatches text(ids, {.streams = 1, .steps = 3});
  const Constant c;
  Sgd sgd({c.w}, {.lr = 0.1});
  std::vector<int> firsts;
  Trainer(sgd, quiet(2)).fit(text, [&](Tape& tape, const TextBatch& b) {
    firsts.push_back(b.x[0]);
    return c(tape, 0);
  });
  CHECK(firsts == std::vector<int>{0, 3, 6, 0, 3, 6});
}

TEST_CASE("steps whose gradients are not finite are left out; a hundred in a row end the run") {
  const auto batches = make_batches(3);
  const Model m;
  Sgd sgd(m.parameters(), {.lr = 0.1});
  int step = 0;
  const auto broken_from = [&](int first, int end) {
    step = 0;
    return Trainer(sgd, quiet(200)).fit(batches, [&](Tape& t, const Batch& b) {
      const bool broken = ++step >= first && step < end;
      return m.loss(t, b) * (broken ? std::numeric_limits<double>::infinity() : 1);
    });
  };
  const TrainResult r = broken_from(2, 100);
  CHECK(r.steps == 600);
  CHECK((std::isnan(r.curve[1].loss) && r.curve[599].loss < r.curve[0].loss));
  CHECK_THROWS_WITH(broken_from(4, 1000),
                    "Trainer: the gradients of 100 steps in a row are not finite; train anew with a lower "
                    "learning rate, or clip");
  CHECK(step == 103);
  const std::string told = written_to(STDERR_FILENO, [&] { broken_from(2, 7); });
  CHECK(std::ranges::count(told, '\n') == 3);
  CHECK(told.starts_with("step 2: skipped; "));
  CHECK(told.ends_with("; further ones in a row are not shown\n"));
}

TEST_CASE("what a trainer refuses") {
  Scratch folder;
  const Constant c;
  Sgd sgd({c.w}, {.lr = 0.1});
  const auto run = [&](TrainerOptions o, int batches = 2) {
    o.epochs = 1;
    o.progress = false;
    Trainer(sgd, o).fit(std::vector<int>(static_cast<std::size_t>(batches)), c);
  };
  const std::string here = folder / "run";
  run({.directory = here, .model = {{"cell", "lstm"}}});
  CHECK_THROWS_WITH(run({.directory = here}),
                    here + " holds a training already; resume it, or name another directory");
  CHECK_THROWS_WITH(run({.directory = here, .resume = true, .model = {{"cell", "gru"}}}),
                    here +
                        "/last.safetensors: is a checkpoint of another model: cell is \"lstm\" there and "
                        "\"gru\" here");
  CHECK_THROWS_WITH(run({.directory = here, .resume = true, .model = {{"cell", "lstm"}}}, 3),
                    here +
                        "/last.safetensors: was trained on 2 batches an epoch, not on 3; resume with the "
                        "same data");
  const std::string none = folder / "none";
  CHECK_THROWS_AS(run({.directory = none, .resume = true}), FileError);
  CHECK_THROWS_WITH(run({.resume = true}), "Trainer: resume needs a directory to go on from; name it");
  CHECK_THROWS_WITH(run({.log = none + "/log"}), none + "/log: the log can't be written");
  const std::string file = folder.file("file", "precious");
  CHECK_THROWS_WITH(run({.directory = file}),
                    file + ": can't be made a directory for the model: Not a directory; name another");
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK_THROWS_WITH(run({.directory = folder / "loop"}),
                    (folder / "loop") + "/last.safetensors: Too many levels of symbolic links");
  std::filesystem::remove(here + "/last.safetensors");  // a best file alone is a training too
  CHECK_THROWS_WITH(run({.directory = here}),
                    here + " holds a training already; resume it, or name another directory");
  CHECK(shape_error([&] { run({}, 0); }) == "Trainer: there are no batches to train on");
  CHECK(tape_error([&] { run({.patience = -1}); }) == "Trainer: patience is -1; it must be at least 0");
  CHECK(tape_error([&] { run({.steps = -2}); }) ==
        "Trainer: steps is -2; it must be at least 0, or -1 for no bound");
  CHECK(tape_error([&] { run({.minutes = std::nan("")}); }) ==
        "Trainer: minutes is nan; it must be a finite number of at least 0");
  CHECK(tape_error([&] { Trainer(sgd, quiet(1)).fit(std::vector{1}, c, [] { return Metrics({}); }); }) ==
        "Trainer: the validation gives no metric; give at least one");
  const auto called = [&](const std::string& name) {
    return tape_error([&] {
      Trainer(sgd, quiet(1)).fit(std::vector{1}, c, [&] { return Metrics({{"error", 1}, {name, 1}}); });
    });
  };
  CHECK(called("best") ==
        "Trainer: a metric can't be called \"best\", since the log has a \"best\" already; choose another "
        "name");
  CHECK(called("training loss") ==
        "Trainer: a metric can't be called \"training loss\", since the log has a \"training_loss\" already; "
        "choose another name");
  for (const char* name : {"step", "loss", "seconds", "lr", "grad norm", "steps_per_second", "error"})
    CHECK(called(name).starts_with("Trainer: a metric can't be called"));
  Tape kept;
  const auto keep = [&](const std::vector<std::string>& names) {
    return tape_error([&] {
      Trainer trainer(sgd);
      for (const std::string& name : names) trainer.keep(name, kept);
    });
  };
  CHECK(keep({"model"}) == "Trainer: keep: \"model\" is kept already; choose another name");
  CHECK(keep({"a", "b", "a"}) == "Trainer: keep: \"a\" is kept already; choose another name");
  CHECK(keep({"model.x"}) == "Trainer: keep: the name \"model.x\" must not be empty or have a dot");
  CHECK(keep({""}) == "Trainer: keep: the name \"\" must not be empty or have a dot");
}
