// A GPU on the host: kernels run as loops (grid.h), and the device's memory is a piece of address space that
// only they may touch. Code of the host that looks into a tensor on the "GPU" dies of it, as it would of the
// real one; under the address sanitizer so do kernels that step beyond a tensor.

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "core/device_memory.h"
#include "graph.h"
#include "runtime.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace uncial::cuda {
namespace {

constexpr int64_t kBytes = int64_t(1) << 30, kGap = 256;

class Memory {
 public:
  Memory() {
    base_ = static_cast<char*>(
        ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base_ == MAP_FAILED) fail(ErrorKind::device, "emulated GPU: no address space for its memory.");
    ::madvise(base_, kBytes, MADV_HUGEPAGE);  // each launch opens and closes every page that was ever used
    ASAN_POISON_MEMORY_REGION(base_, kBytes);
  }

  void* allocate(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    const int64_t size = std::max<int64_t>(bytes, 1);
    int64_t at = 0;
    for (const auto& [begin, end] : blocks_) {
      if (at + size + kGap <= begin) break;
      at = (end + kGap + 255) / 256 * 256;
    }
    if (at + size + kGap > kBytes || (limit > 0 && in_use + bytes > limit))
      fail(ErrorKind::device, "out of memory on cuda:0: asked for ", bytes, " bytes, ", kBytes - in_use,
           " of ", kBytes, " are free; use a smaller batch.");
    blocks_[at] = at + size;
    in_use += bytes;
    peak = std::max(peak, in_use);
    ASAN_UNPOISON_MEMORY_REGION(base_ + at, size_t(size));
    add_user();
    std::memset(base_ + at, 0xff, size_t(size));  // NaN, and no index: what nobody wrote shows
    remove_user();
    return base_ + at;
  }
  void release(void* data, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    const int64_t at = static_cast<char*>(data) - base_;
    ASAN_POISON_MEMORY_REGION(base_ + at, size_t(blocks_[at] - at));
    blocks_.erase(at);
    in_use -= bytes;
  }
  /// Opens and closes the memory to this process; kernels of several threads may have it open.
  void open() {
    const std::lock_guard lock(mutex_);
    add_user();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    remove_user();
  }

  int64_t in_use = 0, peak = 0, limit = 0;

 private:
  void add_user() {
    if (users_++ == 0) ::mprotect(base_, kBytes, PROT_READ | PROT_WRITE);
  }
  void remove_user() {
    if (--users_ == 0) ::mprotect(base_, kBytes, PROT_NONE);
  }

  char* base_;
  int users_ = 0;
  std::map<int64_t, int64_t> blocks_;
  std::mutex mutex_;
};

Memory& memory() {
  static auto* all = new Memory;  // never destroyed: tensors of static life may end after it
  return *all;
}

thread_local Fault fault{};

void check_index(Device device) {
  if (device.index != 0) fail(ErrorKind::device, device, ": the emulator has one GPU; use cuda:0.");
}

void refuse_in_graph(const char* what) {
  if (capturing()) fail(ErrorKind::device, "cuda: ", what, " cannot be part of a graph.");
}

}  // namespace

KernelScope::KernelScope() { memory().open(); }
KernelScope::~KernelScope() { memory().close(); }

Fault* fault_place() { return &fault; }
int current_device() { return 0; }

void* allocate(int64_t bytes, int device) {
  refuse_in_graph("allocating memory");
  check_index(Device::cuda(device));
  return memory().allocate(bytes);
}
void release(void* data, int64_t bytes, int) noexcept { memory().release(data, bytes); }

/// As of an H100, but for the multiprocessors: few of them, so that blocks have several things to do.
GpuLimits gpu_limits() { return {3, 227 * 1024, true}; }

void copy(void* to, Device to_device, const void* from, Device from_device, int64_t bytes) {
  const bool with_host = to_device.is_cpu() || from_device.is_cpu();
  if (with_host) refuse_in_graph("copying from or to the host");
  if (bytes > 0)
    submit([=] {
      const KernelScope scope;
      std::memmove(to, from, size_t(bytes));
    });
  if (with_host) synchronize();
}
void zero(void* data, Device, int64_t bytes) {
  submit([=] {
    const KernelScope scope;
    std::memset(data, 0, size_t(bytes));
  });
}

bool available() { return true; }
int device_count() { return 1; }
std::string why_unavailable() { return {}; }
void synchronize(Device device) {
  refuse_in_graph("waiting for the GPU");
  check_index(device);
  if (fault.code != kNoFault) fail(ErrorKind::usage, text_of(std::exchange(fault, {})));
}
MemoryStats memory_stats(Device device) {
  check_index(device);
  Memory& m = memory();
  return {m.in_use, m.peak, m.in_use, kBytes - m.in_use, kBytes};
}
void empty_cache(Device device) { check_index(device); }
void set_memory_limit(Device device, int64_t bytes) {
  check_index(device);
  require(bytes >= 0, "set_memory_limit: needs bytes >= 0 (0: no limit), got ", bytes, ".");
  memory().limit = bytes;
}

}  // namespace uncial::cuda
