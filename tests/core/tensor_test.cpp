#include "uncial/core/tensor.h"

#include <cmath>
#include <utility>

#include "support/check_op.h"
#include "uncial/config.h"
#include "uncial/core/finite.h"

using namespace uncial;
using namespace uncial::test;

namespace {

template <class T>
concept HandsOutPointer = requires {
  std::declval<T>().template data<float>();
};
template <class T>
concept HandsOutSpan = requires {
  std::declval<T>().template span<float>();
};

// `for (float v : (a + b).span<float>())` walked over memory that was freed before the first step.
static_assert(HandsOutSpan<Tensor&> && HandsOutSpan<const Tensor&>);
static_assert(HandsOutPointer<Tensor&> && HandsOutPointer<const Tensor&>);
static_assert(!HandsOutSpan<Tensor> && !HandsOutSpan<const Tensor>);
static_assert(!HandsOutPointer<Tensor> && !HandsOutPointer<const Tensor>);

}  // namespace

TEST_CASE("tensor: an undefined one refuses every question") {
  const Tensor t;
  CHECK_FALSE(t.defined());
  check_error([&] { t.shape(); }, "this Tensor is undefined");
  check_error([&] { t.dtype(); }, "this Tensor is undefined");
  check_error([&] { t.sum(); }, "undefined");
  check_error([&] { t.clone(); }, "undefined");
}

TEST_CASE("tensor: making them") {
  check_close(zeros({2}), tensor<float>({0, 0}), 0);
  check_close(ones({2}, DType::int32), tensor<float>({1, 1}), 0);
  check_close(full({2}, 2.5), tensor<float>({2.5, 2.5}), 0);
  check_close(arange(0, 3), tensor<int64_t>({0, 1, 2}), 0);
  check_close(arange(3, 0, -1), tensor<int64_t>({3, 2, 1}), 0);
  check_close(arange(0, 1, 0.25, DType::float64), tensor<double>({0, 0.25, 0.5, 0.75}), 0);
  CHECK(arange(3, 3).empty());
  CHECK(empty({2, 3}).size() == 6);
  CHECK(zeros_like(ones({2, 3}, DType::uint8)).dtype() == DType::uint8);
  CHECK(zeros({0}).size() == 0);
  check_error([] { arange(0, 3, 0); }, "arange: needs finite bounds and a step other than 0");
  check_error([] { tensor<float>({1, 2, 3}, Shape{2}); }, "from_values: 3 values for shape (2)");
  check_error([] { empty({-1}); }, "negative extent");
}

TEST_CASE("tensor: copying aliases, clone copies") {
  const Tensor a = zeros({3}), alias = a, copy = a.clone();
  a.fill_(1);
  CHECK(alias.at({0}) == 1);
  CHECK(copy.at({0}) == 0);
}

TEST_CASE("tensor: what it knows about itself") {
  const Tensor t = zeros({2, 3, 4}, DType::float64);
  CHECK(t.rank() == 3);
  CHECK(t.size() == 24);
  CHECK(t.size(-1) == 4);
  CHECK(t.bytes() == 192);
  CHECK(t.is_contiguous());
  CHECK_FALSE(t.transpose().is_contiguous());
  CHECK(t.device() == Device::cpu());
  CHECK(t.select(0, 1).offset() == 12);
  CHECK(t.spec().shape == Shape{2, 3, 4});
  check_error([&] { t.size(3); }, "size: axis 3 is outside [-3, 3)");
}

TEST_CASE("tensor: reading elements") {
  const Tensor t = tensor<int32_t>({1, 2, 3, 4, 5, 6}, Shape{2, 3});
  CHECK(t.at({1, -1}) == 6);
  CHECK(t.transpose().at({2, 0}) == 3);
  CHECK(t.select(0, 1).select(0, 0).item<int>() == 4);
  CHECK(t[1][2].item() == 6);
  CHECK(full({1, 1}, 1.5, DType::bfloat16).item() == 1.5);
  check_error([&] { t.item(); }, "item: needs exactly one element, got shape (2, 3)");
  check_error([&] { t.at({0}); }, "at: 1 indices for shape (2, 3)");
  check_error([&] { t.at({0, 3}); }, "at: index 3 is outside axis 1 of shape (2, 3)");
  check_error([&] { t.data<float>(); },
              "data: the tensor is int32, not float32; convert with to(DType::float32)");
  const Tensor turned = t.transpose();
  check_error([&] { turned.data<int32_t>(); }, "is a strided view; call contiguous() first");
}

TEST_CASE("tensor: writing through data() counts only when told") {
  const Tensor t = zeros({2});
  const uint64_t version = t.version();
  t.data<float>()[0] = 1;
  CHECK(t.version() == version);
  t.mark_changed();
  CHECK(t.version() > version);
  CHECK(t.slice(0, {.start = 1}).version() == t.version());
}

TEST_CASE("tensor: memory of the host") {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> alive = owner;
  {
    const auto storage = std::make_shared<Storage>(owner->data(), 16, Device::cpu(), owner);
    const Tensor t(storage, DType::float32, {2, 2}, {2, 1});
    owner.reset();
    CHECK_FALSE(alive.expired());
    CHECK(t.at({1, 0}) == 3);
  }
  CHECK(alive.expired());
}

TEST_CASE("tensor: storage is aligned for vectors and refuses the impossible") {
  for (int64_t n : {1, 3, 100}) CHECK(reinterpret_cast<uintptr_t>(empty({n}).view().data) % 64 == 0);
  check_error(
      ErrorKind::device, [] { empty({int64_t(1) << 58}, DType::uint8); }, "288230376151711744");
}

TEST_CASE("tensor: large blocks begin at huge pages and hold what is written at both ends") {
  constexpr int64_t kHugePage = int64_t(2) << 20;
  for (const int64_t bytes : {2 * kHugePage - 64, 2 * kHugePage, 2 * kHugePage + 1, 5 * kHugePage + 77}) {
    Storage block(bytes, Device::cpu());
    auto* data = static_cast<unsigned char*>(block.data());
    CHECK(reinterpret_cast<uintptr_t>(data) % uintptr_t(bytes < 2 * kHugePage ? 64 : kHugePage) == 0);
    data[0] = 1, data[bytes - 1] = 2;
    CHECK(int(data[0]) + int(data[bytes - 1]) == 3);
  }
}

TEST_CASE("tensor: other devices") {
  CHECK(zeros({2}).to(Device::cpu()).defined());
  if (kCudaBuild) return;  // tests/cuda
  check_error(
      ErrorKind::device, [] { zeros({2}).to(Device::cuda()); }, "this build of uncial has no CUDA",
      "Device::cpu()");
}

TEST_CASE("integers are read and printed exactly") {
  const Tensor big = tensor<int64_t>({9007199254740993});
  CHECK(big.item<int64_t>() == 9007199254740993);
  CHECK(to_string(big).find("9007199254740993") != std::string::npos);
  CHECK(full({1}, -1, DType::uint8).item<int>() == 0);
  CHECK(full({1}, 300, DType::uint8).item<int>() == 255);
  CHECK_THROWS_AS(arange(0, 1e30), Error);
}

TEST_CASE("tensor: the first value that is not finite is found, whatever the layout") {
  const double inf = INFINITY, nan = NAN;
  CHECK_FALSE(first_non_finite(tensor<float>({1, -2})));
  CHECK_FALSE(first_non_finite(zeros({0})));
  CHECK_FALSE(first_non_finite(full({2}, 3, DType::int64)));
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16})
    for (const double bad : {inf, -inf, nan}) {
      Tensor x = zeros({2, 3}, DType::float64);
      x.data<double>()[1] = x.data<double>()[5] = bad;
      x = x.to(dtype);
      CHECK(first_non_finite(x) == 1);
      CHECK(first_non_finite(x.transpose()) == 2);
      CHECK(all_finite(x.slice(1, {.stop = 1})));
    }
}
