#include "loss_head.h"

#include "factor_format.h"
#include "grid.h"
#include "uncial/kernels/dropout.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

constexpr int kRowThreads = 128, kRows = 4, kParts = 64, kColumns = 8;
constexpr int kAhead = 4;   ///< rows whose loads are under way together
constexpr int kPieces = 8;  ///< of a row's partial sums, in the second of three steps

UNCIAL_BODY inline float factor(const LossHead& h, float value) { return rounded_factor(h.precision, value); }

/// Rows of logits, their losses, and gradients with respect to logits and z. kRowThreads threads take a row,
/// each of them groups of four features, whose dropout is one draw.
struct Rows4 {
  LossHead h;
  Fault* fault;

  struct Shared {
    float *w, *partial, *pieces, *logits, *dlogits;
    double* exponentials;
  };
  /// Of weights in shared memory: whole fours, the last filled up with zeros.
  UNCIAL_BODY static int row_of(const LossHead& h) { return (h.features + 3) / 4 * 4; }
  UNCIAL_BODY Shared shared_of(const Block& block) const {
    auto* exponentials = block.memory<double>();
    auto* w = reinterpret_cast<float*>(exponentials + kRows * kMaxHeadClasses);
    float* partial = w + int64_t(h.classes) * row_of(h);
    float* pieces = partial + kRows * kRowThreads * h.classes;
    float* logits = pieces + kRows * kPieces * h.classes;
    return {w, partial, pieces, logits, logits + kRows * h.classes, exponentials};
  }
  static int64_t shared_bytes(const LossHead& h) {
    const int64_t floats = int64_t(h.classes) * row_of(h) + kRows * h.classes * (kRowThreads + kPieces + 2);
    return floats * int64_t(sizeof(float)) + kRows * kMaxHeadClasses * int64_t(sizeof(double));
  }

  struct Four {
    float x[4], pass[4];  ///< what a feature becomes, and the factor of its gradient
  };
  UNCIAL_BODY Four activated(int64_t row, int first) const {
    Four four;
    const float* z = h.z + row * h.features + first;
    const bool drops = h.dropout_state != nullptr;
    uint32_t words[4] = {0, 0, 0, 0};
    if (drops) {
      const auto drawn =
          DropoutMask::of(h.dropout_state, h.threshold).row(h.samples[row]).block(uint64_t(first / 4));
      for (int j = 0; j < 4; ++j) words[j] = drawn[size_t(j)];
    }
    for (int j = 0; j < 4; ++j) {
      const float value = first + j < h.features ? z[j] : 0.0f;
      const bool keeps = !drops || words[j] >= h.threshold, dead = h.relu && value <= 0;
      const float kept = dead ? 0.0f : value;
      four.x[j] = keeps ? factor(h, drops ? kept * h.scale : kept) : 0.0f;
      four.pass[j] = dead || !keeps ? 0.0f : drops ? h.scale : 1.0f;
    }
    return four;
  }

  UNCIAL_BODY void operator()(const Block& block) const {
    const Shared s = shared_of(block);
    const int row = row_of(h);
    move_ahead(
        block, h.classes * row,
        [&](int i) {
          const int c = by_row.quotient(i), f = by_row.remainder(i, c);
          return f < h.features ? h.w[c * h.features + f] : 0.0f;
        },
        [&](int i, float w) { s.w[i] = factor(h, w); });
    for (int64_t first = block.index * kRows; first < h.N; first += blocks * kRows) {
      logits(block, s, first);
      gradients(block, s, first);
    }
  }
  UNCIAL_BODY void logits(const Block& block, const Shared& s, int64_t first) const {
    block.each_thread([&](int t) {
      const int64_t row = first + t / kRowThreads;
      float sums[kMaxHeadClasses];
      UNCIAL_UNROLL
      for (float& sum : sums) sum = 0;
      if (row < h.N)
        for (int f = 4 * (t % kRowThreads); f < h.features; f += 4 * kRowThreads) {
          const Four four = activated(row, f);
          for (int j = 0; j < 4 && f + j < h.features; ++j) h.x[row * h.features + f + j] = four.x[j];
          UNCIAL_UNROLL
          for (int c = 0; c < kMaxHeadClasses; ++c)
            if (c < h.classes) {
              const Float4 w = weights(s, c, f);
              UNCIAL_UNROLL
              for (int j = 0; j < 4; ++j) sums[c] += four.x[j] * w.v[j];
            }
        }
      UNCIAL_UNROLL
      for (int c = 0; c < kMaxHeadClasses; ++c)
        if (c < h.classes)
          s.partial[(t / kRowThreads * h.classes + c) * kRowThreads + t % kRowThreads] = sums[c];
    });
    constexpr int kPiece = kRowThreads / kPieces;
    block.each_thread([&](int t) {
      for (int i = t; i < kRows * h.classes * kPieces; i += block.threads) {
        float sum = 0;
        // Each starts elsewhere, so that neighbours read different banks.
        for (int k = 0; k < kPiece; ++k)
          sum += s.partial[i / kPieces * kRowThreads + k * kPieces + i % kPieces];
        s.pieces[i] = sum;
      }
    });
    block.each_thread([&](int t) {
      if (t >= kRows * h.classes) return;
      float sum = h.bias ? h.bias[t % h.classes] : 0.0f;
      for (int k = 0; k < kPieces; ++k) sum += s.pieces[t * kPieces + k];
      s.logits[t] = sum;
      if (h.logits && first + t / h.classes < h.N) h.logits[first * h.classes + t] = sum;
    });
  }
  /// The label of a row; one that is no class is noted, and counts as 0.
  UNCIAL_BODY int label(int64_t row) const {
    const int64_t value = h.labels[row];
    if (value >= 0 && value < h.classes) return int(value);
    note(fault, {kLabel, 0, value, row, h.classes});
    return 0;
  }
  UNCIAL_BODY void gradients(const Block& block, const Shared& s, int64_t first) const {
    const auto of_class = [&](int t, auto use) {
      const int row = t / kMaxHeadClasses, c = t % kMaxHeadClasses;
      if (row < kRows && first + row < h.N && c < h.classes) use(row, c);
    };
    block.each_thread([&](int t) {
      of_class(t, [&](int row, int c) {
        const float* logits = s.logits + row * h.classes;
        s.exponentials[t] = double(math::exp(float(double(logits[c]) - largest(logits))));
      });
    });
    block.each_thread([&](int t) {
      of_class(t, [&](int row, int c) {
        softmax(s.logits + row * h.classes, s.exponentials + row * kMaxHeadClasses, first + row, c,
                s.dlogits + row * h.classes);
      });
    });
    block.each_thread([&](int t) {
      const int64_t row = first + t / kRowThreads;
      if (row >= h.N) return;
      const float* d = s.dlogits + t / kRowThreads * h.classes;
      if (const int c = t % kRowThreads; c < kMaxHeadClasses)
        h.dlogits[row * kMaxHeadClasses + c] = c < h.classes ? d[c] : 0.0f;
      if (!h.dz) return;
      float factors[kMaxHeadClasses];
      UNCIAL_UNROLL
      for (int c = 0; c < kMaxHeadClasses; ++c) factors[c] = c < h.classes ? factor(h, d[c]) : 0.0f;
      for (int f = 4 * (t % kRowThreads); f < h.features; f += 4 * kRowThreads) {
        const Four four = activated(row, f);
        Float4 sum{};
        UNCIAL_UNROLL
        for (int c = 0; c < kMaxHeadClasses; ++c)
          if (c < h.classes) {
            const Float4 w = weights(s, c, f);
            UNCIAL_UNROLL
            for (int j = 0; j < 4; ++j) sum.v[j] += factors[c] * w.v[j];
          }
        for (int j = 0; j < 4 && f + j < h.features; ++j)
          h.dz[row * h.features + f + j] = sum.v[j] * four.pass[j];
      }
    });
  }
  UNCIAL_BODY Float4 weights(const Shared& s, int c, int f) const {
    return *reinterpret_cast<const Float4*>(s.w + c * row_of(h) + f);
  }
  UNCIAL_BODY double largest(const float* logits) const {
    float most = logits[0];
    for (int c = 1; c < h.classes; ++c) most = most < logits[c] ? logits[c] : most;
    return double(most);
  }
  /// Class c of one row's gradient, and once the row's loss: as cross_entropy.cu does it.
  UNCIAL_BODY void softmax(const float* logits, const double* exponentials, int64_t row, int c,
                           float* dlogits) const {
    const int right = label(row);
    double sum = 0;
    for (int k = 0; k < h.classes; ++k) sum += exponentials[k];
    float p = float(exponentials[c] / sum);
    if (c == right) p -= float(1 - h.smoothing);
    const double share = h.smoothing / double(h.classes);
    dlogits[c] = float((double(p) - share) / double(h.N)) * *h.dloss;
    if (c > 0) return;
    const double log_sum = largest(logits) + math::log(sum), of_label = log_sum - double(logits[right]);
    double mean = 0;
    if (h.smoothing != 0)
      for (int k = 0; k < h.classes; ++k) mean += log_sum - double(logits[k]);
    h.row_losses[row] =
        h.smoothing == 0 ? of_label : (1 - h.smoothing) * of_label + h.smoothing * mean / double(h.classes);
  }

  int64_t blocks;
  Divider by_row;
};

/// Weight and bias gradients, and the mean loss: sums over rows, kParts pieces of them at once. The bias is
/// one feature more, whose x is 1.
struct Columns {
  LossHead h;

  static int64_t shared_bytes(const LossHead& h) {
    return int64_t(kParts) * kColumns * h.classes * int64_t(sizeof(float));
  }
  /// Some rows at once, so that their loads are under way together.
  UNCIAL_BODY void add(int64_t n, int f, float (&sums)[kMaxHeadClasses]) const {
    const bool bias = f == h.features;
    float x[kAhead], d[kAhead][kMaxHeadClasses];
    UNCIAL_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      const int64_t row = n + k * kParts;
      x[k] = row >= h.N ? 0.0f : bias ? 1.0f : h.x[row * h.features + f];
      UNCIAL_UNROLL
      for (int c = 0; c < kMaxHeadClasses; c += 4) {
        const Float4 four = row < h.N && c < h.classes
                                ? *reinterpret_cast<const Float4*>(h.dlogits + row * kMaxHeadClasses + c)
                                : Float4{};
        UNCIAL_UNROLL
        for (int j = 0; j < 4; ++j) d[k][c + j] = four.v[j];
      }
    }
    UNCIAL_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      UNCIAL_UNROLL
      for (int c = 0; c < kMaxHeadClasses; ++c)
        if (c < h.classes) sums[c] += x[k] * (bias && !h.round_bias ? d[k][c] : factor(h, d[k][c]));
    }
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    float* partial = block.memory<float>();
    const int first = int(block.index) * kColumns;
    block.each_thread([&](int t) {
      const int f = first + t % kColumns, part = t / kColumns;
      float sums[kMaxHeadClasses];
      UNCIAL_UNROLL
      for (float& sum : sums) sum = 0;
      if (f <= h.features)
        for (int64_t n = part; n < h.N; n += kAhead * kParts) add(n, f, sums);
      UNCIAL_UNROLL
      for (int c = 0; c < kMaxHeadClasses; ++c)
        if (c < h.classes) partial[(c * kParts + part) * kColumns + t % kColumns] = sums[c];
    });
    block.each_thread([&](int t) {
      const int f = first + t % kColumns;
      for (int c = t / kColumns; c < h.classes; c += kParts) {
        float sum = 0;
        for (int part = 0; part < kParts; ++part)
          sum += partial[(c * kParts + part) * kColumns + t % kColumns];
        if (f < h.features && h.dw) h.dw[int64_t(c) * h.features + f] = sum;
        if (f == h.features && h.dbias) h.dbias[c] = sum;
      }
    });
    if (block.index != 0) return;
    const double total = block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t n = t; n < h.N; n += block.threads) sum += h.row_losses[n];
      return sum;
    });
    block.each_thread([&](int t) {
      if (t == 0) *h.loss = float(total / double(h.N));
    });
  }
};

}  // namespace

void run(const LossHead& head) {
  const int64_t groups = (head.N + kRows - 1) / kRows, most = 2 * gpu_limits().multiprocessors;
  const int64_t blocks = groups < most ? groups : most;
  each_block<kRows * kRowThreads>(blocks, kRows * kRowThreads, Rows4::shared_bytes(head),
                                  Rows4{head, fault_place(), blocks, Divider(Rows4::row_of(head))},
                                  "loss_head");
  each_block<kParts * kColumns>(head.features / kColumns + 1, kParts * kColumns, Columns::shared_bytes(head),
                                Columns{head}, "loss_head");
}

}  // namespace uncial::cuda
