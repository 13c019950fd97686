#pragma once
/// @file graph.h
/// What a thread asks of the GPU, written down and launched as a whole.

#include <cstdint>
#include <memory>

namespace uncial::cuda {

/// Implemented by graph.cpp with a CUDA graph and by the emulator with a list of functions.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// From now on this thread's kernels and copies are written down, not run. Waiting, allocating, and copies
  /// from or to the host are refused with a device Error.
  void begin();
  /// Makes it ready to be launched. Throws a device Error when something cannot be part of a graph.
  void end();
  /// Instead of end(): forgets all.
  void abandon() noexcept;
  void launch();
  int64_t nodes() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// True while this thread captures.
bool capturing();
/// Of the graph that this thread captures, if it does: see use_branch().
void capture_branch(int branch);

}  // namespace uncial::cuda
