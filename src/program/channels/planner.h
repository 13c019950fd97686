#pragma once
/// @file planner.h
/// Turns recorded steps of small batches into stages: images with the channels in the lanes, dense layers
/// straight from their weights, single operators elsewhere. Internal.

#include <memory>
#include <vector>

#include "image.h"
#include "program/fuse.h"
#include "program/prepared.h"

namespace uncial::program::channels {

/// A stage on images of the table.
class ImageStage : public Stage {
 public:
  explicit ImageStage(std::shared_ptr<Table> table) : table_(std::move(table)) {}
  const std::vector<int>& images() const { return images_; }

 protected:
  const Kernels& kernels() const { return table_->kernels; }
  cpu::LaneImage view(const Runtime& runtime, int image, int64_t n) const {
    return table_->view(runtime, image, n);
  }

  std::shared_ptr<Table> table_;
  std::vector<int> images_;
};

/// Builds the stages of one program. Families of operators have files of their own, whose lower_*() functions
/// add stages through this class; what nobody lowers runs as recorded.
class Planner {
 public:
  Planner(const Graph& graph, int64_t samples);
  std::vector<std::unique_ptr<Stage>> plan();
  std::shared_ptr<Table> table() const { return table_; }

  // ---- For lowering functions
  const Graph& graph() const { return graph_; }
  const Fusions& fusions() const { return fusions_; }
  const Kernels& kernels() const { return table_->kernels; }
  int64_t samples() const { return table_->samples; }
  const Shape& shape(int value) const { return graph_.value(value).shape; }

  /// True for float32 (N, C, H, W) values that may have channels in the lanes.
  bool fits_image(int value) const;
  /// True for row-major float32 values that lie in memory as they are.
  bool plain_rows(int value) const;
  /// The image that holds the value, -1 when there is none of its extents.
  int image_of(int value) const;
  /// A new image for the result `value` of a step, with the halo that its readers want.
  int make_image(int value);
  /// The row-major value as a new image with this halo, filled by a stage.
  int load(int value, bool in_lanes, const Halo& halo);
  /// Makes sure that the value is there in row-major order.
  void need_rows(int value);
  /// True when the program does not change the value: it is one of its operands from outside.
  bool is_fixed(int value) const;
  /// Binds and returns what is made of `sources`.
  std::shared_ptr<Prepared> prepare(std::shared_ptr<Prepared> prepared,
                                    const std::vector<int>& sources) const;
  /// Leaves out a step that another's stage computes.
  void fuse(int step) { fusions_.absorbed[size_t(step)] = true; }
  void add(std::unique_ptr<Stage> stage) { stages_.push_back(std::move(stage)); }
  void add(std::unique_ptr<ImageStage> stage);

 private:
  bool lower(int step);
  void run_as_recorded(int step);
  void find_halos();

  const Graph& graph_;
  std::shared_ptr<Table> table_;
  Fusions fusions_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<int> image_;      // by buffer, -1
  std::vector<bool> has_rows_;  // by buffer with an image
  std::vector<Halo> halos_;     // by buffer
};

/// A lowering function adds stages for a step and returns true, or leaves everything alone and returns false.
bool lower_conv(Planner& p, int step);
bool lower_dense(Planner& p, int step);
bool lower_norm(Planner& p, int step);
bool lower_pool(Planner& p, int step);
bool lower_pointwise(Planner& p, int step);

/// What a conv2d step needs around its input; nothing when it is not lowered.
Halo conv_halo(const Graph& graph, int step, const Kernels& kernels);

}  // namespace uncial::program::channels
