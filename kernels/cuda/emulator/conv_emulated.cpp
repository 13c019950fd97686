// In the emulator convolutions go by their definition; there is no cuDNN.

#include "conv_any.h"

namespace uncial::cuda {

template <class T>
void conv2d(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y) {
  conv2d_any(e, x, w, bias, y);
}
template <class T>
void conv2d_input_gradient(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx) {
  conv2d_input_gradient_any(e, dy, w, bias, dx);
}
template <class T>
void conv2d_weight_gradient(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  conv2d_weight_gradient_any(e, x, dy, dw);
}

#define UNCIAL_INSTANTIATE(T)                                                                   \
  template void conv2d<T>(const ConvExtents&, const T*, const T*, const T*, T*);                \
  template void conv2d_input_gradient<T>(const ConvExtents&, const T*, const T*, const T*, T*); \
  template void conv2d_weight_gradient<T>(const ConvExtents&, const T*, const T*, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
