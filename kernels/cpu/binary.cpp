#include "uncial/kernels/binary.h"

#include "simd/elementwise_simd.h"
#include "strided_loop.h"

namespace uncial::cpu {
namespace {

template <class F, class V, class Out>
void walk(const V* a, int64_t sa, const V* b, int64_t sb, Out* y, int64_t size) {
  if (sa == 1 && sb == 1) {
    for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a[i], b[i]);
  } else {
    for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a[i * sa], b[i * sb]);
  }
}

template <class F>
void walk(const float* a, int64_t sa, const float* b, int64_t sb, float* y, int64_t size) {
  const BinaryLoops& loops = loops_of(binary_simd(), F());
  if (sa == 1 && sb == 1)
    loops.both(a, b, y, size);
  else if (sa == 1 && sb == 0)
    loops.right_scalar(a, *b, y, size);
  else if (sa == 0 && sb == 1)
    loops.left_scalar(*a, b, y, size);
  else
    for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a[i * sa], b[i * sb]);
}

/// y is contiguous, so its run stride is 1 whatever a and b do.
template <class F, class V, class Out>
void elementwise(const View& a, const View& b, const View& y) {
  const StridedLoop<3> loop(y.shape, {a.strides, b.strides, y.strides});
  const int64_t sa = loop.run_stride(0), sb = loop.run_stride(1);
  parallel_runs(loop, [&](const std::array<int64_t, 3>& o, int64_t length) {
    walk<F>(a.as<const V>() + o[0], sa, b.as<const V>() + o[1], sb, y.as<Out>() + o[2], length);
  });
}

template <class V>
void refuse_zeros(const View& b) {
  const StridedLoop<1> loop(b.shape, {b.strides});
  parallel_runs(loop, [&](const std::array<int64_t, 1>& o, int64_t length) {
    for (int64_t i = 0; i < length; ++i)
      require(b.as<const V>()[o[0] + i * loop.run_stride(0)] != 0, "divide: an integer is divided by zero.");
  });
}

}  // namespace

template <class T>
void binary(View a, View b, View y) {
  dispatch(numbers, y.dtype, "binary", [&]<class V>() {
    if constexpr (std::is_integral_v<V>) {
      if constexpr (std::is_same_v<T, formula::Pow>)
        return ensure(false, "pow of integers");
      else if constexpr (std::is_same_v<T, formula::Divide>)
        refuse_zeros<V>(b);
    }
    if constexpr (std::is_floating_point_v<V> || !std::is_same_v<T, formula::Pow>)
      elementwise<T, V, V>(a, b, y);
  });
}

template <class T>
void compare(View a, View b, View y) {
  dispatch(all_types, a.dtype, "compare", [&]<class V>() { elementwise<T, V, bool>(a, b, y); });
}

template <class T>
void logical(View a, View b, View y) {
  elementwise<T, bool, bool>(a, b, y);
}

template <class T>
void where(View condition, View a, View b, View y) {
  const StridedLoop<4> loop(y.shape, {condition.strides, a.strides, b.strides, y.strides});
  const int64_t sc = loop.run_stride(0), sa = loop.run_stride(1), sb = loop.run_stride(2);
  parallel_runs(loop, [&](const std::array<int64_t, 4>& o, int64_t length) {
    const bool* c = condition.as<const bool>() + o[0];
    const T *in_a = a.as<const T>() + o[1], *in_b = b.as<const T>() + o[2];
    T* out = y.as<T>() + o[3];
    for (int64_t i = 0; i < length; ++i) out[i] = c[i * sc] ? in_a[i * sa] : in_b[i * sb];
  });
}

#define UNCIAL_INSTANTIATE(name, Formula) template void binary<formula::Formula>(View, View, View);
UNCIAL_BINARY_OPS(UNCIAL_INSTANTIATE)
#undef UNCIAL_INSTANTIATE
#define UNCIAL_INSTANTIATE(name, Formula) template void compare<formula::Formula>(View, View, View);
UNCIAL_COMPARE_OPS(UNCIAL_INSTANTIATE)
#undef UNCIAL_INSTANTIATE
#define UNCIAL_INSTANTIATE(name, Formula) template void logical<formula::Formula>(View, View, View);
UNCIAL_LOGICAL_OPS(UNCIAL_INSTANTIATE)
#undef UNCIAL_INSTANTIATE
template void where<float>(View, View, View, View);
template void where<double>(View, View, View, View);
template void where<int64_t>(View, View, View, View);
template void where<int32_t>(View, View, View, View);
template void where<uint8_t>(View, View, View, View);
template void where<bool>(View, View, View, View);

}  // namespace uncial::cpu
