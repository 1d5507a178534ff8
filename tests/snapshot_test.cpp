// Snapshot: parts under prefixes, and what is missing.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

TEST_CASE("a snapshot gives back the parts that were added to it") {
  Snapshot adam;
  adam.tensors["exp_avg.w"] = Tensor({2}, {1, 2});
  adam.counts["step"] = 7;
  adam.numbers["lr"] = 0.1;
  Snapshot all;
  all.origin = "run.safetensors";
  all.counts["step"] = 1;
  all.add("optim", adam);
  all.add("optimal", adam);  // a longer prefix is another one
  all.add("optim", adam);    // replaces
  CHECK(all.counts.size() == 3);

  const Snapshot part = all.part("optim");
  CHECK(part.tensors == adam.tensors);
  CHECK(part.counts == adam.counts);
  CHECK(part.numbers == adam.numbers);
  CHECK(all.part("opti").counts.empty());
  CHECK(part.count("step") == 7);
  CHECK_THROWS_WITH(part.number("beta"), "run.safetensors, part \"optim\": there is no number \"beta\"");
  CHECK_THROWS_AS(all.tensor("w"), FileError);
  CHECK_THROWS_AS(all.text("w"), FileError);
}
