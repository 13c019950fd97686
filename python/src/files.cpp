// Nets and tensors on disk, and what the layers of a net give.

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <filesystem>

#include "activations.h"
#include "binding.h"
#include "uncial/io/png.h"
#include "uncial/io/safetensors.h"
#include "uncial/train/model_file.h"

namespace uncial::python {
namespace {

namespace fs = std::filesystem;
using Texts = std::map<std::string, std::string>;

void save(const nn::Module& net, const fs::path& path, const std::optional<Texts>& metadata) {
  train::save_model(path, net, net.state_dict(), metadata.value_or(Texts()));
}

io::TensorFile read(const fs::path& path) {
  const nb::gil_scoped_release unlocked;
  return io::load_safetensors(path);
}

void bind_io(nb::module_& m) {
  m.def(
      "save_safetensors",
      [](const fs::path& path, nb::dict tensors, const std::optional<Texts>& metadata) {
        const io::TensorFile file{named_of(std::move(tensors), {}), metadata.value_or(Texts())};
        const nb::gil_scoped_release unlocked;
        io::save_safetensors(path, file);
      },
      "path"_a, "tensors"_a, "metadata"_a = nb::none(),
      "Tensors or arrays by name; replaces the file atomically.");
  m.def(
      "load_safetensors",
      [](const fs::path& path) {
        const io::TensorFile file = read(path);
        return nb::make_tuple(dict_of(file.tensors), nb::cast(file.metadata));
      },
      "path"_a,
      nb::sig(
          "def load_safetensors(path: str | os.PathLike) -> tuple[dict[str, uncial.Tensor], dict[str, str]]"),
      "(tensors by name, metadata)");
  m.def(
      "read_png",
      [](const fs::path& path) {
        Tensor picture;
        {
          const nb::gil_scoped_release unlocked;
          picture = io::read_png(path);
        }
        return array_of(picture);
      },
      "path"_a, "uint8 (C, H, W): C = 1 for grey pictures, 3 for colour.");
}

}  // namespace

void bind_files(nb::module_& m) {
  m.def("save", save, "net"_a, "path"_a, "metadata"_a = nb::none(), Unlocked(),
        "Weights and description in one safetensors file; replaces it atomically.");
  m.def(
      "load", [](const fs::path& path) { return train::load_model(path).net; }, "path"_a, Unlocked(),
      "The net in such a file.");
  m.def(
      "metadata", [](const fs::path& path) { return read(path).metadata; }, "path"_a,
      "The texts in a safetensors file, the description of a net among them.");
  m.def(
      "activations",
      [](const nn::Module& net, nb::handle input) {
        nb::list found;
        for (const Activation& layer : activations_of(net, input))
          found.append(nb::make_tuple(join(layer.path, layer.path.empty() ? "" : " ", layer.kind),
                                      array_of(layer.output)));
        return found;
      },
      "net"_a, "input"_a,
      nb::sig("def activations(net: uncial.nn.Module, input: object) -> list[tuple[str, numpy.ndarray]]"),
      "(\"0 conv2d\", array) for every layer in the order in which they ran, in evaluation; arrays keep the "
      "batch axis.");
  nb::module_ room = m.def_submodule("io", "Files that other tools read.");
  bind_io(room);
}

}  // namespace uncial::python
