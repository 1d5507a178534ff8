// Charts: what is drawn where, and that it is XML whatever goes in.
#include <spool/spool.hpp>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "catch.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string chart(const std::vector<Series>& series, const ChartOptions& options = {}) {
  const std::string svg = line_chart(series, options);
  CHECK(count(svg, "nan") == 0);
  CHECK(count(svg, "inf") == 0);
  return svg;
}

// The labels along the axes, in the order drawn: first y, then x.
std::vector<std::string> labels(const std::string& svg) {
  std::vector<std::string> out;
  for (auto at = svg.find("text-anchor"); at != std::string::npos; at = svg.find("text-anchor", at + 1)) {
    const auto begin = svg.find('>', at) + 1;
    const auto end = svg.find('<', begin);
    if (end > begin) out.push_back(svg.substr(begin, end - begin));
  }
  return out;
}

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("ticks are round numbers") {
  CHECK(labels(chart({{"loss", {0, 1000}, {1.37, 4.21}}})) == Labels{"1.0", "1.5", "2.0", "2.5", "3.0", "3.5",
                                                                     "4.0", "4.5", "0", "200", "400", "600",
                                                                     "800", "1000"});
  CHECK(labels(chart({{"a", {-1e7, 1e7}, {-0.0003, 0.0003}}})) ==
        Labels{"-0.0003", "-0.0002", "-0.0001", "0", "0.0001", "0.0002", "0.0003", "-1e+07", "-5e+06", "0",
               "5e+06", "1e+07"});
  CHECK(labels(chart({{"log", {0, 1}, {1e-3, 20}}}, {.log_y = true})) ==
        Labels{"0.001", "0.01", "0.1", "1", "10", "0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels(chart({{"short log", {0, 1}, {1.5, 30}}}, {.log_y = true})) ==
        Labels{"2", "5", "10", "20", "0", "0.2", "0.4", "0.6", "0.8", "1.0"});
}

TEST_CASE("a line goes where the numbers say") {
  // The plot reaches from x=68 to width-20 and from y=32 (below a legend of one row) to height-46.
  const std::string svg = chart({{"a", {0, 5, 10}, {0, 10, 5}}}, {.width = 288, .height = 278});
  CHECK(count(svg, "M68.0 232.0L168.0 32.0L268.0 132.0\"") == 1);
  // On a log axis the middle of 1 and 100 is 10.
  const std::string log =
      chart({{"a", {0, 5, 10}, {1, 10, 100}}}, {.log_y = true, .width = 288, .height = 278});
  CHECK(count(log, "M68.0 232.0L168.0 132.0L268.0 32.0\"") == 1);
}

TEST_CASE("a line breaks where there is no number") {
  const std::string svg = chart({{"a", {0, 1, 2, 3, 4}, {1, 2, NAN, 3, 4}}, {"b", {0, 1}, {1, INFINITY}}});
  CHECK(count(svg, "class=\"line\"") == 4);  // two lines, two legend entries
  const auto end = svg.find("\" stroke-linecap"), begin = svg.rfind("d=", end);  // the first line
  const std::string path = svg.substr(begin, end - begin);
  CHECK(count(path, "M") == 2);
  CHECK(count(path, "L") == 2);
  const std::string dots = chart({{"a", {0, 1, 2}, {1, -1, 10}}}, {.log_y = true});
  CHECK(count(dots, "<circle class=\"dot\"") == 2);
  CHECK(count(dots, "L") == 0);
}

TEST_CASE("a series of one point is seen") {
  const std::string svg = chart({{"a", {3}, {2}}}, {.width = 288, .height = 278});
  CHECK(count(svg, "cx=\"168.0\" cy=\"132.0\" r=\"2.5\"") == 1);
}

TEST_CASE("a band is filled between its sides, and the axis has room for it") {
  const Series forecast{
      .name = "median", .x = {0, 5, 10}, .y = {4, 5, 4}, .low = {0, 2, 4}, .high = {8, 10, 6}};
  const std::string svg = chart({forecast}, {.width = 288, .height = 278});
  CHECK(count(svg, "d=\"M68.0 72.0L168.0 32.0L268.0 112.0L268.0 152.0L168.0 192.0L68.0 232.0Z\"") == 1);
  CHECK(svg.find("class=\"band\"") < svg.find("M68.0 152.0L168.0 132.0L268.0 152.0"));  // under the line
  Series gap = forecast;
  gap.low[1] = NAN;
  CHECK(count(chart({gap}), "class=\"band\"") == 2);
}

TEST_CASE("a first point is marked where asked for") {
  const std::vector<Series> track{{"a", {0, 5, 10}, {0, 10, 5}}};
  CHECK(count(chart(track), "<circle") == 0);
  const std::string svg = chart(track, {.mark_first = true, .width = 288, .height = 278});
  CHECK(count(svg, "cx=\"68.0\" cy=\"232.0\" r=\"5\"") == 1);
  CHECK(count(svg, "<circle") == 1);
}

TEST_CASE("with equal scales a square is a square") {
  // Without a legend the plot reaches from y=14 to height-46.
  const std::vector<Series> square{{"", {0, 2, 2, 0, 0}, {0, 0, 2, 2, 0}}};
  const std::string wide = chart(square, {.equal_scales = true, .width = 488, .height = 260});
  CHECK(count(wide, "M168.0 214.0L168.0 214.0L368.0 214.0L368.0 14.0") +
            count(wide, "M168.0 214.0L368.0 214.0L368.0 14.0") ==
        1);
  const std::string high = chart(square, {.equal_scales = true, .width = 288, .height = 460});
  CHECK(count(high, "M68.0 314.0L268.0 314.0L268.0 114.0") == 1);
}

TEST_CASE("a legend is there for names, and long texts are cut") {
  CHECK(count(chart({{"", {0, 1}, {0, 1}}}), "class=\"line\"") == 1);
  CHECK(count(chart({{"", {0, 1}, {0, 1}}, {"b", {0, 1}, {1, 0}}}), "class=\"line\"") == 4);
  const std::string title(200, 'a'), svg = chart({{title, {0, 1}, {0, 1}}}, {.title = title});
  CHECK(count(svg, "<title>" + title + "</title>") == 1);
  CHECK(count(svg, ">" + title + "<") == 1);
  CHECK(count(svg, "aaa…</text>") == 2);
}

TEST_CASE("many points are thinned and no peak is lost") {
  Series s{.name = "loss"};
  for (int i = 0; i < 200'000; ++i) s.x.push_back(i), s.y.push_back(std::sin(i * 1e-4));
  s.y[123'457] = 7;
  const std::string svg = chart({s}, {.width = 288, .height = 278});
  CHECK(svg.size() < 20'000);
  CHECK(count(svg, "L191.5 52.0") == 1);
}

TEST_CASE("charts of nothing, of one point and of extremes are charts") {
  for (const std::vector<Series>& series :
       std::vector<std::vector<Series>>{{},
                                        {{"empty", {}, {}}},
                                        {{"one", {3}, {2}}},
                                        {{"same", {1, 2}, {0, 0}}},
                                        {{"none", {NAN}, {NAN}}},
                                        {{"huge", {0, 1}, {-1e308, 1e308}}},
                                        {{"large", {0, 1}, {-9e299, 9e299}}},
                                        {{"wide", {0, 1, 2}, {1e-290, 1, 1e290}}},
                                        {{"tiny", {0, 1e-320}, {1e-310, 5e-324}}},
                                        {{"offset", {1e15, 1e15 + 1}, {1e9, 1e9 + 1e-3}}}})
    for (const bool log : {false, true}) CHECK(chart(series, {.log_y = log}).ends_with("</svg>\n"));
}

TEST_CASE("a series needs as many x as y") {
  CHECK_THROWS_WITH(line_chart(std::vector<Series>{{"val", {1, 2}, {1}}}),
                    "series \"val\" has 2 x and 1 y: a point needs both");
  CHECK_THROWS_WITH(line_chart(std::vector<Series>{{.name = "f", .x = {1, 2}, .y = {1, 2}, .low = {0, 1}}}),
                    "series \"f\" has 2 points and a band of 2 low and 0 high values");
}

TEST_CASE("a chart is well-formed XML whatever the names") {
  if (std::system("python3 -c pass 2>/dev/null") != 0) {
    WARN("skipped: no python3");
    return;
  }
  const Scratch scratch;
  std::vector<Series> series;
  for (int i = 0; i < 14; ++i) series.push_back({"series <" + std::to_string(i) + ">", {0, 1}, {0, 1.0 * i}});
  series.push_back({"\"a\" & 'b' ]]> \x01\xFF\xEF\xBF\xBE \xE4\xBD\xA0", {0, 1}, {2, 1}});
  const std::string path = scratch.file(
      "c.svg", chart(series, {.title = "<&>", .x_label = "a<b", .y_label = "&amp;", .log_y = false}));
  const std::string check =
      "import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); "
      "assert len([p for p in d.getElementsByTagName('path') "
      "if p.getAttribute('class') == 'line']) == 30";
  CHECK(std::system(("python3 -c \"" + check + "\" " + path).c_str()) == 0);
}
