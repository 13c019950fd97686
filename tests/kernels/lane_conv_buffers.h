#pragma once
/// @file lane_conv_buffers.h
/// Buffers for tests of kernels with the batch in the lanes. What a kernel may not touch is filled with one
/// kind of NaN: what it reads by mistake spoils a result, what it writes by mistake is found.

#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "simd/lane_image.h"

namespace uncial::test {

inline constexpr uint32_t kGuardBits = 0x7fc12345;

/// Floats with a 64-byte aligned start and guards on both sides.
class GuardedFloats {
 public:
  explicit GuardedFloats(int64_t count)
      : count_(count), data_(static_cast<float*>(::operator new(bytes(), std::align_val_t(64)))) {
    for (int64_t i = 0; i < count_ + 2 * kGuard; ++i) data_.get()[i] = std::bit_cast<float>(kGuardBits);
  }
  float* data() { return data_.get() + kGuard; }
  const float* data() const { return data_.get() + kGuard; }
  int64_t size() const { return count_; }
  void fill(float value) {
    for (int64_t i = 0; i < count_; ++i) data()[i] = value;
  }
  static bool is_guard(float value) { return std::bit_cast<uint32_t>(value) == kGuardBits; }
  /// Elements, guards included, that no longer hold the guard value.
  int64_t touched() const {
    int64_t n = 0;
    for (int64_t i = 0; i < count_ + 2 * kGuard; ++i) n += !is_guard(data_.get()[i]);
    return n;
  }

 private:
  static constexpr int64_t kGuard = 64;
  struct Free {
    void operator()(float* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  size_t bytes() const { return size_t(count_ + 2 * kGuard) * sizeof(float); }
  int64_t count_;
  std::unique_ptr<float, Free> data_;
};

/// An image with a zero halo on every side, and guards between its rows and planes unless `gap` is 0. Without
/// `zeros` the halo is a guard too: for images that a kernel writes.
class GuardedImage {
 public:
  GuardedImage(int64_t lanes, int64_t C, int64_t H, int64_t W, int64_t halo, bool zeros = true,
               int64_t gap = 1)
      : lanes_(lanes), floats_(C * (H + 2 * halo) * (W + 2 * halo + gap) * lanes) {
    image_.C = C, image_.H = H, image_.W = W;
    image_.row = (W + 2 * halo + gap) * lanes, image_.plane = (H + 2 * halo) * image_.row;
    image_.data = floats_.data() + halo * (image_.row + lanes);
    if (!zeros) return;
    for (int64_t c = 0; c < C; ++c)
      for (int64_t h = -halo; h < H + halo; ++h)
        for (int64_t i = -halo * lanes; i < (W + halo) * lanes; ++i)
          image_.data[c * image_.plane + h * image_.row + i] = 0;
  }
  const cpu::LaneImage& image() const { return image_; }
  float& at(int64_t c, int64_t h, int64_t w, int64_t lane) {
    return image_.data[c * image_.plane + h * image_.row + w * lanes_ + lane];
  }
  /// 0 outside the image.
  float value(int64_t c, int64_t h, int64_t w, int64_t lane) const {
    if (h < 0 || h >= image_.H || w < 0 || w >= image_.W) return 0;
    return image_.data[c * image_.plane + h * image_.row + w * lanes_ + lane];
  }
  template <class Next>
  void fill(Next next) {
    for (int64_t c = 0; c < image_.C; ++c)
      for (int64_t h = 0; h < image_.H; ++h)
        for (int64_t i = 0; i < image_.W * lanes_; ++i) at(c, h, 0, i) = next();
  }
  int64_t elements() const { return image_.C * image_.H * image_.W * lanes_; }
  const GuardedFloats& floats() const { return floats_; }

 private:
  int64_t lanes_;
  GuardedFloats floats_;
  cpu::LaneImage image_;
};

}  // namespace uncial::test
