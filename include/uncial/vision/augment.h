#pragma once
/// @file augment.h
/// Random changes of images, each a pure function of (seed, epoch, sample index): the same for any batch
/// size, order, number of threads, and after a resume.

#include <memory>
#include <string>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::vision {

/// Which draw an augmentation makes.
struct AugmentKey {
  uint64_t seed = 0;
  int64_t epoch = 0;
  uint32_t position =
      0;  ///< place in a composition (Compose counts it), so that equal parts draw different numbers
};

/// A change of a batch in place. images (N, C, H, W) float32, row-major, sides up to 32768; indices: N source
/// indices. apply() throws a usage Error when the images or the number of indices are otherwise.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const = 0;
  /// True when replay() works: fit() then augments on a GPU without the host.
  virtual bool replayable() const { return false; }
  /// apply() as part of a recorded step: `indices` (int64, N) and `draw` (int64: epoch and seed) lie beside
  /// the images and are read when kernels run; `position` is that of AugmentKey. Throws a usage Error unless
  /// replayable().
  virtual void replay(const View& images, const View& indices, const View& draw, uint32_t position = 0) const;
  /// One line for logs and checkpoints, e.g. "affine(degrees=10, zoom=0.1, shift=0.1)".
  virtual std::string describe() const = 0;
};

/// A value handle on a Transform: copies share it. Empty means "leave the images alone".
using Augment = std::shared_ptr<const Transform>;

/// Ranges of RandomAffine; each value is drawn uniformly from [-x, +x] (zoom: factor in [1 - zoom, 1 +
/// zoom]).
struct AffineOptions {
  double degrees = 0;  ///< rotation about the centre, 0..180; positive turns counter-clockwise as seen
  double zoom = 0;     ///< fraction, 0..0.9; a factor above 1 enlarges
  double shift =
      0;  ///< fraction of the side, 0..1, in x and in y: 2 pixels of 28 = 2.0 / 28; positive: right, down
  double shear = 0;  ///< degrees, 0..80, along x; positive leans the top to the right
  double fill = 0;   ///< value of pixels that come from outside, finite
};
/// Shear, zoom, rotation (in this order) about the image's centre, then the shift, in one bilinear pass; the
/// edge blends into `fill` within one pixel. Source positions are rounded to 2^-14 pixels. Throws a usage
/// Error for an option outside its range.
Augment RandomAffine(const AffineOptions& options);

/// Options of ElasticDistortion.
struct ElasticOptions {
  double alpha = 2;  ///< largest displacement of the image, in pixels, along x or y; 0..1000
  double sigma = 3;  ///< smoothness of the field: standard deviation of its Gaussian, in pixels, 0.5..32
};
/// Moves every pixel by a field of uniform noise, smoothed, scaled so that its largest component is alpha,
/// and sampled bilinearly; zeros come in from outside. Throws a usage Error for an option outside its range.
/// Source: Simard, Steinkraus & Platt, "Best practices for convolutional neural networks", ICDAR 2003.
Augment ElasticDistortion(const ElasticOptions& options = {});

/// Options of Normalise.
struct NormaliseOptions {
  double mean = 0.1307;       ///< MNIST's training mean
  double deviation = 0.3081;  ///< MNIST's training standard deviation, > 0
};
/// (x - mean) / deviation. Throws a usage Error for a mean that is not finite or a deviation that is not
/// positive.
Augment Normalise(const NormaliseOptions& options = {});

/// Adds normal noise of this standard deviation (>= 0, else a usage Error) to every value; nothing is
/// clipped.
Augment RandomNoise(double deviation);

/// Options of RandomErase.
struct EraseOptions {
  double probability = 0.5;  ///< of erasing anything, 0..1
  double smallest = 0.02,
         largest = 0.2;  ///< area of the box as a fraction of the image, 0 <= smallest <= largest <= 1
  double value = 0;      ///< what the box is filled with, finite
};
/// Fills one box of random area, side ratio (0.3 to 1/0.3) and place, which lies inside the image.
/// Throws a usage Error for an option outside its range.
/// Source: Zhong et al., "Random erasing data augmentation", 2017.
Augment RandomErase(const EraseOptions& options = {});

/// Applies the parts one after the other; none at all leaves the images alone. Throws a usage Error for an
/// empty part.
Augment Compose(std::vector<Augment> parts);

}  // namespace uncial::vision
