#include "uncial/kernels/unary.h"

#include "simd/elementwise_simd.h"
#include "strided_loop.h"

namespace uncial::cpu {

// float takes the vector loops of the best instruction set; double, which serves gradient checks, takes libm.
template <class T>
void unary(const T& f, View x, View y) {
  const auto forward = loops_of(unary_simd(), f).forward;
  parallel_blocks(y.size(), kElementGrain, [&](int64_t begin, int64_t end) {
    if (y.dtype == DType::float32)
      return forward(f, x.as<float>() + begin, y.as<float>() + begin, end - begin);
    for (int64_t i = begin; i < end; ++i) y.as<double>()[i] = f.forward(x.as<const double>()[i]);
  });
}

template <class T>
void unary_backward(const T& f, View v, View dy, View dx) {
  const auto backward = loops_of(unary_simd(), f).backward;
  parallel_blocks(dx.size(), kElementGrain, [&](int64_t begin, int64_t end) {
    if (dx.dtype == DType::float32)
      return backward(f, v.as<float>() + begin, dy.as<float>() + begin, dx.as<float>() + begin, end - begin);
    for (int64_t i = begin; i < end; ++i)
      dx.as<double>()[i] = dy.as<const double>()[i] * f.derivative(v.as<const double>()[i]);
  });
}

template <class T>
void unary_second(const T& f, View v, View dy, View g, View dv) {
  dispatch(floats, dv.dtype, "unary_second", [&]<class V>() {
    parallel_blocks(dv.size(), kElementGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        dv.as<V>()[i] = g.as<const V>()[i] * dy.as<const V>()[i] * f.second(v.as<const V>()[i]);
    });
  });
}

#define UNCIAL_INSTANTIATE(name, Formula)                                  \
  template void unary(const formula::Formula&, View, View);                \
  template void unary_backward(const formula::Formula&, View, View, View); \
  template void unary_second(const formula::Formula&, View, View, View, View);
UNCIAL_UNARY_OPS(UNCIAL_INSTANTIATE)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cpu
