#include <spool/graph/error.hpp>
#include <spool/graph/run/plain.hpp>

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <stdexcept>

namespace spool {

namespace {

// Buffers by size: a node's buffer goes back here after its last reader and serves the next of its size.
template <class T>
class Pool {
 public:
  std::unique_ptr<T[]> take(std::size_t n) {
    auto& free = free_[n];
    if (free.empty()) return std::unique_ptr<T[]>(new T[n > 0 ? n : 1]);
    auto buffer = std::move(free.back());
    free.pop_back();
    return buffer;
  }
  void give(std::size_t n, std::unique_ptr<T[]> buffer) { free_[n].push_back(std::move(buffer)); }

 private:
  std::unordered_map<std::size_t, std::vector<std::unique_ptr<T[]>>> free_;
};

constexpr std::uint32_t never = 0xffffffffU;

// For each node the last one that reads it; `never` for nodes that nothing wanted depends on.
std::vector<std::uint32_t> last_readers(const Tape& tape, std::span<const Var> wanted) {
  std::uint32_t top = 0;
  for (const Var& v : wanted) top = std::max(top, v.id() + 1);
  std::vector<std::uint32_t> last(top, never);
  for (const Var& v : wanted) last[v.id()] = top;  // read after the end
  for (std::uint32_t id = top; id-- > 0;) {
    if (last[id] == never) continue;
    for (std::uint32_t o : tape.operands(id))
      if (last[o] == never) last[o] = id;
  }
  return last;
}

template <class T>
class Interpreter {
 public:
  Interpreter(Tape& tape, const Overrides<T>& overrides) : tape_(tape), overrides_(overrides) {}

  std::vector<std::vector<T>> run(std::span<const Var> wanted) {
    for (const Var& v : wanted) tape_.check(v, "run");
    last_ = last_readers(tape_, wanted);
    values_.assign(last_.size(), nullptr);
    owned_.clear();
    owned_.resize(last_.size());
    for (std::uint32_t id = 0; id < last_.size(); ++id) {
      if (last_[id] == never) continue;
      make(id);
      for (std::uint32_t o : tape_.operands(id))
        if (last_[o] == id && owned_[o]) pool_.give(count(o), std::move(owned_[o]));
    }
    std::vector<std::vector<T>> results;
    for (const Var& v : wanted) results.emplace_back(values_[v.id()], values_[v.id()] + count(v.id()));
    return results;
  }

 private:
  std::size_t count(std::uint32_t id) const { return static_cast<std::size_t>(tape_.shape(id).size()); }

  void make(std::uint32_t id) {
    if (const auto it = overrides_.find(id); it != overrides_.end()) {
      if (it->second.size() != count(id))
        throw ShapeError("run: an override has the wrong number of elements");
      values_[id] = it->second.data();
      return;
    }
    const OpDef& op = tape_.op(id);
    if (is_input(op))
      load(id, tape_.bound(id));
    else if (is_param(op))
      load(id, param_value(id));
    else
      eval(id, op);
    if (tape_.checks_finite()) check_finite(id);
  }

  // Whoever edits a parameter in place can put a tensor of another shape there.
  const Tensor& param_value(std::uint32_t id) const {
    const Param& p = tape_.param_at(id);
    if (p.shape() != tape_.shape(id))
      throw ShapeError(fmt::format("{} was recorded as {} and now holds {}; record the tape again",
                                   tape_.label(id), tape_.shape(id).text(), p.shape().text()));
    return p.value();
  }

  // Reads a tensor in place when it is of this type, else converts it.
  void load(std::uint32_t id, const Tensor& value) {
    value.visit([&]<class U>(std::span<const U> from) {
      if constexpr (std::is_same_v<U, T>) {
        values_[id] = from.data();
      } else {
        owned_[id] = pool_.take(from.size());
        for (std::size_t i = 0; i < from.size(); ++i) owned_[id][i] = static_cast<T>(from[i]);
        values_[id] = owned_[id].get();
      }
    });
  }

  void eval(std::uint32_t id, const OpDef& op) {
    in_.clear();
    in_shapes_.clear();
    for (std::uint32_t o : tape_.operands(id)) {
      in_.push_back(values_[o]);
      in_shapes_.push_back(&tape_.shape(o));
    }
    const auto run_op = op.eval.template get<T>();
    if (run_op == nullptr)
      throw TapeError(fmt::format("{}: its OpDef has no eval for this precision", op.name));
    try {
      owned_[id] = pool_.take(count(id));
      values_[id] = owned_[id].get();
      run_op({in_, in_shapes_, owned_[id].get(), &tape_.shape(id), tape_.attrs(id), tape_.random()});
    } catch (const std::domain_error& e) {
      throw TapeError(describe(id, e.what()));
    } catch (const std::bad_alloc&) {
      throw TapeError(describe(id, fmt::format("no memory for a result of {}", tape_.shape(id).text())));
    }
  }

  void check_finite(std::uint32_t id) const {
    for (std::size_t i = 0; i < count(id); ++i) {
      using std::isfinite;
      if (!isfinite(values_[id][i]))
        throw TapeError(describe(id, fmt::format("element {} is {}, not a finite number", i,
                                                 static_cast<double>(values_[id][i]))));
    }
  }

  std::string describe(std::uint32_t id, std::string_view what) const {
    Vars operands;
    for (std::uint32_t o : tape_.operands(id)) operands.push_back(tape_.at(o));
    const Tape::As as(tape_, id);  // so that the line is the node's
    return tape_.explain(tape_.label(id), what, operands, Where::current());
  }

  Tape& tape_;
  const Overrides<T>& overrides_;
  std::vector<std::uint32_t> last_;
  std::vector<const T*> values_;
  std::vector<std::unique_ptr<T[]>> owned_;
  std::vector<const T*> in_;
  std::vector<const Shape*> in_shapes_;
  Pool<T> pool_;
};

}  // namespace

template <class T>
std::vector<std::vector<T>> run_plain(Tape& tape, std::span<const Var> wanted,
                                      const Overrides<T>& overrides) {
  return Interpreter<T>(tape, overrides).run(wanted);
}

template std::vector<std::vector<float>> run_plain(Tape&, std::span<const Var>, const Overrides<float>&);
template std::vector<std::vector<double>> run_plain(Tape&, std::span<const Var>, const Overrides<double>&);
template std::vector<std::vector<Quad>> run_plain(Tape&, std::span<const Var>, const Overrides<Quad>&);

}  // namespace spool
