#pragma once
// A kernel at one shape, and everybody who can compute it. Each contestant's answer is held to the first
// one's before its time counts; a wrong one is reported as an error in the place of a time.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::bench {

/// An implementation with its data, ready to run as often as wanted.
struct Contestant {
  std::function<void()> run;
  /// What the first run() computed, row-major. Asked for once.
  std::function<std::vector<float>()> result;
};

struct Entry {
  std::string name;
  std::function<Contestant()> make;
};

struct KernelCase {
  std::string name;      ///< "conv2d_forward/3x3_64_64_56"
  double flops = 0;      ///< what the mathematics needs: a multiply-add counts 2
  double bytes = 0;      ///< operands read once and results written once
  double tolerance = 0;  ///< largest difference allowed, as a share of the reference's largest value
  double samples = 0;    ///< images a run
  std::vector<Entry> entries = {};  ///< the first is the reference
};

/// Registers one benchmark for each entry, "case/entry".
void add_case(KernelCase kernel_case);

/// A contestant around a function that returns tensors, recorded as a program. `inputs` are handed to it.
Contestant recorded(std::function<Tensors(const Tensors&)> function, Tensors inputs);
/// A contestant whose answer lies in `y` after `run`.
Contestant writing(Tensor y, std::function<void()> run);

/// Elements of a float tensor.
std::vector<float> values_of(const Tensor& x);

// ---- What add_case() is called for, a file a family -----------------------------------------------------
void add_conv_cases();
void add_dense_cases();
void add_pool_cases();
void add_norm_cases();
void add_pointwise_cases();
void add_loss_cases();
void add_reduce_cases();
void add_augment_cases();

}  // namespace uncial::bench
