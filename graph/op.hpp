// OpDef: what an op is. A constant that describes behaviour and holds no state; its address is its identity.
// Spool's own ops and a user's are made alike: fill in an OpDef, call record(). Passes over the tape read the
// properties below (kind, attributes), never the name.
#pragma once

#include <spool/graph/quad.hpp>
#include <spool/graph/tensor.hpp>
#include <spool/graph/var.hpp>

#include <boost/container/small_vector.hpp>

#include <bit>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace spool {

/// Attributes are whole numbers: axes, sizes, flags, or a double's bits (see pack/unpack).
using Attrs = std::span<const std::int64_t>;
constexpr std::int64_t pack(double v) { return std::bit_cast<std::int64_t>(v); }
constexpr double unpack(std::int64_t bits) { return std::bit_cast<double>(bits); }

/// Ops that copy rows as another operand says. They change places with products of those rows.
enum class RowMap : std::uint8_t {
  none,
  selects,  ///< operands {table, index}: row i of the result is row index[i] of the table
  adds  ///< operands {rows, index}, attribute {count}: row j of the result is the sum of rows whose index is
        ///< j
};

/// What passes may assume of an op.
enum class Kind : std::uint8_t {
  leaf,         ///< has no operands and is bound from outside: an input or a parameter
  constant,     ///< has no operands; its value follows from its attributes
  elementwise,  ///< all operands and the result have one shape; element i depends on elements i only
  broadcast,    ///< repeats its operand along axes (rules of numpy)
  view,         ///< same elements in the same order under another shape
  movement,     ///< every element of the result is an element of the operand
  slice,        ///< attributes {axis, begin, end}: a part of the operand; grad() needs no vjp for it
  place,        ///< attributes {axis, begin, extent}: the operand inside zeros
  concat,       ///< attribute {axis}: the operands one after the other
  reduce,       ///< folds axes away
  product,      ///< matrix product; attributes {a is transposed, b is transposed}
  random,       ///< first attribute is the number of the call on its tape
  barrier,      ///< gives its first operand, when the others are there; plans join nothing across it
  other
};

/// Names a stream of random numbers. The same seed and draw give the same bits on every run and machine.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t draw = 0;  ///< one for each batch or step; Tape::clear() and Tape::next_draw() move it on
  friend bool operator==(const RandomState&, const RandomState&) = default;
};

/// What an eval sees: operands and result as row-major arrays. `out` is not initialised and overlaps nothing.
template <class T>
struct Args {
  std::span<const T* const> in;
  std::span<const Shape* const> in_shapes;
  T* out;
  const Shape* out_shape;
  Attrs attrs;
  RandomState random;

  std::int64_t size() const { return out_shape->size(); }
  std::int64_t in_size(int i) const { return in_shapes[static_cast<std::size_t>(i)]->size(); }
};

/// The forward computation, once for each scalar. Reports bad values (an index out of range) by throwing
/// std::domain_error with what is wrong; the run adds which op, where, and the user's line.
struct Eval {
  void (*f32)(const Args<float>&) = nullptr;
  void (*f64)(const Args<double>&) = nullptr;
  void (*quad)(const Args<Quad>&) = nullptr;

  template <class T>
  auto get() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else if constexpr (std::is_same_v<T, double>)
      return f64;
    else
      return quad;
  }
};

/// Makes an Eval from one generic lambda without captures: eval_of([]<class T>(const Args<T>& a) { ... }).
template <class F>
constexpr Eval eval_of(F) {
  static_assert(std::is_empty_v<F>, "an eval holds no state: write a lambda without captures");
  return {[](const Args<float>& a) { F{}(a); }, [](const Args<double>& a) { F{}(a); },
          [](const Args<Quad>& a) { F{}(a); }};
}

/// Makes the Eval of an element-wise op from a function of one element of each operand:
/// map([](auto x) { using std::tanh; return tanh(x); }).
template <class F>
constexpr Eval map(F) {
  static_assert(std::is_empty_v<F>, "map takes a lambda without captures");
  return eval_of([]<class T>(const Args<T>& a) {
    const std::int64_t n = a.size();
    T* const out = a.out;
    if constexpr (std::is_invocable_v<F, T>) {
      const T* x = a.in[0];
      for (std::int64_t i = 0; i < n; ++i) out[i] = F{}(x[i]);
    } else if constexpr (std::is_invocable_v<F, T, T>) {
      const T *x = a.in[0], *y = a.in[1];
      for (std::int64_t i = 0; i < n; ++i) out[i] = F{}(x[i], y[i]);
    } else {
      const T *x = a.in[0], *y = a.in[1], *z = a.in[2];
      for (std::int64_t i = 0; i < n; ++i) out[i] = F{}(x[i], y[i], z[i]);
    }
  });
}

/// The same for one operand and N numbers, which are the op's attributes as pack() made them:
/// map_with<1>([](auto x, auto slope) { return x > 0 ? x : slope * x; }).
template <std::size_t N, class F>
constexpr Eval map_with(F) {
  static_assert(std::is_empty_v<F>, "map_with takes a lambda without captures");
  return eval_of([]<class T>(const Args<T>& a) {
    const std::int64_t n = a.size();
    const T* const x = a.in[0];
    T* const out = a.out;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const T numbers[] = {static_cast<T>(unpack(a.attrs[I]))...};
      for (std::int64_t i = 0; i < n; ++i) out[i] = F{}(x[i], numbers[I]...);
    }
    (std::make_index_sequence<N>{});
  });
}

/// A part of an element-wise op's work, as planned runs cut it up: `rows` runs of `cols` elements that lie
/// `stride` apart. A stride of 0 repeats one row; a step of 0, one element throughout a row. A reduction
/// folds each row to one element of the result, `out_stride` apart.
template <class T>
struct Tile {
  struct Rows {
    const T* data;
    std::int64_t stride;
    std::int32_t step = 1;
  };
  const Rows* const* in;
  T* out;  // may be one of the operands, with the same stride
  std::int64_t out_stride;
  std::int64_t rows, cols;
  Attrs attrs;
};

/// A quicker kernel of an element-wise op, or of a reduction along the last axes, for planned runs; null
/// where there is none. It may differ from the eval by rounding, and gives each element the same bits
/// wherever it lies in a tile.
struct TileEval {
  void (*f32)(const Tile<float>&) = nullptr;
  void (*f64)(const Tile<double>&) = nullptr;

  template <class T>
  auto get() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else
      return f64;
  }
};

/// The right side of a long product: rows of B [rows,n], and C [m,n] that the product goes to.
template <class T>
struct LongRight {
  const T* const* b;
  std::int64_t n;
  T* c;
  std::int64_t ldc;
};

/// Rows of A [rows,m] and what they are multiplied with: each C = A^T B, and the sums of A's columns unless
/// null. Where it accumulates, these are added to what is there.
template <class T>
struct LongRows {
  static constexpr std::size_t most_rights = 4;
  const T* const* a;
  std::int64_t rows, m;
  std::span<const LongRight<T>> rights;
  T* sums;
  bool accumulate;
};

/// The kernels of a product op for planned runs. A right operand W [k,n] is packed into panels of columns,
/// once for all the rows that it meets, or read as it lies. No result depends on how panels, rows or parts
/// are shared out.
template <class T>
struct ProductKernels {
  std::int64_t (*panels)(std::int64_t n);
  std::int64_t (*packed_size)(std::int64_t k, std::int64_t n);  ///< in elements
  /// Packs panels [first, last) of W: b [k,n], or the transpose of b [n,k], with rows ldb apart.
  void (*pack)(const T* b, std::int64_t ldb, bool transposed, std::int64_t k, std::int64_t n,
               std::int64_t first, std::int64_t last, T* packed);
  /// Row i, panels [first, last): c[i] = a[i] W, plus add[i] where there is an add, which may be c.
  void (*rows)(const T* const* a, const T* packed, const T* const* add, T* const* c, std::int64_t m,
               std::int64_t k, std::int64_t n, std::int64_t first, std::int64_t last);
  /// The same with W = b as it lies, with rows ldb apart.
  void (*rows_as_is)(const T* const* a, const T* b, std::int64_t ldb, const T* const* add, T* const* c,
                     std::int64_t m, std::int64_t k, std::int64_t n, std::int64_t first, std::int64_t last);
  /// Whether W is better packed than read as it lies, for products with so many rows in all.
  bool (*packing_pays)(std::int64_t k, std::int64_t n, std::int64_t rows);
  /// Parts [first, last) of a long product.
  void (*sum)(const LongRows<T>& rows, std::int64_t first, std::int64_t last, T* scratch);
  /// n of the only right side; 0 if there is none, or several.
  std::int64_t (*sum_parts)(std::int64_t m, std::int64_t n);
  std::int64_t (*sum_scratch)(std::int64_t m);  ///< in elements, for each thread
};

struct Product {
  ProductKernels<float> f32;
  ProductKernels<double> f64;

  template <class T>
  const ProductKernels<T>& get() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else
      return f64;
  }
};

struct OpDef;

/// An op about to be recorded, as its shape rule sees it.
class Call {
 public:
  Call(const OpDef& op, std::span<const Var> in, Attrs attrs, const Tape& tape, const Where& where)
      : op_(op), in_(in), attrs_(attrs), tape_(tape), where_(where) {}

  int arity() const { return static_cast<int>(in_.size()); }
  const Shape& shape(int i) const;
  std::int64_t attr(int i) const { return attrs_[static_cast<std::size_t>(i)]; }
  Attrs attrs() const { return attrs_; }

  /// Throws the ShapeError "op: what", with the operands (name, shape, scope) and the user's line.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  const OpDef& op_;
  std::span<const Var> in_;
  Attrs attrs_;
  const Tape& tape_;
  const Where& where_;
};

/// The gradients of the operands, in order; an empty Var where there is none. Step::grads() makes a long
/// list.
using Grads = boost::container::small_vector<Var, 3, std::pmr::polymorphic_allocator<Var>>;

/// A recorded op, as its gradient rule sees it.
class Step {
 public:
  Step(Tape& tape, std::uint32_t id, std::span<const std::uint8_t> needed)
      : tape_(tape), id_(id), needed_(needed) {}

  int arity() const;
  Var in(int i) const;
  Var out() const;
  const Shape& shape(int i) const;
  std::int64_t attr(int i) const;
  Attrs attrs() const;
  bool needs(int i) const;  ///< Whether the gradient of operand i is wanted; skip costly work when not.
  Grads grads() const;      ///< None yet, in memory that the tape lends.

 private:
  Tape& tape_;
  std::uint32_t id_;
  std::span<const std::uint8_t> needed_;  // for each node
};

struct OpDef {
  static constexpr int variadic = -1;

  const char* name;
  int arity;
  Kind kind;
  Shape (*shape)(const Call&);
  Eval eval;
  /// Appends the operands' gradients, given that of the result. Null: the op has no gradient (it is 0).
  Grads (*vjp)(const Step&, Var g) = nullptr;
  /// Describes the attributes when the tape is printed; null prints them as whole numbers.
  std::string (*describe)(Attrs) = nullptr;

  // What planned runs make use of. All of it is optional: without it an op runs by its eval, as a whole.
  TileEval tile = {};  ///< of an element-wise op; of a reduction, along the last axes
  Eval fast = {};      ///< does what eval does, quicker; may differ by rounding, and has no quad
  /// Bit i: rows i of the result, counted along the first axis, need rows i of operand i and all of the
  /// operands without a bit. 0, or null: the op can't be divided by rows. Element-wise ops need not say.
  std::uint32_t (*divides)(Attrs) = nullptr;
  bool cheap = false;  ///< element-wise: it may be computed twice rather than kept in memory
  bool sums = false;   ///< element-wise: the sum of the operands; a reduction: the sum of what it folds
  const Product* product = nullptr;
  RowMap row_map = RowMap::none;
};

namespace detail {
/// "\n  recorded at my_model.cpp:41", the end of an error's text; nothing where no line is known.
std::string line_of(std::string_view what_happened, const Where& where);
/// Throws the TapeError of a Var that refers to nothing; `use` may be empty.
[[noreturn]] void refuse_empty(std::string_view use, const Where& where);
}  // namespace detail

/// The tape of the first operand that is no number. TapeError when all are numbers, and for a handle that is
/// empty or stale.
Tape& tape_of(const char* op, std::span<const Operand> in);

/// Records an op. Numbers among the operands become constants. Throws ShapeError where the shape rule does,
/// and TapeError for handles that are empty, stale or of different tapes.
Var record(const OpDef& op, std::span<const Operand> in, Attrs attrs = {});
Var record(const OpDef& op, std::initializer_list<Operand> in,
           std::initializer_list<std::int64_t> attrs = {});
inline Var record(const OpDef& op, const Operand& x) { return record(op, std::span(&x, 1)); }

namespace shapes {
/// Same shape for all operands and the result.
Shape same(const Call& call);
}  // namespace shapes

}  // namespace spool
