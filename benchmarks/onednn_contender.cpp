// oneDNN 2.x: the primitives behind PyTorch's and TensorFlow's layers on x86.
#include "contenders.h"

#if defined(UNCIAL_BENCH_ONEDNN)
#include <dnnl.hpp>
#include <memory>

// oneDNN of Debian brings OpenMP with it; a build with threads of another kind has no such function.
extern "C" void omp_set_num_threads(int) __attribute__((weak));

namespace uncial::bench {
namespace {

using dnnl::memory;
using Desc = memory::desc;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

Desc any(const memory::dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::any}; }

Desc row_major(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
  return {dims, memory::data_type::f32, strides};
}

/// A copy of `x` in the layout that a primitive asked for.
memory in_layout(const Tensor& x, const memory::dims& dims, const Desc& wanted) {
  dnnl::stream stream(cpu());
  memory source(row_major(dims), cpu(), x.data<float>()), copy(wanted, cpu());
  dnnl::reorder(source, copy).execute(stream, source, copy);
  stream.wait();
  return copy;
}

std::vector<float> as_row_major(memory result, const memory::dims& dims) {
  dnnl::stream stream(cpu());
  std::vector<float> values(row_major(dims).get_size() / sizeof(float));
  memory target(row_major(dims), cpu(), values.data());
  dnnl::reorder(result, target).execute(stream, result, target);
  stream.wait();
  return values;
}

using Arguments = std::unordered_map<int, memory>;

Contestant contestant(const dnnl::primitive& primitive, const Arguments& arguments, const memory& result,
                      const memory::dims& dims) {
  const auto stream = std::make_shared<dnnl::stream>(cpu());
  return {.run =
              [=] {
                primitive.execute(*stream, arguments);
                stream->wait();
              },
          .result = [=] { return as_row_major(result, dims); }};
}

/// Extents of x, w and y as oneDNN spells them; weights of groups have one axis more.
struct Dims {
  explicit Dims(const ConvExtents& e)
      : x{e.N, e.C, e.H, e.W}, w{e.K, e.C / e.groups, e.R, e.S}, y{e.N, e.K, e.P, e.Q} {
    if (e.groups > 1) w = {e.groups, e.K / e.groups, e.C / e.groups, e.R, e.S};
  }
  memory::dims x, w, y;
};

}  // namespace

bool onednn_has() { return true; }

void set_contenders_threads(int threads) {
  if (omp_set_num_threads) omp_set_num_threads(threads);
}

Contestant onednn_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b) {
  const Dims d(e);
  const memory::dims stride = {e.stride, e.stride}, dilation = {e.dilation - 1, e.dilation - 1};
  const memory::dims before = {e.padding, e.padding};
  // what the stride leaves over at the far edges is padding that nobody reads
  const auto after = [&](int64_t in, int64_t kernel, int64_t out) {
    return (out - 1) * e.stride + e.dilation * (kernel - 1) + 1 - in - e.padding;
  };
  const memory::dims behind = {after(e.H, e.R, e.P), after(e.W, e.S, e.Q)};
  const auto algorithm = dnnl::algorithm::convolution_auto;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, any(d.x), any(d.w), any(d.y), stride, dilation, before,
       behind},
      cpu());
  if (pass == ConvPass::forward) {
    const memory y(forward.dst_desc(), cpu());
    return contestant(dnnl::convolution_forward(forward),
                      {{DNNL_ARG_SRC, in_layout(a, d.x, forward.src_desc())},
                       {DNNL_ARG_WEIGHTS, in_layout(b, d.w, forward.weights_desc())},
                       {DNNL_ARG_DST, y}},
                      y, d.y);
  }
  if (pass == ConvPass::input_gradient) {
    const dnnl::convolution_backward_data::primitive_desc backward(
        {algorithm, any(d.x), any(d.w), any(d.y), stride, dilation, before, behind}, cpu(), forward);
    const memory dx(backward.diff_src_desc(), cpu());
    return contestant(dnnl::convolution_backward_data(backward),
                      {{DNNL_ARG_DIFF_DST, in_layout(a, d.y, backward.diff_dst_desc())},
                       {DNNL_ARG_WEIGHTS, in_layout(b, d.w, backward.weights_desc())},
                       {DNNL_ARG_DIFF_SRC, dx}},
                      dx, d.x);
  }
  const dnnl::convolution_backward_weights::primitive_desc backward(
      {algorithm, any(d.x), any(d.w), any(d.y), stride, dilation, before, behind}, cpu(), forward);
  const memory dw(backward.diff_weights_desc(), cpu());
  return contestant(dnnl::convolution_backward_weights(backward),
                    {{DNNL_ARG_SRC, in_layout(a, d.x, backward.src_desc())},
                     {DNNL_ARG_DIFF_DST, in_layout(b, d.y, backward.diff_dst_desc())},
                     {DNNL_ARG_DIFF_WEIGHTS, dw}},
                    dw, d.w);
}

Contestant onednn_product(const Tensor& a, const Tensor& b) {
  const memory::dims x = {a.size(0), a.size(1)}, w = {b.size(0), b.size(1)}, y = {a.size(0), b.size(0)};
  const dnnl::inner_product_forward::primitive_desc product(
      {dnnl::prop_kind::forward_inference, any(x), any(w), any(y)}, cpu());
  const memory c(product.dst_desc(), cpu());
  return contestant(dnnl::inner_product_forward(product),
                    {{DNNL_ARG_SRC, in_layout(a, x, product.src_desc())},
                     {DNNL_ARG_WEIGHTS, in_layout(b, w, product.weights_desc())},
                     {DNNL_ARG_DST, c}},
                    c, y);
}

}  // namespace uncial::bench

#else

namespace uncial::bench {
bool onednn_has() { return false; }
void set_contenders_threads(int) {}
Contestant onednn_conv(const ConvExtents&, ConvPass, const Tensor&, const Tensor&) { return {}; }
Contestant onednn_product(const Tensor&, const Tensor&) { return {}; }
}  // namespace uncial::bench

#endif
