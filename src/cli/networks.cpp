#include <algorithm>
#include <array>
#include <cctype>

#include "cli/paths.h"
#include "cli/training.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/nn/network.h"
#include "uncial/nn/summary.h"
#include "uncial/train/model_file.h"

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array kShipped{"cnn", "mlp", "lenet5", "tiny"};
constexpr int64_t kLargestDescription = int64_t(1) << 20;

bool is_shipped(const std::string& model) {
  return std::find(kShipped.begin(), kShipped.end(), model) != kShipped.end();
}

/// A file's stem as part of the names of result files: anything but letters, digits, - and _ becomes _.
std::string file_name(const fs::path& path) {
  std::string name = path.stem().native();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  return name.substr(0, 64);
}

}  // namespace

Network find_network(const std::string& model) {
  if (is_shipped(model))
    return {model, io::read_file(network_folder() / (model + ".json"), kLargestDescription)};
  require(model.ends_with(".json"), "--model: got ", io::printable(model),
          ", expected cnn, mlp, lenet5, tiny or a file FILE.json.");
  return {file_name(model), io::read_file(model, kLargestDescription)};
}

std::shared_ptr<nn::Module> build_network(const Network& network, uint64_t seed) {
  try {
    std::shared_ptr<nn::Module> net = nn::build(network.json);
    net->initialize({.seed = seed});
    const nn::Summary summary = nn::summary(*net, {1, 1, 28, 28});
    const Shape output = summary.rows.empty() ? Shape{} : summary.rows.back().output;
    require(output == Shape{1, 10}, "turns images (1, 1, 28, 28) into ", output, ", expected (1, 10).");
    return net;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    fail(ErrorKind::data, "network ", network.name, ": ", error.what(), " Mend the description.");
  }
}

std::shared_ptr<nn::Module> load_trained(const fs::path& root, const std::string& model, Device device) {
  const bool is_file = model.ends_with(".safetensors");
  const fs::path path = is_file ? fs::path(model) : root / ("models/mnist_" + model + "_final.safetensors");
  std::error_code error;
  if (!is_file && !fs::exists(path, error))
    fail(ErrorKind::io, "model: ", io::printable(path.native()),
         ": not found. Train it with `mnist_train --model ", io::printable(model),
         "`, or name a file with --model FILE.safetensors.");
  std::shared_ptr<nn::Module> net = train::load_model(path).net;
  net->to(device);
  return net;
}

void require_finite_weights(const nn::Module& net, const std::string& model) {
  if (const auto bad = find_non_finite(net.state_dict()))
    fail(ErrorKind::data, "model ", io::printable(model), ": ", bad->tensor, "[", bad->index, "]: got ",
         bad->value, " (", bad->count, " such values in all), expected finite weights. Train it again.");
}

}  // namespace uncial::cli
