#include "cli/look.h"

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/served_model.h"
#include "cli/training.h"
#include "support/errors.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using test::check_error;

namespace {

/// A slanted stroke.
std::vector<uint8_t> picture() {
  std::vector<uint8_t> pixels(784);
  for (int64_t y = 4; y < 24; ++y)
    for (int64_t x = 10; x < 14; ++x) pixels[size_t(28 * y + x + y / 6)] = uint8_t(255 - 20 * (x % 3));
  return pixels;
}

Tensor tensor_of(const std::vector<uint8_t>& pixels) {
  Tensor image = empty({1, 1, 28, 28});
  for (size_t i = 0; i < pixels.size(); ++i) image.data<float>()[i] = float(pixels[i]) / 255;
  return image;
}

/// Outputs of all modules by path, computed one operator after the other.
std::map<std::string, Tensor> eager_outputs(const nn::Module& net, const Tensor& image) {
  std::map<std::string, Tensor> outputs;
  nn::Context context(nn::Mode::eval);
  context.set_observer([&](const std::string& path, const nn::Module&, const Tensor&, const Tensor& y) {
    outputs[path] = y.detach().clone();
  });
  const NoGrad no_grad;
  context.run("", net, image);
  return outputs;
}

std::shared_ptr<nn::Module> shipped(const std::string& name) {
  std::shared_ptr<nn::Module> net = cli::build_network(cli::find_network(name), 3);
  net->eval();
  return net;
}

void check_layers(const cli::Look& look, const nn::Module& net, const std::vector<uint8_t>& pixels) {
  const auto outputs = eager_outputs(net, tensor_of(pixels));
  REQUIRE(!look.layers.empty());
  for (const cli::LayerValues& layer : look.layers) {
    INFO("layer " << layer.path << " " << layer.kind);
    const Tensor& expected = outputs.at(layer.path);
    REQUIRE(layer.channels * layer.height * layer.width == expected.size());
    REQUIRE(layer.bytes.size() == size_t(expected.size()));
    const double step = (double(layer.high) - layer.low) / 255;
    double worst = 0;
    for (size_t i = 0; i < layer.bytes.size(); ++i)
      worst =
          std::max(worst, std::abs(layer.low + layer.bytes[i] * step - double(expected.data<float>()[i])));
    CHECK(worst <= 0.5 * step + 1e-4 * std::max(std::abs(layer.low), std::abs(layer.high)));
  }
}

}  // namespace

TEST_CASE("a look has the probabilities and the values of all layers", "[cli]") {
  for (const char* name : {"cnn", "mlp", "lenet5", "tiny"}) {
    INFO(name);
    const auto net = shipped(name);
    cli::Looker looker(net);
    const std::vector<uint8_t> pixels = picture();
    for (int question = 0; question < 2; ++question) {  // recorded, then replayed
      const cli::Look look = looker(pixels);
      const Tensor expected = softmax((*net)(tensor_of(pixels)));
      REQUIRE(look.probabilities.size() == 10);
      for (size_t i = 0; i < 10; ++i)
        CHECK(std::abs(look.probabilities[i] - expected.data<float>()[i]) < 1e-5);
      check_layers(look, *net, pixels);
    }
  }
}

TEST_CASE("layers that only pass on are left out", "[cli]") {
  cli::Looker looker(shipped("tiny"));
  const cli::Look look = looker(picture());
  std::vector<std::string> names;
  for (const cli::LayerValues& layer : look.layers) names.push_back(layer.path + " " + layer.kind);
  CHECK(names == std::vector<std::string>{"0 conv2d", "1 max_pool2d", "2 batch_norm2d", "3 relu", "6 dense"});
  CHECK(look.layers[0].channels == 4);
  CHECK(look.layers[0].height == 12);
  CHECK(look.layers[4].channels == 10);
  CHECK(look.layers[4].height == 1);
}

TEST_CASE("a look is of the image and the weights at hand", "[cli]") {
  const auto net = shipped("tiny");
  cli::Looker looker(net);
  const cli::Look first = looker(picture());
  const cli::Look blank = looker(std::vector<uint8_t>(784));
  CHECK(blank.layers[0].bytes != first.layers[0].bytes);
  const auto other = cli::build_network(cli::find_network("tiny"), 4);
  net->load_state_dict(other->state_dict());
  const cli::Look changed = looker(picture());
  CHECK(changed.probabilities != first.probabilities);
  check_layers(changed, *other, picture());
}

TEST_CASE("values that are no numbers, and wrong numbers of pixels", "[cli]") {
  const auto net = shipped("tiny");
  net->named_parameters()[0].second.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  cli::Looker looker(net);
  const cli::Look look = looker(picture());
  for (const cli::LayerValues& layer : look.layers) {
    CHECK(std::isfinite(layer.low));
    CHECK(std::isfinite(layer.high));
  }
  CHECK_NOTHROW(nlohmann::json::parse(cli::look_json(look)));
  check_error(
      ErrorKind::usage, [&] { looker(std::vector<uint8_t>(783)); }, "got 783 pixels", "expected 784");
}

TEST_CASE("a served model answers with the weights that it was given last", "[cli]") {
  const auto net = shipped("tiny"), other = cli::build_network(cli::find_network("tiny"), 4);
  cli::ServedModel served(*net);
  const std::string before = served.answer(picture());
  served.take_weights(net->state_dict());
  CHECK(served.answer(picture()) == before);
  served.take_weights(other->state_dict());
  CHECK(served.answer(picture()) == cli::ServedModel(*other).answer(picture()));
  CHECK(served.answer(picture()) != before);
  // The nets themselves are left alone, and leave it alone.
  net->named_parameters()[0].second.data<float>()[0] = 5;
  CHECK(served.answer(picture()) != before);
  const auto json = nlohmann::json::parse(before);
  CHECK(json["layers"][0]["values"].get<std::string>().size() == (4 * 12 * 12 + 2) / 3 * 4);
}
