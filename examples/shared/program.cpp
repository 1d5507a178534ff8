// What a model keeps of its data, how it is trained, and small pieces that programs share. The command line
// is in command_line.cpp.
#include "program.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>
#include <boost/crc.hpp>
#include <boost/lexical_cast.hpp>

#include <algorithm>
#include <cmath>

namespace examples {

namespace {

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
    fmt::print("stopped after step {}; to go on: {}\n", result.steps, go_on_);
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
