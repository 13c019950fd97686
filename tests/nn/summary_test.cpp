#include "uncial/nn/summary.h"

#include "support/check_op.h"
#include "uncial/nn/nn.h"

using namespace uncial;

TEST_CASE("summary: a small CNN, counted by hand") {
  nn::Sequential net(nn::Conv2d(1, 4, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                     nn::Dense(4 * 5 * 5, 10));
  net.train();  // the summary evaluates all the same
  const nn::Summary s = nn::summary(net, {2, 1, 12, 12});
  REQUIRE(s.rows.size() == 5);
  CHECK(s.rows[0].path == "0");
  CHECK(s.rows[0].kind == "conv2d");
  CHECK(s.rows[0].output == Shape{2, 4, 10, 10});
  CHECK(s.rows[0].parameters == 4 * 9 + 4);
  CHECK(s.rows[0].multiply_adds == 2 * 4 * 100 * 9);
  // Read the image, the weights and the bias, write the result.
  CHECK(s.rows[0].bytes == 4 * (2 * 144 + 36 + 4 + 2 * 400));
  CHECK(s.rows[1].kind == "relu");
  CHECK(s.rows[1].parameters == 0);
  CHECK(s.rows[1].bytes == 4 * (800 + 800));
  CHECK(s.rows[2].output == Shape{2, 4, 5, 5});
  CHECK(s.rows[3].output == Shape{2, 100});
  CHECK(s.rows[3].bytes == 0);  // another window on the same memory
  CHECK(s.rows[4].parameters == 1010);
  CHECK(s.rows[4].multiply_adds == 2 * 100 * 10);
  CHECK(s.parameters == 40 + 1010);
  int64_t multiply_adds = 0, bytes = 0;
  for (const nn::SummaryRow& row : s.rows) {
    multiply_adds += row.multiply_adds;
    bytes += row.bytes;
  }
  CHECK(s.multiply_adds == multiply_adds);
  CHECK(s.bytes == bytes);
  CHECK(net.training());
}

TEST_CASE("summary: nested modules, shared parameters, a layer alone") {
  const nn::Dense dense(6, 6);
  const nn::Summary s = nn::summary(nn::Sequential(nn::Residual(dense), dense), {3, 6});
  REQUIRE(s.rows.size() == 3);
  CHECK(s.rows[0].path == "0.body");
  CHECK(s.rows[1].path == "0");
  CHECK(s.rows[1].kind == "residual");  // its addition costs something
  CHECK(s.rows[1].bytes == 4 * 3 * 18);
  CHECK(s.rows[2].path == "1");
  CHECK(s.parameters == 42);
  const nn::Summary alone = nn::summary(dense, {1, 6});
  REQUIRE(alone.rows.size() == 1);
  CHECK(alone.rows[0].path.empty());
  CHECK(alone.rows[0].multiply_adds == 36);
}

TEST_CASE("summary: the table lines up") {
  const std::string table =
      nn::summary(nn::Sequential(nn::Flatten(), nn::Dense(784, 128), nn::ReLU()), {1, 28, 28}).table();
  INFO(table);
  CHECK(table.find("1      dense    (1, 128)      100480         100352") != std::string::npos);
  std::vector<size_t> lengths;
  for (size_t begin = 0, end; (end = table.find('\n', begin)) != std::string::npos; begin = end + 1)
    lengths.push_back(end - begin);
  REQUIRE(lengths.size() == 5);
  for (const size_t length : lengths) CHECK(length == lengths[0]);
}
