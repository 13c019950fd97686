#pragma once
/// @file runtime.h
/// Streams, memory and errors of the GPU, for kernels and for core (core/device_memory.h).

#include <cstdint>
#include <functional>
#include <string>

#if !defined(UNCIAL_CUDA_EMULATED)
#include <cuda_runtime_api.h>
#endif

namespace uncial::cuda {

#if !defined(UNCIAL_CUDA_EMULATED)
/// Where this thread's kernels go: the library's stream of the current device, unless a StreamScope says
/// otherwise. Work on it runs in order.
cudaStream_t current_stream();
/// From now on they go to `stream` (null: to the library's again); returns the one before, or null.
cudaStream_t exchange_stream(cudaStream_t stream);
/// Throws a device Error naming `what` unless `status` is success.
void check(cudaError_t status, const char* what);
/// Whether the code that the current device runs waits for the kernel before it (grid.h): what was made for
/// compute capability 9.0 and newer, not what the driver makes of older code.
bool code_waits();
/// Whether kernels may start while the one before them ends: code_waits(), and the driver knows of it.
bool kernels_start_early();
#else
/// Runs work of the device, or writes it down while this thread captures a graph.
void submit(std::function<void()> work);

/// While one lives, memory of the device may be touched: a kernel runs.
class KernelScope {
 public:
  KernelScope();
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;
};
#endif

/// The device that this thread works on.
int current_device();

/// What own kernels are cut for.
struct GpuLimits {
  int multiprocessors;
  int64_t shared_bytes;      ///< that a block may have
  bool multiplies_bfloat16;  ///< on tensor cores
};
/// Of the current device.
GpuLimits gpu_limits();

/// Memory for the time of a call: freed in the order of the stream, so kernels that use it may still run. Of
/// a thread's Temporaries the newest goes first.
class Temporary {
 public:
  explicit Temporary(int64_t bytes);
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
  int device_ = -1;  ///< that gave the memory; -1: a Scratch
  bool from_scratch_ = false;
};

/// What a kernel writes when data are wrong (a label or an index out of range): the host learns of it, and
/// throws, when it next waits for the device. Code 0 means all is well.
struct Fault {
  int32_t code;
  int32_t unused;
  int64_t value, place, limit;
};
enum FaultCode : int32_t { kNoFault, kLabel, kIndex, kOneHotIndex, kDivisionByZero };
/// The current device's place for it, where kernels may write.
Fault* fault_place();
/// The message of the Error that it becomes.
std::string text_of(const Fault& fault);

}  // namespace uncial::cuda
