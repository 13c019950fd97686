#include "conv_any.h"

#include "few_bits.h"
#include "grid.h"

namespace uncial::cuda {

/// One thread an output.
template <class T>
void conv2d_any(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y) {
  each(
      e.N * e.K * e.P * e.Q,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t q = i % e.Q, p = i / e.Q % e.P, k = i / e.Q / e.P % e.K, n = i / e.Q / e.P / e.K;
        const int64_t C = e.C / e.groups, first = k / (e.K / e.groups) * C;
        const auto seen = [&](T factor) { return seen_factor(factor, e.few_bits); };
        T sum = bias ? bias[k] : T(0);
        for (int64_t c = 0; c < C; ++c)
          for (int64_t r = 0; r < e.R; ++r)
            for (int64_t s = 0; s < e.S; ++s) {
              const int64_t h = p * e.stride - e.padding + r * e.dilation,
                            v = q * e.stride - e.padding + s * e.dilation;
              if (h >= 0 && h < e.H && v >= 0 && v < e.W)
                sum += seen(x[((n * e.C + first + c) * e.H + h) * e.W + v]) *
                       seen(w[((k * C + c) * e.R + r) * e.S + s]);
            }
        y[i] = sum;
      },
      "conv2d");
}

/// One thread an element of dx, which gathers from all outputs that it went to.
template <class T>
void conv2d_input_gradient_any(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx) {
  each(
      e.N * e.C * e.H * e.W,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t v = i % e.W, h = i / e.W % e.H, c = i / e.W / e.H % e.C, n = i / e.W / e.H / e.C;
        const int64_t C = e.C / e.groups, K = e.K / e.groups, group = c / C;
        const auto seen = [&](T factor) { return seen_factor(factor, e.few_bits); };
        T sum = bias ? bias[c] : T(0);
        for (int64_t r = 0; r < e.R; ++r)
          for (int64_t s = 0; s < e.S; ++s) {
            const int64_t row = h + e.padding - r * e.dilation, column = v + e.padding - s * e.dilation;
            if (row < 0 || column < 0 || row % e.stride != 0 || column % e.stride != 0) continue;
            const int64_t p = row / e.stride, q = column / e.stride;
            if (p >= e.P || q >= e.Q) continue;
            for (int64_t k = group * K; k < (group + 1) * K; ++k)
              sum += seen(dy[((n * e.K + k) * e.P + p) * e.Q + q]) *
                     seen(w[((k * C + c % C) * e.R + r) * e.S + s]);
          }
        dx[i] = sum;
      },
      "conv2d_input_gradient");
}

/// One block a weight.
template <class T>
void conv2d_weight_gradient_any(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  const int64_t C = e.C / e.groups;
  each_block(
      e.K * C * e.R * e.S, threads_for(e.N * e.P * e.Q), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t s = block.index % e.S, r = block.index / e.S % e.R, c = block.index / e.S / e.R % C,
                      k = block.index / e.S / e.R / C, from = k / (e.K / e.groups) * C + c;
        const auto seen = [&](T factor) { return seen_factor(factor, e.few_bits); };
        const double total = block.sum<double>([&](int t) {
          double sum = 0;
          for (int64_t i = t; i < e.N * e.P * e.Q; i += block.threads) {
            const int64_t q = i % e.Q, p = i / e.Q % e.P, n = i / e.Q / e.P;
            const int64_t h = p * e.stride - e.padding + r * e.dilation,
                          v = q * e.stride - e.padding + s * e.dilation;
            if (h >= 0 && h < e.H && v >= 0 && v < e.W)
              sum += double(seen(x[((n * e.C + from) * e.H + h) * e.W + v])) *
                     double(seen(dy[((n * e.K + k) * e.P + p) * e.Q + q]));
          }
          return sum;
        });
        block.each_thread([&](int t) {
          if (t == 0) dw[block.index] = T(total);
        });
      },
      "conv2d_weight_gradient");
}

#define UNCIAL_INSTANTIATE(T)                                                                       \
  template void conv2d_any<T>(const ConvExtents&, const T*, const T*, const T*, T*);                \
  template void conv2d_input_gradient_any<T>(const ConvExtents&, const T*, const T*, const T*, T*); \
  template void conv2d_weight_gradient_any<T>(const ConvExtents&, const T*, const T*, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
