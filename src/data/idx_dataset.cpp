#include "uncial/data/idx.h"

namespace uncial::data {
namespace {

void check_kind(const std::string& name, const Tensor& values, std::string_view kind, int rank) {
  if (values.rank() != rank)
    fail(ErrorKind::data, name, ": the ", kind, " file has ", values.rank(), " dims ", values.shape(), ", ",
         kind, " need ", rank, ". Are the files of images and labels exchanged?");
  if (values.dtype() != DType::uint8)
    fail(ErrorKind::data, name, ": ", kind, " are ", values.dtype(), ", expected uint8.");
}

}  // namespace

Dataset labelled_images(const std::string& name, const Tensor& images, const Tensor& labels,
                        std::vector<std::string> classes) {
  check_kind(name, images, "images", 3);
  check_kind(name, labels, "labels", 1);
  const Shape planes = {images.size(0), 1, images.size(1), images.size(2)};
  return Dataset(name, Tensor(images.storage(), DType::uint8, planes, row_major(planes), images.offset()),
                 labels, std::move(classes));
}

Dataset read_idx_dataset(std::string name, const std::filesystem::path& images,
                         const std::filesystem::path& labels, std::vector<std::string> classes) {
  return labelled_images(name, read_idx(images).values, read_idx(labels).values, std::move(classes));
}

}  // namespace uncial::data
