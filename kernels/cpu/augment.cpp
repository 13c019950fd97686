#include "uncial/kernels/augment.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "simd/resample.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

using kernels::AugmentStream;
using kernels::Images;
using kernels::SourcePoint;

constexpr int64_t kGrainValues = 1 << 14;  // of work for one task: some 20 images of 28 x 28

/// Calls body(first, last) for blocks of samples, in parallel.
template <class T>
void for_samples(Images<T> images, const std::function<void(int64_t, int64_t)>& body) {
  parallel_blocks(images.N, std::max<int64_t>(1, kGrainValues / std::max<int64_t>(1, images.sample_size())),
                  body);
}

/// Source points of all pixels of an image, and a copy of one plane with a rim of `fill`: one row above, two
/// below, one column left, two right. Any point then has its four neighbours in memory, and the inner loop
/// needs no bounds.
class Resampler {
 public:
  Resampler(int64_t H, int64_t W, float fill)
      : H_(H),
        W_(W),
        stride_(W + 3),
        plane_(size_t((H + 3) * stride_), fill),
        corner_(size_t(H * W + kResampleSlack)),
        right_(corner_),
        below_(corner_) {}

  void place(const kernels::AffineMap& m) {
    resample_simd().affine_places({m.x0, m.xx, m.xy, m.y0, m.yx, m.yy}, H_, W_, stride_, places(0));
  }
  void place(int64_t pixel, SourcePoint p) {
    constexpr int32_t kFraction = (1 << kernels::kPointBits) - 1;
    const SourcePlaces at = places(pixel);
    *at.corner = int32_t(((p.y >> kernels::kPointBits) + 1) * stride_ + (p.x >> kernels::kPointBits) + 1);
    *at.right = p.x & kFraction, *at.below = p.y & kFraction;
  }

  /// Every plane of sample n at these points.
  void resample(Images<float> images, int64_t n) {
    for (int64_t c = 0; c < images.C; ++c) {
      float* plane = images.plane(n, c);
      for (int64_t y = 0; y < H_; ++y) std::copy_n(plane + y * W_, W_, plane_.data() + (y + 1) * stride_ + 1);
      resample_simd().sample(plane_.data(), stride_, places(0), H_ * W_, plane);
    }
  }

 private:
  SourcePlaces places(int64_t from) {
    return {corner_.data() + from, right_.data() + from, below_.data() + from};
  }

  int64_t H_, W_, stride_;
  std::vector<float> plane_;
  std::vector<int32_t> corner_, right_, below_;
};

/// The smoothed random field of one sample, and the memory to make the next.
class SmoothedField {
 public:
  SmoothedField(int64_t H, int64_t W, kernels::ElasticField field)
      : H_(H), W_(W), field_(field), x_(size_t(H * W)), y_(x_), scratch_(size_t(H * W)) {}

  /// Tells `to` where the pixels of a sample come from.
  void place(const AugmentStream& stream, int64_t index, Resampler& to) {
    draw(stream, index);
    int32_t largest = 0;
    for (size_t i = 0; i < x_.size(); ++i) largest = std::max({largest, std::abs(x_[i]), std::abs(y_[i])});
    const int64_t scale = kernels::elastic_scale(field_.amplitude, largest);
    for (int64_t y = 0, i = 0; y < H_; ++y)
      for (int64_t x = 0; x < W_; ++x, ++i)
        to.place(i, kernels::elastic_source(x, y, x_[size_t(i)], y_[size_t(i)], scale, H_, W_));
  }

 private:
  void draw(const AugmentStream& stream, int64_t index) {
    const int64_t size = H_ * W_;
    for (int64_t i = 0; i < size; i += 4) {
      const auto words = stream.block(index, uint32_t(i / 4));
      for (int64_t j = i; j < std::min(i + 4, size); ++j) {
        const auto [dx, dy] = kernels::elastic_noise(words[size_t(j - i)]);
        x_[size_t(j)] = dx, y_[size_t(j)] = dy;
      }
    }
    smooth(x_);
    smooth(y_);
  }

  /// Both passes add shifted, weighted rows, so that the innermost loop runs along memory. Outside counts as
  /// zero.
  void smooth(std::vector<int32_t>& values) {
    const int64_t r = field_.radius;
    std::fill(scratch_.begin(), scratch_.end(), 0);
    for (int64_t y = 0; y < H_; ++y)
      for (int64_t k = -std::min(r, W_ - 1); k <= std::min(r, W_ - 1); ++k) {
        const int64_t row = y * W_, begin = std::max<int64_t>(0, -k), end = std::min(W_, W_ - k);
        add_row(&values[size_t(row + begin + k)], &scratch_[size_t(row + begin)], end - begin,
                field_.weights[k + r]);
      }
    for (int32_t& v : scratch_) v >>= kernels::kSmoothShift;
    std::fill(values.begin(), values.end(), 0);
    for (int64_t y = 0; y < H_; ++y)
      for (int64_t k = -std::min(r, y); k <= std::min(r, H_ - 1 - y); ++k)
        add_row(&scratch_[size_t((y + k) * W_)], &values[size_t(y * W_)], W_, field_.weights[k + r]);
    for (int32_t& v : values) v >>= kernels::kSmoothShift;
  }

  static void add_row(const int32_t* from, int32_t* to, int64_t size, int32_t weight) {
    for (int64_t i = 0; i < size; ++i) to[i] += weight * from[i];
  }

  int64_t H_, W_;
  kernels::ElasticField field_;
  std::vector<int32_t> x_, y_, scratch_;
};

}  // namespace

template <class T>
void affine_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                   kernels::AffineRanges ranges, T fill) {
  for_samples(images, [=](int64_t first, int64_t last) {
    Resampler resampler(images.H, images.W, fill);
    for (int64_t n = first; n < last; ++n) {
      const auto a = stream.block(indices[n], 0), b = stream.block(indices[n], 1);
      resampler.place(kernels::affine_map(ranges, {a[0], a[1], a[2], a[3], b[0]}, images.H, images.W));
      resampler.resample(images, n);
    }
  });
}

template <class T>
void elastic_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                    kernels::ElasticField field) {
  for_samples(images, [=](int64_t first, int64_t last) {
    Resampler resampler(images.H, images.W, T(0));
    SmoothedField smoothed(images.H, images.W, field);
    for (int64_t n = first; n < last; ++n) {
      smoothed.place(stream, indices[n], resampler);
      resampler.resample(images, n);
    }
  });
}

template <class T>
void normalise_images(Images<T> images, T mean, T deviation) {
  for_samples(images, [=](int64_t first, int64_t last) {
    T* const end = images.plane(last, 0);
    for (T* x = images.plane(first, 0); x != end; ++x) *x = (*x - mean) / deviation;
  });
}

template <class T>
void noise_images(Images<T> images, const int64_t* indices, AugmentStream stream, double deviation) {
  for_samples(images, [=](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      T* const x = images.plane(n, 0);
      const int64_t size = images.sample_size();
      for (int64_t i = 0; i < size; i += 4) {
        const auto w = stream.block(indices[n], uint32_t(i / 4));
        const auto [a, b] = kernels::normal_pair(w[0], w[1]);
        const auto [c, d] = kernels::normal_pair(w[2], w[3]);
        const double noise[] = {a, b, c, d};
        // T(...) rounds before the sum: an FMA of the product would give other bits than a CPU without it
        for (int64_t j = i; j < std::min(i + 4, size); ++j) x[j] += T(noise[j - i] * deviation);
      }
    }
  });
}

template <class T>
void erase_images(Images<T> images, const int64_t* indices, AugmentStream stream, kernels::EraseRanges ranges,
                  T value) {
  for (int64_t n = 0; n < images.N; ++n) {  // touches too little memory to be worth threads
    const auto box = kernels::erase_box(ranges, stream.block(indices[n], 0), stream.block(indices[n], 1),
                                        images.H, images.W);
    for (int64_t c = 0; c < images.C; ++c)
      for (int64_t y = box.top; y < box.top + box.height; ++y)
        std::fill_n(images.plane(n, c) + y * images.W + box.left, box.width, value);
  }
}

template void affine_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::AffineRanges,
                                   float);
template void elastic_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::ElasticField);
template void normalise_images<float>(Images<float>, float, float);
template void noise_images<float>(Images<float>, const int64_t*, AugmentStream, double);
template void erase_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::EraseRanges, float);

}  // namespace uncial::cpu
