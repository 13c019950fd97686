// Data sets: MNIST and its relatives, arrays and folders of one's own, splits, batches.

#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>

#include "binding.h"
#include "uncial/data/dataset.h"
#include "uncial/data/download.h"
#include "uncial/data/idx.h"
#include "uncial/data/image_folder.h"
#include "uncial/data/loader.h"
#include "uncial/vision/augment.h"

namespace uncial::python {
namespace {

using data::Dataset;
namespace fs = std::filesystem;

// ---- From arrays ------------------------------------------------------------------------------------------

/// Bytes of float images in [0, 1], or a little outside, where interpolation rounds to.
Tensor bytes_of(const Tensor& images) {
  constexpr float kSlack = 1e-3f;
  const Tensor values = images.to(DType::float32).contiguous();
  const Tensor bytes = empty(values.shape(), DType::uint8);
  const float* from = values.data<float>();
  uint8_t* to = bytes.data<uint8_t>();
  for (int64_t i = 0; i < values.size(); ++i) {
    require(from[i] >= -kSlack && from[i] <= 1 + kSlack, "Dataset: images hold the value ", from[i],
            ", expected floats in [0, 1] (1 = ink), or bytes.");
    to[i] = uint8_t(std::lround(255 * std::clamp(from[i], 0.0f, 1.0f)));
  }
  return bytes;
}

Tensor images_from(nb::handle given) {
  Tensor images = tensor_of(given);
  require(images.rank() == 3 || images.rank() == 4, "Dataset: images must be (N, H, W) or (N, C, H, W), got ",
          images.shape(), ".");
  if (images.rank() == 3) images = images.unsqueeze(1);
  if (images.dtype() == DType::uint8) return images;
  require(is_floating(images.dtype()), "Dataset: images are ", images.dtype(),
          ", expected uint8 (255 = ink), or floats in [0, 1].");
  return bytes_of(images);
}

Tensor labels_from(nb::handle given) {
  const Tensor wide = tensor_of(given).to(DType::int64).contiguous();
  require(wide.rank() == 1, "Dataset: labels must be (N), got ", wide.shape(), ".");
  const Tensor labels = empty(wide.shape(), DType::uint8);
  for (int64_t i = 0; i < wide.size(); ++i) {
    const int64_t label = wide.data<int64_t>()[i];
    require(label >= 0 && label <= 255, "Dataset: label ", label, " of sample ", i, " is outside 0..255.");
    labels.data<uint8_t>()[i] = uint8_t(label);
  }
  return labels;
}

Dataset from_arrays(nb::handle images, nb::handle labels, std::optional<std::vector<std::string>> classes,
                    const std::string& name) {
  const Tensor pixels = images_from(images), numbers = labels_from(labels);
  if (!classes) {
    const auto values = numbers.span<uint8_t>();
    const int highest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    classes.emplace();
    for (int i = 0; i <= highest; ++i) classes->push_back(std::to_string(i));
  }
  return Dataset(name, pixels, numbers, *classes);
}

// ---- To arrays --------------------------------------------------------------------------------------------

/// (N, C, H, W) bytes, not to be written to: the data set's own where its samples follow each other, else a
/// copy.
nb::object images_array(const Dataset& dataset) {
  const Shape sample = dataset.sample_shape();
  const int64_t bytes = count(sample), n = dataset.size();
  const size_t shape[] = {size_t(n), size_t(sample[0]), size_t(sample[1]), size_t(sample[2])};
  bool in_one_piece = true;
  for (int64_t i = 1; i < n && in_one_piece; ++i)
    in_one_piece = dataset.pixels(i) == dataset.pixels(0) + i * bytes;
  const uint8_t* first = nullptr;
  nb::object owner;
  if (in_one_piece) {
    first = dataset.pixels(0);
    owner = nb::capsule(new Dataset(dataset), [](void* p) noexcept { delete static_cast<Dataset*>(p); });
  } else {
    auto copy = std::make_unique<std::vector<uint8_t>>(size_t(n * bytes));
    for (int64_t i = 0; i < n; ++i) std::copy_n(dataset.pixels(i), bytes, copy->data() + i * bytes);
    first = copy->data();
    owner =
        nb::capsule(copy.release(), [](void* p) noexcept { delete static_cast<std::vector<uint8_t>*>(p); });
  }
  return nb::cast(nb::ndarray<nb::numpy, const uint8_t>(first, 4, shape, owner));
}

template <class F>
nb::object numbers_array(const Dataset& dataset, F number_of) {
  const Tensor numbers = empty({dataset.size()}, DType::int64);
  for (int64_t i = 0; i < dataset.size(); ++i) numbers.data<int64_t>()[i] = number_of(i);
  return array_of(numbers);
}

// ---- Parts ------------------------------------------------------------------------------------------------

/// Positions that a slice, a list, an array or a mask names.
std::vector<int64_t> positions_of(const Dataset& dataset, nb::handle index) {
  const nb::object numpy = nb::module_::import_("numpy");
  const nb::object all = numpy.attr("arange")(dataset.size());
  const nb::object chosen =
      all[nb::isinstance<nb::slice>(index) ? nb::borrow(index) : numpy.attr("asarray")(index)];
  return nb::cast<std::vector<int64_t>>(chosen.attr("tolist")());
}

nb::object item_of(const Dataset& dataset, nb::handle index) {
  const auto given = integer_in(index);
  if (!given) return nb::cast(dataset.subset(positions_of(dataset, index)));
  const int64_t n = dataset.size(), i = *given < 0 ? *given + n : *given;
  if (i < 0 || i >= n) throw nb::index_error(join("no sample ", *given, "; there are ", n, ".").c_str());
  const auto [images, labels] = dataset.range(i, 1);
  return nb::make_tuple(array_of(images[0]), dataset.label(i));
}

/// One pass after the other over a data set: each `for` starts anew.
struct Batches {
  Dataset dataset;
  data::LoaderOptions options;
};

nb::object next_batch(data::Loader& loader) {
  data::Batch batch;
  bool more = false;
  {
    const nb::gil_scoped_release unlocked;
    more = loader.next(batch);
  }
  if (!more) throw nb::stop_iteration();
  return nb::make_tuple(batch.images, batch.labels, batch.indices);
}

Batches batches_of(const Dataset& dataset, int64_t batch, bool shuffle, bool drop_last, uint64_t seed,
                   int64_t epoch, vision::Augment augment) {
  require(batch >= 1, "batches: batch must be >= 1, got ", batch, ".");
  data::BatchTransform transform;
  if (augment)
    transform = [augment](const Tensor& images, const std::vector<int64_t>& indices, uint64_t s, int64_t e) {
      augment->apply(images, indices, {.seed = s, .epoch = e});
    };
  return {dataset,
          {.batch = batch,
           .shuffle = shuffle,
           .drop_last = drop_last,
           .seed = seed,
           .epoch = epoch,
           .transform = std::move(transform)}};
}

void bind_batches(nb::module_& m) {
  nb::class_<data::Loader>(m, "_BatchIterator")
      .def("__iter__", [](nb::object self) { return self; })
      .def("__next__", next_batch);
  nb::class_<Batches>(m, "Batches", "Iterates over (images, labels, indices).")
      .def("__iter__", [](const Batches& b) { return data::Loader(b.dataset, b.options); })
      .def("__len__", [](const Batches& b) {
        const int64_t n = b.dataset.size(), batch = b.options.batch;
        return b.options.drop_last ? n / batch : ceil_div(n, batch);
      });
}

void bind_dataset(nb::module_& m) {
  nb::class_<Dataset>(m, "Dataset", "Images of one size with a class each. Parts of it share the pixels.")
      .def(
          "__init__",
          [](Dataset* self, nb::handle images, nb::handle labels,
             std::optional<std::vector<std::string>> classes, const std::string& name) {
            new (self) Dataset(from_arrays(images, labels, std::move(classes), name));
          },
          "images"_a, "labels"_a, "classes"_a = nb::none(), "name"_a = "data")
      .def_prop_ro("images", images_array, nb::for_getter(nb::sig("def images(self) -> numpy.ndarray")),
                   "(N, C, H, W) uint8, 255 = ink; read-only.")
      .def_prop_ro(
          "labels",
          [](const Dataset& d) { return numbers_array(d, [&](int64_t i) { return int64_t(d.label(i)); }); },
          nb::for_getter(nb::sig("def labels(self) -> numpy.ndarray")), "(N) int64")
      .def_prop_ro(
          "source_indices",
          [](const Dataset& d) { return numbers_array(d, [&](int64_t i) { return d.source_index(i); }); },
          nb::for_getter(nb::sig("def source_indices(self) -> numpy.ndarray")),
          "Positions in the data set that this one was cut from.")
      .def_prop_ro("name", &Dataset::name)
      .def_prop_ro("classes", &Dataset::classes)
      .def_prop_ro("sample_shape", [](const Dataset& d) { return tuple_of(d.sample_shape()); })
      .def("__len__", &Dataset::size)
      .def("__getitem__", item_of, "index"_a,
           "(image, label) for an int; a data set for a slice, positions or a mask.")
      .def("__iter__",
           [](nb::object self) {
             return nb::module_::import_("builtins")
                 .attr("map")(self.attr("__getitem__"),
                              nb::module_::import_("builtins").attr("range")(nb::len(self)));
           })
      .def("take", &Dataset::take, "count"_a, "The first `count` samples.")
      .def(
          "subset",
          [](const Dataset& d, nb::handle positions) { return d.subset(positions_of(d, positions)); },
          "positions"_a)
      .def(
          "split",
          [](const Dataset& d, int64_t validation, uint64_t seed) {
            return d.split({validation, seed});
          },
          "validation"_a = 5'000, "seed"_a = 1, "(rest, validation), each class with its share in both.")
      .def(
          "split_three",
          [](const Dataset& d, int64_t validation, int64_t test, uint64_t seed) {
            const data::ThreeParts parts = d.split_three({validation, test, seed});
            return nb::make_tuple(parts.train, parts.validation, parts.test);
          },
          "validation"_a = 5'000, "test"_a = 10'000, "seed"_a = 1)
      .def("class_counts", &Dataset::class_counts)
      .def("fingerprint", &Dataset::fingerprint, Unlocked())
      .def("batches", batches_of, "batch"_a = 128, nb::kw_only(), "shuffle"_a = false, "drop_last"_a = false,
           "seed"_a = 0, "epoch"_a = 0, "augment"_a.none() = nb::none())
      .def("__repr__", [](const Dataset& d) {
        return join(d.name(), ": ", d.size(), " images ", d.sample_shape(), " of ", d.classes().size(),
                    " classes");
      });
}

fs::path download(const std::string& name, const std::optional<fs::path>& directory, nb::object progress) {
  data::DownloadOptions options{.directory = directory.value_or(fs::path())};
  options.progress = [&progress](std::string_view file, int64_t done, int64_t total) {
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (!progress.is_none()) progress(nb::str(file.data(), file.size()), done, total);
  };
  const nb::gil_scoped_release unlocked;
  return data::download(name, options);
}

}  // namespace

void bind_data(nb::module_& m) {
  nb::module_ room = m.def_submodule("data", "Data sets.");
  bind_batches(room);
  bind_dataset(room);
  nb::class_<data::Splits>(room, "Splits", "The two parts that image data sets come in.")
      .def_ro("train", &data::Splits::train)
      .def_ro("test", &data::Splits::test)
      .def("__iter__", [](const data::Splits& s) { return nb::iter(nb::make_tuple(s.train, s.test)); })
      .def("__repr__", [](const data::Splits& s) {
        return join(s.train.name(), " (", s.train.size(), "), ", s.test.name(), " (", s.test.size(), ")");
      });
  room.def("names", data::names, "What load() and download() know.");
  room.def(
      "_load",
      [](const std::string& name, const std::optional<fs::path>& directory) {
        return data::load(name, {.directory = directory.value_or(fs::path())});
      },
      "name"_a, "directory"_a, Unlocked());
  room.def("download", download, "name"_a, "directory"_a = nb::none(), "progress"_a = nb::none(),
           "Brings the files of a data set to disk and returns their folder; progress(file, done, total) is "
           "called now and then.");
  room.def(
      "image_folder",
      [](const fs::path& path, int channels, bool invert) {
        return data::image_folder(path, {.channels = channels, .invert = invert});
      },
      "path"_a, "channels"_a = 1, "invert"_a = false, Unlocked(), "A folder of PNG files for each class.");
  room.def(
      "read_idx",
      [](const fs::path& path) {
        Tensor values;
        {
          const nb::gil_scoped_release unlocked;
          values = data::read_idx(path).values;
        }
        return array_of(values);
      },
      "path"_a, "The array in a file of MNIST's format, raw or gzip.");
}

}  // namespace uncial::python
