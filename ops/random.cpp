#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/random.hpp>
#include <spool/ops/philox.hpp>
#include <spool/ops/random.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <type_traits>

namespace spool {

namespace {

// Two uniform numbers come from one block of Philox, whose number is half the element's position.
constexpr std::int64_t most = std::int64_t{1} << 33;

// Calls f(i, u, v) for elements i and i + 1 with their uniform numbers; f must mind the end of an odd count.
template <class T, class F>
void for_each_pair(const Args<T>& a, F&& f) {
  const auto word = [](std::uint64_t v, int i) { return static_cast<std::uint32_t>(v >> (32 * i)); };
  const std::uint64_t call = static_cast<std::uint64_t>(a.attrs[0]), draw = a.random.draw;
  const auto key = philox_key(a.random.seed);
  for (std::int64_t i = 0; i < a.size(); i += 2) {
    const Philox4 r = philox(
        {static_cast<std::uint32_t>(i / 2), static_cast<std::uint32_t>(call), word(draw, 0), word(draw, 1)},
        key);
    f(i, unit_interval(r[0], r[1]), unit_interval(r[2], r[3]));
  }
}

template <class T>
kernels::RandomKernels::Stream stream_of(const Args<T>& a) {
  return {philox_key(a.random.seed),
          {static_cast<std::uint32_t>(a.attrs[0]), static_cast<std::uint32_t>(a.random.draw),
           static_cast<std::uint32_t>(a.random.draw >> 32)}};
}

// Rounds towards 0, so that no number below 1 becomes 1.
template <class T>
T below_one(double u) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(std::floor(u * 0x1p24) * 0x1p-24);
  else
    return T(u);
}

// The first attribute is the number of the call; the result's shape is in the last ones, after `skip` others.
template <std::size_t skip>
Shape shape_after(const Call& c) {
  const Shape s(c.attrs().subspan(1 + skip));
  if (s.size() > most) c.fail(fmt::format("shape {} has more than 2^33 elements", s.text()));
  return s;
}

constexpr Eval uniform_eval = eval_of([]<class T>(const Args<T>& a) {
  for_each_pair(a, [&](std::int64_t i, double u, double v) {
    a.out[i] = below_one<T>(u);
    if (i + 1 < a.size()) a.out[i + 1] = below_one<T>(v);
  });
});

constexpr OpDef uniform_op{
    .name = "uniform",
    .arity = 0,
    .kind = Kind::random,
    .shape = shape_after<0>,
    .eval = uniform_eval,
    .fast = {.f32 =
                 [](const Args<float>& a) {
                   static const auto* const quick = kernels::random_kernels();
                   if (quick == nullptr) return uniform_eval.f32(a);
                   quick->uniform(stream_of(a), a.size(), a.out);
                 }},
};

constexpr OpDef normal_op{
    .name = "normal",
    .arity = 0,
    .kind = Kind::random,
    .shape = shape_after<0>,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      for_each_pair(a, [&](std::int64_t i, double u, double v) {
        const auto [x, y] = box_muller(u, v);
        a.out[i] = static_cast<T>(x);
        if (i + 1 < a.size()) a.out[i + 1] = static_cast<T>(y);
      });
    }),
};

// Attributes: call, p, value. The value with probability p, else 0.
constexpr Eval bernoulli_eval = eval_of([]<class T>(const Args<T>& a) {
  const double p = unpack(a.attrs[1]);
  const T value = static_cast<T>(unpack(a.attrs[2]));
  for_each_pair(a, [&](std::int64_t i, double u, double v) {
    a.out[i] = u < p ? value : T(0);
    if (i + 1 < a.size()) a.out[i + 1] = v < p ? value : T(0);
  });
});

constexpr OpDef bernoulli_op{
    .name = "bernoulli",
    .arity = 0,
    .kind = Kind::random,
    .shape = shape_after<2>,
    .eval = bernoulli_eval,
    .describe =
        [](Attrs a) { return fmt::format("call {}, {} with p = {}", a[0], unpack(a[2]), unpack(a[1])); },
    .fast = {.f32 =
                 [](const Args<float>& a) {
                   static const auto* const quick = kernels::random_kernels();
                   if (quick == nullptr) return bernoulli_eval.f32(a);
                   const auto value = static_cast<float>(unpack(a.attrs[2]));
                   quick->bernoulli(stream_of(a), unpack(a.attrs[1]), value, a.size(), a.out);
                 }},
};

Var draw(Tape& tape, const OpDef& op, std::initializer_list<double> numbers, const Shape& shape,
         const Where& where) {
  boost::container::small_vector<std::int64_t, 11> attrs{tape.next_random_call()};
  for (double v : numbers) attrs.push_back(pack(v));
  attrs.insert(attrs.end(), shape.dims().begin(), shape.dims().end());
  return tape.add(op, {}, Attrs(attrs.data(), attrs.size()), where);
}

void check_probability(Tape& tape, const char* op, double p, const Where& where) {
  if (!(p >= 0 && p <= 1))
    throw ShapeError(tape.explain(op, fmt::format("the probability {} is outside 0..1", p), {}, where));
}

}  // namespace

Var uniform(Tape& tape, const Shape& shape, Where where) { return draw(tape, uniform_op, {}, shape, where); }

Var normal(Tape& tape, const Shape& shape, Where where) { return draw(tape, normal_op, {}, shape, where); }

Var bernoulli(Tape& tape, const Shape& shape, double p, Where where) {
  check_probability(tape, "bernoulli", p, where);
  return draw(tape, bernoulli_op, {p, 1}, shape, where);
}

Var dropout_mask(Tape& tape, const Shape& shape, double p, Where where) {
  check_probability(tape, "dropout", p, where);
  if (p == 1) return tape.constant(0, shape, where);
  return draw(tape, bernoulli_op, {1 - p, 1 / (1 - p)}, shape, where);
}

Var dropout(Operand x, double p, bool training) {
  const Var v = var_of("dropout", x);
  check_probability(v.tape(), "dropout", p, x.where());
  if (!training || p == 0) return v;
  const Var mask = dropout_mask(v.tape(), v.shape(), p, x.where());
  return p == 1 ? mask : x * Operand(mask, x.where());
}

}  // namespace spool
