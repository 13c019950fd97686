// The pictures of the programs, for notebooks and files.

#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <filesystem>

#include "activations.h"
#include "binding.h"
#include "cli/figures.h"
#include "train.h"
#include "uncial/vision/charts.h"

namespace uncial::python {
namespace {

using vision::Canvas;

/// A picture that shows itself in a notebook.
struct Figure {
  Canvas canvas;
};

nb::bytes png_of(const Figure& figure) {
  const std::string png = figure.canvas.png();
  return nb::bytes(png.data(), png.size());
}

/// PNG, and the size that it is meant to be seen at: there are two pixels a point.
nb::object notebook_png(const Figure& figure) {
  nb::dict size;
  size["width"] = figure.canvas.width();
  size["height"] = figure.canvas.height();
  return nb::make_tuple(png_of(figure), size);
}

void save(const Figure& figure, const std::filesystem::path& path) {
  require(path.extension() == ".png", "save: got ", path.string(), ", expected a name that ends in .png.");
  const nb::gil_scoped_release unlocked;
  figure.canvas.save_png(path);
}

// ---- Training and judging ---------------------------------------------------------------------------------

Figure confusion(const LabelledReport& labelled, const std::string& title) {
  std::vector<std::string> classes;
  for (const train::ClassReport& c : labelled.report.classes) classes.push_back(c.name);
  return {vision::confusion_figure(labelled.report.confusion, classes, title)};
}

Figure predictions(const LabelledReport& labelled, const data::Dataset& data) {
  require(int64_t(labelled.labels.size()) == data.size(), "predictions: the report is of ",
          labelled.labels.size(), " images, the data set has ", data.size(),
          ". Hand in the data set that was evaluated.");
  return {cli::prediction_figure(labelled.report, data)};
}

Figure augmentation(const data::Dataset& data, const vision::Augment& augment, int rows, int columns,
                    uint64_t seed) {
  require(rows >= 1 && columns >= 2, "augmentation: needs a row and two columns, got ", rows, " and ",
          columns, ".");
  return {cli::augmentation_figure(data, augment, augment->describe(), seed, rows, columns)};
}

// ---- Looking inside ---------------------------------------------------------------------------------------

/// True for "4", "4 relu" and "relu".
bool names(const std::string& wanted, const Activation& layer) {
  return wanted == layer.path || wanted == layer.kind || wanted == layer.path + " " + layer.kind;
}

Figure feature_maps(const nn::Module& net, nb::handle image,
                    const std::optional<std::vector<std::string>>& layers, int channels,
                    const std::string& title) {
  const Tensor input = images_of(image, "feature_maps");
  require(input.size(0) == 1 || input.size(1) == 1, "feature_maps: expected one image, got ", input.shape(),
          ".");
  const Tensor one =
      input.size(0) == 1 ? input : input.permute({1, 0, 2, 3}).contiguous();  // (C, H, W) came as (N, H, W)
  std::vector<vision::FeatureLayer> shown;
  std::string known;
  for (const Activation& layer : activations_of(net, nb::cast(one))) {
    if (layer.output.rank() != 4) continue;
    known += join(known.empty() ? "" : ", ", layer.path, " ", layer.kind);
    const bool wanted = layers ? std::any_of(layers->begin(), layers->end(),
                                             [&](const auto& name) { return names(name, layer); })
                               : layer.kind == "conv2d" || layer.kind == "relu";
    if (wanted)
      shown.push_back({.name = layer.path + " " + layer.kind, .maps = layer.output[0].contiguous()});
  }
  require(!shown.empty(),
          "feature_maps: no such layers; those with maps are: ", known.empty() ? "none" : known, ".");
  return {vision::feature_figure(one[0].contiguous(), shown, title, channels)};
}

Figure filters(const nn::Module& net, const std::optional<std::string>& layer, const std::string& title) {
  std::string known;
  for (const auto& [name, tensor] : net.named_parameters()) {
    if (tensor.rank() != 4 || !name.ends_with("weight")) continue;
    const std::string path = name.substr(0, name.size() - std::min(name.size(), size_t(7)));
    known += (known.empty() ? "" : ", ") + path;
    if (layer && *layer != path) continue;
    const std::string text = title.empty() ? "Filters of layer " + path : title;
    return {vision::filter_figure(tensor.detach().to(Device::cpu()).to(DType::float32), text)};
  }
  fail(ErrorKind::usage, "filters: no such convolution; there are: ", known.empty() ? "none" : known, ".");
}

Figure grid(nb::handle images, const std::optional<std::vector<std::string>>& captions, int columns,
            const std::string& title) {
  const Tensor pixels = images_of(images, "grid");
  require(pixels.size(1) == 1 || pixels.size(1) == 3, "grid: images must be grey or have three colours, got ",
          pixels.shape(), ".");
  require(!captions || int64_t(captions->size()) == pixels.size(0), "grid: ", pixels.size(0), " images and ",
          captions ? captions->size() : 0, " captions.");
  std::vector<vision::GridCell> cells;
  for (int64_t i = 0; i < pixels.size(0); ++i)
    cells.push_back({.image = pixels[i].contiguous(), .caption = captions ? (*captions)[size_t(i)] : ""});
  return {vision::image_grid(cells, {.title = title, .columns = columns})};
}

void bind_figure(nb::module_& m) {
  nb::class_<Figure>(m, "Figure", "A picture; shows itself in a notebook.")
      .def_prop_ro("width", [](const Figure& figure) { return figure.canvas.width(); })
      .def_prop_ro("height", [](const Figure& figure) { return figure.canvas.height(); })
      .def_prop_ro(
          "pixels", [](const Figure& figure) { return array_of(figure.canvas.pixels()); },
          nb::for_getter(nb::sig("def pixels(self) -> numpy.ndarray")),
          "(3, height, width) uint8, at twice the size.")
      .def("png", png_of)
      .def("save", save, "path"_a, "As PNG; replaces the file atomically.")
      .def("_repr_png_", notebook_png)
      .def("__repr__", [](const Figure& figure) {
        return join("Figure(", figure.canvas.width(), " x ", figure.canvas.height(), ")");
      });
}

}  // namespace

void bind_figures(nb::module_& m) {
  nb::module_ room = m.def_submodule("figures", "Pictures of data, training and what a net sees.");
  bind_figure(room);
  room.def(
      "history",
      [](const train::History& history, const std::string& title) {
        return Figure{cli::history_figure(history, title)};
      },
      "history"_a, "title"_a = "training", "Loss and accuracy over the epochs; the best one is marked.");
  room.def("confusion_matrix", confusion, "report"_a, "title"_a = "",
           "Counts, and rates for each true class.");
  room.def("predictions", predictions, "report"_a, "data"_a,
           "Right answers from sure to unsure, then the surest errors.");
  room.def(
      "samples",
      [](const data::Dataset& data, int columns) { return Figure{cli::sample_figure(data, columns)}; },
      "data"_a, "columns"_a = 10, "A row of samples for each class.");
  room.def("augmentation", augmentation, "data"_a, "augment"_a, "rows"_a = 10, "columns"_a = 10, "seed"_a = 0,
           "Originals on the left, and what becomes of them.");
  room.def(
      "feature_maps", feature_maps, "net"_a, "image"_a, "layers"_a = nb::none(), "channels"_a = 16,
      "title"_a = "",
      nb::sig("def feature_maps(net: uncial.nn.Module, image: object, layers: collections.abc.Sequence[str] "
              "| None = None, "
              "channels: int = 16, title: str = '') -> Figure"),
      "An image and what layers make of it; layers by path (\"4\"), kind (\"relu\") or both (\"4 relu\").");
  room.def("filters", filters, "net"_a, "layer"_a = nb::none(), "title"_a = "",
           "Filters of a convolution, by default the first.");
  room.def("grid", grid, "images"_a, "captions"_a = nb::none(), "columns"_a = 10, "title"_a = "",
           nb::sig("def grid(images: object, captions: collections.abc.Sequence[str] | None = None, columns: "
                   "int = 10, title: str = '') -> Figure"),
           "Images in rows.");
}

}  // namespace uncial::python
