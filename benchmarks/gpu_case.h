#pragma once
// An operator on a GPU at one size, and everybody who can compute it there. Answers are held to the
// operator's on the CPU, at a small size, before a time counts.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::bench {

/// An implementation with its operands on a device.
struct GpuContestant {
  /// Runs it so many times, one after the other; does not wait for the end.
  std::function<void(int64_t times)> run;
  /// What run() computed, row-major.
  std::function<std::vector<float>()> result;
};

struct GpuEntry {
  std::string name;
  std::function<GpuContestant(Device device, int64_t n)> make;
};

struct GpuCase {
  std::string name;              ///< "softmax/10"
  int64_t small = 0, large = 0;  ///< n for the check and for the clock
  double bytes = 0,
         flops = 0;         ///< for each of n: operands read once, results written once; a multiply-add is 2
  double samples = 0;       ///< images for each of n
  double tolerance = 1e-5;  ///< largest difference allowed, as a share of the answer's largest value
  bool on_tensor_cores = false;        ///< what the arithmetic's ceiling is
  std::vector<GpuEntry> entries = {};  ///< the first is ours, and answers on the CPU, too
};

/// Registers one benchmark for each entry, "case/entry". `small`: the clock's runs have the check's size.
void add_gpu_case(GpuCase gpu_case, Device device, bool small);

/// What `device` can do, measured at the first call.
struct GpuCeiling {
  double copy = 0;                   ///< bytes a second, read and written, of 512 MiB
  double float32 = 0, bfloat16 = 0;  ///< FLOP a second of large matrix products; 0: not measured
  double call = 0;                   ///< seconds of an operator on one element, one after the other
};
const GpuCeiling& gpu_ceiling(Device device, bool small);

/// A contestant around a function, recorded as a program; its answer is all that it returns, one behind the
/// other.
GpuContestant recorded_on_gpu(std::function<Tensors(const Tensors&)> function, Tensors inputs);

// ---- What is registered, a file a family
void add_gpu_cases(Device device, bool small);

}  // namespace uncial::bench
