// Convolutions with bias, batch normalisation, ReLU and pooling: Winograd's form where it saves time, the
// direct form elsewhere.

#include <algorithm>
#include <cmath>

#include "planner.h"
#include "scratch.h"
#include "uncial/core/parallel.h"

namespace uncial::program::channels {
namespace {

/// Multiply-adds that are worth a task of their own: some 10 us; handing one over takes about one.
constexpr int64_t kTaskWork = 300'000;
constexpr int64_t kMostTasks = 16;
/// Floats of scratch memory for the tiles of a task: half of a level-2 cache.
constexpr int64_t kTileFloats = 128 * 1024;

cpu::ChannelConvShape shape_of(const Graph& graph, int step) {
  const Op& op = *graph.step(step).op;
  const Shape &x = graph.value(graph.in(step, 0)).shape, &w = graph.value(graph.in(step, 1)).shape,
              &y = graph.value(graph.out(step)).shape;
  return {.shape = {.R = w[2],
                    .S = w[3],
                    .stride = attribute<int64_t>(op, "stride"),
                    .padding = attribute<int64_t>(op, "padding"),
                    .dilation = attribute<int64_t>(op, "dilation"),
                    .groups = attribute<int64_t>(op, "groups")},
          .C = x[1],
          .K = w[0],
          .P = y[2],
          .Q = y[3]};
}

int64_t tiles(const cpu::ChannelConvShape& s) { return ceil_div(s.P, 4) * ceil_div(s.Q, 4); }

/// F(4x4, 3x3) computes whole tiles at 36 multiplications for 16 outputs instead of 144. Its transforms work
/// on whole vectors of channels, and its products want some tiles at a time.
bool winograd(const cpu::ChannelConvShape& s, int64_t lanes) {
  return s.shape.R == 3 && s.shape.S == 3 && s.shape.stride == 1 && s.shape.dilation == 1 &&
         s.shape.groups == 1 && s.shape.padding <= 2 && s.C >= lanes && s.K >= lanes && tiles(s) >= 4;
}

/// Packed filters, then biases, then factors, each of whole vectors.
class Filters final : public Prepared {
 public:
  Filters(const Kernels& kernels, const cpu::ChannelConvShape& s, bool with_winograd, bool in_lanes)
      : kernels_(kernels), s_(s), winograd_(with_winograd), in_lanes_(in_lanes) {}

  int w = -1, bias_value = -1;                           ///< values; -1: no bias
  int scale = -1, shift = -1, mean = -1, variance = -1;  ///< of a normalisation, or -1
  double epsilon = 0;

  int64_t floats() const override { return filter_floats() + 2 * padded(); }
  int64_t tasks() const override { return ceil_div(kernels_.vectors(s_.K), 2); }
  const float* biases() const { return data() + filter_floats(); }

  void make(const Runtime& runtime, int64_t task) const override {
    const auto operand = [&](int value) { return runtime.views[size_t(value)].as<const float>(); };
    const int64_t v0 = 2 * task, v1 = std::min(v0 + 2, kernels_.vectors(s_.K));
    float *bias = data() + filter_floats(), *factor = bias + padded();
    for (int64_t k = v0 * kernels_.lanes; k < v1 * kernels_.lanes; ++k) {
      bias[k] = k < s_.K && bias_value >= 0 ? operand(bias_value)[k] : 0.0f;
      if (scale < 0 || k >= s_.K) continue;
      const double f = double(operand(scale)[k]) / std::sqrt(double(operand(variance)[k]) + epsilon);
      factor[k] = float(f);
      bias[k] = float((double(bias[k]) - double(operand(mean)[k])) * f + double(operand(shift)[k]));
    }
    const float* factors = scale < 0 ? nullptr : factor;
    if (winograd_)
      kernels_.winograd.transform_filters(s_.C, s_.K, operand(w), factors, data(), v0, v1);
    else
      kernels_.conv.pack(s_, in_lanes_, operand(w), factors, data(), v0, v1);
  }

 private:
  int64_t padded() const { return kernels_.vectors(s_.K) * kernels_.lanes; }
  int64_t filter_floats() const {
    return winograd_ ? kernels_.winograd.filter_floats(s_.C, s_.K) : kernels_.conv.filter_floats(s_);
  }
  Kernels kernels_;
  cpu::ChannelConvShape s_;
  bool winograd_, in_lanes_;
};

class ConvStage final : public ImageStage {
 public:
  /// Reads image x, or, when that is -1, the row-major value `rows`.
  ConvStage(std::shared_ptr<Table> table, const cpu::ChannelConvShape& s, int x, int rows, int y,
            std::shared_ptr<Filters> filters, bool with_winograd, const ConvFusion& fusion,
            std::vector<int> steps, const Shape& rows_shape)
      : ImageStage(std::move(table)),
        s_(s),
        x_(x),
        rows_(rows),
        y_(y),
        filters_{std::move(filters)},
        winograd_(with_winograd),
        norm_(fusion.norm >= 0),
        relu_(fusion.relu >= 0),
        pool_(fusion.pool >= 0) {
    steps_ = std::move(steps);
    values_ = filters_[0]->sources();
    images_ = {y};
    if (x >= 0)
      images_.push_back(x);
    else
      values_.push_back(rows);
    cut();
    source_ = distances(rows_shape);
    if (winograd_) return;
    taps_.resize(size_t(s_.C * s_.shape.R * s_.shape.S));
    kernels().conv.taps(s_, source_, taps_.data());
    source_.taps = taps_.data();
  }
  std::string name() const override {
    return std::string(winograd_ ? "channel winograd" : "channel conv2d") + (norm_ ? "+batch_norm" : "") +
           (relu_ ? "+relu" : "") + (pool_ ? "+max_pool2d" : "");
  }
  std::vector<Piece> pieces() const override {
    std::vector<Piece> all = Stage::pieces();
    add_pieces(filters_, this, all);
    return all;
  }
  void run(const Runtime& runtime) override {
    update(filters_, runtime);
    const int64_t tasks = cuts_ * filter_cuts_;
    parallel_for(table_->samples * tasks, [&](int64_t number) {
      const int64_t n = number / tasks, task = number % tasks;
      if (task == 0) table_->clear_halo(runtime, y_, n);
      run_task(source(runtime, n), view(runtime, y_, n), task / filter_cuts_, task % filter_cuts_);
    });
  }

 private:
  /// By shape alone, so that results have the same bits for any number of threads.
  void cut() {
    const int64_t work = s_.C * s_.K * s_.shape.R * s_.shape.S * s_.P * s_.Q / (winograd_ ? 4 : 1);
    const int64_t wanted = std::clamp<int64_t>((work + kTaskWork / 2) / kTaskWork, 1, kMostTasks);
    size_ = winograd_ ? tiles(s_) : pool_ ? s_.P / 2 : s_.P;
    cuts_ = std::min(size_, wanted);
    if (winograd_) {
      const auto fits = [&](int64_t cuts) {
        return kernels().winograd.workspace_floats(s_.C, s_.K, ceil_div(size_, cuts)) <= kTileFloats;
      };
      // Few tiles at a time fill no register block.
      cuts_ = std::min(cuts_, std::max<int64_t>(1, size_ / 8));
      while (cuts_ < size_ / 8 && !fits(cuts_)) ++cuts_;
      // Each cut of the filters transforms the input again, but reads its own weights only.
      if (cuts_ == 1 && table_->samples == 1) filter_cuts_ = std::min(wanted, filters_[0]->tasks());
    } else {
      filter_cuts_ = std::clamp<int64_t>(wanted / std::max<int64_t>(cuts_, 1), 1, filters_[0]->tasks());
    }
  }
  /// Of image x_, or of row-major planes of W columns, without an address.
  cpu::ChannelSource distances(const Shape& rows) const {
    if (x_ < 0) return {nullptr, s_.C, rows[2] * rows[3], rows[3], nullptr, false};
    const Image& x = table_->images[size_t(x_)];
    const int64_t row = x.columns() * table_->step(x);
    return {nullptr, s_.C, x.rows() * row, row, nullptr, x.in_lanes};
  }
  cpu::ChannelSource source(const Runtime& runtime, int64_t n) const {
    cpu::ChannelSource x = source_;
    x.data = x_ < 0 ? runtime.views[size_t(rows_)].as<const float>() + n * s_.C * x.plane
                    : view(runtime, x_, n).data -
                          s_.shape.padding * (x.row + table_->step(table_->images[size_t(x_)]));
    return x;
  }
  void run_task(const cpu::ChannelSource& x, const cpu::LaneImage& y, int64_t block,
                int64_t filter_block) const {
    const auto& filters = static_cast<const Filters&>(*filters_[0]);
    const cpu::LaneEpilogue epilogue{.bias = filters.biases(), .relu = relu_, .pool = pool_, .y = y};
    const int64_t first = block * size_ / cuts_, last = (block + 1) * size_ / cuts_;
    const int64_t pairs = filters.tasks(), vectors = kernels().vectors(s_.K);
    const int64_t v0 = filter_block * pairs / filter_cuts_ * 2,
                  v1 = std::min((filter_block + 1) * pairs / filter_cuts_ * 2, vectors);
    if (winograd_) {
      float* workspace = cpu::scratch<float>(cpu::ScratchSlot::group_workspace,
                                             kernels().winograd.workspace_floats(s_.C, s_.K, last - first));
      kernels().winograd.forward(s_, x, filters.data(), epilogue, v0, v1, first, last, workspace);
      return;
    }
    float* workspace =
        pool_ ? cpu::scratch<float>(cpu::ScratchSlot::group_workspace, 4 * kernels().lanes * s_.Q) : nullptr;
    kernels().conv.forward(s_, x, filters.data(), epilogue, v0, v1, first, last, workspace);
  }

  cpu::ChannelConvShape s_;
  cpu::ChannelSource source_;
  std::vector<int32_t> taps_;
  int x_, rows_, y_;
  std::vector<std::shared_ptr<Prepared>> filters_;
  bool winograd_, norm_, relu_, pool_;
  int64_t size_ = 0, cuts_ = 1, filter_cuts_ = 1;
};

/// What the filters are made of, and their values.
std::vector<int> name_operands(const Graph& graph, int step, const ConvFusion& fusion, Filters& filters) {
  std::vector<int> sources = {filters.w = graph.in(step, 1)};
  if (graph.step(step).inputs.size() > 2) sources.push_back(filters.bias_value = graph.in(step, 2));
  if (fusion.norm < 0) return sources;
  filters.epsilon = attribute<double>(*graph.step(fusion.norm).op, "epsilon");
  int* const to[] = {&filters.scale, &filters.shift, &filters.mean, &filters.variance};
  for (size_t i = 0; i < 4; ++i) sources.push_back(*to[i] = graph.in(fusion.norm, i + 1));
  return sources;
}

}  // namespace

Halo conv_halo(const Graph& graph, int step, const Kernels& kernels) {
  const cpu::ChannelConvShape s = shape_of(graph, step);
  const int64_t padding = s.shape.padding;
  if (!winograd(s, kernels.lanes)) return {padding, padding, padding};
  const Shape& x = graph.value(graph.in(step, 0)).shape;
  const auto beyond = [&](int64_t out, int64_t in) {
    return std::max<int64_t>(0, ceil_div(out, 4) * 4 + 2 - padding - in);
  };
  return {padding, beyond(s.P, x[2]), beyond(s.Q, x[3])};
}

bool lower_conv(Planner& p, int step) {
  const auto found = p.fusions().convs.find(step);
  if (found == p.fusions().convs.end()) return false;
  const Graph& graph = p.graph();
  const cpu::ChannelConvShape s = shape_of(graph, step);
  if (s.shape.groups != 1 || count(p.shape(found->second.result)) == 0) return false;
  const bool with_winograd = winograd(s, p.kernels().lanes);
  const int xv = graph.in(step, 0);
  const Halo halo = conv_halo(graph, step, p.kernels());
  int x = p.image_of(xv);
  if (x < 0 && (with_winograd || !halo.none())) x = p.load(xv, with_winograd, halo);
  if (x < 0) p.need_rows(xv);
  auto filters = std::make_shared<Filters>(p.kernels(), s, with_winograd,
                                           x >= 0 && p.table()->images[size_t(x)].in_lanes);
  const std::vector<int> sources = name_operands(graph, step, found->second, *filters);
  for (int v : sources) p.need_rows(v);
  p.prepare(filters, sources);
  std::vector<int> steps;
  for (int t : {step, found->second.norm, found->second.relu, found->second.pool})
    if (t >= 0) steps.push_back(t);
  p.add(std::unique_ptr<ImageStage>(
      std::make_unique<ConvStage>(p.table(), s, x, xv, p.make_image(found->second.result), std::move(filters),
                                  with_winograd, found->second, std::move(steps), p.shape(xv))));
  return true;
}

}  // namespace uncial::program::channels
