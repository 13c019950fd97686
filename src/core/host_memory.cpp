#include "uncial/core/host_memory.h"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace uncial {
namespace {

constexpr size_t kLine = 64;  // a cache line, and the widest vector
constexpr size_t kHugePage = size_t(2) << 20;

std::align_val_t alignment_of(size_t bytes) {
  return std::align_val_t(bytes >= 2 * kHugePage ? kHugePage : kLine);
}

}  // namespace

void* allocate_host(size_t bytes) noexcept {
  void* block = ::operator new(bytes, alignment_of(bytes), std::nothrow);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Whole pages only, so that no more becomes resident than was asked for. A refusal changes nothing.
  if (block && bytes >= 2 * kHugePage)
    static_cast<void>(::madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
#endif
  return block;
}

void release_host(void* block, size_t bytes) noexcept { ::operator delete(block, alignment_of(bytes)); }

}  // namespace uncial
