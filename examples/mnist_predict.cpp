// Reads digits: from PNG files, or test images by their index.
//   mnist_predict digit.png --resize
//   mnist_predict --index 0 --index 17
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/digit_image.h"
#include "cli/profile_flag.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

namespace {

using namespace uncial;

/// One picture to read.
struct Question {
  std::string name, remarks;
  Tensor image;  // (1, 1, 28, 28)
};

std::vector<Question> questions(const cli::Program& program, const std::vector<std::string>& files,
                                const std::vector<std::string>& indices, const cli::DigitOptions& options) {
  std::vector<Question> all;
  for (const std::string& file : files) {
    const std::string name = io::printable(file);
    auto [image, remarks] = cli::prepare_digit(io::read_png(file), name, options);
    all.push_back({name, remarks, image});
  }
  if (indices.empty()) return all;
  const data::Dataset test = cli::find_data(program.root()).test;
  for (const std::string& text : indices) {
    const int64_t index = cli::parse_number("--index", text, cli::Range<int64_t>{0, test.size() - 1});
    all.push_back({fmt::format("test image {}", index), fmt::format("truly a {}", test.label(index)),
                   test.range(index, 1).first});
  }
  return all;
}

void run(cli::Program& program) {
  std::string model = "cnn";
  std::vector<std::string> files, indices;
  cli::DigitOptions options;
  program.list("files", files, "PNG files with a digit each, on a light or dark background", "FILE...");
  program.text("--model", model, "Trained network: cnn, ... or FILE.safetensors", "MODEL");
  program.list("--index", indices, "Test image 0..9999", "N");
  program.flag("--resize", options.resize, "Take pictures of any size: crop, scale and centre like MNIST");
  program.flag("--invert", options.invert, "The background is not what it looks like");
  cli::ProfileFlag profile(program);
  program.parse();
  require(!files.empty() || !indices.empty(),
          "mnist_predict: got no picture, expected PNG files or --index N.");
  program.prepare_json();
  profile.start();

  const std::vector<Question> asked = questions(program, files, indices, options);
  const auto net = cli::load_trained(program.root(), model, program.common().device);
  cli::require_finite_weights(*net, model);
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const Question& question : asked) {
    const Tensor p = train::predict(*net, question.image);
    const std::vector<float> probabilities(p.data<float>(), p.data<float>() + p.size());
    const auto best = std::max_element(probabilities.begin(), probabilities.end());
    const auto digit = best - probabilities.begin();
    std::string list;
    for (size_t d = 0; d < probabilities.size(); ++d)
      list += fmt::format("  {} {:.1f}", d, 100 * probabilities[d]);
    program.print("{}: {} ({:.1f} %; {})\n  in %:{}\n", question.name, digit, 100 * *best, question.remarks,
                  list);
    results.push_back({{"picture", question.name},
                       {"digit", digit},
                       {"probabilities", probabilities},
                       {"remarks", question.remarks}});
  }
  profile.finish();
  program.save_results({{"model", model}, {"predictions", results}});
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_predict", "Reads handwritten digits", argc, argv, run);
}
