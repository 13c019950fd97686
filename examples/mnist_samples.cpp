// Sample pictures as single files and as one sheet, and what augmentation makes of training images.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/figures.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/recipe.h"
#include "cli/training.h"
#include "uncial/io/atomic_file.h"

namespace {

using namespace uncial;

void run(cli::Program& program) {
  int64_t count = 5;
  std::vector<std::string> changes;
  program.number("--count", count, {1, 100}, "Single pictures of each class");
  program.list("--augment", changes,
               "Change the default strengths: degrees, zoom, shift, shear, elastic, noise, erase",
               "KEY=VALUE");
  program.parse();
  cli::AugmentStrengths strengths = cli::find_recipe("default", "cnn").augment;
  for (const std::string& change : changes) strengths.set(change);
  cli::Output& output = program.open_output({"data/mnist_samples", "figures"});
  for (const char* figure : {"mnist_samples", "augmentation_samples"}) output.claim_figure(figure);

  const cli::MnistData data = cli::load_mnist(program.root(), 5'000);
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const int64_t i : cli::first_of_each_class(data.test, int(count))) {
    // White ink on black paper, a pixel a pixel: the bytes of the data set.
    vision::Canvas picture(28, 28, vision::palette::black, 1);
    picture.image(0, 0, 28, 28, cli::image_of(data.test, i));
    const std::string file = fmt::format("data/mnist_samples/{}_test{:05}.png", data.test.label(i), i);
    output.save(file, picture);
    files.push_back(file);
  }
  output.save_figure("mnist_samples", cli::sample_figure(data.test, 16));
  output.save_figure("augmentation_samples",
                     cli::augmentation_figure(data.train, strengths.make(), strengths.description(),
                                              program.common().seed, 10, 12));
  program.print("{} pictures in {}, figures/{{mnist,augmentation}}_samples.{{png,svg}}\n", files.size(),
                io::printable((program.root() / "data/mnist_samples").native()));
  program.save_results({{"samples", files}, {"augmentation", strengths.text()}});
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_samples", "Pictures samples of the data and of augmentation", argc, argv, run);
}
