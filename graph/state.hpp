// States: what a recurrent cell carries from step to step. A state is a Var; or a list, array, tuple or
// pair of states; or a plain struct whose members (up to eight) are states:
//
//   struct MyState { Var h, c; };
//
// Nothing has to be declared or registered. flatten() lists a state's Vars in order, rebuild() makes a state
// of the same structure from other Vars, Carried holds a state's numbers between two tapes.
#pragma once

#include <spool/graph/tape.hpp>

#include <array>
#include <initializer_list>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

/// A list of states, such as those of a layer's cells. A short one takes no memory from the heap.
template <class S>
class States {
 public:
  States() = default;
  States(std::initializer_list<S> all) {
    for (const S& s : all) push_back(s);
  }
  void push_back(S s) {
    if (!many_.empty()) return many_.push_back(std::move(s));
    if (used_ < few_.size()) {
      few_[used_++] = std::move(s);
    } else {
      many_.assign(few_.begin(), few_.end());
      many_.push_back(std::move(s));
    }
  }

  std::size_t size() const { return many_.empty() ? used_ : many_.size(); }
  S* begin() { return many_.empty() ? few_.data() : many_.data(); }
  S* end() { return begin() + size(); }
  const S* begin() const { return many_.empty() ? few_.data() : many_.data(); }
  const S* end() const { return begin() + size(); }
  S& operator[](std::size_t i) { return begin()[i]; }
  const S& operator[](std::size_t i) const { return begin()[i]; }

 private:
  std::array<S, 4> few_;
  std::size_t used_ = 0;  // of these
  std::vector<S> many_;   // all of them, where there are more
};

namespace detail {

struct AnyField {
  template <class T>
  operator T() const;  // NOLINT: only for counting members, never defined
};

template <class S, std::size_t... I>
constexpr bool has_fields(std::index_sequence<I...>) {
  return requires { S{((void)I, AnyField{})...}; };
}

// The largest number of members that S can be initialised with.
template <class S, std::size_t N = 8>
constexpr std::size_t field_count() {
  if constexpr (N == 0)
    return 0;
  else if constexpr (has_fields<S>(std::make_index_sequence<N>{}))
    return N;
  else
    return field_count<S, N - 1>();
}

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};

template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};
template <class T>
struct IsList<States<T>> : std::true_type {};
template <>
struct IsList<Vars> : std::true_type {};
template <class T>
concept ListLike = IsList<T>::value;

/// Calls f(member) for each member of an aggregate.
template <class S, class F>
void for_each_field(S& s, F&& f) {
  constexpr std::size_t n = field_count<std::remove_const_t<S>>();
  static_assert(n >= 1, "a state is a Var, a container of states, or a struct of up to eight states");
  const auto all = [&](auto&... fields) { (f(fields), ...); };
  if constexpr (n == 1) {
    auto& [a] = s;
    all(a);
  } else if constexpr (n == 2) {
    auto& [a, b] = s;
    all(a, b);
  } else if constexpr (n == 3) {
    auto& [a, b, c] = s;
    all(a, b, c);
  } else if constexpr (n == 4) {
    auto& [a, b, c, d] = s;
    all(a, b, c, d);
  } else if constexpr (n == 5) {
    auto& [a, b, c, d, e] = s;
    all(a, b, c, d, e);
  } else if constexpr (n == 6) {
    auto& [a, b, c, d, e, g] = s;
    all(a, b, c, d, e, g);
  } else if constexpr (n == 7) {
    auto& [a, b, c, d, e, g, h] = s;
    all(a, b, c, d, e, g, h);
  } else {
    auto& [a, b, c, d, e, g, h, i] = s;
    all(a, b, c, d, e, g, h, i);
  }
}

}  // namespace detail

/// Calls f(Var&) for each Var of a state, in order.
template <class S, class F>
void for_each_var(S& state, F&& f) {
  using Plain = std::remove_const_t<S>;
  if constexpr (std::is_same_v<Plain, Var>) {
    f(state);
  } else if constexpr (detail::ListLike<Plain>) {
    for (auto& part : state) for_each_var(part, f);
  } else if constexpr (detail::TupleLike<Plain>) {
    std::apply([&](auto&... parts) { (for_each_var(parts, f), ...); }, state);
  } else {
    detail::for_each_field(state, [&](auto& part) { for_each_var(part, f); });
  }
}

/// How many Vars a state has.
template <class S>
std::size_t count_vars(const S& state) {
  std::size_t n = 0;
  for_each_var(state, [&](const Var&) { ++n; });
  return n;
}

/// The Vars of a state, in order.
template <class S>
Vars flatten(const S& state) {
  Vars all;
  for_each_var(state, [&](const Var& v) { all.push_back(v); });
  return all;
}

/// A state with the structure of `like`, whose Vars are f(Var) of its own.
template <class S, class F>
S map_state(const S& like, F&& f) {
  S out = like;
  for_each_var(out, [&](Var& v) { v = f(v); });
  return out;
}

namespace detail {
/// Throws ShapeError "who: ..." when a state of `found` parts meets one of `expected`.
void check_parts(const char* who, std::size_t found, std::size_t expected);
}  // namespace detail

/// A state with the structure of `like` made from the given Vars. ShapeError unless they are as many.
template <class S>
S rebuild(const S& like, std::span<const Var> vars) {
  detail::check_parts("rebuild", vars.size(), count_vars(like));
  std::size_t i = 0;
  return map_state(like, [&](const Var&) { return vars[i++]; });
}

/// The numbers of a state, to go on with on another recording: truncated BPTT and stateful use. The next
/// recording starts from them as inputs, so no gradient crosses over.
template <class S>
class Carried {
 public:
  /// Reads the state from its tape (see Tape::read).
  explicit Carried(const S& state, Where where = Where::current()) : like_(state) { read(state, where); }
  /// Reads another state, into the memory of the numbers that were here.
  void read(const S& state, Where where = Where::current()) {
    like_ = state;
    values_.resize(count_vars(state));
    std::size_t i = 0;
    for_each_var(state, [&](const Var& v) { values_[i++] = v.tape(where).read(v); });
  }

  /// The same numbers as inputs of a tape.
  S on(Tape& tape, Where where = Where::current()) const {
    detail::check_parts("on", values_.size(), count_vars(like_));
    std::size_t i = 0;
    return map_state(like_, [&](const Var&) { return tape.input(values_[i++], "carried", where); });
  }

  /// Sets inputs that on() has made to these numbers: to run one recording again and again. ShapeError for
  /// inputs that are not as many.
  void bind(const S& inputs, Where where = Where::current()) const {
    detail::check_parts("bind", count_vars(inputs), values_.size());
    std::size_t i = 0;
    for_each_var(inputs, [&](const Var& v) { v.tape(where).set(v, values_[i++]); });
  }

  const std::vector<Tensor>& values() const { return values_; }
  std::vector<Tensor>& values() { return values_; }

 private:
  S like_;  // only for its structure: the Vars in it may be stale
  std::vector<Tensor> values_;
};

}  // namespace spool
