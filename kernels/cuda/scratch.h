#pragma once
/// @file scratch.h
/// Memory that Temporary takes without asking the device: a graph needs the same addresses each time.

#include <array>
#include <cstdint>

#include "core/captured.h"

namespace uncial::cuda {

/// A piece of the device's memory that is taken and given back like a stack.
struct Scratch {
  char* base = nullptr;
  int64_t size = 0, used = 0;
  int64_t most = 0;  ///< that was ever asked for at once
};

/// One for each branch (use_branch()): what runs at the same time must not share it.
using Scratches = std::array<Scratch, kBranches>;

/// While one lives, Temporaries of this thread come from `scratches` as far as they reach. Begins in branch
/// 0.
class ScratchScope {
 public:
  explicit ScratchScope(Scratches& scratches);
  ~ScratchScope();
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Scratches* previous_;
  int branch_;
};

}  // namespace uncial::cuda
