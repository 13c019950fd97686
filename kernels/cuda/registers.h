#pragma once
/// @file registers.h
/// Values of threads and warps that live from phase to phase: in registers on the GPU.

#include "warp.h"

namespace uncial::cuda {

template <class T, int kThreads>
struct PerThread {
#if defined(__CUDACC__)
  T value;
  UNCIAL_BODY T& of(int) { return value; }
#else
  T values[kThreads];
  T& of(int thread) { return values[thread]; }
#endif
};

template <class T, int kWarps>
struct PerWarp {
#if defined(__CUDACC__)
  T value;
  UNCIAL_BODY T& of(const Warp&) { return value; }
#else
  T values[kWarps];
  T& of(const Warp& warp) { return values[warp.index]; }
#endif
};

/// f(thread) for all threads, which do not wait for each other: what it does to shared memory may be seen
/// only after the next phase.
template <class F>
UNCIAL_BODY void each_thread_without_waiting([[maybe_unused]] const Block& block, [[maybe_unused]] F f) {
#if defined(__CUDA_ARCH__)
  f(int(threadIdx.x));
#elif !defined(__CUDACC__)
  block.each_thread(f);
#endif
}

/// work(warp) likewise.
template <class Work>
UNCIAL_BODY void each_warp_without_waiting([[maybe_unused]] const Block& block, [[maybe_unused]] Work work) {
#if defined(__CUDA_ARCH__)
  work(Warp{int(threadIdx.x) / kWarp});
#elif !defined(__CUDACC__)
  each_warp(block, work);
#endif
}

}  // namespace uncial::cuda
