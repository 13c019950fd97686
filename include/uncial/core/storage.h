#pragma once
/// @file storage.h
/// Shared bytes behind tensors and their views.

#include <atomic>
#include <cstdint>
#include <memory>

#include "uncial/core/device.h"

namespace uncial {

/// A block of memory on a device, 64-byte aligned, with a counter of in-place changes: that counter is how
/// backward() notices that a tensor it saved was overwritten.
class Storage {
 public:
  /// Allocates without initialising. Throws Error(device) with the bytes asked for when there are none.
  Storage(int64_t bytes, Device device);
  /// Wraps memory of the host; `owner` is kept alive as long as this storage.
  Storage(void* data, int64_t bytes, Device device, std::shared_ptr<void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }
  /// Changes whenever the content may have: with version(), and when start values are written, which count as no
  /// change to autograd. Tells copies made of the content whether they are still right.
  uint64_t generation() const { return version() + touches_.load(std::memory_order_relaxed); }
  void touch() { touches_.fetch_add(1, std::memory_order_relaxed); }
  /// True once host code got a pointer to the bytes (Tensor::data()): it may write without changing the version.
  bool handed_out() const { return handed_out_.load(std::memory_order_relaxed); }
  void hand_out() { handed_out_.store(true, std::memory_order_relaxed); }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  Device device_;
  std::atomic<uint64_t> version_{0}, touches_{0};
  std::atomic<bool> handed_out_{false};
  std::shared_ptr<void> owner_;
};

/// Number of blocks allocated so far by this process; a test holds recorded programs to allocate none.
uint64_t allocation_count();

}  // namespace uncial
