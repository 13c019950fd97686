#include "update_ops.h"

#include <algorithm>
#include <typeinfo>

#include "uncial/autograd/grad_mode.h"

namespace uncial::optim {
namespace {

/// Input `place` when there is one, else null.
const float* unscale_of(const Call& c, size_t place) {
  return c.in.size() > place ? c.in[place].as<const float>() : nullptr;
}

/// Inputs: counter, [unscale].
struct AdvanceOp : Op {
  std::string_view name() const override { return "advance"; }
  Specs infer(std::span<const Spec> in) const override {
    ensure(in[0].dtype == DType::int64 && in[0].shape.empty(), "advance of ", in[0].dtype, in[0].shape);
    return {};
  }
  void run(const Call& c) const override {
    kernels::advance<int64_t>(c.device(), c.in[0].as<int64_t>(), unscale_of(c, 1));
  }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1; }
};

}  // namespace

void advance(const Tensor& counter, const Tensor& unscale) {
  const NoGrad no_grad;
  Tensors inputs{counter};
  if (unscale.defined()) inputs.push_back(unscale);
  apply_op(std::make_shared<const AdvanceOp>(), inputs);
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

bool UpdateOp::joins(const Op& next) const {
  return typeid(*this) == typeid(next) && attributes() == next.attributes();
}

void UpdateOp::run_all(std::span<const Call> calls) const {
  // Those of one optimiser share rate and step count; others are taken one by one.
  const auto alike = [&](const Call& call) {
    if (call.in[0].dtype != calls[0].in[0].dtype || call.in.size() != calls[0].in.size()) return false;
    for (size_t i = size_t(written) + 1; i < call.in.size(); ++i)
      if (call.in[i].data != calls[0].in[i].data) return false;
    return true;
  };
  if (std::all_of(calls.begin(), calls.end(), alike)) return run_together(calls);
  for (const Call& call : calls) run_together({&call, 1});
}

namespace {
/// Inputs as kernels take them: p, states, gradient.
template <class T>
std::vector<kernels::Updated<T>> table_of(std::span<const Call> calls, int written) {
  std::vector<kernels::Updated<T>> table;
  for (const Call& c : calls)
    table.push_back({c.in[0].as<T>(), c.in[size_t(written)].as<const T>(),
                     written > 1 ? c.in[1].as<T>() : nullptr, written > 2 ? c.in[2].as<T>() : nullptr,
                     c.in[0].size()});
  return table;
}
}  // namespace

void SgdOp::run_together(std::span<const Call> calls) const {
  const Call& c = calls[0];
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    const auto table = table_of<T>(calls, written);
    kernels::sgd_update_all<T>(c.device(), table.data(), int64_t(table.size()),
                               c.in[size_t(written) + 1].as<const double>(), rule,
                               unscale_of(c, size_t(written) + 2));
  });
}

std::vector<Attribute> SgdOp::attributes() const {
  return {{"momentum", rule.momentum}, {"weight_decay", rule.weight_decay}, {"nesterov", rule.nesterov}};
}

void RmspropOp::run_together(std::span<const Call> calls) const {
  const Call& c = calls[0];
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    const auto table = table_of<T>(calls, written);
    kernels::rmsprop_update_all<T>(c.device(), table.data(), int64_t(table.size()),
                                   c.in[size_t(written) + 1].as<const double>(), rule,
                                   unscale_of(c, size_t(written) + 2));
  });
}

std::vector<Attribute> RmspropOp::attributes() const {
  return {{"alpha", rule.alpha},
          {"epsilon", rule.epsilon},
          {"momentum", rule.momentum},
          {"weight_decay", rule.weight_decay}};
}

void AdamOp::run_together(std::span<const Call> calls) const {
  const Call& c = calls[0];
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    const auto table = table_of<T>(calls, written);
    kernels::adam_update_all<T>(c.device(), table.data(), int64_t(table.size()), c.in[4].as<const double>(),
                                c.in[5].as<const int64_t>(), rule, unscale_of(c, 6));
  });
}

std::vector<Attribute> AdamOp::attributes() const {
  return {{"beta1", rule.beta1},
          {"beta2", rule.beta2},
          {"epsilon", rule.epsilon},
          {"weight_decay", rule.weight_decay},
          {"decoupled", rule.decoupled}};
}

void AverageOp::run_together(std::span<const Call> calls) const {
  const Call& c = calls[0];
  dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
    const auto table = table_of<T>(calls, written);
    kernels::average_update_all<T>(c.device(), table.data(), int64_t(table.size()),
                                   c.in[2].as<const int64_t>(), decay);
  });
}

}  // namespace uncial::optim
