#include "uncial/nn/pooling.h"

namespace uncial::nn {

Pool2d::Pool2d(PoolOptions options) : options_(options) {
  const auto& [kernel, stride, padding] = options;
  require(kernel >= 1 && stride >= 0 && padding >= 0 && padding <= kernel / 2,
          "Pool2d: needs kernel >= 1, stride >= 0 and 0 <= padding <= kernel / 2, got ", kernel, ", ", stride,
          " and ", padding, ".");
}

std::vector<Attribute> Pool2d::attributes() const {
  return {{"kernel", options_.kernel}, {"stride", options_.stride}, {"padding", options_.padding}};
}

Tensor MaxPool2d::forward(const Tensor& x, Context&) const { return max_pool2d(x, options_); }
std::shared_ptr<Module> MaxPool2d::copy() const { return std::make_shared<MaxPool2d>(*this); }

Tensor AvgPool2d::forward(const Tensor& x, Context&) const { return avg_pool2d(x, options_); }
std::shared_ptr<Module> AvgPool2d::copy() const { return std::make_shared<AvgPool2d>(*this); }

Tensor GlobalAvgPool2d::forward(const Tensor& x, Context&) const { return global_avg_pool2d(x); }
std::shared_ptr<Module> GlobalAvgPool2d::copy() const { return std::make_shared<GlobalAvgPool2d>(*this); }

}  // namespace uncial::nn
