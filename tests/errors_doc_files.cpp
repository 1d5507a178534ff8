// One mistake for each message about files in docs/errors.md, under the heading of its section there.
#include <spool/spool.hpp>

#include <filesystem>

#include "errors_doc.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

const std::vector<std::string> closing{"Close"};
Csv prices(const std::string& close) {
  return Csv(Scratch().file("prices.csv", "Date,Close\n2020-01-02," + close + "\n"));
}

// A WAV file that says it has so many samples, of which so many bytes are there.
void read_sound(char samples, std::size_t bytes) {
  const Scratch scratch;
  write_wav(scratch / "whole.wav", Tensor(Shape{20}), 8000);
  std::string file = bytes_of(scratch / "whole.wav");
  file[4] = static_cast<char>(36 + 2 * samples), file[40] = static_cast<char>(2 * samples);
  read_audio(scratch.file("seven.wav", file.substr(0, bytes)));
}

// Writes a safetensors file of this header and so many bytes of data.
void read_file_of(const std::string& header, std::size_t bytes) {
  const std::uint64_t length = header.size();
  std::string content(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) content[i] = static_cast<char>(length >> (8 * i) & 0xFF);
  const Scratch scratch;
  read_safetensors(scratch.file("model.safetensors", content + header + std::string(bytes, '\0')));
}

}  // namespace

const std::vector<Mistake> file_mistakes{
    {"A file that can't be read", [] { read_text(Scratch() / "input.txt"); }},
    {"A file that can't be read",
     [] {
       const Scratch scratch;
       std::filesystem::create_directory(scratch / "run");
       load_checkpoint(scratch / "run");
     }},
    {"A file that can't be written", [] { save_params(Scratch() / "run/model.safetensors", {weight()}); }},
    {"Not safetensors", [] { read_safetensors(Scratch().file("model.pt", "PK")); }},
    {"Not safetensors", [] { read_safetensors(Scratch().file("model.pt", "PK\3\4 and so on")); }},
    {"A damaged safetensors file",
     [] { read_file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 5); }},
    {"A damaged safetensors file",
     [] { read_file_of(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8); }},
    {"A damaged safetensors file",
     [] { read_file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12); }},
    {"A damaged safetensors file", [] { read_file_of("[]", 0); }},
    {"A type of numbers that Spool can't read",
     [] { read_file_of(R"({"w":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}})", 2); }},
    {"Weights of another model",
     [] {
       const Scratch scratch;
       save_params(scratch / "model.safetensors", {weight("a.weight"), weight("b.weight", {3})});
       load_params(scratch / "model.safetensors", {weight("a.weight", {4}), weight("c.weight")});
     }},
    {"Not a checkpoint",
     [] {
       const Scratch scratch;
       save_params(scratch / "model.safetensors", {weight()});
       load_checkpoint(scratch / "model.safetensors");
     }},
    {"A checkpoint of another model",
     [] {
       const Scratch scratch;
       save_checkpoint(scratch / "last.safetensors", {.model = {{"cell", "gru"}, {"hidden", "128"}}});
       load_checkpoint(scratch / "last.safetensors", {{"cell", "lstm"}, {"hidden", "128"}});
     }},
    {"A training that can't go on",
     [] {
       const Scratch scratch;
       for (int i = 0; i < 2; ++i) fit({.directory = scratch / "run"});
     }},
    {"A training that can't go on",
     [] {
       const Scratch scratch;
       fit({.directory = scratch / "run"}, 1);
       fit({.directory = scratch / "run", .resume = true}, 2);
     }},
    {"A training that can't go on",
     [] {
       const Scratch scratch;
       fit({.directory = scratch / "run"});
       std::filesystem::remove(scratch / "run/best.safetensors");
       fit({.directory = scratch / "run", .resume = true});
     }},
    {"A training that can't go on",
     [] {
       const Scratch scratch;
       std::filesystem::create_symlink("run", scratch / "run");
       fit({.directory = scratch / "run"});
     }},
    {"A training that can't go on", [] { fit({.log = Scratch() / "logs/run.jsonl"}); }},
    {"A training that can't go on",
     [] {
       const Scratch scratch;
       fit({.directory = scratch.file("file", "")});
     }},
    {"An entry that is not there", [] { static_cast<void>(Snapshot{}.count("step")); }},
    {"The state of another optimizer", [] { Sgd({weight()}).load_state(Adam({weight()}).state()); }},
    {"Text that is not UTF-8", [] { read_text(Scratch().file("input.txt", "one\ntwo \xE9t\xE9")); }},
    {"Text that is empty or damaged", [] { read_text(Scratch().file("input.txt", "")); }},
    {"Text that is empty or damaged", [] { read_text(Scratch().file("input.txt.gz", "\x1f\x8b\x08")); }},
    {"Text that is empty or damaged", [] { Vocabulary(""); }},
    {"A table that contradicts itself",
     [] { Csv(Scratch().file("prices.csv", "Date,Open,Close\n1,2,3\n1,2\n")); }},
    {"A table that contradicts itself", [] { Csv(Scratch().file("prices.csv", "Close\n1\"2\n")); }},
    {"A column that is not there, or no numbers", [] { prices("7").texts("close"); }},
    {"A column that is not there, or no numbers", [] { prices("n/a").numbers(closing); }},
    {"A column that is not there, or no numbers", [] { prices("").numbers(closing); }},
    {"Brackets that are no tree", [] { read_trees(Scratch().file("train.txt", "(3 good)\n(4 (3 very)")); }},
    {"Brackets that are no tree", [] { read_trees(Scratch().file("train.txt", "(4 very good)\n")); }},
    {"Sentences in columns that do not fit",
     [] { read_conll(Scratch().file("train.conllu", "no\tINTJ\n\nyes INTJ\n")); }},
    {"Sentences in columns that do not fit", [] { read_conll(Scratch().file("train.conllu", "no\t\n")); }},
    {"Sound that can't be read", [] { read_sound(20, 50); }},
    {"Sound that can't be read", [] { read_sound(0, 44); }},
    {"A picture that can't be read", [] { read_png(Scratch().file("cat.png", "\xFF\xD8\xFF")); }},
    {"A picture that can't be read",
     [] {
       std::string bytes = encode_png(Tensor(Shape{2, 2}));
       bytes[16] ^= 1;  // in the header
       read_png(Scratch().file("cat.png", bytes));
     }},
    {"An IDX file that can't be read", [] { read_idx(Scratch().file("images.idx", "PK\x03\x04")); }},
    {"An IDX file that can't be read",
     [] {
       using namespace std::string_literals;
       read_idx(Scratch().file("images.idx", "\0\0\x08\2\0\0\0\2\0\0\0\4abcde"s));
     }},
    {"Time series that contradict themselves",
     [] { read_ts(Scratch().file("vowels.ts", "@classLabel true a b\n@data\n1,2:3,4:c\n")); }},
    {"Time series that contradict themselves",
     [] { read_ts(Scratch().file("vowels.ts", "@classLabel true a b\n@data\n1:3:a\n1,2:3:a\n")); }},
    {"Time series that contradict themselves",
     [] { read_ts(Scratch().file("vowels.ts", "@classLabel true a b\n@data\n1,2:3,?:a\n")); }},
    {"A symbol that is not in the vocabulary",
     [] { Vocabulary("helo").encode("hell\xC3\xB6", "input.txt"); }},
};
