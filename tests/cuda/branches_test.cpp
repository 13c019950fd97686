// Stages that run side by side in a graph: the same bits as one after the other.

#include <optional>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"
#include "uncial/program/profile.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const Device kHost = Device::cpu();

/// Rows of large tables are quickly read and count as large stages. A way of `rounds` of them, one after the
/// other, for others to run beside.
Tensor long_way(const Tensor& table, Tensor a, int rounds) {
  for (int i = 0; i < rounds; ++i) a = tanh(gather(table, argmax(a, 1)) + a * 1.25);
  return a;
}

bool has_branches(const Compiled& step) {
  return step.program() && step.program()->describe().find("aside") != std::string::npos;
}

}  // namespace

TEST_CASE("what runs side by side in a graph leaves the bits as they are", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Tensor large = randn({1'000'000, 4}, 1).to(gpu), other = randn({700'000, 4}, 2).to(gpu);
    Tensors rows;
    for (const int64_t first : {5, 77, 699'000, 4'000})
      rows.push_back(tensor<int64_t>({first, 0, 699'999 - first}).to(gpu));
    const auto run = [&](bool in_order) {
      const Tensor s = randn({3, 4}, 3).to(gpu), kept = zeros({3, 4}, DType::float32, gpu);
      Compiled step = compile(
          [&](const Tensors& in) {
            const NoGrad no_grad;
            // Two that need nothing, and two whose results lie where others lay before.
            const Tensor first = gather(other, rows[0]), second = gather(other, rows[1]);
            Tensor a = long_way(large, s + in[0], 2) + first;
            const Tensor third = gather(other, rows[2]);
            a = long_way(large, a + second, 2) - third;
            a = long_way(large, a, 1) - gather(other, rows[3]);
            s.copy_(a);
            kept.copy_(gather(other, argmax(a, 1)) + kept);
            return Tensors{sum(a, 1), sum(kept)};
          },
          {.fuse = false});
      Profile profile;
      std::optional<ProfileScope> scope;
      if (in_order) scope.emplace(profile);
      Tensors results;
      const Tensor x = randn({3, 4}, 4).to(gpu);
      for (const int64_t times : {1, 1, 1, 1, 35, 1, 20})
        for (const Tensor& y : step.repeat({x}, times)) results.push_back(y.to(kHost).clone());
      CHECK(has_branches(step));
      results.push_back(s.to(kHost));
      results.push_back(kept.to(kHost));
      return results;
    };
    const Tensors a = run(true), b = run(false);
    for (size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i], b[i]));
  });
}

TEST_CASE("what runs side by side has scratch memory of its own", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Tensor x = randn({3, 900'000}, 1).to(gpu), y = randn({3, 1'000'000}, 2).to(gpu);
    Compiled step = compile(
        [&](const Tensors&) {
          const NoGrad no_grad;
          return Tensors{sum(x, 1), sum(y, 1)};  // of long rows: in pieces
        },
        {.fuse = false});
    const Tensors expected = {sum(x, 1), sum(y, 1)};
    for (int run = 0; run < 5; ++run) {
      const Tensors got = step({});
      for (size_t i = 0; i < 2; ++i) CHECK(same_bits(got[i].to(kHost), expected[i].to(kHost)));
    }
    CHECK(has_branches(step));
  });
}

TEST_CASE("an input in memory that the step changes is read in order", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Tensor large = randn({1'000'000, 4}, 1).to(gpu),
                 numbers = arange(0, 3'000'000).to(DType::float32).to(gpu);
    const Tensor row = tensor<int64_t>({0}).to(gpu), start = randn({1, 4}, 2).to(gpu);
    const StepFunction function = [&](const Tensors& in) {
      const NoGrad no_grad;
      const Tensor a = long_way(large, start, 4);
      row.copy_(row + 1);
      return Tensors{gather(numbers, in[0]), a};
    };
    Compiled apart = compile(function), step = compile(function);
    apart({tensor<int64_t>({0}).to(gpu)});
    CHECK(has_branches(apart));
    for (int run = 2; run <= 9; ++run) CHECK(step({row})[0].to(kHost).at({0}) == run);
    CHECK_FALSE(has_branches(step));
  });
}
