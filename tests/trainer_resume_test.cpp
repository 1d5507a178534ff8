// How a training ends before its time and goes on: by Ctrl-C, by a kill, with files that are older or newer;
// always to the same bits. And what Ctrl-C does besides.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <csignal>
#include <future>
#include <thread>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"
#include "trainer_models.hpp"

using namespace spool;

namespace {

// What Ctrl-C does while this lives.
class Sigint {
 public:
  explicit Sigint(void (*handler)(int)) : before_(std::signal(SIGINT, handler)) {}
  ~Sigint() { std::signal(SIGINT, before_); }
  Sigint(const Sigint&) = delete;
  Sigint& operator=(const Sigint&) = delete;

 private:
  void (*before_)(int);
};

volatile std::sig_atomic_t caught = 0;  // by count_signals, since a test set it to 0
void count_signals(int) { caught = caught + 1; }

// Trains for so many steps and gives a number for each to `at`, from 1.
TrainResult steps_with(const std::function<void(int)>& at, int count, TrainerOptions o = {}) {
  const Constant c;
  Sgd sgd({c.w}, {.lr = 0.1});
  o.epochs = 1;
  o.progress = false;
  int step = 0;
  return Trainer(sgd, o).fit(std::vector<int>(static_cast<std::size_t>(count)), [&](Tape& tape, int) {
    at(++step);
    return c(tape, 0);
  });
}

struct Killed {};

// A training that is killed, by an exception, in the step after `kill`; saves every 7 steps and validates
// every 2, so that the best file is mostly newer than the last; stops early. Gives the weights at the end.
std::pair<TrainResult, std::vector<Tensor>> train_in(const std::string& directory, int kill) {
  const auto batches = make_batches(4);
  const Model m;
  Adam adam(m.parameters(), {.lr = 0.05});
  TrainerOptions o = quiet(6);
  o.validate_every = 2;
  o.patience = 4;
  o.schedule = exponential(0.97);
  o.plateau = PlateauOptions{.factor = 0.5, .patience = 2};
  o.tape = {.seed = 9};
  o.directory = directory;
  o.resume = file_exists(directory + "/last.safetensors") || file_exists(directory + "/best.safetensors");
  o.save_every = 7;
  Trainer trainer(adam, o);
  std::uint64_t at = 0;
  trainer.keep("place", at);
  const TrainResult r = trainer.fit(
      batches,
      [&](Tape& tape, const Batch& b) {
        if (at == static_cast<std::uint64_t>(kill)) throw Killed{};
        ++at;
        return m.loss(tape, b);
      },
      [&] { return m.validation(batches) + (at > 15 ? 9 : 0); });
  return {r, m.values()};
}

std::uint64_t step_of(const std::string& path) { return load_checkpoint(path).state.count("trainer.step"); }

}  // namespace

TEST_CASE("a run that Ctrl-C stops anywhere goes on to the same bits") {
  const Sigint handled(SIG_DFL);
  const auto batches = make_batches(4);
  Scratch folder;
  constexpr int last = 24;
  // Trains in a directory until step `stop`; carries a number from step to step, as a recurrent state.
  const auto train = [&](const std::string& directory, int stop, bool resume) {
    const Model m;
    Adam adam(m.parameters(), {.lr = 0.05});
    Tape scratch;
    Carried<Var> carried(scratch.constant(0, {4, 1}));
    TrainerOptions o = quiet(last / 4);
    o.patience = 4;
    o.schedule = exponential(0.97);
    o.tape = {.seed = 9};
    o.directory = directory;
    o.resume = resume;
    Trainer trainer(adam, o);
    trainer.keep("carried", carried);
    int step = 0;
    std::uint64_t at = 0;
    trainer.keep("place", at);
    const TrainResult r = trainer.fit(
        batches,
        [&](Tape& tape, const Batch& b) {
          const Var next = carried.on(tape) * 0.5 + tape.input(b.y);
          const Var loss = m.loss(tape, b) + sum(square(next * m.out(tanh(m.in(tape.input(b.x)))))) * 0.01;
          carried = adam.step(loss, next);
          ++at;
          if (++step == stop) std::raise(SIGINT);
          return tape.value(loss);
        },
        [&] { return m.validation(batches); });
    CHECK(r.interrupted == (stop <= last && stop == step));
    CHECK(r.steps == static_cast<std::int64_t>(at));
    return std::pair(r, m.values());
  };
  const auto [whole, weights] = train(folder / "whole", 1000, false);
  REQUIRE(whole.steps > 12);
  for (const int stop : {1, 3, 4, 5, 8, 11}) {
    const std::string directory = folder / std::to_string(stop);
    CHECK(train(directory, stop, false).first.steps == stop);
    train(directory, 2, true);
    const auto [rest, same] = train(directory, 1000, true);
    CHECK(same == weights);
    CHECK(rest.best == whole.best);
    CHECK(rest.best_step == whole.best_step);
    for (const char* name : {"/last.safetensors", "/best.safetensors", "/loss.svg"})
      CHECK(bytes_of(directory + name) == bytes_of((folder / "whole") + name));
  }
}

TEST_CASE("a run that is killed goes on to the same bits, and reports the best weights' own metric") {
  const Scratch folder;
  const auto [whole, weights] = train_in(folder / "whole", -1);
  REQUIRE((whole.stopped_early && whole.steps > 14));
  int newer = 0;
  for (int kill = 1; kill < whole.steps; ++kill) {
    const std::string directory = folder / std::to_string(kill);
    const std::string last = directory + "/last.safetensors", best = directory + "/best.safetensors";
    CHECK_THROWS_AS(train_in(directory, kill), Killed);
    newer += file_exists(best) && step_of(best) > step_of(last);
    CHECK_THROWS_AS(train_in(directory, kill), Killed);  // again, before anything new is saved
    const auto [rest, same] = train_in(directory, -1);
    CHECK(same == weights);
    CHECK((rest.steps == whole.steps && rest.best == whole.best && rest.best_step == whole.best_step));
    for (const char* name : {"/last.safetensors", "/best.safetensors", "/loss.svg"})
      CHECK(bytes_of(directory + name) == bytes_of((folder / "whole") + name));
  }
  CHECK(newer > 5);
}

TEST_CASE("a best file that is newer than the last one is where a run goes on") {
  const Scratch folder;
  const auto [whole, weights] = train_in(folder / "whole", -1);
  const std::string parts = folder / "parts", last = parts + "/last.safetensors",
                    best = parts + "/best.safetensors";
  CHECK_THROWS_AS(train_in(parts, 3), Killed);
  REQUIRE(step_of(last) == 0);
  folder.file("parts/best.safetensors", bytes_of(folder / "whole/best.safetensors"));
  const auto newest = static_cast<int>(whole.best_step);
  CHECK_THROWS_AS(train_in(parts, newest), Killed);  // it does not come by any earlier step
  CHECK(step_of(last) == static_cast<std::uint64_t>(newest));
  CHECK(train_in(parts, -1).second == weights);

  std::filesystem::remove(last);
  folder.file("parts/best.safetensors", bytes_of(folder / "whole/best.safetensors"));
  CHECK(train_in(parts, -1).second == weights);
  CHECK(bytes_of(last) == bytes_of(folder / "whole/last.safetensors"));
}

TEST_CASE("a best file that is not of the best step is refused, and so is none") {
  const Scratch folder;
  const std::string parts = folder / "parts", best = parts + "/best.safetensors";
  CHECK_THROWS_AS(train_in(parts, 3), Killed);
  const std::string early = bytes_of(best);
  REQUIRE(step_of(best) == 2);
  const auto [whole, weights] = train_in(parts, -1);
  const std::string right = bytes_of(best);
  const std::string put = fmt::format(
      ", but the best weights so far are those of step {} of this training; put their file back, or train "
      "anew in another directory",
      whole.best_step);
  folder.file("parts/best.safetensors", early);
  CHECK_THROWS_WITH(train_in(parts, -1), best + ": is of step 2" + put);
  std::filesystem::remove(best);
  CHECK_THROWS_WITH(train_in(parts, -1), best + ": is missing" + put);
  CHECK_THROWS_AS(train_in(parts, -1), FileError);
  folder.file("parts/best.safetensors", right);
  CHECK(train_in(parts, -1).second == weights);
}

TEST_CASE("files are saved as often as was said") {
  for (const std::int64_t every : {0, 3, 5}) {
    const Scratch folder;
    TrainerOptions o{.validate_every = 4, .directory = folder.path().string(), .save_every = every};
    const std::uint64_t period = static_cast<std::uint64_t>(every > 0 ? every : 4);
    const auto saved = [&] { return step_of(folder / "last.safetensors"); };
    steps_with([&](int step) { CHECK(saved() == static_cast<std::uint64_t>(step - 1) / period * period); },
               13, o);
    CHECK(saved() == 13);
  }
}

TEST_CASE("after a run Ctrl-C is again what it was before") {
  const Sigint counted(count_signals);
  caught = 0;
  with_validations({.epochs = 1}, {1});
  std::raise(SIGINT);
  CHECK(caught == 1);
  CHECK_THROWS_AS(steps_with([](int) { throw Killed{}; }, 1), Killed);
  std::raise(SIGINT);
  CHECK(caught == 2);
}

TEST_CASE("a second Ctrl-C is what it was before") {
  const Sigint counted(count_signals);
  caught = 0;
  const TrainResult r = steps_with(
      [](int step) {
        if (step != 2) return;
        std::raise(SIGINT);
        CHECK(caught == 0);
        std::raise(SIGINT);
        CHECK(caught == 1);
      },
      5);
  CHECK((r.interrupted && r.steps == 2));
  std::raise(SIGINT);
  CHECK(caught == 2);
}

TEST_CASE("a Ctrl-C that is ignored stays so") {
  const Sigint ignored(SIG_IGN);
  const TrainResult r = steps_with([](int) { std::raise(SIGINT); }, 3);
  CHECK((!r.interrupted && r.steps == 3));
  CHECK(std::signal(SIGINT, SIG_IGN) == SIG_IGN);
}

TEST_CASE("a trainer leaves Ctrl-C alone where it is told to") {
  const Sigint counted(count_signals);
  caught = 0;
  const TrainResult r = steps_with([](int) { std::raise(SIGINT); }, 3, {.catch_interrupt = false});
  CHECK((!r.interrupted && r.steps == 3));
  CHECK(caught == 3);
}

TEST_CASE("of two trainers at once the last one to end gives Ctrl-C back") {
  const Sigint counted(count_signals);
  caught = 0;
  std::promise<void> first, second;
  std::thread other([&] {
    steps_with(
        [&](int) {
          first.set_value();
          second.get_future().wait();
        },
        1);
  });
  first.get_future().wait();
  const TrainResult r = steps_with(
      [&](int step) {
        if (step != 1) return;
        second.set_value();
        other.join();
        std::raise(SIGINT);  // the other one, which came first, has ended
      },
      3);
  CHECK((r.interrupted && r.steps == 1));
  CHECK(caught == 0);
  std::raise(SIGINT);
  CHECK(caught == 1);
  CHECK(!steps_with([](int) {}, 2).interrupted);
}
