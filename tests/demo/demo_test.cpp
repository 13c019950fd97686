// The demo's backend, compiled as an ordinary program: what its page calls, and with what it must cope.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/bytes.h"
#include "support/catch.h"
#include "support/temp_folder.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/train/model_file.h"

extern "C" {
const char* uncial_open(const std::byte* file, size_t bytes);
const char* uncial_predict(const uint8_t* pixels, size_t count);
}

using namespace uncial;
using nlohmann::json;

namespace {

json open(const std::string& file) {
  return json::parse(uncial_open(reinterpret_cast<const std::byte*>(file.data()), file.size()));
}
json predict(const std::vector<uint8_t>& pixels) {
  return json::parse(uncial_predict(pixels.data(), pixels.size()));
}

std::string error_of(const json& reply) { return reply.value("error", "none"); }
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the demo's backend opens a network and reads images, and says what is wrong with its input") {
  const std::vector<uint8_t> image = [] {
    std::vector<uint8_t> pixels(784);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = uint8_t(i * i % 251);
    return pixels;
  }();
  CHECK(has(error_of(predict(image)), "before uncial_open()"));

  const test::TempFolder folder;
  nn::Sequential net(nn::Conv2d(1, 4, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                     nn::Dense(4 * 169, 10));
  train::save_model(folder / "net.safetensors", net, net.state_dict());
  const std::string file = test::read_bytes(folder / "net.safetensors");
  CHECK(has(error_of(open(file.substr(0, 100))), "the network in this page"));
  const json info = open(file);
  CHECK(error_of(info) == "none");
  CHECK(info["parameters"] == 40 + 4 * 169 * 10 + 10);

  CHECK(has(error_of(predict({1, 2, 3})), "784"));
  const json look = predict(image);
  REQUIRE(look["probabilities"].size() == 10);
  Tensor x = empty({1, 1, 28, 28});
  for (size_t i = 0; i < image.size(); ++i) x.data<float>()[i] = float(image[i]) / 255;
  net.eval();
  const Tensor expected = softmax(net(x), 1);
  for (size_t i = 0; i < 10; ++i)
    CHECK(std::abs(look["probabilities"][i].get<float>() - expected.data<float>()[i]) < 1e-5);
  CHECK(look["layers"].size() >= 4);
  CHECK(error_of(open("not a network")) != "none");
  CHECK(error_of(predict(image)) == "none");  // the one before stays
}
