#include "uncial/kernels/loss_scale.h"

#include <atomic>
#include <bit>
#include <limits>
#include <type_traits>

#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;  // values

/// Without a branch within the loop, so that the compiler takes vectors.
template <class T>
bool all_finite(const T* x, int64_t size) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr Bits kExponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits bad = 0;
  for (int64_t i = 0; i < size; ++i) bad |= Bits((std::bit_cast<Bits>(x[i]) & kExponent) == kExponent);
  return bad == 0;
}

}  // namespace

template <class T>
void find_not_finite(const kernels::Values<T>* table, int64_t count, int64_t* found) {
  std::atomic<bool> bad = false;
  for (const auto* v = table; v != table + count; ++v)
    parallel_blocks(v->size, kGrain, [&](int64_t begin, int64_t end) {
      if (!all_finite(v->data + begin, end - begin)) bad.store(true, std::memory_order_relaxed);
    });
  if (bad) *found = 1;
}

template <class T>
void move_loss_scale(T* factor, T* unscale, LossScaleCounts* counts, int64_t interval) {
  formula::move_loss_scale(*factor, *unscale, *counts, interval);
}

template void find_not_finite<float>(const kernels::Values<float>*, int64_t, int64_t*);
template void find_not_finite<double>(const kernels::Values<double>*, int64_t, int64_t*);
template void move_loss_scale<float>(float*, float*, LossScaleCounts*, int64_t);

}  // namespace uncial::cpu
