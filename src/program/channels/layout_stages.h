#pragma once
/// @file layout_stages.h
/// Between row-major values and images. Internal.

#include <cstring>

#include "planner.h"

namespace uncial::program::channels {

/// A row-major value becomes an image.
class LoadStage final : public ImageStage {
 public:
  LoadStage(std::shared_ptr<Table> table, int value, int image)
      : ImageStage(std::move(table)), image_(image) {
    values_ = {value};
    images_ = {image};
  }
  std::string name() const override { return "load"; }
  void run(const Runtime& runtime) override {
    const Image& x = table_->images[size_t(image_)];
    const int64_t pixels = x.H * x.W, lanes = kernels().lanes;
    const float* from = runtime.views[size_t(values_[0])].as<const float>();
    for (int64_t n = 0; n < table_->samples; ++n, from += x.C * pixels) {
      const cpu::LaneImage to = view(runtime, image_, n);
      if (!x.in_lanes) {
        copy_planes(from, x, table_->memory(runtime, image_) + n * table_->sample_floats(x));
        continue;
      }
      for (int64_t v = 0; v < to.C; ++v)
        kernels().layout.load(from + v * lanes * pixels, std::min(lanes, x.C - v * lanes), pixels,
                              plane(to, v));
      table_->clear_halo(runtime, image_, n);
    }
  }
  /// One vector of channels, as the layout kernels see it: a group with one plane, whose samples are
  /// channels.
  static cpu::LaneImage plane(const cpu::LaneImage& x, int64_t v) {
    return {x.data + v * x.plane, 1, x.H, x.W, x.plane, x.row};
  }

 private:
  static void copy_planes(const float* from, const Image& x, float* to) {
    std::fill_n(to, x.C * x.rows() * x.columns(), 0.0f);
    for (int64_t c = 0; c < x.C; ++c)
      for (int64_t h = 0; h < x.H; ++h)
        std::copy_n(from + (c * x.H + h) * x.W, x.W,
                    to + (c * x.rows() + x.halo.before + h) * x.columns() + x.halo.before);
  }
  int image_;
};

/// An image becomes a row-major value.
class StoreStage final : public ImageStage {
 public:
  StoreStage(std::shared_ptr<Table> table, int image, int value)
      : ImageStage(std::move(table)), image_(image) {
    values_ = {value};
    images_ = {image};
  }
  std::string name() const override { return "store"; }
  void run(const Runtime& runtime) override {
    const Image& x = table_->images[size_t(image_)];
    const int64_t pixels = x.H * x.W, lanes = kernels().lanes;
    float* to = runtime.views[size_t(values_[0])].as<float>();
    for (int64_t n = 0; n < table_->samples; ++n, to += x.C * pixels) {
      const cpu::LaneImage from = view(runtime, image_, n);
      for (int64_t v = 0; v < from.C; ++v)
        kernels().layout.store(LoadStage::plane(from, v), to + v * lanes * pixels,
                               std::min(lanes, x.C - v * lanes), pixels);
    }
  }

 private:
  int image_;
};

}  // namespace uncial::program::channels
