#pragma once
/// The formulas of the layers, as slow loops in double over the definitions. They share no code with the
/// library but Tensor itself.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "uncial/core/tensor.h"
#include "uncial/ops/conv.h"
#include "uncial/ops/pool.h"

namespace slow {

using uncial::Shape;
using uncial::Tensor;

inline Tensor make(const Shape& shape) { return uncial::zeros(shape, uncial::DType::float64); }

/// Element (n, c, h, w) of a row-major float64 tensor of rank 4.
inline double& at(const Tensor& x, int64_t n, int64_t c, int64_t h, int64_t w) {
  const Shape& s = x.shape();
  return x.data<double>()[((n * s[1] + c) * s[2] + h) * s[3] + w];
}

inline Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const uncial::ConvOptions& o) {
  const Shape &xs = x.shape(), &ws = w.shape();
  const int64_t P = (xs[2] + 2 * o.padding - o.dilation * (ws[2] - 1) - 1) / o.stride + 1;
  const int64_t Q = (xs[3] + 2 * o.padding - o.dilation * (ws[3] - 1) - 1) / o.stride + 1;
  const int64_t K = ws[0], C = ws[1];  // channels of one group
  const Tensor y = make({xs[0], K, P, Q});
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t k = 0; k < K; ++k)
      for (int64_t p = 0; p < P; ++p)
        for (int64_t q = 0; q < Q; ++q) {
          double sum = bias.defined() ? bias.data<double>()[k] : 0;
          for (int64_t c = 0; c < C; ++c)
            for (int64_t r = 0; r < ws[2]; ++r)
              for (int64_t s = 0; s < ws[3]; ++s) {
                const int64_t h = p * o.stride - o.padding + r * o.dilation,
                              v = q * o.stride - o.padding + s * o.dilation;
                if (h < 0 || h >= xs[2] || v < 0 || v >= xs[3]) continue;
                sum += at(x, n, k / (K / o.groups) * C + c, h, v) * at(w, k, c, r, s);
              }
          at(y, n, k, p, q) = sum;
        }
  return y;
}

/// Every element of x is stamped, times the filter, on the result.
inline Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias,
                               const uncial::ConvTransposeOptions& o) {
  const Shape &xs = x.shape(), &ws = w.shape();
  const auto extent = [&](int64_t in, int64_t filter) {
    return (in - 1) * o.stride - 2 * o.padding + o.dilation * (filter - 1) + o.output_padding + 1;
  };
  const int64_t C = ws[1], K = ws[0];
  const Tensor y = make({xs[0], C * o.groups, extent(xs[2], ws[2]), extent(xs[3], ws[3])});
  for (int64_t i = 0; i < y.size() && bias.defined(); ++i)
    y.data<double>()[i] = bias.data<double>()[i / (y.size(2) * y.size(3)) % y.size(1)];
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t k = 0; k < K; ++k)
      for (int64_t p = 0; p < xs[2]; ++p)
        for (int64_t q = 0; q < xs[3]; ++q)
          for (int64_t c = 0; c < C; ++c)
            for (int64_t r = 0; r < ws[2]; ++r)
              for (int64_t s = 0; s < ws[3]; ++s) {
                const int64_t h = p * o.stride - o.padding + r * o.dilation,
                              v = q * o.stride - o.padding + s * o.dilation;
                if (h < 0 || h >= y.size(2) || v < 0 || v >= y.size(3)) continue;
                at(y, n, k / (K / o.groups) * C + c, h, v) += at(x, n, k, p, q) * at(w, k, c, r, s);
              }
  return y;
}

/// (B, M, K) x (B, K, N), or either with B = 1.
inline Tensor matmul(const Tensor& a, const Tensor& b) {
  const int64_t B = std::max(a.size(0), b.size(0)), M = a.size(1), K = a.size(2), N = b.size(2);
  const Tensor y = make({a.size(0) == 0 || b.size(0) == 0 ? 0 : B, M, N});
  for (int64_t batch = 0; batch < y.size(0); ++batch)
    for (int64_t i = 0; i < M; ++i)
      for (int64_t j = 0; j < N; ++j)
        for (int64_t k = 0; k < K; ++k)
          y.data<double>()[(batch * M + i) * N + j] +=
              a.data<double>()[((a.size(0) == 1 ? 0 : batch) * M + i) * K + k] *
              b.data<double>()[((b.size(0) == 1 ? 0 : batch) * K + k) * N + j];
  return y;
}

/// Calls reduce(values of the window inside the image) for every window.
template <class Reduce>
Tensor pool(const Tensor& x, uncial::PoolOptions o, const Reduce& reduce) {
  const int64_t stride = o.stride ? o.stride : o.kernel;
  const int64_t P = (x.size(2) + 2 * o.padding - o.kernel) / stride + 1,
                Q = (x.size(3) + 2 * o.padding - o.kernel) / stride + 1;
  const Tensor y = make({x.size(0), x.size(1), P, Q});
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t c = 0; c < x.size(1); ++c)
      for (int64_t p = 0; p < P; ++p)
        for (int64_t q = 0; q < Q; ++q) {
          std::vector<double> values;
          for (int64_t h = p * stride - o.padding; h < p * stride - o.padding + o.kernel; ++h)
            for (int64_t w = q * stride - o.padding; w < q * stride - o.padding + o.kernel; ++w)
              if (h >= 0 && h < x.size(2) && w >= 0 && w < x.size(3)) values.push_back(at(x, n, c, h, w));
          at(y, n, c, p, q) = reduce(values);
        }
  return y;
}
inline double largest(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
inline double average(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x;
  return sum / double(v.size());
}

/// Mean and variance of each channel of x (N, C, ...).
struct Statistics {
  std::vector<double> mean, variance;
};
inline Statistics statistics(const Tensor& x) {
  const int64_t N = x.size(0), C = x.size(1), L = N * C == 0 ? 0 : x.size() / (N * C);
  Statistics s{std::vector<double>(size_t(C)), std::vector<double>(size_t(C))};
  for (int64_t c = 0; c < C; ++c) {
    std::vector<double> values;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t l = 0; l < L; ++l) values.push_back(x.data<double>()[(n * C + c) * L + l]);
    const double mean = average(values);
    for (double& v : values) v = (v - mean) * (v - mean);
    s.mean[size_t(c)] = mean;
    s.variance[size_t(c)] = average(values);
  }
  return s;
}
inline Tensor normalise(const Tensor& x, const Tensor& scale, const Tensor& shift, const Statistics& s,
                        double epsilon) {
  const int64_t C = x.size(1), L = x.size() == 0 ? 1 : x.size() / (x.size(0) * C);
  const Tensor y = make(x.shape());
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i / L % C;
    y.data<double>()[i] = (x.data<double>()[i] - s.mean[size_t(c)]) /
                              std::sqrt(s.variance[size_t(c)] + epsilon) *
                              (scale.defined() ? scale.data<double>()[c] : 1) +
                          (shift.defined() ? shift.data<double>()[c] : 0);
  }
  return y;
}

/// Along the last axis.
inline Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon) {
  const int64_t D = x.size(-1);
  const Tensor y = make(x.shape());
  for (int64_t row = 0; row < x.size() / D; ++row) {
    const double* in = x.data<double>() + row * D;
    const double mean = average({in, in + D});
    double variance = 0;
    for (int64_t i = 0; i < D; ++i) variance += (in[i] - mean) * (in[i] - mean) / double(D);
    for (int64_t i = 0; i < D; ++i)
      y.data<double>()[row * D + i] =
          (in[i] - mean) / std::sqrt(variance + epsilon) * (scale.defined() ? scale.data<double>()[i] : 1) +
          (shift.defined() ? shift.data<double>()[i] : 0);
  }
  return y;
}

/// log(softmax(x)) along an axis, in long double.
inline Tensor log_softmax(const Tensor& x, int axis) {
  int64_t inner = 1;
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.size(i);
  const int64_t classes = x.size(axis);
  const Tensor y = make(x.shape());
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t first = i - i / inner % classes * inner;
    long double sum = 0;
    for (int64_t k = 0; k < classes; ++k)
      sum +=
          std::exp((long double)(x.data<double>()[first + k * inner]) - (long double)(x.data<double>()[i]));
    y.data<double>()[i] = double(-std::log(sum));
  }
  return y;
}

}  // namespace slow
