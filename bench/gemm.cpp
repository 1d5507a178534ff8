// gemm: our matrix products beside OpenBLAS's and, where it is installed, oneDNN's, at the shapes of
// recurrent models, with one thread. All take turns on the same data, and the medians count.
#include <spool/ops/kernels/packed.hpp>
#include <spool/ops/kernels/simd.hpp>

#include "measure.hpp"

#include <cblas.h>
#include <fmt/format.h>
#include <hwy/highway.h>
#include <time.h>
#include <unistd.h>
#include <boost/program_options.hpp>
#ifdef WITH_ONEDNN
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#endif

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace po = boost::program_options;
namespace kernels = spool::kernels;
using Int = std::int64_t;

namespace {

struct Options {
  std::string form, isa;
  std::vector<Int> m, hidden;
  int repeats;
  double milliseconds;
};

std::optional<Options> parse(int argc, char** argv) {
  Options o;
  po::options_description d("Times matrix products at the shapes of recurrent models");
  auto add = d.add_options();
  add("help,h", "this text");
  add("form", po::value(&o.form)->default_value("rows"),
      "rows: [m,H] x [H,4H] and [m,4H] x [4H,H], packed; as-is: not packed; long: [m,H]^T x [m,4H]; pack");
  add("m",
      po::value(&o.m)->multitoken()->default_value({1, 2, 4, 8, 16, 25, 32, 50, 64, 128}, "1 2 4 ... 128"),
      "rows");
  add("hidden", po::value(&o.hidden)->multitoken()->default_value({64, 128, 256, 512, 1024}, "64 ... 1024"),
      "H");
  add("isa", po::value(&o.isa)->default_value("best"), "avx2: no better instructions, for all");
  add("repeat", po::value(&o.repeats)->default_value(11), "turns of each");
  add("ms", po::value(&o.milliseconds)->default_value(2), "how long a turn lasts");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, d), given);
  if (given.count("help")) {
    std::cout << d;
    return std::nullopt;
  }
  po::notify(given);
  if (o.form != "rows" && o.form != "as-is" && o.form != "long" && o.form != "pack")
    throw po::error("--form is rows, as-is, long or pack");
  if (o.isa != "best" && o.isa != "avx2") throw po::error("--isa is best or avx2");
  const auto positive = [](const std::vector<Int>& v) {
    return std::all_of(v.begin(), v.end(), [](Int n) { return n > 0; });
  };
  if (o.repeats < 1 || !positive(o.m) || !positive(o.hidden)) throw po::error("numbers must be positive");
  return o;
}

struct Free {
  void operator()(float* p) const { ::operator delete(p, std::align_val_t(64)); }
};
using Buffer = std::unique_ptr<float[], Free>;

Buffer numbers(Int n) {
  static std::mt19937 random(1);
  Buffer b(
      static_cast<float*>(::operator new(static_cast<std::size_t>(n) * sizeof(float), std::align_val_t(64))));
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
    b[i] = static_cast<float>(random() % 2001) / 1000 - 1;
  return b;
}

/// What the thread worked; others on the machine do not count, as far as that can be told.
template <class F>
double cpu_seconds(F&& f) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  const double start = now();
  f();
  return now() - start;
}

struct Contender {
  std::string name;
  std::function<void()> run;
};

struct Shape {
  Int m, k, n;
};

/// Prints GFLOP/s (or 10^9 elements packed a second) of each, and the first one's ratio to the best other.
void compare(const Shape& s, double operations, const Options& o, const std::vector<Contender>& contenders) {
  std::vector<std::vector<double>> times(contenders.size());
  std::vector<int> inner;
  for (const Contender& c : contenders) {
    c.run();
    const double once = cpu_seconds(c.run);
    inner.push_back(std::max(1, static_cast<int>(o.milliseconds / 1000 / once)));
  }
  for (int turn = 0; turn < o.repeats; ++turn)
    for (std::size_t i = 0; i < contenders.size(); ++i)
      times[i].push_back(cpu_seconds([&] {
                           for (int r = 0; r < inner[i]; ++r) contenders[i].run();
                         }) /
                         inner[i]);
  std::string line = fmt::format("{:5} {:5} {:5}", s.m, s.k, s.n);
  double best_other = 0, ours = 0;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const double rate = operations / bench::median(times[i]) * 1e-9;
    line += fmt::format("  {:8.1f}", rate);
    (i == 0 ? ours : best_other) = i == 0 ? rate : std::max(best_other, rate);
  }
  if (best_other > 0) line += fmt::format("  {:8.2f}", ours / best_other);
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void header(const std::vector<std::string>& names) {
  std::string line = fmt::format("{:>5} {:>5} {:>5}", "m", "k", "n");
  for (const std::string& n : names) line += fmt::format("  {:>8}", n);
  fmt::print("{}  {:>8}\n", line, "ratio");
}

#ifdef WITH_ONEDNN
const std::vector<std::string> columns{"ours", "OpenBLAS", "oneDNN"};

/// c [m,n] = a [m,k] w [k,n], each in any layout that oneDNN likes for w when it was packed.
Contender onednn(const Shape& s, float* a, bool a_transposed, float* w, bool packed, float* c) {
  using namespace dnnl;
  using Tag = memory::format_tag;
  static engine on(engine::kind::cpu, 0);
  static stream in(on);
  const auto f32 = memory::data_type::f32;
  const memory::desc a_desc({s.m, s.k}, f32, a_transposed ? Tag::ba : Tag::ab),
      c_desc({s.m, s.n}, f32, Tag::ab);
  const memory::desc plain({s.k, s.n}, f32, Tag::ab), any({s.k, s.n}, f32, Tag::any);
  const matmul::primitive_desc made(matmul::desc(a_desc, packed ? any : plain, c_desc), on);
  const memory from(plain, on, w);
  memory weights = packed ? memory(made.weights_desc(), on) : from;
  if (packed) {
    memory source = from;
    reorder(source, weights).execute(in, source, weights);
    in.wait();
  }
  const std::unordered_map<int, memory> args{{DNNL_ARG_SRC, memory(a_desc, on, a)},
                                             {DNNL_ARG_WEIGHTS, weights},
                                             {DNNL_ARG_DST, memory(c_desc, on, c)}};
  return {"oneDNN", [product = matmul(made), args] {
            product.execute(in, args);
            in.wait();
          }};
}
#else
const std::vector<std::string> columns{"ours", "OpenBLAS"};
#endif

void rows(const Shape& s, const Options& o) {
  const Int m = s.m, k = s.k, n = s.n;
  const Buffer a = numbers(m * k), w = numbers(k * n), c = numbers(m * n),
               packed = numbers(kernels::packed_size<float>(k, n));
  kernels::pack(w.get(), n, false, k, n, Int(0), kernels::panels<float>(n), packed.get());
  std::vector<const float*> a_rows;
  std::vector<float*> c_rows;
  for (Int i = 0; i < m; ++i) a_rows.push_back(a.get() + i * k), c_rows.push_back(c.get() + i * n);
  std::vector<Contender> all{
      {"ours",
       [&] {
         kernels::rows_product<float>(a_rows.data(), packed.get(), nullptr, c_rows.data(), m, k, n, 0,
                                      kernels::panels<float>(n));
       }},
      {"OpenBLAS", [&, m = static_cast<int>(m), k = static_cast<int>(k), n = static_cast<int>(n)] {
         cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a.get(), k, w.get(), n, 0,
                     c.get(), n);
       }}};
#ifdef WITH_ONEDNN
  all.push_back(onednn(s, a.get(), false, w.get(), true, c.get()));
#endif
  compare(s, 2 * static_cast<double>(m * k * n), o, all);
}

void rows_as_is(const Shape& s, const Options& o) {
  const Int m = s.m, k = s.k, n = s.n, panels = kernels::panels<float>(n);
  const Buffer a = numbers(m * k), w = numbers(k * n), c = numbers(m * n),
               packed = numbers(kernels::packed_size<float>(k, n));
  kernels::pack(w.get(), n, false, k, n, Int(0), panels, packed.get());
  std::vector<const float*> a_rows;
  std::vector<float*> c_rows;
  for (Int i = 0; i < m; ++i) a_rows.push_back(a.get() + i * k), c_rows.push_back(c.get() + i * n);
  compare(s, 2 * static_cast<double>(m * k * n), o,
          {{"as it lies",
            [&] {
              kernels::rows_product_as_is<float>(a_rows.data(), w.get(), n, nullptr, c_rows.data(), m, k, n,
                                                 0, panels);
            }},
           {"packed", [&] {
              kernels::rows_product<float>(a_rows.data(), packed.get(), nullptr, c_rows.data(), m, k, n, 0,
                                           panels);
            }}});
}

void long_product(const Shape& s, const Options& o) {
  const Int m = s.m, k = s.k, n = s.n;
  const Buffer a = numbers(k * m), b = numbers(k * n), c = numbers(m * n),
               scratch = numbers(kernels::long_scratch<float>(m));
  std::vector<const float*> a_rows, b_rows;
  for (Int i = 0; i < k; ++i) a_rows.push_back(a.get() + i * m), b_rows.push_back(b.get() + i * n);
  const std::array rights{kernels::LongRight<float>{b_rows.data(), n, c.get(), n}};
  std::vector<Contender> all{
      {"ours",
       [&] {
         kernels::long_product<float>({a_rows.data(), k, m, rights, nullptr, false}, 0,
                                      kernels::long_parts<float>(m, n), scratch.get());
       }},
      {"OpenBLAS", [&, m = static_cast<int>(m), k = static_cast<int>(k), n = static_cast<int>(n)] {
         cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1, a.get(), m, b.get(), n, 0, c.get(),
                     n);
       }}};
#ifdef WITH_ONEDNN
  all.push_back(onednn(s, a.get(), true, b.get(), false, c.get()));
#endif
  compare(s, 2 * static_cast<double>(m * k * n), o, all);
}

void packing(const Shape& s, const Options& o) {
  const Int k = s.k, n = s.n;
  const Buffer w = numbers(k * n), packed = numbers(kernels::packed_size<float>(k, n));
  const auto pack = [&](bool transposed) {
    return [&, transposed] {
      kernels::pack(w.get(), transposed ? k : n, transposed, k, n, Int(0), kernels::panels<float>(n),
                    packed.get());
    };
  };
  compare(s, static_cast<double>(k * n), o, {{"as it is", pack(false)}, {"transposed", pack(true)}});
}

/// Environment variables that libraries read when they are loaded: the program starts itself again.
void limit_peers(const std::string& isa, char** argv) {
  if (isa == "best" || std::getenv("OPENBLAS_CORETYPE")) return;
  setenv("OPENBLAS_CORETYPE", "Haswell", 1);
  setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
  execv("/proc/self/exe", argv);
}

void run(const Options& o) {
  if (o.isa == "avx2") hwy::SetSupportedTargetsForTest(hwy::SupportedTargets() & (HWY_AVX2 | HWY_SSE4));
  openblas_set_num_threads(1);
#ifdef WITH_ONEDNN
  omp_set_num_threads(1);
#endif
  fmt::print("{}, {}\n", hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets()),
             o.form == "pack" ? "10^9 elements a second" : "GFLOP/s");
  header(o.form == "pack"    ? std::vector<std::string>{"plain", "transp."}
         : o.form == "as-is" ? std::vector<std::string>{"as it is", "packed"}
                             : columns);
  for (const Int h : o.hidden) {
    if (o.form == "pack") packing({0, h, 4 * h}, o), packing({0, 4 * h, h}, o);
    for (const Int m : o.m) {
      if (o.form == "rows") rows({m, h, 4 * h}, o), rows({m, 4 * h, h}, o);
      if (o.form == "as-is") rows_as_is({m, h, 4 * h}, o), rows_as_is({m, 4 * h, h}, o);
      if (o.form == "long") long_product({h, m, 4 * h}, o);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (const auto options = parse(argc, argv)) {
      limit_peers(options->isa, argv);
      run(*options);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "gemm: {}\n", e.what());
    return 1;
  }
}
