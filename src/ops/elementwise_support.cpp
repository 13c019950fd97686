#include "elementwise_support.h"

namespace uncial {

void require_float(const Spec& spec, std::string_view what) {
  require(spec.dtype == DType::float32 || spec.dtype == DType::float64, what, ": does not support ",
          spec.dtype, "; convert with x.to(DType::float32).");
}

void require_same_dtype(const Spec& a, const Spec& b, std::string_view what) {
  require(a.dtype == b.dtype, what, ": the operands are ", a.dtype, " and ", b.dtype,
          "; convert one of them with to(dtype).");
}

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target,
                          std::string_view what) {
  const int added = target.rank() - shape.rank();
  require(added >= 0, what, ": shape ", shape, " does not broadcast to ", target, ", which has fewer axes.");
  Strides result = Extents::filled(target.rank(), 0);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int64_t wanted = target[axis + added];
    require(shape[axis] == wanted || shape[axis] == 1, what, ": shape ", shape, " does not broadcast to ",
            target, ": axis ", axis, " is ", shape[axis], ", expected ", wanted, " or 1.");
    result[axis + added] = shape[axis] == wanted ? strides[axis] : 0;
  }
  return result;
}

View broadcast_view(View x, const Shape& target, std::string_view what) {
  x.strides = broadcast_strides(x.shape, x.strides, target, what);
  x.shape = target;
  return x;
}

}  // namespace uncial
