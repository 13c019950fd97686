#include "kernel_case.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

/// Sums over the middle axis of (outer, n, inner).
void naive_sum(const Shape& s, const float* x, float* y) {
  for (int64_t o = 0; o < s[0]; ++o)
    for (int64_t i = 0; i < s[2]; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < s[1]; ++k) sum += x[(o * s[1] + k) * s[2] + i];
      y[o * s[2] + i] = float(sum);
    }
}

void add_sum(const char* name, const Shape& s) {
  const Tensor x = rand(s, 1, 0, 1);
  add_case({.name = std::string("sum/") + name,
            .flops = double(count(s)),
            .bytes = 4.0 * double(count(s) + s[0] * s[2]),
            .tolerance = 1e-6,
            .samples = double(s[0]),
            .entries = {{"naive",
                         [=] {
                           const Tensor y = empty({s[0], s[2]});
                           return writing(y, [=] { naive_sum(s, x.data<float>(), y.data<float>()); });
                         }},
                        {"uncial", [=] {
                           return recorded([](const Tensors& in) { return Tensors{sum(in[0], 1)}; }, {x});
                         }}}});
}

}  // namespace

void add_reduce_cases() {
  add_sum("all_9437184", {1, 9'437'184, 1});
  add_sum("rows_128_9216", {128, 9216, 1});
  add_sum("columns_128_9216", {1, 128, 9216});
  add_sum("channels_128_64_576", {128, 64, 576});
  add_sum("odd_37_101_53", {37, 101, 53});
}

}  // namespace uncial::bench
