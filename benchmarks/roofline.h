#pragma once
// What this machine can do, measured: the ceilings that other figures are shares of. They move (clock, other
// guests of the host), so measure them beside what is compared with them.

#include <cstdint>
#include <string>
#include <vector>

namespace uncial::bench {

/// Instruction sets with a measured peak, widest first: "avx512", "avx2", "portable".
std::vector<std::string> peak_isas();

/// Float32 multiply-adds held in registers, in GFLOP/s (two a multiply-add) of `threads` threads together.
/// `isa` is one of peak_isas(); the portable peak multiplies and adds apart, as SSE2 has to.
double fma_peak(const std::string& isa, int threads, double seconds);

/// bfloat16 tile products with float32 accumulation, in GFLOP/s; 0 where the machine or the system has no
/// AMX.
double amx_peak(int threads, double seconds);
/// The same for dot products of pairs, AVX512_BF16.
double dot_peak(int threads, double seconds);

/// Bytes read plus bytes written a second, in GB/s of `threads` threads together, each copying `bytes / 2`
/// bytes of its own over and over.
double copy_bandwidth(int64_t bytes, int threads, double seconds);

/// A place that data may lie in while a kernel runs, and how fast it is.
struct MemoryLevel {
  std::string name;      ///< "L1", "L2", "L3", "memory"
  int64_t capacity = 0;  ///< bytes of one thread's data that fit; of the last level: the largest number
  double bandwidth = 0;  ///< GB/s of all threads together
};

struct Roofline {
  int threads = 0;
  std::string isa;
  double fma = 0, dot = 0, amx = 0;  ///< GFLOP/s
  std::vector<MemoryLevel> levels;

  /// Of the level that holds `bytes`, spread over the threads.
  double bandwidth_for(double bytes) const;
  /// The least seconds that so many FLOPs and bytes can take.
  double least_seconds(double flops, double bytes) const;
};

/// Measures everything for the instruction set that the library uses and its number of threads; each figure
/// takes `seconds`.
Roofline measure_roofline(double seconds);

}  // namespace uncial::bench
