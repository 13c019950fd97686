#include "naive.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace uncial::bench::naive {
namespace {

/// Calls visit(x index, w index, y index) for every product of the convolution.
template <class Visit>
void for_products(const ConvExtents& e, Visit visit) {
  const int64_t C = e.C / e.groups, K = e.K / e.groups;
  for (int64_t n = 0; n < e.N; ++n)
    for (int64_t k = 0; k < e.K; ++k)
      for (int64_t c = 0; c < C; ++c)
        for (int64_t r = 0; r < e.R; ++r)
          for (int64_t s = 0; s < e.S; ++s)
            for (int64_t p = 0; p < e.P; ++p) {
              const int64_t h = p * e.stride - e.padding + r * e.dilation;
              if (h < 0 || h >= e.H) continue;
              const int64_t x_row = ((n * e.C + k / K * C + c) * e.H + h) * e.W;
              const int64_t y_row = ((n * e.K + k) * e.P + p) * e.Q;
              const int64_t w = ((k * C + c) * e.R + r) * e.S + s;
              for (int64_t q = 0; q < e.Q; ++q) {
                const int64_t column = q * e.stride - e.padding + s * e.dilation;
                if (column >= 0 && column < e.W) visit(x_row + column, w, y_row + q);
              }
            }
}

void round(const std::vector<double>& sums, float* to) {
  std::transform(sums.begin(), sums.end(), to, [](double v) { return float(v); });
}

}  // namespace

void conv_forward(const ConvExtents& e, const float* x, const float* w, float* y) {
  std::vector<double> sums(size_t(e.N * e.K * e.P * e.Q));
  for_products(e, [&](int64_t i, int64_t j, int64_t k) { sums[size_t(k)] += double(x[i]) * w[j]; });
  round(sums, y);
}

void conv_input_gradient(const ConvExtents& e, const float* dy, const float* w, float* dx) {
  std::vector<double> sums(size_t(e.N * e.C * e.H * e.W));
  for_products(e, [&](int64_t i, int64_t j, int64_t k) { sums[size_t(i)] += double(dy[k]) * w[j]; });
  round(sums, dx);
}

void conv_weight_gradient(const ConvExtents& e, const float* x, const float* dy, float* dw) {
  std::vector<double> sums(size_t(e.K * (e.C / e.groups) * e.R * e.S));
  for_products(e, [&](int64_t i, int64_t j, int64_t k) { sums[size_t(j)] += double(x[i]) * dy[k]; });
  round(sums, dw);
}

void product(int64_t M, int64_t N, int64_t K, const float* a, const float* b, float* c) {
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < K; ++k) sum += double(a[m * K + k]) * b[n * K + k];
      c[m * N + n] = float(sum);
    }
}

namespace {

/// Calls reduce(first value, rest...) through `add` for each window's places inside the image.
template <class Add, class Finish>
void for_windows(const PoolExtents& e, Add add, Finish finish) {
  for (int64_t plane = 0; plane < e.planes; ++plane)
    for (int64_t p = 0; p < e.P; ++p)
      for (int64_t q = 0; q < e.Q; ++q) {
        for (int64_t h = p * e.stride - e.padding; h < p * e.stride - e.padding + e.kernel; ++h)
          for (int64_t w = q * e.stride - e.padding; w < q * e.stride - e.padding + e.kernel; ++w)
            if (h >= 0 && h < e.H && w >= 0 && w < e.W) add((plane * e.H + h) * e.W + w);
        finish((plane * e.P + p) * e.Q + q);
      }
}

}  // namespace

void max_pool(const PoolExtents& e, const float* x, float* y) {
  float largest = -INFINITY;
  for_windows(
      e, [&](int64_t i) { largest = std::max(largest, x[i]); },
      [&](int64_t i) {
        y[i] = largest;
        largest = -INFINITY;
      });
}

void average_pool(const PoolExtents& e, const float* x, float* y) {
  double sum = 0;
  int64_t places = 0;
  for_windows(
      e,
      [&](int64_t i) {
        sum += x[i];
        ++places;
      },
      [&](int64_t i) {
        y[i] = float(sum / double(places));
        sum = 0;
        places = 0;
      });
}

}  // namespace uncial::bench::naive
