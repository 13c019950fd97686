#include <limits>

#include "layer_check.h"
#include "support/check_op.h"
#include "uncial/autograd/op.h"
#include "uncial/core/random.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

DropoutKey key(int64_t seed, int64_t layer, int64_t epoch, const Tensor& samples) {
  return {tensor<int64_t>({seed, layer, epoch}), samples};
}

DropoutKey key_beside(const Tensor& x, const DropoutKey& k) {
  return {beside(x, k.state), beside(x, k.samples)};
}

/// Whether the documented word drops element j: one Philox block at a time, compared in floating point.
bool dropped(const DropoutKey& k, int64_t row, int64_t j, double p) {
  const int64_t *state = k.state.data<int64_t>(), sample = k.samples.data<int64_t>()[row];
  const RandomStream stream(derived_seed(uint64_t(state[0]), uint64_t(state[1])), Purpose::dropout,
                            uint64_t(state[2]), uint64_t(sample));
  return double(stream.block(uint64_t(j) / 4)[size_t(j % 4)]) < p * 0x1p32;
}

Tensor slow_dropout(const Tensor& x, double p, const DropoutKey& k) {
  const Tensor y = zeros(x.shape(), DType::float64);
  const int64_t cols = x.size(0) == 0 ? 0 : x.size() / x.size(0);
  for (int64_t i = 0; i < x.size(); ++i)
    y.data<double>()[i] = dropped(k, i / cols, i % cols, p) ? 0 : x.data<double>()[i] / (1 - p);
  return y;
}

int64_t zeros_in(const Tensor& x) {
  int64_t n = 0;
  const Tensor dense = x.contiguous();
  for (float v : dense.span<float>()) n += v == 0;
  return n;
}

}  // namespace

TEST_CASE("dropout: values and gradients are those of the documented words") {
  // Rows around the 64 words that are drawn at a time; several tasks; no rows, no columns.
  const std::vector<Shape> shapes = {{1},      {5},       {3, 1}, {2, 3}, {4, 63},    {3, 64},     {2, 65},
                                     {7, 130}, {2, 3, 5}, {0, 4}, {4, 0}, {40, 1000}, {3, 2, 4, 4}};
  for (const Shape& shape : shapes)
    for (const double p : {0.0, 0.25, 0.9}) {
      INFO("x " << shape << " p " << p);
      const DropoutKey k = key(7, 3, 2, arange(100, 100 + double(shape[0])));
      check_layer({.layer = [&](const Tensors& in) { return dropout(in[0], p, key_beside(in[0], k)); },
                   .reference = [&](const Tensors& in) { return slow_dropout(in[0], p, k); },
                   .inputs = {randn(shape, 1, DType::float64)},
                   .tolerance = 1e-15,
                   .float_tolerance = 1e-6});
    }
}

TEST_CASE("dropout: the mask belongs to the sample, not to the batch") {
  const Tensor x = ones({4, 100});
  const Tensor a = dropout(x, 0.5, key(1, 0, 0, tensor<int64_t>({10, 11, 12, 13})));
  const Tensor b = dropout(x, 0.5, key(1, 0, 0, tensor<int64_t>({12, 99, 10, 12})));
  CHECK(same_bits(a[2], b[0]));
  CHECK(same_bits(a[0], b[2]));
  CHECK(same_bits(a[2], b[3]));
  CHECK_FALSE(same_bits(a[0], a[1]));
}

TEST_CASE("dropout: seed, layer, epoch and sample each change the mask") {
  const Tensor x = ones({1, 256});
  const auto mask = [&](int64_t seed, int64_t layer, int64_t epoch, int64_t sample) {
    return dropout(x, 0.5, key(seed, layer, epoch, tensor<int64_t>({sample})));
  };
  constexpr int64_t k32 = int64_t(1) << 32;
  const Tensor base = mask(1, 2, 3, 4);
  CHECK(same_bits(base, mask(1, 2, 3, 4)));
  for (const Tensor& other :
       {mask(2, 2, 3, 4), mask(1, 3, 3, 4), mask(1, 2, 4, 4), mask(1, 2, 3, 5), mask(k32 | 1, 2, 3, 4),
        mask(1, k32 | 2, 3, 4), mask(1, 2, k32 | 3, 4), mask(1, 2, 3, k32 | 4), mask(1, 2, 3, 256 * k32 | 4),
        mask(-1, 2, 3, 4), mask(1, 2, 3, -4)}) {
    int64_t differing = 0;
    for (int64_t i = 0; i < 256; ++i) differing += base.data<float>()[i] != other.data<float>()[i];
    CHECK(differing > 80);  // 128 expected, deviation 8
    CHECK(differing < 176);
  }
}

TEST_CASE("dropout: large coordinates are those of the documented words") {
  // The upper half of a sample's number and a block's own bits lie in one word of the kernel's counter.
  const DropoutKey k =
      key(-3, int64_t(1) << 50, int64_t(1) << 35, tensor<int64_t>({int64_t(0xab) << 32 | 5, -1}));
  const Tensor x = ones({2, 300}, DType::float64);
  for_each_isa([&](const std::string& isa) {
    INFO(isa);
    check_close(dropout(x, 0.5, k), slow_dropout(x, 0.5, k), 0);
  });
}

TEST_CASE("dropout: the key is read when the operator runs") {
  const DropoutKey k = key(1, 2, 3, tensor<int64_t>({0, 1}));
  const Tensor x = parameter(ones({2, 64}));
  const Tensor before = dropout(x, 0.5, k);
  k.state.data<int64_t>()[2] = 4;
  k.state.mark_changed();
  CHECK_FALSE(same_bits(dropout(x, 0.5, k), before));
  // The old mask is gone, so the gradient of the old result is refused.
  check_error(
      ErrorKind::usage,
      [&] {
        before.backward(ones({2, 64}));
      },
      "dropout", "changed in place");
}

TEST_CASE("dropout: drops the fraction p and keeps the mean") {
  const Tensor x = ones({1000, 1000});
  const Tensor samples = arange(0, 1000);
  for (const double p : {0.1, 0.5, 0.8}) {
    const Tensor y = dropout(x, p, key(5, 1, 0, samples));
    const double deviation = std::sqrt(1e6 * p * (1 - p));
    CHECK(std::abs(double(zeros_in(y)) - 1e6 * p) < 5 * deviation);
    CHECK(y.mean().item() == Approx(1).margin(5 * deviation / 1e6 / (1 - p)));
  }
  CHECK(same_bits(dropout(x, 0, key(5, 1, 0, samples)), x));
  CHECK(zeros_in(dropout(ones({4, 50}), 1 - 1e-12, key(1, 1, 1, arange(0, 4)))) == 200);
}

TEST_CASE("dropout: a dropped NaN or infinity becomes 0") {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const DropoutKey k = key(3, 0, 0, tensor<int64_t>({0}));
    const Tensor y = dropout(full({1, 200}, bad, DType::float64), 0.5, k);
    for (int64_t j = 0; j < 200; ++j) {
      const double v = y.data<double>()[j];
      CHECK((dropped(k, 0, j, 0.5) ? v == 0 : !std::isfinite(v)));
    }
  }
}

TEST_CASE("dropout without a key: a new mask at each call, and recordings are told") {
  struct Listener : Recorder {
    void on_op(const std::shared_ptr<const Op>&, const Tensors&, const Tensors&) override {}
    void refuse(const std::string& reason) override { heard = reason; }
    std::string heard;
  };
  const Tensor x = parameter(ones({4, 64}));
  const Tensor a = dropout(x, 0.5), b = dropout(x, 0.5);
  CHECK_FALSE(same_bits(a, b));
  CHECK(zeros_in(a) > 64);
  a.backward(ones({4, 64}));
  CHECK(same_bits(x.grad(), a));
  Listener listener;
  {
    const RecorderScope scope(&listener);
    dropout(x, 0.5, key(1, 1, 1, arange(0, 4)));
    CHECK(listener.heard.empty());
    dropout(x, 0.5);
  }
  CHECK(listener.heard.find("dropout without a key") != std::string::npos);
}

TEST_CASE("dropout: errors name the call and the way out") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  const Tensor x = ones({2, 3});
  const Tensor samples = arange(0, 2);
  usage([&] { dropout(x, 1); }, "dropout: p must be in [0, 1), got 1");
  usage([&] { dropout(x, -0.1); }, "got -0.1");
  usage([&] { dropout(x, std::nan("")); }, "dropout: p must be in [0, 1)");
  usage([&] { dropout(zeros({}), 0.5); }, "dropout: x must be (N, ...), got a scalar");
  usage([&] { dropout(x, 0.5, key(1, 1, 1, arange(0, 3))); }, "samples must be int64(2)", "x(2, 3)",
        "got int64(3)");
  usage([&] { dropout(x, 0.5, {zeros({3}), samples}); }, "state must be int64(3)", "got float32(3)");
  usage([&] { dropout(x, 0.5, {tensor<int64_t>({1, 2}), samples}); }, "got int64(2)");
  usage([&] { dropout(x.to(DType::int64), 0.5); }, "dropout", "int64");
}
