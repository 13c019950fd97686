#include <cmath>

#include "kernel_case.h"
#include "uncial/kernels/cross_entropy.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

/// dloss/dlogits of the mean cross-entropy: (softmax - one hot) / rows.
void naive_cross_entropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                         float* gradient) {
  for (int64_t r = 0; r < rows; ++r, logits += classes, gradient += classes) {
    const double largest = *std::max_element(logits, logits + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
    for (int64_t c = 0; c < classes; ++c)
      gradient[c] = float((std::exp(logits[c] - largest) / sum - (c == labels[r])) / double(rows));
  }
}

void naive_softmax(int64_t rows, int64_t classes, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += classes, y += classes) {
    const double largest = *std::max_element(x, x + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - largest);
    for (int64_t c = 0; c < classes; ++c) y[c] = float(std::exp(x[c] - largest) / sum);
  }
}

void add_shape(const std::string& name, int64_t rows, int64_t classes) {
  const Tensor x = rand({rows, classes}, 1, -3, 3), labels = empty({rows}, DType::int64);
  for (int64_t i = 0; i < rows; ++i) labels.data<int64_t>()[i] = i % classes;
  const double size = double(rows * classes);
  const auto entry = [=](const char* who, auto run) {
    return Entry{who, [=] {
                   const Tensor y = empty({rows, classes});
                   return writing(y, [=] { run(x.data<float>(), y.data<float>()); });
                 }};
  };
  const Tensor row_losses = empty({rows}, DType::float64), loss = empty({});
  add_case({.name = "cross_entropy_and_gradient/" + name,
            .flops = 7 * size,
            .bytes = 8 * size,
            .tolerance = 1e-5,
            .samples = double(rows),
            .entries = {entry("naive",
                              [=](const float* x, float* dx) {
                                naive_cross_entropy(rows, classes, x, labels.data<int64_t>(), dx);
                              }),
                        entry("uncial", [=](const float* x, float* dx) {
                          kernels::cross_entropy<float>(Device::cpu(), Rows<const float>{x, rows, classes},
                                                        labels.data<int64_t>(),
                                                        static_cast<const float*>(nullptr), 0.0,
                                                        row_losses.data<double>(), loss.data<float>(), dx);
                        })}});
  add_case({.name = "softmax/" + name,
            .flops = 5 * size,
            .bytes = 8 * size,
            .tolerance = 1e-5,
            .samples = double(rows),
            .entries = {entry("naive", [=](const float* x, float* y) { naive_softmax(rows, classes, x, y); }),
                        {"uncial", [=] {
                           return recorded([](const Tensors& in) { return Tensors{softmax(in[0])}; }, {x});
                         }}}});
}

}  // namespace

void add_loss_cases() {
  add_shape("128_10", 128, 10);
  add_shape("512_1000", 512, 1000);
  add_shape("odd_37_101", 37, 101);
}

}  // namespace uncial::bench
