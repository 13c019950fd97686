#pragma once
/// @file model_file.h
/// Nets on disk: weights and the description to rebuild them, in one safetensors file.

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "uncial/nn/module.h"

namespace uncial::train {

/// Writes `weights` (as of state_dict()) with the net's description (nn/network.h) and `extra` texts as
/// metadata; atomic. A net with modules of the user's own has no description: its file serves
/// load_state_dict() only. Throws Error(io).
void save_model(const std::filesystem::path& path, const nn::Module& net, const nn::NamedTensors& weights,
                const std::map<std::string, std::string>& extra = {});

struct LoadedModel {
  std::shared_ptr<nn::Module> net;
  std::map<std::string, std::string> metadata;
};
/// Rebuilds a net from such a file, in the float type of its tensors. Throws Error(io) when the file cannot
/// be read, and Error(data) naming it when its content is wrong or it has no description.
LoadedModel load_model(const std::filesystem::path& path);
/// The same for a file in memory; `name` stands for the path in messages.
LoadedModel load_model(std::span<const std::byte> bytes, const std::string& name);

}  // namespace uncial::train
