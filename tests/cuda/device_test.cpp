// Tensors on a GPU: moving them, memory, errors. On a machine without one: that it is said, and nothing
// breaks.

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/config.h"
#include "uncial/core/cuda.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/loss.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {
const Device kHost = Device::cpu();
}

TEST_CASE("without a GPU every way to one is a device Error that says why, and the CPU goes on") {
  if (cuda::available()) return;
  CHECK(cuda::device_count() == 0);
  CHECK(cuda::why_unavailable() != "");
  const std::string why = cuda::why_unavailable();
  const Tensor x = randn({3}, 1);
  check_error(
      ErrorKind::device, [&] { x.to(Device::cuda()); }, why);
  check_error(
      ErrorKind::device, [&] { zeros({3}, DType::float32, Device::cuda()); }, why);
  check_error(
      ErrorKind::device, [] { cuda::synchronize(); }, why);
  check_error(
      ErrorKind::device, [] { cuda::memory_stats(); }, why);
  check_error(
      ErrorKind::device, [] { cuda::empty_cache(); }, why);
  CHECK(same_bits(x + 0.0, x));
}

TEST_CASE("tensors move to a GPU and back unchanged") {
  for_each_gpu([](Device gpu) {
    for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::int32, DType::uint8,
                        DType::boolean, DType::bfloat16})
      for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{3, 0, 2}, Shape{5, 7, 3}}) {
        const Tensor x = (randn(shape, 2) * 50).to(dtype), there = x.to(gpu);
        CHECK(there.device() == gpu);
        CHECK(there.dtype() == dtype);
        CHECK(same_bits(there.to(kHost), x));
      }
    const Tensor x = randn({4, 6}, 3), there = x.to(gpu);
    CHECK(same_bits(there.transpose(0, 1).to(kHost), x.transpose(0, 1).contiguous()));
    CHECK(there.at({2, 5}) == x.at({2, 5}));
    CHECK(there.select(0, 1).select(0, 3).item() == x.at({1, 3}));
    CHECK(join(there) == join(x));
    CHECK(same_bits(full({2, 3}, 7.5, DType::float64, gpu).to(kHost), full({2, 3}, 7.5, DType::float64)));
    CHECK(same_bits(zeros({2, 3}, DType::int32, gpu).to(kHost), zeros({2, 3}, DType::int32)));
  });
}

TEST_CASE("gradients flow back through a move") {
  for_each_gpu([](Device gpu) {
    const Tensor x = parameter(randn({4}, 1));
    sum(x.to(gpu) * x.to(gpu)).backward();
    CHECK(x.grad().device() == kHost);
    check_close(x.grad(), x.detach() * 2, 1e-6);
  });
}

TEST_CASE("operands on two devices are refused, and so is looking into a GPU's memory") {
  for_each_gpu([](Device gpu) {
    const Tensor x = randn({4}, 1), there = x.to(gpu);
    check_error([&] { x + there; }, "move one of them with to(device)");
    check_error([&] { there.data<float>(); }, "move it with to(Device::cpu())");
    check_error(
        ErrorKind::device, [&] { x.to(Device::cuda(cuda::device_count())); }, "cuda:");
  });
}

TEST_CASE("wrong data on a GPU are an Error when the host next waits, which then is forgotten") {
  for_each_gpu([](Device gpu) {
    const Tensor logits = randn({3, 5}, 1).to(gpu);
    const auto labels = [&](int64_t bad) { return tensor<int64_t>({0, bad, 4}).to(gpu); };
    const Tensor loss = cross_entropy(logits, labels(5));
    check_error([&] { loss.item(); }, "label 5 at index 1 is outside [0, 5)");
    CHECK(std::isfinite(cross_entropy(logits, labels(2)).item()));
    const Tensor taken = gather(logits, labels(-6), 1);
    check_error([&] { cuda::synchronize(gpu); }, "index -6 at position 1 is outside [-5, 5)");
    const Tensor numbers = tensor<int64_t>({7, 8}).to(gpu), zero = tensor<int64_t>({1, 0}).to(gpu);
    const Tensor quotient = numbers / zero;
    check_error([&] { quotient.to(kHost); }, "an integer is divided by zero");
    CHECK(quotient.at({0}) == 7);
  });
}

TEST_CASE("memory of a GPU is counted, given back and limited") {
  for_each_gpu([](Device gpu) {
    const auto in_use = [&] { return cuda::memory_stats(gpu).in_use; };
    const int64_t before = in_use();
    {
      const Tensor x = zeros({1000}, DType::float64, gpu);
      CHECK(in_use() == before + 8000);
      CHECK(cuda::memory_stats(gpu).peak >= before + 8000);
    }
    CHECK(in_use() == before);
    cuda::empty_cache(gpu);
    cuda::set_memory_limit(gpu, before + 10000);
    check_error(
        ErrorKind::device, [&] { zeros({2000}, DType::float64, gpu); }, "asked for 16000 bytes");
    const Tensor fits = zeros({1000}, DType::float64, gpu);
    cuda::set_memory_limit(gpu, 0);
    CHECK(zeros({2000}, DType::float64, gpu).device() == gpu);
    check_error([&] { cuda::set_memory_limit(gpu, -1); }, "needs bytes >= 0");
    const int64_t all = cuda::memory_stats(gpu).total;
    check_error(
        ErrorKind::device, [&] { zeros({all}, DType::float64, gpu); }, "out of memory on cuda:0");
    CHECK(in_use() == before + 8000);
  });
}
