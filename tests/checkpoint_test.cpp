// Parameters by name, and whole checkpoints: what comes back is what went in, to the last bit; what does not
// fit changes nothing.
#include <spool/spool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <thread>

#include "catch.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

struct Model {
  Param w{"lstm.w", Tensor({2, 3}, {1, 2, 3, 4, 5, 6})};
  Param b{"lstm.b", Tensor({3}, {0.1, 0.2, 0.3}, DType::f64)};
  Params parameters() const { return {w, b}; }
};

void clear(const Params& params) {
  for (Param p : params) p.assign(Tensor(p.shape()));
}

}  // namespace

TEST_CASE("parameters go to a file and come back by name") {
  const Scratch scratch;
  const Model model;
  const Tensor w = model.w.value(), b = model.b.value();
  save_params(scratch / "m", parameters(model, model.w));  // the same parameter twice is one tensor
  clear(model.parameters());
  const auto version = model.w.version();
  load_params(scratch / "m", {model.b, model.w});
  CHECK(model.w.value() == w);
  CHECK(model.b.value() == b);
  CHECK(model.w.version() > version);
}

TEST_CASE("a file that does not fit the model is refused and changes nothing") {
  const Scratch scratch;
  const Model model;
  const std::string path = scratch / "m";
  write_safetensors(path, {{"lstm.w", Tensor({3, 2})}, {"head.b", Tensor({1})}, {"head.w", Tensor({1})}});
  const Params three = parameters(model, Param("x", Tensor({1})));
  CHECK_THROWS_WITH(
      load_params(path, three),
      path +
          ": does not fit the model: \"lstm.w\" is [3, 2] there and [2, 3] in the model; it lacks "
          "\"lstm.b\", \"x\"; the model has no \"head.b\", \"head.w\"");
  CHECK_THROWS_WITH(load_params(path, three, {.strict = false}),
                    path + ": does not fit the model: \"lstm.w\" is [3, 2] there and [2, 3] in the model");
  write_safetensors(path, {{"lstm.w", Tensor({2, 3})}, {"head.b", Tensor({1})}});
  CHECK_THROWS_AS(load_params(path, three), FileError);
  CHECK(model.w.value().at(0) == 1);
  CHECK(model.w.version() == 0);

  const LoadReport report = load_params(path, three, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"lstm.b", "x"});
  CHECK(report.unused == std::vector<std::string>{"head.b"});
  CHECK(model.w.value().at(0) == 0);
  CHECK(model.b.value().at(0) == 0.1);
}

TEST_CASE("two parameters of one name can't be told apart in a file") {
  const Scratch scratch;
  const Params twins{Param("weight", Tensor({1})), Param("weight", Tensor({1}))};
  const std::string why =
      "two parameters are both called \"weight\": name the layers, so that a file can tell their parameters "
      "apart";
  CHECK_THROWS_WITH(save_params(scratch / "m", twins), why);
  CHECK_THROWS_AS(save_params(scratch / "m", twins), TapeError);
  CHECK(!std::filesystem::exists(scratch / "m"));
}

TEST_CASE("a checkpoint brings everything back, to the last bit") {
  const Scratch scratch;
  const Model model;
  Tape tape(TapeOptions{.seed = 0xFEDCBA9876543210});
  tape.next_draw();
  const std::vector<Tensor> carried{Tensor({2, 2}, {1, 2, 3, 4}), Tensor({1}, {0.1}, DType::f64)};

  Checkpoint saved;
  saved.model = {{"cell", "lstm"}, {"hidden", "3"}};
  saved.state.add("model", snapshot(model.parameters()));
  saved.state.add("random", snapshot(tape.random()));
  saved.state.add("carried", snapshot(carried));
  saved.state.counts["step"] = UINT64_MAX;
  for (const double v : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e23, double(INFINITY)})
    saved.state.numbers["v" + std::to_string(saved.state.numbers.size())] = v;
  saved.state.numbers["nan"] = std::nan("");
  saved.state.texts["vocabulary"] = std::string("\0\n \"\\\xE4\xBD\xA0", 8);
  save_checkpoint(scratch / "c", saved);

  const Checkpoint back = load_checkpoint(scratch / "c", saved.model);
  CHECK(back.model == saved.model);
  CHECK(back.state.tensors == saved.state.tensors);
  CHECK(back.state.counts == saved.state.counts);
  CHECK(back.state.texts == saved.state.texts);
  for (const auto& [name, v] : saved.state.numbers)
    CHECK(std::bit_cast<std::uint64_t>(v) == std::bit_cast<std::uint64_t>(back.state.number(name)));

  clear(model.parameters());
  restore(model.parameters(), back.state.part("model"));
  CHECK(model.w.value().at(5) == 6);
  CHECK(model.b.value().at(0) == 0.1);
  Tape other;
  other.set_random(random_state(back.state.part("random")));
  CHECK(other.random() == tape.random());
  std::vector<Tensor> values{Tensor({2, 2}), Tensor({1}, DType::f64)};
  restore(values, back.state.part("carried"));
  CHECK(values == carried);
  // The weights are there for whoever reads safetensors.
  CHECK(read_safetensors(scratch / "c").tensors.at("model.lstm.w") == model.w.value());
}

TEST_CASE("a program killed while it saves leaves a whole checkpoint") {
  const Scratch scratch;
  const std::string path = scratch / "c";
  const auto save = [&](std::uint64_t n) noexcept {  // no exception may bring a child back into the tests
    Checkpoint c;
    c.state.counts["n"] = n;
    Tensor& t = c.state.tensors["t"] = Tensor({50'000});
    for (float& v : t.as<float>()) v = static_cast<float>(n);
    save_checkpoint(path, c);
  };
  std::uint64_t last = 1;
  save(last);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
      for (std::uint64_t n = last + 1;; ++n) save(n);
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 617 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Checkpoint back = load_checkpoint(path);
    const std::uint64_t n = back.state.count("n");
    CHECK(n >= last);
    const std::span<const float> values = back.state.tensor("t").as<float>();
    CHECK(values.size() == 50'000);
    CHECK(std::count(values.begin(), values.end(), static_cast<float>(n)) == 50'000);
    last = n;
  }
}

TEST_CASE("a checkpoint of another model is refused in one line") {
  const Scratch scratch;
  const std::string path = scratch / "c";
  save_checkpoint(path, {.model = {{"cell", "gru"}, {"hidden", "64"}, {"layers", "2"}, {"old", "1"}}});
  CHECK_THROWS_WITH(
      load_checkpoint(path, {{"cell", "lstm"}, {"hidden", "128"}, {"layers", "2"}, {"tied", "yes"}}),
      path +
          ": is a checkpoint of another model: cell is \"gru\" there and \"lstm\" here; hidden is "
          "\"64\" there and \"128\" here; old is \"1\" there and not given here; tied is not given "
          "there and \"yes\" here");
}

TEST_CASE("of long values that differ a piece is shown, with the first difference in it") {
  const Scratch scratch;
  const std::string path = scratch / "c", long_text(300, 'a'), e_acute = "\xc3\xa9";
  const auto says = [&](const std::string& there, const std::string& here, const std::string& what) {
    save_checkpoint(path, {.model = {{"words", there}}});
    CHECK_THROWS_WITH(load_checkpoint(path, {{"words", here}}),
                      path + ": is a checkpoint of another model: words is " + what);
  };
  const std::string cut = std::string(60, 'a') + "...\"";
  says(long_text, "b", "\"" + cut + " there and \"b\" here");
  says(long_text + "b", long_text + "c",
       "...\"aaaaaaaaaaaaaaaaaaaab\" there and ...\"aaaaaaaaaaaaaaaaaaaac\" here");
  says(long_text, long_text + "b", "...\"aaaaaaaaaaaaaaaaaaaa\" there and ...\"aaaaaaaaaaaaaaaaaaaab\" here");
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += e_acute;
  std::string ten = e_acute;
  for (int i = 1; i < 10; ++i) ten += e_acute;
  says(accents + "xy", accents + "xz", "...\"" + ten + "xy\" there and ...\"" + ten + "xz\" here");
}

TEST_CASE("a file that is no checkpoint, or a broken one, is refused") {
  const Scratch scratch;
  const std::string path = scratch / "c";
  const auto refused = [&](const std::map<std::string, std::string>& metadata, const std::string& why) {
    write_safetensors(path, {}, metadata);
    CHECK_THROWS_WITH(load_checkpoint(path), path + ": " + why);
  };
  refused({}, "is a safetensors file, but not a checkpoint of Spool");
  refused({{"spool.checkpoint", "2"}}, "is a checkpoint of version \"2\"; this program reads version 1");
  const auto refused_entry = [&](const std::string& key, const std::string& text, const std::string& why) {
    refused({{"spool.checkpoint", "1"}, {key, text}}, why);
  };
  refused_entry("count:step", "-1", "\"count:step\" is \"-1\", which is not a number of its kind");
  refused_entry("count:step", "18446744073709551616",
                "\"count:step\" is \"18446744073709551616\", which is not a number of its kind");
  refused_entry("count:step", "", "\"count:step\" is \"\", which is not a number of its kind");
  refused_entry("number:lr", "0.1x", "\"number:lr\" is \"0.1x\", which is not a number of its kind");
  refused_entry("step", "1", "unknown metadata \"step\" in a checkpoint");

  save_checkpoint(path, {});
  const Checkpoint empty = load_checkpoint(path);
  CHECK_THROWS_WITH(random_state(empty.state.part("random")),
                    path + ", part \"random\": there is no count \"seed\"");
  CHECK_THROWS_WITH(load_checkpoint(scratch / "none"), scratch / "none" + ": No such file or directory");
}

TEST_CASE("carried values of another shape are refused and change nothing") {
  const Snapshot from = snapshot(std::vector<Tensor>{Tensor({2}, {1, 2}), Tensor({3})});
  std::vector<Tensor> values{Tensor({2}), Tensor({4})};
  CHECK_THROWS_WITH(restore(values, from), "this saved state: tensor \"1\" is [3], not [4]");
  CHECK(values[0].at(0) == 0);
  values.pop_back();
  CHECK_THROWS_WITH(restore(values, from), "this saved state: holds 2 tensors, not 1");
}
