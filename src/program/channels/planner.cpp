#include "planner.h"

#include <algorithm>

#include "layout_stages.h"
#include "program/kept_step.h"

namespace uncial::program::channels {

Planner::Planner(const Graph& graph, int64_t samples)
    : graph_(graph),
      table_(std::make_shared<Table>()),
      image_(graph.program().buffers().size(), -1),
      has_rows_(graph.program().buffers().size(), true),
      halos_(graph.program().buffers().size()) {
  table_->samples = samples;
  fusions_ = find_fusions(
      graph, [this](int v) { return fits_image(v); }, [this](int v) { return plain_rows(v); });
  find_halos();
}

/// Convolutions want zeros around what they read; operators on whole images want the same geometry for all
/// their operands, so halos spread through them.
void Planner::find_halos() {
  for (int s = 0; s < graph_.steps(); ++s)
    if (graph_.is(s, "conv2d") && fits_image(graph_.in(s, 0))) {
      Halo& h = halos_[size_t(graph_.in_buffer(s, 0))];
      h = h.merged(conv_halo(graph_, s, kernels()));
    }
  for (bool changed = true; changed;) {
    changed = false;
    for (int s = 0; s < graph_.steps(); ++s) {
      if (graph_.step(s).is_view || !graph_.step(s).op->pointwise()) continue;
      std::vector<int> buffers;
      for (const auto* values : {&graph_.step(s).inputs, &graph_.step(s).outputs})
        for (int v : *values)
          if (fits_image(v)) buffers.push_back(graph_.value(v).buffer);
      Halo all;
      for (int b : buffers) all = all.merged(halos_[size_t(b)]);
      for (int b : buffers) changed = changed || halos_[size_t(b)] != all;
      for (int b : buffers) halos_[size_t(b)] = all;
    }
  }
}

std::vector<std::unique_ptr<Stage>> Planner::plan() {
  for (int s = 0; s < graph_.steps(); ++s)
    if (!graph_.step(s).is_view && !fusions_.absorbed[size_t(s)] && !lower(s)) run_as_recorded(s);
  for (int b = 0; b < int(image_.size()); ++b)
    if (image_[size_t(b)] >= 0 && !graph_.temporary(b)) need_rows(graph_.out(graph_.writer(b)));
  for (int i = 0; i < int(stages_.size()); ++i) {
    for (Block* block : stages_[size_t(i)]->own_blocks()) block->use(i);
    if (const auto* stage = dynamic_cast<const ImageStage*>(stages_[size_t(i)].get()))
      for (int image : stage->images()) table_->images[size_t(image)].block.use(i);
  }
  return std::move(stages_);
}

bool Planner::lower(int step) {
  const Op& op = *graph_.step(step).op;
  if (op.name() == "conv2d") return lower_conv(*this, step);
  if (op.name() == "linear" || op.name() == "matmul") return lower_dense(*this, step);
  if (op.name() == "batch_norm_inference") return lower_norm(*this, step);
  if (op.name() == "max_pool2d" || op.name() == "avg_pool2d") return lower_pool(*this, step);
  return op.pointwise() && lower_pointwise(*this, step);
}

void Planner::run_as_recorded(int step) {
  for (int v : graph_.step(step).inputs) need_rows(v);
  add(step_stage(graph_, step));
  // An absorbed step of a fusion that was not lowered runs too.
  const auto conv = fusions_.convs.find(step);
  if (conv != fusions_.convs.end())
    for (int s : {conv->second.norm, conv->second.relu, conv->second.pool})
      if (s >= 0) run_as_recorded(s);
  const auto norm = fusions_.norms.find(step);
  if (norm != fusions_.norms.end() && norm->second.relu >= 0) run_as_recorded(norm->second.relu);
}

bool Planner::fits_image(int value) const {
  const Value& x = graph_.value(value);
  return x.dtype == DType::float32 && x.shape.rank() == 4 && x.shape[0] == table_->samples &&
         graph_.whole(value) && count(x.shape) > 0;
}

bool Planner::plain_rows(int value) const {
  const Value& x = graph_.value(value);
  return x.dtype == DType::float32 && is_row_major(x.shape, x.strides);
}

int Planner::image_of(int value) const {
  const int image = image_[size_t(graph_.value(value).buffer)];
  if (image < 0 || !fits_image(value)) return -1;
  const Image& x = table_->images[size_t(image)];
  const Shape& s = shape(value);
  return x.C == s[1] && x.H == s[2] && x.W == s[3] ? image : -1;
}

int Planner::make_image(int value) {
  const Shape& s = shape(value);
  const int b = graph_.value(value).buffer, image = int(table_->images.size());
  Image x{.C = s[1], .H = s[2], .W = s[3], .halo = halos_[size_t(b)]};
  x.block.bytes = table_->sample_floats(x) * samples() * int64_t(sizeof(float));
  table_->images.push_back(x);
  image_[size_t(b)] = image;
  has_rows_[size_t(b)] = false;
  return image;
}

int Planner::load(int value, bool in_lanes, const Halo& halo) {
  need_rows(value);
  const Shape& s = shape(value);
  Image x{.C = s[1], .H = s[2], .W = s[3], .halo = halo, .in_lanes = in_lanes};
  x.block.bytes = table_->sample_floats(x) * samples() * int64_t(sizeof(float));
  table_->images.push_back(x);
  const int image = int(table_->images.size()) - 1;
  add(std::unique_ptr<ImageStage>(std::make_unique<LoadStage>(table_, value, image)));
  return image;
}

void Planner::need_rows(int value) {
  const int b = graph_.value(value).buffer;
  if (has_rows_[size_t(b)]) return;
  has_rows_[size_t(b)] = true;
  add(std::unique_ptr<ImageStage>(
      std::make_unique<StoreStage>(table_, image_[size_t(b)], graph_.out(graph_.writer(b)))));
}

bool Planner::is_fixed(int value) const {
  return graph_.buffer(graph_.value(value).buffer).role == Role::external;
}

std::shared_ptr<Prepared> Planner::prepare(std::shared_ptr<Prepared> prepared,
                                           const std::vector<int>& sources) const {
  prepared->bind(graph_, sources,
                 std::all_of(sources.begin(), sources.end(), [this](int v) { return is_fixed(v); }));
  return prepared;
}

void Planner::add(std::unique_ptr<ImageStage> stage) { stages_.push_back(std::move(stage)); }

}  // namespace uncial::program::channels
