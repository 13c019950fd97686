#include "support/check_op.h"
#include "train/small_runs.h"
#include "uncial/core/log.h"
#include "uncial/ops/ops.h"
#include "uncial/train/evaluate.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("fit in bfloat16 teaches as well, and keeps float32 weights", "[train]") {
  const data::Dataset data = blobs(320, 1), fresh = blobs(400, 3);
  for (const bool record : {true, false}) {
    INFO("recorded: " << record);
    nn::Sequential net = small_net();
    train::fit(net, data,
               {.epochs = 6,
                .batch = 16,
                .optimizer = optim::Adam({.lr = 0.01}),
                .record = record,
                .precision = Precision::bf16});
    CHECK(train::evaluate(net, fresh, {.precision = Precision::bf16}).accuracy > 0.93);
    CHECK(train::accuracy(net, fresh) > 0.93);  // the weights serve float32, too
    const Tensor w = net.parameters()[0].detach();
    CHECK_FALSE(same_bits(w, w.to(DType::bfloat16).to(DType::float32)));
  }
}

TEST_CASE("fit in float16 teaches as well, and leaves out steps whose gradients overflow", "[train]") {
  const data::Dataset data = blobs(320, 1), fresh = blobs(400, 3);
  const auto run = [&](const train::FitOptions& o) {
    nn::Sequential net = small_net();
    train::fit(net, data, o);
    return net;
  };
  for (const bool record : {true, false}) {
    INFO("recorded: " << record);
    std::string messages;
    set_log_sink([&](LogLevel, std::string_view message) { messages += std::string(message) + "\n"; });
    train::FitOptions o{.epochs = 6,
                        .batch = 16,
                        .optimizer = optim::Adam({.lr = 0.01}),
                        .record = record,
                        .precision = Precision::fp16,
                        .loss_scale = {.start = 1 << 24, .interval = 40}};
    const nn::Sequential net = run(o);
    CHECK(messages.find(" steps changed nothing: their float16 gradients overflowed") != std::string::npos);
    CHECK(train::evaluate(net, fresh, {.precision = Precision::fp16}).accuracy > 0.93);
    CHECK(train::accuracy(net, fresh) > 0.93);
    messages.clear();
    o.loss_scale = {.start = 1024};
    CHECK(train::accuracy(run(o), fresh) > 0.93);
    CHECK(messages.find("overflowed") == std::string::npos);
    set_log_sink({});
  }
}

TEST_CASE("fit in float16: the loss scale keeps gradients that float16 alone would lose", "[train]") {
  // Behind a layer of tiny weights, in a large batch, gradients lie far below 2^-24.
  const data::Dataset data = blobs(320, 1);
  const auto moved = [&](double start) {
    nn::Sequential net(nn::Flatten(), nn::Dense(64, 8), nn::ReLU(), nn::Dense(8, 4));
    net.initialize({.seed = 1});
    const Tensor last = net.parameters()[2].detach();
    last.copy_(last * 5e-6);
    const Tensor before = net.parameters()[0].detach().clone();
    train::fit(net, data,
               {.epochs = 1,
                .batch = 320,
                .optimizer = optim::SGD({.lr = 1}),
                .precision = Precision::fp16,
                .loss_scale = {.start = start}});
    return !same_bits(before, net.parameters()[0].detach());
  };
  CHECK(moved(65536));
  CHECK_FALSE(moved(1));
}

TEST_CASE("evaluate and predict compute in the precision asked for", "[train]") {
  nn::Sequential net = small_net();
  const data::Dataset data = blobs(40, 1);
  const Tensor images = data.range(0, 40).first;
  const Tensor exact = train::predict(net, images),
               rounded = train::predict(net, images, {.precision = Precision::bf16});
  CHECK_FALSE(same_bits(exact, rounded));
  CHECK(same_bits(train::evaluate(net, data, {.precision = Precision::bf16}).probabilities, rounded));
}
