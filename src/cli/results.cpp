#include "cli/results.h"

#include <algorithm>

#include "cli/output.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

bool is_results(const std::string& name) {
  return name.starts_with("mnist_") && name.ends_with("_results.json");
}

}  // namespace

std::vector<nlohmann::ordered_json> load_results(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "models", error))
    if (is_results(entry.path().filename())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());

  std::vector<nlohmann::ordered_json> all;
  for (const fs::path& file : files) {
    nlohmann::ordered_json results = load_json(file);
    for (const char* key : {"model", "parameters", "multiply_adds", "mean_accuracy", "recipe", "runs"})
      if (!results.is_object() || !results.contains(key))
        fail(ErrorKind::data, "results: ", io::printable(file.native()), ": has no \"", key,
             "\", expected what mnist_train writes. Delete the file, or train again.");
    all.push_back(std::move(results));
  }
  return all;
}

void read_results(const fs::path& root, const std::function<void()>& use) {
  try {
    use();
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::data, "results: ", io::printable(root.native()),
         ": a JSON file below it has another content than ",
         "these programs write: ", io::printable(error.what()),
         ". Delete it, or run mnist_train and mnist_compare again.");
  }
}

}  // namespace uncial::cli
