#include "tile_product.h"

#include <algorithm>

#include "partial_sums.h"
#include "tile_multiplier.h"
#include "uncial/core/shape.h"

namespace uncial::cuda {
namespace {

using namespace tiles;

template <class Format, class Shape>
struct Products {
  Jobs jobs;

  UNCIAL_BODY void operator()(const Block& block) const {
    int64_t index = block.index;
    const Job& job = jobs.of(index);
    const int tiles = job.row_tiles * job.column_tiles, tile = int(index % tiles),
              column = tile / job.row_tiles;
    const int m0 = tile % job.row_tiles * Shape::kM, n0 = column * Shape::kN, split = int(index / tiles);
    const bool sums_a = job.a_sums && column == 0;
    float* to = job.partial ? job.partial + split * job.partial_pitch() : job.c;
    float* to_sums = job.partial ? to + int64_t(job.M()) * job.N() : job.a_sums;
    if (job.a.by_k && job.b.by_k)
      Multiplier<Format, Shape, true, true>{block, job, m0, n0, split, sums_a}.run(to, to_sums);
    else if (job.a.by_k)
      Multiplier<Format, Shape, true, false>{block, job, m0, n0, split, sums_a}.run(to, to_sums);
    else if (job.b.by_k)
      Multiplier<Format, Shape, false, true>{block, job, m0, n0, split, sums_a}.run(to, to_sums);
    else
      Multiplier<Format, Shape, false, false>{block, job, m0, n0, split, sums_a}.run(to, to_sums);
  }
};

using SplitSums = PartialSums<64, 16>;
constexpr int kOutputs = 64;  // of a block

template <class Format>
struct Gather {
  Jobs jobs;

  UNCIAL_BODY void operator()(const Block& block) const {
    int64_t index = block.index;
    const Job& job = jobs.of(index);
    const int64_t first = index * kOutputs, products = int64_t(job.M()) * job.N();
    SplitSums::add(block, job.partial + first, job.partial_pitch(), job.splits, job.outputs() - first,
                   [&](int column, float sum) {
                     const int64_t i = first + column;
                     if (i < products)
                       job.c[i] = job.template finished<Format>(sum, job.bias ? int(i % job.N()) : 0);
                     else
                       job.a_sums[i - products] = sum;
                   });
  }
};

Factor factor_of(const TileFactor& f, int64_t extent, int64_t K) {
  const bool by_k = f.k_step == 1 || f.step != 1;
  const int64_t inside = by_k ? f.k_step : f.step, across = by_k ? f.step : f.k_step,
                count = by_k ? K : extent;
  return {f, int(extent), by_k,
          inside == 1 && across % 4 == 0 && count % 4 == 0 && reinterpret_cast<uintptr_t>(f.data) % 16 == 0};
}

struct Extents {
  int M, N, K;
  int resident;
};
template <class Shape>
constexpr Extents extents_of() {
  return {Shape::kM, Shape::kN, Shape::kK, Shape::kResident};
}
constexpr Extents kShapes[kTileShapes] = {extents_of<Small>(), extents_of<Square>(), extents_of<Wide>(),
                                          extents_of<Large>()};

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

template <class Format, class Shape>
void multiply(const Jobs& jobs, int64_t blocks) {
  each_block<Shape::kThreads, Shape::kResident>(blocks, Shape::kThreads, kSharedBytes<Shape>,
                                                Products<Format, Shape>{jobs}, "tile_product");
}

/// Nanoseconds, roughly: what a multiprocessor gets from the second-level cache, how long a block waits for a
/// slab at least, and what another launch costs. Only their ratios matter.
constexpr double kBytesPerNs = 30, kSlabNs = 600, kSecondLaunchNs = 3000, kPartialBytesPerNs = 1500;

double estimate(const TileProduct* products, int count, const TileCut& cut, const GpuLimits& limits) {
  const Extents& e = kShapes[cut.shape];
  int64_t blocks = 0, longest = 0, partial = 0;
  double slabs = 0;  // bytes of one of each block
  for (int i = 0; i < count; ++i) {
    const Job job = job_of(products[i], cut);
    const int64_t own = tiles_of(products[i], e) * job.splits;
    blocks += own;
    slabs += double(own) * 4 * e.K * (std::min(e.M, job.M()) + std::min(e.N, job.N()));
    longest = std::max<int64_t>(longest, job.slabs);
    if (job.splits > 1) partial += job.splits * job.outputs() * 8;
  }
  const int64_t each = ceil_div(blocks, limits.multiprocessors);
  const double waiting = double(ceil_div(each, e.resident)) * kSlabNs;
  const double moving = double(each) * slabs / double(blocks) / kBytesPerNs;
  // A block alone on a multiprocessor leaves it idle while its first slab comes and its sums go.
  const int64_t ends = e.resident > 1 ? 1 : 3;
  return double(longest + ends) * std::max(waiting, moving) +
         (partial > 0 ? kSecondLaunchNs + double(partial) / kPartialBytesPerNs : 0);
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

bool is_wide(const TileProduct& p) { return factor_of(p.a, p.M, p.K).wide && factor_of(p.b, p.N, p.K).wide; }

template <class Format>
void run_alike(const TileProduct* products, int count, const TileCut& cut, bool wide) {
  Jobs jobs{}, split{};
  int64_t blocks = 0, gathered = 0, floats = 0;
  for (int i = 0; i < count; ++i) {
    Job& job = jobs.job[i] = job_of(products[i], cut);
    job.end = blocks += tiles_of(products[i], kShapes[cut.shape]) * job.splits;
    if (job.splits > 1) floats += job.splits * job.partial_pitch();
  }
  const Temporary partial(4 * floats);
  float* next = partial.as<float>();
  int pieces = 0;
  for (int i = 0; i < count; ++i) {
    Job& job = jobs.job[i];
    if (job.splits == 1) continue;
    job.partial = next;
    next += job.splits * job.partial_pitch();
    split.job[pieces] = job;
    split.job[pieces++].end = gathered += ceil_div(job.outputs(), kOutputs);
  }
  if (!wide)
    multiply<Format, Any>(jobs, blocks);
  else if (cut.shape == 0)
    multiply<Format, Small>(jobs, blocks);
  else if (cut.shape == 1)
    multiply<Format, Square>(jobs, blocks);
  else if (cut.shape == 2)
    multiply<Format, Wide>(jobs, blocks);
  else
    multiply<Format, Large>(jobs, blocks);
  each_block(gathered, SplitSums::kThreads, SplitSums::kSharedBytes, Gather<Format>{split}, "tile_product");
}

void run_alike(const TileProduct* products, int count, const TileCut& cut, bool wide) {
  if (products[0].precision == Precision::fp16)
    run_alike<Float16Format>(products, count, cut, wide);
  else
    run_alike<Bfloat16Format>(products, count, cut, wide);
}

/// use(products, how many, whether 16 bytes at once) for those that can share a launch.
template <class Use>
void each_alike(const TileProduct* products, int count, Use use) {
  TileProduct alike[kMaxTileProducts];
  for (const Precision precision : {Precision::bf16, Precision::fp16})
    for (const bool wide : {true, false}) {
      int n = 0;
      for (int i = 0; i < count; ++i)
        if (products[i].precision == precision && is_wide(products[i]) == wide) alike[n++] = products[i];
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
