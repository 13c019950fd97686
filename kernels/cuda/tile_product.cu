#include "tile_product.h"

#include "registers.h"
#include "uncial/core/shape.h"

namespace uncial::cuda {
namespace {

/// bfloat16_pair() in the instructions that newer GPUs have for it: ftz makes denormals 0.
UNCIAL_BODY inline uint32_t rounded_pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t both;
  asm("{.reg .f32 x, y; mul.ftz.f32 x, %1, 0f3F800000; mul.ftz.f32 y, %2, 0f3F800000;\n"
      "cvt.rn.bf16x2.f32 %0, y, x;}"
      : "=r"(both)
      : "f"(first), "f"(second));
  return both;
#else
  return bfloat16_pair(first, second);
#endif
}

/// A block computes kM x kN elements, slab by slab of kK; a warp 16 kRows x 16 kPairs of them. With kAny factors
/// need not be wide.
template <int kM_, int kN_, int kK_, int kRows_, int kPairs_, bool kAny_ = false>
struct TileShape {
  static constexpr bool kAny = kAny_;
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kRows = kRows_, kPairs = kPairs_;
  static constexpr int kWarpColumns = kN / (16 * kPairs), kWarps = kM / (16 * kRows) * kWarpColumns,
                       kThreads = kWarps * kWarp;
};
using Any = TileShape<32, 32, 64, 1, 1, true>;
using Small = TileShape<32, 32, 64, 1, 1>;
using Square = TileShape<64, 64, 32, 2, 2>;
using Wide = TileShape<64, 128, 32, 2, 2>;

struct alignas(16) Four {
  float values[4];
};
struct alignas(8) PairOfWords {
  uint32_t words[2];
};
struct alignas(8) TwoFloats {
  float values[2];
};

struct Factor {
  TileFactor memory;
  int extent;
  bool by_k;  ///< lies in shared memory with k contiguous
  bool wide;  ///< whole fours, each 16 bytes at once
  UNCIAL_BODY int64_t inside_step() const { return by_k ? memory.k_step : memory.step; }
};

struct Job {
  Factor a, b;
  int K, row_tiles, column_tiles, slabs, splits;  ///< slabs: of a split
  float *c, *a_sums, *partial;                        ///< partial: of all splits, or null
  const float* bias;
  bool relu, round;
  int64_t end;  ///< blocks up to here

  UNCIAL_BODY int M() const { return a.extent; }
  UNCIAL_BODY int N() const { return b.extent; }
  UNCIAL_BODY int64_t outputs() const { return int64_t(M()) * N() + (a_sums ? M() : 0); }
  UNCIAL_BODY float finished(float sum, int n) const {
    if (bias) sum += bias[n];
    if (relu && sum < 0) sum = 0;
    return round ? formula::rounded_to_bfloat16(sum) : sum;
  }
};

struct Jobs {
  Job job[kMaxTileProducts];
  /// The job that `index` belongs to by `end`; index becomes its own.
  UNCIAL_BODY const Job& of(int64_t& index) const {
    int j = 0;
    while (index >= job[j].end) ++j;
    if (j > 0) index -= job[j - 1].end;
    return job[j];
  }
};

/// A factor's slab: kOuter x kK elements on their way from memory to shared memory, four at a time: through
/// registers, or straight where fours may not be read at once. Rows in shared memory are an odd number of 16
/// bytes apart, so that ldmatrix meets no bank twice.
template <class Shape, int kOuter, bool kByK>
struct Slab {
  static constexpr int kInside = kByK ? Shape::kK : kOuter, kPitch = kInside + 8, kFours = kInside / 4,
                       kAtOnce = Shape::kThreads / kFours, kShare = kOuter * Shape::kK / 4 / Shape::kThreads;
  static_assert(kAtOnce * kFours == Shape::kThreads);
  struct Share {
    Four fours[kShare];
  };

  /// Where a thread reads its share of the next slab.
  struct Cursor {
    const float* from;
    int64_t next, slab;         ///< elements to its next four, and to the next slab
    int left_across, left_along;  ///< elements up to the end of the factor
  };

  UNCIAL_BODY static Cursor start(const Factor& f, int first, int k0, int K, int t) {
    const int along = t % kFours * 4, across = t / kFours;
    const int i = first + (kByK ? across : along), k = k0 + (kByK ? along : across);
    return {f.memory.data + i * f.memory.step + k * f.memory.k_step,
            kAtOnce * (kByK ? f.memory.step : f.memory.k_step), Shape::kK * f.memory.k_step,
            kByK ? f.extent - i : K - k, kByK ? K - k : f.extent - i};
  }
  UNCIAL_BODY static void advance(Cursor& at) {
    at.from += at.slab;
    (kByK ? at.left_along : at.left_across) -= Shape::kK;
  }
  UNCIAL_BODY static void load(Share& share, const Cursor& at) {
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) {
      share.fours[j] = Four{};
      if (at.left_along > 0 && j * kAtOnce < at.left_across)
        share.fours[j] = *reinterpret_cast<const Four*>(at.from + j * at.next);
    }
  }
  UNCIAL_BODY static void store(const Share& share, Bfloat16* shared, int t) {
    shared += t / kFours * kPitch + t % kFours * 4;
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) put(share.fours[j], shared + j * kAtOnce * kPitch);
  }
  /// load() and store() of a factor that is not wide.
  UNCIAL_BODY static void copy(const Cursor& at, int64_t step, Bfloat16* shared, int t) {
    shared += t / kFours * kPitch + t % kFours * 4;
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) {
      Four four;
      UNCIAL_UNROLL
      for (int e = 0; e < 4; ++e) {
        four.values[e] = 0;
        if (e < at.left_along && j * kAtOnce < at.left_across)
          four.values[e] = at.from[j * at.next + e * step];
      }
      put(four, shared + j * kAtOnce * kPitch);
    }
  }
  UNCIAL_BODY static void put(const Four& four, Bfloat16* to) {
    const float* v = four.values;
    *reinterpret_cast<PairOfWords*>(to) = PairOfWords{{rounded_pair(v[0], v[1]), rounded_pair(v[2], v[3])}};
  }
  UNCIAL_BODY static const Bfloat16* at(const Bfloat16* shared, int i, int k) {
    return shared + (kByK ? i * kPitch + k : k * kPitch + i);
  }
};

UNCIAL_BODY constexpr int larger(int a, int b) { return a > b ? a : b; }
/// Elements of a factor's slab, whichever way it lies.
template <class Shape>
UNCIAL_BODY constexpr int slab_elements(int outer) {
  return larger(outer * (Shape::kK + 8), Shape::kK * (outer + 8));
}
template <class Shape>
inline constexpr int kBufferElements = slab_elements<Shape>(Shape::kM) + slab_elements<Shape>(Shape::kN);

/// Sums take the place of slabs when all are added: rows, and behind them those of a.
template <class Shape>
inline constexpr int kSumsPitch = Shape::kN + 8;
template <class Shape>
inline constexpr int64_t kSharedBytes =
    larger(2 * 2 * kBufferElements<Shape>, 4 * Shape::kM * (kSumsPitch<Shape> + 1));

template <class Shape, bool kAByK, bool kBByK>
struct Multiplier {
  using A = Slab<Shape, Shape::kM, kAByK>;
  using B = Slab<Shape, Shape::kN, kBByK>;
  struct Share {  ///< of a thread
    typename A::Cursor a_at;
    typename B::Cursor b_at;
    typename A::Share a;
    typename B::Share b;
  };
  struct Sums {
    FragmentC c[Shape::kRows][2 * Shape::kPairs], a[Shape::kRows];
  };

  const Block& block;
  const Job& job;
  int m0, n0, split;
  bool sums_a;

  UNCIAL_BODY Bfloat16* buffer(int which) const {
    return block.memory<Bfloat16>() + which % 2 * kBufferElements<Shape>;
  }
  UNCIAL_BODY void load(Share& share) const {
    if (!Shape::kAny || job.a.wide) A::load(share.a, share.a_at);
    if (!Shape::kAny || job.b.wide) B::load(share.b, share.b_at);
  }
  UNCIAL_BODY void store(Share& share, Bfloat16* to, int t) const {
    Bfloat16* b_to = to + slab_elements<Shape>(Shape::kM);
    if (!Shape::kAny || job.a.wide)
      A::store(share.a, to, t);
    else
      A::copy(share.a_at, job.a.inside_step(), to, t);
    if (!Shape::kAny || job.b.wide)
      B::store(share.b, b_to, t);
    else
      B::copy(share.b_at, job.b.inside_step(), b_to, t);
    A::advance(share.a_at);
    B::advance(share.b_at);
  }
  UNCIAL_BODY static int row_of(const Warp& w) { return w.index / Shape::kWarpColumns * 16 * Shape::kRows; }
  UNCIAL_BODY static int column_of(const Warp& w) { return w.index % Shape::kWarpColumns * 16 * Shape::kPairs; }

  UNCIAL_BODY void multiply(const Warp& warp, Sums& sums, const Bfloat16* a, bool with_a) const {
    const Bfloat16* b = a + slab_elements<Shape>(Shape::kM);
    const int row = row_of(warp), column = column_of(warp);
    UNCIAL_UNROLL
    for (int k = 0; k < Shape::kK; k += 16) {
      FragmentA left[Shape::kRows];
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) {
        const int m = row + 16 * i;
        if constexpr (kAByK)
          warp.load_rows(left[i], [&](int r, int h) { return A::at(a, m + r, k + 8 * h); });
        else
          warp.load_columns(left[i], [&](int c, int h) { return A::at(a, m + 8 * h, k + c); });
      }
      UNCIAL_UNROLL
      for (int j = 0; j < Shape::kPairs; ++j) {
        const int n = column + 16 * j;
        FragmentB right[2];
        if constexpr (kBByK)
          warp.load_columns(right[0], right[1],
                            [&](int c, int h, int which) { return B::at(b, n + 8 * which + c, k + 8 * h); });
        else
          warp.load_rows(right[0], right[1], [&](int r, int which) { return B::at(b, n + 8 * which, k + r); });
        UNCIAL_UNROLL
        for (int i = 0; i < Shape::kRows; ++i) {
          warp.multiply(sums.c[i][2 * j], left[i], right[0]);
          warp.multiply(sums.c[i][2 * j + 1], left[i], right[1]);
        }
      }
      if (!with_a) continue;
      FragmentB ones;
      warp.fill(ones, 1);
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) warp.multiply(sums.a[i], left[i], ones);
    }
  }

  UNCIAL_BODY void run() const {
    PerThread<Share, Shape::kThreads> share;
    PerWarp<Sums, Shape::kWarps> sums;
    const int all = (job.K + Shape::kK - 1) / Shape::kK, begin = split * job.slabs;
    const int end = begin + job.slabs < all ? begin + job.slabs : all;
    each_warp_without_waiting(block, [&](const Warp& warp) {
      Sums& s = sums.of(warp);
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) {
        warp.set_columns(s.a[i], [](int) { return 0.0f; });
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * Shape::kPairs; ++j) s.c[i][j] = s.a[i];
      }
    });
    block.each_thread([&](int t) {
      Share& mine = share.of(t);
      mine = Share{};  // nvcc keeps registers for what may have no value yet
      if (begin >= end) return;
      mine.a_at = A::start(job.a, m0, begin * Shape::kK, job.K, t);
      mine.b_at = B::start(job.b, n0, begin * Shape::kK, job.K, t);
      load(mine);
      store(mine, buffer(0), t);
    });
    for (int slab = begin; slab < end; ++slab) {
      // Loads of the next slab are under way while this one is multiplied.
      const bool more = slab + 1 < end;
      each_thread_without_waiting(block, [&](int t) {
        if (more) load(share.of(t));
      });
      each_warp_without_waiting(block, [&](const Warp& warp) {
        multiply(warp, sums.of(warp), buffer(slab - begin), sums_a && column_of(warp) == 0);
      });
      block.each_thread([&](int t) {
        if (more) store(share.of(t), buffer(slab - begin + 1), t);
      });
    }
    each_warp(block, [&](const Warp& warp) { share_sums(warp, sums.of(warp)); });
  }
  UNCIAL_BODY void share_sums(const Warp& warp, const Sums& s) const {
    float* shared = block.memory<float>();
    const int row = row_of(warp), column = column_of(warp);
    UNCIAL_UNROLL
    for (int i = 0; i < Shape::kRows; ++i) {
      UNCIAL_UNROLL
      for (int j = 0; j < 2 * Shape::kPairs; ++j)
        warp.each_pair(s.c[i][j], [&](int m, int n, float first, float second) {
          float* to = shared + (row + 16 * i + m) * kSumsPitch<Shape> + column + 8 * j + n;
          *reinterpret_cast<TwoFloats*>(to) = TwoFloats{{first, second}};
        });
      if (sums_a && column == 0)
        warp.each_pair(s.a[i], [&](int m, int n, float first, float) {
          if (n == 0) shared[Shape::kM * kSumsPitch<Shape> + row + 16 * i + m] = first;
        });
    }
  }
};

template <class Shape>
struct Products {
  Jobs jobs;

  UNCIAL_BODY void operator()(const Block& block) const {
    int64_t index = block.index;
    const Job& job = jobs.of(index);
    const int tiles = job.row_tiles * job.column_tiles, tile = int(index % tiles), column = tile / job.row_tiles;
    const int m0 = tile % job.row_tiles * Shape::kM, n0 = column * Shape::kN, split = int(index / tiles);
    const bool sums_a = job.a_sums && column == 0;
    if (job.a.by_k && job.b.by_k)
      Multiplier<Shape, true, true>{block, job, m0, n0, split, sums_a}.run();
    else if (job.a.by_k)
      Multiplier<Shape, true, false>{block, job, m0, n0, split, sums_a}.run();
    else if (job.b.by_k)
      Multiplier<Shape, false, true>{block, job, m0, n0, split, sums_a}.run();
    else
      Multiplier<Shape, false, false>{block, job, m0, n0, split, sums_a}.run();
    float* to = job.partial ? job.partial + split * job.outputs() : job.c;
    block.each_thread([&](int t) {
      const float* sums = block.memory<float>();
      for (int i = t; i < Shape::kM * Shape::kN; i += Shape::kThreads) {
        const int m = i / Shape::kN, n = i % Shape::kN;
        if (m0 + m >= job.M() || n0 + n >= job.N()) continue;
        const float sum = sums[m * kSumsPitch<Shape> + n];
        to[int64_t(m0 + m) * job.N() + n0 + n] = job.partial ? sum : job.finished(sum, n0 + n);
      }
      if (!sums_a || t >= Shape::kM || m0 + t >= job.M()) return;
      float* to_sums = job.partial ? to + int64_t(job.M()) * job.N() : job.a_sums;
      to_sums[m0 + t] = sums[Shape::kM * kSumsPitch<Shape> + t];
    });
  }
};

constexpr int kOutputs = 32, kParts = 8;

/// A block adds the splits of kOutputs elements, kParts pieces each.
struct Gather {
  Jobs jobs;

  UNCIAL_BODY void operator()(const Block& block) const {
    int64_t index = block.index;
    const Job& job = jobs.of(index);
    const int64_t first = index * kOutputs, outputs = job.outputs();
    float* parts = block.memory<float>();
    block.each_thread([&](int t) {
      const int64_t i = first + t % kOutputs;
      float sum = 0;
      if (i < outputs)
        for (int split = t / kOutputs; split < job.splits; split += kParts)
          sum += job.partial[split * outputs + i];
      parts[t] = sum;
    });
    block.each_thread([&](int t) {
      const int64_t i = first + t;
      if (t >= kOutputs || i >= outputs) return;
      float sum = 0;
      for (int part = 0; part < kParts; ++part) sum += parts[part * kOutputs + t];
      const int64_t products = int64_t(job.M()) * job.N();
      if (i < products)
        job.c[i] = job.finished(sum, int(i % job.N()));
      else
        job.a_sums[i - products] = sum;
    });
  }
};

Factor factor_of(const TileFactor& f, int64_t extent, int64_t K) {
  const bool by_k = f.k_step == 1 || f.step != 1;
  const int64_t inside = by_k ? f.k_step : f.step, across = by_k ? f.step : f.k_step, count = by_k ? K : extent;
  return {f, int(extent), by_k,
          inside == 1 && across % 4 == 0 && count % 4 == 0 && reinterpret_cast<uintptr_t>(f.data) % 16 == 0};
}

struct Extents {
  int M, N, K, threads;
};
template <class Shape>
constexpr Extents extents_of() {
  return {Shape::kM, Shape::kN, Shape::kK, Shape::kThreads};
}
constexpr Extents kShapes[kTileShapes] = {extents_of<Small>(), extents_of<Square>(), extents_of<Wide>()};

int64_t tiles_of(const TileProduct& p, const Extents& e) { return ceil_div(p.M, e.M) * ceil_div(p.N, e.N); }

Job job_of(const TileProduct& p, const TileCut& cut) {
  const Extents& e = kShapes[cut.shape];
  Job job{};
  job.a = factor_of(p.a, p.M, p.K), job.b = factor_of(p.b, p.N, p.K);
  job.K = int(p.K), job.row_tiles = int(ceil_div(p.M, e.M)), job.column_tiles = int(ceil_div(p.N, e.N));
  const int64_t slabs = ceil_div(p.K, e.K);
  job.slabs = int(slabs < cut.slabs ? slabs : cut.slabs);
  job.splits = job.slabs > 0 ? int(ceil_div(slabs, job.slabs)) : 1;
  job.c = p.c, job.a_sums = p.a_sums, job.bias = p.bias, job.relu = p.relu, job.round = p.round;
  return job;
}

template <class Shape>
void multiply(const Jobs& jobs, int64_t blocks) {
  each_block(blocks, Shape::kThreads, kSharedBytes<Shape>, Products<Shape>{jobs},
             "tile_product");
}

/// Nanoseconds, roughly: what a multiprocessor gets from the second-level cache, how long a block waits for a
/// slab at least, and what another launch costs. Only their ratios matter.
constexpr double kBytesPerNs = 30, kSlabNs = 600, kSecondLaunchNs = 3000, kPartialBytesPerNs = 1500;

double estimate(const TileProduct* products, int count, const TileCut& cut, const GpuLimits& limits) {
  const Extents& e = kShapes[cut.shape];
  int64_t blocks = 0, longest = 0, partial = 0;
  for (int i = 0; i < count; ++i) {
    const Job job = job_of(products[i], cut);
    blocks += tiles_of(products[i], e) * job.splits;
    longest = longest < job.slabs ? job.slabs : longest;
    if (job.splits > 1) partial += job.splits * job.outputs() * 8;
  }
  const double bytes = 4.0 * e.K * (e.M + e.N);
  const int64_t each = ceil_div(blocks, limits.multiprocessors), resident = 512 / e.threads;
  const double waiting = double(ceil_div(each, resident)) * kSlabNs, moving = double(each) * bytes / kBytesPerNs;
  const double slab = waiting > moving ? waiting : moving;
  return double(longest + 1) * slab + (partial > 0 ? kSecondLaunchNs + double(partial) / kPartialBytesPerNs : 0);
}

}  // namespace

TileCut best_cut(const TileProduct* products, int count, const GpuLimits& limits, int shapes) {
  TileCut best;
  double least = 0;
  for (int shape = 0; shape < shapes; ++shape) {
    int64_t slabs = 1;
    for (int i = 0; i < count; ++i) {
      const int64_t own = ceil_div(products[i].K, kShapes[shape].K);
      slabs = slabs < own ? own : slabs;
    }
    for (int64_t splits = 1; splits <= 128 && splits <= slabs; ++splits) {
      const TileCut cut{shape, ceil_div(slabs, splits)};
      const double ns = estimate(products, count, cut, limits);
      if (least > 0 && ns >= least) continue;
      best = cut, least = ns;
    }
  }
  return best;
}

namespace {

bool is_wide(const TileProduct& p) {
  return factor_of(p.a, p.M, p.K).wide && factor_of(p.b, p.N, p.K).wide;
}

void run_alike(const TileProduct* products, int count, const TileCut& cut, bool wide) {
  Jobs jobs{}, split{};
  int64_t blocks = 0, gathered = 0, floats = 0;
  for (int i = 0; i < count; ++i) {
    Job& job = jobs.job[i] = job_of(products[i], cut);
    job.end = blocks += tiles_of(products[i], kShapes[cut.shape]) * job.splits;
    if (job.splits > 1) floats += ceil_div(job.splits * job.outputs(), 4) * 4;
  }
  const Temporary partial(4 * floats);
  float* next = partial.as<float>();
  int pieces = 0;
  for (int i = 0; i < count; ++i) {
    Job& job = jobs.job[i];
    if (job.splits == 1) continue;
    job.partial = next;
    next += ceil_div(job.splits * job.outputs(), 4) * 4;
    split.job[pieces] = job;
    split.job[pieces++].end = gathered += ceil_div(job.outputs(), kOutputs);
  }
  if (!wide)
    multiply<Any>(jobs, blocks);
  else if (cut.shape == 0)
    multiply<Small>(jobs, blocks);
  else if (cut.shape == 1)
    multiply<Square>(jobs, blocks);
  else
    multiply<Wide>(jobs, blocks);
  each_block(gathered, kOutputs * kParts, kOutputs * kParts * int64_t(sizeof(float)), Gather{split},
             "tile_product");
}

/// use(products, how many, whether 16 bytes at once) for those that can share a launch.
template <class Use>
void each_alike(const TileProduct* products, int count, Use use) {
  TileProduct alike[kMaxTileProducts];
  for (const bool wide : {true, false}) {
    int n = 0;
    for (int i = 0; i < count; ++i)
      if (is_wide(products[i]) == wide) alike[n++] = products[i];
    if (n > 0) use(alike, n, wide);
  }
}

}  // namespace

void run(const TileProduct* products, int count, const TileCut& cut) {
  each_alike(products, count, [&](const TileProduct* alike, int n, bool wide) {
    run_alike(alike, n, wide ? cut : TileCut{0, cut.slabs}, wide);
  });
}

void run(const TileProduct* products, int count) {
  each_alike(products, count, [&](const TileProduct* alike, int n, bool wide) {
    run_alike(alike, n, best_cut(alike, n, gpu_limits(), wide ? kTileShapes : 1), wide);
  });
}

}  // namespace uncial::cuda
