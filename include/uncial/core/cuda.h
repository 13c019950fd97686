#pragma once
/// @file cuda.h
/// The GPUs of this machine. All of it exists in builds without CUDA, too, where there are none.

#include <cstdint>
#include <string>

#include "uncial/core/device.h"

namespace uncial::cuda {

/// True when this build has CUDA and the driver sees a GPU. Never throws; asks the driver once a process.
bool available();
int device_count();
/// One sentence's worth of why available() is false: no CUDA in the build, no driver, too old a driver, no
/// GPU. Empty when it is true.
std::string why_unavailable();

/// Waits for all work on a device. Throws a usage Error for wrong data that kernels met since the last time
/// (a label or an index out of range, an integer divided by 0); reading results on the host does the same.
/// Throws a device Error when the device is gone or a kernel failed.
void synchronize(Device device = Device::cuda());

/// Bytes.
struct MemoryStats {
  int64_t in_use = 0;           ///< by tensors
  int64_t peak = 0;             ///< the most that in_use has been
  int64_t reserved = 0;         ///< in_use, and what is kept to be used again
  int64_t free = 0, total = 0;  ///< of the device, all processes
};
/// Throws a device Error when there is no such device, as do the functions below.
MemoryStats memory_stats(Device device = Device::cuda());
/// Gives memory that is not in use back to the device.
void empty_cache(Device device = Device::cuda());
/// From now on tensors that would take more than this are a device Error; 0 (the default) is no limit.
void set_memory_limit(Device device, int64_t bytes);

}  // namespace uncial::cuda
