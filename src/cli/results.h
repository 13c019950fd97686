#pragma once
/// Results that mnist_train left behind.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace uncial::cli {

/// root/models/mnist_*_results.json: those with a "model", by name, and complete enough for "runs",
/// "parameters" and "mean_accuracy" to be read. Throws Error(data) naming a file that is not.
std::vector<nlohmann::ordered_json> load_results(const std::filesystem::path& root);

}  // namespace uncial::cli
