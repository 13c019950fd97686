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
/// The first run calls `work`, which sets up libraries and shows how much memory its calls take for
/// themselves; the second writes down what it does (a CUDA graph), and from then on that is launched. Where
/// kMany runs are asked for at once, a second graph holds that many of them, one behind the other. Work that
/// cannot be written down is called each time, and the log says why.
class Captured {
 public:
  explicit Captured(Device device, std::function<void()> work);
  ~Captured();
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  /// Instantiating takes some 1.5 us a node (NVIDIA's figure for CUDA 12.6), so many more would cost a short
  /// training more than they save: what is left of the gap between two graphs is 1/kMany of it.
  static constexpr int64_t kMany = 16;

  void run(int64_t times = 1);
  /// What the graph of one run consists of; 0 while there is none.
  int64_t nodes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Captured work may have branches, which a graph runs side by side; called, it runs in the order of its
/// calls.
inline constexpr int kBranches = 2;
/// What this thread asks of the device from now on is part of a branch; work begins in branch 0, and must end
/// there, having waited for the last point of the others. Each has its own memory for the time of a call.
void use_branch(int branch);
/// Names what the current branch has done by now; a name given again is that of the later point.
void mark_point(int name);
/// What follows in the current branch comes after that point, of any branch.
void wait_for_point(int name);

/// Keeps the host from running far ahead of a GPU, which goes on meanwhile.
class Pace {
 public:
  explicit Pace(Device device);
  ~Pace();
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  /// A piece of work has been given to the device: waits until the piece before it is done.
  void next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uncial::cuda
