#pragma once
/// @file view.h
/// What kernels see of a tensor: a pointer and extents, never ownership, never a gradient.

#include "uncial/core/device.h"
#include "uncial/core/dtype.h"
#include "uncial/core/shape.h"

namespace uncial {

/// dtype and shape of a value: all that a shape rule may look at.
struct Spec {
  DType dtype = DType::float32;
  Shape shape;
  Device device;
  int64_t bytes() const { return count(shape) * size_of(dtype); }
};

/// A typed-at-run-time window on memory. Strides count elements.
struct View {
  void* data = nullptr;
  DType dtype = DType::float32;
  Device device;
  Shape shape;
  Strides strides;

  int64_t size() const { return count(shape); }
  int64_t bytes() const { return size() * size_of(dtype); }
  bool contiguous() const { return is_row_major(shape, strides); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// `rows` contiguous rows of `cols` elements each.
template <class T>
struct Rows {
  T* data;
  int64_t rows, cols;
  T* operator[](int64_t row) const { return data + row * cols; }
};

/// A contiguous run of elements.
template <class T>
struct Run {
  T* data;
  int64_t size;
};

/// A strided window whose element type is known at compile time; for broadcasting kernels.
template <class T>
struct Strided {
  T* data;
  Shape shape;
  Strides strides;
};

template <class T>
Strided<T> strided(const View& v) {
  return {static_cast<T*>(v.data), v.shape, v.strides};
}

/// A contiguous view as a matrix whose rows are its last axis (a scalar is 1 x 1).
template <class T>
Rows<T> rows_of(const View& v) {
  const int64_t cols = v.shape.empty() ? 1 : v.shape.back();
  int64_t rows = 1;
  for (int i = 0; i + 1 < v.shape.rank(); ++i) rows *= v.shape[i];
  return {static_cast<T*>(v.data), rows, cols};
}

}  // namespace uncial
