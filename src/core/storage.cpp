#include "uncial/core/storage.h"

#include <algorithm>
#include <limits>

#include "device_memory.h"
#include "uncial/core/error.h"
#include "uncial/core/host_memory.h"

namespace uncial {
namespace {

std::atomic<uint64_t> allocations{0};

/// A multiple of the line, so that a vector load of the last elements stays inside.
size_t padded(int64_t bytes) { return (size_t(std::max<int64_t>(bytes, 1)) + 63) & ~size_t(63); }

}  // namespace

uint64_t allocation_count() { return allocations.load(std::memory_order_relaxed); }

Storage::Storage(int64_t bytes, Device device) : bytes_(bytes), device_(device) {
  ensure(bytes >= 0, "Storage of ", bytes, " bytes");
  if (!device.is_cpu()) {
    data_ = cuda::allocate(bytes, device.index);
    allocations.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  allocations.fetch_add(1, std::memory_order_relaxed);
  // With addresses of 32 bits (WebAssembly) a shape may be fine and its memory beyond every address.
  if (uint64_t(bytes) <= std::numeric_limits<size_t>::max() - 63) data_ = allocate_host(padded(bytes));
  if (!data_) fail(ErrorKind::device, "out of memory: asked for ", bytes, " bytes; use a smaller batch.");
}

Storage::Storage(void* data, int64_t bytes, Device device, std::shared_ptr<void> owner)
    : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {
  ensure(owner_ != nullptr, "Storage on memory without an owner");
}

Storage::~Storage() {
  if (owner_) return;
  if (device_.is_cpu())
    release_host(data_, padded(bytes_));
  else
    cuda::release(data_, bytes_, device_.index);
}

}  // namespace uncial
