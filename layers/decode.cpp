#include <spool/graph/error.hpp>
#include <spool/layers/decode.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace spool {

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

void check(const DecodeOptions& o, std::int64_t batch) {
  if (o.begin < 0 || o.end < 0) throw ShapeError("decode: say which token begins and which ends");
  if (std::ranges::count(o.banned, o.end) > 0)
    throw ShapeError(fmt::format("decode: token {} is the end and can't be banned", o.end));
  if (batch < 1 || o.max_length < 1)
    throw ShapeError(fmt::format("decode: the batch and max_length must be at least 1, not {} and {}", batch,
                                 o.max_length));
}

// log(sum(exp(scores))) of one row.
double log_sum(std::span<const double> scores) {
  double top = -inf;
  for (const double s : scores) {
    if (std::isnan(s) || s == inf)
      throw TapeError("decode: the model gives scores that are NaN or +inf; train it with a lower rate");
    top = std::max(top, s);
  }
  if (top == -inf) throw TapeError("decode: the scores of a step are -inf throughout; no token is left");
  double sum = 0;
  for (const double s : scores) sum += std::exp(s - top);
  return top + std::log(sum);
}

// One step's scores, row by row, without those of banned tokens.
class Rows {
 public:
  Rows(const Tensor& scores, std::int64_t rows, const DecodeOptions& o) : scores_(scores), banned_(o.banned) {
    const Shape& s = scores.shape();
    if (s.rank() != 2 || s[0] != rows || o.begin >= s[1] || o.end >= s[1])
      throw ShapeError(fmt::format(
          "decode: a step of {} rows must give scores [{}, V] with begin {} and end {} below V, not {}", rows,
          rows, o.begin, o.end, s.text()));
    for (const int token : banned_)
      if (token < 0 || token >= s[1])
        throw ShapeError(fmt::format("decode: banned token {} is outside 0..{}", token, s[1] - 1));
    row_.resize(static_cast<std::size_t>(s[1]));
  }
  /// As doubles; they stand until the next call.
  std::span<const double> operator[](std::size_t i) {
    scores_.visit(
        [&](auto all) { std::ranges::copy(all.subspan(i * row_.size(), row_.size()), row_.begin()); });
    for (const int token : banned_) row_[static_cast<std::size_t>(token)] = -inf;
    return row_;
  }

 private:
  const Tensor& scores_;
  const std::vector<int>& banned_;
  std::vector<double> row_;
};

// Greedy and sampling: choose(scores) gives the next token of a row.
template <class Choose>
std::vector<Hypothesis> decode_each(const DecodeStep& step, std::int64_t batch, const DecodeOptions& o,
                                    const Choose& choose) {
  check(o, batch);
  const auto B = static_cast<std::size_t>(batch);
  std::vector<Hypothesis> all(B);
  std::vector<int> tokens(B, o.begin), parents(B);
  std::iota(parents.begin(), parents.end(), 0);
  std::size_t open = B;
  for (int t = 0; t < o.max_length && open > 0; ++t) {
    Rows rows(step(tokens, parents), batch, o);
    for (std::size_t b = 0; b < B; ++b) {
      Hypothesis& h = all[b];
      tokens[b] = o.end;
      if (h.ended) continue;
      const std::span<const double> scores = rows[b];
      const double norm = log_sum(scores);
      const int token = choose(scores);
      h.log_prob += scores[static_cast<std::size_t>(token)] - norm;
      h.score = h.log_prob;
      h.ended = token == o.end;
      open -= h.ended ? 1 : 0;
      if (!h.ended) h.tokens.push_back(tokens[b] = token);
    }
  }
  return all;
}

// A continuation of a live hypothesis.
struct Candidate {
  double log_prob;
  std::size_t parent;  // among the live ones
  int token;

  friend bool better(const Candidate& a, const Candidate& b) {
    return std::tuple(-a.log_prob, a.parent, a.token) < std::tuple(-b.log_prob, b.parent, b.token);
  }
};

// The search for one sequence, which has `width` rows from `first`.
class Beam {
 public:
  Beam(std::size_t first, const DecodeOptions& o, const BeamOptions& b) : first_(first), o_(o), b_(b) {}

  bool done() const { return live_.empty(); }

  // What the rows read next; those that hold nothing repeat the first row.
  void ask(std::span<int> tokens, std::span<int> parents) const {
    for (std::size_t i = 0; i < static_cast<std::size_t>(b_.width); ++i) {
      const bool used = i < live_.size();
      tokens[first_ + i] = !used ? o_.end : live_[i].tokens.empty() ? o_.begin : live_[i].tokens.back();
      parents[first_ + i] = static_cast<int>(first_ + (used ? parents_[i] : 0));
    }
  }

  void take(Rows& rows) {
    const std::vector<Candidate> best = continuations(rows);
    std::vector<Hypothesis> next;
    std::vector<std::size_t> parents;
    for (const Candidate& c : best) {
      Hypothesis h = live_[c.parent];
      h.log_prob = c.log_prob;
      h.ended = c.token == o_.end;
      if (!h.ended) h.tokens.push_back(c.token);
      h.score = h.log_prob / penalty(h.tokens.size() + (h.ended ? 1 : 0));
      if (h.ended || h.tokens.size() == static_cast<std::size_t>(o_.max_length)) {
        finish(std::move(h));
      } else {
        next.push_back(std::move(h));
        parents.push_back(c.parent);
      }
    }
    live_ = std::move(next);
    parents_ = std::move(parents);
    if (settled()) live_.clear();
  }

  std::vector<Hypothesis> result() { return std::move(finished_); }

 private:
  double penalty(std::size_t length) const {
    return std::pow((5 + static_cast<double>(length)) / 6, b_.length_penalty);
  }

  std::vector<Candidate> continuations(Rows& rows) const {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const std::span<const double> scores = rows[first_ + i];
      const double norm = log_sum(scores);
      for (std::size_t v = 0; v < scores.size(); ++v)
        if (scores[v] > -inf) all.push_back({live_[i].log_prob + scores[v] - norm, i, static_cast<int>(v)});
    }
    const std::size_t kept = std::min(all.size(), static_cast<std::size_t>(b_.width));
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(kept);
    std::partial_sort(all.begin(), end, all.end(), [](const auto& a, const auto& b) { return better(a, b); });
    all.resize(kept);
    return all;
  }

  // Keeps the best ones, in order.
  void finish(Hypothesis h) {
    const auto at = std::ranges::upper_bound(finished_, h.score, std::greater{}, &Hypothesis::score);
    finished_.insert(at, std::move(h));
    if (finished_.size() > static_cast<std::size_t>(b_.best)) finished_.pop_back();
  }

  // No continuation gains probability, and the longest has the mildest penalty.
  bool settled() const {
    if (finished_.size() < static_cast<std::size_t>(b_.best)) return false;
    const double mildest = penalty(static_cast<std::size_t>(o_.max_length));
    return std::ranges::none_of(
        live_, [&](const Hypothesis& h) { return h.log_prob / mildest > finished_.back().score; });
  }

  std::size_t first_;
  const DecodeOptions& o_;
  const BeamOptions& b_;
  std::vector<Hypothesis> live_{1}, finished_;
  std::vector<std::size_t> parents_{0};  // of the live ones, before the last step
};

}  // namespace

std::vector<Hypothesis> decode_greedy(const DecodeStep& step, std::int64_t batch,
                                      const DecodeOptions& options) {
  return decode_each(step, batch, options, [](std::span<const double> scores) {
    return static_cast<int>(std::ranges::max_element(scores) - scores.begin());
  });
}

int sample_token(std::span<const double> scores, const SampleOptions& o, Philox& random) {
  if (!(o.temperature >= 0) || o.temperature == inf || o.top_k < 0 || !(o.top_p > 0 && o.top_p <= 1))
    throw TapeError(fmt::format(
        "sample_token: needs a finite temperature of at least 0, top_k of at least 0 and top_p in "
        "(0, 1], not {}, {} and {}",
        o.temperature, o.top_k, o.top_p));
  log_sum(scores);  // only to refuse what can't be drawn from
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](int i) { return scores[static_cast<std::size_t>(i)]; };
  std::ranges::stable_sort(order, std::greater{}, score);
  if (o.temperature == 0) return order[0];

  if (o.top_k > 0 && order.size() > static_cast<std::size_t>(o.top_k))
    order.resize(static_cast<std::size_t>(o.top_k));
  std::vector<double> p;
  for (const int i : order) p.push_back(std::exp((score(i) - score(order[0])) / o.temperature));
  const double enough = o.top_p * std::accumulate(p.begin(), p.end(), 0.0);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < p.size() && sum < enough) sum += p[kept++];

  double left = random.uniform() * sum;
  for (std::size_t i = 0; i < kept; ++i) {
    left -= p[i];
    if (left < 0) return order[i];
  }
  return order[0];  // only rounding leads here
}

std::vector<Hypothesis> decode_sample(const DecodeStep& step, std::int64_t batch,
                                      const DecodeOptions& options, const SampleOptions& sampling,
                                      Philox& random) {
  return decode_each(step, batch, options,
                     [&](std::span<const double> scores) { return sample_token(scores, sampling, random); });
}

std::vector<std::vector<Hypothesis>> decode_beam(const DecodeStep& step, std::int64_t batch,
                                                 const DecodeOptions& options, const BeamOptions& beam) {
  check(options, batch);
  if (beam.width < 1 || beam.best < 1 || beam.best > beam.width)
    throw ShapeError(fmt::format("decode_beam: width must be at least 1, and best in 1..width, not {} and {}",
                                 beam.width, beam.best));
  if (!(beam.length_penalty >= 0) || beam.length_penalty == inf)
    throw TapeError(fmt::format("decode_beam: the length penalty must be finite and at least 0, not {}",
                                beam.length_penalty));
  const auto B = static_cast<std::size_t>(batch), width = static_cast<std::size_t>(beam.width);
  std::vector<Beam> beams;
  for (std::size_t b = 0; b < B; ++b) beams.emplace_back(b * width, options, beam);
  std::vector<int> tokens(B * width), parents(B * width);
  while (!std::ranges::all_of(beams, &Beam::done)) {
    for (const Beam& b : beams) b.ask(tokens, parents);
    Rows rows(step(tokens, parents), batch * beam.width, options);
    for (Beam& b : beams)
      if (!b.done()) b.take(rows);
  }
  std::vector<std::vector<Hypothesis>> all;
  for (Beam& b : beams) all.push_back(b.result());
  return all;
}

}  // namespace spool
