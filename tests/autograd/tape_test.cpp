// What the tape promises: accumulation, freeing, refusals.
#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {
Tensor leaf(std::initializer_list<double> values) { return parameter(tensor<double>(values)); }
}  // namespace

TEST_CASE("tape: backward fills the gradients of leaves only") {
  const Tensor x = leaf({1, 2, 3}), constant = tensor<double>({4, 5, 6});
  const Tensor hidden = x * constant;
  CHECK(hidden.requires_grad());
  CHECK_FALSE(hidden.is_leaf());
  CHECK(x.is_leaf());
  hidden.sum().backward();
  check_close(x.grad(), constant, 0);
  CHECK_FALSE(hidden.grad().defined());
  CHECK_FALSE(constant.grad().defined());
}

TEST_CASE("tape: gradients accumulate over calls and over uses, until they are zeroed") {
  const Tensor x = leaf({2});
  for (int call = 1; call <= 3; ++call) {
    (x * x + x).sum().backward();
    CHECK(x.grad().item() == 5 * call);
  }
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  (x * 3.0).sum().backward();
  CHECK(x.grad().item() == 3);
}

TEST_CASE("tape: paths of different length meet before they go on") {
  // d/dx of ((x^2)^2 + x^2 + x) with the shared x^2 reached over two ways.
  const Tensor x = leaf({3});
  const Tensor s = square(x);
  (square(s) + s + x).sum().backward();
  CHECK(x.grad().item() == 4 * 27 + 2 * 3 + 1);
}

TEST_CASE("tape: a gradient may be passed in, of the right shape only") {
  const Tensor x = leaf({1, 2});
  (x * 2.0).backward(tensor<double>({10, 100}));
  check_close(x.grad(), tensor<double>({20, 200}), 0);
  check_error([&] { (x * 2.0).backward(tensor<double>({1})); },
              "backward: the gradient is float64(1), the tensor float64(2)");
  check_error([&] { (x * 2.0).backward(tensor<float>({1, 1})); }, "the gradient is float32(2)");
}

TEST_CASE("tape: backward needs a scalar and something that wants a gradient") {
  const Tensor x = leaf({1, 2});
  check_error([&] { (x * 2.0).backward(); }, "backward: needs a scalar, got shape (2); reduce it first");
  check_error([] { ones({}).backward(); }, "does not depend on anything that wants a gradient");
  check_error([&] { x.detach().sum().backward(); }, "does not depend");
}

TEST_CASE("tape: the graph is freed by backward unless it is retained") {
  const Tensor x = leaf({2});
  const Tensor y = square(x).sum();
  y.backward(/*retain_graph=*/true);
  y.backward();
  CHECK(x.grad().item() == 8);
  check_error([&] { y.backward(); }, "was freed by an earlier backward(); pass retain_graph = true");
}

TEST_CASE("tape: values that were saved may not be changed in place") {
  const Tensor x = leaf({1, 2});
  SECTION("an input") {
    const Tensor constant = tensor<double>({3, 4});
    const Tensor y = (x * constant).sum();
    constant.fill_(0);
    check_error([&] { y.backward(); },
                "backward: input 1 of multiply was changed in place after it was saved");
  }
  SECTION("an output") {
    const Tensor e = exp(x);
    const Tensor y = e.sum();
    e.detach().fill_(0);
    check_error([&] { y.backward(); }, "backward: output 0 of exp was changed in place");
  }
  SECTION("through a view of the same memory") {
    const Tensor constant = tensor<double>({3, 4});
    const Tensor y = (x * constant).sum();
    constant.slice(0, {.start = 1}).copy_(zeros({1}));
    check_error([&] { y.backward(); }, "input 1 of multiply was changed");
  }
  SECTION("a change before it is saved is fine, and so is one of something not saved") {
    const Tensor constant = tensor<double>({3, 4});
    constant.fill_(5);
    const Tensor y = (x * constant).sum(), z = (x + constant).sum();
    z.backward();
    y.backward();
    check_close(x.grad(), tensor<double>({6, 6}), 0);
    const Tensor w = (x + constant).sum();
    constant.fill_(9);
    w.backward();
    check_close(x.grad(), tensor<double>({7, 7}), 0);
  }
}

TEST_CASE("tape: NoGrad and detach cut") {
  const Tensor x = leaf({2});
  {
    const NoGrad no_grad;
    CHECK_FALSE(grad_enabled());
    { const NoGrad again; }
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE(square(x).requires_grad());
  }
  CHECK(grad_enabled());
  (x * square(x).detach()).sum().backward();
  CHECK(x.grad().item() == 4);
  CHECK(x.detach().storage() == x.storage());
  CHECK_FALSE(x.detach().requires_grad());
}

TEST_CASE("tape: who may want a gradient") {
  check_error([] { zeros({2}, DType::int64).set_requires_grad(); }, "set_requires_grad: only float tensors");
  const Tensor x = leaf({2});
  check_error([&] { square(x).set_requires_grad(); }, "the tensor is a result of an operator");
  check_error([&] { x.set_grad(zeros({2}, DType::float64)); },
              "set_grad: the gradient has shape (2), the tensor (1)");
  const Tensor p = parameter(square(x));
  CHECK(p.is_leaf());
  p.sum().backward();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("tape: integer outputs and labels carry nothing") {
  const Tensor x = leaf({1, 2, 3});
  CHECK_FALSE(x.argmax().requires_grad());
  CHECK_FALSE((x > x).requires_grad());
  CHECK_FALSE(x.to(DType::int64).requires_grad());
}

TEST_CASE("tape: a graph a million operators deep is walked and freed without recursion") {
  constexpr int kDepth = 1000000;
  const Tensor x = leaf({1});
  Tensor y = x;
  SECTION("walked") {
    for (int i = 0; i < kDepth; ++i) y = y + 1.0;
    y.sum().backward();
    CHECK(x.grad().item() == 1);
  }
  SECTION("dropped without backward, with saved inputs and outputs") {
    for (int i = 0; i < kDepth / 2; ++i) y = sigmoid(square(y));
    y = Tensor();
  }
  SUCCEED("no stack overflow");
}

TEST_CASE("tape: nothing is left alive once the tensors are gone") {
  std::weak_ptr<Storage> memory;
  {
    const Tensor x = leaf({1, 2});
    const Tensor hidden = exp(x);  // saves its own output
    memory = hidden.storage();
    const Tensor y = (hidden * hidden).sum();
  }
  CHECK(memory.expired());
  const Tensor x = leaf({1, 2});
  Tensor y;
  {
    const Tensor hidden = exp(x);
    memory = hidden.storage();
    y = (hidden * hidden).sum();
  }
  CHECK_FALSE(memory.expired());
  y.backward();
  CHECK(memory.expired());  // backward lets go of what it saved, before y itself is gone
}

TEST_CASE("tape: a strided leaf gets its gradient in its own shape") {
  const Tensor x = parameter(randn({3, 2}, 1, DType::float64).transpose());
  const Tensor w = randn({2, 3}, 2, DType::float64);
  (x * w).sum().backward();
  check_close(x.grad(), w);
}

TEST_CASE(
    "ops: changing a tensor that wants a gradient is refused outside NoGrad only by operators that say so") {
  const Tensor x = leaf({1, 2});
  x.fill_(3);  // in place and off the tape, as the header says
  check_close(x, tensor<double>({3, 3}), 0);
  CHECK(x.is_leaf());
  const Tensor y = square(x).sum();
  x.copy_(zeros({2}));
  check_error([&] { y.backward(); }, "input 0 of square was changed in place");
}

TEST_CASE("in-place changes of results on the tape are refused, of leaves noticed") {
  const Tensor w = parameter(ones({2}));
  const Tensor y = w * 2;
  CHECK_THROWS_AS(y.fill_(0), Error);
  CHECK_THROWS_AS(y.copy_(ones({2})), Error);
  y.detach().fill_(5);  // the same memory, off the tape: multiplication did not save its result
  const Tensor z = w * w;
  w.fill_(3);
  CHECK_THROWS_AS(sum(z).backward(), Error);
}

TEST_CASE("gradients of leaves are dense and share no memory") {
  const Tensor a = parameter(ones({3})), b = parameter(ones({3}));
  sum(a + b).backward();
  CHECK(a.grad().is_contiguous());
  a.grad().fill_(7);
  CHECK(b.grad().at({0}) == 1);
  const Tensor g = full({3}, 2);
  a.zero_grad();
  a.backward(g);
  g.fill_(9);
  CHECK(a.grad().at({0}) == 2);
}
