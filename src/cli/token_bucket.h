#pragma once
/// A limit on how often something happens.

#include <algorithm>
#include <chrono>
#include <mutex>

namespace uncial::cli {

/// Holds up to `burst` tokens and gets `rate` new ones a second. For any number of threads.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;
  TokenBucket(double rate, double burst, Clock::time_point now = Clock::now())
      : rate_(rate), burst_(burst), tokens_(burst), filled_(now) {}

  /// Takes one if there is one.
  bool take(Clock::time_point now = Clock::now()) {
    const std::lock_guard lock(mutex_);
    tokens_ = std::min(burst_, tokens_ + rate_ * std::chrono::duration<double>(now - filled_).count());
    filled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  std::mutex mutex_;
  const double rate_, burst_;
  double tokens_;
  Clock::time_point filled_;
};

}  // namespace uncial::cli
