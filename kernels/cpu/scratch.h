#pragma once
/// @file scratch.h
/// Memory that a kernel needs while it runs. Kept by its thread between calls, so that a training step
/// allocates nothing after the first.

#include <cstdint>

#include "uncial/core/host_memory.h"
#include "uncial/core/shape.h"

namespace uncial::cpu {

/// What a block is for; two blocks that are alive at once in one thread need different slots.
enum class ScratchSlot { left, right, tile, columns, slots, group, group_workspace, count };

/// At least `count` elements, 64-byte aligned, content undefined, valid until the thread asks for the slot
/// again.
template <class T>
T* scratch(ScratchSlot slot, int64_t count) {
  struct Block {
    void* data = nullptr;
    int64_t bytes = 0;
    ~Block() { release_host(data, size_t(bytes)); }
  };
  thread_local Block blocks[int(ScratchSlot::count)];
  Block& block = blocks[int(slot)];
  const int64_t bytes = ceil_div(count * int64_t(sizeof(T)), 64) * 64;
  if (bytes > block.bytes) {
    release_host(block.data, size_t(block.bytes));
    block = {nullptr, 0};
    block.data = allocate_host(size_t(bytes));
    if (!block.data)
      fail(ErrorKind::device, "out of memory: asked for ", bytes, " bytes; use a smaller batch.");
    block.bytes = bytes;
  }
  return static_cast<T*>(block.data);
}

}  // namespace uncial::cpu
