// Is everything in place? Looks at data, networks, kernels, pictures, output folders and models, and says
// what is wrong with each.
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/figure_list.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/core/error.h"
#include "uncial/core/isa.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"
#include "uncial/ops/loss.h"
#include "uncial/ops/reduce.h"
#include "uncial/optim/optimizer.h"
#include "uncial/train/model_file.h"
#include "uncial/vision/canvas.h"

namespace {

using namespace uncial;
namespace fs = std::filesystem;

/// Runs checks, prints a line for each, and remembers the first failure.
class Checklist {
 public:
  explicit Checklist(const cli::Program& program) : program_(program) {}

  /// `check` returns a remark, or throws an Error.
  void run(const std::string& what, const std::function<std::string()>& check) {
    std::string remark;
    bool ok = true;
    try {
      remark = check();
    } catch (const Error& error) {
      ok = false;
      if (failures_++ == 0) kind_ = error.kind();
      remark = error.what();
    }
    program_.print("{:<6} {:<30} {}\n", ok ? "ok" : "FAILED", what, remark);
    results_.push_back({{"check", what}, {"ok", ok}, {"remark", remark}});
  }
  const nlohmann::ordered_json& results() const { return results_; }
  /// Throws the first failure's kind of Error if there was one.
  void finish() const {
    if (failures_ > 0)
      fail(kind_, "project_validate: ", failures_, " of ", results_.size(),
           " checks failed; the lines above say which.");
  }

 private:
  const cli::Program& program_;
  nlohmann::ordered_json results_ = nlohmann::ordered_json::array();
  int failures_ = 0;
  ErrorKind kind_ = ErrorKind::internal;
};

std::string check_data(const fs::path& root) {
  const data::Splits mnist = cli::find_data(root);
  return fmt::format("{} training and {} test images, checksums right", mnist.train.size(),
                     mnist.test.size());
}

/// Ten steps on 32 images must lower the loss on them, on every instruction set.
std::string check_training(const fs::path& root) {
  const auto [images, labels] = cli::find_data(root).train.range(0, 32);
  std::string remark;
  for (const std::string& name : isas()) {
    set_isa(name);
    const auto net = cli::build_network(cli::find_network("tiny"), 1);
    optim::Adam adam(net->parameters(), {.lr = 1e-2});
    double first = 0, last = 0;
    for (int step = 0; step < 10; ++step) {
      adam.zero_grad();
      const Tensor loss = cross_entropy((*net)(images), labels);
      loss.backward();
      adam.step();
      last = loss.item();
      if (step == 0) first = last;
    }
    if (!(last < 0.9 * first))
      fail(ErrorKind::internal, name, ": loss went from ", first, " to ", last,
           ", expected it to fall. Please report it.");
    remark += fmt::format("{}{}: loss {:.2f} to {:.2f}", remark.empty() ? "" : ", ", name, first, last);
  }
  set_isa("");
  return remark;
}

std::string check_pictures() {
  vision::Canvas canvas(40, 20, vision::palette::white, 1);
  canvas.text(4, 10, "42");
  const std::string png = canvas.png();
  const Tensor picture = io::read_png(std::as_bytes(std::span(png)), "a picture of 42");
  const auto pixels = picture.span<uint8_t>();
  const auto dark = std::count_if(pixels.begin(), pixels.end(), [](uint8_t v) { return v < 128; });
  ensure(dark > 10, "text left ", dark, " dark values in a picture");
  return "text drawn, PNG written and read";
}

std::string check_network(const std::string& name) {
  return fmt::format("{} parameters", cli::build_network(cli::find_network(name), 0)->parameter_count());
}

std::string check_model(const fs::path& path) {
  const train::LoadedModel model = train::load_model(path);
  const double value = sum((*model.net)(zeros({1, 1, 28, 28}))).item();
  if (!std::isfinite(value))
    fail(ErrorKind::data, io::printable(path.native()), ": gives no finite answer. Train it again.");
  return fmt::format("{} parameters", model.net->parameter_count());
}

/// What a clone holds beside the sources.
constexpr const char* kRepository[] = {
    // containers
    "Dockerfile", "docker-compose.yml", "docker-compose.gpu.yml", ".dockerignore", "docker", "start.sh",
    "docs/docker.md",
    // Python
    "pyproject.toml", "python/README.md", "python/CMakeLists.txt", "notebooks/README.md",
    "notebooks/requirements.txt", "notebooks/cnn_mnist_from_scratch.ipynb",
    "notebooks/exploratory_analysis.ipynb", "notebooks/compare_cnn_mlp.ipynb", "notebooks/experiments.ipynb",
    // to read and to look at
    "README.md", "docs/README.md", "docs/tutorial/README.md", "docs/troubleshooting.md",
    "docs/experiments.md", "docs/demo/README.md", "docs/demo/index.html", "data/README.md",
    "models/README.md", "figures/README.md", "examples/README.md", "benchmarks/README.md"};

std::string check_repository(const fs::path& root) {
  std::error_code error;
  for (const char* name : kRepository)
    if (!fs::exists(root / name, error))
      fail(ErrorKind::io, io::printable((root / name).native()),
           ": not found, expected in a clone. Bring it back with: git checkout -- ", name);
  return fmt::format("{} files and folders", std::size(kRepository));
}

void run(cli::Program& program) {
  program.parse();
  program.prepare_json();
  Checklist list(program);
  std::error_code error;
  if (fs::exists(program.root() / "CMakeLists.txt", error))  // an installation has none
    list.run("repository", [&] { return check_repository(program.root()); });
  list.run("data", [&] { return check_data(program.root()); });
  for (const char* name : {"cnn", "mlp", "lenet5", "tiny"})
    list.run(fmt::format("network {}", name), [&] { return check_network(name); });
  list.run("training", [&] { return check_training(program.root()); });
  list.run("pictures", check_pictures);
  for (const char* folder : {"data", "models", "figures"})
    list.run(fmt::format("folder {}", folder), [&] {
      io::require_writable_folder(program.root() / folder);
      return std::string("can be written");
    });
  for (const cli::FigureInfo& figure : cli::figure_list())
    list.run(fmt::format("figure {}", figure.name), [&] {
      const std::string remark = cli::check_figure(program.root(), figure);
      return remark.empty() ? fmt::format("not made yet: {} draws it", figure.program) : remark;
    });
  for (const auto& entry : fs::directory_iterator(program.root() / "models", error))
    if (const std::string name = entry.path().filename(); name.ends_with("_final.safetensors"))
      list.run("model",
               [&] { return fmt::format("{}: {}", io::printable(name), check_model(entry.path())); });
  program.save_results({{"checks", list.results()}});
  list.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("project_validate", "Checks that everything is in place", argc, argv, run);
}
