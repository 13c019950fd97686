#pragma once
/// @file host_memory.h
/// Memory of the host behind tensors and kernels' scratch.

#include <cstddef>

namespace uncial {

/// At least `bytes` bytes, content undefined, for release_host(); null when there are none. On a cache line's
/// boundary; blocks of 4 MiB and more on one of 2 MiB, and Linux is asked to back them by huge pages: layers
/// walk over many planes at once, each in pages of its own (a training step of larger nets
/// took 0.95 to 1.03 of the time, docs/performance.md).
void* allocate_host(size_t bytes) noexcept;
/// `bytes` as asked for. Null is fine.
void release_host(void* block, size_t bytes) noexcept;

}  // namespace uncial
