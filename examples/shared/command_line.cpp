// Program's command line: its options and verbs, those that a model keeps, and what is said of words, options
// and models that do not fit.
#include "any_recurrent.hpp"
#include "program.hpp"

#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string.hpp>
#include <boost/lexical_cast.hpp>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <map>
#include <new>

namespace examples {

namespace {

std::string text(const po::variable_value& v) {
  if (const auto* s = boost::any_cast<std::string>(&v.value())) return *s;
  if (const auto* i = boost::any_cast<int>(&v.value())) return fmt::format("{}", *i);
  if (const auto* i = boost::any_cast<std::int64_t>(&v.value())) return fmt::format("{}", *i);
  if (const auto* u = boost::any_cast<std::uint64_t>(&v.value())) return fmt::format("{}", *u);
  return fmt::format("{}", boost::any_cast<double>(v.value()));
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

// A word as a shell takes it: in quotes where it holds more than letters, digits and a few signs.
std::string in_shell(const std::string& word) {
  const bool plain = boost::all(word, boost::is_alnum() || boost::is_any_of("_-+=.,:/@%"));
  return plain && !word.empty() ? word : "'" + boost::replace_all_copy(word, "'", "'\\''") + "'";
}

}  // namespace

void require_one_of(const std::string& option, const std::string& value,
                    const std::vector<std::string>& choices) {
  require(contains(choices, value),
          fmt::format("--{} {} is none of {}", option, value, fmt::join(choices, ", ")));
}

void require_between(const std::string& option, std::int64_t value, std::int64_t low, std::int64_t high) {
  require(value >= low && value <= high,
          fmt::format("--{} must be {} to {}, not {}", option, low, high, value));
}

std::vector<double> numbers_of(const std::string& option, const std::string& text,
                               const std::string& example) {
  std::vector<std::string> words;
  if (!text.empty()) boost::split(words, text, [](char c) { return c == ','; });
  std::vector<double> values(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    require(boost::conversion::try_lexical_convert(words[i], values[i]),
            fmt::format("--{} {}: '{}' is not a number; write it like {}", option, text, words[i], example));
  return values;
}

std::vector<std::uint64_t> steps_of(const std::string& option, const std::string& text,
                                    const std::string& example) {
  std::vector<std::uint64_t> steps;
  for (const double number : numbers_of(option, text, example)) {
    require(
        number >= 1 && number < 1e15 && number == std::floor(number),
        fmt::format("--{} {}: {} is no number of steps; write it like {}", option, text, number, example));
    steps.push_back(static_cast<std::uint64_t>(number));
  }
  return steps;
}

Program::Program(About about) : about_(std::move(about)) {
  Recipe& r = about_.recipe;
  auto learnt = learnt_.add_options();
  const auto count = [&](const char* option, std::int64_t& value, const char* what) {
    if (value <= 0) return;
    learnt(option, po::value(&value)->default_value(value), what);
    counts_.emplace_back(option, &value);
  };
  if (!r.cell.empty()) learnt("cell", po::value(&r.cell)->default_value(r.cell), "rnn, lstm or gru");
  count("hidden", r.hidden, "units in each layer and direction");
  count("layers", r.layers, "recurrent layers");
  count("embed", r.embed, "size of a symbol's vector");
  count("batch", r.batch, "examples in a batch");
  learnt("lr", po::value(&r.lr)->default_value(r.lr, fmt::format("{}", r.lr)), "learning rate");
  if (r.dropout >= 0)
    learnt("dropout", po::value(&r.dropout)->default_value(r.dropout, fmt::format("{}", r.dropout)),
           "share of values dropped");
  learnt("seed", po::value(&seed_)->default_value(1), "decides weights, dropout and the order of examples");
  learnt("epochs", po::value(&about_.epochs)->default_value(about_.epochs),
         "times through the training part");
  learnt("patience", po::value(&patience_)->default_value(0),
         "stop after so many validations that are no better; 0: never");
  auto run = run_.add_options();
  run("help,h", "this text");
  run("data", po::value(&data_)->default_value(""), "directory of the data; without it a small task");
  run("model", po::value(&directory_)->default_value(about_.name + "_model"), "directory of the model");
  run("minutes", po::value(&minutes_)->default_value(0.0, "0"), "stop after this long; 0: no bound");
  run("resume", po::bool_switch(&resume_), "go on with the training in --model");
  run("save-every", po::value(&save_every_)->default_value(0), "steps between saves; 0: each validation");
  run("log", po::value(&log_)->default_value(""), "append JSON lines to this file");
  run("threads", po::value(&threads_)->default_value(2), "threads; they change no result");
}

int Program::run(int argc, char** argv, const std::function<int()>& body) {
  try {
    parse(argc, argv);
    if (verb_.empty()) return 0;  // help was asked for
    check();
    spool::set_threads(threads_);
    return body();
  } catch (const UsageError& e) {
    fmt::print(stderr, "{}: {}\n", about_.name, e.what);
    return 2;
  } catch (const po::error& e) {
    fmt::print(stderr, "{}: {}\n", about_.name, e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}: not enough memory; choose smaller sizes\n", about_.name);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", about_.name, e.what());
  }
  return 1;
}

void Program::parse(int argc, char** argv) {
  po::options_description all;
  std::vector<std::string> all_words;
  all.add(learnt_).add(run_).add(used_).add_options()("words", po::value(&all_words));
  po::positional_options_description positional;
  positional.add("words", -1);

  po::variables_map values;
  const po::parsed_options parsed =
      po::command_line_parser(argc, argv).options(all).positional(positional).run();
  po::store(parsed, values);
  if (values.count("help")) return print_help();
  if (values.count("words")) words_ = values["words"].as<std::vector<std::string>>();
  parse_verb(values);
  resume_ = values["resume"].as<bool>();
  directory_ = values["model"].as<std::string>();
  require(!directory_.empty(), "--model must name a directory");
  go_on_ =
      fmt::format("{} train --resume --model {}{}", in_shell(argv[0]), in_shell(directory_), given(parsed));
  const bool needs_model = !trains() && !contains(about_.without_model, verb_);
  if (needs_model || resume_) parse_kept(all, values);
  po::notify(values);
  check_data();
  for (const auto& option : learnt_.options()) {
    const std::string name = option->long_name();
    options_[name] = kept_.contains(name) ? kept_[name] : text(values[name]);
    if (!kept_.contains(name) && is_place(name) && !options_[name].empty())
      options_[name] = std::filesystem::absolute(options_[name]).string();
  }
}

// Options that were given and are not kept with the model, as they were written.
std::string Program::given(const po::parsed_options& parsed) const {
  std::string all;
  for (const auto& option : parsed.options) {
    const std::string& name = option.string_key;
    const bool kept = learnt_.find_nothrow(name, /*approx=*/false) != nullptr && !is_place(name);
    if (option.position_key >= 0 || kept || name == "resume" || name == "model") continue;
    for (const std::string& word : option.original_tokens) all += " " + in_shell(word);
  }
  return all;
}

void Program::parse_verb(const po::variables_map& values) {
  const std::string choices = fmt::format("{}", fmt::join(about_.verbs, ", "));
  require(!words_.empty(), fmt::format("say what to do: {} (or --help)", choices));
  verb_ = words_.front();
  words_.erase(words_.begin());
  require(contains(about_.verbs, verb_), fmt::format("'{}' is none of {}", verb_, choices));
  check_words();
  require(about_.no_data.empty() || values["data"].defaulted(), about_.no_data);
  for (const auto& [option, value] : values) {
    const std::vector<std::string> verbs = takers(option);
    require(value.defaulted() || verbs.empty() || contains(verbs, verb_),
            fmt::format("{} takes no --{}; only {} can use it", verb_, option, fmt::join(verbs, ", ")));
    const auto* count = boost::any_cast<std::uint64_t>(&value.value());  // which takes -1 for the largest
    require(count == nullptr || *count <= std::numeric_limits<std::int64_t>::max(),
            fmt::format("--{} can't be negative", option));
    require(!contains(about_.of_data, option) || value.defaulted() || !values["data"].defaulted(),
            fmt::format("--{} needs --data DIR", option));
  }
}

void Program::check_words() const {
  const auto found = std::ranges::find(about_.with_words, verb_, [](const auto& with) { return with.first; });
  const bool wanted = found != about_.with_words.end();
  require(wanted || words_.empty(),
          fmt::format("{}: don't know what to do with '{}'", verb_, words_.empty() ? "" : words_.front()));
  require(!wanted || !words_.empty(), fmt::format("{} needs {}", verb_, wanted ? found->second : ""));
  for (std::size_t i = 0; i < words_.size(); ++i) {
    require(!words_[i].empty(), fmt::format("{}: argument {} is empty", verb_, i + 1));
    std::error_code unknown;  // names of files may be any bytes
    require(!spool::find_invalid_utf8(words_[i]) || std::filesystem::exists(words_[i], unknown),
            fmt::format("{}: argument {} is not UTF-8", verb_, i + 1));
  }
}

void Program::hint_quotes() const {
  const bool spaced = std::ranges::any_of(words_, [](const std::string& w) { return w.find(' ') != w.npos; });
  if (words_.size() > 1 && !spaced)
    fmt::print(stderr, "{}: {} texts of one word each; quote a sentence: {} {} \"{}\"\n", about_.name,
               words_.size(), about_.name, verb_, fmt::join(words_, " "));
}

// Which verbs take an option; none: all do.
std::vector<std::string> Program::takers(const std::string& option) const {
  for (const auto& [verbs, options] : about_.only)
    if (contains(options, option)) return verbs;
  static const std::vector<std::string> of_training{"epochs", "patience",   "minutes",
                                                    "resume", "save-every", "log"};
  if (contains(of_training, option)) return {"train"};
  if (option == "data") return {"train", "eval"};
  if (used_.find_nothrow(option, /*approx=*/false) != nullptr) {
    std::vector<std::string> others = about_.verbs;
    std::erase(others, "train");
    return others;
  }
  return {};
}

// Options that the same verbs take stand together.
void Program::print_help() const {
  po::options_description all;
  for (const auto& [what, options] : {std::pair{"What is learnt (kept with the model)", &learnt_},
                                      {"How it runs", &run_},
                                      {"Use", &used_}}) {
    std::map<std::vector<std::string>, po::options_description> groups;
    for (const auto& option : options->options()) {
      if (option->long_name() == "data" && !about_.no_data.empty()) continue;
      const std::vector<std::string> verbs = takers(option->long_name());
      const std::string who = verbs.empty() ? "" : fmt::format(", only {}", fmt::join(verbs, ", "));
      groups.try_emplace(verbs, what + who).first->second.add(option);
    }
    for (const auto& [verbs, group] : groups) all.add(group);
  }
  std::cout << about_.purpose << all;
}

bool Program::is_place(const std::string& option) const { return contains(about_.places, option); }

void Program::check() const {
  const Recipe& r = recipe();
  if (!r.cell.empty()) require_one_of("cell", r.cell, AnyRecurrent::cells());
  for (const auto& [option, value] : counts_)
    require(*value >= 1, fmt::format("--{} must be at least 1, not {}", option, *value));
  require(about_.epochs >= 1, fmt::format("--epochs must be at least 1, not {}", about_.epochs));
  require_between("threads", threads_, 1, 1024);
  require(save_every_ >= 0, fmt::format("--save-every can't be negative: {}", save_every_));
  require(minutes_ >= 0, fmt::format("--minutes must be a number that is not negative, not {}", minutes_));
  require(!trains() || resume_ || !spool::file_exists(file("last.safetensors")),
          fmt::format("{} holds a model already; go on with --resume, delete it, or name another --model",
                      directory_));
  require(r.lr > 0 && std::isfinite(r.lr), fmt::format("--lr must be above 0 and finite, not {}", r.lr));
  require(!options_.contains("dropout") || (r.dropout >= 0 && r.dropout < 1),
          fmt::format("--dropout must lie in [0, 1), not {}", r.dropout));
}

// What the directory holds of a model: to train on, its last state; for the other verbs, its best weights.
spool::Checkpoint Program::load_kept() const {
  const std::string last = file("last.safetensors"), best = file("best.safetensors");
  std::error_code unknown;
  require(!std::filesystem::is_regular_file(directory_, unknown),
          fmt::format("{} is a file; --model names the directory", directory_));
  const bool has_last = spool::file_exists(last), has_best = spool::file_exists(best);
  if (!has_last && !has_best)
    throw spool::FileError(fmt::format("no model in {}; train one first: {} train --model {}", directory_,
                                       about_.name, directory_));
  spool::Checkpoint kept = spool::load_checkpoint(has_best && (!trains() || !has_last) ? best : last);
  if (trains() || has_best) return kept;
  const spool::Snapshot training = kept.state.part("trainer");
  if (training.count("best_step") > 0) spool::load_checkpoint(best);  // throws: it is not there
  throw spool::FileError(
      fmt::format("{}: {}", directory_,
                  training.count("validated_step") > 0
                      ? "no validation gave a finite number; train another --model with a lower --lr"
                      : "its training was stopped before the first validation; go on with train --resume"));
}

// Fills in the options that the model keeps; one on the command line must not contradict them. Only training
// is bound to the seed.
void Program::parse_kept(const po::options_description& all, po::variables_map& values) {
  kept_ = load_kept().model;
  const auto made_by = kept_.find("program");
  if (made_by != kept_.end() && made_by->second != about_.name)
    throw spool::FileError(
        fmt::format("{}: holds a model of {}, not of {}", directory_, made_by->second, about_.name));
  std::vector<std::string> words;
  for (const auto& option : learnt_.options()) {
    const std::string name = option->long_name();
    const auto found = kept_.find(name);
    if (found == kept_.end())
      throw spool::FileError(fmt::format("{}: holds no model of {}", directory_, about_.name));
    if (!found->second.empty()) words.push_back(fmt::format("--{}={}", name, found->second));
    const bool free = is_place(name) || (name == "seed" && verb_ != "train");
    require(values[name].defaulted() || free || text(values[name]) == found->second,
            fmt::format("--{} {} differs from the model's {}; leave it out, or train another --model", name,
                        text(values[name]), found->second));
  }
  po::store(po::command_line_parser(words).options(all).run(), values);
}

// Whether the model learns from --data is a fact of it; the verbs that take --data must then be given it.
void Program::check_data() {
  const auto kept = kept_.find("data");
  if (kept_.empty()) fact("data", data_.empty() ? "made-up" : "files");
  if (kept != kept_.end()) fact("data", kept->second);
  const std::vector<std::string> verbs = takers("data");
  if (kept == kept_.end() || (!verbs.empty() && std::ranges::find(verbs, verb_) == verbs.end())) return;
  const bool had = kept->second == "files";
  require(had == !data_.empty(),
          fmt::format("{} was trained {}", directory_,
                      had ? "with --data DIR; give it again" : "without --data; leave it out"));
}

}  // namespace examples
