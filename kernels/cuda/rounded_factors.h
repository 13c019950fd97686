#pragma once
/// @file rounded_factors.h
/// Products of float32 numbers that are bfloat16 numbers: tensor cores are exact for them.

namespace uncial::cuda {

/// While one lives, products that this thread launches may run on tensor cores, which see factors of 11 bits:
/// whoever makes one knows that the factors have no more.
class RoundedFactors {
 public:
  RoundedFactors() : before_(in_effect_) { in_effect_ = true; }
  ~RoundedFactors() { in_effect_ = before_; }
  RoundedFactors(const RoundedFactors&) = delete;
  RoundedFactors& operator=(const RoundedFactors&) = delete;
  static bool in_effect() { return in_effect_; }

 private:
  inline static thread_local bool in_effect_ = false;
  bool before_;
};

}  // namespace uncial::cuda
