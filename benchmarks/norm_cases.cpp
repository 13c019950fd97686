#include <cmath>

#include "kernel_case.h"
#include "uncial/kernels/norm.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

constexpr double kEpsilon = 1e-5;

/// Values v(0), v(1), ... v(n - 1): their mean and variance.
template <class Value>
std::pair<double, double> moments(int64_t n, Value value) {
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) mean += value(i);
  mean /= double(n);
  for (int64_t i = 0; i < n; ++i) squares += (value(i) - mean) * (value(i) - mean);
  return {mean, squares / double(n)};
}

/// Place of value i of channel c in (N, C, L).
int64_t place(const NormExtents& e, int64_t c, int64_t i) { return (i / e.L * e.C + c) * e.L + i % e.L; }

void naive_batch_norm(const NormExtents& e, const float* x, float* y) {
  for (int64_t c = 0; c < e.C; ++c) {
    const auto [mean, variance] = moments(e.N * e.L, [&](int64_t i) { return double(x[place(e, c, i)]); });
    for (int64_t i = 0; i < e.N * e.L; ++i)
      y[place(e, c, i)] = float((x[place(e, c, i)] - mean) / std::sqrt(variance + kEpsilon));
  }
}

/// dx = (dy - mean(dy) - x' mean(dy x')) / deviation, where x' is x normalised.
void naive_batch_norm_gradient(const NormExtents& e, const float* dy, const float* x, float* dx) {
  const int64_t n = e.N * e.L;
  for (int64_t c = 0; c < e.C; ++c) {
    const auto [mean, variance] = moments(n, [&](int64_t i) { return double(x[place(e, c, i)]); });
    const double scale = 1 / std::sqrt(variance + kEpsilon);
    double dy_mean = 0, product = 0;
    for (int64_t i = 0; i < n; ++i) {
      dy_mean += dy[place(e, c, i)] / double(n);
      product += dy[place(e, c, i)] * (x[place(e, c, i)] - mean) * scale / double(n);
    }
    for (int64_t i = 0; i < n; ++i)
      dx[place(e, c, i)] =
          float((dy[place(e, c, i)] - dy_mean - (x[place(e, c, i)] - mean) * scale * product) * scale);
  }
}

void naive_layer_norm(int64_t rows, int64_t cols, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const auto [mean, variance] = moments(cols, [&](int64_t i) { return double(x[i]); });
    for (int64_t i = 0; i < cols; ++i) y[i] = float((x[i] - mean) / std::sqrt(variance + kEpsilon));
  }
}

Entry entry(std::string name, const Shape& shape, std::function<void(float*)> run) {
  return {std::move(name), [=] {
            const Tensor y = empty(shape);
            return writing(y, [=] { run(y.data<float>()); });
          }};
}

void add_batch_norm(const char* name, const Shape& shape) {
  const NormExtents e{shape[0], shape[1], shape[2] * shape[3]};
  const Tensor x = rand(shape, 1, -1, 3), dy = rand(shape, 2, -1, 1), one = ones({e.C}), zero = zeros({e.C});
  const double size = double(count(shape));
  KernelCase forward{.name = std::string("batch_norm/") + name,
                     .flops = 6 * size,
                     .bytes = 8 * size,
                     .tolerance = 1e-5,
                     .samples = double(e.N)};
  forward.entries = {
      entry("naive", shape, [=](float* y) { naive_batch_norm(e, x.data<float>(), y); }),
      {"uncial", [=] {
         return recorded(
             [](const Tensors& in) { return Tensors{batch_norm(in[0], in[1], in[2], kEpsilon).y}; },
             {x, one, zero});
       }}};
  add_case(std::move(forward));

  const auto [mean, variance] = [&] {
    const BatchNormResult r = batch_norm(x, one, zero, kEpsilon);
    return std::pair{r.mean, r.variance};
  }();
  KernelCase backward{.name = std::string("batch_norm_gradient/") + name,
                      .flops = 10 * size,
                      .bytes = 12 * size,
                      .tolerance = 1e-4,
                      .samples = double(e.N)};
  backward.entries = {
      entry("naive", shape,
            [=](float* dx) { naive_batch_norm_gradient(e, dy.data<float>(), x.data<float>(), dx); }),
      entry("uncial", shape,
            [=, mean = mean, variance = variance, dscale = empty({e.C}), dshift = empty({e.C})](float* dx) {
              kernels::batch_norm_backward<float>(
                  Device::cpu(), dy.data<float>(), x.data<float>(), one.data<float>(), mean.data<float>(),
                  variance.data<float>(), kEpsilon, dx, dscale.data<float>(), dshift.data<float>(), e);
            })};
  add_case(std::move(backward));
}

void add_layer_norm(const char* name, int64_t rows, int64_t cols) {
  const Tensor x = rand({rows, cols}, 1, -1, 3), one = ones({cols}), zero = zeros({cols});
  const double size = double(rows * cols);
  KernelCase c{.name = std::string("layer_norm/") + name,
               .flops = 6 * size,
               .bytes = 8 * size,
               .tolerance = 1e-5,
               .samples = double(rows)};
  c.entries = {
      entry("naive", {rows, cols}, [=](float* y) { naive_layer_norm(rows, cols, x.data<float>(), y); }),
      {"uncial", [=] {
         return recorded([](const Tensors& in) { return Tensors{layer_norm(in[0], in[1], in[2], kEpsilon)}; },
                         {x, one, zero});
       }}};
  add_case(std::move(c));
}

}  // namespace

void add_norm_cases() {
  add_batch_norm("32_26", {128, 32, 26, 26});
  add_batch_norm("64_56", {16, 64, 56, 56});
  add_batch_norm("odd_17_19", {37, 17, 19, 19});
  add_layer_norm("512", 128, 512);
  add_layer_norm("odd_101", 371, 101);
}

}  // namespace uncial::bench
