#pragma once
/// @file captured.h
/// Work that a GPU does again and again, launched in one piece. Implemented by kernels/cuda/captured.cpp, or
/// by cuda_absent.cpp in a build without CUDA. Internal.

#include <cstdint>
#include <functional>
#include <memory>

#include "uncial/core/device.h"

namespace uncial::cuda {

/// Kernels and copies within a GPU's memory, the same at each run: all that changes is read from that memory.
/// The first run() calls `work`, which sets up libraries and shows how much memory its calls take for
/// themselves; the second writes down what it does (a CUDA graph), and from then on that is launched. Work
/// that cannot be written down is called each time, and the log says why.
class Captured {
 public:
  explicit Captured(Device device, std::function<void()> work);
  ~Captured();
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  void run();
  /// What the graph consists of; 0 while there is none.
  int64_t nodes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uncial::cuda
