#include "uncial/program/compile.h"

#include <cstring>

#include "support/catch.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/parallel.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"

using namespace uncial;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.contiguous().view().data, b.contiguous().view().data, size_t(a.bytes())) == 0;
}

/// conv - ReLU - pool - dense - cross-entropy - Adam: the smallest thing that trains a CNN.
struct TinyNet {
  Tensor w1 = parameter(randn({4, 1, 3, 3}, 1) * 0.3), b1 = parameter(zeros({4}));
  Tensor w2 = parameter(randn({3, 36}, 2) * 0.2), b2 = parameter(zeros({3}));
  optim::Adam adam{Tensors{w1, b1, w2, b2}, {.lr = 0.01}};

  Tensor logits(const Tensor& x) const {
    return linear(flatten(max_pool2d(relu(conv2d(x, w1, b1))), 1), w2, b2);
  }
  Tensors step(const Tensors& in) {
    const Tensor loss = cross_entropy(logits(in[0]), in[1]);
    loss.backward();
    adam.step();
    adam.zero_grad();
    return {loss};
  }
};

Tensor images(uint64_t seed, int64_t n = 6) { return randn({n, 1, 8, 8}, seed); }
Tensor labels(int64_t n = 6) {
  return arange(0, double(n)) - arange(0, double(n)) / full({n}, 3, DType::int64) * 3;
}

}  // namespace

TEST_CASE("a recorded training step has the bits of the eager one") {
  TinyNet eager, recorded;
  Compiled step = compile([&](const Tensors& in) { return recorded.step(in); }, {.fuse = false});
  double first = 0, last = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    const Tensors in{images(i % 5), labels()};
    const Tensor a = eager.step(in)[0], b = step(in)[0];
    REQUIRE(same_bits(a, b));
    (i == 0 ? first : last) = b.item();
  }
  REQUIRE(step.program() != nullptr);
  CHECK(same_bits(eager.w1, recorded.w1));
  CHECK(same_bits(eager.w2, recorded.w2));
  CHECK(last < 0.5 * first);  // it learns, it does not only agree
}

TEST_CASE("a recorded step has the same bits for 1, 2 and 3 threads") {
  std::vector<Tensor> results;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    TinyNet net;
    Compiled step = compile([&](const Tensors& in) { return net.step(in); });
    for (uint64_t i = 0; i < 5; ++i) step({images(i), labels()});
    results.push_back(net.w1.detach().clone());
  }
  set_thread_pool(nullptr);
  CHECK(same_bits(results[0], results[1]));
  CHECK(same_bits(results[0], results[2]));
}

TEST_CASE("replaying allocates no tensor memory") {
  TinyNet net;
  Compiled step = compile([&](const Tensors& in) { return net.step(in); });
  const Tensors in{images(1), labels()};
  step(in);
  step(in);
  const uint64_t before = allocation_count();
  for (int i = 0; i < 10; ++i) step(in);
  CHECK(allocation_count() == before);
}

TEST_CASE(
    "buffers that are alive at the same time never share memory, and the arena is smaller than their sum") {
  TinyNet net;
  Compiled step = compile([&](const Tensors& in) { return net.step(in); }, {.fuse = false});
  step({images(1), labels()});
  const program::Program& p = *step.program();
  int pairs = 0;
  for (const auto& a : p.buffers())
    for (const auto& b : p.buffers()) {
      if (&a == &b || a.role != program::Role::temporary || b.role != program::Role::temporary) continue;
      if (a.last_stage < b.first_stage || b.last_stage < a.first_stage) continue;
      ++pairs;
      CHECK((a.arena_offset + a.bytes <= b.arena_offset || b.arena_offset + b.bytes <= a.arena_offset));
    }
  CHECK(pairs > 10);
  CHECK(p.arena_bytes() < p.unplanned_bytes());
  CHECK(p.cost().flops > 2.0 * 6 * 4 * 36 * 9);  // at least the forward convolution
}

TEST_CASE("new shapes record again, old ones stay recorded") {
  int runs = 0;
  Compiled step = compile([&](const Tensors& in) {
    ++runs;
    return Tensors{in[0] * 2 + 1};
  });
  const Tensor a = step({full({3}, 1)})[0].clone();
  const Tensor b = step({full({2, 2}, 5)})[0].clone();
  const Tensor c = step({full({3}, 2)})[0].clone();
  CHECK(runs == 2);
  CHECK(a.at({0}) == 3);
  CHECK(b.at({1, 1}) == 11);
  CHECK(c.at({2}) == 5);
}

TEST_CASE("inputs may be strided, and are distinct from captured tensors") {
  const Tensor captured = full({2, 3}, 10);
  Compiled step = compile([&](const Tensors& in) { return Tensors{in[0] + captured}; });
  CHECK(step({captured})[0].at({0, 0}) == 20);
  const Tensor other = randn({3, 2}, 1);
  CHECK(same_bits(step({other.transpose()})[0], other.transpose() + captured));
  captured.fill_(1);  // read anew at each replay
  CHECK(step({full({2, 3}, 2)})[0].at({1, 2}) == 3);
}

TEST_CASE("a step that looks at values on the host runs eagerly and says why") {
  int runs = 0;
  Compiled step = compile([&](const Tensors& in) {
    ++runs;
    const Tensor y = in[0] * 2;
    return Tensors{y.sum().item() > 0 ? y : -y};
  });
  CHECK(step({full({2}, -3)})[0].at({0}) == 6);
  CHECK(step({full({2}, 3)})[0].at({0}) == 6);
  CHECK(runs == 2);
  CHECK(step.program() == nullptr);
  CHECK(step.reason().find("item()") != std::string::npos);
}

TEST_CASE("dropout without a key is not frozen by recording") {
  Compiled step = compile([&](const Tensors& in) { return Tensors{dropout(in[0], 0.5)}; });
  const Tensor x = ones({1, 256});
  const Tensor a = step({x})[0].clone(), b = step({x})[0].clone();
  CHECK_FALSE(same_bits(a, b));
  CHECK(step.program() == nullptr);
}

TEST_CASE("a replayed step sees host changes of tensors that it captured") {
  const Tensor state = tensor<int64_t>({7, 1, 0}), samples = arange(0, 4);
  Compiled step = compile(
      [&](const Tensors& in) { return Tensors{dropout(in[0], 0.5, {.state = state, .samples = samples})}; });
  const Tensor x = ones({4, 64});
  const Tensor first = step({x})[0].clone();
  CHECK(same_bits(step({x})[0], first));
  state.data<int64_t>()[2] = 1;  // the next epoch
  CHECK_FALSE(same_bits(step({x})[0], first));
  CHECK(step.program() != nullptr);
}

TEST_CASE("gradients that a step leaves behind are renewed by a replay") {
  const Tensor w = parameter(full({2}, 3));
  Compiled step = compile([&](const Tensors& in) {
    w.zero_grad();
    sum(w * in[0]).backward();
    return Tensors{};
  });
  step({full({2}, 4)});
  CHECK(w.grad().at({0}) == 4);
  step({full({2}, 5)});
  CHECK(w.grad().at({1}) == 5);
}

TEST_CASE("a replay that changes a parameter is noticed by an older eager graph") {
  const Tensor w = parameter(full({2}, 3));
  Compiled step = compile([&](const Tensors&) {
    const NoGrad no_grad;
    w.copy_(w.detach() * 2);
    return Tensors{};
  });
  step({});
  const Tensor loss = sum(w * w);
  step({});
  CHECK(w.at({0}) == 12);
  CHECK_THROWS_AS(loss.backward(), Error);
}

TEST_CASE("an input that wants a gradient is refused") {
  Compiled step = compile([&](const Tensors& in) { return in; });
  CHECK_THROWS_AS(step({parameter(ones({2}))}), Error);
}

TEST_CASE("a returned input is a result like any other") {
  Compiled step = compile([&](const Tensors& in) { return Tensors{in[0], in[0].slice(0, {.start = 1})}; });
  step({tensor<float>({1, 2})});
  const Tensors again = step({tensor<float>({5, 6})});
  CHECK(step.program() != nullptr);
  CHECK(again[0].at({0}) == 5);
  CHECK(again[1].at({0}) == 6);
}

TEST_CASE("a repeated step is one called as often, recorded, looking at values, or inside another one") {
  for (const char* how : {"recorded", "eager", "inside"}) {
    INFO(how);
    TinyNet called, repeated;
    const auto steps_of = [&](TinyNet& net) {
      return compile([&](const Tensors& in) {
        Tensors result = net.step(in);
        if (std::string_view(how) == "eager") result[0].item();
        return result;
      });
    };
    Compiled a = steps_of(called), b = steps_of(repeated);
    Compiled around = compile([&](const Tensors& in) { return b.repeat(in, 3); });
    const Tensors in{images(1), labels()};
    for (int round = 0; round < 2; ++round) {
      Tensor last;
      for (int i = 0; i < 3; ++i) last = a(in)[0];
      const Tensor again = std::string_view(how) == "inside" ? around(in)[0] : b.repeat(in, 3)[0];
      CHECK(std::abs(again.item() - last.item()) < 1e-5);
    }
    CHECK((b.program() != nullptr) == (std::string_view(how) == "recorded"));
    CHECK(called.adam.steps() == repeated.adam.steps());
  }
  Compiled step = compile([](const Tensors& in) { return in; });
  CHECK_THROWS_AS(step.repeat({images(1)}, 0), Error);
}

TEST_CASE("a compiled step inside another one is recorded with it") {
  Compiled inner = compile([](const Tensors& in) { return Tensors{in[0] * 2}; });
  Compiled outer = compile([&](const Tensors& in) { return Tensors{inner({in[0] + 1})[0] + 10}; });
  CHECK(outer({full({1}, 1)})[0].item() == 14);
  CHECK(outer({full({1}, 100)})[0].item() == 212);
  CHECK(outer.program() != nullptr);
}

TEST_CASE("host reads of captured tensors are refused only after the step changed them") {
  const Tensor w = full({1}, 1);
  Compiled reads = compile([&](const Tensors& in) { return Tensors{in[0] * w.item()}; });
  reads({full({1}, 3)});
  CHECK(reads.program() != nullptr);  // w is a constant of this step
  Compiled changes = compile([&](const Tensors& in) {
    w.copy_(w + in[0]);
    return Tensors{in[0] * w.item()};
  });
  CHECK(changes({full({1}, 1)})[0].item() == 2);
  CHECK(changes({full({1}, 1)})[0].item() == 3);
  CHECK(changes.program() == nullptr);
}

TEST_CASE("steps that change an input or accumulate gradients run eagerly and right") {
  Compiled in_place = compile([](const Tensors& in) {
    in[0].fill_(7);
    return Tensors{};
  });
  in_place({ones({2})});
  CHECK(in_place.reason().find("in place") != std::string::npos);

  const Tensor w = parameter(ones({2}));
  Compiled accumulates = compile([&](const Tensors& in) {
    sum(w * in[0]).backward();
    return Tensors{};
  });
  for (int i = 0; i < 3; ++i) accumulates({ones({2})});
  CHECK(w.grad().at({0}) == 3);
  CHECK(accumulates.reason().find("zero_grad") != std::string::npos);
}

TEST_CASE("an operator that ends the recording runs, too") {
  Compiled step = compile([](const Tensors& in) {
    const NoGrad no_grad;
    const Tensor y = in[0] * 2.0;
    in[0].fill_(5);
    return Tensors{y + in[0]};
  });
  for (int run = 0; run < 3; ++run) CHECK(step({full({2}, 3)})[0].at({1}) == 11);
  CHECK(step.reason().find("changes an input of the step in place") != std::string::npos);
}
