// What has been made so far: data, models with their accuracy, figures with their dates.
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/results.h"
#include "cli/training.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace {

using namespace uncial;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string date_of(const fs::path& path) {
  struct stat status {};
  std::tm time{};
  char text[32] = "?";
  if (::stat(path.c_str(), &status) == 0 && ::localtime_r(&status.st_mtime, &time))
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &time);
  return text;
}

/// Regular files of a folder with this ending, by name; none when the folder is missing.
std::vector<fs::path> files_in(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file(error) && entry.path().native().ends_with(ending))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Json show_files(const cli::Program& program, const std::string& title, const std::vector<fs::path>& files) {
  Json list = Json::array();
  program.print("{}: {}\n", title, files.empty() ? "none" : std::to_string(files.size()));
  for (const fs::path& file : files) {
    std::error_code error;
    const auto bytes = fs::file_size(file, error);
    program.print("  {:<44} {:>10} bytes  {}\n", io::printable(file.filename().native()), bytes,
                  date_of(file));
    list.push_back({{"file", file.filename().native()}, {"bytes", bytes}, {"date", date_of(file)}});
  }
  return list;
}

Json show_data(const cli::Program& program) {
  try {
    const data::Splits mnist = cli::find_data(program.root());
    program.print("data: MNIST, {} training and {} test images\n", mnist.train.size(), mnist.test.size());
    return {{"train", mnist.train.size()}, {"test", mnist.test.size()}};
  } catch (const Error& error) {
    program.print("data: {}\n", error.what());
    return error.what();
  }
}

void run(cli::Program& program) {
  program.parse();
  program.prepare_json();
  const fs::path root = program.root();
  Json results = {{"data", show_data(program)}};

  const std::vector<Json> models = cli::load_results(root);
  program.print("trained networks: {}\n", models.empty() ? "none" : std::to_string(models.size()));
  cli::read_results(root, [&] {
    for (const Json& model : models) {
      program.print("  {:<20} accuracy {:.2f} %, {} parameters\n", model.at("model").get<std::string>(),
                    100 * model.at("mean_accuracy").get<double>(), model.at("parameters").get<int64_t>());
      results["networks"].push_back(
          {{"model", model.at("model")}, {"mean_accuracy", model.at("mean_accuracy")}});
    }
  });

  results["models"] = show_files(program, "model files", files_in(root / "models", ".safetensors"));
  std::vector<fs::path> figures;
  for (const char* ending : {".png", ".svg", ".html"})
    for (const fs::path& file : files_in(root / "figures", ending)) figures.push_back(file);
  results["figures"] = show_files(program, "figures", figures);
  program.save_results(results);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("project_status", "Shows what has been made so far", argc, argv, run);
}
