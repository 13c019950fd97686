// Dense layers with the batch in the lanes, as a planned program runs them: the stages themselves, with
// operands that are in lanes already. In float32, and with bfloat16 factors where the processor multiplies
// those faster.
#include "contenders.h"
#include "program/lanes/tile_dense_stages.h"

namespace uncial::bench {
namespace {

using namespace program::lanes;

/// Two values in lanes, the weights' side of the layer in rows, and the stage between them.
struct DenseWork {
  /// Values of D and K features, numbered 0 and 1; `rows` is the stage's row-major operand, number 0.
  DenseWork(int64_t samples, DenseExtent e, const Tensor& rows) : rows(rows) {
    table->samples = samples;
    int64_t floats = 0;
    for (const int64_t features : {e.D, e.K}) {
      LaneValue v;
      v.C = features;
      v.group_bytes = features * table->kernels.lanes * int64_t(sizeof(float));
      v.block.offset = floats * int64_t(sizeof(float));
      floats += table->groups() * features * table->kernels.lanes;
      table->values.push_back(v);
    }
    memory = zeros({floats});
    runtime.arena = reinterpret_cast<std::byte*>(memory.data<float>());
    runtime.views = {rows.view()};
  }

  void load(int value, const Tensor& x) {
    for_groups(value, [&](const cpu::LaneImage& image, int64_t first, int64_t count, int64_t features) {
      table->kernels.layout.load(x.data<float>() + first * features, count, features, image);
    });
  }
  std::vector<float> row_major(int value) {
    std::vector<float> values(size_t(table->samples * table->values[size_t(value)].C));
    for_groups(value, [&](const cpu::LaneImage& image, int64_t first, int64_t count, int64_t features) {
      table->kernels.layout.store(image, values.data() + first * features, count, features);
    });
    return values;
  }

  std::shared_ptr<LaneTable> table = std::make_shared<LaneTable>();
  Tensor rows, memory;
  program::Runtime runtime;
  std::unique_ptr<program::Stage> stage;

 private:
  template <class Body>
  void for_groups(int value, const Body& body) {
    const int64_t lanes = table->kernels.lanes;
    for (int64_t g = 0; g < table->groups(); ++g) {
      const GroupRun run{*table, runtime, nullptr, nullptr, g, std::min(lanes, table->samples - g * lanes),
                         0};
      body(run.image(value), run.first(), run.samples, table->values[size_t(value)].C);
    }
  }
};

template <class Float32, class Tiles, class... Values>
void make_stage(DenseWork& work, DenseExtent e, bool tiles, Values... values) {
  if (tiles)
    work.stage = std::make_unique<Tiles>(work.table, e, std::vector<int>{}, values...);
  else
    work.stage = std::make_unique<Float32>(work.table, e, std::vector<int>{}, values...);
}

}  // namespace

bool lanes_has_dense(int64_t samples, bool tiles) {
  return samples >= cpu::lane_layout_simd().lanes / 2 && (!tiles || cpu::tile_dense());
}

Contestant lanes_dense(DensePass pass, const Tensor& a, const Tensor& b, bool tiles) {
  const bool gradient_of_weights = pass == DensePass::weight_gradient;
  const DenseExtent e =
      gradient_of_weights ? DenseExtent{a.size(1), b.size(1)} : DenseExtent{b.size(0), b.size(1)};
  const auto work = std::make_shared<DenseWork>(a.size(0), e, gradient_of_weights ? zeros({e.K, e.D}) : b);
  const auto giving = [&](std::function<std::vector<float>()> result) {
    return Contestant{[=] { work->stage->run(work->runtime); }, std::move(result)};
  };
  switch (pass) {
    case DensePass::forward:
      make_stage<DenseForwardStage, TileDenseForwardStage>(*work, e, tiles, 0, 0, -1, false, 1);
      work->load(0, a);
      return giving([=] { return work->row_major(1); });
    case DensePass::input_gradient:
      make_stage<DenseInputGradientStage, TileDenseInputGradientStage>(*work, e, tiles, 1, 0, 0);
      work->load(1, a);
      return giving([=] { return work->row_major(0); });
    default:
      make_stage<DenseWeightGradientStage, TileDenseWeightGradientStage>(*work, e, tiles, 1, 0, 0);
      work->load(1, a);
      work->load(0, b);
      return giving([=] { return values_of(work->rows); });
  }
}

}  // namespace uncial::bench
