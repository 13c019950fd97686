#include "support/check_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/parallel.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"

namespace uncial::test {
namespace {

std::string describe(const Tensors& inputs) {
  std::string text;
  for (const Tensor& x : inputs) text += join(x.dtype(), x.shape(), ' ');
  return text;
}

Tensors strided(const Tensors& inputs) {
  Tensors views;
  for (const Tensor& x : inputs) views.push_back(as_strided(x));
  return views;
}

/// The value of op, then the gradient of each float input for a fixed dy.
Tensors value_and_gradients(const OpCheck& check, const Tensors& inputs) {
  Tensors leaves = inputs, results;
  for (Tensor& x : leaves)
    if (check.gradient_tolerance > 0 && is_floating(x.dtype())) x = parameter(x);
  const Tensor y = check.op(leaves);
  results.push_back(y.detach());
  if (!y.requires_grad()) return results;
  y.backward(randn(y.shape(), 7, y.dtype()).to(y.device()));
  for (const Tensor& x : leaves)
    if (x.requires_grad() && x.grad().defined()) results.push_back(x.grad());
  return results;
}

/// The gradients of the sum of the squares of op's gradients.
Tensors second_gradients(const OpCheck& check, const Tensors& inputs) {
  Tensors leaves = inputs, wanted, results;
  for (Tensor& x : leaves)
    if (is_floating(x.dtype())) wanted.push_back(x = parameter(x));
  const Tensor y = check.op(leaves);
  Tensor total = sum(y * y);
  for (const Tensor& d : gradients(total, wanted, {}, {.create_graph = true}))
    if (d.defined()) total = total + sum(d * d);
  for (const Tensor& d : gradients(total, wanted))
    if (d.defined()) results.push_back(d);
  return results;
}

void check_threads(const OpCheck& check, const Tensors& inputs) {
  Tensors expected;
  for (int count : {1, 2, 3}) {
    const Threads threads(count);
    const Tensors actual = value_and_gradients(check, inputs);
    if (count == 1) expected = actual;
    for (size_t i = 0; i < actual.size(); ++i) {
      INFO(count << " threads, " << (i == 0 ? "value" : "gradient"));
      CHECK(same_bits(actual[i], expected[i]));
    }
  }
}

/// Largest magnitude, at least 1.
double largest(const Tensor& x) {
  double most = 1;
  for_each_index(x.shape(),
                 [&](const Extents& index) { most = std::max(most, std::abs(element(x, index))); });
  return most;
}

void check_float32(const OpCheck& check, const Tensors& inputs) {
  Tensors narrow, rounded;
  for (const Tensor& x : inputs) {
    const bool converts = x.dtype() == DType::float64;
    narrow.push_back(converts ? x.to(DType::float32) : x);
    rounded.push_back(converts ? narrow.back().to(DType::float64) : x);
  }
  const Tensors expected = value_and_gradients(check, rounded);
  for_each_isa([&](const std::string& isa) {
    INFO("float32 on " << isa);
    const Tensors actual = value_and_gradients(check, narrow);
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      const double scale = check.sums ? largest(expected[i]) : 1;
      check_close(actual[i].to(DType::float64) / scale, expected[i].to(DType::float64) / scale,
                  check.float_tolerance);
    }
  });
}

/// The same results as on the CPU, as far as another order of summation allows.
void check_gpu(const OpCheck& check, const Tensors& inputs, double tolerance,
               Tensors (*results_of)(const OpCheck&, const Tensors&) = value_and_gradients) {
  if (tolerance == 0 && check.value_tolerance > 0) return;
  const Tensors expected = results_of(check, inputs);
  for_each_gpu([&](Device gpu) {
    INFO("on " << gpu);
    Tensors there;
    for (const Tensor& x : inputs) there.push_back(x.to(gpu));
    for (const Tensors& operands : {there, strided(there)}) {
      const Tensors actual = results_of(check, operands);
      REQUIRE(actual.size() == expected.size());
      for (size_t i = 0; i < actual.size(); ++i) {
        CHECK(actual[i].device() == gpu);
        const double scale = check.sums ? largest(expected[i]) : 1;
        check_close(actual[i].to(Device::cpu()).to(DType::float64) / scale,
                    expected[i].to(DType::float64) / scale, tolerance);
      }
    }
  });
}

void check_one(const OpCheck& check, const Tensors& inputs) {
  const Tensor value = check.op(inputs);
  if (check.reference) check_close(value, check.reference(inputs), check.value_tolerance);
  const Tensors views = strided(inputs);
  check_close(check.op(views), value, check.value_tolerance);
  check_threads(check, inputs);
  if (check.gradient_tolerance > 0) {
    CHECK(gradient_gap(check.op, inputs) <= check.gradient_tolerance);
    CHECK(gradient_gap(check.op, views) <= check.gradient_tolerance);
  }
  if (check.second_tolerance > 0) CHECK(second_gradient_gap(check.op, inputs) <= check.second_tolerance);
  if (check.float_tolerance > 0) check_float32(check, inputs);
  check_gpu(check, inputs, check.value_tolerance);
  if (check.second_tolerance > 0) check_gpu(check, inputs, check.second_tolerance, second_gradients);
  if (check.float_tolerance > 0) {
    Tensors narrow;
    for (const Tensor& x : inputs) narrow.push_back(x.dtype() == DType::float64 ? x.to(DType::float32) : x);
    check_gpu(check, narrow, check.float_tolerance);
  }
}

}  // namespace

void check_op(const OpCheck& check) {
  for (const Tensors& inputs : check.inputs) {
    INFO("inputs " << describe(inputs));
    check_one(check, inputs);
  }
}

void check_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  INFO("shapes " << actual.shape() << " and " << expected.shape());
  REQUIRE(actual.shape() == expected.shape());
  const Tensor a = actual.detach().to(Device::cpu()).to(DType::float64).contiguous(),
               e = expected.detach().to(DType::float64).contiguous();
  const double *x = a.data<double>(), *y = e.data<double>();
  for (int64_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(x[i]) && std::isnan(y[i]);
    if (x[i] == y[i] || both_nan || std::abs(x[i] - y[i]) <= tolerance * std::max(1.0, std::abs(y[i])))
      continue;
    FAIL_CHECK("element " << i << " is " << x[i] << ", expected " << y[i] << " within " << tolerance);
    return;  // one line for each tensor is enough
  }
  SUCCEED();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const Tensor x = a.detach().to(Device::cpu()).contiguous(), y = b.detach().to(Device::cpu()).contiguous();
  return x.bytes() == 0 || std::memcmp(x.view().data, y.view().data, size_t(x.bytes())) == 0;
}

Tensor as_strided(const Tensor& x) {
  Shape large;
  Extents back;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    large.push_back(2 * x.shape()[axis] + 1);
    back.push_back(axis);
  }
  Tensor view = zeros(large, x.dtype(), x.device()).permute(back);
  for (int axis = 0; axis < x.rank(); ++axis) view = view.slice(axis, {.start = 1, .step = 2});
  view.copy_(x);
  return view;
}

Tensor beside(const Tensor& x, const Tensor& t) {
  if (!t.defined()) return t;
  return (is_floating(t.dtype()) ? t.to(x.dtype()) : t).to(x.device());
}

void for_each_index(const Shape& shape, const std::function<void(const Extents&)>& body) {
  Extents index = Extents::filled(shape.rank(), 0);
  for (int64_t left = count(shape); left > 0; --left) {
    body(index);
    for (int axis = shape.rank() - 1; axis >= 0 && ++index[axis] == shape[axis]; --axis) index[axis] = 0;
  }
}

double element(const Tensor& x, const Extents& index) {
  int64_t offset = 0;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.shape()[axis] > 1) offset += index[index.rank() - x.rank() + axis] * x.strides()[axis];
  return dispatch(storage_types, x.dtype(), "element", [&]<class T>() -> double {
    if constexpr (std::is_same_v<T, bfloat16>)
      return double(float(x.view().as<T>()[offset]));
    else
      return double(x.view().as<T>()[offset]);
  });
}

Tensor slow_map(const Tensor& x, const std::function<double(double)>& f) {
  const Tensor y = empty(x.shape(), DType::float64);
  double* to = y.data<double>();
  for_each_index(x.shape(), [&](const Extents& index) { *to++ = f(element(x, index)); });
  return y;
}

Tensor slow_zip(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& f) {
  const int rank = std::max(a.rank(), b.rank());
  Shape shape = Extents::filled(rank, 1);
  for (const Tensor* x : {&a, &b})
    for (int axis = 0; axis < x->rank(); ++axis)
      if (x->shape()[axis] != 1) shape[rank - x->rank() + axis] = x->shape()[axis];
  const Tensor y = empty(shape, DType::float64);
  double* to = y.data<double>();
  for_each_index(shape, [&](const Extents& index) { *to++ = f(element(a, index), element(b, index)); });
  return y;
}

Threads::Threads(int count) { set_num_threads(count); }
Threads::~Threads() { set_thread_pool(nullptr); }

}  // namespace uncial::test
