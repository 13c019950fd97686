#include "uncial/nn/norm.h"

#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/norm.h"

namespace uncial::nn {
namespace {

void visit_affine(Fields& fields, Tensor& weight, Tensor& bias) {
  fields.parameter("weight", weight, init::constant(1));
  fields.parameter("bias", bias, init::constant(0));
}

}  // namespace

BatchNorm::BatchNorm(int64_t features, BatchNormOptions options) : features_(features), options_(options) {
  require(features >= 1, "BatchNorm: needs features >= 1, got ", features, ".");
  require(options.epsilon > 0 && options.momentum >= 0 && options.momentum <= 1,
          "BatchNorm: needs epsilon > 0 and momentum in [0, 1], got ", options.epsilon, " and ",
          options.momentum, ".");
  if (options.affine) {
    weight = parameter(empty({features}));
    bias = parameter(empty({features}));
  }
  running_mean = empty({features});
  running_var = empty({features});
}

Tensor BatchNorm::forward(const Tensor& x, Context& context) const {
  check(x.shape());
  if (!context.training())
    return batch_norm_inference(x, weight, bias, running_mean, running_var, options_.epsilon);
  const BatchNormResult r = batch_norm(x, weight, bias, options_.epsilon);
  const NoGrad no_grad;
  const double n = double(x.size() / features_), m = options_.momentum;
  const double unbias = n > 1 ? n / (n - 1) : 1;  // batch_norm() divides by n
  context.update(running_mean, r.mean, m);
  context.update(running_var, r.variance * unbias, m);
  return r.y;
}

std::vector<Attribute> BatchNorm::attributes() const {
  return {{"features", features_},
          {"epsilon", options_.epsilon},
          {"momentum", options_.momentum},
          {"affine", options_.affine}};
}

void BatchNorm::visit(Fields& fields) {
  if (options_.affine) visit_affine(fields, weight, bias);
  fields.buffer("running_mean", running_mean, 0);
  fields.buffer("running_var", running_var, 1);
}

BatchNorm1d::BatchNorm1d(int64_t features, BatchNormOptions options) : BatchNorm(features, options) {
  initialize_untouched(*this);
}

void BatchNorm1d::check(const Shape& x) const {
  require((x.rank() == 2 || x.rank() == 3) && x[1] == features_, "BatchNorm1d: x must be (N, ", features_,
          ") or (N, ", features_, ", L), got ", x, ".");
}

std::shared_ptr<Module> BatchNorm1d::copy() const { return std::make_shared<BatchNorm1d>(*this); }

BatchNorm2d::BatchNorm2d(int64_t features, BatchNormOptions options) : BatchNorm(features, options) {
  initialize_untouched(*this);
}

void BatchNorm2d::check(const Shape& x) const {
  require(x.rank() == 4 && x[1] == features_, "BatchNorm2d: x must be (N, ", features_, ", H, W), got ", x,
          x.rank() == 3 ? "; for a single image pass x.unsqueeze(0)." : ".");
}

std::shared_ptr<Module> BatchNorm2d::copy() const { return std::make_shared<BatchNorm2d>(*this); }

LayerNorm::LayerNorm(int64_t features, LayerNormOptions options) : features_(features), options_(options) {
  require(features >= 1 && options.epsilon > 0, "LayerNorm: needs features >= 1 and epsilon > 0, got ",
          features, " and ", options.epsilon, ".");
  if (options.affine) {
    weight = parameter(empty({features}));
    bias = parameter(empty({features}));
  }
  initialize_untouched(*this);
}

Tensor LayerNorm::forward(const Tensor& x, Context&) const {
  require(x.rank() >= 1 && x.size(-1) == features_, "LayerNorm: x must be (..., ", features_, "), got ",
          x.shape(), ".");
  return layer_norm(x, weight, bias, options_.epsilon);
}

std::vector<Attribute> LayerNorm::attributes() const {
  return {{"features", features_}, {"epsilon", options_.epsilon}, {"affine", options_.affine}};
}

void LayerNorm::visit(Fields& fields) {
  if (options_.affine) visit_affine(fields, weight, bias);
}

std::shared_ptr<Module> LayerNorm::copy() const { return std::make_shared<LayerNorm>(*this); }

}  // namespace uncial::nn
