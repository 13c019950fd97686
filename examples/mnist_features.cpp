// What a trained network sees: the feature maps of its layers for one test image, and its filters.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/figures.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;

struct Maps {
  std::string path, kind;
  Tensor maps;  // (C, H, W)
};

/// Outputs of every layer that gives maps, in the order in which they ran.
std::vector<Maps> maps_of(const nn::Module& net, const Tensor& image) {
  std::vector<Maps> all;
  nn::Context context(nn::Mode::eval);
  context.set_observer([&](const std::string& path, const nn::Module& layer, const Tensor&, const Tensor& y) {
    if (y.rank() == 4 && !path.empty())
      all.push_back({path, std::string(layer.kind()), y.detach()[0].to(Device::cpu()).contiguous()});
  });
  const NoGrad no_grad;
  net.forward(image, context);
  return all;
}

bool wanted(const Maps& layer, const std::vector<std::string>& chosen) {
  if (chosen.empty()) return layer.kind == "conv2d" || layer.kind == "relu";
  return std::find(chosen.begin(), chosen.end(), layer.path) != chosen.end();
}

std::string names_of(const std::vector<Maps>& layers) {
  std::string text;
  for (const Maps& layer : layers)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", layer.path, layer.kind);
  return text;
}

/// The convolution whose filters are shown: the first among the chosen layers, or of all; "" when there is
/// none.
std::string filter_layer(const nn::Module& net, const std::vector<std::string>& chosen) {
  std::string first;
  for (const auto& [name, tensor] : net.named_parameters()) {
    if (tensor.rank() != 4 || !name.ends_with(".weight")) continue;
    const std::string path = name.substr(0, name.size() - 7);
    if (std::find(chosen.begin(), chosen.end(), path) != chosen.end()) return path;
    if (first.empty()) first = path;
  }
  return first;
}

Tensor weight_of(const nn::Module& net, const std::string& path) {
  for (const auto& [name, tensor] : net.named_parameters())
    if (name == path + ".weight") return tensor.detach().to(Device::cpu());
  return {};
}

void run(cli::Program& program) {
  std::string model = "cnn";
  int64_t index = 0, channels = 16;
  std::vector<std::string> chosen;
  program.text("--model", model, "Trained network: cnn, ... or FILE.safetensors", "MODEL");
  program.number("--index", index, {0, 9'999}, "Test image");
  program.list("--layer", chosen, "Layer to picture, such as 4; default: convolutions and their activations",
               "PATH");
  program.number("--channels", channels, {1, 64}, "At most so many maps of a layer");
  program.parse();
  cli::Output& output = program.open_output({"figures"});
  for (const char* figure : {"feature_maps", "filters"}) output.claim_figure(figure);

  const auto net = cli::load_trained(program.root(), model, program.common().device);
  const data::Dataset test = cli::load_mnist(program.root(), 5'000).test;
  const Tensor image = test.range(index, 1).first.to(net->device());
  const std::vector<Maps> layers = maps_of(*net, image);
  for (const std::string& path : chosen)
    require(std::any_of(layers.begin(), layers.end(), [&](const Maps& l) { return l.path == path; }),
            "--layer: got ", io::printable(path), ", expected one of ", names_of(layers), ".");

  std::vector<vision::FeatureLayer> shown;
  nlohmann::ordered_json listed = nlohmann::ordered_json::array();
  for (const Maps& layer : layers)
    if (wanted(layer, chosen)) {
      shown.push_back({.name = "layer " + layer.path + ": " + layer.kind, .maps = layer.maps});
      listed.push_back({{"path", layer.path}, {"kind", layer.kind}, {"channels", layer.maps.size(0)}});
    }
  if (shown.empty())
    fail(ErrorKind::data, "mnist_features: ", io::printable(model),
         " has no layers with feature maps. Take --model cnn.");
  const std::string title = fmt::format("Feature maps of test image {}, a {}", index, test.label(index));
  output.save_figure("feature_maps",
                     vision::feature_figure(cli::image_of(test, index), shown, title, int(channels)));
  std::string drawn = "figures/feature_maps.{png,svg}";
  if (const std::string path = filter_layer(*net, chosen); !path.empty()) {
    const Tensor weight = weight_of(*net, path);
    const std::string size = fmt::format("{} of {} × {}", weight.size(0), weight.size(2), weight.size(3));
    output.save_figure("filters", vision::filter_figure(weight, "Filters of layer " + path + ": " + size));
    drawn += " and figures/filters.{png,svg}";
  }
  program.print("{}: {} layers for test image {}, a {}\n", drawn, shown.size(), index, test.label(index));
  program.save_results(
      {{"model", model}, {"index", index}, {"label", test.label(index)}, {"layers", listed}});
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_features", "Pictures what a trained network sees", argc, argv, run);
}
