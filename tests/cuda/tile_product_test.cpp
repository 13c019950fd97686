// Products of tiles against plain loops. Factors are small integers, so that sums are exact and every bit
// must agree.

#include "tile_product.h"

#include <cmath>

#include "cuda/rounded_factor.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/core/cuda.h"

using namespace uncial;
using namespace uncial::cuda;
using namespace uncial::test;

namespace {

float* there(const Tensor& x) { return static_cast<float*>(x.view().data); }

/// Where the elements of a factor lie: one behind the other along k, along the other axis, or neither.
enum class Lies { by_k, by_row, strided };

struct Case {
  int64_t M, N, K;
  Lies a = Lies::by_k, b = Lies::by_k;
  bool bias = false, relu = false, round = false, sums = false;
  int64_t offset = 0;  ///< of the first element, in floats: 16-byte accesses need a multiple of 4
};

/// A factor as plain numbers, and in the memory of a GPU.
struct Operand {
  std::vector<float> values;  ///< i, k
  Tensor memory;
  TileFactor factor;

  Operand(int64_t extent, int64_t K, Lies lies, int64_t offset, int range, int seed, Device gpu) {
    const int64_t pitch =
        lies == Lies::by_k ? K + K % 2 : extent + extent % 2;  // some multiples of 4, some not
    const int64_t step = lies == Lies::by_k ? pitch : lies == Lies::by_row ? 1 : 3;
    const int64_t k_step = lies == Lies::by_k ? 1 : lies == Lies::by_row ? pitch : 3 * extent + 1;
    Tensor host =
        full({offset + extent * step + K * k_step + 4}, NAN, DType::float32);  // what is outside is NaN
    values.resize(size_t(extent * K));
    for (int64_t i = 0; i < extent; ++i)
      for (int64_t k = 0; k < K; ++k) {
        const float v = float((i * 7 + k * 5 + i * k % 11 + seed) % (2 * range + 1) - range);
        values[size_t(i * K + k)] = v;
        host.span<float>()[size_t(offset + i * step + k * k_step)] = v;
      }
    memory = host.to(gpu);
    factor = {there(memory) + offset, step, k_step};
  }
};

struct Problem {
  Case c;
  Precision precision;
  Operand a, b;
  Tensor bias, result, sums;

  Problem(const Case& of, int seed, Device gpu, Precision factors)
      : c(of),
        precision(factors),
        a(of.M, of.K, of.a, of.offset, 3, seed, gpu),
        b(of.N, of.K, of.b, of.offset, 4, seed + 1, gpu),
        bias(full({of.N}, 0.0, DType::float32)),
        result(full({of.M, of.N}, NAN, DType::float32, gpu)),
        sums(full({of.M}, NAN, DType::float32, gpu)) {
    for (int64_t n = 0; n < c.N; ++n) bias.span<float>()[size_t(n)] = float(n % 5 * 3 - 6);
    on_gpu = bias.to(gpu);
  }
  TileProduct product() const {
    return {c.M,
            c.N,
            c.K,
            a.factor,
            b.factor,
            there(result),
            c.bias ? there(on_gpu) : nullptr,
            c.relu,
            c.round,
            c.sums ? there(sums) : nullptr,
            precision};
  }
  void check() const {
    const Tensor y = result.to(Device::cpu()), s = sums.to(Device::cpu());
    Tensor expected = zeros({c.M, c.N}), expected_sums = zeros({c.M});
    for (int64_t m = 0; m < c.M; ++m) {
      for (int64_t k = 0; k < c.K; ++k)
        expected_sums.span<float>()[size_t(m)] += a.values[size_t(m * c.K + k)];
      for (int64_t n = 0; n < c.N; ++n) {
        float sum = c.bias ? bias.span<float>()[size_t(n)] : 0;
        for (int64_t k = 0; k < c.K; ++k)
          sum += a.values[size_t(m * c.K + k)] * b.values[size_t(n * c.K + k)];
        if (c.relu && sum < 0) sum = 0;
        expected.span<float>()[size_t(m * c.N + n)] = c.round ? rounded_factor(precision, sum) : sum;
      }
    }
    check_close(y, expected, 0);
    if (c.sums) check_close(s, expected_sums, 0);
  }

 private:
  Tensor on_gpu;
};

std::vector<Case> cases() {
  std::vector<Case> all = {{1, 1, 1},
                           {1, 1, 1, Lies::by_row, Lies::strided, true},
                           {3, 10, 7, Lies::by_k, Lies::by_row, true, true},
                           {64, 64, 32},
                           {65, 130, 33, Lies::by_row, Lies::by_k, false, false, true, true},
                           {17, 5, 200, Lies::strided, Lies::by_row, true, false, true, true},
                           {128, 9, 64, Lies::by_k, Lies::by_k, true, true, true, true},
                           {70, 40, 130, Lies::by_row, Lies::by_row, false, false, false, true, 1},
                           {70, 40, 132, Lies::by_k, Lies::by_k, true, true, false, false, 4},
                           {33, 36, 300, Lies::by_k, Lies::strided, false, true, false, true, 4}};
  return all;
}

}  // namespace

TEST_CASE("products of tiles agree with plain loops, however they are cut") {
  for_each_gpu([](Device gpu) {
    if (!gpu_limits().multiplies_bfloat16) return;
    for (const Precision precision : {Precision::bf16, Precision::fp16})
      for (const Case& c : cases())
        for (int shape = 0; shape < kTileShapes; ++shape)
          for (int64_t slabs : {1, 2, 3, 100}) {
            INFO(c.M << " x " << c.N << " x " << c.K << " in shape " << shape << ", " << slabs
                     << " slabs a block, " << precision);
            const Problem p(c, 3, gpu, precision);
            const TileProduct product = p.product();
            uncial::cuda::run(&product, 1, {shape, slabs});
            p.check();
          }
  });
}

TEST_CASE("several products run together, some of them split") {
  for_each_gpu([](Device gpu) {
    if (!gpu_limits().multiplies_bfloat16) return;
    const std::vector<Case> all = cases();
    for (int shape = -1; shape < kTileShapes; ++shape) {
      INFO("shape " << shape);
      std::vector<Problem> problems;
      std::vector<TileProduct> products;
      for (size_t i = 2; i < 2 + size_t(kMaxTileProducts); ++i)
        problems.emplace_back(all[i], int(i), gpu, i % 3 == 0 ? Precision::fp16 : Precision::bf16);
      for (const Problem& p : problems) products.push_back(p.product());
      if (shape < 0)
        uncial::cuda::run(products.data(), int(products.size()));
      else
        uncial::cuda::run(products.data(), int(products.size()), {shape, 2});
      for (const Problem& p : problems) p.check();
    }
  });
}

TEST_CASE("products of tiles round what they read as the rounding operators do") {
  for_each_gpu([](Device gpu) {
    if (!gpu_limits().multiplies_bfloat16) return;
    const std::vector<float> values = {
        1.00390625f,     1.01171875f,    -1.00390626f, 3e38f,          3.4e38f,        -0.0f,    1e-38f,
        1.17549435e-38f, 1.1754942e-38f, -1e-40f,      INFINITY,       -INFINITY,      NAN,      0.1f,
        65504,           65519.996f,     65520,        -70000,         0x1p-24f,       0x1p-25f, 0x1.8p-24f,
        0x1.0001p-25f,   0x1.ffcp-15f,   0x1.ffep-15f, 1.00048828125f, 1.00146484375f, -3e-6f};
    const auto count = int64_t(values.size());
    for (const Precision precision : {Precision::bf16, Precision::fp16}) {
      INFO(precision);
      Tensor x = zeros({count, 1}, DType::float32), one = full({1, 1}, 1, DType::float32);
      Tensor expected = zeros({count, 1}, DType::float32);
      for (size_t i = 0; i < values.size(); ++i) {
        x.span<float>()[i] = values[i];
        expected.span<float>()[i] = rounded_factor(precision, values[i]);
      }
      const Tensor a = x.to(gpu), b = one.to(gpu), y = full({count, 1}, 7, DType::float32, gpu);
      TileProduct product{count, 1, 1, {there(a), 1, 1}, {there(b), 1, 1}, there(y)};
      product.precision = precision;
      uncial::cuda::run(&product, 1);
      check_close(y.to(Device::cpu()), expected, 0);
    }
  });
}

TEST_CASE("large products are cut so that a GPU has enough blocks") {
  const GpuLimits limits{132, 227 * 1024, true};
  const TileFactor f{nullptr, 1, 1};
  const auto cut_of = [&](int64_t M, int64_t N, int64_t K) {
    const TileProduct p{M, N, K, f, f, nullptr};
    return best_cut(&p, 1, limits);
  };
  CHECK(cut_of(128, 128, 9216).slabs < 20);
  CHECK(cut_of(4096, 128, 9216).slabs < 288);
  CHECK(cut_of(4096, 128, 9216).shape > 1);
  CHECK(cut_of(1, 128, 9216).shape == 0);
  CHECK(cut_of(64, 10, 128).slabs == 2);  // not split: a second launch costs more
}
