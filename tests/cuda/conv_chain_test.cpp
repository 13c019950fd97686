// Chains of convolutions in shared memory against plain loops, layer by layer. Factors are small integers, so
// that sums are exact and every bit must agree.

#include "conv_chain.h"

#include <cmath>

#include "cuda/rounded_factor.h"
#include "program/cuda/chain_plan.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/core/cuda.h"

using namespace uncial;
using namespace uncial::cuda;
using namespace uncial::test;

namespace {

/// Integers from -range to range.
Tensor integers(const Shape& shape, int range, uint64_t seed) {
  Tensor x = randn(shape, seed);
  for (float& v : x.span<float>()) v = float(int(std::lround(double(v) * range)) % (range + 1));
  return x;
}

struct Layer {
  ConvSpec spec;
  Precision precision;
  Tensor w, bias;
  Tensor y, codes;  ///< as the next layer sees it: activated, pooled, rounded
  Tensor dw, dbias;
};

Shape pooled(const ConvSpec& s) {
  return {s.e.N, s.e.K, s.pool ? s.e.P / 2 : s.e.P, s.pool ? s.e.Q / 2 : s.e.Q};
}

/// x (n, c, h, w) of what a convolution reads, or 0 outside.
float at(const float* x, const ConvExtents& e, int64_t n, int64_t c, int64_t h, int64_t w) {
  if (h < 0 || w < 0 || h >= e.H || w >= e.W) return 0;
  return x[((n * e.C + c) * e.H + h) * e.W + w];
}

template <class Use>
void each_place(const Shape& s, Use use) {
  const int64_t N = s[0], C = s[1], H = s[2], W = s[3];
  size_t i = 0;
  for (int64_t n = 0; n < N; ++n)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t w = 0; w < W; ++w) use(n, c, h, w, i++);
}

float product(const Layer& l, const float* x, int64_t n, int64_t k, int64_t p, int64_t q) {
  const ConvExtents& e = l.spec.e;
  const float* w = l.w.data<float>() + k * e.C * e.R * e.S;
  float sum = l.bias.data<float>()[k];
  for (int64_t c = 0; c < e.C; ++c)
    for (int64_t r = 0; r < e.R; ++r)
      for (int64_t s = 0; s < e.S; ++s)
        sum += *w++ * at(x, e, n, c, p * e.stride - e.padding + r * e.dilation,
                         q * e.stride - e.padding + s * e.dilation);
  return sum;
}

void forward(Layer& l, const Tensor& x) {
  const bool pool = l.spec.pool;
  l.y = zeros(pooled(l.spec)), l.codes = zeros(pooled(l.spec), DType::uint8);
  const float* in = x.data<float>();
  float* y = l.y.data<float>();
  uint8_t* codes = l.codes.data<uint8_t>();
  each_place(l.y.shape(), [&](int64_t n, int64_t k, int64_t p, int64_t q, size_t i) {
    float best = 0;
    int place = -1;
    for (int j = 0; j < (pool ? 4 : 1); ++j) {
      const float v = pool ? product(l, in, n, k, 2 * p + j / 2, 2 * q + j % 2) : product(l, in, n, k, p, q);
      if (place < 0 || v > best) best = v, place = j;
    }
    const bool dead = l.spec.relu && best <= 0;
    y[i] = dead ? 0 : rounded_factor(l.precision, best);
    codes[i] = dead ? kDead : uint8_t(place);
  });
}

/// dy of what came out -> dw, dbias, and dx.
Tensor backward(Layer& l, const Tensor& x, const Tensor& dy) {
  const ConvExtents& e = l.spec.e;
  l.dw = zeros(l.w.shape()), l.dbias = zeros({e.K});
  Tensor dx = zeros(x.shape());
  const float *in = x.data<float>(), *filters = l.w.data<float>(), *from = dy.data<float>();
  const uint8_t* codes = l.codes.data<uint8_t>();
  float *dfilters = l.dw.data<float>(), *dbias = l.dbias.data<float>(), *to = dx.data<float>();
  each_place(dy.shape(), [&](int64_t n, int64_t k, int64_t p, int64_t q, size_t i) {
    const int code = codes[i];
    if (code == kDead) return;
    const float g = rounded_factor(l.precision, from[i]);
    if (l.spec.pool) p = 2 * p + code / 2, q = 2 * q + code % 2;
    dbias[k] += g;
    each_place({1, e.C, e.R, e.S}, [&](int64_t, int64_t c, int64_t r, int64_t s, size_t j) {
      const int64_t h = p * e.stride - e.padding + r * e.dilation,
                    w = q * e.stride - e.padding + s * e.dilation;
      const size_t weight = size_t(k * e.C * e.R * e.S) + j;
      dfilters[weight] += g * at(in, e, n, c, h, w);
      if (h >= 0 && w >= 0 && h < e.H && w < e.W)
        to[((n * e.C + c) * e.H + h) * e.W + w] += g * filters[weight];
    });
  });
  return dx;
}

ConvSpec spec(int64_t N, int64_t C, int64_t H, int64_t W, int64_t K, int64_t R, bool relu, bool pool,
              int64_t padding = 0, int64_t stride = 1, int64_t dilation = 1) {
  const auto out = [&](int64_t side) { return (side + 2 * padding - dilation * (R - 1) - 1) / stride + 1; };
  return {{N, C, H, W, K, R, R, out(H), out(W), stride, padding, dilation, 1}, relu, pool};
}

template <class T>
T* there(const Tensor& x) {
  return static_cast<T*>(x.view().data);
}

struct Chain {
  std::vector<Layer> layers;
  Tensor x, dy;

  Chain(const std::vector<ConvSpec>& specs, Precision precision) {
    const ConvExtents& first = specs[0].e;
    x = integers({first.N, first.C, first.H, first.W}, 2, 1);
    for (const ConvSpec& s : specs) {
      const uint64_t seed = layers.size() + 2;
      layers.push_back({s,
                        precision,
                        integers({s.e.K, s.e.C, s.e.R, s.e.S}, 1, seed),
                        integers({s.e.K}, 3, seed + 10),
                        {},
                        {},
                        {},
                        {}});
    }
    for (size_t i = 0; i < layers.size(); ++i) forward(layers[i], input(i));
    dy = integers(pooled(specs.back()), 2, 30);
    Tensor g = dy;
    for (size_t i = layers.size(); i-- > 0;) g = backward(layers[i], input(i), g);
  }
  const Tensor& input(size_t i) const { return i == 0 ? x : layers[i - 1].y; }
  std::vector<ConvSpec> specs() const {
    std::vector<ConvSpec> all;
    for (const Layer& l : layers) all.push_back(l.spec);
    return all;
  }
};

PackJob pack_job(const Layer& l, const ConvProduct& p, const Tensor& w, bool first, bool transposed,
                 Tensor& packed) {
  const ConvExtents& e = l.spec.e;
  packed = full({p.packed_words()}, -1, DType::int32, w.device());
  return {there<float>(w), there<uint32_t>(packed), int(e.K),     int(e.C),         int(e.R),
          int(e.S),        p.filter_tiles,          p.taps.units, first && e.C < 8, transposed,
          l.precision};
}

/// So many tiles a warp, whatever the plan found best.
void take_tiles(ConvProduct& p, int tiles) {
  p.tiles_a_warp = std::min(tiles, p.filter_tiles);
  p.by_groups = Divider(p.filter_tiles / p.tiles_a_warp);
}

/// Both directions on the GPU, against what the loops gave; with so many tiles a warp, or as planned.
void check_chain(Device gpu, const std::vector<ConvSpec>& specs, const GpuLimits& limits, Precision precision,
                 int tiles = 0) {
  const Chain chain(specs, precision);
  const size_t L = specs.size();
  auto f = program::cuda::plan_forward(specs, gpu_limits());
  auto b = program::cuda::plan_backward(specs, limits);
  REQUIRE(f.has_value());
  REQUIRE(b.has_value());
  for (size_t i = 0; i < L && tiles > 0; ++i) {
    take_tiles(f->layer[i].product, tiles);
    if (i > 0) take_tiles(b->layer[i].product, std::min(tiles, 4));
  }
  std::vector<Tensor> keep(8 * L + 8);
  std::vector<PackJob> packs;
  std::vector<GatherJob> gathers;
  const Tensor x = chain.x.to(gpu), dy = chain.dy.to(gpu);
  const Tensor y = full(pooled(specs.back()), NAN, DType::float32, gpu);
  f->x = b->x = there<float>(x), f->y = there<float>(y), b->dy = there<float>(dy);
  f->round_y = true;
  f->precision = b->precision = precision;
  b->scale = 1;
  for (size_t i = 0; i < L; ++i) {
    const Layer& l = chain.layers[i];
    Tensor* t = &keep[8 * i];
    ForwardLayer& fl = f->layer[i];
    BackwardLayer& bl = b->layer[i];
    const Tensor w = keep[8 * i + 7] = l.w.to(gpu);
    packs.push_back(pack_job(l, fl.product, w, i == 0, false, t[0]));
    fl.product.weights = packs.back().packed;
    t[1] = l.bias.to(gpu), fl.bias = there<float>(t[1]);
    const int64_t pixels = fl.out_height * fl.out_width, channels = i + 1 < L ? fl.y.channels : fl.filters;
    t[2] = full({l.spec.e.N * pixels * channels}, 77, DType::uint8, gpu), fl.codes = there<uint8_t>(t[2]);
    if (i + 1 < L) {
      t[3] = full({l.spec.e.N * pixels * channels}, 3, DType::bfloat16, gpu);
      fl.kept = there<uint16_t>(t[3]);
      b->layer[i + 1].kept = fl.kept;
      if (l.spec.pool) b->layer[i + 1].codes = fl.codes;
    } else {
      b->codes = fl.codes;
    }
    if (i > 0) {
      packs.push_back(pack_job(l, bl.product, w, false, true, t[4]));
      bl.product.weights = packs.back().packed;
    }
    t[5] = full({program::cuda::partial_floats(bl, b->blocks)}, NAN, DType::float32, gpu);
    bl.partial = there<float>(t[5]);
    t[6] = full({l.w.size() + l.spec.e.K}, NAN, DType::float32, gpu);
    const ConvExtents& e = l.spec.e;
    gathers.push_back({bl.partial, b->blocks, bl.filters, bl.padded_filters(), int(e.C), int(e.R), int(e.S),
                       bl.taps.units, i == 0 && e.C < 8, there<float>(t[6]),
                       there<float>(t[6]) + l.w.size()});
  }
  uncial::cuda::run(packs.data(), int(packs.size()));
  uncial::cuda::run(*f);
  uncial::cuda::run(*b);
  uncial::cuda::run(gathers.data(), int(gathers.size()));
  cuda::synchronize(gpu);
  const Device host = Device::cpu();
  check_close(y.to(host), chain.layers.back().y, 0);
  for (size_t i = 0; i < L; ++i) {
    INFO("layer " << i);
    const Layer& l = chain.layers[i];
    const Tensor d = keep[8 * i + 6].to(host);
    check_close(d.slice(0, {.start = 0, .stop = l.w.size()}).reshape(l.w.shape()), l.dw, 0);
    check_close(d.slice(0, {.start = l.w.size(), .stop = d.size()}), l.dbias, 0);
  }
}

}  // namespace

TEST_CASE("chains of convolutions agree with plain loops, forwards and backwards") {
  const std::vector<std::vector<ConvSpec>> chains = {
      {spec(5, 1, 10, 12, 32, 3, true, false), spec(5, 32, 8, 10, 64, 3, true, true)},
      {spec(4, 1, 14, 13, 32, 3, true, true), spec(4, 32, 6, 5, 24, 3, true, true)},
      {spec(2, 1, 14, 14, 6, 5, true, true, 2), spec(2, 6, 7, 7, 16, 5, true, true)},
      {spec(7, 3, 9, 9, 20, 3, true, false, 1, 2), spec(7, 20, 5, 5, 36, 3, true, false, 1),
       spec(7, 36, 5, 5, 10, 1, false, false)},
      {spec(3, 16, 7, 8, 12, 3, false, false, 1)},
      {spec(3, 12, 11, 9, 70, 3, true, true, 2, 1, 2)},
      {spec(20, 2, 6, 6, 8, 3, true, true), spec(20, 8, 2, 2, 8, 3, true, false, 1)},
  };
  for_each_gpu([&](Device gpu) {
    for (size_t i = 0; i < chains.size(); ++i) {
      INFO("chain " << i);
      for (const Precision precision : {Precision::bf16, Precision::fp16})
        check_chain(gpu, chains[i], gpu_limits(), precision);
    }
  });
}

TEST_CASE("chains give the same with any number of tiles a warp") {
  // Few samples and multiprocessors, so that a block has many of them: 576 threads, which may take 8 tiles.
  const std::vector<ConvSpec> specs = {spec(4, 1, 12, 10, 32, 3, true, true),
                                       spec(4, 32, 5, 4, 64, 3, true, false, 1),
                                       spec(4, 64, 5, 4, 64, 1, true, true)};
  for_each_gpu([&](Device gpu) {
    const GpuLimits limits{2, gpu_limits().shared_bytes, true};
    REQUIRE(program::cuda::plan_forward(specs, limits)->threads <= 640);
    for (const int tiles : {1, 2, 4, 8}) {
      INFO(tiles << " tiles");
      for (const Precision precision : {Precision::bf16, Precision::fp16})
        check_chain(gpu, specs, limits, precision, tiles);
    }
  });
}

TEST_CASE("a chain whose last gradient shares its memory gives the same") {
  const std::vector<std::vector<ConvSpec>> chains = {
      {spec(4, 1, 14, 13, 32, 3, true, true), spec(4, 32, 6, 5, 24, 3, true, true)},
      {spec(7, 3, 9, 9, 20, 3, true, true, 1), spec(7, 20, 4, 4, 36, 3, true, false, 1),
       spec(7, 36, 4, 4, 10, 1, false, false)},
      {spec(4, 12, 11, 9, 30, 3, true, true, 2), spec(4, 30, 6, 5, 8, 3, false, false)},
  };
  for_each_gpu([&](Device gpu) {
    for (const auto& specs : chains) {
      GpuLimits limits{3, gpu_limits().shared_bytes, true};  // a block takes several samples
      const auto roomy = program::cuda::plan_backward(specs, limits);
      limits.shared_bytes = roomy->shared_bytes - 1;
      const auto tight = program::cuda::plan_backward(specs, limits);
      REQUIRE(tight.has_value());
      CHECK((roomy->roomy && !tight->roomy));
      for (const Precision precision : {Precision::bf16, Precision::fp16})
        check_chain(gpu, specs, limits, precision);
    }
  });
}

TEST_CASE("the convolutions of an MNIST network have room on an H100") {
  const GpuLimits h100{132, 227 * 1024, true};
  for (const int64_t N : {128, 4096}) {
    const std::vector<ConvSpec> specs = {spec(N, 1, 28, 28, 32, 3, true, false),
                                         spec(N, 32, 26, 26, 64, 3, true, true)};
    CHECK(program::cuda::plan_forward(specs, h100).has_value());
    const auto backward = program::cuda::plan_backward(specs, h100);
    REQUIRE(backward.has_value());
    CHECK(backward->roomy);
  }
}
