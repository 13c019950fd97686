#include "uncial/nn/layers.h"

#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/conv.h"
#include "uncial/ops/matmul.h"
#include "uncial/ops/shape_ops.h"

namespace uncial::nn {
namespace {

const Initializer& or_default(const Initializer& chosen, const Initializer& fallback) {
  return chosen ? chosen : fallback;
}

/// Weight and bias, both starting from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) unless told otherwise.
template <class Options>
void visit_weight_and_bias(Fields& fields, Tensor& weight, Tensor& bias, const Options& options) {
  const Initializer start = init::fan_in_uniform(fans_of(weight.shape()).in);
  fields.parameter("weight", weight, or_default(options.weight_init, start));
  if (options.bias) fields.parameter("bias", bias, or_default(options.bias_init, start));
}

void check_channels(const char* what, int64_t in, int64_t out, int64_t kernel, int64_t groups) {
  require(in >= 1 && out >= 1 && kernel >= 1 && groups >= 1, what,
          ": needs in, out, kernel and groups >= 1, got ", in, ", ", out, ", ", kernel, " and ", groups, ".");
  require(in % groups == 0 && out % groups == 0, what, ": groups = ", groups, " must divide in = ", in,
          " and out = ", out, ".");
}

void check_steps(const char* what, int64_t stride, int64_t padding, int64_t dilation) {
  require(stride >= 1 && padding >= 0 && dilation >= 1, what,
          ": needs stride >= 1, padding >= 0 and dilation >= 1, got ", stride, ", ", padding, " and ",
          dilation, ".");
}

}  // namespace

Dense::Dense(int64_t in, int64_t out, DenseOptions options)
    : in_(in), out_(out), options_(std::move(options)) {
  require(in >= 1 && out >= 1, "Dense: needs in >= 1 and out >= 1, got ", in, " and ", out, ".");
  weight = parameter(empty({out, in}));
  if (options_.bias) bias = parameter(empty({out}));
  initialize_untouched(*this);
}

Tensor Dense::forward(const Tensor& x, Context& context) const {
  return linear(x, weight, bias, context.precision());
}

std::vector<Attribute> Dense::attributes() const {
  return {{"in", in_}, {"out", out_}, {"bias", options_.bias}};
}

void Dense::visit(Fields& fields) { visit_weight_and_bias(fields, weight, bias, options_); }

std::shared_ptr<Module> Dense::copy() const { return std::make_shared<Dense>(*this); }

Conv2d::Conv2d(int64_t in, int64_t out, Conv2dOptions options)
    : in_(in), out_(out), options_(std::move(options)) {
  const Conv2dOptions& o = options_;
  check_channels("Conv2d", in, out, o.kernel, o.groups);
  check_steps("Conv2d", o.stride, o.padding, o.dilation);
  weight = parameter(empty({out, in / o.groups, o.kernel, o.kernel}));
  if (o.bias) bias = parameter(empty({out}));
  initialize_untouched(*this);
}

Tensor Conv2d::forward(const Tensor& x, Context& context) const {
  const Conv2dOptions& o = options_;
  return conv2d(x, weight, bias,
                {.stride = o.stride,
                 .padding = o.padding,
                 .dilation = o.dilation,
                 .groups = o.groups,
                 .precision = context.precision()});
}

std::vector<Attribute> Conv2d::attributes() const {
  const Conv2dOptions& o = options_;
  return {{"in", in_},          {"out", out_},          {"kernel", o.kernel},
          {"stride", o.stride}, {"padding", o.padding}, {"dilation", o.dilation},
          {"groups", o.groups}, {"bias", o.bias}};
}

void Conv2d::visit(Fields& fields) { visit_weight_and_bias(fields, weight, bias, options_); }

std::shared_ptr<Module> Conv2d::copy() const { return std::make_shared<Conv2d>(*this); }

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, ConvTranspose2dOptions options)
    : in_(in), out_(out), options_(std::move(options)) {
  const ConvTranspose2dOptions& o = options_;
  check_channels("ConvTranspose2d", in, out, o.kernel, o.groups);
  check_steps("ConvTranspose2d", o.stride, o.padding, o.dilation);
  require(o.output_padding >= 0 && o.output_padding < o.stride,
          "ConvTranspose2d: output_padding must be in [0, stride), got ", o.output_padding, " for stride ",
          o.stride, ".");
  weight = parameter(empty({in, out / o.groups, o.kernel, o.kernel}));
  if (o.bias) bias = parameter(empty({out}));
  initialize_untouched(*this);
}

Tensor ConvTranspose2d::forward(const Tensor& x, Context& context) const {
  const ConvTranspose2dOptions& o = options_;
  return conv_transpose2d(x, weight, bias,
                          {.stride = o.stride,
                           .padding = o.padding,
                           .output_padding = o.output_padding,
                           .dilation = o.dilation,
                           .groups = o.groups,
                           .precision = context.precision()});
}

std::vector<Attribute> ConvTranspose2d::attributes() const {
  const ConvTranspose2dOptions& o = options_;
  return {{"in", in_},
          {"out", out_},
          {"kernel", o.kernel},
          {"stride", o.stride},
          {"padding", o.padding},
          {"output_padding", o.output_padding},
          {"dilation", o.dilation},
          {"groups", o.groups},
          {"bias", o.bias}};
}

void ConvTranspose2d::visit(Fields& fields) { visit_weight_and_bias(fields, weight, bias, options_); }

std::shared_ptr<Module> ConvTranspose2d::copy() const { return std::make_shared<ConvTranspose2d>(*this); }

Dropout::Dropout(double p) : p_(p) { require(p >= 0 && p < 1, "Dropout: p must be in [0, 1), got ", p, "."); }

Tensor Dropout::forward(const Tensor& x, Context& context) const { return context.dropout(x, p_); }
std::vector<Attribute> Dropout::attributes() const { return {{"p", p_}}; }
std::shared_ptr<Module> Dropout::copy() const { return std::make_shared<Dropout>(*this); }

Tensor Flatten::forward(const Tensor& x, Context&) const { return flatten(x, first_axis_); }
std::vector<Attribute> Flatten::attributes() const { return {{"first_axis", first_axis_}}; }
std::shared_ptr<Module> Flatten::copy() const { return std::make_shared<Flatten>(*this); }

}  // namespace uncial::nn
