#include "uncial/optim/loss_scale.h"

#include <cmath>

#include "nn/walk.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/autograd/origin.h"
#include "uncial/kernels/loss_scale.h"

namespace uncial::optim {
namespace {

/// Inputs: factor, unscale, counts (all overwritten), then any number of gradients.
struct MoveLossScaleOp : Op {
  explicit MoveLossScaleOp(int64_t steps) : interval(steps) {}
  std::string_view name() const override { return "move_loss_scale"; }
  Specs infer(std::span<const Spec> in) const override {
    for (const Spec& gradient : in.subspan(kGradients))
      require(gradient.device == in[0].device, "loss scale: a gradient is on ", gradient.device,
              ", the factor on ", in[0].device, "; make it for the device of the parameters.");
    return {};
  }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 0b111; }
  std::vector<Attribute> attributes() const override { return {{"interval", interval}}; }
  void run(const Call& c) const override {
    auto* counts = c.in[2].as<int64_t>();
    find<float>(c, counts);
    find<double>(c, counts);
    kernels::move_loss_scale<float>(c.device(), c.in[0].as<float>(), c.in[1].as<float>(),
                                    reinterpret_cast<LossScaleCounts*>(counts), interval);
  }
  int64_t interval;

 private:
  static constexpr size_t kGradients = 3;
  template <class T>
  static void find(const Call& c, int64_t* found) {
    std::vector<kernels::Values<T>> table;
    for (const View& g : c.in.subspan(kGradients))
      if (g.dtype == dtype_of<T>()) table.push_back({g.as<const T>(), g.size()});
    if (!table.empty()) kernels::find_not_finite<T>(c.device(), table.data(), int64_t(table.size()), found);
  }
};

}  // namespace

LossScale::LossScale(Device device, LossScaleOptions options) : options_(options) {
  int exponent = 0;
  require(options.start >= kSmallestLossScale && options.start <= kLargestLossScale &&
              std::frexp(options.start, &exponent) == 0.5,
          "LossScale: start must be a power of two from 1 to 2^24, got ", options.start, ".");
  require(options.interval >= 1, "LossScale: interval must be >= 1, got ", options.interval, ".");
  factor_ = empty({}, DType::float32, device);
  unscale_ = empty({}, DType::float32, device);
  counts_ = empty({3}, DType::int64, device);
  restart();
}

void LossScale::restart() {
  const NoGrad no_grad;
  factor_.fill_(options_.start);
  unscale_.fill_(1 / options_.start);
  counts_.fill_(0);
}

void LossScale::update(const Tensors& parameters) {
  const NoGrad no_grad;
  const OriginScope origin({"optimizer", Pass::update});
  Tensors inputs{factor_, unscale_, counts_};
  for (const Tensor& p : parameters)
    if (const Tensor gradient = p.grad(); gradient.defined()) inputs.push_back(gradient);
  apply_op(std::make_shared<const MoveLossScaleOp>(options_.interval), inputs);
}

int64_t LossScale::skipped() const {
  const Tensor here = counts_.to(Device::cpu());
  return here.span<int64_t>()[2];
}

NamedTensors LossScale::state() const {
  return {{"factor", factor_}, {"unscale", unscale_}, {"counts", counts_}};
}

void LossScale::load_state(const NamedTensors& given) { nn::load_named("loss scale", state(), given); }

}  // namespace uncial::optim
