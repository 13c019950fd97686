#pragma once
/// @file kernel.h
/// How a kernel is declared: once, for both backends, bound when the program is linked.

#include "uncial/config.h"
#include "uncial/core/view.h"

/// Declares a kernel template for both backends and its dispatcher kernels::name<T>(device, args...).
/// `T` in the parameters is the element type. A backend that lacks it is a link error naming it.
/// `grep UNCIAL_KERNEL` is the catalogue of kernels.
#define UNCIAL_KERNEL(name, parameters)                                           \
  namespace uncial::cpu {                                                         \
  template <class T>                                                              \
  void name parameters;                                                           \
  }                                                                               \
  namespace uncial::cuda {                                                        \
  template <class T>                                                              \
  void name parameters;                                                           \
  }                                                                               \
  namespace uncial::kernels {                                                     \
  template <class T, class... Arguments>                                          \
  void name(Device device, Arguments... arguments) {                              \
    if (device.is_cpu()) return cpu::name<T>(arguments...);                       \
    if constexpr (kCudaBuild)                                                     \
      cuda::name<T>(arguments...);                                                \
    else                                                                          \
      fail(ErrorKind::device, #name                                               \
           ": the input is on the GPU, but this build is CPU-only. Rebuild with " \
           "`cmake --preset cuda`, or move it with x.to(Device::cpu()).");        \
  }                                                                               \
  }
