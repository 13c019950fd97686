#include "runtime.h"

#include <cuda_runtime.h>  // the forms of cudaMalloc for any type

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/device_memory.h"
#include "graph.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"

namespace uncial::cuda {
namespace {

constexpr int kMaxDevices = 64;

std::string text_of(cudaError_t status) {
  return join(cudaGetErrorName(status), " (", cudaGetErrorString(status), ")");
}

/// What the driver says about devices, asked once.
struct Devices {
  int count = 0;
  std::string reason;  ///< why there is none

  Devices() {
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return;
    cudaGetLastError();  // a failure would be reported again by the next call
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const auto version = [](int v) { return join(v / 1000, '.', v % 1000 / 10); };
    if (driver == 0)
      reason = "there is no NVIDIA driver";
    else if (status == cudaErrorInsufficientDriver || driver < runtime)
      reason = join("the NVIDIA driver is for CUDA ", version(driver), ", and this build needs ",
                    version(runtime), "; install a newer driver");
    else if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
      reason = "the NVIDIA driver sees no GPU (in a container: was it started with --gpus all?)";
    else
      reason = text_of(status);
    count = 0;
  }
};

/// Captured graphs keep what a launch says about starting early since CUDA 12.3.
bool graphs_start_early() {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  return CUDART_VERSION >= 12030 && driver >= 12030;
}

const Devices& devices() {
  static const Devices& all = *new Devices;  // for good: tensors may outlive what is destroyed at exit
  return all;
}

/// One device's stream, memory pool and place for faults, made at its first use.
struct DeviceState {
  int index;
  cudaStream_t stream = nullptr;
  cudaMemPool_t pool = nullptr;
  Fault* fault = nullptr;       ///< in memory of the device
  Fault* fault_host = nullptr;  ///< pinned
  bool starts_early = false;    ///< see kernels_start_early()
  std::atomic<int64_t> cap{0};  ///< bytes; 0: none
  std::atomic<int64_t> in_use{0}, peak{0};

  explicit DeviceState(int device) : index(device) {
    check(cudaSetDevice(index), "choosing the GPU");
    refuse_unknown_architecture();
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
    check(cudaDeviceGetDefaultMemPool(&pool, index), "asking for the memory pool");
    uint64_t keep = ~uint64_t(0);  // freed memory stays with the process until empty_cache()
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "setting the memory pool");
    check(cudaMalloc(reinterpret_cast<void**>(&fault), sizeof(Fault)), "allocating");
    check(cudaMemset(fault, 0, sizeof(Fault)), "clearing");
    check(cudaMallocHost(reinterpret_cast<void**>(&fault_host), sizeof(Fault)), "allocating pinned memory");
    starts_early = graphs_start_early() && code_waits();
  }

  /// A kernel of ours is there for this GPU, or the driver can make it.
  void refuse_unknown_architecture() const;
};

DeviceState& state(int index) {
  static std::array<DeviceState*, kMaxDevices> all;  // never destroyed, as tensors may be released at exit
  static std::array<std::once_flag, kMaxDevices> made;
  if (devices().count == 0) fail(ErrorKind::device, "cuda: ", devices().reason, "; use Device::cpu().");
  if (index < 0 || index >= devices().count)
    fail(ErrorKind::device, "cuda:", index, ": this machine has ", devices().count, " GPU",
         devices().count == 1 ? "" : "s", "; use cuda:0", devices().count > 1 ? " and following." : ".");
  std::call_once(made[size_t(index)], [&] { all[size_t(index)] = new DeviceState(index); });
  return *all[size_t(index)];
}

/// The device that this thread works on.
DeviceState& current() {
  int index = 0;
  check(cudaGetDevice(&index), "asking for the GPU");
  return state(index);
}

thread_local cudaStream_t stream_of_thread = nullptr;

/// Makes a device current for a while.
class Current {
 public:
  explicit Current(const DeviceState& wanted) {
    check(cudaGetDevice(&before_), "asking for the GPU");
    if (before_ != wanted.index) check(cudaSetDevice(wanted.index), "choosing the GPU");
  }
  ~Current() { cudaSetDevice(before_); }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  int before_ = 0;
};

void note(DeviceState& d, int64_t bytes) {
  const int64_t now = d.in_use.fetch_add(bytes) + bytes;
  int64_t peak = d.peak.load();
  while (now > peak && !d.peak.compare_exchange_weak(peak, now)) {
  }
}

[[noreturn]] void out_of_memory(const DeviceState& d, int64_t bytes) {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  fail(ErrorKind::device, "out of memory on cuda:", d.index, ": asked for ", bytes, " bytes, ", free, " of ",
       total, " are free, ", d.in_use.load(), " in use by uncial",
       d.cap.load() > 0 ? join(" (limit ", d.cap.load(), ")") : std::string(), "; use a smaller batch.");
}

void refuse_in_graph(const char* what) {
  if (capturing()) fail(ErrorKind::device, "cuda: ", what, " cannot be part of a graph.");
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();
  fail(ErrorKind::device, "cuda: ", what, ": ", text_of(status), ".");
}

int current_device() { return current().index; }
cudaStream_t exchange_stream(cudaStream_t stream) { return std::exchange(stream_of_thread, stream); }
cudaStream_t current_stream() { return stream_of_thread ? stream_of_thread : current().stream; }

Fault* fault_place() { return current().fault; }
bool kernels_start_early() { return current().starts_early; }

void DeviceState::refuse_unknown_architecture() const {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "asking for the GPU's properties");
  const int architecture = properties.major * 10 + properties.minor;
  if (architecture < UNCIAL_CUDA_OLDEST)
    fail(ErrorKind::device, "cuda:", index, ": ", properties.name, " has compute capability ",
         properties.major, '.', properties.minor, "; this build is for ", UNCIAL_CUDA_OLDEST / 10, '.',
         UNCIAL_CUDA_OLDEST % 10,
         " and newer. Add it to -DCMAKE_CUDA_ARCHITECTURES and rebuild, or use Device::cpu().");
}

GpuLimits gpu_limits() {
  const int device = current().index;
  const auto ask = [&](cudaDeviceAttr what) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, what, device), "asking for the GPU's properties");
    return value;
  };
  return {ask(cudaDevAttrMultiProcessorCount), ask(cudaDevAttrMaxSharedMemoryPerBlockOptin),
          ask(cudaDevAttrComputeCapabilityMajor) >= 8};
}

// ---- Memory

void* allocate(int64_t bytes, int device) {
  refuse_in_graph("allocating memory");
  DeviceState& d = state(device);
  const Current current(d);
  const int64_t cap = d.cap.load();
  if (cap > 0 && d.in_use.load() + bytes > cap) out_of_memory(d, bytes);
  void* data = nullptr;
  cudaError_t status = cudaMallocAsync(&data, size_t(bytes > 0 ? bytes : 1), current_stream());
  if (status == cudaErrorMemoryAllocation) {  // other sizes may hold what is free
    cudaGetLastError();
    check(cudaStreamSynchronize(current_stream()), "waiting for the GPU");
    check(cudaMemPoolTrimTo(d.pool, 0), "giving memory back");
    status = cudaMallocAsync(&data, size_t(bytes), current_stream());
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      out_of_memory(d, bytes);
    }
  }
  check(status, "allocating");
  note(d, bytes);
  return data;
}

void release(void* data, int64_t bytes, int device) noexcept {
  try {
    DeviceState& d = state(device);
    const Current current(d);
    d.in_use.fetch_sub(bytes);
    cudaFreeAsync(data, current_stream());
  } catch (const Error&) {  // the driver is gone, and the memory with it
  }
}

void copy(void* to, Device to_device, const void* from, Device from_device, int64_t bytes) {
  if (bytes == 0) return;
  const bool with_host = to_device.is_cpu() || from_device.is_cpu();
  if (with_host) refuse_in_graph("copying from or to the host");
  const DeviceState& d = state(to_device.is_cpu() ? from_device.index : to_device.index);
  const Current current(d);
  check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDefault, current_stream()), "copying");
  // The host may change or read its side at once.
  if (with_host) synchronize(Device::cuda(d.index));
}

void zero(void* data, Device device, int64_t bytes) {
  if (bytes == 0) return;
  const Current current(state(device.index));
  check(cudaMemsetAsync(data, 0, size_t(bytes), current_stream()), "clearing");
}

// ---- What a user may ask (core/cuda.h)

bool available() { return devices().count > 0; }
int device_count() { return devices().count; }
std::string why_unavailable() { return devices().reason; }

void synchronize(Device device) {
  refuse_in_graph("waiting for the GPU");
  DeviceState& d = state(device.index);
  const Current current(d);
  check(cudaMemcpyAsync(d.fault_host, d.fault, sizeof(Fault), cudaMemcpyDeviceToHost, current_stream()),
        "asking for faults");
  check(cudaStreamSynchronize(current_stream()), "waiting for the GPU");
  if (d.fault_host->code == kNoFault) return;
  const Fault fault = *d.fault_host;
  check(cudaMemsetAsync(d.fault, 0, sizeof(Fault), current_stream()), "clearing");
  fail(ErrorKind::usage, text_of(fault));
}

MemoryStats memory_stats(Device device) {
  DeviceState& d = state(device.index);
  const Current current(d);
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for memory");
  uint64_t reserved = 0;
  check(cudaMemPoolGetAttribute(d.pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "asking for memory");
  return {d.in_use.load(), d.peak.load(), int64_t(reserved), int64_t(free), int64_t(total)};
}

void empty_cache(Device device) {
  DeviceState& d = state(device.index);
  const Current current(d);
  check(cudaStreamSynchronize(current_stream()), "waiting for the GPU");
  check(cudaMemPoolTrimTo(d.pool, 0), "giving memory back");
}

void set_memory_limit(Device device, int64_t bytes) {
  require(bytes >= 0, "set_memory_limit: needs bytes >= 0 (0: no limit), got ", bytes, ".");
  state(device.index).cap = bytes;
}

}  // namespace uncial::cuda
