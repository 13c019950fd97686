#include "layout.h"

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

LayoutChoice choose_layout(const Graph& graph) {
  const int64_t samples = batch_of(graph);
  if (samples == 0) return {};
  if (2 * samples >= cpu::lane_layout_simd().lanes) return {Layout::lanes, samples};
  return trains(graph) ? LayoutChoice{} : LayoutChoice{Layout::channels, samples};
}

}  // namespace uncial::program
