#include "program.hpp"

#include "any_recurrent.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string.hpp>
#include <boost/crc.hpp>
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

// Whether a character, as UTF-8, is no letter and no digit. Bytes are ordered as code points are.
bool is_sign(const std::string& c) {
  using Range = std::pair<std::string, std::string>;
  static const std::vector<Range> signs{{"\u00A0", "\u00BF"}, {"\u00D7", "\u00D7"}, {"\u00F7", "\u00F7"},
                                        {"\u2000", "\u206F"}, {"\u3000", "\u3003"}, {"\u3008", "\u3020"},
                                        {"\uFE30", "\uFE6F"}, {"\uFEFF", "\uFEFF"}, {"\uFF00", "\uFF0F"},
                                        {"\uFF1A", "\uFF20"}, {"\uFF3B", "\uFF40"}, {"\uFF5B", "\uFF65"}};
  if (c.size() == 1) return !boost::is_alnum()(c[0]);
  return std::ranges::any_of(signs, [&](const Range& r) { return r.first <= c && c <= r.second; });
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
  command_ = in_shell(argv[0]);
  given_ = given(parsed);
  if (values.count("words")) words_ = values["words"].as<std::vector<std::string>>();
  parse_verb(values);
  resume_ = values["resume"].as<bool>();
  directory_ = values["model"].as<std::string>();
  require(!directory_.empty(), "--model must name a directory");
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

void Program::fact(const std::string& name, const std::string& value) {
  if (learnt_.find_nothrow(name, /*approx=*/false) != nullptr)
    throw spool::InternalError("a fact has the name of the option --" + name);
  facts_[name] = value;
}

void Program::write_picture(const std::string& name, const std::string& svg) const {
  spool::write_file(file(name), svg);
  fmt::print("picture: {}\n", file(name));
}

void Program::write_example(const std::string& name,
                            const std::function<void(const std::string& path)>& write) const {
  write(file(name));
  fmt::print("example: {}\n", file(name));
}

const std::string& Program::fact(const std::string& name) const {
  const auto found = kept_.find(name);
  if (found == kept_.end())
    throw spool::FileError(
        fmt::format("{}: holds no model of {}: it has no {}", directory_, about_.name, name));
  return found->second;
}

std::int64_t Program::number_fact(const std::string& name, std::int64_t most) const {
  std::int64_t number = 0;
  if (!boost::conversion::try_lexical_convert(fact(name), number) || number < 1 || number > most)
    throw spool::FileError(
        fmt::format("{}: is damaged: its {} \"{}\" is none of 1 to {}", directory_, name, fact(name), most));
  return number;
}

spool::ModelDescription Program::description() const {
  spool::ModelDescription all = options_;
  for (const auto& [name, value] : facts_) all[name] = value;
  all["program"] = about_.name;
  return all;
}

int Program::fit(const spool::Params& params, std::vector<std::int64_t> lengths, const Step& step,
                 const spool::Trainer::Validation& validate, const FitOptions& how) const {
  const spool::LengthBatches batches(std::move(lengths), {.size = recipe().batch, .seed = seed_});
  spool::Adam adam(params, {.lr = recipe().lr});
  spool::TrainerOptions options = training();
  options.clip = 1;
  options.maximize = how.maximize;
  options.loss_unit = how.loss_unit;
  options.schedule = spool::cosine({.steps = options.total_steps(static_cast<std::int64_t>(batches.size()))});
  return finish(spool::Trainer(adam, options).fit(batches, step, validate));
}

spool::TrainerOptions Program::training() const {
  spool::TrainerOptions options;
  options.epochs = about_.epochs;
  options.minutes = minutes_;
  options.patience = patience_;
  options.tape.seed = seed_;
  options.directory = directory_;
  options.resume = resume_;
  options.save_every = save_every_;
  options.model = description();
  options.log = log_;
  return options;
}

int Program::finish(const spool::TrainResult& result) const {
  if (result.interrupted)
    fmt::print("stopped after step {}; to go on: {} train --resume --model {}{}\n", result.steps, command_,
               in_shell(directory_), given_);
  else if (std::isfinite(result.best))
    fmt::print("best after step {}: {:.4f}; curve in {}\n", result.best_step, result.best, file("loss.svg"));
  return result.interrupted ? 130 : 0;
}

void Program::restore(const spool::Params& params) const {
  spool::ModelDescription expected = kept_;
  for (const auto& [name, value] : description()) expected[name] = value;
  spool::restore(params, spool::load_checkpoint(file("best.safetensors"), expected).state.part("model"));
  for (const spool::Param& p : params)
    if (!std::ranges::all_of(p.value().doubles(), [](double x) { return std::isfinite(x); }))
      throw spool::FileError(fmt::format("{}: the model's {} is not finite; train it anew with a lower --lr",
                                         directory_, p.name()));
}

void fit_quietly(const spool::Params& params, std::vector<std::int64_t> lengths, const Step& step,
                 std::int64_t epochs, double lr) {
  const spool::LengthBatches batches(std::move(lengths), {.size = 32, .seed = 1});
  spool::Adam adam(params, {.lr = lr});
  spool::TrainerOptions options;
  options.epochs = epochs;
  options.progress = false;
  options.catch_interrupt = false;  // Ctrl-C ends the program: half a baseline is none
  options.clip = 1;
  options.schedule = spool::cosine({.steps = options.total_steps(static_cast<std::int64_t>(batches.size()))});
  spool::Trainer(adam, options).fit(batches, step);
}

double total_loss(std::vector<std::int64_t> lengths, const Step& sum) {
  const spool::LengthBatches batches(std::move(lengths), {.size = 128, .shuffle = false});
  spool::Tape tape;
  double total = 0;
  for (std::uint64_t n = 0; n < batches.size(); ++n) {
    tape.clear();
    total += tape.value(sum(tape, batches.at(n)));
  }
  return total;
}

spool::Tensor pick(const spool::Tensor& all, std::span<const std::size_t> chosen) {
  spool::Tensor some(all.shape().with(0, std::ssize(chosen)));
  const std::size_t size = all.size() / static_cast<std::size_t>(all.shape()[0]);
  for (std::size_t b = 0; b < chosen.size(); ++b)
    std::ranges::copy(all.as<float>().subspan(chosen[b] * size, size),
                      some.as<float>().subspan(b * size).begin());
  return some;
}

std::string joined(const std::vector<std::string>& lines) { return boost::join(lines, "\n"); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  boost::split(lines, text, [](char c) { return c == '\n'; });
  return lines;
}

std::string letters_of(const std::vector<std::string>& words) {
  std::string all;
  for (std::string c : spool::characters_of(boost::join(words, ""))) {
    if (is_sign(c)) continue;
    if (c >= "À" && c <= "Þ") c[1] = static_cast<char>(c[1] + 0x20);  // à to þ
    all += boost::to_lower_copy(c);
  }
  return all;
}

std::string fingerprint_of(const std::string& text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return fmt::format("{} bytes, crc {:08x}", text.size(), crc.checksum());
}

spool::WordVocabulary kept_words(Program& program, const std::string& name,
                                 const std::vector<std::vector<std::string>>& texts, int min_count) {
  const bool uses = texts.empty() && !program.trains();
  spool::WordVocabulary words =
      uses ? spool::WordVocabulary::from_text(program.fact(name)) : spool::WordVocabulary(texts, min_count);
  program.fact(name, words.text());
  return words;
}

void check_finite(const spool::Tensor& scores) {
  if (!std::ranges::all_of(scores.doubles(), [](double s) { return std::isfinite(s); }))
    throw spool::TapeError("the model gives scores that are not finite; train it anew with a lower --lr");
}

std::vector<std::filesystem::path> files_in(const std::string& folder, const std::string& extension) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == extension) files.push_back(entry.path());
  if (error) throw spool::FileError(fmt::format("{}: {}", folder, error.message()));
  if (files.empty()) throw spool::FileError(fmt::format("{}: holds no {} files", folder, extension));
  std::ranges::sort(files);
  return files;
}

void print_table(const std::vector<std::string>& heads, const std::vector<Row>& rows, int decimals) {
  std::size_t name = heads.front().size();
  for (const Row& row : rows) name = std::max(name, row.name.size());
  std::string line = fmt::format("{:<{}}", heads.front(), name);
  for (std::size_t i = 1; i < heads.size(); ++i) line += fmt::format("  {:>8}", heads[i]);
  fmt::print("{}\n", line);
  const auto whole = [&](std::size_t column) {
    return std::ranges::all_of(rows, [&](const Row& row) {
      return column >= row.values.size() || row.values[column] == std::round(row.values[column]);
    });
  };
  for (const Row& row : rows) {
    line = fmt::format("{:<{}}", row.name, name);
    for (std::size_t i = 0; i < row.values.size(); ++i)
      line += fmt::format("  {:>{}.{}f}", row.values[i], std::max<std::size_t>(8, heads.at(i + 1).size()),
                          whole(i) ? 0 : decimals);
    fmt::print("{}\n", line);
  }
}

}  // namespace examples
