#include "corpus.hpp"

#include "embedded_text.hpp"

#include <fmt/format.h>
#include <boost/algorithm/string/split.hpp>
#include <boost/crc.hpp>
#include <boost/lexical_cast.hpp>

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

}  // namespace

Corpus read_corpus(const Options& o) {
  const std::string text = o.text.empty() ? std::string(embedded_text()) : spool::read_text(o.text);
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  const spool::Vocabulary vocabulary(text);
  Corpus corpus{vocabulary,
                vocabulary.encode(text),
                {},
                fmt::format("{} bytes, crc {:08x}", text.size(), crc.checksum())};
  const auto f = fractions(o.split);
  corpus.parts = spool::split_text(corpus.all, f[0], f[1], f[2]);
  return corpus;
}

}  // namespace char_lm
