// Pictures of matrices: the colours are read back from the pixels inside; labels, panels, and what is
// refused.
#include <spool/spool.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

// The n-th picture of pixels inside an SVG file, in which each cell of [rows, columns] is a block of equal
// pixels: one of each block.
Tensor pixels_in(const std::string& svg, std::int64_t rows, std::int64_t columns, int n = 0) {
  constexpr std::string_view mark = "data:image/png;base64,";
  std::size_t at = 0;
  for (int i = 0; i <= n; ++i) at = svg.find(mark, at) + mark.size();
  std::string bytes;
  std::uint32_t bits = 0;
  for (int have = 0; svg[at] != '"' && svg[at] != '='; ++at) {
    static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(svg[at]));
    if ((have += 6) >= 8) bytes += static_cast<char>(bits >> (have -= 8));
  }
  const Tensor blocks = parse_png(bytes, "inside", Pixel::rgba);
  const std::int64_t H = blocks.shape()[0], W = blocks.shape()[1];
  REQUIRE((H % rows == 0 && W % columns == 0));
  Tensor cells(Shape{rows, columns, 4});
  for (std::int64_t i = 0; i < H * W * 4; ++i) {
    const std::int64_t row = i / 4 / W / (H / rows), column = i / 4 % W / (W / columns);
    const auto cell = static_cast<std::size_t>((row * columns + column) * 4 + i % 4);
    const double value = blocks.at(static_cast<std::size_t>(i));
    if (i / 4 / W % (H / rows) == 0 && i / 4 % W % (W / columns) == 0) cells.set(cell, value);
    if (cells.at(cell) != static_cast<float>(value)) FAIL("a block has two colours");
  }
  return cells;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Left, top, width and height of the first picture of pixels.
std::array<double, 4> plot_of(const std::string& svg) {
  std::array<double, 4> out{};
  REQUIRE(std::sscanf(svg.c_str() + svg.find("<image"),
                      "<image x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &out[0], &out[1], &out[2],
                      &out[3]) == 4);
  return out;
}

double brightness(const Tensor& pixels, std::size_t i) {
  return 0.2126 * pixels.at(4 * i) + 0.7152 * pixels.at(4 * i + 1) + 0.0722 * pixels.at(4 * i + 2);
}

}  // namespace

TEST_CASE("higher values are brighter, and what is not finite has no colour") {
  const Tensor pixels = pixels_in(heat_map(Tensor({2, 3}, {0, 1, 2, 3, 4, NAN})), 2, 3);
  for (std::size_t i = 0; i + 2 < 6; ++i) CHECK(brightness(pixels, i) < brightness(pixels, i + 1));
  CHECK(pixels.at(4 * 4 + 3) == 1);
  CHECK(pixels.at(4 * 5 + 3) == 0);
  CHECK(pixels.at(0) == Approx(68 / 255.0).margin(0.002));  // the ends of viridis: #440154 and #fde725
  CHECK(pixels.at(4 * 4) == Approx(253 / 255.0).margin(0.002));
}

TEST_CASE("ends of the scale are those asked for, and rows go up where asked for") {
  const Tensor part = pixels_in(heat_map(Tensor({1, 3}, {0, 1, 2}), {.low = 1, .high = 3}), 1, 3);
  CHECK(brightness(part, 0) == brightness(part, 1));
  CHECK(brightness(part, 2) < 0.6);
  const Tensor up = pixels_in(heat_map(Tensor({2, 1}, {0, 1}), {.upwards = true}), 2, 1);
  CHECK(brightness(up, 0) > brightness(up, 1));
}

TEST_CASE("cells carry their numbers, rows and columns their labels") {
  const std::string svg = heat_map(Tensor({2, 2}, {12, 0.12345, NAN, 4}), {.title = "a <b>",
                                                                           .x_label = "said",
                                                                           .y_label = "meant",
                                                                           .row_labels = {"r0", "r1"},
                                                                           .column_labels = {"c0", "c1"},
                                                                           .numbers = true});
  for (const char* text : {">12<", ">0.123<", ">4<", ">r0<", ">r1<", ">c0<", ">c1<", ">said<", ">meant<"})
    CHECK(count(svg, text) >= 1);
  CHECK(count(svg, "nan") == 0);
  CHECK(count(svg, "a &lt;b&gt;") == 2);
}

TEST_CASE("labels that would overlap stand upright or are left out") {
  const std::vector<std::string> words{"attention", "is", "all", "you", "need", "it", "seems", "today"};
  const Tensor row(Shape{1, 8});
  const auto upright = [](const std::string& svg) { return count(svg, "rotate(-90)\" text-anchor=\"end\""); };
  CHECK(upright(heat_map(row, {.column_labels = words, .width = 1200})) == 0);
  CHECK(upright(heat_map(row, {.column_labels = words, .width = 400})) == 8);
  std::vector<std::string> times;
  for (int i = 0; i < 1000; ++i) times.push_back(std::to_string(i));
  const std::string many = heat_map(Tensor(Shape{1000, 1000}), {.row_labels = times, .column_labels = times});
  CHECK(count(many, "<text") < 60);
}

TEST_CASE("long labels are cut, by code points, and never cost the picture") {
  const std::string word(60, 'e'), chinese = [] {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "读";
    return text;
  }();
  const Tensor square(Shape{2, 2});
  const std::string rows = heat_map(square, {.row_labels = {word, "short"}, .width = 480});
  CHECK(count(rows, ">" + word + "<") == 0);
  CHECK(count(rows, ">" + word.substr(0, 25) + "…<") == 1);  // 192 pixels of 7 each, and 12 for the ellipsis
  CHECK(count(rows, ">short<") == 1);
  const std::string columns = heat_map(
      square,
      {.column_labels = {chinese, "disappointing-but-well-intentioned"}, .width = 200, .height = 200});
  CHECK(count(columns, ">读读读读读…<") == 1);  // 80 pixels of 13 each
  CHECK(count(columns, ">disappoin…<") == 1);
  CHECK(count(columns, "rotate(-90)\" text-anchor=\"end\"") == 2);
  const std::string lying = heat_map(square, {.column_labels = {word, "a"}, .width = 482, .height = 200});
  CHECK(count(lying, ">" + word.substr(0, 26) + "…<") == 1);  // a column has 200 pixels
  for (const int width : {100, 120, 150, 200})
    for (const int height : {60, 80, 120}) {
      const HeatMapOptions options{
          .row_labels = {word, ""}, .column_labels = {word, chinese}, .width = width, .height = height};
      const auto [x, y, w, h] = plot_of(heat_map(square, options));
      CHECK(w >= 8);
      CHECK(h >= 8);
      CHECK(x + w <= width - 74);
      CHECK(y + h <= height - 8);
    }
  CHECK(count(heat_map(square, {.title = word + word}), "eee…</text>") == 1);
  const std::string title(50, 'e');  // 455 pixels: it begins left of the plot
  CHECK(count(heat_map(square, {.title = title, .row_labels = {word, ""}}), "x=\"17.0\" y=\"24\">" + title) ==
        1);
}

TEST_CASE("many columns leave their labels whole") {
  std::vector<std::string> words(60, "it");
  words[0] = "extraordinarily";
  const std::string svg = heat_map(Tensor(Shape{1, 60}), {.column_labels = words, .height = 300});
  CHECK(count(svg, "rotate(-90)\" text-anchor=\"end\">extraordinarily<") == 1);
  words[0] = "seemed";
  const std::string flat = heat_map(Tensor(Shape{1, 60}), {.column_labels = words, .height = 300});
  const auto at = flat.rfind("<text x=\"", flat.find(">seemed<"));
  CHECK(std::stod(flat.substr(at + 9)) - 45.0 / 2 >= 3);  // half of the word
}

TEST_CASE("maps below each other align where a margin is given") {
  HeatMapOptions options{.left_margin = 70};
  const auto above = plot_of(heat_map(Tensor(Shape{40, 30}), options));
  options.row_labels = {"0", "none"}, options.y_label = "digit";
  const auto below = plot_of(heat_map(Tensor(Shape{2, 30}), options));
  CHECK(above[0] == 70);
  CHECK(below[0] == 70);
  CHECK(above[2] == below[2]);
}

TEST_CASE("the scale says one value where there is one, and has room for its numbers") {
  const auto texts = [](const std::string& svg) { return count(svg, "</text>"); };
  const std::size_t names = 3;  // title and axes
  const std::string same = heat_map(Tensor({2, 2}, {6.39, 6.39, 6.39, 6.39}));
  CHECK(texts(same) == names + 1);
  CHECK(count(same, ">6.39<") == 1);
  CHECK(count(heat_map(Tensor(Shape{2, 2})), ">0<") == 1);
  const std::string close = heat_map(Tensor({1, 2}, {6.391, 6.393}));
  CHECK(texts(close) == names + 3);
  CHECK(count(close, ">6.391<") == 1);
  CHECK(count(close, ">6.393<") == 1);
  const std::string tiny = heat_map(Tensor({1, 2}, {-1.23e-5, 1.23e-5}));
  const auto begin = tiny.rfind("<text x=\"", tiny.find(">-1.23e-05<"));
  CHECK(std::stod(tiny.substr(begin + 9)) + 9 * 7 <= 480 - 8);
  CHECK(count(tiny, ">0<") == 1);
}

TEST_CASE("panels stand in rows") {
  const std::string map = heat_map(Tensor({1, 1}, {1}), {.width = 200, .height = 100});
  const std::string line =
      line_chart(std::vector<Series>{{"a", {0, 1}, {0, 1}}}, {.width = 300, .height = 150});
  const std::string image = image_panel(Tensor({4, 2, 1}, {0, 0.2, 0.4, 0.6, 0.8, 1, 0, 1}), "cat", 84);
  const std::string all = panels(std::vector{map, line, image}, 2, "three");
  CHECK(all.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 500 304\" width=\"500\""));
  CHECK(count(all, "<svg x=\"0\" y=\"38\" ") == 1);
  CHECK(count(all, "<svg x=\"200\" y=\"38\" ") == 1);
  CHECK(count(all, "<svg x=\"0\" y=\"188\" ") == 1);
  CHECK(count(all, "width=\"42.0\" height=\"84.0\"") == 1);  // twice as high as wide
  CHECK(pixels_in(all, 4, 2, 2).at(4 * 4) == Approx(0.8));
  CHECK(panels(std::vector{all, all}, 1).starts_with("<svg xmlns"));
  CHECK(panels({}).ends_with("</svg>\n"));
}

TEST_CASE("what is no matrix, no picture or has no room is refused") {
  CHECK(shape_error([] { heat_map(Tensor(Shape{3})); }) ==
        "a heat map is of a matrix with rows and columns, not of [3]");
  CHECK(shape_error([] {
          heat_map(Tensor(Shape{0, 3}));
        }) == "a heat map is of a matrix with rows and columns, not of [0, 3]");
  CHECK(shape_error([] {
          heat_map(Tensor(Shape{2, 3}), {.column_labels = {"a", "b"}});
        }) == "a heat map of [2, 3] needs 3 column labels or none, not 2");
  CHECK(shape_error([] {
          heat_map(Tensor(Shape{2, 3}), {.width = 60});
        }) == "a heat map of 60 x 420 pixels has no room for its cells: make it larger");
  CHECK(shape_error([] { panels(std::vector<std::string>{"<svg>"}); }) ==
        "a panel must be a picture that line_chart, heat_map, image_panel or panels made");
  CHECK(shape_error([] { panels({}, 0); }) == "panels need at least one column, not 0");
  CHECK(shape_error([] {
          image_panel(Tensor(Shape{2, 2}), "", 0);
        }) == "a panel has at least one pixel, not 0");
  CHECK(shape_error([] { image_panel(Tensor(Shape{2})); }) ==
        "a PNG picture is of pixels [H,W] or [H,W,C] with 1, 3 or 4 channels, not [2]");
}

TEST_CASE("pictures of maps are well-formed XML whatever the names and numbers") {
  if (std::system("python3 -c pass 2>/dev/null") != 0) {
    WARN("skipped: no python3");
    return;
  }
  const Scratch scratch;
  const std::string odd = "\"a\" & 'b' ]]> \x01\xFF\xEF\xBF\xBE \xE4\xBD\xA0";
  const HeatMapOptions options{.title = odd,
                               .x_label = odd,
                               .y_label = odd,
                               .row_labels = {odd, "<", ">"},
                               .column_labels = {"", odd},
                               .numbers = true};
  std::vector<std::string> pictures;
  for (const Tensor& values : {Tensor({3, 2}, {-1e308, 1e308, NAN, INFINITY, 0, -0.0}, DType::f64),
                               Tensor({3, 2}, {NAN, NAN, NAN, NAN, NAN, NAN}), Tensor(Shape{3, 2})})
    pictures.push_back(heat_map(values, options));
  pictures.push_back(image_panel(Tensor(Shape{1, 1}), odd));
  const std::string path = scratch.file("p.svg", panels(pictures, 3, odd));
  CHECK(std::system(("python3 -c \"import sys, xml.dom.minidom as m; "
                     "assert len(m.parse(sys.argv[1]).getElementsByTagName('image')) == 7\" " +
                     path)
                        .c_str()) == 0);
}
