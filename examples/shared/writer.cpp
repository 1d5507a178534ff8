#include "writer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace examples {

namespace {

using spool::Tape, spool::Var;
using Words = spool::WordVocabulary;
using Ids = std::vector<std::vector<int>>;

const std::map<std::string, std::optional<spool::Score>> attentions{{"additive", spool::Score::additive},
                                                                    {"general", spool::Score::general},
                                                                    {"dot", spool::Score::dot},
                                                                    {"none", std::nullopt}};

WriterOptions checked(const WriterOptions& o, const WriterSizes& sizes) {
  require_one_of("attention", o.attention, {"additive", "general", "dot", "none"});
  require(o.attention != "dot" || sizes.hidden == sizes.memory,
          fmt::format("--attention dot does not fit this model; take general, or --hidden {}", sizes.memory));
  require(o.scheduled == 0 || o.scheduled >= 1,
          fmt::format("--scheduled must be 0, or at least 1, not {}", o.scheduled));
  require(o.min_count >= 1, fmt::format("--min-count must be at least 1, not {}", o.min_count));
  require(o.beam >= 1 && o.beam <= 100, fmt::format("--beam must lie in 1..100, not {}", o.beam));
  require(o.length_penalty >= 0, fmt::format("--length-penalty must not be below 0: {}", o.length_penalty));
  return o;
}

std::vector<Tokens> texts_of(const Texts& texts, std::span<const std::size_t> part) {
  std::vector<Tokens> all;
  for (const auto& some : pick(texts, part)) all.insert(all.end(), some.begin(), some.end());
  return all;
}

// The longest text's length, its end included, which the model keeps.
int kept_longest(Program& program, const Texts& texts, std::span<const std::size_t> part) {
  std::size_t longest = 0;
  for (const Tokens& text : texts_of(texts, part)) longest = std::max(longest, text.size() + 1);
  if (!program.trains())
    longest = static_cast<std::size_t>(program.number_fact("longest text", std::numeric_limits<int>::max()));
  program.fact("longest text", fmt::format("{}", longest));
  return static_cast<int>(longest);
}

}  // namespace

WriterOptions::WriterOptions(Program& program) {
  auto learnt = program.learnt();
  learnt("attention", po::value(&attention)->default_value("additive"), "additive, general, dot or none");
  learnt("scheduled", po::value(&scheduled)->default_value(0.0, "0"),
         "k of the inverse sigmoid by which it comes to read its own words; 0: never");
  learnt("min-count", po::value(&min_count)->default_value(1), "rarer tokens are unknown");
  auto used = program.used();
  used("beam", po::value(&beam)->default_value(5), "hypotheses kept at a time; 1: greedy");
  used("length-penalty", po::value(&length_penalty)->default_value(1.0, "1"),
       "alpha of Wu et al. 2016; 0: none");
}

Writer::Writer(Program& program, const WriterOptions& options, const Texts& texts,
               std::span<const std::size_t> part, const WriterSizes& sizes)
    : recipe_(program.recipe()),
      options_(checked(options, sizes)),
      words_(kept_words(program, "words", texts_of(texts, part), options.min_count)),
      longest_(kept_longest(program, texts, part)),
      decoder_(program.init().named("decoder"), {.vocabulary = words_.size(),
                                                 .embed = recipe_.embed,
                                                 .hidden = sizes.hidden,
                                                 .memory = sizes.memory,
                                                 .summary = sizes.summary,
                                                 .attention = attentions.at(options.attention),
                                                 .dropout = recipe_.dropout}) {}

// One for each text: the example that it is about, what the decoder reads, what it should say.
struct Writer::Pairs {
  Pairs(const Writer& writer, const Texts& texts, std::span<const std::size_t> part,
        std::span<const std::int64_t> lengths) {
    for (const std::size_t i : part)
      for (const Tokens& text : texts[i]) {
        positions.push_back(i);
        outputs.push_back(writer.words_.encode(text));
        inputs.push_back(outputs.back());
        inputs.back().insert(inputs.back().begin(), Words::begin);
        outputs.back().push_back(Words::end);
        order.push_back((lengths.empty() ? 0 : 1000 * lengths[i]) + std::ssize(outputs.back()));
      }
  }
  // `teacher`: the probability of reading the true token.
  Var loss(const Writer& writer, const Read& read, Tape& tape, std::span<const std::size_t> chosen,
           bool training, double teacher, spool::Reduction reduction) const {
    const std::vector<std::size_t> about = pick(positions, chosen);
    const auto in = spool::pad(inputs, chosen, {.value = Words::end});
    const auto out = spool::pad(outputs, chosen, {.value = spool::ignore_index});
    spool::Seq2SeqCall call{.training = training};
    if (teacher < 1) call.teacher = tape.input(spool::Tensor({}, {teacher}), "teacher");
    const Var scores = writer.decoder_(tape.tokens(in.shape, in.ids), read(tape, about, training), call);
    return spool::cross_entropy(scores, tape.tokens(out.shape, out.ids), {.reduction = reduction});
  }
  // Nats per token, ends included.
  double evaluate(const Writer& writer, const Read& read) const {
    double tokens = 0;
    for (const auto& output : outputs) tokens += static_cast<double>(output.size());
    return total_loss(order,
                      [&](Tape& tape, std::span<const std::size_t> chosen) {
                        return loss(writer, read, tape, chosen, false, 1, spool::Reduction::sum);
                      }) /
           tokens;
  }

  std::vector<std::size_t> positions;
  Ids inputs, outputs;
  std::vector<std::int64_t> order;  // by the example's length, then by the text's
};

int Writer::fit(const Program& program, const spool::Params& params, const Texts& texts,
                const spool::Split& split, std::span<const std::int64_t> lengths, const Read& read,
                const std::function<std::pair<std::string, double>()>& score) const {
  const Pairs pairs(*this, texts, split.train, lengths);
  const Pairs validation(*this, texts, split.validation, lengths);
  fmt::print("{} texts to learn from, of {} kinds of tokens\n", pairs.positions.size(), words_.size());
  const auto step = [&](Tape& tape, std::span<const std::size_t> chosen) {
    const auto steps = static_cast<double>(tape.random().draw);  // so far: each has a draw of its own
    const double teacher =
        options_.scheduled > 0 ? spool::inverse_sigmoid_decay(steps, options_.scheduled) : 1;
    return pairs.loss(*this, read, tape, chosen, true, teacher, spool::Reduction::mean);
  };
  const auto validate = [&]() -> spool::Metrics {
    const double loss = validation.evaluate(*this, read);
    if (score) return {score(), {"validation loss", loss}};
    return loss;
  };
  return program.fit(params, pairs.order, step, validate,
                     {.maximize = static_cast<bool>(score), .loss_unit = "nats per token"});
}

std::vector<Tokens> Writer::write(std::span<const std::size_t> positions,
                                  std::span<const std::int64_t> lengths, const Read& read, int beam) const {
  if (beam == 0) beam = options_.beam;
  std::vector<std::int64_t> order;
  for (const std::size_t i : positions) order.push_back(lengths.empty() ? 0 : lengths[i]);
  const spool::LengthBatches batches(std::move(order), {.size = 32, .shuffle = false});
  std::vector<Tokens> all(positions.size());
  for (std::uint64_t n = 0; n < batches.size(); ++n) {
    const std::vector<std::size_t> about = pick(positions, batches.at(n));
    Tape tape;
    const auto found = spool::decode_beam(decoder_.stepper(read(tape, about, false), beam), std::ssize(about),
                                          {.begin = Words::begin,
                                           .end = Words::end,
                                           .max_length = longest_,
                                           .banned = {Words::unknown, Words::begin}},
                                          {.width = beam, .length_penalty = options_.length_penalty});
    for (std::size_t i = 0; i < about.size(); ++i)
      all[batches.at(n)[i]] = words_.decode(found[i].front().tokens);
  }
  return all;
}

std::optional<spool::Tensor> Writer::looked(std::size_t position, const Tokens& text,
                                            const Read& read) const {
  Tape tape;
  spool::Vars weights;
  std::vector<int> in = words_.encode(text);
  in.insert(in.begin(), Words::begin);
  decoder_(tape.tokens({std::ssize(in), 1}, in), read(tape, std::vector{position}, false),
           {.training = false, .weights = &weights});
  if (weights.size() == 0) return {};
  return tape.read(spool::select(spool::stack(weights), 1, 0));
}

std::string attention_map(const spool::Tensor& weights, const Tokens& source, const Tokens& text,
                          const std::string& between) {
  Tokens rows = text;
  rows.emplace_back("(end)");
  return spool::heat_map(
      weights, {.title = fmt::format("{} → {}", fmt::join(source, between), fmt::join(text, between)),
                .x_label = "read",
                .y_label = "written",
                .row_labels = rows,
                .column_labels = source,
                .low = 0,
                .high = 1});
}

const std::vector<std::string>& judged_heads() {
  static const std::vector<std::string> heads{"test", "tokens wrong %", "texts wrong %", "BLEU", "chrF2"};
  return heads;
}

Row judged(const std::string& who, const Texts& texts, std::span<const std::size_t> positions,
           const std::vector<Tokens>& written, const std::string& between) {
  spool::ErrorRate errors;
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references(positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto& right = texts[positions[i]];
    errors.add(written[i], *std::ranges::min_element(right, {}, [&](const Tokens& t) {
                 return spool::count_edits(written[i], t).total();
               }));
    hypotheses.push_back(fmt::format("{}", fmt::join(written[i], between)));
    for (const Tokens& t : right) references[i].push_back(fmt::format("{}", fmt::join(t, between)));
  }
  return {fmt::format("{} ({} texts)", who, positions.size()),
          {100 * errors.rate(), 100 * errors.sequence_rate(), spool::bleu(hypotheses, references).score,
           spool::chrf(hypotheses, references)}};
}

}  // namespace examples
