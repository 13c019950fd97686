#include "uncial/kernels/loss_scale.h"

#include "grid.h"
#include "uncial/core/shape.h"

namespace uncial::cuda {
namespace {

constexpr int kTensors = 64;      // of a launch: 1.5 KB of its 4 KB of arguments
constexpr int64_t kChunk = 4096;  // values of a block

/// All of a net's gradients in one launch, cut into chunks. Those who find something write the same value.
template <class T>
struct FindNotFinite {
  kernels::Values<T> tensor[kTensors];
  int64_t end[kTensors];  ///< chunks of a tensor and of those before it
  int64_t* found;
  UNCIAL_BODY void operator()(const Block& block) const {
    int i = 0;
    while (block.index >= end[i]) ++i;
    const int64_t first = (block.index - (i > 0 ? end[i - 1] : 0)) * kChunk, size = tensor[i].size,
                  last = first + kChunk < size ? first + kChunk : size;
    const T* x = tensor[i].data + first;
    block.each_thread([&](int t) {
      bool bad = false;
      walk_ahead(
          t, block.threads, int(last - first), [&](int k) { return x[k]; },
          [&](int, T v) { bad = bad || v - v != T(0); });
      if (bad) *found = 1;
    });
  }
};

}  // namespace

template <class T>
void find_not_finite(const kernels::Values<T>* table, int64_t count, int64_t* found) {
  for (int64_t next = 0; next < count;) {
    FindNotFinite<T> body{};
    body.found = found;
    int64_t chunks = 0;
    for (int used = 0; used < kTensors && next < count; ++next) {
      if (table[next].size == 0) continue;
      chunks += ceil_div(table[next].size, kChunk);
      body.tensor[used] = table[next];
      body.end[used++] = chunks;
    }
    each_block(chunks, 256, 0, body, "find_not_finite");
  }
}

template <class T>
void move_loss_scale(T* factor, T* unscale, LossScaleCounts* counts, int64_t interval) {
  each(
      1, [=] UNCIAL_BODY(int64_t) { formula::move_loss_scale(*factor, *unscale, *counts, interval); },
      "move_loss_scale");
}

template void find_not_finite<float>(const kernels::Values<float>*, int64_t, int64_t*);
template void find_not_finite<double>(const kernels::Values<double>*, int64_t, int64_t*);
template void move_loss_scale<float>(float*, float*, LossScaleCounts*, int64_t);

}  // namespace uncial::cuda
