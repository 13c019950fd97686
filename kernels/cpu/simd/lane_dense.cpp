// All three products are sums of a vector times a broadcast scalar (lane_dense_block.h). The weights and dy
// are read as scalars where they lie; only the weight gradient rearranges x, so that its samples become the
// summed index and its features the lanes: no sum over lanes is left at the end. Every sum runs over its
// index in ascending order, however the blocks are cut.

#include "lane_dense.h"

#include "lane_dense_block.h"
#include "lane_doubles.h"
#include "lane_transpose.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneMatrix;

/// The forward product walks over the summed index in chunks so long that starting a block of sums and
/// storing it cost little. Their vectors (4 groups: 256 KB) come from the second-level cache, in order, which
/// the hardware keeps up with: four loads and six broadcasts go with 24 multiply-adds.
constexpr int64_t kChunk = 1024, kLastChunk = 1536;
/// The input gradient's vectors (4 groups: 24 KB, 32 KB for a last chunk) stay in the first-level cache,
/// since the copied weights come from the second one.
constexpr int64_t kShortChunk = 96, kLastShortChunk = 128;
/// Features of dw that are finished before the next ones begin, and groups that are added up before their
/// next ones: what they need of dy stays in the second-level cache.
constexpr int64_t kWidth = kMaxVectors * kLanes, kGroups = 16;
/// Features of dx that are finished before the next ones begin: the weights of one strip are
/// copied side by side (48 KB), because their rows may all compete for the same few places of the cache.
constexpr int64_t kStrip = 96;

constexpr int64_t chunk(int64_t left) { return left <= kLastChunk ? left : kChunk; }
constexpr int64_t short_chunk(int64_t left) { return left <= kLastShortChunk ? left : kShortChunk; }

// Between products, what the next ones need is fetched into the second-level cache, where the hardware would
// see no pattern or the memory does not fit a cache; elsewhere the instructions cost 6 % and save nothing.
// The gradients look beyond d1, because a caller goes on there.
constexpr int64_t kPage = 1024;      // floats; the hardware looks ahead within a page
constexpr int64_t kCache = 1 << 18;  // floats
constexpr int64_t kFew = 32;         // outputs: with fewer, the products are shorter than the fetching

/// Length of a share of `length`, for each of `outputs` outputs: a product of `rows` outputs fetches `rows`
/// shares.
constexpr int64_t share(int64_t length, int64_t outputs) { return (length + outputs - 1) / outputs; }

void forward(const LaneMatrix& x, int64_t groups, const float* w, int64_t pitch, const float* bias,
             const LaneMatrix& y, int64_t k0, int64_t k1, int64_t d0, int64_t d1, bool add, bool relu) {
  const bool far_w = pitch >= kPage, far_x = groups * (d1 - d0) * kLanes >= kCache && k1 - k0 >= kFew;
  int64_t d = d0;
  do {  // once without features too: y is the bias then
    const int64_t count = chunk(d1 - d), next = chunk(d1 - d - count), ahead = share(next * kLanes, k1 - k0);
    for_groups(groups, [&](int64_t g, int64_t vectors) {
      const float* from = x.data + g * x.distance + d * kLanes;
      for_outputs(k1 - k0, vectors, [&](int64_t i, int64_t rows, Multiply multiply) {
        const float* scalars = w + (k0 + i) * pitch + d;
        if (far_w && g == 0) fetch(scalars + count, rows, pitch, next);
        if (far_x) fetch(from + count * kLanes + i * ahead, vectors, x.distance, rows * ahead);
        multiply({.scalars = scalars,
                  .out_step = pitch,
                  .in_step = 1,
                  .run = count,
                  .run_step = 0,
                  .vectors = from,
                  .vector_step = x.distance,
                  .vector_in_step = kLanes,
                  .count = count,
                  .start = bias && d == d0 ? bias + k0 + i : kZeros,
                  .add = add || d > d0,
                  .relu = relu && d + count == d1,
                  .y = y.data + g * y.distance + (k0 + i) * kLanes,
                  .y_out_step = kLanes,
                  .y_vector_step = y.distance});
      });
    });
    d += count;
  } while (d < d1);
}

[[gnu::always_inline]] inline void copy(const float* from, int64_t n, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i));
  for (; i < n; ++i) to[i] = from[i];
}

/// dx of features [d, d + width), from outputs [k, k + count).
void gradient_strip(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t k,
                    int64_t count, const LaneMatrix& dx, int64_t d, int64_t width, int64_t next,
                    bool far_dx) {
  float tile[kLastShortChunk * kStrip];
  for (int64_t i = 0; i < count; ++i) copy(w + (k + i) * pitch + d, width, tile + i * kStrip);
  for_groups(groups, [&](int64_t g, int64_t vectors) {
    float* to = dx.data + g * dx.distance + d * kLanes;
    for_outputs(width, vectors, [&](int64_t i, int64_t rows, Multiply multiply) {
      const int64_t first = i * count / width, last = (i + rows) * count / width;
      if (g == 0) fetch(w + (k + first) * pitch + d + width, last - first, pitch, next);
      if (far_dx && k == 0) fetch<true>(to + (width + i) * kLanes, vectors, dx.distance, rows * kLanes);
      multiply({.scalars = tile + i,
                .out_step = 1,
                .in_step = kStrip,
                .run = count,
                .run_step = 0,
                .vectors = dy.data + g * dy.distance + k * kLanes,
                .vector_step = dy.distance,
                .vector_in_step = kLanes,
                .count = count,
                .start = kZeros,
                .add = k > 0,
                .relu = false,
                .y = to + i * kLanes,
                .y_out_step = kLanes,
                .y_vector_step = dx.distance});
    });
  });
}

void input_gradient(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t K,
                    const LaneMatrix& dx, int64_t d0, int64_t d1) {
  const bool far_dx = groups * (d1 - d0) * kLanes >= kCache;
  for (int64_t d = d0; d < d1; d += kStrip) {
    const int64_t width = lesser(kStrip, d1 - d), next = lesser(kStrip, pitch - d - width);
    int64_t k = 0;
    do {
      const int64_t count = short_chunk(K - k);
      gradient_strip(dy, groups, w, pitch, k, count, dx, d, width, next, far_dx);
      k += count;
    } while (k < K);
  }
}

/// Features [d, d + kLanes) of a group, one vector a sample; zeros from feature `end` on.
[[gnu::always_inline]] inline void load_turned(const float* x, int64_t d, int64_t end, V* rows) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) rows[i] = d + i < end ? load(x + (d + i) * kLanes) : V{};
  transpose_square(rows);
}

/// to[n][0 ... vectors * kLanes - 1] = x[d ...][n]: `width` features, then zeros, of all samples.
void turn(const LaneMatrix& x, int64_t groups, int64_t d, int64_t width, int64_t vectors, float* to) {
  for (int64_t g = 0; g < groups; ++g, to += kLanes * vectors * kLanes)
    for (int64_t v = 0; v < vectors; ++v) {
      V rows[kLanes];
      load_turned(x.data + g * x.distance, d + v * kLanes, d + width, rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(to + (i * vectors + v) * kLanes, rows[i]);
    }
}

/// to (=, or += when `add`) `rows` rows of `width` floats.
void put(const float* tile, int64_t rows, int64_t width, bool add, float* to, int64_t pitch) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      to[i * pitch + j] = (add ? to[i * pitch + j] : 0) + tile[i * kWidth + j];
}

/// dw of features [d, d + width) from all of `samples`; `next` features follow.
void weight_strip(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples, float* dw,
                  int64_t pitch, int64_t K, int64_t d, int64_t width, int64_t next, bool add,
                  float* workspace) {
  const int64_t vectors = (width + kLanes - 1) / kLanes;
  const bool whole = width == vectors * kLanes;
  turn(x, groups, d, width, vectors, workspace);
  float tile[12 * kWidth];  // for a last block that is no whole number of vectors
  Product p{.scalars = nullptr,
            .out_step = kLanes,
            .in_step = 1,
            .run = kLanes,
            .run_step = dy.distance,
            .vectors = workspace,
            .vector_step = kLanes,
            .vector_in_step = vectors * kLanes,
            .count = samples,
            .start = kZeros,
            .add = add && whole,
            .relu = false,
            .y = tile,
            .y_out_step = whole ? pitch : kWidth,
            .y_vector_step = kLanes};
  for_outputs(K, vectors, [&](int64_t k, int64_t rows, Multiply multiply) {
    float* to = dw + k * pitch + d;
    fetch<true>(to + width, rows, pitch, next);
    p.scalars = dy.data + k * kLanes;
    if (whole) p.y = to;
    multiply(p);
    if (!whole) put(tile, rows, width, add, to, pitch);
  });
}

void weight_gradient(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples, float* dw,
                     int64_t pitch, int64_t K, int64_t d0, int64_t d1, bool add, float* workspace) {
  for (int64_t g = 0; g < groups; g += kGroups) {
    const int64_t count = lesser(kGroups, groups - g);
    const int64_t real = (count - 1) * kLanes + (g + count == groups ? samples : kLanes);
    for (int64_t d = d0; d < d1; d += kWidth) {
      const int64_t width = lesser(kWidth, d1 - d), next = lesser(kWidth, pitch - d - width);
      weight_strip({dy.data + g * dy.distance, dy.distance}, {x.data + g * x.distance, x.distance}, count,
                   real, dw, pitch, K, d, width, next, add || g > 0, workspace);
    }
  }
}

void lane_sums(const float* x, int64_t D, int64_t samples, double* sums) {
  for (int64_t d = 0; d < D; d += kLanes) {
    V rows[kLanes];
    load_turned(x, d, D, rows);
    LaneDoubles total;
    for (int64_t n = 0; n < samples; ++n) total.add(rows[n]);
    double lanes[kLanes];
    total.to(lanes);
    for (int64_t i = 0; i < lesser(kLanes, D - d); ++i) sums[d + i] = lanes[i];
  }
}

}  // namespace

extern const uncial::cpu::LaneDenseSimd lane_dense_simd = {kLanes, forward, input_gradient, weight_gradient,
                                                           lane_sums};

}  // namespace UNCIAL_SIMD
