#include "uncial/kernels/binary.h"

#include "walk.h"

namespace uncial::cuda {
namespace {

template <class F, class V, class Out>
void elementwise(const View& a, const View& b, const View& y) {
  const Walk<2> walk(y.shape, {&a.strides, &b.strides});
  const V *from_a = a.as<const V>(), *from_b = b.as<const V>();
  Out* to = y.as<Out>();
  each(
      y.size(),
      [=] UNCIAL_BODY(int64_t i) {
        const auto at = walk.at(i);
        to[i] = F::forward(from_a[at.of[0]], from_b[at.of[1]]);
      },
      "binary");
}

/// An integer is never divided by 0: the fault is noted, and y is 0 there.
template <class V>
void divide_integers(const View& a, const View& b, const View& y) {
  const Walk<2> walk(y.shape, {&a.strides, &b.strides});
  const V *from_a = a.as<const V>(), *from_b = b.as<const V>();
  V* to = y.as<V>();
  Fault* fault = fault_place();
  each(
      y.size(),
      [=] UNCIAL_BODY(int64_t i) {
        const auto at = walk.at(i);
        const V divisor = from_b[at.of[1]];
        if (divisor == V(0)) note(fault, {kDivisionByZero, 0, 0, i, 0});
        to[i] = divisor == V(0) ? V(0) : formula::Divide::forward(from_a[at.of[0]], divisor);
      },
      "divide");
}

template <class T>
void choose(const View& condition, const View& a, const View& b, const View& y) {
  const Walk<3> walk(y.shape, {&condition.strides, &a.strides, &b.strides});
  const bool* c = condition.as<const bool>();
  const T *from_a = a.as<const T>(), *from_b = b.as<const T>();
  T* to = y.as<T>();
  each(
      y.size(),
      [=] UNCIAL_BODY(int64_t i) {
        const auto at = walk.at(i);
        to[i] = c[at.of[0]] ? from_a[at.of[1]] : from_b[at.of[2]];
      },
      "where");
}

}  // namespace

template <class T>
void binary(View a, View b, View y) {
  dispatch(numbers, y.dtype, "binary", [&]<class V>() {
    if constexpr (std::is_integral_v<V> && std::is_same_v<T, formula::Divide>)
      divide_integers<V>(a, b, y);
    else if constexpr (std::is_integral_v<V> && std::is_same_v<T, formula::Pow>)
      ensure(false, "pow of integers");
    else
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
  choose<T>(condition, a, b, y);
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

}  // namespace uncial::cuda
