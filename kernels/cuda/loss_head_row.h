#pragma once
/// @file loss_head_row.h
/// A row of a LossHead: its logits, its loss, and gradients with respect to logits and z.

#include "factor_format.h"
#include "loss_head.h"
#include "registers.h"
#include "uncial/kernels/dropout.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda::head {

inline constexpr int kMostRowThreads = 512, kMostWarps = kMostRowThreads / kWarp;
inline constexpr int64_t kRowSharedBytes =
    kMaxHeadClasses * (int64_t(sizeof(double)) + (2 + kMostWarps) * int64_t(sizeof(float)));

/// Whether four features may be read at once.
inline bool reads_fours(const LossHead& h) {
  uintptr_t all = 0;
  for (const void* p : {h.z, h.w, static_cast<const float*>(h.x), static_cast<const float*>(h.dz)})
    all |= reinterpret_cast<uintptr_t>(p);
  return all % sizeof(Float4) == 0 && h.features % 4 == 0;
}

/// One block a row. A thread takes groups of four features, whose dropout is one draw. Weights are read where
/// they lie: neighbouring blocks have them in the cache of their multiprocessor. kFours: of classes.
template <class Format, int kFours>
struct Row {
  static constexpr int kClasses = 4 * kFours;
  LossHead h;
  Fault* fault;
  bool fours;  ///< reads_fours()

  struct Shared {
    double* exponentials;
    float *logits, *dlogits, *partial;
  };
  UNCIAL_BODY static Shared shared_of(const Block& block) {
    auto* exponentials = block.memory<double>();
    auto* floats = reinterpret_cast<float*>(exponentials + kMaxHeadClasses);
    return {exponentials, floats, floats + kMaxHeadClasses, floats + 2 * kMaxHeadClasses};
  }

  /// What four features become, and the factors of their gradients.
  struct Features {
    Float4 x, pass;
  };
  /// What a thread knows from the beginning. A thread below h.classes has a class, too.
  struct Mine {
    Features first;
    float sums[kClasses];
    float bias, dloss;
    int64_t label;
  };

  UNCIAL_BODY Float4 load(const float* from, int left) const {
    if (fours) return *reinterpret_cast<const Float4*>(from);
    Float4 four{};
    for (int j = 0; j < 4; ++j)
      if (j < left) four.v[j] = from[j];
    return four;
  }
  UNCIAL_BODY void store(const Float4& four, float* to, int left) const {
    if (fours) return store_whole(to, four);
    for (int j = 0; j < 4; ++j)
      if (j < left) to[j] = four.v[j];
  }
  /// Of features f to f + 3. All are on their way before the first is used.
  UNCIAL_BODY void load_weights(Float4 (&w)[kClasses], int f) const {
    UNCIAL_UNROLL
    for (int c = 0; c < kClasses; ++c)
      w[c] = load(h.w + int64_t(c < h.classes ? c : 0) * h.features + f, h.features - f);
    if (!h.rounds()) return;
    UNCIAL_UNROLL
    for (Float4& four : w) four = rounded<Format>(four);
  }
  UNCIAL_BODY Features activated(int64_t row, int f) const {
    Features out{load(h.z + row * h.features + f, h.features - f), {}};
    const bool drops = h.dropout_state != nullptr;
    uint32_t words[4] = {0, 0, 0, 0};
    if (drops) {
      const auto drawn =
          DropoutMask::of(h.dropout_state, h.threshold).row(h.samples[row]).block(uint64_t(f / 4));
      for (int j = 0; j < 4; ++j) words[j] = drawn[size_t(j)];
    }
    for (int j = 0; j < 4; ++j) {
      const float value = out.x.v[j];
      const bool keeps = !drops || words[j] >= h.threshold, dead = h.relu && value <= 0;
      out.x.v[j] = !keeps || dead ? 0.0f : drops ? value * h.scale : value;
      out.pass.v[j] = !keeps || dead ? 0.0f : drops ? h.scale : 1.0f;
    }
    if (h.rounds()) out.x = rounded<Format>(out.x);
    return out;
  }

  UNCIAL_BODY void operator()(const Block& block) const {
    const Shared s = shared_of(block);
    const int64_t row = block.index;
    PerThread<Mine, kMostRowThreads> mine;
    each_thread_without_waiting(block, [&](int t) { start(row, t, block.threads, mine.of(t)); });
    each_warp(block, [&](const Warp& warp) {
      UNCIAL_UNROLL
      for (int c = 0; c < kClasses; ++c) {
        const float sum = warp.sum([&](int lane) { return mine.of(warp.index * kWarp + lane).sums[c]; });
        warp.once([&] { s.partial[c * kMostWarps + warp.index] = sum; });
      }
    });
    block.each_thread([&](int t) {
      if (t >= h.classes) return;
      float sum = mine.of(t).bias;
      for (int w = 0; w < block.threads / kWarp; ++w) sum += s.partial[t * kMostWarps + w];
      s.logits[t] = sum;
      if (h.logits) h.logits[row * h.classes + t] = sum;
    });
    block.each_thread([&](int t) {
      if (t < h.classes)
        s.exponentials[t] = double(math::exp(float(double(s.logits[t]) - largest(s.logits))));
    });
    block.each_thread([&](int t) {
      if (t >= kMaxHeadClasses) return;
      s.dlogits[t] = t < h.classes ? gradient(s, row, t, mine.of(t)) : 0.0f;
      h.dlogits[row * kMaxHeadClasses + t] = s.dlogits[t];
    });
    block.each_thread([&](int t) {
      if (h.dz) input_gradient(s.dlogits, row, t, block.threads, mine.of(t).first);
    });
  }

  UNCIAL_BODY void start(int64_t row, int t, int threads, Mine& mine) const {
    mine = Mine{};
    if (t < h.classes) {
      mine.bias = h.bias ? h.bias[t] : 0.0f;
      mine.dloss = *h.dloss;
      mine.label = h.labels[row];
    }
    for (int f = 4 * t; f < h.features; f += 4 * threads) {
      Float4 w[kClasses];
      load_weights(w, f);
      const Features now = activated(row, f);
      store(now.x, h.x + row * h.features + f, h.features - f);
      if (f == 4 * t) mine.first = now;
      UNCIAL_UNROLL
      for (int c = 0; c < kClasses; ++c) {
        UNCIAL_UNROLL
        for (int j = 0; j < 4; ++j) mine.sums[c] += now.x.v[j] * w[c].v[j];
      }
    }
  }
  UNCIAL_BODY double largest(const float* logits) const {
    float most = logits[0];
    for (int c = 1; c < h.classes; ++c) most = most < logits[c] ? logits[c] : most;
    return double(most);
  }
  /// The label of a row; one that is no class is noted, and counts as 0.
  UNCIAL_BODY int right_class(int64_t row, int64_t label) const {
    if (label >= 0 && label < h.classes) return int(label);
    note(fault, {kLabel, 0, label, row, h.classes});
    return 0;
  }
  /// Class c of the row's gradient, and once the row's loss: as cross_entropy.cu does it.
  UNCIAL_BODY float gradient(const Shared& s, int64_t row, int c, const Mine& mine) const {
    const int right = right_class(row, mine.label);
    double sum = 0;
    for (int k = 0; k < h.classes; ++k) sum += s.exponentials[k];
    if (c == 0) h.row_losses[row] = loss(s.logits, sum, right);
    float p = float(s.exponentials[c] / sum);
    if (c == right) p -= float(1 - h.smoothing);
    const double share = h.smoothing / double(h.classes);
    return float((double(p) - share) / double(h.N)) * mine.dloss;
  }
  UNCIAL_BODY double loss(const float* logits, double sum, int right) const {
    const double log_sum = largest(logits) + math::log(sum), of_label = log_sum - double(logits[right]);
    if (h.smoothing == 0) return of_label;
    double mean = 0;
    for (int k = 0; k < h.classes; ++k) mean += log_sum - double(logits[k]);
    return (1 - h.smoothing) * of_label + h.smoothing * mean / double(h.classes);
  }
  UNCIAL_BODY void input_gradient(const float* dlogits, int64_t row, int t, int threads,
                                  const Features& first) const {
    Float4 d[kFours];
    UNCIAL_UNROLL
    for (int c = 0; c < kFours; ++c) {
      d[c] = *reinterpret_cast<const Float4*>(dlogits + 4 * c);
      if (h.rounds()) d[c] = rounded<Format>(d[c]);
    }
    for (int f = 4 * t; f < h.features; f += 4 * threads) {
      Float4 w[kClasses];
      load_weights(w, f);
      const Features now = f == 4 * t ? first : activated(row, f);
      Float4 sum{};
      UNCIAL_UNROLL
      for (int c = 0; c < kClasses; ++c) {
        UNCIAL_UNROLL
        for (int j = 0; j < 4; ++j) sum.v[j] += d[c / 4].v[c % 4] * w[c].v[j];
      }
      UNCIAL_UNROLL
      for (int j = 0; j < 4; ++j) sum.v[j] *= now.pass.v[j];
      store(sum, h.dz + row * h.features + f, h.features - f);
    }
  }
};

}  // namespace uncial::cuda::head
