#pragma once
/// @file tensor_impl.h
/// What a Tensor handle points to. Internal.

#include <utility>

#include "uncial/core/tensor.h"

namespace uncial {

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  DType dtype;
  Shape shape;
  Strides strides;
  int64_t offset;
  std::shared_ptr<TapeState> tape;
};

/// Where element `offset` (in elements from the view's first) of a CPU tensor lies, for the host to read.
const void* host_element(const Tensor& x, int64_t offset);
/// That element as double.
double at_offset(const Tensor& x, int64_t offset);

/// Told when this thread's host code reads or writes elements of a tensor outside any operator.
using HostAccessHook = void (*)(const Tensor& x, std::string_view how);
/// Installs a hook for this thread and returns the one before.
HostAccessHook exchange_host_access_hook(HostAccessHook hook);

}  // namespace uncial
