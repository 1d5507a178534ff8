// char_lm: learns a text character by character with an RNN, LSTM or GRU, and writes more of it.
#include "corpus.hpp"
#include "generate.hpp"
#include "options.hpp"
#include "train.hpp"

#include <fmt/format.h>

#include <new>

namespace {

int run(int argc, char** argv) {
  char_lm::Options o = char_lm::parse(argc, argv);
  spool::set_threads(o.threads);
  if (o.verb == "train" && !o.resume) return char_lm::train(o, char_lm::read_corpus(o));

  const std::string file = o.verb == "train" ? char_lm::last_file(o) : char_lm::best_file(o);
  const spool::Checkpoint checkpoint = spool::load_checkpoint(file);
  o = char_lm::parse(argc, argv, checkpoint.state.text("options"));
  if (o.verb == "train") return char_lm::train(o, char_lm::read_corpus(o));
  o.verb == "sample" ? char_lm::sample(o, checkpoint) : char_lm::eval(o, checkpoint);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const char_lm::UsageError& e) {
    fmt::print(stderr, "char_lm: {}\n", e.what);
    return 2;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "char_lm: not enough memory; make --hidden, --layers, --embed, --batch or --seq smaller\n");
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "char_lm: {}\n", e.what());
    return 1;
  }
}
