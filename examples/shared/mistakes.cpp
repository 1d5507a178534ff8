// What is wrong with the words of a command line, and with the model that it names.
#include "program.hpp"

#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace examples {

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
