// Error rates, BLEU and chrF: against values of sacreBLEU's own test suite (version 2, Apache-2.0) and
// against sums made by hand from the formulas.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {

using Texts = std::vector<std::string>;
using Lists = std::vector<Texts>;

Edits edits(const std::string& hypothesis, const std::string& reference) {
  return count_edits(hypothesis, reference);
}

}  // namespace

TEST_CASE("edits are the fewest there are") {
  CHECK(edits("", "") == Edits{});
  CHECK(edits("abc", "abc") == Edits{});
  CHECK(edits("", "abc") == Edits{.deletions = 3});
  CHECK(edits("abc", "") == Edits{.insertions = 3});
  CHECK(edits("sitting", "kitten") == Edits{.substitutions = 2, .insertions = 1});
  CHECK(edits("saturday", "sunday").total() == 3);
  CHECK(edits("ab", "ba").total() == 2);
  CHECK(edits("ab", "ba") == Edits{.substitutions = 2});
  // One edit script against all others of small strings: the distance is a metric.
  const Texts words{"", "a", "b", "ab", "ba", "aab", "abb", "bab"};
  for (const auto& a : words)
    for (const auto& b : words) {
      CHECK(edits(a, b).total() == edits(b, a).total());
      CHECK((edits(a, b).total() == 0) == (a == b));
      for (const auto& c : words) CHECK(edits(a, c).total() <= edits(a, b).total() + edits(b, c).total());
    }
}

TEST_CASE("error rates add up over a set") {
  ErrorRate rate;
  CHECK(rate.rate() == 0);
  CHECK(rate.sequence_rate() == 0);
  rate.add(words_of("the cat  sat on mat"), words_of("the cat sat on the mat"));  // 1 deletion of 6
  rate.add(std::vector{1, 2, 3, 4}, std::vector{1, 5, 3});                        // 2 edits of 3
  rate.add(std::vector{7}, std::vector{7});
  CHECK(rate.edits() == Edits{.substitutions = 1, .deletions = 1, .insertions = 1});
  CHECK(rate.rate() == 0.3);
  CHECK(rate.sequence_rate() == 2.0 / 3);
  ErrorRate only_insertions;
  only_insertions.add(std::vector{1}, std::vector<int>{});
  CHECK(std::isinf(only_insertions.rate()));
}

TEST_CASE("sentences are cut as mteval-v13a does") {
  CHECK(bleu_tokens("Hello, world!") == "Hello , world !");
  CHECK(bleu_tokens("It costs $1,000.50, or 3.5%.") == "It costs $ 1,000.50 , or 3.5 % .");
  CHECK(bleu_tokens("don't re-do 5-4 (now)") == "don't re-do 5 - 4 ( now )");
  CHECK(bleu_tokens("&quot;A&amp;B&quot; &lt;x&gt;") == "\" A & B \" < x >");
  CHECK(bleu_tokens("a..b ...") == "a . . b . . .");
  CHECK(bleu_tokens("line-\nbreak\nhere <skipped>.") == "linebreak here .");
  CHECK(bleu_tokens(" .5 5. é,é «oui»\u00A0! ") == ". 5 5 . é , é «oui» !");
  // Random ones, as the script's regular expressions cut them in Python.
  CHECK(bleu_tokens("-2…~1a~'-,~~\u30002-2\u3000a1.béa'") == "-2… ~ 1a ~ '- , ~ ~ 2 - 2 a1 . béa'");
  CHECK(bleu_tokens("~\u3000$\u3000_2… b2~,'$é$\u3000…$-/a'.") == "~ $ _ 2… b2 ~ , ' $ é $ … $ - / a' .");
  CHECK(bleu_tokens("_é/.…./…'é\u3000 a2é-'-/.$  /") == "_ é / . … . / …'é a2é-'- / . $ /");
  CHECK(bleu_tokens("a, b", BleuTokens::none) == "a, b");
  CHECK(bleu_tokens("我 爱。", BleuTokens::characters) == "我 爱 。");
}

TEST_CASE("BLEU gives sacreBLEU's numbers") {
  const Texts hypotheses{"The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."};
  const Lists references{{"The dog bit the man.", "The dog had bit the man."},
                         {"It was not unexpected.", "No one was surprised."},
                         {"The man bit him first.", "The man had bitten the dog."}};
  const Bleu b = bleu(hypotheses, references);
  CHECK(std::abs(b.score - 48.530827) < 1e-6);
  CHECK(std::abs(bleu(hypotheses, references, {.tokens = BleuTokens::none}).score - 49.1919566) < 1e-6);
  CHECK(bleu(Texts{"", "", ""}, references).score == 0);
  CHECK(b.text() == "BLEU = 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)");
}

TEST_CASE("BLEU by hand: clipping, brevity, smoothing, short sentences") {
  const auto score = [](const std::string& h, const std::string& r, bool effective = false) {
    return bleu(Texts{h}, Texts{r}, {.effective_order = effective}).score;
  };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-9; };
  CHECK(near(score("this is a test", "this is a test"), 100));
  // 2 of 4, then nothing of 3, 2 and 1, which counts as 1/2, 1/4 and 1/8.
  CHECK(near(score("this is a fest", "this was a test"),
             100 * std::pow(2.0 / 4 * (0.5 / 3) * (0.25 / 2) * (0.125 / 1), 0.25)));
  CHECK(near(score("this is a fest", "this is a test"),
             100 * std::pow(3.0 / 4 * 2.0 / 3 * 1.0 / 2 * 1.0 / 2, 0.25)));
  CHECK(near(score("a b x c y", "a b z c w"),
             100 * std::pow(3.0 / 5 * 1.0 / 4 * (0.5 / 3) * (0.25 / 2), 0.25)));
  // "the" counts twice of seven (Papineni et al. 2002, example 2).
  const Bleu clipped = bleu(Texts{"the the the the the the the"},
                            Lists{{"The cat is on the mat.", "There is a cat on the mat."}});
  CHECK(near(clipped.precisions[0], 100.0 / 7));
  CHECK(near(
      bleu(Texts{"the the the the the the the"}, Lists{{"the cat is on the mat", "a cat"}}).precisions[0],
      200.0 / 7));
  CHECK(near(score("a b c d", "a b c d e f"), 100 * std::exp(1 - 6.0 / 4)));
  CHECK(score("a b", "a b") == 0);
  CHECK(near(score("a b", "a b", true), 100));
  // The closest reference's length counts; of equally close ones the shorter.
  CHECK(bleu(Texts{"a b c"}, Lists{{"a b c d", "a b", "a b c d e f"}}).reference_length == 2);
}

TEST_CASE("chrF gives sacreBLEU's numbers") {
  const auto score = [](const Texts& h, const Texts& r, const ChrfOptions& o) { return chrf(h, r, o); };
  const ChrfOptions three{.beta = 3}, spaces{.beta = 3, .whitespace = true};
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-4; };
  CHECK(near(score({"a"}, {"a"}, three), 100));
  CHECK(near(score({""}, {"reference"}, three), 0));
  CHECK(near(score({"a b c"}, {"abc"}, three), 100));
  CHECK(near(score({"a", "b"}, {"a", "c"}, three), 50));
  CHECK(near(score({"aa"}, {"ab"}, three), 25));
  CHECK(
      near(score({"Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich."},
                 {"Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich."}, spaces),
           67.3481606));
  CHECK(near(
      score({"risk assessment must be made of those who are qualified and expertise in the sector - these "
             "are the scientists ."},
            {"risk assessment has to be undertaken by those who are qualified and expert in that area - that "
             "is the scientists ."},
            spaces),
      65.2414427));
  // By hand, orders 1 and 2, beta 2: precision (2/3 + 1/2) / 2, recall (2/4 + 1/3) / 2.
  const double p = 7.0 / 12, r = 5.0 / 12;
  CHECK(std::abs(chrf(Texts{"abx"}, Texts{"abcd"}, {.order = 2}) - 100 * 5 * p * r / (4 * p + r)) < 1e-9);
  CHECK(chrf(Texts{"语言"}, Lists{{"x", "语言"}}) == 100);
}

// "abc" has no n-gram of the orders 4 to 6, so sacreBLEU leaves the 5, 4 and 3 of "abcdefgh" out. Without
// spaces the second sentence has 6 and 9 characters, all of which match. So for each order
//   n-grams of the hypotheses  8+6  7+5  6+4  0+3  0+2  0+1
//   n-grams of the references  3+9  2+8  1+7  0+6  0+5  0+4
//   common                     3+6  2+5  1+4    3    2    1
// and with the means P and R of the six ratios, 5 P R / (4 P + R).
TEST_CASE("chrF leaves out n-grams of orders that a short reference does not have") {
  const double p = (9.0 / 14 + 7.0 / 12 + 5.0 / 10 + 1 + 1 + 1) / 6,
               r = (9.0 / 12 + 7.0 / 10 + 5.0 / 8 + 3.0 / 6 + 2.0 / 5 + 1.0 / 4) / 6;
  const double expected = 100 * 5 * p * r / (4 * p + r);
  CHECK(std::abs(expected - 57.3961752) < 1e-6);
  CHECK(std::abs(chrf(Texts{"abcdefgh", "the cat"}, Texts{"abc", "the cat sat"}) - expected) < 1e-9);
}

TEST_CASE("measures refuse what can't be compared") {
  const Texts one{"a"}, two{"a", "b"};
  CHECK(shape_error([&] { bleu(one, two); }) ==
        "bleu: needs as many hypotheses as references, and one at least; not 1 and 2");
  CHECK(shape_error([&] { chrf(Texts{}, Texts{}); }) ==
        "chrf: needs as many hypotheses as references, and one at least; not 0 and 0");
  CHECK(shape_error([&] { bleu(one, Lists{{}}); }) == "bleu: a hypothesis has no reference");
  CHECK(tape_error([&] { bleu(Texts{"\xFF"}, one); }) == "bleu: a text is not UTF-8");
  CHECK(tape_error([&] { chrf(Texts{"\xE2\x82"}, one); }) == "chrf: a text is not UTF-8");
  CHECK(shape_error([&] { chrf(one, one, {.order = 0}); }) == "chrf: the order must be at least 1, not 0");
  CHECK(tape_error([&] { chrf(one, one, {.beta = 0}); }) == "chrf: beta must be finite and above 0, not 0");
}
