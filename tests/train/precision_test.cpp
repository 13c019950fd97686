#include "support/check_op.h"
#include "train/small_runs.h"
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

TEST_CASE("evaluate and predict compute in the precision asked for", "[train]") {
  nn::Sequential net = small_net();
  const data::Dataset data = blobs(40, 1);
  const Tensor images = data.range(0, 40).first;
  const Tensor exact = train::predict(net, images),
               rounded = train::predict(net, images, {.precision = Precision::bf16});
  CHECK_FALSE(same_bits(exact, rounded));
  CHECK(same_bits(train::evaluate(net, data, {.precision = Precision::bf16}).probabilities, rounded));
}
