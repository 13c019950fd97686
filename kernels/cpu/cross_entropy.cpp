#include "uncial/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

/// -sum(target * log_softmax(x)); p becomes softmax(x).
template <class T>
double row_loss(const T* x, int64_t classes, int64_t label, double smoothing, T* p) {
  const double m = double(*std::max_element(x, x + classes));
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += double(p[k] = T(std::exp(T(double(x[k]) - m))));
  for (int64_t k = 0; k < classes; ++k) p[k] = T(double(p[k]) / sum);
  const double log_sum = m + std::log(sum);
  const double loss = log_sum - double(x[label]);
  if (smoothing == 0) return loss;  // also keeps 0 * infinity out when another logit is -inf
  double mean = 0;
  for (int64_t k = 0; k < classes; ++k) mean += log_sum - double(x[k]);
  return (1 - smoothing) * loss + smoothing * mean / double(classes);
}

}  // namespace

template <class T>
void cross_entropy(Rows<const T> logits, const int64_t* labels, const T* class_weights, double smoothing,
                   double* row_losses, T* loss, T* gradient) {
  const int64_t classes = logits.cols;
  const auto weight = [&](int64_t row) { return class_weights ? double(class_weights[labels[row]]) : 1.0; };
  double total_weight = 0;
  for (int64_t row = 0; row < logits.rows; ++row) total_weight += weight(row);
  constexpr int64_t kGrain = 1 << 12;  // exponentials
  parallel_blocks(logits.rows, std::max<int64_t>(1, kGrain / classes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* d = gradient + row * classes;
      row_losses[row] = row_loss(logits[row], classes, labels[row], smoothing, d);
      // d currently holds the probabilities; the gradient is (p - target) * weight / total
      d[labels[row]] -= T(1 - smoothing);
      const double share = smoothing / double(classes), factor = weight(row) / total_weight;
      for (int64_t k = 0; k < classes; ++k) d[k] = T((double(d[k]) - share) * factor);
    }
  });
  double total = 0;
  for (int64_t row = 0; row < logits.rows; ++row) total += weight(row) * row_losses[row];
  *loss = T(total / total_weight);
}

template void cross_entropy<float>(Rows<const float>, const int64_t*, const float*, double, double*, float*,
                                   float*);
template void cross_entropy<double>(Rows<const double>, const int64_t*, const double*, double, double*,
                                    double*, double*);

}  // namespace uncial::cpu
