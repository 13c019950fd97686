#include <cmath>
#include <cstring>

#include "device_memory.h"
#include "uncial/core/random.h"
#include "uncial/core/tensor.h"

namespace uncial {
namespace {

/// Fills a fresh tensor from a function of the element number.
template <class F>
Tensor generate(const Shape& shape, DType dtype, std::string_view what, F value_at,
                Device device = Device::cpu()) {
  Tensor t = empty(shape, dtype);
  dispatch(storage_types, dtype, what, [&]<class T>() {
    T* out = t.data<T>();
    const int64_t n = t.size();
    for (int64_t i = 0; i < n; ++i) {
      out[i] = convert<T>(value_at(i));
    }
  });
  if (device.is_cpu()) return t;
  const Tensor there = empty(shape, dtype, device);
  cuda::copy(there.storage()->data(), device, t.storage()->data(), t.device(), t.bytes());
  return there;
}

}  // namespace

Tensor empty(const Shape& shape, DType dtype, Device device) {
  auto storage = std::make_shared<Storage>(count(shape) * size_of(dtype), device);
  return Tensor(std::move(storage), dtype, shape, row_major(shape));
}

Tensor zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  if (t.bytes() == 0) return t;
  if (device.is_cpu())
    std::memset(t.storage()->data(), 0, size_t(t.bytes()));
  else
    cuda::zero(t.storage()->data(), device, t.bytes());
  return t;
}

Tensor ones(const Shape& shape, DType dtype, Device device) { return full(shape, 1, dtype, device); }

Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  return generate(
      shape, dtype, "full", [=](int64_t) { return value; }, device);
}

Tensor arange(double start, double stop, double step, DType dtype) {
  require(step != 0 && std::isfinite(start) && std::isfinite(stop) && std::isfinite(step),
          "arange: needs finite bounds and a step other than 0, got ", start, ", ", stop, ", ", step, ".");
  const double length = std::max(0.0, std::ceil((stop - start) / step));
  require(length <= 0x1p53, "arange: ", start, " to ", stop, " by ", step,
          " has more elements than memory can hold.");
  const auto n = int64_t(length);
  return generate({n}, dtype, "arange", [=](int64_t i) { return start + step * double(i); });
}

Tensor randn(const Shape& shape, uint64_t seed, DType dtype) {
  Generator generator(seed, Purpose::synthetic, 1);
  return generate(shape, dtype, "randn", [&](int64_t) { return generator.normal(); });
}

Tensor rand(const Shape& shape, uint64_t seed, double low, double high, DType dtype) {
  Generator generator(seed, Purpose::synthetic, 2);
  return generate(shape, dtype, "rand", [&](int64_t) { return low + (high - low) * generator.uniform(); });
}

}  // namespace uncial
