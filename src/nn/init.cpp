#include "uncial/nn/init.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "nn/orthonormal.h"
#include "simd/dropout_row.h"
#include "uncial/core/parallel.h"

namespace uncial::nn {
namespace {

constexpr Types<float, double, bfloat16> kParameterTypes{};

template <class T>
T to_parameter(double value) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return bfloat16(float(value));
  else
    return T(value);
}

/// Overwrites the elements, in order, by value().
template <class F>
void fill(const Tensor& tensor, const F& value) {
  dispatch(kParameterTypes, tensor.dtype(), "initialiser", [&]<class T>() {
    for (T& x : tensor.span<T>()) x = to_parameter<T>(value());
  });
}

/// What generator.uniform() yields number by number, to `each` value in turn. Some at a time and by all
/// threads: one after the other, the million weights of a small network take 25 ms, as long as everything
/// else until the first prediction together.
template <class T, class F>
void draw_uniforms(Generator& generator, std::span<T> values, const F& value_of) {
  constexpr int64_t kAtOnce = 64, kGrain = 1 << 15;
  const RandomStream& s = generator.stream();
  const uint64_t position = generator.position();
  parallel_blocks(int64_t(values.size()), kGrain, [&](int64_t begin, int64_t end) {
    uint32_t words[4 * kAtOnce];
    for (int64_t i = begin; i < end; i += kAtOnce) {
      const int64_t count = std::min(kAtOnce, end - i);
      cpu::dropout_simd().words(position + uint64_t(i), count,
                                {s.key()[0], s.key()[1], s.first(), s.a(), s.b()}, words);
      for (int64_t j = 0; j < count; ++j)
        values[size_t(i + j)] = value_of(unit_double(words[4 * j + 1], words[4 * j]));
    }
  });
  generator.seek(position + uint64_t(values.size()));
}

void fill_uniform(const Tensor& tensor, Generator& generator, double bound) {
  dispatch(kParameterTypes, tensor.dtype(), "initialiser", [&]<class T>() {
    draw_uniforms(generator, std::span<T>(tensor.span<T>()),
                  [=](double uniform) { return to_parameter<T>(bound * (2 * uniform - 1)); });
  });
}

void fill_normal(const Tensor& tensor, Generator& generator, double deviation) {
  fill(tensor, [&] { return deviation * generator.normal(); });
}

/// An initialiser whose variance follows from the fans of the tensor.
template <class Variance>
Initializer uniform_with(Variance variance) {
  return [=](const Tensor& tensor, Generator& generator) {
    fill_uniform(tensor, generator, std::sqrt(3 * variance(fans_of(tensor.shape()))));
  };
}
template <class Variance>
Initializer normal_with(Variance variance) {
  return [=](const Tensor& tensor, Generator& generator) {
    fill_normal(tensor, generator, std::sqrt(variance(fans_of(tensor.shape()))));
  };
}

double he(Fans fans) { return 2.0 / double(fans.in); }
double glorot(Fans fans) { return 2.0 / double(fans.in + fans.out); }
double lecun(Fans fans) { return 1.0 / double(fans.in); }

}  // namespace

Fans fans_of(const Shape& weight) {
  require(weight.rank() >= 2, "fans_of: needs a weight (out, in, ...), got shape ", weight,
          "; give vectors init::constant, init::uniform or init::normal.");
  int64_t window = 1;
  for (int axis = 2; axis < weight.rank(); ++axis) window *= weight[axis];
  return {weight[1] * window, weight[0] * window};
}

namespace init {

Initializer constant(double value) {
  return [=](const Tensor& tensor, Generator&) { fill(tensor, [=] { return value; }); };
}

Initializer uniform(double bound) {
  return [=](const Tensor& tensor, Generator& generator) { fill_uniform(tensor, generator, bound); };
}

Initializer normal(double deviation) {
  return [=](const Tensor& tensor, Generator& generator) { fill_normal(tensor, generator, deviation); };
}

Initializer fan_in_uniform(int64_t fan_in) { return uniform(1 / std::sqrt(double(fan_in))); }

Initializer he_uniform() { return uniform_with(he); }
Initializer he_normal() { return normal_with(he); }
Initializer glorot_uniform() { return uniform_with(glorot); }
Initializer glorot_normal() { return normal_with(glorot); }
Initializer lecun_uniform() { return uniform_with(lecun); }
Initializer lecun_normal() { return normal_with(lecun); }

Initializer orthogonal(double gain) {
  return [=](const Tensor& tensor, Generator& generator) {
    const Shape& shape = tensor.shape();
    require(shape.rank() >= 2, "init::orthogonal: needs a weight (out, in, ...), got shape ", shape, ".");
    if (tensor.empty()) return;
    const int64_t rows = shape[0], cols = tensor.size() / rows;
    const bool tall = rows > cols;
    const std::vector<double> basis = orthonormal(tall ? cols : rows, tall ? rows : cols, generator);
    int64_t next = 0;
    fill(tensor, [&] {
      const int64_t i = next++, row = i / cols, col = i % cols;
      return gain * basis[size_t(tall ? col * rows + row : i)];
    });
  };
}

}  // namespace init
}  // namespace uncial::nn
