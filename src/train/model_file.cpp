#include "uncial/train/model_file.h"

#include <algorithm>

#include "train/description.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/safetensors.h"
#include "uncial/nn/network.h"

namespace uncial::train {
namespace {

constexpr const char *kFormatKey = "format", *kFormat = "uncial-model";
constexpr const char *kVersionKey = "format_version", *kVersion = "1";
constexpr const char* kNetworkKey = "network";

std::string text_of(const io::TensorFile& file, const char* key) {
  const auto place = file.metadata.find(key);
  return place == file.metadata.end() ? std::string() : place->second;
}

/// The float type that the weights are stored in; float32 when there are none.
DType float_type(const nn::NamedTensors& tensors) {
  const auto place = std::find_if(tensors.begin(), tensors.end(),
                                  [](const auto& t) { return is_floating(t.second.dtype()); });
  return place == tensors.end() ? DType::float32 : place->second.dtype();
}

LoadedModel rebuild(const io::TensorFile& file, const std::string& where) {
  if (const std::string version = text_of(file, kVersionKey);
      text_of(file, kFormatKey) == kFormat && version != kVersion)
    fail(ErrorKind::data, where, ": format version '", io::printable(version), "', expected ", kVersion,
         ". It was written by another version of uncial.");
  const std::string network = text_of(file, kNetworkKey);
  if (network.empty())
    fail(ErrorKind::data, where, ": got no description of the network in the metadata, expected a text '",
         kNetworkKey, "'. Build the net in code and hand it the file's tensors with load_state_dict().");
  try {
    LoadedModel model{.net = nn::build(network), .metadata = file.metadata};
    if (const DType dtype = float_type(file.tensors); dtype != DType::float32) model.net->to(dtype);
    model.net->load_state_dict(file.tensors);
    return model;
  } catch (const Error& e) {
    fail(e.kind(), where, ": ", e.what());
  }
}

}  // namespace

std::string description_or_empty(const nn::Module& net) {
  try {
    return nn::describe(net);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    return {};
  }
}

void save_model(const std::filesystem::path& path, const nn::Module& net, const nn::NamedTensors& weights,
                const std::map<std::string, std::string>& extra) {
  io::TensorFile file{.tensors = weights, .metadata = extra};
  file.metadata.insert_or_assign(kFormatKey, kFormat);
  file.metadata.insert_or_assign(kVersionKey, kVersion);
  if (std::string network = description_or_empty(net); !network.empty())
    file.metadata[kNetworkKey] = std::move(network);
  io::save_safetensors(path, file);
}

LoadedModel load_model(const std::filesystem::path& path) {
  return rebuild(io::load_safetensors(path), join("load_model: ", io::printable(path.native())));
}

LoadedModel load_model(std::span<const std::byte> bytes, const std::string& name) {
  return rebuild(io::load_safetensors(bytes, name), join("load_model: ", io::printable(name)));
}

}  // namespace uncial::train
