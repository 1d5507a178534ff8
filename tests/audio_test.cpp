// Sound files: samples and rates as written, and every cut or broken file a FileError.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;
using namespace std::string_literals;

namespace {

std::string word(std::uint64_t v, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i));
  return out;
}

// A WAV file as its specification has it, put together by hand.
std::string wav(int format, int channels, int rate, int bits, const std::string& data) {
  const std::string fmt =
      word(static_cast<unsigned>(format), 2) + word(static_cast<unsigned>(channels), 2) +
      word(static_cast<unsigned>(rate), 4) + word(static_cast<unsigned>(rate * channels * bits / 8), 4) +
      word(static_cast<unsigned>(channels * bits / 8), 2) + word(static_cast<unsigned>(bits), 2);
  const std::string body = "WAVEfmt " + word(fmt.size(), 4) + fmt + "data" + word(data.size(), 4) + data;
  return "RIFF" + word(body.size(), 4) + body;
}

std::string refusal(const std::string& bytes) {
  const Scratch scratch;
  const std::string path = scratch.file("a.wav", bytes);
  const std::string text = text_of<FileError>([&] { read_audio(path); });
  return text.starts_with(path) ? text.substr(path.size() - 5) : text;
}

}  // namespace

TEST_CASE("samples are read in full scale 1") {
  const Scratch scratch;
  const Audio stereo = read_audio(scratch.file("s.wav", wav(1, 2, 8000, 16, word(0x4000C000'80007FFF, 8))));
  CHECK(stereo.sample_rate == 8000);
  CHECK(stereo.samples == Tensor({2, 2}, {32767 / 32768.0, -1, -0.5, 0.5}));
  CHECK(stereo.mono() == Tensor({2}, {-0.5 / 32768, 0}));
  CHECK(stereo.seconds() == 2 / 8000.0);
  const Audio bytes = read_audio(scratch.file("b.wav", wav(1, 1, 11025, 8, "\x80\xC0\x00"s)));
  CHECK(bytes.samples == Tensor({3, 1}, {0, 0.5, -1}));
  const Audio floats = read_audio(scratch.file("f.wav", wav(3, 1, 44100, 32, word(0x3F000000, 4))));
  CHECK(floats.samples == Tensor({1, 1}, {0.5}));
}

TEST_CASE("sound comes back as it was written") {
  const Scratch scratch;
  write_wav(scratch / "a.wav", Tensor({4}, {0.25, -1, 2, 1 / 32768.0}), 16000);
  const Audio back = read_audio(scratch / "a.wav");
  CHECK(back.sample_rate == 16000);
  CHECK(back.samples == Tensor({4, 1}, {0.25, -1, 32767 / 32768.0, 1 / 32768.0}));
  write_wav(scratch / "b.wav", Tensor(Shape{100'000, 2}), 8000);
  CHECK(read_audio(scratch / "b.wav").samples == Tensor(Shape{100'000, 2}));
}

TEST_CASE("broken sound files are refused, wherever they are cut") {
  CHECK(refusal("") == "a.wav: is empty");
  CHECK(refusal("this is text and no sound").starts_with("a.wav: is not a sound file, or is damaged: "));
  CHECK(refusal(wav(1, 1, 8000, 16, "")) == "a.wav: has no samples");
  CHECK(refusal(wav(3, 1, 8000, 32, word(0x7FC00000, 4))) ==
        "a.wav: has samples that are not finite numbers");
  CHECK(refusal(wav(77, 1, 8000, 16, "abcd")).starts_with("a.wav: is not a sound file, or is damaged: "));
  const std::string whole = wav(1, 1, 8000, 16, std::string(40, 'x'));
  CHECK(refusal(whole.substr(0, 60)) == "a.wav: is truncated: it has 60 bytes, and its header says 84");
  for (std::size_t n = 1; n + 1 < whole.size(); ++n) {
    CAPTURE(n);
    CHECK(refusal(whole.substr(0, n)).starts_with("a.wav: "));
  }
  CHECK(text_of<FileError>([] { read_audio("/no/such/a.wav"); }) ==
        "/no/such/a.wav: No such file or directory");
}

TEST_CASE("what is no sound is not written") {
  const Scratch scratch;
  const auto refused = [&](const Tensor& samples, std::int64_t rate) {
    return shape_error([&] { write_wav(scratch / "a.wav", samples, rate); });
  };
  CHECK(refused(Tensor(Shape{0}), 8000) == "sound is [N] or [N, channels] with samples, not [0]");
  CHECK(refused(Tensor(Shape{}), 8000) == "sound is [N] or [N, channels] with samples, not []");
  CHECK(refused(Tensor({1}, {NAN}), 8000) == "sound can't be NaN");
  CHECK(refused(Tensor({1}, {0}), 0) == "a sample rate is a positive number of Hz, not 0");
  CHECK(text_of<FileError>([&] { write_wav(scratch / "no/a.wav", Tensor({1}, {0}), 8000); }) !=
        "nothing was thrown");
}
