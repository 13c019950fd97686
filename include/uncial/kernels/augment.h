#pragma once
/// @file augment.h
/// Random changes of a batch of images, in place. Sample n depends on nothing but the stream, indices[n] and
/// its own pixels. The formulas, shared by both backends, are in affine_formula.h, augment_formula.h and
/// fixed_math.h.

#include "uncial/core/random.h"
#include "uncial/kernels/augment_formula.h"
#include "uncial/kernels/kernel.h"

namespace uncial::kernels {

/// N contiguous images of C planes, H by W pixels each.
template <class T>
struct Images {
  T* data;
  int64_t N, C, H, W;
  constexpr int64_t sample_size() const { return C * H * W; }
  constexpr T* plane(int64_t n, int64_t c) const { return data + (n * C + c) * H * W; }
};

/// The random words of one use of one augmentation in one epoch. `draw` is {epoch, seed} in the images'
/// memory, so that a captured step reads both anew each time.
struct AugmentStream {
  const int64_t* draw;
  uint16_t use;  ///< tells apart the kinds of augmentation and their places in a composition

  /// Words 4i .. 4i+3 of one sample.
  constexpr std::array<uint32_t, 4> block(int64_t sample, uint32_t i) const {
    return RandomStream(uint64_t(draw[1]), Purpose::augment, uint64_t(draw[0]), uint64_t(sample))
        .block(uint64_t(use) << 32 | i);
  }
};

/// Smoothing of an elastic field: `weights` for -radius..radius in Q14, in the images' memory; amplitude in
/// Q14 pixels.
struct ElasticField {
  const int32_t* weights;
  int32_t radius;
  int64_t amplitude;
};

}  // namespace uncial::kernels

/// Draws an affine map a sample and resamples bilinearly; `fill` lies around the image. `indices` are in the
/// images' memory, here and below. Preconditions: those of AffineRanges, sides <= kMaxImageSide.
UNCIAL_KERNEL(affine_images, (kernels::Images<T> images, const int64_t* indices,
                              kernels::AugmentStream stream, kernels::AffineRanges ranges, T fill))
/// Displaces each pixel by a smoothed random field; zeros lie around the image.
UNCIAL_KERNEL(elastic_images, (kernels::Images<T> images, const int64_t* indices,
                               kernels::AugmentStream stream, kernels::ElasticField field))
/// x = (x - mean) / deviation.
UNCIAL_KERNEL(normalise_images, (kernels::Images<T> images, T mean, T deviation))
/// x += normal noise. Word pair i of a sample makes the noise of its values 2i and 2i + 1.
UNCIAL_KERNEL(noise_images, (kernels::Images<T> images, const int64_t* indices, kernels::AugmentStream stream,
                             double deviation))
/// Overwrites erase_box() of each sample, in every channel.
UNCIAL_KERNEL(erase_images, (kernels::Images<T> images, const int64_t* indices, kernels::AugmentStream stream,
                             kernels::EraseRanges ranges, T value))
