// Augmentation of arrays.

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <numeric>

#include "binding.h"
#include "uncial/vision/augment.h"

namespace uncial::python {
namespace {

using vision::Augment;

nb::object augmented(const vision::Transform& transform, nb::handle images, uint64_t seed, int64_t epoch,
                     nb::handle indices) {
  const Tensor given = shared_tensor_of(images), x = images_of(images, "augment");
  std::vector<int64_t> sources(size_t(x.size(0)));
  std::iota(sources.begin(), sources.end(), 0);
  if (!indices.is_none()) {
    sources.clear();
    const Tensor wide = tensor_of(indices).to(DType::int64).reshape({-1});
    for (const int64_t i : wide.span<int64_t>()) sources.push_back(i);
  }
  {
    const nb::gil_scoped_release unlocked;
    transform.apply(x, sources, {.seed = seed, .epoch = epoch});
  }
  return array_of(x.reshape(given.shape()));
}

}  // namespace

void bind_vision(nb::module_& m) {
  nb::module_ room = m.def_submodule("vision", "Random changes of images.");
  nb::class_<vision::Transform>(room, "Transform",
                                "A change of images: a pure function of (seed, epoch, index).")
      .def("__call__", augmented, "images"_a, "seed"_a = 0, "epoch"_a = 1, "indices"_a = nb::none(),
           nb::sig("def __call__(self, images: object, seed: int = 0, epoch: int = 1, indices: object | None "
                   "= None) -> numpy.ndarray"),
           "A changed copy, float32: images (H, W), (N, H, W) or (N, C, H, W), bytes or floats in [0, 1].")
      .def("__repr__", &vision::Transform::describe);
  room.def(
      "RandomAffine",
      [](double degrees, double zoom, double shift, double shear, double fill) {
        return vision::RandomAffine({degrees, zoom, shift, shear, fill});
      },
      nb::kw_only(), "degrees"_a = 0.0, "zoom"_a = 0.0, "shift"_a = 0.0, "shear"_a = 0.0, "fill"_a = 0.0,
      "Shear, zoom, rotation about the centre, then a shift (a fraction of the side), each up to the given "
      "strength.");
  room.def(
      "ElasticDistortion",
      [](double alpha, double sigma) {
        return vision::ElasticDistortion({alpha, sigma});
      },
      "alpha"_a = 2.0, "sigma"_a = 3.0,
      "Moves every pixel by a smooth random field, by at most alpha pixels.");
  room.def(
      "Normalise",
      [](double mean, double deviation) {
        return vision::Normalise({mean, deviation});
      },
      "mean"_a = 0.1307, "deviation"_a = 0.3081, "(x - mean) / deviation");
  room.attr("Normalize") = room.attr("Normalise");
  room.def("RandomNoise", vision::RandomNoise, "deviation"_a);
  room.def(
      "RandomErase",
      [](double probability, double smallest, double largest, double value) {
        return vision::RandomErase({probability, smallest, largest, value});
      },
      "probability"_a = 0.5, "smallest"_a = 0.02, "largest"_a = 0.2, "value"_a = 0.0, "Fills one box.");
  room.def(
      "Compose", [](std::vector<Augment> parts) { return vision::Compose(std::move(parts)); }, "parts"_a,
      "One after the other.");
}

}  // namespace uncial::python
