// Recorded programs in bfloat16 against the same operators one by one.
#include <cmath>
#include <cstring>

#include "program/lane_steps.h"
#include "support/check_op.h"
#include "support/isas.h"
#include "support/thorough.h"
#include "uncial/core/parallel.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor integers(const Shape& shape, uint64_t seed, double most) {
  const Tensor x = rand(shape, seed, -most, most);
  for (float& v : x.span<float>()) v = std::round(v);
  return x;
}

/// A float32 layer of integers up to some 2,000, exact in any order, and one in bfloat16 that reads them:
/// both ways of running read the same factors, so that a rounding left out shows.
struct TwoLayers {
  const char* name;
  Shape first, second;  ///< weights
  std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& b)> layer;
  std::function<Tensor(const Tensor& y)> behind;
  bool others_read = false;  ///< the integers are read by more than the layer
  bool on_tiles = false;     ///< runs on the matrix unit, where there is one
  bool on_dots = false;      ///< and on dot products of pairs

  Tensor w1 = parameter(integers(first, 1, 9)), w2 = parameter(randn(second, 2) * 0.1),
         b1 = parameter(zeros({first[0]})), b2 = parameter(randn({second[0]}, 3));

  Tensor forward(const Tensor& x) const { return behind(layer(relu(conv2d(x, w1, b1)), w2, b2)); }
  /// {x, gradient of the value} -> {value, loss, gradients of all weights}
  Tensors step(const Tensors& in) const {
    const Tensor x = relu(conv2d(in[0], w1, b1));
    const Tensor z = behind(layer(x, w2, b2));
    Tensor loss = sum(z * in[1]);
    if (others_read) loss = loss + sum(tanh(x * 0.001)) * 100;
    const Tensors d = gradients(loss, {w1, b1, w2, b2});
    return {z.detach(), loss.detach(), d[0], d[1], d[2], d[3]};
  }
};

constexpr ConvOptions kPadded{.padding = 1, .precision = Precision::bf16};

std::vector<TwoLayers> two_layers() {
  const auto conv = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv2d(x, w, b, kPadded);
  };
  const auto strided = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv2d(x, w, b, {.stride = 2, .padding = 2, .precision = Precision::bf16});
  };
  const auto no_bias = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv2d(x, w, {}, {.stride = 2, .padding = 1, .precision = Precision::bf16}) +
           reshape(b, {1, b.size(), 1, 1});
  };
  const auto dense = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return linear(flatten(x, 1), w, b, Precision::bf16);
  };
  const auto same = [](const Tensor& y) { return y; };
  const auto pooled = [](const Tensor& y) { return max_pool2d(relu(y)); };
  return {
      {"direct", {5, 2, 1, 1}, {6, 5, 3, 3}, conv, same},
      {"direct, relu, pool", {5, 2, 1, 1}, {6, 5, 3, 3}, conv, pooled},
      {"winograd, relu",
       {8, 2, 1, 1},
       {9, 8, 3, 3},
       conv,
       [](const Tensor& y) { return relu(y); },
       false,
       true},
      {"winograd, relu, pool", {8, 2, 1, 1}, {9, 8, 3, 3}, conv, pooled, false, true},
      {"what others read, too", {8, 2, 1, 1}, {9, 8, 3, 3}, conv, pooled, true, true},
      {"pool without relu", {5, 2, 1, 1}, {6, 5, 3, 3}, conv, [](const Tensor& y) { return max_pool2d(y); }},
      {"many channels, pool", {40, 2, 1, 1}, {33, 40, 3, 3}, conv, pooled, false, true},
      {"3x3, stride 2", {16, 2, 1, 1}, {32, 16, 3, 3}, no_bias, same, false, true, true},
      {"3x3, stride 2, what others read", {16, 2, 1, 1}, {32, 16, 3, 3}, no_bias, same, true, true, true},
      {"5x5, stride 2, mostly padding", {16, 2, 1, 1}, {24, 16, 5, 5}, strided, same, false, true},
      {"1x1", {9, 2, 1, 1}, {32, 9, 1, 1}, conv, same, true, true},
      {"dense", {4, 2, 1, 1}, {11, 4 * 64}, dense, same},
      {"dense of what others read", {4, 2, 1, 1}, {11, 4 * 64}, dense, same, true},
      {"dense, too large for the cache", {32, 2, 1, 1}, {64, 32 * 64}, dense, same, false, true, true}};
}

void check_two_layers(const TwoLayers& net, int64_t n) {
  INFO(net.name << ", batch of " << n);
  const auto step = [&](const Tensors& in) { return net.step(in); };
  Compiled fused = compile(step), plain = compile(step, {.fuse = false});
  const Tensor x = integers({n, 2, 8, 8}, 7, 90);
  const Tensors in{x, randn(net.forward(x).shape(), 8)};
  const Tensors a = fused(in), b = plain(in);
  REQUIRE(fused.program() != nullptr);
  INFO(fused.program()->describe());
  if (isa().starts_with("amx")) CHECK(runs(fused, "tiles") == net.on_tiles);
  if (isa() == "avx512-bf16") CHECK(runs(fused, "tiles") == net.on_dots);
  for (size_t i = 0; i < a.size(); ++i) {
    INFO("result " << i);
    CHECK(gap(a[i], b[i]) < 2e-5);
  }
}

/// Whole networks, on which the other instruction sets differ from operator by operator as much.
void on_best_isa_and_emulation(const std::function<void(const std::string&)>& body) {
  body(std::string(isa()));
  if (!has_isa("avx512")) return;
  set_isa("amx-emulated");
  body("amx-emulated");
  set_isa("");
}

}  // namespace

TEST_CASE("bf16 steps with the batch in the lanes agree with operator by operator, layer by layer") {
  const auto check = [](const std::string& isa) {
    INFO(isa);
    for (const TwoLayers& net : two_layers()) check_two_layers(net, 19);
  };
  for_each_isa(check);
  for_each_tile_unit(check);
}

// A factor near the middle of two bfloat16 values may be rounded the other way when an earlier layer's sums
// are rounded otherwise in float32: whole networks agree less closely than their layers.
TEST_CASE("bf16 steps of whole networks agree with operator by operator") {
  on_best_isa_and_emulation([](const std::string& isa) {
    INFO(isa);
    for (const Case& c : cases()) {
      INFO(c.name);
      std::string must_run = c.must_run;
      const size_t winograd = must_run.find("winograd");
      if (must_run.find('>') != std::string::npos)
        must_run = "round_bfloat16";  // between the two of a chain
      else if (isa.starts_with("amx") && winograd != std::string::npos)
        must_run.replace(winograd, 8, "tiles");
      check_net(c.net, c.image, 19, must_run, Precision::bf16, 20);
    }
  });
}

TEST_CASE("fp16 steps of whole networks agree with operator by operator, with the batch in the lanes") {
  for (const Case& c : cases()) {
    INFO(c.name);
    check_net(c.net, c.image, 19, "round_float16", Precision::fp16, 10);
  }
}

TEST_CASE("fp16 inference keeps rounded weights, and sees changed ones") {
  nn::Sequential net(nn::Conv2d(1, 4, {.kernel = 3}), nn::ReLU(), nn::Flatten(), nn::Dense(4 * 36, 5));
  net.initialize({.seed = 1});
  const auto step = [&](const Tensors& in) {
    const NoGrad no_grad;
    return Tensors{net(in[0])};
  };
  Compiled fused = compile(step, {.precision = Precision::fp16}),
           plain = compile(step, {.fuse = false, .precision = Precision::fp16});
  const Tensors in{randn({7, 1, 8, 8}, 2)};
  for (int again = 0; again < 2; ++again) {
    CHECK(gap(fused(in)[0], plain(in)[0]) < 2e-5);
    net.parameters()[0].detach().copy_(net.parameters()[0].detach() * -0.7);
    CHECK(gap(fused(in)[0], plain(in)[0]) < 2e-5);
    CHECK(runs(fused, "round_float16 (kept)"));
  }
}

TEST_CASE("bf16 steps have the same bits for 1, 2, 3 and 8 threads, and on every repeat") {
  const std::vector<int> counts = thorough() ? std::vector{1, 2, 3, 8, 8} : std::vector{1, 3};
  on_best_isa_and_emulation([&](const std::string& isa) {
    INFO(isa);
    for (const Case& c : cases()) {
      INFO(c.name);
      std::vector<nn::NamedTensors> results;
      for (int threads : counts) {
        const Threads scope(threads);
        Experiment e(c.net(), true, Precision::bf16);
        for (uint64_t i = 0; i < 2; ++i) e.step(batch_of(c.image, 83, i));
        results.push_back(e.net.state_dict());
      }
      for (const auto& other : results)
        for (size_t i = 0; i < other.size(); ++i) {
          INFO(other[i].first);
          CHECK(same_bits(results[0][i].second, other[i].second));
        }
    }
  });
}

TEST_CASE("bf16 inference agrees with operator by operator, keeps rounded weights, and sees changed ones") {
  for_each_isa([](const std::string& isa) {
    INFO(isa);
    for (TwoLayers net : two_layers()) {
      INFO(net.name);
      const auto step = [&](const Tensors& in) {
        const NoGrad no_grad;
        return Tensors{net.forward(in[0])};
      };
      Compiled fused = compile(step), plain = compile(step, {.fuse = false});
      for (int64_t n : {1, 2, 7, 19}) {
        const Tensors in{integers({n, 2, 8, 8}, uint64_t(n), 90)};
        const auto agree = [&] { return gap(fused(in)[0], plain(in)[0]) < 2e-5; };
        CHECK(agree());
        net.w2.detach().copy_(net.w2.detach() * -0.7);
        CHECK(agree());
        CHECK(agree());
        net.w2.data<float>()[3] += 1.5f;  // through a pointer, which no version counts
        CHECK(agree());
        CHECK(runs(fused, "round_bfloat16 (kept)"));
      }
    }
  });
}

TEST_CASE("compile: contexts made in a step have its precision; one from outside keeps its own") {
  nn::Sequential net(nn::Conv2d(3, 4, {.kernel = 3}), nn::Flatten(), nn::Dense(4 * 16, 5));
  net.initialize({.seed = 1});
  net.eval();
  const Tensors in{randn({4, 3, 6, 6}, 2)};
  const auto expected = [&](Precision precision) {
    nn::Context context(nn::Mode::eval);
    context.set_precision(precision);
    return net.forward(in[0], context);
  };
  REQUIRE_FALSE(same_bits(expected(Precision::bf16), expected(Precision::float32)));
  const auto outer = [&](const Tensors& x) {
    const NoGrad no_grad;
    return Tensors{net(x[0])};
  };
  CHECK(same_bits(compile(outer, {.fuse = false, .precision = Precision::bf16})(in)[0],
                  expected(Precision::bf16)));
  CHECK(same_bits(compile(outer, {.fuse = false})(in)[0], expected(Precision::float32)));
  CHECK(same_bits(net(in[0]), expected(Precision::float32)));
  {
    const PrecisionScope scope(Precision::bf16);
    CHECK(same_bits(net(in[0]), expected(Precision::bf16)));
    CHECK(same_bits(compile(outer, {.fuse = false})(in)[0], expected(Precision::bf16)));
  }
  CHECK(default_precision() == Precision::float32);
  nn::Context own(nn::Mode::eval);
  const auto inner = [&](const Tensors& x) { return Tensors{net.forward(x[0], own)}; };
  CHECK(same_bits(compile(inner, {.fuse = false, .precision = Precision::bf16})(in)[0],
                  expected(Precision::float32)));
}
