#include "corpus.hpp"

#include "embedded_text.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string/split.hpp>
#include <boost/crc.hpp>
#include <boost/lexical_cast.hpp>
#include <span>
#include <vector>

namespace char_lm {

namespace {

std::vector<double> fractions(const std::string& text) {
  std::vector<std::string> words;
  boost::split(words, text, [](char c) { return c == ','; });
  std::vector<double> values;
  for (const std::string& word : words) {
    double value = 0;
    if (!boost::conversion::try_lexical_convert(word, value))
      throw UsageError{
          fmt::format("--split {}: '{}' is not a number; write it like 0.9,0.05,0.05", text, word)};
    values.push_back(value);
  }
  if (values.size() != 3)
    throw UsageError{fmt::format("--split {}: needs three parts, like 0.9,0.05,0.05", text)};
  return values;
}

// A part of the text as windows of --seq characters from `streams` places at once.
spool::TextBatches windows(const char* part, std::span<const int> ids, int streams, const Options& o) {
  if (ids.size() <= static_cast<std::size_t>(streams) * static_cast<std::size_t>(o.seq))
    throw UsageError{fmt::format(
        "the {} part has {} characters, too few to read {} characters at {} places at once; give more text, "
        "a larger part (--split), or a smaller --seq or --batch",
        part, ids.size(), o.seq, streams)};
  return {ids, {.streams = streams, .steps = o.seq}};
}

}  // namespace

Corpus read_corpus(const Options& o) {
  const std::string text = o.text.empty() ? std::string(embedded_text()) : spool::read_text(o.text);
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  const spool::Vocabulary vocabulary(text);
  const std::vector<int> ids = vocabulary.encode(text);
  const auto f = fractions(o.split);
  const spool::TextSplit parts = spool::split_text(ids, f[0], f[1], f[2]);
  constexpr int held_out = 10;  // streams to evaluate on, whatever --batch is, so that results compare
  Corpus corpus{.vocabulary = vocabulary,
                .characters = parts.train.size(),
                .train = windows("training", parts.train, o.batch, o),
                .validation = windows("validation", parts.validation, held_out, o),
                .test = {},
                .fingerprint = fmt::format("{} bytes, crc {:08x}", text.size(), crc.checksum())};
  if (!parts.test.empty()) corpus.test = windows("test", parts.test, held_out, o);
  return corpus;
}

}  // namespace char_lm
