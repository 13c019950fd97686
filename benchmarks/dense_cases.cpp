#include "contenders.h"
#include "naive.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

struct DenseShape {
  std::string name;
  int64_t batch, in, out;
  double flops() const { return 2.0 * double(batch * in * out); }
  double bytes() const { return 4.0 * double(batch * in + in * out + batch * out); }
};

const DenseShape kShapes[] = {
    {"mnist_9216_128", 128, 9216, 128},   {"mlp_784_512", 128, 784, 512},
    {"mlp_512_512", 128, 512, 512},       {"keras_1600_10", 128, 1600, 10},
    {"lenet_400_120", 128, 400, 120},     {"mnist_9216_128_batch1", 1, 9216, 128},
    {"large_1024_1024", 512, 1024, 1024}, {"odd_101_53", 37, 101, 53},
};

/// bfloat16 values, so that products of bfloat16 factors are those of float32.
Tensor random(int64_t rows, int64_t cols, uint64_t seed) {
  return rand({rows, cols}, seed, -1, 1).to(DType::bfloat16).to(DType::float32);
}

/// A case of c = a times b transposed; `ours` makes c from the operands as a layer has them.
KernelCase product_case(const char* pass, const DenseShape& s, const Tensor& a, const Tensor& b) {
  const int64_t M = a.size(0), N = b.size(0), K = a.size(1);
  return {.name = std::string(pass) + "/" + s.name,
          .flops = s.flops(),
          .bytes = s.bytes(),
          .tolerance = 5e-5,
          .samples = double(s.batch),
          .entries = {{"naive", [=] {
                         const Tensor c = empty({M, N});
                         return writing(c, [=] {
                           naive::product(M, N, K, a.data<float>(), b.data<float>(), c.data<float>());
                         });
                       }}}};
}

/// The case, with our kernels that have the batch in the lanes; and one of bfloat16 factors where the
/// processor has something for those.
void add_with_lanes(KernelCase c, const DenseShape& s, DensePass pass, const Tensor& a, const Tensor& b) {
  KernelCase bf16 = c;
  if (lanes_has_dense(s.batch, false))
    c.entries.push_back({"lanes", [=] { return lanes_dense(pass, a, b, false); }});
  add_case(std::move(c));
  if (!lanes_has_dense(s.batch, true)) return;
  bf16.name.insert(bf16.name.find('/'), "_bf16");
  bf16.entries.resize(1);  // the reference
  bf16.entries.push_back({"lanes", [=] { return lanes_dense(pass, a, b, true); }});
  add_case(std::move(bf16));
}

void add_forward(const DenseShape& s) {
  const Tensor x = random(s.batch, s.in, 1), w = random(s.out, s.in, 2);
  KernelCase c = product_case("dense_forward", s, x, w);
  c.entries.push_back(
      {"uncial", [=] {
         return recorded([](const Tensors& in) { return Tensors{linear(in[0], in[1])}; }, {x, w});
       }});
  if (eigen_has_product()) c.entries.push_back({"eigen", [=] { return eigen_product(x, w); }});
  if (onednn_has()) c.entries.push_back({"onednn", [=] { return onednn_product(x, w); }});
  add_with_lanes(std::move(c), s, DensePass::forward, x, w);
}

/// dx = dy w and dw = dy^T x, spelled as the gradient rule of linear() spells them.
void add_gradients(const DenseShape& s) {
  const Tensor x = random(s.batch, s.in, 1), w = random(s.out, s.in, 2), dy = random(s.batch, s.out, 3);
  const auto product = [](const Tensor& a, const Tensor& b) {
    return recorded([](const Tensors& in) { return Tensors{matmul(in[0], in[1])}; }, {a, b});
  };
  const auto transposed_product = [](const Tensor& a, const Tensor& b) {
    return recorded([](const Tensors& in) { return Tensors{matmul(in[0].transpose(), in[1])}; }, {a, b});
  };
  KernelCase dx = product_case("dense_input_gradient", s, dy, w.transpose().contiguous());
  dx.entries.push_back({"uncial", [=] { return product(dy, w); }});
  add_with_lanes(std::move(dx), s, DensePass::input_gradient, dy, w);
  KernelCase dw =
      product_case("dense_weight_gradient", s, dy.transpose().contiguous(), x.transpose().contiguous());
  dw.entries.push_back({"uncial", [=] { return transposed_product(dy, x); }});
  add_with_lanes(std::move(dw), s, DensePass::weight_gradient, dy, x);
}

}  // namespace

void add_dense_cases() {
  for (const DenseShape& s : kShapes) add_forward(s);
  for (const DenseShape& s : kShapes)
    if (s.batch > 1) add_gradients(s);
}

}  // namespace uncial::bench
