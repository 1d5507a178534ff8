// What the example programs share: a command line with verbs, options that are kept with the model, and
// mistakes of the user on one line. It is no part of the library.
//
//   Program program({.name = "names", .purpose = "...", .verbs = {"train", "eval", "sample"}});
//   program.learnt()("pairs", po::value(&pairs)->default_value(64), "pairs of ... to make");
//   return program.run(argc, argv, [&] { ... program.verb() ... });
#pragma once

#include <spool/spool.hpp>

#include <boost/program_options.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace examples {

namespace po = boost::program_options;

/// A command line that can't be followed. The program prints it and exits with 2.
struct UsageError {
  std::string what;
};
inline void require(bool holds, const std::string& what) {
  if (!holds) throw UsageError{what};
}
/// UsageError unless the value is one of those.
void require_one_of(const std::string& option, const std::string& value,
                    const std::vector<std::string>& choices);
void require_between(const std::string& option, std::int64_t value, std::int64_t low, std::int64_t high);
/// The numbers of "0.9,0.05,0.05"; none for an empty text. UsageError, which shows the example, for others.
std::vector<double> numbers_of(const std::string& option, const std::string& text,
                               const std::string& example);

/// The whole numbers from 1 of "1,100,1000", likewise.
std::vector<std::uint64_t> steps_of(const std::string& option, const std::string& text,
                                    const std::string& example);

/// What models of all programs are made with; options of the same names. A program has no option for what is
/// empty or 0 in its defaults; for dropout, below 0.
struct Recipe {
  std::string cell = "gru";
  std::int64_t hidden = 64, layers = 1;
  std::int64_t embed = 32;  ///< size of a symbol's vector
  std::int64_t batch = 32;
  double lr = 3e-3, dropout = 0.2;
};

struct About {
  std::string name, purpose;
  std::vector<std::string> verbs;  ///< "train" among them
  std::int64_t epochs = 10;
  Recipe recipe = {};                           ///< the defaults
  std::vector<std::string> without_model = {};  ///< verbs beside "train" that need none
  /// Verbs that words follow, and what these are: {{"classify", "a name"}}.
  std::vector<std::pair<std::string, std::string>> with_words = {};
  std::vector<std::string> of_data = {};  ///< learnt options that mean nothing without --data
  /// Options that only some verbs take, and which those are; no verbs: all do. Where nothing stands here,
  /// only train and eval take --data, only train what says how far it goes, and train takes none of used().
  struct Only {
    std::vector<std::string> verbs, options;
  };
  std::vector<Only> only = {};
  /// Learnt options that say where something is, from anywhere: it may be elsewhere when the model is used,
  /// and a fact tells whether it is the same.
  std::vector<std::string> places = {};
  std::string no_data = {};  ///< what is said of --data where no verb can use it; it is not listed then
};

/// The loss of the chosen examples.
using Step = std::function<spool::Var(spool::Tape&, std::span<const std::size_t> chosen)>;

struct FitOptions {
  bool maximize = false;  ///< larger metrics are better
  std::string loss_unit = {};
};

class Program {
 public:
  explicit Program(About about);

  /// Adds options that decide what is learnt. The model keeps them: --resume and the other verbs need only
  /// --model, and options that contradict it are refused.
  po::options_description_easy_init learnt() { return learnt_.add_options(); }
  /// Adds options of how it is used.
  po::options_description_easy_init used() { return used_.add_options(); }

  /// The command line is read, what the model keeps is filled in, and the body is run. Gives the exit code:
  /// the body's; 2 for a UsageError (such as an option that the verb doesn't take), 1 for other errors, each
  /// told on one line; 0 after --help.
  int run(int argc, char** argv, const std::function<int()>& body);

  const std::string& verb() const { return verb_; }
  bool trains() const { return verb_ == "train"; }
  const std::vector<std::string>& words() const { return words_; }  ///< what follows the verb
  /// A hint on standard error where sentences seem to have lost their quotes: none of several has a space.
  void hint_quotes() const;
  const std::string& data() const { return data_; }  ///< --data DIR; empty without
  const Recipe& recipe() const { return about_.recipe; }
  std::uint64_t seed() const { return seed_; }
  spool::Init init() const { return {.seed = seed_}; }
  /// A file in the model's directory.
  std::string file(const std::string& name) const { return directory_ + "/" + name; }

  /// A file in the model's directory, and on stdout "picture: FILE" or "example: FILE". After the tables: a
  /// directory that can't be written must not cost them.
  void write_picture(const std::string& name, const std::string& svg) const;
  void write_example(const std::string& name,
                     const std::function<void(const std::string& path)>& write) const;

  /// What the model knows of its data, such as its vocabulary: kept with it, and refused where it differs.
  /// InternalError for the name of an option.
  void fact(const std::string& name, const std::string& value);
  /// A fact that the model keeps. Not for training anew.
  const std::string& fact(const std::string& name) const;
  /// One that is a whole number from 1 to `most`. FileError when it is not.
  std::int64_t number_fact(const std::string& name, std::int64_t most) const;

  /// Trains as the command line says, with Adam, the norm of the gradients at most 1, and a rate that falls
  /// to 0 as a cosine; examples of about one length come together. Gives the exit code.
  int fit(const spool::Params& params, std::vector<std::int64_t> lengths, const Step& step,
          const spool::Trainer::Validation& validate, const FitOptions& options = {}) const;
  /// The parts of fit(), for programs that train in another way.
  spool::TrainerOptions training() const;
  int finish(const spool::TrainResult& result) const;

  /// The model's best weights. FileError where its options or facts differ, and where one is not finite.
  void restore(const spool::Params& params) const;

 private:
  void parse(int argc, char** argv);
  void parse_verb(const po::variables_map& values);
  std::string given(const po::parsed_options& parsed) const;
  void print_help() const;
  std::vector<std::string> takers(const std::string& option) const;
  void check_words() const;
  void parse_kept(const po::options_description& all, po::variables_map& values);
  spool::Checkpoint load_kept() const;
  void check_data();
  void check() const;
  bool is_place(const std::string& option) const;
  spool::ModelDescription description() const;

  About about_;
  po::options_description learnt_, run_, used_;
  std::string verb_, data_, directory_, log_;
  std::string go_on_;  // the command that goes on with a training
  std::vector<std::string> words_;
  std::uint64_t seed_ = 1;
  std::int64_t save_every_ = 0;
  int patience_ = 0, threads_ = 0;
  double minutes_ = 0;
  bool resume_ = false;
  std::vector<std::pair<std::string, const std::int64_t*>> counts_;  // options that are at least 1
  spool::ModelDescription options_, kept_, facts_;  // the learnt options, all that a model read keeps
};

/// The same for a baseline, silently and with nothing kept: so many epochs, in batches of 32.
void fit_quietly(const spool::Params& params, std::vector<std::int64_t> lengths, const Step& step,
                 std::int64_t epochs = 15, double lr = 3e-3);

/// The sum over all examples of what `sum` gives for some of them.
double total_loss(std::vector<std::int64_t> lengths, const Step& sum);

/// Of all there are (a vector or span), those at the chosen positions.
template <class All>
auto pick(const All& all, std::span<const std::size_t> chosen) {
  std::vector<typename All::value_type> some;
  for (const std::size_t i : chosen) some.push_back(all[i]);
  return some;
}

/// The same of a float tensor's first axis.
spool::Tensor pick(const spool::Tensor& all, std::span<const std::size_t> chosen);

/// Texts without line breaks as one fact of a model, one a line, and back.
std::string joined(const std::vector<std::string>& lines);
std::vector<std::string> lines_of(const std::string& text);

/// The letters and digits of all words together, in lower case: whether two texts are the same but for case,
/// spaces and punctuation. Knows capitals up to Þ, and signs of Latin and Chinese texts.
std::string letters_of(const std::vector<std::string>& words);

/// Tells one text from another, as a fact: "1115394 bytes, crc 7d5ccd3e".
std::string fingerprint_of(const std::string& text);

/// The vocabulary of the training part's texts, a fact of this name; without texts, when the model is used,
/// the one that it keeps.
spool::WordVocabulary kept_words(Program& program, const std::string& name,
                                 const std::vector<std::vector<std::string>>& texts, int min_count);

/// TapeError where a model gives what is no finite number.
void check_finite(const spool::Tensor& scores);

/// The files of a folder that end so, sorted. FileError when there are none.
std::vector<std::filesystem::path> files_in(const std::string& folder, const std::string& extension);

/// "name  value  value", one row below the other, under their heads; values with so many decimals, but
/// for columns of whole numbers.
struct Row {
  std::string name;
  std::vector<double> values;
};
void print_table(const std::vector<std::string>& heads, const std::vector<Row>& rows, int decimals = 4);

}  // namespace examples
