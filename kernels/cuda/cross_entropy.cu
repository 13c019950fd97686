#include "uncial/kernels/cross_entropy.h"

#include "grid.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

template <class T>
struct CrossEntropy {
  Rows<const T> logits;
  const int64_t* labels;
  const T* class_weights;
  double smoothing;
  double* row_losses;
  T *loss, *gradient;
  Fault* fault;

  /// The label of a row; one that is no class is noted, and counts as 0.
  UNCIAL_BODY int64_t label(int64_t row) const {
    const int64_t value = labels[row];
    if (value >= 0 && value < logits.cols) return value;
    note(fault, {kLabel, 0, value, row, logits.cols});
    return 0;
  }
  UNCIAL_BODY double weight(int64_t row) const {
    return class_weights ? double(class_weights[label(row)]) : 1.0;
  }

  /// Loss and gradient of one row; the gradient lacks the division by all weights.
  UNCIAL_BODY void row(const Block& block) const {
    const int64_t row = block.index, classes = logits.cols, right = label(row);
    const T* x = logits.data + row * classes;
    const double m = double(block.reduce(
        -T(__builtin_inff()),
        [&](int t) {
          T most = -T(__builtin_inff());
          for (int64_t k = t; k < classes; k += block.threads) most = most < x[k] ? x[k] : most;
          return most;
        },
        [](T a, T b) { return a < b ? b : a; }));
    const double sum = block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t k = t; k < classes; k += block.threads) sum += double(math::exp(T(double(x[k]) - m)));
      return sum;
    });
    const double log_sum = m + math::log(sum);
    // 0 * infinity stays out when another logit is -inf.
    const double mean = smoothing == 0 ? 0 : block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t k = t; k < classes; k += block.threads) sum += log_sum - double(x[k]);
      return sum;
    });
    const double share = smoothing / double(classes), w = weight(row);
    block.each_thread([&](int t) {
      if (t == 0) {
        const double of_label = log_sum - double(x[right]);
        row_losses[row] =
            smoothing == 0 ? of_label : (1 - smoothing) * of_label + smoothing * mean / double(classes);
      }
      for (int64_t k = t; k < classes; k += block.threads) {
        T p = T(double(T(math::exp(T(double(x[k]) - m)))) / sum);
        if (k == right) p -= T(1 - smoothing);
        gradient[row * classes + k] = T((double(p) - share) * w);
      }
    });
  }

  /// The mean of all rows' losses, and the gradient's division.
  UNCIAL_BODY void finish(const Block& block) const {
    double total_weight = block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t row = t; row < logits.rows; row += block.threads) sum += weight(row);
      return sum;
    });
    const double total = block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t row = t; row < logits.rows; row += block.threads) sum += weight(row) * row_losses[row];
      return sum;
    });
    block.each_thread([&](int t) {
      if (t == 0) *loss = T(total / total_weight);
      for (int64_t i = t; i < logits.rows * logits.cols; i += block.threads)
        gradient[i] = T(double(gradient[i]) / total_weight);
    });
  }
};

}  // namespace

template <class T>
void cross_entropy(Rows<const T> logits, const int64_t* labels, const T* class_weights, double smoothing,
                   double* row_losses, T* loss, T* gradient) {
  const CrossEntropy<T> all{logits,     labels, class_weights, smoothing,
                            row_losses, loss,   gradient,      fault_place()};
  each_block(
      logits.rows, threads_for(logits.cols), 0, [=] UNCIAL_BODY(const Block& block) { all.row(block); },
      "cross_entropy");
  each_block<kMaxThreads>(
      1, kMaxThreads, 0, [=] UNCIAL_BODY(const Block& block) { all.finish(block); }, "cross_entropy");
}

template void cross_entropy<float>(Rows<const float>, const int64_t*, const float*, double, double*, float*,
                                   float*);
template void cross_entropy<double>(Rows<const double>, const int64_t*, const double*, double, double*,
                                    double*, double*);

}  // namespace uncial::cuda
