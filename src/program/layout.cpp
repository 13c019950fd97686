#include "layout.h"

#include <algorithm>

#include "simd/lane_layout.h"

namespace uncial::program {
namespace {

/// The leading extent of the first convolution or dense layer; 0 when there is none in float32.
int64_t batch_of(const Graph& graph) {
  for (int s = 0; s < graph.steps(); ++s) {
    if (!graph.is(s, "conv2d") && !graph.is(s, "linear")) continue;
    const Value& x = graph.value(graph.in(s, 0));
    return x.dtype == DType::float32 ? x.shape[0] : 0;
  }
  return 0;
}

/// Gradients, optimisers and running statistics.
bool trains(const Graph& graph) {
  for (int s = 0; s < graph.steps(); ++s) {
    const std::string_view name = graph.step(s).op->name();
    if (graph.step(s).op->writes_inputs() != 0 || name.ends_with("_gradient") || name.ends_with("_backward"))
      return true;
  }
  return false;
}

}  // namespace

// Measured (docs/performance.md, "How cost grows"): a group of samples costs the same however many of its
// lanes are empty. A training step as recorded costs that from 3 or 4 samples on, whatever the width of a
// vector; inference with the channels in the lanes from 3/4 of the lanes on, but runs on several threads
// where one group has one.
LayoutChoice choose_layout(const Graph& graph) {
  const int64_t samples = batch_of(graph), width = cpu::lane_layout_simd().lanes;
  if (samples == 0) return {};
  if (trains(graph))
    return samples >= std::min<int64_t>(4, width / 2) ? LayoutChoice{Layout::lanes, samples} : LayoutChoice{};
  return {samples >= width ? Layout::lanes : Layout::channels, samples};
}

}  // namespace uncial::program
