// Operators on images that are there already: pooling, normalisation, and what works on element after
// element.

#include <algorithm>
#include <cmath>

#include "planner.h"

namespace uncial::program::channels {
namespace {

class PoolStage final : public ImageStage {
 public:
  PoolStage(std::shared_ptr<Table> table, const Op& op, int step, int x, int y)
      : ImageStage(std::move(table)),
        max_(op.name() == "max_pool2d"),
        shape_{attribute<int64_t>(op, "kernel"), attribute<int64_t>(op, "stride"),
               attribute<int64_t>(op, "padding")},
        x_(x),
        y_(y) {
    steps_ = {step};
    images_ = {x, y};
  }
  std::string name() const override { return max_ ? "channel max_pool2d" : "channel avg_pool2d"; }
  void run(const Runtime& runtime) override {
    for (int64_t n = 0; n < table_->samples; ++n) {
      (max_ ? kernels().pool.max_pool : kernels().pool.average_pool)(view(runtime, x_, n), shape_,
                                                                     view(runtime, y_, n));
      table_->clear_halo(runtime, y_, n);
    }
  }

 private:
  bool max_;
  cpu::LanePoolShape shape_;
  int x_, y_;
};

/// Factors, then shifts, each of whole vectors of channels.
class NormFactors final : public Prepared {
 public:
  NormFactors(int64_t C, int64_t padded, double epsilon, const int (&values)[4])
      : C_(C), padded_(padded), epsilon_(epsilon) {
    std::copy_n(values, 4, values_);
  }
  int64_t floats() const override { return 2 * padded_; }
  int64_t tasks() const override { return 1; }
  const float* shifts() const { return data() + padded_; }
  void make(const Runtime& runtime, int64_t) const override {
    const float* in[4];  // scale, shift, mean, variance
    for (int i = 0; i < 4; ++i) in[i] = runtime.views[size_t(values_[i])].as<const float>();
    for (int64_t c = 0; c < padded_; ++c) {
      const double f = c < C_ ? double(in[0][c]) / std::sqrt(double(in[3][c]) + epsilon_) : 0;
      data()[c] = float(f);
      data()[padded_ + c] = c < C_ ? float(double(in[1][c]) - double(in[2][c]) * f) : 0;
    }
  }

 private:
  int64_t C_, padded_;
  double epsilon_;
  int values_[4];
};

class NormStage final : public ImageStage {
 public:
  NormStage(std::shared_ptr<Table> table, std::vector<int> steps, int x, int y,
            std::shared_ptr<NormFactors> factors)
      : ImageStage(std::move(table)), x_(x), y_(y), factors_{std::move(factors)} {
    steps_ = std::move(steps);
    images_ = {x, y};
    values_ = factors_[0]->sources();
  }
  std::string name() const override { return relu() ? "channel batch_norm+relu" : "channel batch_norm"; }
  std::vector<Piece> pieces() const override {
    std::vector<Piece> all = Stage::pieces();
    add_pieces(factors_, this, all);
    return all;
  }
  void run(const Runtime& runtime) override {
    update(factors_, runtime);
    const auto& factors = static_cast<const NormFactors&>(*factors_[0]);
    for (int64_t n = 0; n < table_->samples; ++n) {
      kernels().conv.affine(view(runtime, x_, n), factors.data(), factors.shifts(), relu(),
                            view(runtime, y_, n));
      table_->clear_halo(runtime, y_, n);
    }
  }

 private:
  bool relu() const { return steps_.size() > 1; }
  int x_, y_;
  std::vector<std::shared_ptr<Prepared>> factors_;
};

/// The operator as it is, on all samples at once: images of one geometry, halo included, as one run.
class PointwiseStage final : public ImageStage {
 public:
  /// An operand: an image, or (>= 0) a row-major value of one element.
  struct Operand {
    int image = -1, value = -1;
  };
  PointwiseStage(std::shared_ptr<Table> table, std::shared_ptr<const Op> op, int step,
                 std::vector<Operand> in, int y)
      : ImageStage(std::move(table)), op_(std::move(op)), in_(std::move(in)), y_(y), views_(in_.size()) {
    steps_ = {step};
    images_ = {y};
    for (const Operand& x : in_)
      (x.image >= 0 ? images_ : values_).push_back(x.image >= 0 ? x.image : x.value);
  }
  std::string name() const override { return "channel " + std::string(op_->name()); }
  void run(const Runtime& runtime) override {
    for (size_t i = 0; i < in_.size(); ++i)
      views_[i] = in_[i].image >= 0 ? all_of(runtime, in_[i].image) : runtime.views[size_t(in_[i].value)];
    View y = all_of(runtime, y_);
    op_->run({views_, {&y, 1}, nullptr});
    for (int64_t n = 0; n < table_->samples; ++n) table_->clear_halo(runtime, y_, n);
  }

 private:
  View all_of(const Runtime& runtime, int image) const {
    const int64_t size = table_->sample_floats(table_->images[size_t(image)]) * table_->samples;
    return {table_->memory(runtime, image), DType::float32, Device::cpu(), {size}, {1}};
  }
  std::shared_ptr<const Op> op_;
  std::vector<Operand> in_;
  int y_;
  std::vector<View> views_;
};

}  // namespace

bool lower_pool(Planner& p, int step) {
  const int x = p.image_of(p.graph().in(step, 0)), y = p.graph().out(step);
  if (x < 0 || !p.fits_image(y)) return false;
  p.add(std::unique_ptr<ImageStage>(
      std::make_unique<PoolStage>(p.table(), *p.graph().step(step).op, step, x, p.make_image(y))));
  return true;
}

bool lower_norm(Planner& p, int step) {
  const Graph& graph = p.graph();
  const auto found = p.fusions().norms.find(step);
  const int x = p.image_of(graph.in(step, 0));
  if (found == p.fusions().norms.end() || x < 0 || !p.fits_image(found->second.result)) return false;
  const int values[4] = {graph.in(step, 1), graph.in(step, 2), graph.in(step, 3), graph.in(step, 4)};
  for (int v : values)
    if (!p.plain_rows(v)) return false;
  for (int v : values) p.need_rows(v);
  const int64_t C = p.table()->images[size_t(x)].C;
  auto factors = std::make_shared<NormFactors>(C, p.kernels().vectors(C) * p.kernels().lanes,
                                               attribute<double>(*graph.step(step).op, "epsilon"), values);
  p.prepare(factors, {values, values + 4});
  std::vector<int> steps = {step};
  if (found->second.relu >= 0) steps.push_back(found->second.relu);
  p.add(std::unique_ptr<ImageStage>(std::make_unique<NormStage>(
      p.table(), std::move(steps), x, p.make_image(found->second.result), std::move(factors))));
  return true;
}

bool lower_pointwise(Planner& p, int step) {
  const Step& s = p.graph().step(step);
  if (s.outputs.size() != 1 || !p.fits_image(s.outputs[0])) return false;
  const auto one = [&](int v) { return count(p.shape(v)) == 1 && p.plain_rows(v); };
  std::vector<PointwiseStage::Operand> operands;
  int first = -1;
  for (int v : s.inputs) {
    if (one(v)) {
      operands.push_back({.image = -1, .value = v});
      continue;
    }
    const int image = p.image_of(v);
    if (image < 0 || p.shape(v) != p.shape(s.outputs[0])) return false;
    operands.push_back({.image = image, .value = -1});
    first = image;
  }
  if (first < 0) return false;
  const auto& images = p.table()->images;
  const int y = p.make_image(s.outputs[0]);
  for (const auto& x : operands) {
    if (x.value >= 0) p.need_rows(x.value);
    ensure(x.image < 0 || images[size_t(x.image)].halo == images[size_t(y)].halo, "operands of ",
           s.op->name(), " have other halos than its result");
  }
  p.add(std::unique_ptr<ImageStage>(
      std::make_unique<PointwiseStage>(p.table(), s.op, step, std::move(operands), y)));
  return true;
}

}  // namespace uncial::program::channels
