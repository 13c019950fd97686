#include "kernel_case.h"
#include "naive.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

struct PoolShape {
  std::string name;
  Shape x;
  PoolOptions options;

  PoolExtents extents() const {
    const int64_t stride = options.stride == 0 ? options.kernel : options.stride;
    const auto out = [&](int64_t side) { return (side + 2 * options.padding - options.kernel) / stride + 1; };
    return {x[0] * x[1], x[2], x[3], out(x[2]), out(x[3]), options.kernel, stride, options.padding};
  }
  Shape y() const { return {x[0], x[1], extents().P, extents().Q}; }
  double bytes() const { return 4.0 * double(count(x) + count(y())); }
};

const PoolShape kShapes[] = {
    {"2x2_64_24", {128, 64, 24, 24}, {.kernel = 2}},
    {"2x2_32_26", {128, 32, 26, 26}, {.kernel = 2}},
    {"3x3_stride2_64_56", {16, 64, 56, 56}, {.kernel = 3, .stride = 2, .padding = 1}},
    {"odd_3x3_17_19", {37, 17, 19, 19}, {.kernel = 3}},
};

using Naive = void (*)(const PoolExtents&, const float*, float*);
using Operator = Tensor (*)(const Tensor&, PoolOptions);

void add_forward(const char* name, const PoolShape& s, Naive naive, Operator ours) {
  const Tensor x = rand(s.x, 1, -1, 1);
  const PoolExtents e = s.extents();
  add_case({.name = std::string(name) + "/" + s.name,
            .flops = double(count(s.y()) * e.kernel * e.kernel),
            .bytes = s.bytes(),
            .tolerance = 1e-6,
            .samples = double(s.x[0]),
            .entries = {{"naive",
                         [=] {
                           const Tensor y = empty(s.y());
                           return writing(y, [=] { naive(e, x.data<float>(), y.data<float>()); });
                         }},
                        {"uncial", [=] {
                           return recorded([=](const Tensors& in) { return Tensors{ours(in[0], s.options)}; },
                                           {x});
                         }}}});
}

/// dx is dy at the first largest place of each window.
void naive_max_pool_gradient(const PoolExtents& e, const float* dy, const float* x, float* dx) {
  std::fill(dx, dx + e.planes * e.H * e.W, 0.f);
  for (int64_t i = 0; i < e.planes * e.P * e.Q; ++i) {
    const int64_t plane = i / (e.P * e.Q), top = i / e.Q % e.P * e.stride - e.padding;
    const int64_t left = i % e.Q * e.stride - e.padding;
    int64_t winner = -1;
    for (int64_t h = std::max<int64_t>(0, top); h < std::min(e.H, top + e.kernel); ++h)
      for (int64_t w = std::max<int64_t>(0, left); w < std::min(e.W, left + e.kernel); ++w) {
        const int64_t place = (plane * e.H + h) * e.W + w;
        if (winner < 0 || x[place] > x[winner]) winner = place;
      }
    dx[winner] += dy[i];
  }
}

void add_max_gradient(const PoolShape& s) {
  const Tensor x = rand(s.x, 1, -1, 1), dy = rand(s.y(), 2, -1, 1);
  const PoolExtents e = s.extents();
  const auto entry = [=](const char* name, auto kernel) {
    return Entry{name, [=] {
                   const Tensor dx = empty(s.x);
                   return writing(dx, [=] { kernel(dy.data<float>(), x.data<float>(), dx.data<float>()); });
                 }};
  };
  add_case({.name = "max_pool_gradient/" + s.name,
            .flops = double(count(s.y()) * e.kernel * e.kernel),
            .bytes = s.bytes() + 4.0 * double(count(s.x)),
            .tolerance = 1e-6,
            .samples = double(s.x[0]),
            .entries = {entry("naive", [=](const float* dy, const float* x,
                                           float* dx) { naive_max_pool_gradient(e, dy, x, dx); }),
                        entry("uncial", [=](const float* dy, const float* x, float* dx) {
                          kernels::max_pool_scatter<float>(Device::cpu(), dy, x, dx, e);
                        })}});
}

}  // namespace

void add_pool_cases() {
  for (const PoolShape& s : kShapes) add_forward("max_pool", s, naive::max_pool, max_pool2d);
  for (const PoolShape& s : kShapes) add_forward("avg_pool", s, naive::average_pool, avg_pool2d);
  for (const PoolShape& s : kShapes) add_max_gradient(s);
}

}  // namespace uncial::bench
