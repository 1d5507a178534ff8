#include "options.hpp"

#include <spool/spool.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/algorithm/string/split.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

namespace char_lm {

namespace {

namespace po = boost::program_options;

constexpr const char* usage =
    R"(A character-level language model: learns from any text, then writes more of it.

  char_lm train  [options]    learn, and keep the model in --checkpoint
  char_lm sample [options]    write text with the model in --checkpoint
  char_lm eval   [options]    loss on the validation and test parts of its text

A first run, about a minute, on the project's own source:   char_lm train --minutes 1
Then:                                                       char_lm sample --prime "int main"

)";

// Options that a checkpoint keeps: together they decide what is learnt, so a run that goes on must not change
// them.
po::options_description kept_options(Options& o) {
  po::options_description d("What is learnt (kept in the checkpoint)");
  auto add = d.add_options();
  add("text", po::value(&o.text)->default_value(""),
      "UTF-8 text, also .gz; without it Spool's own source and docs");
  add("cell", po::value(&o.cell)->default_value("lstm"), "rnn, lstm or gru");
  add("layers", po::value(&o.layers)->default_value(2), "recurrent layers");
  add("hidden", po::value(&o.hidden)->default_value(128), "units in each");
  add("embed", po::value(&o.embed)->default_value(0),
      "size of the character embedding; 0 feeds one-hot vectors");
  add("seq", po::value(&o.seq)->default_value(50), "steps that a gradient runs back");
  add("batch", po::value(&o.batch)->default_value(50), "streams of text read side by side");
  add("dropout", po::value(&o.dropout)->default_value(0.0, "0"), "share of units dropped between layers");
  add("optim", po::value(&o.optim)->default_value("adam"),
      "sgd, rmsprop, adagrad, adadelta, adam, adamw, adamax, nadam or radam");
  add("lr", po::value(&o.lr)->default_value(2e-3, "0.002"), "learning rate");
  add("decay", po::value(&o.decay)->default_value(1.0, "1"),
      "the rate is multiplied by this after each epoch");
  add("clip", po::value(&o.clip)->default_value(5.0, "5"),
      "bound on the global norm of the gradient; 0: none");
  add("seed", po::value(&o.seed)->default_value(1), "decides weights, dropout and samples");
  add("split", po::value(&o.split)->default_value("0.9,0.05,0.05"),
      "parts to train on, validate on and test on");
  return d;
}

po::options_description run_options(Options& o) {
  po::options_description d("How far, and where to");
  auto add = d.add_options();
  add("epochs", po::value(&o.epochs)->default_value(10), "times through the text");
  add("steps", po::value(&o.steps)->default_value(-1), "stop after this many steps in all; -1: no bound");
  add("minutes", po::value(&o.minutes)->default_value(0.0, "0"), "stop after this long; 0: no bound");
  add("checkpoint", po::value(&o.checkpoint)->default_value("char_lm_model"), "directory of the model");
  add("resume", po::bool_switch(&o.resume), "go on with the training in --checkpoint");
  add("save-every", po::value(&o.save_every)->default_value(200), "steps between saves");
  add("log", po::value(&o.log)->default_value(""), "append a JSON line for each report to this file");
  add("threads", po::value(&o.threads)->default_value(2), "threads; they change no result");
  return d;
}

po::options_description sample_options(Options& o) {
  po::options_description d("Writing text");
  auto add = d.add_options();
  add("prime", po::value(&o.prime)->default_value(""), "text to go on from");
  add("length", po::value(&o.length)->default_value(500), "characters to write");
  add("temperature", po::value(&o.temperature)->default_value(0.8, "0.8"),
      "below 1: surer and duller; above: bolder; 0: always the likeliest");
  add("top-k", po::value(&o.top_k)->default_value(0), "choose among the k likeliest; 0: all");
  add("top-p", po::value(&o.top_p)->default_value(1.0, "1"),
      "choose among the likeliest that hold this probability");
  return d;
}

void require(bool holds, const std::string& what) {
  if (!holds) throw UsageError{what};
}

void check(const Options& o) {
  require(o.verb == "train" || o.verb == "sample" || o.verb == "eval",
          o.verb.empty() ? "say what to do: train, sample or eval (or --help)"
                         : fmt::format("'{}' is none of train, sample and eval", o.verb));
  require(o.cell == "rnn" || o.cell == "lstm" || o.cell == "gru",
          fmt::format("--cell {} is none of rnn, lstm and gru", o.cell));
  const auto optimizers = spool::optimizer_names();
  require(std::ranges::find(optimizers, o.optim) != optimizers.end(),
          fmt::format("--optim {} is none of {}", o.optim, fmt::join(optimizers, ", ")));
  for (const auto& [name, value] : {std::pair{"layers", o.layers},
                                    {"hidden", o.hidden},
                                    {"seq", o.seq},
                                    {"batch", o.batch},
                                    {"save-every", o.save_every},
                                    {"threads", o.threads}})
    require(value >= 1, fmt::format("--{} must be at least 1, not {}", name, value));
  for (const auto& [name, value] :
       {std::pair{"embed", o.embed}, {"epochs", o.epochs}, {"length", o.length}, {"top-k", o.top_k}})
    require(value >= 0, fmt::format("--{} can't be negative: {}", name, value));
  for (const auto& [name, value] :
       {std::pair{"clip", o.clip}, {"minutes", o.minutes}, {"lr", o.lr}, {"temperature", o.temperature}})
    require(value >= 0, fmt::format("--{} must be a number that is not negative, not {}", name, value));
  require(std::isfinite(o.lr), fmt::format("--lr must be finite, not {}", o.lr));
  require(o.dropout >= 0 && o.dropout < 1, fmt::format("--dropout must lie in [0, 1), not {}", o.dropout));
  require(o.decay > 0 && o.decay <= 1, fmt::format("--decay must lie in (0, 1], not {}", o.decay));
  require(o.steps >= -1, fmt::format("--steps must be at least 0, or -1 for no bound, not {}", o.steps));
  require(!o.checkpoint.empty(), "--checkpoint must name a directory");
  require(o.top_p > 0 && o.top_p <= 1, fmt::format("--top-p must lie in (0, 1], not {}", o.top_p));
}

// A value given on the command line must not contradict one that the checkpoint keeps. (A text may have
// moved; that it is the same text is checked when it is read. Only training is bound to the seed.)
void check_against(const po::variables_map& given, const po::variables_map& kept) {
  const bool trains = given["verb"].as<std::string>() == "train";
  for (const auto& [name, value] : given) {
    if (value.defaulted() || !kept.count(name) || kept[name].defaulted() || name == "text" ||
        (name == "seed" && !trains))
      continue;
    const auto text = [](const po::variable_value& v) {
      if (const auto* s = boost::any_cast<std::string>(&v.value())) return *s;
      if (const auto* i = boost::any_cast<int>(&v.value())) return fmt::format("{}", *i);
      if (const auto* u = boost::any_cast<std::uint64_t>(&v.value())) return fmt::format("{}", *u);
      return fmt::format("{}", boost::any_cast<double>(v.value()));
    };
    require(text(value) == text(kept[name]),
            fmt::format(
                "--{} {} differs from the checkpoint's {}; leave it out, or train anew in another directory",
                name, text(value), text(kept[name])));
  }
}

}  // namespace

Options parse(int argc, char** argv, const std::string& kept) {
  Options o;
  po::options_description named, all;
  named.add_options()("help,h", "this text");
  named.add(kept_options(o)).add(run_options(o)).add(sample_options(o));
  all.add(named).add_options()("verb", po::value(&o.verb)->default_value(""));
  po::positional_options_description positional;
  positional.add("verb", 1);
  try {
    po::variables_map values, given, stored;
    po::store(po::command_line_parser(argc, argv).options(all).positional(positional).run(), values);
    if (values.count("help")) {
      std::cout << usage << named;
      std::exit(0);
    }
    if (!kept.empty()) {
      given = values;
      std::vector<std::string> words;
      boost::split(
          words, kept, [](char c) { return c == '\n'; }, boost::token_compress_on);
      const auto parsed = po::command_line_parser(words).options(all).run();
      po::store(parsed, stored);
      check_against(given, stored);
      po::store(parsed, values);
    }
    po::notify(values);
  } catch (const po::error& e) {
    throw UsageError{e.what()};
  }
  check(o);
  if (!o.text.empty())
    o.text = std::filesystem::absolute(o.text).string();  // to be found again from elsewhere
  return o;
}

std::string to_config(const Options& o) {
  return fmt::format(
      "{}--cell={}\n--optim={}\n--split={}\n--layers={}\n--hidden={}\n--embed={}\n--seq={}\n--batch={}\n"
      "--dropout={}\n--lr={}\n--decay={}\n--clip={}\n--seed={}",
      o.text.empty() ? "" : fmt::format("--text={}\n", o.text), o.cell, o.optim, o.split, o.layers, o.hidden,
      o.embed, o.seq, o.batch, o.dropout, o.lr, o.decay, o.clip, o.seed);
}

std::string last_file(const Options& o) { return o.checkpoint + "/last.safetensors"; }
std::string best_file(const Options& o) { return o.checkpoint + "/best.safetensors"; }

}  // namespace char_lm
