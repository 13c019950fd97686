#pragma once
/// @file safetensors.h
/// Named tensors in a file that the rest of the world reads (format: safetensors 0.4, Hugging Face).

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::io {

/// Tensors by name in a fixed order, with free text beside them.
struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor called `name`; throws Error(data) listing what there is when it is absent.
  const Tensor& at(const std::string& name) const;
  bool contains(const std::string& name) const;
};

/// Writes atomically: temporary file in the same folder, fsync, rename, fsync of the folder. An earlier file
/// stays whole whatever happens. Throws Error(io) naming the path and the cause.
void save_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads and checks a file that may be hostile: nothing is allocated before the header proves consistent with
/// the file's length; duplicates, holes, overlaps and trailing bytes are refused. Throws Error(io) when it
/// cannot be read and Error(data) naming path, place, what came and what was expected.
TensorFile load_safetensors(const std::filesystem::path& path);
/// The same for a file in memory; `name` stands for the path in messages.
TensorFile load_safetensors(std::span<const std::byte> bytes, const std::string& name);

}  // namespace uncial::io
