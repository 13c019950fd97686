#include "contenders.h"
#include "conv_shapes.h"
#include "naive.h"

namespace uncial::bench {
namespace {

const char* name_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return "conv2d_forward";
    case ConvPass::input_gradient:
      return "conv2d_input_gradient";
    default:
      return "conv2d_weight_gradient";
  }
}

/// The two operands and the result of one pass: (x, w -> y), (dy, w -> dx) or (x, dy -> dw).
struct Operands {
  Tensor a, b, result;
};

Operands operands(const ConvExtents& e, ConvPass pass) {
  const Shape x = {e.N, e.C, e.H, e.W}, w = {e.K, e.C / e.groups, e.R, e.S}, y = {e.N, e.K, e.P, e.Q};
  const auto random = [](const Shape& shape, uint64_t seed) { return rand(shape, seed, -1, 1); };
  if (pass == ConvPass::forward) return {random(x, 1), random(w, 2), empty(y)};
  if (pass == ConvPass::input_gradient) return {random(y, 3), random(w, 2), empty(x)};
  return {random(x, 1), random(y, 3), empty(w)};
}

using Kernel = void (*)(const ConvExtents&, ConvPass, const float* a, const float* b, float* result);

void run_naive(const ConvExtents& e, ConvPass pass, const float* a, const float* b, float* result) {
  if (pass == ConvPass::forward) naive::conv_forward(e, a, b, result);
  if (pass == ConvPass::input_gradient) naive::conv_input_gradient(e, a, b, result);
  if (pass == ConvPass::weight_gradient) naive::conv_weight_gradient(e, a, b, result);
}

/// The kernels over row-major images, as an operator outside of any recording calls them.
void run_uncial(const ConvExtents& e, ConvPass pass, const float* a, const float* b, float* result) {
  const Device cpu = Device::cpu();
  const float* const no_bias = nullptr;
  if (pass == ConvPass::forward) kernels::conv2d<float>(cpu, e, a, b, no_bias, result);
  if (pass == ConvPass::input_gradient) kernels::conv2d_input_gradient<float>(cpu, e, a, b, no_bias, result);
  if (pass == ConvPass::weight_gradient) kernels::conv2d_weight_gradient<float>(cpu, e, a, b, result);
}

Entry entry(std::string name, const ConvExtents& e, ConvPass pass, Kernel kernel) {
  return {std::move(name), [=] {
            const Operands o = operands(e, pass);
            return writing(o.result, [=] {
              kernel(e, pass, o.a.data<float>(), o.b.data<float>(), o.result.data<float>());
            });
          }};
}

void add(const ConvShape& shape, ConvPass pass) {
  const ConvExtents e = shape.e;
  KernelCase c{.name = std::string(name_of(pass)) + "/" + shape.name,
               .flops = shape.flops(),
               .bytes = shape.bytes(),
               .tolerance = 5e-5,
               .samples = double(e.N),
               .entries = {entry("naive", e, pass, run_naive), entry("uncial", e, pass, run_uncial)}};
  for (const bool winograd : {false, true})
    if (lanes_has(e, winograd))
      c.entries.push_back({winograd ? "winograd" : "lanes", [=] {
                             const Operands o = operands(e, pass);
                             return lanes_conv(e, pass, o.a, o.b, winograd);
                           }});
  if (eigen_has(e, pass))
    c.entries.push_back({"eigen", [=] {
                           const Operands o = operands(e, pass);
                           return eigen_conv(e, pass, o.a, o.b);
                         }});
  if (onednn_has())
    c.entries.push_back({"onednn", [=] {
                           const Operands o = operands(e, pass);
                           return onednn_conv(e, pass, o.a, o.b);
                         }});
  add_case(std::move(c));
}

}  // namespace

void add_conv_cases() {
  for (const ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient})
    for (const ConvShape& shape : conv_shapes())
      // the gradient of the pictures themselves: nobody needs it
      if (shape.e.C > 3 || pass != ConvPass::input_gradient) add(shape, pass);
}

}  // namespace uncial::bench
