#include "planner.h"

#include <algorithm>

#include "conv_nodes.h"
#include "layout_nodes.h"
#include "program/kept_step.h"

namespace uncial::program::lanes {
namespace {

const std::map<std::string_view, Lowering>& lowerings() {
  static const std::map<std::string_view, Lowering> table = {
      {"conv2d", lower_conv},
      {"conv2d_input_gradient", lower_conv_gradients},
      {"conv2d_weight_gradient", lower_conv_gradients},
      {"linear", lower_linear},
      {"matmul", lower_matmul},
      {"sum", lower_sum},
      {"copy", lower_spread},
      {"batch_norm", lower_batch_norm},
      {"batch_norm_inference", lower_batch_norm_inference},
      {"batch_norm_backward", lower_batch_norm_gradient},
      {"layer_norm", lower_layer_norm},
      {"layer_norm_backward", lower_layer_norm_gradient},
      {"max_pool2d", lower_pool},
      {"avg_pool2d", lower_pool},
      {"max_pool2d_backward", lower_pool_gradient},
      {"avg_pool2d_backward", lower_pool_gradient},
      {"dropout", lower_dropout},
      {"round_bfloat16", lower_round},
      {"round_float16", lower_round},
      {"cross_entropy", lower_cross_entropy},
  };
  return table;
}

}  // namespace

Planner::Planner(const Graph& graph, int64_t samples)
    : graph_(graph),
      table_(std::make_shared<LaneTable>()),
      open_(std::make_unique<Segment>(table_)),
      lane_of_(graph.program().buffers().size(), -1),
      has_rows_(graph.program().buffers().size(), false) {
  table_->samples = samples;
  fusions_ = find_fusions(
      graph, [this](int v) { return fits_lanes(v); }, [this](int v) { return plain_rows(v); }, true);
  find_chains(graph_, fusions_);
}

std::vector<std::unique_ptr<Stage>> Planner::plan() {
  for (int s = 0; s < graph_.steps(); ++s)
    if (!graph_.step(s).is_view && !fusions_.absorbed[size_t(s)] && !lower(s)) run_as_recorded(s);
  for (int b = 0; b < int(lane_of_.size()); ++b)
    if (lane_of_[size_t(b)] >= 0 && !graph_.temporary(b)) store(b);
  close();
  settle_places();
  return std::move(stages_);
}

bool Planner::lower(int step) {
  const Op& op = *graph_.step(step).op;
  if (const auto found = lowerings().find(op.name()); found != lowerings().end())
    return found->second(*this, step);
  return op.pointwise() && lower_pointwise(*this, step);
}

/// A row-major operator waits until the open segment is done only when it needs something of it, or
/// overwrites what the segment may read; otherwise it runs before, so that segments stay long.
void Planner::run_as_recorded(int step) {
  const Step& s = graph_.step(step);
  for (int v : s.inputs)
    if (const int b = graph_.value(v).buffer; lane_of_[size_t(b)] >= 0) store(b);
  bool waits = s.op->writes_inputs() != 0;
  for (int v : s.inputs) waits = waits || pending_rows_.count(graph_.value(v).buffer);
  auto stage = step_stage(graph_, step);
  if (!waits) {
    stages_.push_back(std::move(stage));
    return;
  }
  delayed_.push_back(std::move(stage));
  for (int v : s.outputs) pending_rows_.insert(graph_.value(v).buffer);
  for (size_t i = 0; i < s.inputs.size(); ++i)
    if (s.op->writes(i)) overwritten(graph_.value(s.inputs[i]).buffer);
}

/// What was made of the old content is not used again; what is made of the new one later in the program is
/// made at every run, since a version counts once a replay.
void Planner::overwritten(int buffer) {
  pending_rows_.insert(buffer);
  lane_of_[size_t(buffer)] = -1;  // what is in the lanes is the old content
  rewritten_.insert(buffer);
  std::erase_if(prepared_, [&](const auto& p) { return p.first.second == buffer; });
}

void Planner::add_stage(std::unique_ptr<Stage> stage, const std::vector<int>& lanes_in,
                        const std::vector<int>& lanes_out) {
  auto& used = stage_lanes_[stage.get()];
  used = lanes_in;
  used.insert(used.end(), lanes_out.begin(), lanes_out.end());
  pending_lanes_.insert(lanes_out.begin(), lanes_out.end());
  delayed_.push_back(std::move(stage));
}

void Planner::close() {
  if (!open_->empty()) {
    for (const auto& node : open_->nodes())
      stage_lanes_[open_.get()].insert(stage_lanes_[open_.get()].end(), node->lanes.begin(),
                                       node->lanes.end());
    stages_.push_back(std::move(open_));
    open_ = std::make_unique<Segment>(table_);
  }
  for (auto& stage : delayed_) stages_.push_back(std::move(stage));
  delayed_.clear();
  pending_rows_.clear();
  pending_lanes_.clear();
  loaded_.clear();
}

bool Planner::fits_lanes(int value) const {
  const Value& x = graph_.value(value);
  return x.dtype == DType::float32 && x.shape.rank() >= 2 && x.shape.rank() <= 4 &&
         x.shape[0] == table_->samples && graph_.whole(value) && count(x.shape) > 0;
}

bool Planner::plain_rows(int value) const {
  const Value& x = graph_.value(value);
  return is_row_major(x.shape, x.strides) && lane_of_[size_t(x.buffer)] < 0;
}

int Planner::in_lanes(int value) {
  const int b = graph_.value(value).buffer;
  if (const int v = lane_of_[size_t(b)]; v >= 0) {
    if (pending_lanes_.count(v)) close();
    return v;
  }
  if (pending_rows_.count(b)) close();
  if (const auto found = loaded_.find(b); found != loaded_.end()) return found->second;
  const int v = make_lane(lane_of_shape(graph_.value(value).shape));
  add(std::make_unique<LoadNode>(value, v));
  return loaded_[b] = v;
}

int Planner::image_in_lanes(int value, const Halo& halo) {
  const LaneValue image = lane_of_shape(graph_.value(value).shape);
  const bool reshaped = image.shape_differs(lane(in_lanes(value)));
  const int v = reshaped ? flat_in_lanes(value) : in_lanes(value);
  Geometry& g = geometries_[size_t(geometry_of(v))];
  const Halo needed = g.halo.merged(halo);
  if (needed == g.halo) return v;
  if (!g.fixed) {
    g.halo = needed;
    return v;
  }
  const int to = make_lane(image);
  geometries_[size_t(to)].halo = halo;
  add(std::make_unique<CopyNode>(v, to));
  return to;
}

ImageOperand Planner::operand(int lane, int value) const {
  const LaneValue v = lane_of_shape(graph_.value(value).shape);
  return {lane, v.C, v.H, v.W};
}

int Planner::flat_in_lanes(int value) {
  const int v = in_lanes(value);
  Geometry& g = geometries_[size_t(geometry_of(v))];
  if (!g.halo.none()) {
    const int to = make_lane(lane(v));
    geometries_[size_t(to)] = {.halo = {}, .fixed = true, .merged_into = -1};
    add(std::make_unique<CopyNode>(v, to));
    return to;
  }
  g.fixed = true;
  return v;
}

int Planner::in_lanes_like(int value, int other) {
  const int v = in_lanes(value);
  if (tie(v, other)) return v;
  const int from = lane(v).shape_differs(lane(other)) ? flat_in_lanes(value) : v;
  const int to = make_lane(lane(other));
  ensure(tie(to, other), "a fresh lane value has no geometry of its own");
  add(std::make_unique<CopyNode>(from, to));
  return to;
}

int Planner::shaped_in_lanes(int value) {
  const int v = in_lanes(value);
  return lane_of_shape(graph_.value(value).shape).shape_differs(lane(v)) ? flat_in_lanes(value) : v;
}

int Planner::make(int value) {
  const int v = make_lane(lane_of_shape(graph_.value(value).shape));
  makes_lane(value, v);
  return v;
}

int Planner::make_lane(LaneValue v) {
  table_->values.push_back(std::move(v));
  geometries_.push_back({});
  return int(table_->values.size()) - 1;
}

int Planner::geometry_of(int v) const {
  while (geometries_[size_t(v)].merged_into >= 0) v = geometries_[size_t(v)].merged_into;
  return v;
}

bool Planner::tie(int a, int b) {
  const int x = geometry_of(a), y = geometry_of(b);
  if (x == y) return true;
  Geometry &gx = geometries_[size_t(x)], &gy = geometries_[size_t(y)];
  const Halo halo = gx.halo.merged(gy.halo);
  if ((gx.fixed && halo != gx.halo) || (gy.fixed && halo != gy.halo)) return false;
  if (!halo.none() && lane(a).shape_differs(lane(b))) return false;
  gx.halo = halo;
  gx.fixed = gx.fixed || gy.fixed || lane(a).shape_differs(lane(b));
  gy.merged_into = x;
  return true;
}

void Planner::need_rows(int value) {
  const int b = graph_.value(value).buffer;
  if (lane_of_[size_t(b)] >= 0) store(b);
  if (pending_rows_.count(b)) close();
}

void Planner::makes_rows(int value) { pending_rows_.insert(graph_.value(value).buffer); }

void Planner::store(int b) {
  if (has_rows_[size_t(b)]) return;
  has_rows_[size_t(b)] = true;
  const int v = lane_of_[size_t(b)];
  if (pending_lanes_.count(v)) close();
  const int writer = graph_.writer(b);
  for (int value : graph_.step(writer).outputs)
    if (graph_.value(value).buffer == b) {
      add(std::make_unique<StoreNode>(v, value));
      makes_rows(value);
    }
}

std::shared_ptr<Prepared> Planner::prepared(const std::string& kind, int source,
                                            const std::function<std::shared_ptr<Prepared>()>& make) {
  const Value& w = graph_.value(source);
  std::shared_ptr<Prepared>& p = prepared_[{kind, w.buffer}];
  if (!p) {
    p = make();
    prepare(p, {source});
  } else {
    open_->prepare(p);
  }
  return p;
}

void Planner::prepare(const std::shared_ptr<Prepared>& p, const std::vector<int>& sources) {
  // Weights that the program computes itself have no version of their own: those are made anew each time.
  const bool fixed = std::all_of(sources.begin(), sources.end(), [&](int v) {
    const int b = graph_.value(v).buffer;
    return graph_.buffer(b).role == Role::external && !rewritten_.count(b);
  });
  p->bind(graph_, sources, fixed);
  open_->prepare(p);
}

/// Decides which values live in one segment only, and how long the others do.
void Planner::settle_places() {
  const size_t n = table_->values.size();
  std::vector<int> first(n, -1);
  std::vector<bool> shared(n, false);
  for (int i = 0; i < int(stages_.size()); ++i)
    for (int v : stage_lanes_[stages_[size_t(i)].get()]) {
      if (first[size_t(v)] >= 0 && first[size_t(v)] != i) shared[size_t(v)] = true;
      first[size_t(v)] = i;
    }
  for (size_t v = 0; v < n; ++v) {
    LaneValue& x = table_->values[v];
    x.halo = geometries_[size_t(geometry_of(int(v)))].halo;
    x.group_bytes = ceil_div(table_->floats(x) * (x.codes ? 1 : int64_t(sizeof(float))), 64) * 64;
    const bool segment =
        first[v] >= 0 && dynamic_cast<const Segment*>(stages_[size_t(first[v])].get()) != nullptr;
    x.local = segment && !shared[v];
    if (!x.local) x.block.bytes = x.group_bytes * table_->groups();
  }
  for (int i = 0; i < int(stages_.size()); ++i) {
    for (int v : stage_lanes_[stages_[size_t(i)].get()])
      if (LaneValue& x = table_->values[size_t(v)]; !x.local) x.block.use(i);
    if (auto* segment = dynamic_cast<Segment*>(stages_[size_t(i)].get())) {
      segment->place_local_values();
      for (ReducingNode* r : segment->reductions()) {
        r->block.bytes = r->padded_slot(*table_) * segment->slots(*r) * int64_t(sizeof(float));
        r->block.use(i);
      }
    }
  }
}

}  // namespace uncial::program::lanes
