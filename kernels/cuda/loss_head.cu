#include "loss_head.h"

#include "loss_head_row.h"

namespace uncial::cuda {
namespace {

using namespace head;

constexpr int kAhead = 4;  ///< rows whose loads are under way together
constexpr int kColumnThreads = 512;

/// Weight gradients: sums over rows, kParts pieces of them at once. The last block has the bias gradient and
/// the mean loss.
template <class Format, int kColumns, int kFours>
struct Columns {
  static constexpr int kParts = kColumnThreads / kColumns, kClasses = 4 * kFours;
  LossHead h;
  int64_t blocks;

  static int64_t shared_bytes() { return int64_t(kColumnThreads) * kClasses * int64_t(sizeof(float)); }

  /// Some rows at once, so that their loads are under way together.
  UNCIAL_BODY void add(int64_t n, int f, float (&sums)[kClasses]) const {
    float x[kAhead];
    Float4 d[kAhead][kFours];
    UNCIAL_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      const int64_t row = n + k * kParts, at = row < h.N ? row : n;
      x[k] = row < h.N ? h.x[at * h.features + f] : 0.0f;
      UNCIAL_UNROLL
      for (int c = 0; c < kFours; ++c)
        d[k][c] = *reinterpret_cast<const Float4*>(h.dlogits + at * kMaxHeadClasses + 4 * c);
    }
    UNCIAL_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      UNCIAL_UNROLL
      for (int c = 0; c < kClasses; ++c) {
        if (c % 4 == 0 && h.rounds()) d[k][c / 4] = rounded<Format>(d[k][c / 4]);
        sums[c] += x[k] * d[k][c / 4].v[c % 4];
      }
    }
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    if (block.index == blocks - 1) return ends(block);
    float* partial = block.memory<float>();
    const int first = int(block.index) * kColumns;
    block.each_thread([&](int t) {
      const int f = first + t % kColumns;
      float sums[kClasses];
      UNCIAL_UNROLL
      for (float& sum : sums) sum = 0;
      if (f < h.features)
        for (int64_t n = t / kColumns; n < h.N; n += kAhead * kParts) add(n, f, sums);
      UNCIAL_UNROLL
      for (int c = 0; c < kClasses; ++c) partial[c * kColumnThreads + t] = sums[c];
    });
    block.each_thread([&](int t) {
      const int f = first + t % kColumns;
      if (f >= h.features || !h.dw) return;
      for (int c = t / kColumns; c < h.classes; c += kParts)
        h.dw[int64_t(c) * h.features + f] = total(partial + c * kColumnThreads + t % kColumns, kColumns);
    });
  }
  template <int kCount = kParts>
  UNCIAL_BODY static float total(const float* parts, int step) {
    float sum = 0;
    UNCIAL_UNROLL
    for (int part = 0; part < kCount; ++part) sum += parts[part * step];
    return sum;
  }
  UNCIAL_BODY void ends(const Block& block) const {
    constexpr int kRows = kColumnThreads / kMaxHeadClasses;
    float* partial = block.memory<float>();
    block.each_thread([&](int t) {
      float sum = 0;
      if (t % kMaxHeadClasses < h.classes)
        for (int64_t n = t / kMaxHeadClasses; n < h.N; n += kRows) {
          const float d = h.dlogits[n * kMaxHeadClasses + t % kMaxHeadClasses];
          sum += h.round_bias ? Format::rounded(d) : d;
        }
      partial[t] = sum;
    });
    block.each_thread([&](int t) {
      if (h.dbias && t < h.classes) h.dbias[t] = total<kRows>(partial + t, kMaxHeadClasses);
    });
    const double losses = block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t n = t; n < h.N; n += block.threads) sum += h.row_losses[n];
      return sum;
    });
    block.each_thread([&](int t) {
      if (t == 0) *h.loss = float(losses / double(h.N));
    });
  }
};

template <class Format, int kColumns, int kFours>
void add_columns(const LossHead& h) {
  using Body = Columns<Format, kColumns, kFours>;
  const int64_t blocks = ceil_div(int64_t(h.features), int64_t(kColumns)) + 1;
  each_block<kColumnThreads>(blocks, kColumnThreads, Body::shared_bytes(), Body{h, blocks}, "loss_head");
}

/// One block a row: while there are few of them, with all threads that have something to do.
template <class Format, int kFours>
void run_fours(const LossHead& h) {
  const Row<Format, kFours> row{h, fault_place(), reads_fours(h)};
  const int64_t fours = ceil_div(int64_t(h.features), int64_t(4));
  if (h.N <= 2 * gpu_limits().multiprocessors) {
    each_block<kMostRowThreads>(h.N, threads_for(fours, kMostRowThreads), kRowSharedBytes, row, "loss_head");
    add_columns<Format, 16, kFours>(h);
  } else {
    constexpr int kThreads = 128, kResident = 5;
    each_block<kThreads, kResident>(h.N, threads_for(fours, kThreads), kRowSharedBytes, row, "loss_head");
    add_columns<Format, 8, kFours>(h);
  }
}

template <class Format>
void run_classes(const LossHead& h) {
  if (h.classes <= 4)
    run_fours<Format, 1>(h);
  else if (h.classes <= 8)
    run_fours<Format, 2>(h);
  else if (h.classes <= 12)
    run_fours<Format, 3>(h);
  else
    run_fours<Format, 4>(h);
}

}  // namespace

void run(const LossHead& head) {
  if (head.precision == Precision::fp16)
    run_classes<Float16Format>(head);
  else
    run_classes<Bfloat16Format>(head);
}

}  // namespace uncial::cuda
