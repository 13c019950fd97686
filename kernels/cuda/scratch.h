#pragma once
/// @file scratch.h
/// Memory that Temporary takes without asking the device: a graph needs the same addresses each time.

#include <cstdint>

namespace uncial::cuda {

/// A piece of the device's memory that is taken and given back like a stack.
struct Scratch {
  char* base = nullptr;
  int64_t size = 0, used = 0;
  int64_t most = 0;  ///< that was ever asked for at once
};

/// While one lives, Temporaries of this thread come from `scratch` as far as it reaches.
class ScratchScope {
 public:
  explicit ScratchScope(Scratch* scratch);
  ~ScratchScope();
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Scratch* previous_;
};

}  // namespace uncial::cuda
