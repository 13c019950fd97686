#include "uncial/nn/context.h"

#include "support/check_op.h"
#include "uncial/nn/nn.h"

using namespace uncial;
using test::check_error;
using test::same_bits;

namespace {

/// One pass over ones through two dropouts of different paths.
Tensor masks(nn::Context& context, int64_t rows) {
  const nn::Sequential net(nn::Dropout(0.5), nn::Sequential(nn::Dropout(0.5)));
  return net.forward(ones({rows, 64}), context);
}

nn::Context seeded(uint64_t seed) {
  nn::Context context(nn::Mode::train);
  context.set_seed(seed);
  return context;
}

}  // namespace

TEST_CASE("context: dropout is a function of seed, path, epoch and sample") {
  nn::Context a = seeded(1), b = seeded(1), c = seeded(2);
  const Tensor first = masks(a, 8);
  CHECK(same_bits(first, masks(b, 8)));
  CHECK(same_bits(first, masks(a, 8)));
  CHECK_FALSE(same_bits(first, masks(c, 8)));
  b.set_epoch(1);
  const Tensor second = masks(b, 8);
  CHECK_FALSE(same_bits(first, second));
  b.set_epoch(0);
  CHECK(same_bits(first, masks(b, 8)));
  c.set_seed(1);
  CHECK(same_bits(first, masks(c, 8)));

  // A row's mask follows its sample, wherever it is in the batch.
  a.set_samples(tensor<int64_t>({5, 0}));
  const Tensor picked = masks(a, 2);
  CHECK(same_bits(picked[0].contiguous(), first[5].contiguous()));
  CHECK(same_bits(picked[1].contiguous(), first[0].contiguous()));
}

TEST_CASE("context: carries what a module may ask for") {
  nn::Context context(nn::Mode::train);
  CHECK(context.precision() == Precision::float32);
  CHECK(context.step() == 0);
  CHECK_FALSE(context.samples().defined());
  context.set_seed(uint64_t(1) << 40);
  context.set_epoch(3);
  context.set_step(700);
  context.set_samples(tensor<int64_t>({8, 9}));
  context.set_precision(Precision::bf16);
  CHECK(context.training());
  CHECK(context.seed() == uint64_t(1) << 40);
  CHECK(context.epoch() == 3);
  CHECK(context.step() == 700);
  CHECK(context.samples().size() == 2);
  CHECK(context.precision() == Precision::bf16);
}

TEST_CASE("context: layers at different paths draw different masks") {
  nn::Context context = seeded(1);
  Tensors outputs;
  context.set_observer([&](const std::string&, const nn::Module& m, const Tensor&, const Tensor& y) {
    if (m.kind() == "dropout") outputs.push_back(y);
  });
  const nn::Dropout dropout(0.5);
  const Tensor x = ones({4, 64});
  context.run("a", dropout, x);
  context.run("b", dropout, x);
  CHECK_FALSE(same_bits(outputs[0], outputs[1]));
}

TEST_CASE("context: without a seed every call draws anew, in evaluation none") {
  nn::Context train(nn::Mode::train), eval;
  CHECK_FALSE(same_bits(masks(train, 8), masks(train, 8)));
  CHECK(same_bits(masks(eval, 8), ones({8, 64})));
  CHECK(same_bits(nn::Dropout(0).forward(ones({2, 2}), train), ones({2, 2})));
}

TEST_CASE("context: backward refuses a mask whose epoch changed in between") {
  nn::Context context = seeded(1);
  const Tensor x = ones({2, 8});
  x.set_requires_grad();
  const Tensor y = nn::Dropout(0.5).forward(x, context).sum();
  context.set_epoch(1);
  check_error([&] { y.backward(); }, "changed in place");
}

TEST_CASE("context: the observer hears every module with its path") {
  const auto net = nn::Sequential(nn::Flatten(), nn::Residual(nn::Sequential(nn::ReLU())));
  nn::Context context;
  std::vector<std::string> heard;
  context.set_observer(
      [&](const std::string& path, const nn::Module& m, const Tensor& in, const Tensor& out) {
        heard.push_back(path + " " + std::string(m.kind()) + " " + join(in.shape(), out.shape()));
      });
  context.run("", net, ones({2, 3, 4}));
  CHECK(heard == std::vector<std::string>{"0 flatten (2, 3, 4)(2, 12)", "1.body.0 relu (2, 12)(2, 12)",
                                          "1.body sequential (2, 12)(2, 12)", "1 residual (2, 12)(2, 12)",
                                          " sequential (2, 3, 4)(2, 12)"});
  CHECK(context.path().empty());

  // The path is right again after a module threw.
  const nn::Sequential broken(nn::ReLU(), nn::Dense(5, 5));
  check_error([&] { context.run("x", broken, ones({2, 3})); }, "(2, 3)");
  CHECK(context.path().empty());
}

TEST_CASE("context: updates are made once, when asked for, in order") {
  nn::Context context(nn::Mode::train);
  const Tensor buffer = zeros({2});
  context.update(buffer, ones({2}), 1);
  context.update(buffer, full({2}, 2), 1);
  test::check_close(buffer, zeros({2}), 0);
  context.apply_updates();
  test::check_close(buffer, full({2}, 2), 0);
  buffer.fill_(5);
  context.apply_updates();
  test::check_close(buffer, full({2}, 5), 0);
}
