#include "update_ops.h"

#include "uncial/autograd/grad_mode.h"

namespace uncial::optim {
namespace {

struct AdvanceOp : Op {
  std::string_view name() const override { return "advance"; }
  Specs infer(std::span<const Spec> in) const override {
    ensure(in[0].dtype == DType::int64 && in[0].shape.empty(), "advance of ", in[0].dtype, in[0].shape);
    return {};
  }
  void run(const Call& c) const override { kernels::advance<int64_t>(c.device(), c.in[0].as<int64_t>()); }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1; }
};

}  // namespace

void advance(const Tensor& counter) {
  const NoGrad no_grad;
  apply_op(std::make_shared<const AdvanceOp>(), {counter});
}

Specs UpdateOp::infer(std::span<const Spec> in) const {
  for (int i = 1; i <= written; ++i) {
    const Spec& s = in[size_t(i)];
    require(s.shape == in[0].shape && s.dtype == in[0].dtype, name(), ": the ",
            i == written ? "gradient" : "state", " is ", s.dtype, s.shape, ", the parameter ", in[0].dtype,
            in[0].shape, ".");
  }
  return {};
}

Cost UpdateOp::cost(std::span<const Spec> in, std::span<const Spec> out) const {
  Cost c = Op::cost(in, out);
  c.bytes += double(written) * double(in[0].bytes());
  c.flops = flops_per_value * double(count(in[0].shape));
  return c;
}

void SgdOp::run(const Call& c) const {
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    T* v = written == 2 ? c.in[1].as<T>() : nullptr;
    const View &g = c.in[size_t(written)], &lr = c.in[size_t(written) + 1];
    kernels::sgd_update<T>(c.device(), c.in[0].as<T>(), g.as<const T>(), v, lr.as<const double>(), rule,
                           g.size());
  });
}

std::vector<Attribute> SgdOp::attributes() const {
  return {{"momentum", rule.momentum}, {"weight_decay", rule.weight_decay}, {"nesterov", rule.nesterov}};
}

void RmspropOp::run(const Call& c) const {
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    T* v = written == 3 ? c.in[2].as<T>() : nullptr;
    const View &g = c.in[size_t(written)], &lr = c.in[size_t(written) + 1];
    kernels::rmsprop_update<T>(c.device(), c.in[0].as<T>(), g.as<const T>(), c.in[1].as<T>(), v,
                               lr.as<const double>(), rule, g.size());
  });
}

std::vector<Attribute> RmspropOp::attributes() const {
  return {{"alpha", rule.alpha},
          {"epsilon", rule.epsilon},
          {"momentum", rule.momentum},
          {"weight_decay", rule.weight_decay}};
}

void AdamOp::run(const Call& c) const {
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    kernels::adam_update<T>(c.device(), c.in[0].as<T>(), c.in[3].as<const T>(), c.in[1].as<T>(),
                            c.in[2].as<T>(), c.in[4].as<const double>(), c.in[5].as<const int64_t>(), rule,
                            c.in[0].size());
  });
}

std::vector<Attribute> AdamOp::attributes() const {
  return {{"beta1", rule.beta1},
          {"beta2", rule.beta2},
          {"epsilon", rule.epsilon},
          {"weight_decay", rule.weight_decay},
          {"decoupled", rule.decoupled}};
}

void AverageOp::run(const Call& c) const {
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    kernels::average_update<T>(c.device(), c.in[0].as<T>(), c.in[1].as<const T>(),
                               c.in[2].as<const int64_t>(), decay, c.in[0].size());
  });
}

}  // namespace uncial::optim
