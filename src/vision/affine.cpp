#include "vision/batch.h"

namespace uncial::vision {
namespace {

class Affine final : public KernelTransform {
 public:
  explicit Affine(const AffineOptions& o)
      : KernelTransform("RandomAffine"),
        options_(o),
        ranges_{kernels::to_fixed(o.degrees / 360, 32), kernels::to_fixed(o.zoom, 32),
                kernels::to_fixed(o.shift, 32), kernels::to_fixed(o.shear / 360, 32)} {}

  void change(const ImageBatch& batch) const override {
    if (options_.degrees == 0 && options_.zoom == 0 && options_.shift == 0 && options_.shear == 0) return;
    kernels::affine_images<float>(batch.device, batch.images, batch.indices, batch.stream(AugmentUse::affine),
                                  ranges_, float(options_.fill));
  }

  std::string describe() const override {
    return join("affine(degrees=", options_.degrees, ", zoom=", options_.zoom, ", shift=", options_.shift,
                ", shear=", options_.shear, ", fill=", options_.fill, ")");
  }

 private:
  AffineOptions options_;
  kernels::AffineRanges ranges_;
};

}  // namespace

Augment RandomAffine(const AffineOptions& options) {
  constexpr std::string_view what = "RandomAffine";
  require_range(what, "degrees", options.degrees, 0, 180);
  require_range(what, "zoom", options.zoom, 0, 0.9);
  require_range(what, "shift", options.shift, 0, 1);
  require_range(what, "shear", options.shear, 0, 80);
  require_finite(what, "fill", options.fill);
  return std::make_shared<Affine>(options);
}

}  // namespace uncial::vision
