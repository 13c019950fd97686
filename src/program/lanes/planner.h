#pragma once
/// @file planner.h
/// Turns recorded steps into stages: segments with the batch in the lanes where they pay, single operators
/// elsewhere. Internal.

#include <functional>
#include <set>

#include "program/fuse.h"
#include "segment.h"

namespace uncial::program::lanes {

/// Builds the stages of one program. Each family of operators has a lower_*.cpp, whose functions add nodes
/// through this class; what nobody lowers runs as recorded.
class Planner {
 public:
  Planner(const Graph& graph, int64_t samples);
  std::vector<std::unique_ptr<Stage>> plan();
  std::shared_ptr<LaneTable> table() const { return table_; }

  // ---- For lowering functions
  const Graph& graph() const { return graph_; }
  Fusions& fusions() { return fusions_; }
  const Kernels& kernels() const { return table_->kernels; }
  int64_t samples() const { return table_->samples; }
  LaneValue& lane(int v) { return table_->values[size_t(v)]; }

  /// True for float32 (N, ...) values that may be in lanes.
  bool fits_lanes(int value) const;
  /// True when the value is row-major memory that a node may read as it is: weights, labels, statistics.
  bool plain_rows(int value) const;
  /// The same for a window of any strides.
  bool is_plain_buffer(int value) const { return lane_of_[size_t(graph_.value(value).buffer)] < 0; }
  /// True when the value has its batch in the lanes already.
  bool is_in_lanes(int value) const { return !is_plain_buffer(value); }
  /// The value with the batch in the lanes; loads it when it is row-major.
  int in_lanes(int value);
  /// The same as an image whose halo may grow: a copy where others need the value without gaps.
  int image_in_lanes(int value, const Halo& halo);
  /// Lane value `lane` with the extents of `value`.
  ImageOperand operand(int lane, int value) const;
  /// The same without a halo.
  int flat_in_lanes(int value);
  /// The value in lanes: with its halo, if any, when its extents are those of the lane value, and without one
  /// when it is a reshaped window on it.
  int shaped_in_lanes(int value);
  /// A lane value for the result `value` of a step.
  int make(int value);
  /// Says that lane value `lane` is the result `value` of a step, too.
  void makes_lane(int value, int lane) { lane_of_[size_t(graph_.value(value).buffer)] = lane; }
  /// A lane value that no recorded value stands for.
  int make_lane(LaneValue v);
  /// Ends the open segment when `value` is only there after it.
  void need_rows(int value);
  /// Says that the open segment makes the row-major `value` (a sum over the batch).
  void makes_rows(int value);
  /// Keeps a lane value without a halo: a kernel sees it as one run of features.
  void fix(int v) { geometries_[size_t(geometry_of(v))].fixed = true; }
  /// Makes both values keep one geometry from now on; false when that cannot be, and nothing changed.
  bool tie(int a, int b);
  /// `value` in the geometry of lane value `other`; a copy where they cannot be tied.
  int in_lanes_like(int value, int other);
  /// Adds a node, whose makes, lanes and rows are set, to the open segment.
  void add(std::unique_ptr<Node> node) { open_->add(std::move(node)); }
  /// A stage of its own that reads lane values `in` of earlier stages and makes `out`.
  void add_stage(std::unique_ptr<Stage> stage, const std::vector<int>& lanes_in,
                 const std::vector<int>& lanes_out);
  /// What the open segment reads that is made of the weights `sources`.
  void prepare(const std::shared_ptr<Prepared>& p, const std::vector<int>& sources);
  /// Transformed weights, shared by all nodes that ask for the same `kind` of the same value.
  std::shared_ptr<Prepared> prepared(const std::string& kind, int source,
                                     const std::function<std::shared_ptr<Prepared>()>& make);

 private:
  bool lower(int step);
  void run_as_recorded(int step);
  void overwritten(int buffer);
  void store(int buffer);
  void close();
  void settle_places();
  /// Values of one geometry: the halo that they share, and whether it may still grow.
  struct Geometry {
    Halo halo;
    bool fixed = false;
    int merged_into = -1;
  };
  int geometry_of(int lane_value) const;

  const Graph& graph_;
  std::shared_ptr<LaneTable> table_;
  Fusions fusions_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::unique_ptr<Segment> open_;
  std::vector<std::unique_ptr<Stage>> delayed_;  // run after the open segment
  std::set<int> pending_rows_;                   // buffers that are whole only after that
  std::set<int> rewritten_;                      // buffers that an operator before has changed in place
  std::set<int> pending_lanes_;                  // lane values alike
  std::vector<int> lane_of_;                     // buffer -> lane value, -1
  std::vector<bool> has_rows_;                   // by buffer
  std::map<int, int> loaded_;                    // buffer -> lane value, in the open segment
  std::vector<Geometry> geometries_;             // by lane value, linked where merged
  std::map<std::pair<std::string, int>, std::shared_ptr<Prepared>> prepared_;
  std::map<const Stage*, std::vector<int>> stage_lanes_;
};

/// A node for dropout of lane value x; `winners` (-1: none) of dropped places are forgotten.
void add_dropout(Planner& p, int step, int x, int y, int winners);

/// `lane`, which holds the gradient `value`, times `scale` and rounded as `step` says; in place where
/// nobody else reads it.
int rounded_gradient(Planner& p, int step, int value, int lane, float scale);

/// A lowering function: adds nodes for a step and returns true, or leaves everything alone and returns false.
using Lowering = bool (*)(Planner&, int step);
bool lower_conv(Planner& p, int step);
bool lower_conv_gradients(Planner& p, int step);
bool lower_linear(Planner& p, int step);
bool lower_matmul(Planner& p, int step);
bool lower_sum(Planner& p, int step);
bool lower_pixel_sums(Planner& p, int step);
bool lower_spread(Planner& p, int step);
bool lower_pointwise(Planner& p, int step);
bool lower_batch_norm(Planner& p, int step);
bool lower_batch_norm_inference(Planner& p, int step);
bool lower_batch_norm_gradient(Planner& p, int step);
bool lower_layer_norm(Planner& p, int step);
bool lower_layer_norm_gradient(Planner& p, int step);
bool lower_pool(Planner& p, int step);
bool lower_pool_gradient(Planner& p, int step);
bool lower_dropout(Planner& p, int step);
bool lower_round(Planner& p, int step);
bool lower_cross_entropy(Planner& p, int step);

}  // namespace uncial::program::lanes
