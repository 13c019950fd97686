#include "uncial/kernels/unary.h"

#include "vectors.h"

namespace uncial::cuda {
namespace {

template <class T, class V>
void forward(const T& f, const V* x, V* y, int64_t size) {
  each_value(
      size, y, [=] UNCIAL_BODY(V x) { return f.forward(x); }, "unary", x);
}
template <class T, class V>
void backward(const T& f, const V* v, const V* dy, V* dx, int64_t size) {
  each_value(
      size, dx, [=] UNCIAL_BODY(V v, V dy) { return dy * f.derivative(v); }, "unary_backward", v, dy);
}
template <class T, class V>
void second(const T& f, const V* v, const V* dy, const V* g, V* dv, int64_t size) {
  each_value(
      size, dv, [=] UNCIAL_BODY(V v, V dy, V g) { return g * dy * f.second(v); }, "unary_second", v, dy, g);
}

}  // namespace

template <class T>
void unary(const T& f, View x, View y) {
  dispatch(floats, y.dtype, "unary", [&]<class V>() { forward(f, x.as<const V>(), y.as<V>(), y.size()); });
}
template <class T>
void unary_backward(const T& f, View v, View dy, View dx) {
  dispatch(floats, dx.dtype, "unary_backward",
           [&]<class V>() { backward(f, v.as<const V>(), dy.as<const V>(), dx.as<V>(), dx.size()); });
}
template <class T>
void unary_second(const T& f, View v, View dy, View g, View dv) {
  dispatch(floats, dv.dtype, "unary_second", [&]<class V>() {
    second(f, v.as<const V>(), dy.as<const V>(), g.as<const V>(), dv.as<V>(), dv.size());
  });
}

#define UNCIAL_INSTANTIATE(name, Formula)                                  \
  template void unary(const formula::Formula&, View, View);                \
  template void unary_backward(const formula::Formula&, View, View, View); \
  template void unary_second(const formula::Formula&, View, View, View, View);
UNCIAL_UNARY_OPS(UNCIAL_INSTANTIATE)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
