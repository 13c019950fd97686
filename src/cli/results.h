#pragma once
/// Results that mnist_train left behind.

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

namespace uncial::cli {

/// root/models/mnist_*_results.json: those with a "model", by name, and complete enough for "runs",
/// "parameters" and "mean_accuracy" to be read. Throws Error(data) naming a file that is not.
std::vector<nlohmann::ordered_json> load_results(const std::filesystem::path& root);

/// Calls `use`, which reads results under `root` in detail. Throws Error(data) when a value is not there or
/// not of the kind that the programs write.
void read_results(const std::filesystem::path& root, const std::function<void()>& use);

}  // namespace uncial::cli
