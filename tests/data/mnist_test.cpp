#include "uncial/data/mnist.h"

#include <stdlib.h>

#include "support/bytes.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/data/download.h"
#include "uncial/data/idx.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const std::filesystem::path kFiles = UNCIAL_TEST_MNIST;
constexpr const char* kNames[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                  "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};

void link_all(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const char* name : kNames) std::filesystem::create_symlink(kFiles / name, folder / name);
}

}  // namespace

TEST_CASE("the embedded MNIST is whole", "[data]") {
  const data::Splits mnist = data::mnist();
  REQUIRE(mnist.train.size() == 60'000);
  REQUIRE(mnist.test.size() == 10'000);
  CHECK(mnist.train.sample_shape() == Shape{1, 28, 28});
  CHECK(mnist.train.classes() == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
  // LeCun, Cortes & Burges: the counts and first labels everybody knows.
  CHECK(mnist.train.class_counts() ==
        std::vector<int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
  CHECK(mnist.test.class_counts() ==
        std::vector<int64_t>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  for (const auto& [i, digit] : {std::pair(0, 5), {1, 0}, {2, 4}, {3, 1}, {4, 9}})
    CHECK(mnist.train.label(i) == digit);
  // Paper is 0 and ink is high: the corner of the first image is empty, its centre is not.
  CHECK(mnist.train.pixels(0)[0] == 0);
  CHECK(mnist.train.pixels(0)[14 * 28 + 14] > 100);
  const auto [rest, validation] = mnist.train.split({.validation = 5'000, .seed = 1});
  CHECK(rest.size() == 55'000);
  for (size_t c = 0; c < 10; ++c)
    CHECK(std::abs(double(validation.class_counts()[c]) - double(mnist.train.class_counts()[c]) / 12) < 1);
}

TEST_CASE("MNIST is found in a named folder or one below it, packed anyhow", "[data]") {
  const TempFolder folder;
  link_all(folder / "x/mnist");
  CHECK(data::mnist({.directory = folder / "x/mnist"}).test.size() == 10'000);
  CHECK(data::mnist({.directory = folder / "x"}).test.size() == 10'000);

  std::filesystem::remove(folder / "x/mnist/t10k-labels-idx1-ubyte.gz");
  const data::IdxArray labels = data::read_idx(kFiles / "t10k-labels-idx1-ubyte.gz");
  const auto bytes = labels.values.span<uint8_t>();
  const std::string plain =
      std::string("\0\0\x08\x01", 4) + big32(10'000) + std::string(bytes.begin(), bytes.end());
  write_bytes(folder / "x/mnist/t10k-labels-idx1-ubyte", plain);
  CHECK(data::mnist({.directory = folder / "x"}).test.label(0) == 7);
}

TEST_CASE("missing and damaged MNIST files are named with the way out", "[data]") {
  const TempFolder folder;
  const auto load = [&] { data::mnist({.directory = folder.path()}); };
  check_error(ErrorKind::io, load, "train-images-idx3-ubyte.gz", "not found in", folder.path().native(),
              "mnist_prepare");
  link_all(folder.path());
  std::filesystem::remove(folder / "t10k-labels-idx1-ubyte.gz");
  check_error(ErrorKind::io, load, "t10k-labels-idx1-ubyte.gz", "mnist_prepare");

  // Whole, readable, one label changed.
  const data::IdxArray labels = data::read_idx(kFiles / "t10k-labels-idx1-ubyte.gz");
  labels.values.data<uint8_t>()[77] ^= 1;
  const auto bytes = labels.values.span<uint8_t>();
  const std::string plain =
      std::string("\0\0\x08\x01", 4) + big32(10'000) + std::string(bytes.begin(), bytes.end());
  write_bytes(folder / "t10k-labels-idx1-ubyte.gz", gzipped(plain));
  check_error(ErrorKind::data, load, "t10k-labels-idx1-ubyte.gz", "SHA-256 is", "expected ff7bcfd4",
              "mnist_prepare");
  write_bytes(folder / "t10k-labels-idx1-ubyte.gz", "<html>");
  check_error(ErrorKind::data, load, "looks like HTML");
}

TEST_CASE("UNCIAL_DATA names where data sets lie", "[data]") {
  const TempFolder folder;
  link_all(folder / "mnist");
  std::filesystem::remove(folder / "mnist/train-images-idx3-ubyte.gz");
  write_bytes(folder / "mnist/train-images-idx3-ubyte.gz", "damaged");
  ::setenv("UNCIAL_DATA", folder.path().c_str(), 1);
  check_error(
      ErrorKind::data, [] { data::mnist(); }, folder.path().native());
  std::filesystem::remove(folder / "mnist/train-images-idx3-ubyte.gz");
  check_error(
      ErrorKind::io, [] { data::mnist(); }, "train-images-idx3-ubyte.gz: not found in", "others of its files",
      "mnist_prepare");
  std::filesystem::remove_all(folder / "mnist");
  CHECK(data::mnist().test.size() == 10'000);  // not there: the next place
  ::unsetenv("UNCIAL_DATA");
}

TEST_CASE("data sets go by name", "[data]") {
  CHECK(data::names().size() == 9);
  check_error(
      ErrorKind::usage, [] { data::load("mnist2"); }, "mnist2", "fashion_mnist", "emnist_letters");
  check_error(
      ErrorKind::usage, [] { data::download("a\nb"); }, "a\\nb");
  const TempFolder folder;
  for (const std::string& name : data::names())
    check_error(
        ErrorKind::io, [&] { data::load(name, {.directory = folder.path()}); }, name, "not found", "README");
}

TEST_CASE("a published file with other bytes is not parsed", "[data]") {
  const TempFolder folder;
  for (const char* name : kNames) write_bytes(folder / name, gzipped("anything"));
  check_error(
      ErrorKind::data, [&] { data::load("kmnist", {.directory = folder.path()}); }, "SHA-256 is",
      "expected 51467d22", "download(\"kmnist\")");
}
