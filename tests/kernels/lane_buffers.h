#pragma once
/// Buffers for tests of kernels with the batch in the lanes: guarded on both sides, images with a halo and
/// gaps between rows and planes.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "simd/lane_image.h"

namespace uncial::test {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// `size` elements, the first 64-byte aligned, between two guards of 16 that must not change.
template <class T>
class Guarded {
 public:
  Guarded(int64_t size, T fill) : size_(size), all_(size_t(size + 2 * kGuard + kLine), T(77)) {
    std::fill(begin(), begin() + size, fill);
  }
  T* begin() { return all_.data() + first(); }
  const T* begin() const { return all_.data() + first(); }
  int64_t size() const { return size_; }
  bool guards_hold() const {
    bool hold = true;
    for (int64_t i = 1; i <= kGuard; ++i) hold &= begin()[-i] == T(77) && begin()[size_ + i - 1] == T(77);
    return hold;
  }

 private:
  static constexpr int64_t kGuard = 16, kLine = 64 / int64_t(sizeof(T));
  int64_t first() const {
    const auto address = reinterpret_cast<uintptr_t>(all_.data() + kGuard);
    return kGuard + int64_t(-address % 64 / sizeof(T));
  }
  int64_t size_;
  std::vector<T> all_;
};

/// Planes with `before` rows and columns of halo above and left, and up to `rows` x `cols` in all. One more
/// column and row around each plane belong to nobody: NaN in images that are read, `fill` in others.
class LaneBuffer {
 public:
  LaneBuffer(int64_t C, int64_t H, int64_t W, int64_t before, int64_t rows, int64_t cols, int lanes,
             float fill)
      : lanes_(lanes),
        before_(before),
        rows_(rows),
        cols_(cols),
        memory_(C * (rows + 1) * (cols + 1) * lanes, fill) {
    image_ = {nullptr, C, H, W, (rows + 1) * (cols + 1) * lanes, (cols + 1) * lanes};
    image_.data = memory_.begin() + before * (image_.row + lanes);
  }
  const cpu::LaneImage& image() const { return image_; }
  float* at(int64_t c, int64_t h, int64_t w) {
    return image_.data + c * image_.plane + h * image_.row + w * lanes_;
  }
  bool guards_hold() const { return memory_.guards_hold(); }

  /// f(element, c, h, w, kind) for all vectors, kind: 0 inside of H x W, 1 halo, 2 nobody's.
  template <class F>
  void visit(F f) {
    for (int64_t c = 0; c < image_.C; ++c)
      for (int64_t h = -before_; h < rows_ + 1 - before_; ++h)
        for (int64_t w = -before_; w < cols_ + 1 - before_; ++w) {
          const bool inside = h >= 0 && h < image_.H && w >= 0 && w < image_.W;
          const bool halo = h < rows_ - before_ && w < cols_ - before_;
          f(at(c, h, w), c, h, w, inside ? 0 : halo ? 1 : 2);
        }
  }

 private:
  int lanes_;
  int64_t before_, rows_, cols_;
  Guarded<float> memory_;
  cpu::LaneImage image_;
};

/// A dense (A, H, W, lanes) array of doubles.
struct Dense {
  int64_t C = 0, H = 0, W = 0, lanes = 0;
  std::vector<double> v;
  Dense(int64_t c, int64_t h, int64_t w, int64_t l) : C(c), H(h), W(w), lanes(l), v(size_t(c * h * w * l)) {}
  double* at(int64_t c, int64_t h, int64_t w) { return &v[size_t(((c * H + h) * W + w) * lanes)]; }
  const double* at(int64_t c, int64_t h, int64_t w) const {
    return &v[size_t(((c * H + h) * W + w) * lanes)];
  }
};

}  // namespace uncial::test
