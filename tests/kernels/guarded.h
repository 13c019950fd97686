#pragma once
/// @file guarded.h
/// Memory whose surroundings a kernel must neither read nor write: they hold a NaN of one bit pattern, which
/// shows in any result that used it, and of which each test asks afterwards whether it is still there.

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "simd/lane_image.h"
#include "support/catch.h"

namespace guarded {

constexpr uint32_t kGuardBits = 0x7fc5a5a5u;
inline float guard() { return std::bit_cast<float>(kGuardBits); }
inline bool is_guard(float x) { return std::bit_cast<uint32_t>(x) == kGuardBits; }

/// Small integers, the same in every run: sums of products of them are exact in float.
class Integers {
 public:
  explicit Integers(uint32_t seed = 1) : state_(seed * 2654435761u + 1) {}
  float operator()(int most = 4) {
    state_ = state_ * 1664525u + 1013904223u;
    return float(int(state_ >> 16) % (2 * most + 1) - most);
  }

 private:
  uint32_t state_;
};

/// `count` floats, 64-byte aligned, all guards at first, with 64 more on either side.
class Floats {
 public:
  explicit Floats(int64_t count)
      : memory_(static_cast<float*>(std::aligned_alloc(64, size_t(count + 2 * kMargin + 15) / 16 * 64))),
        count_(count),
        total_((count + 2 * kMargin + 15) / 16 * 16) {
    for (int64_t i = 0; i < total_; ++i) memory_.get()[i] = guard();
  }
  float* data() const { return memory_.get() + kMargin; }
  int64_t size() const { return count_; }
  float& operator[](int64_t i) const { return data()[i]; }
  void fill(Integers& next) const {
    for (int64_t i = 0; i < count_; ++i) data()[i] = next();
  }
  /// Whether everything is a guard but the floats for which inside(i) holds.
  bool untouched_outside(const std::function<bool(int64_t)>& inside) const {
    for (int64_t i = -kMargin; i < total_ - kMargin; ++i)
      if (!(i >= 0 && i < count_ && inside(i)) && !is_guard(data()[i])) return false;
    return true;
  }
  bool margins_untouched() const {
    return untouched_outside([](int64_t) { return true; });
  }

 private:
  static constexpr int64_t kMargin = 64;
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> memory_;
  int64_t count_, total_;
};

/// The image of one group, with guards between and around its pixels.
class Image {
 public:
  /// `halo` columns on either side and rows above and below; none (and no gaps) for 0.
  Image(int lanes, int64_t C, int64_t H, int64_t W, int64_t halo = 0)
      : lanes_(lanes),
        row_((W + 2 * halo) * lanes),
        plane_((H + 2 * halo) * row_),
        memory_(C * plane_),
        image_{memory_.data() + halo * (row_ + lanes), C, H, W, plane_, row_} {}

  const uncial::cpu::LaneImage& view() const { return image_; }
  float& at(int64_t c, int64_t h, int64_t w, int64_t lane) const {
    return image_.data[c * plane_ + h * row_ + w * lanes_ + lane];
  }
  /// Calls body(c, h, w, lane) for all elements.
  template <class Body>
  void each(const Body& body) const {
    for (int64_t c = 0; c < image_.C; ++c)
      for (int64_t h = 0; h < image_.H; ++h)
        for (int64_t w = 0; w < image_.W; ++w)
          for (int64_t lane = 0; lane < lanes_; ++lane) body(c, h, w, lane);
  }
  void fill(Integers& next) const {
    each([&](int64_t c, int64_t h, int64_t w, int64_t lane) { at(c, h, w, lane) = next(); });
  }
  bool halo_untouched() const {
    const int64_t origin = image_.data - memory_.data();
    return memory_.untouched_outside([&](int64_t i) {
      const int64_t offset = i - origin, c = i / plane_, in_plane = offset - c * plane_;
      return in_plane >= 0 && in_plane / row_ < image_.H && in_plane % row_ < image_.W * lanes_;
    });
  }

 private:
  int64_t lanes_, row_, plane_;
  Floats memory_;
  uncial::cpu::LaneImage image_;
};

}  // namespace guarded
