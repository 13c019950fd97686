#include "cli/look.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/base64.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/error.h"

namespace uncial::cli {
namespace {

constexpr int64_t kSide = 28;

Tensor image_of(std::span<const uint8_t> pixels) {
  require(pixels.size() == size_t(kSide * kSide), "look: got ", pixels.size(), " pixels, expected ",
          kSide * kSide, ".");
  Tensor image = empty({1, 1, kSide, kSide});
  float* values = image.data<float>();
  for (size_t i = 0; i < pixels.size(); ++i) values[i] = float(pixels[i]) / 255;
  return image;
}

std::vector<float> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float v : logits) sum += std::exp(double(v) - largest);
  std::vector<float> probabilities;
  for (const float v : logits) probabilities.push_back(float(std::exp(double(v) - largest) / sum));
  return probabilities;
}

/// Fills in range and bytes; what is not finite becomes the lowest value.
void quantise(std::span<const float> values, LayerValues& layer) {
  bool any = false;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    layer.low = any ? std::min(layer.low, v) : v;
    layer.high = any ? std::max(layer.high, v) : v;
    any = true;
  }
  const double range = double(layer.high) - layer.low, scale = range > 0 ? 255 / range : 0;
  layer.bytes.reserve(values.size());
  for (const float v : values)
    layer.bytes.push_back(std::isfinite(v) ? uint8_t((double(v) - layer.low) * scale + 0.5) : 0);
}

}  // namespace

Looker::Looker(std::shared_ptr<const nn::Module> net)
    : net_(std::move(net)), step_(compile([this](const Tensors& inputs) { return run(inputs[0]); })) {}

/// The logits, then the output of every layer that makes something new.
Tensors Looker::run(const Tensor& image) {
  layers_.clear();
  Tensors results{Tensor()};
  nn::Context context(nn::Mode::eval);
  context.set_observer(
      [&](const std::string& path, const nn::Module& layer, const Tensor& x, const Tensor& y) {
        // Flatten, and dropout in evaluation, give what they got; a container what its last layer gave.
        const auto is_y = [&](const Tensor& t) { return t.defined() && t.storage() == y.storage(); };
        if (is_y(x) || std::any_of(results.begin(), results.end(), is_y)) return;
        const bool maps = y.rank() == 4;
        layers_.push_back({.path = path,
                           .kind = std::string(layer.kind()),
                           .channels = maps ? y.size(1) : y.size(),
                           .height = maps ? y.size(2) : 1,
                           .width = maps ? y.size(3) : 1,
                           .bytes = {}});
        results.push_back(y.detach());
      });
  const NoGrad no_grad;
  results[0] = context.run("", *net_, image);
  return results;
}

Look Looker::operator()(std::span<const uint8_t> pixels) {
  const Tensors results = step_({image_of(pixels)});
  const Tensor logits = results[0].contiguous();
  Look look{.probabilities = softmax(logits.span<float>()), .layers = layers_};
  for (size_t i = 0; i < look.layers.size(); ++i) {
    const Tensor values = results[i + 1].contiguous();
    quantise(values.span<float>(), look.layers[i]);
  }
  return look;
}

std::string look_json(const Look& look) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerValues& layer : look.layers)
    layers.push_back({{"path", layer.path},
                      {"kind", layer.kind},
                      {"channels", layer.channels},
                      {"height", layer.height},
                      {"width", layer.width},
                      {"low", layer.low},
                      {"high", layer.high},
                      {"values", base64(layer.bytes)}});
  return nlohmann::ordered_json{{"probabilities", look.probabilities}, {"layers", std::move(layers)}}.dump();
}

}  // namespace uncial::cli
