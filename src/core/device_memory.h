#pragma once
/// @file device_memory.h
/// Memory of GPUs, for core: implemented by kernels/cuda/runtime.cpp, or by cuda_absent.cpp in a build
/// without CUDA. Internal.

#include <cstdint>

#include "uncial/core/device.h"

namespace uncial::cuda {

/// Throws a device Error with the bytes asked for and free. Memory is used in the order of the device's
/// stream.
void* allocate(int64_t bytes, int device);
void release(void* data, int64_t bytes, int device) noexcept;
/// At least one side is on a GPU. Waits when the other side is the host, and throws as cuda::synchronize()
/// does.
void copy(void* to, Device to_device, const void* from, Device from_device, int64_t bytes);
void zero(void* data, Device device, int64_t bytes);

}  // namespace uncial::cuda
