#include "cli/figure_list.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "cli/own_file.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char *kData = "Data", *kTraining = "The network trained last";
constexpr std::array kFigures{
    FigureInfo{"mnist_samples", "mnist_samples", kData, "Test images, a row a class"},
    FigureInfo{"augmentation_samples", "mnist_samples", kData,
               "Training images as augmentation changes them"},
    FigureInfo{"training_history", "mnist_train", kTraining, "Loss and accuracy over the epochs"},
    FigureInfo{"confusion_matrix", "mnist_train", kTraining,
               "True classes against answers on the test images, as counts and as rates"},
    FigureInfo{"prediction_samples", "mnist_train", kTraining,
               "Right and wrong answers with their probabilities"},
    FigureInfo{"feature_maps", "mnist_features", kTraining, "What the layers see of one test image"},
    FigureInfo{"filters", "mnist_features", kTraining, "Filters of a convolution"},
    FigureInfo{"model_comparison", "mnist_compare", "Comparison",
               "Both networks, trained on the same data for the same number of epochs"},
    FigureInfo{"augmentation_experiment", "mnist_augment", "Augmentation",
               "Accuracy against kind and strength of augmentation"}};

[[noreturn]] void fail_figure(const fs::path& path, std::string_view what, const FigureInfo& figure) {
  fail(ErrorKind::data, "figure: ", io::printable(path.native()), ": ", what, ". Run ", figure.program,
       " again.");
}

}  // namespace

std::span<const FigureInfo> figure_list() { return kFigures; }

std::string check_figure(const fs::path& root, const FigureInfo& figure) {
  constexpr int64_t kPixels = int64_t(1) << 26, kBytes = int64_t(1) << 28;
  const fs::path png = root / "figures" / fmt::format("{}.png", figure.name),
                 svg = root / "figures" / fmt::format("{}.svg", figure.name);
  std::error_code error;
  const bool has_png = fs::exists(png, error), has_svg = fs::exists(svg, error);
  if (!has_png && !has_svg) return "";
  if (!has_png || !has_svg)
    fail(ErrorKind::io, "figure: ", io::printable((has_png ? svg : png).native()), ": is missing beside ",
         io::printable((has_png ? png : svg).filename().native()), ". Run ", figure.program, " again.");

  const Shape pixels = io::read_png(png, {.max_pixels = kPixels}).shape();
  if (!is_own_file(svg))
    fail_figure(svg, "got a file that these programs did not make, expected theirs", figure);
  const std::string text = io::read_file(svg, kBytes);
  if (!text.ends_with("</svg>\n")) fail_figure(svg, "ends early, expected </svg> at the end", figure);
  // The canvas draws figures at 2x: see Canvas.
  const int64_t width = pixels[2] / 2, height = pixels[1] / 2;
  if (text.find(fmt::format(" viewBox=\"0 0 {} {}\"", width, height)) > text.find('>', text.find("<svg ")))
    fail_figure(svg, fmt::format("expected {} x {}, half of what {}.png has", width, height, figure.name),
                figure);
  return fmt::format("{} x {}, PNG and SVG", width, height);
}

}  // namespace uncial::cli
