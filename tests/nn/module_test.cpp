#include "uncial/nn/module.h"

#include <algorithm>

#include "support/check_op.h"
#include "uncial/nn/nn.h"

using namespace uncial;
using test::check_error;
using test::same_bits;

namespace {

nn::Sequential small_net() {
  return nn::Sequential(nn::Conv2d(1, 3, {.kernel = 3, .bias = false}), nn::BatchNorm2d(3), nn::ReLU(),
                        nn::Residual(nn::Conv2d(3, 3, {.kernel = 3, .padding = 1})), nn::Flatten(),
                        nn::Dense(3 * 4 * 4, 5));
}

std::vector<std::string> names_of(const nn::NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

bool same_state(const nn::Module& a, const nn::Module& b) {
  const nn::NamedTensors x = a.state_dict(), y = b.state_dict();
  if (names_of(x) != names_of(y)) return false;
  for (size_t i = 0; i < x.size(); ++i)
    if (!same_bits(x[i].second, y[i].second)) return false;
  return true;
}

}  // namespace

TEST_CASE("module: parameters and buffers by path") {
  const nn::Sequential net = small_net();
  CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"0.weight", "1.weight", "1.bias",
                                                                     "3.body.weight", "3.body.bias",
                                                                     "5.weight", "5.bias"});
  CHECK(names_of(net.named_buffers()) == std::vector<std::string>{"1.running_mean", "1.running_var"});
  CHECK(net.state_dict().size() == 9);
  CHECK(net.parameters().size() == 7);
  CHECK(net.parameter_count() == 27 + 6 + (81 + 3) + (48 * 5 + 5));
  for (const Tensor& p : net.parameters()) {
    CHECK(p.requires_grad());
    CHECK(p.is_leaf());
  }
  for (const auto& [name, buffer] : net.named_buffers()) CHECK_FALSE(buffer.requires_grad());
}

TEST_CASE("module: copies share parameters, clones do not") {
  nn::Sequential net = small_net();
  const nn::Sequential shared = net;
  const auto clone = net.clone();
  CHECK(same_state(net, *clone));
  net.parameters()[0].fill_(7);
  CHECK(same_state(net, shared));
  CHECK_FALSE(same_state(net, *clone));
  CHECK(clone->parameters()[0].requires_grad());

  nn::Sequential longer = net;
  longer.add(nn::ReLU());
  CHECK(longer.size() == 7);
  CHECK(net.size() == 6);
  clone->to(DType::float64);
  CHECK(clone->parameters()[0].dtype() == DType::float64);
  CHECK(clone->named_buffers()[0].second.dtype() == DType::float64);
  CHECK(net.parameters()[0].dtype() == DType::float32);
  CHECK((*clone)(zeros({2, 1, 6, 6}, DType::float64)).dtype() == DType::float64);
}

TEST_CASE("module: a parameter in two places counts once and stays shared in a clone") {
  const nn::Dense dense(4, 4);
  const nn::Sequential net(dense, nn::ReLU(), dense);
  CHECK(net.named_parameters().size() == 4);
  CHECK(net.parameters().size() == 2);
  CHECK(net.parameter_count() == 20);
  const auto clone = net.clone();
  CHECK(clone->parameters().size() == 2);
  CHECK(clone->named_parameters()[0].second.storage() != dense.weight.storage());
}

TEST_CASE("module: start values depend on seed and path, not on the order of construction") {
  // The second net's layers are made last to first, and nested by steps.
  nn::Sequential forward = small_net();
  const nn::Dense dense(48, 5);
  const nn::Conv2d second(3, 3, {.kernel = 3, .padding = 1}), first(1, 3, {.kernel = 3, .bias = false});
  nn::Sequential backward;
  backward.add(first).add(nn::BatchNorm2d(3)).add(nn::ReLU()).add(nn::Residual(second)).add(nn::Flatten());
  backward.add(dense);
  CHECK(same_state(forward, backward));

  const Tensor before = forward.parameters()[0].clone();
  forward.initialize({.seed = 3});
  CHECK_FALSE(same_bits(before, forward.parameters()[0].clone()));
  backward.initialize({.seed = 3});
  CHECK(same_state(forward, backward));
  backward.initialize({.seed = 4});
  CHECK_FALSE(same_state(forward, backward));

  // Layers of one shape start differently, because their paths differ.
  const nn::Sequential twins(nn::Dense(8, 8), nn::Dense(8, 8));
  CHECK_FALSE(same_bits(twins.parameters()[0], twins.parameters()[2]));
}

TEST_CASE("module: containers leave trained, loaded and initialised values alone") {
  const nn::Dense trained(3, 2);
  trained.weight.fill_(0.5);
  nn::Dense initialised(3, 2);
  initialised.initialize({.seed = 9});
  const Tensor nine = initialised.weight.clone();
  const auto clone = trained.clone();
  const nn::Sequential net(trained, initialised, *clone);
  test::check_close(net.named_parameters()[0].second, full({2, 3}, 0.5), 0);
  CHECK(same_bits(net.named_parameters()[2].second, nine));
  test::check_close(net.named_parameters()[4].second, full({2, 3}, 0.5), 0);

  // Initialisers may use operators in place: that does not count as training.
  const nn::Initializer by_operator = [](const Tensor& x, Generator& g) { x.fill_(g.uniform()); };
  const nn::Sequential filled(nn::Dense(3, 2, {.weight_init = by_operator}),
                              nn::Dense(3, 2, {.weight_init = by_operator}));
  CHECK_FALSE(same_bits(filled.parameters()[0], filled.parameters()[2]));
}

TEST_CASE("module: state goes from one net to another") {
  nn::Sequential a = small_net(), b = small_net();
  a.initialize({.seed = 1});
  a.named_buffers()[0].second.fill_(0.25);
  b.initialize({.seed = 2});
  CHECK_FALSE(same_state(a, b));
  nn::NamedTensors state = a.state_dict();
  std::reverse(state.begin(), state.end());  // names count, not places
  b.load_state_dict(state);
  CHECK(same_state(a, b));
  const Tensor x = randn({2, 1, 6, 6}, 1);
  a.eval();
  b.eval();
  CHECK(same_bits(a(x), b(x)));
}

TEST_CASE("module: a wrong state is refused whole, with every difference named") {
  nn::Sequential net = small_net();
  const auto before = net.clone();
  nn::NamedTensors state = small_net().initialize({.seed = 5}).clone()->state_dict();
  state[0].second = zeros({3, 1, 5, 5});
  state[1].second = zeros({3}, DType::float64);
  state[2].first = "1.beta";
  state.emplace_back("5.bias", zeros({5}));
  check_error(
      ErrorKind::data, [&] { net.load_state_dict(state); }, "load_state_dict into sequential",
      "0.weight: got float32(3, 1, 5, 5), expected float32(3, 1, 3, 3)",
      "1.weight: got float64(3), expected float32(3)", "1.bias: missing", "1.beta: not expected",
      "5.bias: given twice");
  CHECK(same_state(net, *before));
  check_error(
      ErrorKind::data,
      [&] {
        net.load_state_dict({{"0.weight", Tensor()}});
      },
      "undefined");
}

TEST_CASE("module: train and eval reach the children and decide what operator() does") {
  nn::Sequential net(nn::Sequential(nn::Dropout(0.5)), nn::Residual(nn::Dropout(0.5)));
  CHECK(net.training());
  net.eval();
  CHECK_FALSE(net.training());
  CHECK_FALSE(net[0].training());
  CHECK_FALSE(net[1].training());
  const Tensor x = ones({4, 100});
  test::check_close(net(x), full({4, 100}, 2), 0);
  net.train();
  CHECK(net[0].training());
  CHECK_FALSE(same_bits(net(x), full({4, 100}, 2)));
}

TEST_CASE("module: containers refuse what they cannot hold") {
  nn::Sequential net;
  check_error([&] { net.add(std::shared_ptr<nn::Module>()); }, "null");
  check_error([&] { net[0]; }, "there are 0");
  check_error([&] { nn::Residual(std::shared_ptr<nn::Module>()); }, "null");
  const nn::Residual wrong(nn::Dense(4, 3));
  check_error([&] { wrong(zeros({2, 4})); }, "projection");
  test::check_close(net(ones({2})), ones({2}), 0);  // an empty one is the identity
}

TEST_CASE("module: moves share nothing with nets that shared before") {
  nn::Dense dense(2, 2);
  const nn::Dense twin = dense;
  dense.to(DType::float64);
  CHECK(twin.weight.dtype() == DType::float32);
  CHECK(dense.weight.requires_grad());
  test::check_close(dense.weight.detach(), twin.weight.detach().to(DType::float64), 0);
  check_error([&] { dense.to(DType::int64); }, "floating");
  const auto storage = twin.weight.storage();
  nn::Dense same = twin;
  same.to(Device::cpu()).to(DType::float32);
  CHECK(same.weight.storage() == storage);
}
