#pragma once
/// @file model_file.h
/// Nets on disk: weights and the description to rebuild them, in one safetensors file.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "uncial/nn/module.h"

namespace uncial::train {

/// Writes the net's state with its description (nn/network.h) and `extra` texts as metadata; atomic.
void save_model(const std::filesystem::path& path, const nn::Module& net, const nn::NamedTensors& weights,
                const std::map<std::string, std::string>& extra = {});

struct LoadedModel {
  std::shared_ptr<nn::Module> net;
  std::map<std::string, std::string> metadata;
};
/// Rebuilds a net from such a file. Throws Error(io) or Error(data).
LoadedModel load_model(const std::filesystem::path& path);

}  // namespace uncial::train
