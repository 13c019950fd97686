#include <algorithm>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/optim/optimizer.h"

using namespace uncial;

TEST_CASE("averaged weights: the formula, with the decay growing at the start") {
  test::for_each_device([](Device device) {
    INFO(device);
    const Tensor p = parameter(full({3}, 2, DType::float64, device));
    optim::AveragedWeights average({p}, 0.6);
    double expected = 2;
    for (int t = 0; t < 20; ++t) {
      p.fill_(0.5 * t);
      average.update();
      const double decay = std::min(0.6, (1.0 + t) / (10.0 + t));
      expected = decay * expected + (1 - decay) * 0.5 * t;
      test::check_close(average.averages()[0], full({3}, expected, DType::float64), 1e-14);
    }
    CHECK(p.at({0}) == 9.5);
  });
}

TEST_CASE("averaged weights: swap goes there and back") {
  const Tensor p = parameter(randn({5}, 1)), other = randn({2}, 2);
  optim::AveragedWeights average({p, other}, 0.9);
  const Tensor first = p.detach().clone();
  p.fill_(3);
  average.swap();
  CHECK(test::same_bits(p.detach(), first));
  test::check_close(average.averages()[0], full({5}, 3), 0);
  average.swap();
  test::check_close(p.detach(), full({5}, 3), 0);
  CHECK(test::same_bits(average.averages()[0], first));
}

TEST_CASE("averaged weights: state") {
  const Tensor p = parameter(zeros({2}));
  optim::AveragedWeights a({p}, 0.9), b({p}, 0.9);
  p.fill_(1);
  a.update();
  b.load_state(a.state());
  a.update();
  b.update();
  CHECK(test::same_bits(a.averages()[0], b.averages()[0]));
  test::check_error(
      ErrorKind::data, [&] { b.load_state({}); }, "averaged weights", "0.average: missing");
  test::check_error([&] { optim::AveragedWeights({p}, 1); }, "[0, 1)");
  test::check_error([&] { optim::AveragedWeights({zeros({1}, DType::int64)}, 0.5); }, "float32");
}
