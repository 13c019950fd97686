#pragma once
/// @file grid.h
/// How own kernels run: once for each index, or block by block. A body is one piece of code for the GPU and
/// for the emulator, which runs it on the host under the sanitizers (UNCIAL_CUDA_EMULATED).
///
/// Bodies of blocks are written as phases: `block.each_thread(f)` calls f(thread) for all threads and waits
/// for them, so shared memory that one phase wrote can be read by the next. Values of a thread that live
/// longer than a phase lie in shared memory, or as in registers.h. Sums and other reductions follow a fixed
/// tree: the same bits on every run, and in the emulator.

#include <cstdint>

#include "body.h"
#include "runtime.h"
#include "uncial/core/error.h"

#if !defined(__CUDACC__)
#include <cstring>
#include <memory>
#endif

namespace uncial::cuda {

inline constexpr int kMaxThreads = 1024;
inline constexpr int64_t kSharedWithoutAsking = 48 * 1024;

#if !defined(__CUDACC__)
/// body(i) for all i < n, in an order that threads of a GPU might take: odd ones upwards, then even ones
/// downwards. Whoever counts on a neighbour before or after its turn gets a wrong answer from some of them.
template <class Body>
void in_any_order(int64_t n, Body body) {
  for (int64_t i = 1; i < n; i += 2) body(i);
  for (int64_t i = (n - 1) / 2 * 2; i >= 0 && i < n; i -= 2) body(i);
}
#endif

/// A block of threads; `shared` is memory that they share, 16-byte aligned.
struct Block {
  int64_t index;
  int threads;
  void* shared;

  template <class T>
  UNCIAL_BODY T* memory(int64_t offset_bytes = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(shared) + offset_bytes);
  }

#if defined(__CUDACC__)
  template <class F>
  UNCIAL_BODY void each_thread([[maybe_unused]] F f) const {
#if defined(__CUDA_ARCH__)
    f(int(threadIdx.x));
    __syncthreads();
#endif
  }
  /// value(thread) of all threads combined; every thread gets the result. `none` changes nothing.
  template <class T, class Value, class Combine>
  UNCIAL_BODY T reduce(T none, [[maybe_unused]] Value value, [[maybe_unused]] Combine combine) const {
#if defined(__CUDA_ARCH__)
    __shared__ T partial[kMaxThreads / kWarp];
    const int t = int(threadIdx.x), lane = t % kWarp, warp = t / kWarp;
    T v = value(t);
    for (int o = kWarp / 2; o > 0; o /= 2) v = combine(v, from_lane(v, o));
    if (lane == 0) partial[warp] = v;
    __syncthreads();
    if (warp == 0) {
      v = lane < threads / kWarp ? partial[lane] : none;
      for (int o = kWarp / 2; o > 0; o /= 2) v = combine(v, from_lane(v, o));
      if (lane == 0) partial[0] = v;
    }
    __syncthreads();
    v = partial[0];
    __syncthreads();
    return v;
#else
    return none;
#endif
  }

 private:
#if defined(__CUDA_ARCH__)
  /// v of the lane `distance` further up, for any type of whole words.
  template <class T>
  static __device__ T from_lane(const T& v, int distance) {
    static_assert(sizeof(T) % 4 == 0);
    union Words {
      T value;
      uint32_t word[sizeof(T) / 4];
      __device__ Words() {}
    } words;
    words.value = v;
    for (uint32_t& word : words.word) word = __shfl_down_sync(~0u, word, distance);
    return words.value;
  }
#endif
#else
  template <class F>
  void each_thread(F f) const {
    in_any_order(threads, [&](int64_t t) { f(int(t)); });
  }
  template <class T, class Value, class Combine>
  T reduce(T none, Value value, Combine combine) const {
    T v[kMaxThreads], partial[kWarp];
    in_any_order(threads, [&](int64_t t) { v[t] = value(int(t)); });
    const auto of_warp = [&](T* lanes) {
      for (int o = kWarp / 2; o > 0; o /= 2)
        for (int lane = 0; lane < o; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + o]);
      return lanes[0];
    };
    for (int w = 0; w < kWarp; ++w) partial[w] = w < threads / kWarp ? of_warp(v + w * kWarp) : none;
    return of_warp(partial);
  }
#endif

 public:
  template <class T, class Value>
  UNCIAL_BODY T sum(Value value) const {
    return reduce(T(0), value, [](T a, T b) { return a + b; });
  }
};

/// Notes that data are wrong. Of many faults one is kept, whole.
UNCIAL_BODY inline void note(Fault* place, const Fault& fault) {
#if defined(__CUDA_ARCH__)
  if (atomicCAS(&place->code, int32_t(kNoFault), fault.code) != kNoFault) return;
  place->value = fault.value, place->place = fault.place, place->limit = fault.limit;
#else
  if (place->code == kNoFault) *place = fault;
#endif
}

/// A kernel may start while the one before it in the stream still runs (programmatic dependent launch). From
/// here on what that one and all before it wrote is there.
UNCIAL_BODY inline void wait_for_kernel_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Once all blocks of a kernel said so, or are over, the next one may start. Its blocks take room from those
/// of this kernel which have not begun, so this is for the end of a block, or for kernels that all fit at
/// once.
UNCIAL_BODY inline void let_next_kernel_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

/// What a body does before it reads or writes anything in memory but its own shared memory.
template <class Body>
UNCIAL_BODY void prepare(const Body& body, const Block& block) {
  if constexpr (requires { body.prepare(block); }) body.prepare(block);
}

/// use(i, load(i)) for i = t, t + threads, ... < count, in this order. kAhead loads of a thread are under way
/// before the first use, because a load takes as long as hundreds of instructions.
template <int kAhead = 8, class Index, class Load, class Use>
UNCIAL_BODY void walk_ahead(int t, int threads, Index count, Load load, Use use) {
  for (Index first = Index(t); first < count; first += kAhead * threads) {
    decltype(load(first)) values[kAhead];
    UNCIAL_UNROLL
    for (int j = 0; j < kAhead; ++j) {
      const Index i = first + j * threads;
      values[j] = load(i < count ? i : first);  // no branch between loads
    }
    UNCIAL_UNROLL
    for (int j = 0; j < kAhead; ++j)
      if (const Index i = first + j * threads; i < count) use(i, values[j]);
  }
}

/// store(i, load(i)) for all i < count, by all threads of a block.
template <int kAhead = 8, class Load, class Store>
UNCIAL_BODY void move_ahead(const Block& block, int count, Load load, Store store) {
  block.each_thread([&](int t) { walk_ahead<kAhead>(t, block.threads, count, load, store); });
}

/// Threads of a block for `work` things to do: whole warps, a power of two.
inline int threads_for(int64_t work, int most = 256) {
  int threads = kWarp;
  while (threads < most && threads < work) threads *= 2;
  return threads;
}

#if defined(__CUDACC__)

template <class Body>
__global__ void __launch_bounds__(256) each_kernel(int64_t n, const __grid_constant__ Body body) {
  wait_for_kernel_before();
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

/// Blocks that registers are dealt out for: as many as wanted, where a multiprocessor holds their threads.
constexpr int resident_blocks([[maybe_unused]] int threads, int wanted) {
#if defined(__CUDA_ARCH__)
  constexpr int kArchitecture = __CUDA_ARCH__;
  constexpr bool kLarge = kArchitecture == 800 || kArchitecture == 900 || kArchitecture / 100 == 10;
  constexpr int kHeld = kArchitecture < 800 ? 1024 : kLarge ? 2048 : 1536;
  return wanted < kHeld / threads ? wanted : kHeld / threads;
#else
  return wanted;
#endif
}

template <int kMostThreads, int kResident, class Body>
__global__ void __launch_bounds__(kMostThreads, resident_blocks(kMostThreads, kResident))
    block_kernel(int64_t count, const __grid_constant__ Body body) {
  extern __shared__ __align__(16) char shared[];
  prepare(body, Block{blockIdx.x, int(blockDim.x), shared});
  wait_for_kernel_before();
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) body(Block{i, int(blockDim.x), shared});
}

/// Behind what runs before in the stream, or from the point on at which that lets it start.
template <class Body>
void launch(void (*kernel)(int64_t, Body), int64_t blocks, int threads, int64_t shared_bytes, int64_t count,
            const Body& body, const char* what) {
  cudaLaunchAttribute early;
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(unsigned(blocks)), config.blockDim = dim3(unsigned(threads));
  config.dynamicSmemBytes = size_t(shared_bytes);
  config.stream = current_stream();
  config.attrs = &early, config.numAttrs = kernels_start_early() ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, count, body), what);
}

/// body(i) for all i < n.
template <class Body>
void each(int64_t n, Body body, const char* what) {
  if (n <= 0) return;
  constexpr int kThreads = 256;
  const int64_t blocks = (n + kThreads - 1) / kThreads, most = int64_t(1) << 20;
  launch<Body>(each_kernel<Body>, blocks < most ? blocks : most, kThreads, 0, n, body, what);
}

/// body(block) for `count` blocks of `threads` threads, at most kMostThreads, which share `shared_bytes` of
/// memory. Registers are dealt out so that a multiprocessor has room for kResident of them (0: as it comes).
template <int kMostThreads = 256, int kResident = 0, class Body>
void each_block(int64_t count, int threads, int64_t shared_bytes, Body body, const char* what) {
  if (count <= 0) return;
  ensure(threads <= kMostThreads, what, ": blocks of ", threads, " threads, made for ", kMostThreads);
  const int64_t most = int64_t(1) << 20;
  const auto kernel = block_kernel<kMostThreads, kResident, Body>;
  if (shared_bytes > kSharedWithoutAsking)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes)), what);
  launch<Body>(kernel, count < most ? count : most, threads, shared_bytes, count, body, what);
}

#else

template <class Body>
void each(int64_t n, Body body, const char*) {
  submit([=] {
    const KernelScope scope;
    in_any_order(n, body);
  });
}

template <int kMostThreads = 256, int kResident = 0, class Body>
void each_block(int64_t count, int threads, int64_t shared_bytes, Body body, const char* what) {
  ensure(threads <= kMostThreads, what, ": blocks of ", threads, " threads, made for ", kMostThreads);
  submit([=] {
    const KernelScope scope;
    // On the heap, so that the address sanitizer sees a step beyond the end.
    const std::unique_ptr<char[]> shared(new char[size_t(shared_bytes)]);
    in_any_order(count, [&](int64_t i) {
      std::memset(shared.get(), 0xff, size_t(shared_bytes));  // NaN: what nobody wrote shows
      const Block block{i, threads, shared.get()};
      prepare(body, block);
      body(block);
    });
  });
}

#endif

}  // namespace uncial::cuda
