// The kernels with the batch in the lanes (kernels/cpu/simd/lane_*.h), called as a planned program calls
// them: operands are in lanes already, groups are spread over the threads, sums over the batch go to four
// slots.
#include <algorithm>

#include "contenders.h"
#include "simd/lane_conv.h"
#include "simd/lane_layout.h"
#include "simd/lane_winograd.h"
#include "uncial/core/parallel.h"

namespace uncial::bench {
namespace {

using cpu::LaneImage;

constexpr int64_t kSlots = 4;

/// A batch of images in lanes, with zeros around each.
class LaneBatch {
 public:
  struct Halo {
    int64_t before = 0, below = 0, behind = 0;
  };
  LaneBatch(const Shape& shape, Halo halo)
      : shape_(shape),
        halo_(halo),
        rows_(halo.before + shape[2] + halo.below),
        columns_(halo.before + shape[3] + halo.behind),
        memory_(zeros({groups(), shape[1], rows_, columns_, layout_.lanes})) {}

  int64_t groups() const { return ceil_div(shape_[0], layout_.lanes); }
  LaneImage image(int64_t group) const {
    const int64_t row = columns_ * layout_.lanes, plane = rows_ * row;
    return {memory_.data<float>() + group * shape_[1] * plane + halo_.before * (row + layout_.lanes),
            shape_[1],
            shape_[2],
            shape_[3],
            plane,
            row};
  }
  void load(const Tensor& x) const {
    for (int64_t g = 0; g < groups(); ++g)
      layout_.load(x.data<float>() + g * layout_.lanes * sample(), samples(g), sample(), image(g));
  }
  std::vector<float> row_major() const {
    std::vector<float> values(static_cast<size_t>(count(shape_)));
    for (int64_t g = 0; g < groups(); ++g)
      layout_.store(image(g), values.data() + g * layout_.lanes * sample(), samples(g), sample());
    return values;
  }

 private:
  int64_t sample() const { return shape_[1] * shape_[2] * shape_[3]; }
  int64_t samples(int64_t group) const {
    return std::min<int64_t>(layout_.lanes, shape_[0] - group * layout_.lanes);
  }

  const cpu::LaneLayoutSimd& layout_ = cpu::lane_layout_simd();
  Shape shape_;
  Halo halo_;
  int64_t rows_, columns_;
  Tensor memory_;
};

/// What Winograd's tiles read beyond the image.
LaneBatch::Halo halo(const ConvExtents& e, bool winograd) {
  if (!winograd) return {e.padding, e.padding, e.padding};
  const cpu::WinogradTiling tiling{e.R};
  const auto beyond = [&](int64_t out, int64_t in) {
    return std::max<int64_t>(0, tiling.patch_end(tiling.tiles(out)) - e.padding - in);
  };
  return {e.padding, beyond(e.P, e.H), beyond(e.Q, e.W)};
}

/// One convolution: images in lanes, weights, and memory for sums and for each task's scratch.
struct Work {
  Work(const ConvExtents& extents, bool use_winograd)
      : e(extents),
        winograd(use_winograd),
        fast(cpu::winograd_simd(e.R)),
        shape{e.R, e.S, e.stride, e.padding, e.dilation, e.groups},
        x({e.N, e.C, e.H, e.W}, halo(e, winograd)),
        y({e.N, e.K, e.P, e.Q}, {}),
        slots(std::min(x.groups(), kSlots)),
        sums_size(winograd ? fast.weight_sums(e.C, e.K) : direct.weight_sums(shape, e.C, e.K)),
        scratch_size(winograd
                         ? fast.workspace_floats(e.C, e.W + halo(e, true).before + halo(e, true).behind, e.K)
                         : direct.workspace_floats(shape, e.C, e.H, e.W, e.K, e.P, e.Q)),
        u(empty({winograd ? fast.weight_floats(e.C, e.K) : 1})),
        sums(empty({slots, std::max<int64_t>(1, ceil_div(sums_size, 16) * 16)})),
        scratch(empty({x.groups(), std::max<int64_t>(16, ceil_div(scratch_size, 16) * 16)})),
        dw(empty({e.K, e.C / e.groups, e.R, e.S})) {}

  float* scratch_of(int64_t task) const { return scratch.data<float>() + task * scratch.size(1); }

  void transform(const float* w) const {
    if (winograd)
      parallel_blocks(e.K, 8, [&](int64_t k0, int64_t k1) {
        fast.transform_weights(w, e.C, e.K, u.data<float>(), k0, k1);
      });
  }

  void forward(const float* w) const {
    transform(w);
    parallel_for(x.groups(), [&](int64_t g) {
      cpu::LaneEpilogue epilogue;
      epilogue.y = y.image(g);
      epilogue.stream = e.N * e.K * e.P * e.Q * int64_t(sizeof(float)) >= cpu::kFarBytes;
      if (winograd)
        fast.forward(x.image(g), e.padding, u.data<float>(), epilogue, e.P, e.Q, scratch_of(g));
      else
        direct.forward(shape, x.image(g), w, epilogue);
    });
  }

  /// Of group g: into `sums` unless null, and into dx unless its data is null.
  void backward(int64_t g, const float* w, float* sums, const LaneImage& dx, float* scratch) const {
    cpu::LaneGradient dy;
    dy.dy = y.image(g);
    dy.P = e.P;
    dy.Q = e.Q;
    if (winograd)
      fast.backward(x.image(g), e.padding, u.data<float>(), dy, sums, nullptr, dx, scratch);
    else
      direct.backward(shape, x.image(g), w, dy, sums, nullptr, dx, scratch);
  }

  void input_gradient(const LaneBatch& dx, const float* w) const {
    transform(w);
    parallel_for(x.groups(), [&](int64_t g) { backward(g, w, nullptr, dx.image(g), scratch_of(g)); });
  }

  void weight_gradient() const {
    const int64_t groups = x.groups(), size = sums.size(1);
    parallel_for(slots, [&](int64_t slot) {
      float* mine = sums.data<float>() + slot * size;
      std::fill_n(mine, size, 0.f);
      for (int64_t g = slot * groups / slots; g < (slot + 1) * groups / slots; ++g)
        backward(g, nullptr, mine, {}, scratch_of(slot));
    });
    parallel_blocks(size, 4096, [&](int64_t begin, int64_t end) {
      float* total = sums.data<float>();
      for (int64_t s = 1; s < slots; ++s)
        for (int64_t i = begin; i < end; ++i) total[i] += total[s * size + i];
    });
    parallel_blocks(e.K, 8, [&](int64_t k0, int64_t k1) {
      if (winograd)
        fast.finish_weights(e.C, e.K, sums.data<float>(), dw.data<float>(), k0, k1);
      else
        direct.finish_weights(shape, e.C, e.K, sums.data<float>(), dw.data<float>(), k0, k1);
    });
  }

  ConvExtents e;
  bool winograd;
  const cpu::LaneConvSimd& direct = cpu::lane_conv_simd();
  const cpu::WinogradSimd& fast;  // meaningless unless winograd
  cpu::LaneConvShape shape;
  LaneBatch x, y;
  int64_t slots, sums_size, scratch_size;
  Tensor u, sums, scratch, dw;
};

}  // namespace

bool lanes_has(const ConvExtents& e, bool winograd) {
  if (e.N < cpu::lane_layout_simd().lanes / 2) return false;  // most lanes would be empty
  return !winograd || (e.R == e.S && cpu::WinogradTiling::fits(e.R) && e.stride == 1 && e.dilation == 1 &&
                       e.groups == 1 && e.C >= cpu::WinogradTiling{e.R}.fewest_channels());
}

Contestant lanes_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b, bool winograd) {
  const auto work = std::make_shared<Work>(e, winograd);
  if (pass == ConvPass::forward) {
    work->x.load(a);
    return {.run = [=] { work->forward(b.data<float>()); }, .result = [=] { return work->y.row_major(); }};
  }
  if (pass == ConvPass::input_gradient) {
    work->y.load(a);
    const auto dx = std::make_shared<LaneBatch>(Shape{e.N, e.C, e.H, e.W}, halo(e, winograd));
    return {.run = [=] { work->input_gradient(*dx, b.data<float>()); },
            .result = [=] { return dx->row_major(); }};
  }
  work->x.load(a);
  work->y.load(b);
  return {.run = [=] { work->weight_gradient(); }, .result = [=] { return values_of(work->dw); }};
}

}  // namespace uncial::bench
