// gradients(): answers without touching grad(), and gradients of gradients.
#include <cmath>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/ops/elementwise.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("gradients: of leaves and of hidden tensors, leaving grad() alone") {
  const Tensor x = parameter(tensor<double>({1, 2})), z = parameter(tensor<double>({5}));
  const Tensor hidden = square(x);
  const Tensor y = (hidden * 3.0).sum();
  const Tensors g = gradients(y, {x, hidden, z, y});
  check_close(g[0], tensor<double>({6, 12}), 0);
  check_close(g[1], tensor<double>({3, 3}), 0);
  CHECK_FALSE(g[2].defined());  // y does not depend on z
  CHECK(g[3].item() == 1);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("gradients: the same tensor asked for twice, and the tensor itself") {
  const Tensor x = parameter(tensor<double>({2}));
  const Tensors g = gradients(square(x).sum(), {x, x});
  CHECK(g[0].item() == 4);
  CHECK(g[1].item() == 4);
  const Tensors self = gradients(x, {x}, tensor<double>({7}));
  CHECK(self[0].item() == 7);
}

TEST_CASE("gradients: weighted by dy, freed or retained") {
  const Tensor x = parameter(tensor<double>({1, 2}));
  const Tensor y = square(x);
  const Tensor dy = tensor<double>({10, 100});
  check_close(gradients(y, {x}, dy, {.retain_graph = true})[0], tensor<double>({20, 400}), 0);
  check_close(gradients(y, {x}, dy)[0], tensor<double>({20, 400}), 0);
  check_error([&] { gradients(y, {x}, dy); }, "was freed by an earlier backward()");
  check_error([&] { gradients(y * 1.0, {x}); }, "gradients: needs a scalar");
  check_error([&] { gradients(ones({}), {x}); }, "gradients: the tensor does not depend");
}

TEST_CASE("gradients: create_graph gives second derivatives, in closed form") {
  const Tensor x = parameter(tensor<double>({0.7}));
  const auto second = [&](const Tensor& y) {
    const Tensor first = gradients(y.sum(), {x}, {}, {.create_graph = true})[0];
    return gradients(first.sum(), {x})[0].item();
  };
  CHECK(second(pow(x, 3)) == Approx(6 * 0.7));
  CHECK(second(exp(x * 2.0)) == Approx(4 * std::exp(1.4)));
  CHECK(second(sin(x)) == Approx(-std::sin(0.7)));
  CHECK(second(x * log(x)) == Approx(1 / 0.7));
  CHECK(second(sqrt(x)) == Approx(-0.25 * std::pow(0.7, -1.5)));
  CHECK(second(1 / x) == Approx(2 / std::pow(0.7, 3)));
}

TEST_CASE("gradients: create_graph through broadcasting, views and reductions") {
  const Function penalty = [](const Tensor& x, const Tensor& w) {
    // The norm of a gradient, as in a gradient penalty.
    const Tensor leaf = x.requires_grad() ? x : parameter(x);
    const Tensor y = (tanh(leaf * w.unsqueeze(0)).transpose().slice(0, {.step = 2}).sum(0) / 3.0).sum();
    return square(gradients(y, {leaf}, {}, {.create_graph = true})[0]).sum();
  };
  const Tensors at = {randn({4, 3}, 1, DType::float64), randn({3}, 2, DType::float64)};
  CHECK(gradient_gap(penalty, at) < 1e-6);
}

TEST_CASE("gradients: create_graph and backward work together") {
  const Tensor x = parameter(tensor<double>({2}));
  const Tensor y = (x * x * x).sum();
  const Tensor first = gradients(y, {x}, {}, {.create_graph = true})[0];
  (y + first.sum()).backward();
  CHECK(x.grad().item() == 3 * 4 + 6 * 2);
}

TEST_CASE("gradients: an operator without a gradient says so") {
  const Tensor x = parameter(tensor<double>({1, 2}));
  struct Opaque : Op {
    std::string_view name() const override { return "opaque"; }
    Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
    void run(const Call&) const override {}
  };
  const Tensor y = op<Opaque>({x});
  check_error([&] { y.sum().backward(); }, "opaque: has no gradient; cut it off with detach()");
}
