#include "uncial/kernels/strided_copy.h"

#include "uncial/core/convert.h"
#include "walk.h"

namespace uncial::cuda {
namespace {

template <class From, class To>
void copy_elements(const View& x, const View& y) {
  const Walk<2> walk(y.shape, {&x.strides, &y.strides});
  const From* from = x.as<const From>();
  To* to = y.as<To>();
  each(
      y.size(),
      [=] UNCIAL_BODY(int64_t i) {
        const auto at = walk.at(i);
        to[at.of[1]] = convert<To>(from[at.of[0]]);
      },
      "strided_copy");
}

template <class T>
void fill_elements(T value, const View& y) {
  const Walk<1> walk(y.shape, {&y.strides});
  T* to = y.as<T>();
  each(
      y.size(), [=] UNCIAL_BODY(int64_t i) { to[walk.at(i).of[0]] = value; }, "strided_fill");
}

}  // namespace

template <class T>
void strided_copy(View x, View y) {
  dispatch(storage_types, x.dtype, "strided_copy", [&]<class From>() { copy_elements<From, T>(x, y); });
}

template <class T>
void strided_fill(double value, View y) {
  fill_elements(convert<T>(value), y);
}

#define UNCIAL_INSTANTIATE(T)                \
  template void strided_copy<T>(View, View); \
  template void strided_fill<T>(double, View);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
UNCIAL_INSTANTIATE(int64_t)
UNCIAL_INSTANTIATE(int32_t)
UNCIAL_INSTANTIATE(uint8_t)
UNCIAL_INSTANTIATE(bool)
UNCIAL_INSTANTIATE(bfloat16)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
