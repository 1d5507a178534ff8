// What example programs do with texts.
#include "../../examples/shared/program.hpp"
#include "../catch.hpp"

using namespace examples;

TEST_CASE("texts are the same but for case, spaces and punctuation") {
  CHECK(letters_of({"Don't  go", "-", "2 \"of\" us!"}) == "dontgo2ofus");
  CHECK(letters_of({"ÇA VA ÊTRE « \u00C0 \u202F» ?"}) == "çavaêtreà");
  CHECK(letters_of({"×Þß÷ÿ·’"}) == "þßÿ");
  CHECK(letters_of({"\uFEFF我读，「二〇」（3）。％"}) == "我读二〇3");
  CHECK(letters_of({" ?!"}).empty());
}
