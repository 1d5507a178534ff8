// forecast: many steps ahead, with intervals, beside forecasts that need no network.
#include "../shared/made_up.hpp"
#include "../shared/sequence_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

namespace {

using namespace examples;
using spool::Tape, spool::Tensor, spool::Var;
using Windows = spool::SeriesWindows;

constexpr const char* purpose =
    R"(Forecasts of a series, many steps ahead: for each step the median, and an
interval for four values of five.

  forecast train [options]       learn, and keep the model in --model
  forecast eval [options]        its errors on the last fifth of the series,
                                 beside simple forecasts
  forecast forecast [options]    the steps after its end, as a table and as a
                                 picture

With --data DIR the series are those of DIR/timeseries: etth1, sp500, airline,
sunspots (--set); without, one that is made here. A model that learnt from
--data DIR is given it again.

)";

struct Task {
  std::string file, column;
  spool::SeriesWindowOptions cut;
  std::size_t period;  // of the seasons
};
const std::map<std::string, Task> tasks{
    {"etth1", {"ETTh1.csv.gz", "OT", {.seen = 96, .ahead = 24}, 24}},
    {"sp500", {"sp500_2001_2010_daily.csv", "Close", {.seen = 60, .ahead = 20, .logs = true}, 5}},
    {"airline", {"Airline.csv", "Passengers", {.seen = 24, .ahead = 12, .logs = true}, 12}},
    {"sunspots", {"sunspots.csv", "SUNACTIVITY", {.seen = 44, .ahead = 11}, 11}},
    {"made-up", {"", "value", {.seen = 36, .ahead = 12}, 12}}};

// The quantiles that are forecast.
constexpr std::array<double, 3> quantiles{0.1, 0.5, 0.9};
constexpr std::size_t Q = quantiles.size();

// Windows to points [B,ahead], or to quantiles [B,ahead,Q].
using Forecast = std::function<Tensor(std::span<const std::size_t> starts)>;

Var quantiles_of(Tape& tape, const SequenceModel& model, const Tensor& past, bool training) {
  const std::int64_t B = past.shape()[0], T = past.shape()[1];
  const std::vector<int> lengths(static_cast<std::size_t>(B), static_cast<int>(T));
  const Var scores = model(spool::reshape(spool::transpose(tape.input(past)), {T, B, 1}),
                           tape.tokens({B}, lengths), training);
  const spool::Vars parts = spool::split(scores, Q, -1);
  return spool::stack({parts[1] - spool::softplus(parts[0]), parts[1], parts[1] + spool::softplus(parts[2])},
                      -1);
}

// The quantile loss (Koenker and Bassett 1978): an error costs q where the value is above the forecast, and
// 1 - q below it. Its mean over windows, steps and quantiles.
Var loss_of(Tape& tape, const SequenceModel& model, const Windows& windows, const Windows::Starts& starts) {
  const Tensor future = windows.future(starts);
  const Var q = tape.input(Tensor({Q}, std::span<const double>(quantiles)));
  const Var error = tape.input(future.reshaped(future.shape().inserted(2, 1))) -
                    quantiles_of(tape, model, windows.past(starts), /*training=*/true);
  return spool::mean(spool::maximum(q * error, (q - 1) * error));
}

// Each step as that of the last `period` steps which comes next in turn: of the last one alone, or of the
// season.
Forecast repeated(const Windows& windows, std::size_t period) {
  return [&windows, period](std::span<const std::size_t> starts) {
    const Tensor past = windows.past(starts);
    Tensor out = windows.future(starts);
    const std::size_t T = windows.seen, A = windows.ahead;
    for (std::size_t i = 0; i < out.size(); ++i) out.set(i, past.at(i / A * T + T - period + i % A % period));
    return out;
  };
}

// An autoregression of differences to the last step: linear in the last `lags` ones seen, with coefficients
// of its own for each step ahead, by least squares on the training part. With no lags it forecasts the mean
// change there.
Forecast autoregression(const Windows& windows, std::size_t lags) {
  const auto regressors = [&windows, lags](Tape& tape, std::span<const std::size_t> starts) {
    const spool::Var past = tape.input(windows.steps(starts, windows.seen - lags, lags));
    return spool::concat({tape.constant(1, {std::ssize(starts), 1}), past}, 1);
  };
  Tape tape;
  const Tensor weights =
      spool::least_squares(tape.read(regressors(tape, windows.train)), windows.future(windows.train), 1e-3);
  return [=](std::span<const std::size_t> starts) {
    Tape run;
    return run.read(spool::matmul(regressors(run, starts), run.input(weights)));
  };
}

// Points and, around them, the quantiles of their errors in the validation part, at each step ahead.
Forecast with_intervals(const Windows& windows, const Forecast& points) {
  const Tensor guessed = points(windows.validation), came = windows.future(windows.validation);
  const std::size_t A = windows.ahead;
  std::vector<std::vector<double>> errors(A);
  for (std::size_t i = 0; i < came.size(); ++i) errors[i % A].push_back(came.at(i) - guessed.at(i));
  for (auto& of_step : errors) std::ranges::sort(of_step);
  return [=](std::span<const std::size_t> starts) {
    const Tensor middle = points(starts);
    Tensor out(middle.shape().inserted(2, Q));
    for (std::size_t i = 0; i < middle.size(); ++i)
      for (std::size_t k = 0; k < Q; ++k) {
        const auto& e = errors[i % A];
        const auto at = static_cast<std::size_t>(quantiles[k] * static_cast<double>(e.size() - 1) + 0.5);
        out.set(i * Q + k, middle.at(i) + (k == 1 ? 0 : e[at]));
      }
    return out;
  };
}

// In the units of the file: the mean absolute error of the median, the mean quantile loss, and the coverage
// of the interval.
std::vector<double> judged(const Windows& windows, const Windows::Starts& part, const Forecast& forecast) {
  const Tensor q = forecast(part), came = windows.future(part);
  std::vector<double> sums(3);
  for (std::size_t i = 0; i < came.size(); ++i) {
    const auto original = [&](double x) { return windows.original(part[i / windows.ahead], x); };
    for (std::size_t k = 0; k < Q; ++k) {
      const double error = original(came.at(i)) - original(q.at(i * Q + k));
      sums[1] += std::max(quantiles[k] * error, (quantiles[k] - 1) * error) / Q;
      if (k == 1) sums[0] += std::abs(error);
    }
    sums[2] += came.at(i) >= q.at(i * Q) && came.at(i) <= q.at(i * Q + 2);
  }
  for (double& sum : sums) sum /= static_cast<double>(came.size());
  return sums;
}

// The autoregression with as many lags as are best on the validation part.
Forecast best_autoregression(const Windows& windows) {
  Forecast best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t lags = 2; lags <= windows.seen; ++lags) {
    const Forecast forecast = with_intervals(windows, autoregression(windows, lags));
    const double loss = judged(windows, windows.validation, forecast)[1];
    if (loss < least) best = forecast, least = loss;
  }
  return best;
}

// A window as a picture: what was seen, what came as far as the series goes, and the forecast; and
// the quantiles of each step ahead.
std::pair<std::string, std::vector<Row>> draw(const Windows& windows, const Forecast& forecast,
                                              std::size_t start, const std::string& title,
                                              const std::string& column) {
  const Windows::Starts window{start};
  const std::size_t known = std::min(windows.seen + windows.ahead, windows.series.size() - start);
  const Tensor q = forecast(window), all = windows.steps(window, 0, known);
  std::vector<spool::Series> lines{{.name = "the series"}, {.name = "forecast: median, and 10 % to 90 %"}};
  std::vector<Row> rows;
  for (std::size_t t = 0; t < windows.seen + windows.ahead; ++t) {
    const double step = static_cast<double>(t) - static_cast<double>(windows.seen) + 1;
    if (t < known) lines[0].x.push_back(step), lines[0].y.push_back(windows.original(start, all.at(t)));
    if (t < windows.seen) continue;
    std::vector<double> values(Q);
    for (std::size_t k = 0; k < Q; ++k) values[k] = windows.original(start, q.at((t - windows.seen) * Q + k));
    lines[1].x.push_back(step), lines[1].y.push_back(values[1]);
    lines[1].low.push_back(values[0]), lines[1].high.push_back(values[2]);
    rows.push_back({fmt::format("{}", step), values});
  }
  return {spool::line_chart(lines,
                            {.title = title, .x_label = "steps after the last one seen", .y_label = column}),
          rows};
}

int run(const Program& program, const Windows& windows, const Task& task, const std::string& name) {
  const SequenceModel model(program.init(), {.recipe = program.recipe(),
                                             .width = 1,
                                             .classes = static_cast<std::int64_t>(Q * windows.ahead),
                                             .bidirectional = false});
  const Forecast forecast = [&](std::span<const std::size_t> starts) {
    Tape tape;
    return tape.read(quantiles_of(tape, model, windows.past(starts), /*training=*/false));
  };
  if (program.trains())
    return program.fit(
        model.parameters(), std::vector(windows.train.size(), static_cast<std::int64_t>(windows.seen)),
        [&](Tape& tape, std::span<const std::size_t> chosen) {  // the first training window is window 0
          return loss_of(tape, model, windows, Windows::Starts(chosen.begin(), chosen.end()));
        },
        [&]() -> spool::Metrics {  // the training loss is in units of the windows
          return {{"quantile loss in units of the file", judged(windows, windows.validation, forecast)[1]}};
        });
  program.restore(model.parameters());
  const bool ahead = program.verb() == "forecast";
  const auto [picture, rows] =
      draw(windows, forecast, ahead ? windows.series.size() - windows.seen : windows.test.back(),
           name + (ahead ? ": the steps after its end" : ": its last steps"), task.column);
  if (ahead) {
    print_table({"steps after the end", "10 %", "median", "90 %"}, rows, 2);
    program.write_picture("forecast.svg", picture);
    return 0;
  }
  const auto row = [&](const std::string& name, const Forecast& f) -> Row {
    return {name, judged(windows, windows.test, f)};
  };
  print_table({fmt::format("{} windows, {} steps ahead", windows.test.size(), windows.ahead),
               "mean absolute error", "quantile loss", "coverage of 80 %"},
              {row(program.recipe().cell, forecast), row("autoregression", best_autoregression(windows)),
               row("drift", with_intervals(windows, autoregression(windows, 0))),
               row("seasonal naive", with_intervals(windows, repeated(windows, task.period))),
               row("naive", with_intervals(windows, repeated(windows, 1)))});
  program.write_picture("last_window.svg", picture);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string set;
  const Recipe recipe{.hidden = 32, .embed = 0, .dropout = 0.1};
  Program program({.name = "forecast",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "forecast"},
                   .epochs = 10,
                   .recipe = recipe,
                   .of_data = {"set"},
                   .only = {{{}, {"data"}}}});
  program.learnt()("set", po::value(&set)->default_value("sunspots"), "of --data: or etth1, sp500, airline");
  return program.run(argc, argv, [&] {
    require_one_of("set", set, {"etth1", "sp500", "airline", "sunspots"});
    const std::string name = program.data().empty() ? "made-up" : set;
    const Task& task = tasks.at(name);
    const std::string path = program.data() + "/timeseries/" + task.file;
    const auto series =
        task.file.empty() ? made_up_series() : spool::Csv(path).numbers(task.column).doubles();
    return run(program, Windows(path, series, task.cut), task, name);
  });
}
