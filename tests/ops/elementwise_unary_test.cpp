#include <cmath>
#include <limits>

#include "ops/elementwise_shapes.h"
#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/kernels/unary_formulas.h"
#include "uncial/ops/elementwise.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

/// Value, first and second derivative over all shapes, for arguments in [low, high).
void check_unary(Tensor (*op)(const Tensor&), double (*reference)(double), double low, double high,
                 double float_tolerance = 2e-6) {
  check_op({.op = op,
            .reference = [=](const Tensor& x) { return slow_map(x, reference); },
            .inputs = inputs_in(low, high),
            .value_tolerance = 1e-13,
            .gradient_tolerance = 1e-6,
            .second_tolerance = 1e-6,
            .float_tolerance = float_tolerance});
}

double sigmoid_of(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

/// The whole row of special arguments against the whole row of answers, in both float types, on every set.
void check_values(const Function& op, std::initializer_list<double> x, std::initializer_list<double> y) {
  check_close(op({tensor<double>(x)}), tensor<double>(y), 1e-15);
  for_each_isa([&](const std::string& isa) {
    INFO(isa);
    check_close(op({tensor<double>(x).to(DType::float32)}), tensor<double>(y), 1e-7);
  });
}

}  // namespace

TEST_CASE("unary: exp, log, sqrt and the other functions of analysis") {
  SECTION("exp") {
    check_unary(
        exp, [](double x) { return std::exp(x); }, -3, 3, 2e-5);
  }
  SECTION("log") {
    check_unary(
        log, [](double x) { return std::log(x); }, 0.1, 4, 2e-5);
  }
  SECTION("sqrt") {
    check_unary(
        sqrt, [](double x) { return std::sqrt(x); }, 0.3, 4);
  }
  SECTION("abs") {
    check_unary(
        abs, [](double x) { return std::fabs(x); }, -3, 3);
  }
  SECTION("square") {
    check_unary(
        square, [](double x) { return x * x; }, -3, 3);
  }
  SECTION("reciprocal") {
    check_unary(
        reciprocal, [](double x) { return 1 / x; }, 0.2, 4, 2e-5);
  }
  SECTION("sin") {
    check_unary(
        sin, [](double x) { return std::sin(x); }, -4, 4);
  }
  SECTION("cos") {
    check_unary(
        cos, [](double x) { return std::cos(x); }, -4, 4);
  }
  SECTION("sign") {
    check_unary(
        sign, [](double x) { return x > 0   ? 1.0
                                    : x < 0 ? -1.0
                                            : 0.0; }, -3, 3);
  }
  SECTION("negation") {
    check_unary([](const Tensor& x) { return -x; }, [](double x) { return -x; }, -3, 3);
  }
}

TEST_CASE("unary: activations") {
  SECTION("relu") {
    check_unary(
        relu, [](double x) { return std::max(x, 0.0); }, -3, 3);
  }
  SECTION("sigmoid") { check_unary(sigmoid, sigmoid_of, -6, 6); }
  SECTION("tanh") {
    check_unary(
        tanh, [](double x) { return std::tanh(x); }, -4, 4);
  }
  SECTION("softplus") {
    check_unary(
        softplus, [](double x) { return std::log(1 + std::exp(x)); }, -5, 5);
  }
  SECTION("silu") {
    check_unary(
        silu, [](double x) { return x * sigmoid_of(x); }, -5, 5);
  }
  SECTION("gelu") {
    check_unary(
        gelu, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }, -4, 4);
  }
}

TEST_CASE("unary: formulas with numbers in them") {
  SECTION("leaky_relu") {
    check_unary([](const Tensor& x) { return leaky_relu(x, 0.2); },
                [](double x) { return x > 0 ? x : 0.2 * x; }, -3, 3);
    check_unary([](const Tensor& x) { return leaky_relu(x, -0.5); },
                [](double x) { return x > 0 ? x : -0.5 * x; }, -3, 3);
  }
  SECTION("elu") {
    check_unary([](const Tensor& x) { return elu(x, 1.5); },
                [](double x) { return x > 0 ? x : 1.5 * (std::exp(x) - 1); }, -4, 4);
  }
  SECTION("clip") {
    check_unary([](const Tensor& x) { return clip(x, -1.25, 0.75); },
                [](double x) { return std::min(std::max(x, -1.25), 0.75); }, -3, 3);
  }
  SECTION("pow") {
    check_unary([](const Tensor& x) { return pow(x, 2.5); }, [](double x) { return std::pow(x, 2.5); }, 0.2,
                3, 2e-5);
    check_unary([](const Tensor& x) { return pow(x, -1); }, [](double x) { return 1 / x; }, 0.3, 3, 2e-5);
    check_unary([](const Tensor& x) { return pow(x, 2); }, [](double x) { return x * x; }, -3, 3);
  }
  SECTION("numbers on either side") {
    check_unary([](const Tensor& x) { return x + 1.5; }, [](double x) { return x + 1.5; }, -3, 3);
    check_unary([](const Tensor& x) { return 1.5 + x; }, [](double x) { return x + 1.5; }, -3, 3);
    check_unary([](const Tensor& x) { return x - 1.5; }, [](double x) { return x - 1.5; }, -3, 3);
    check_unary([](const Tensor& x) { return 1.5 - x; }, [](double x) { return 1.5 - x; }, -3, 3);
    check_unary([](const Tensor& x) { return x * 0.3; }, [](double x) { return x * 0.3; }, -3, 3);
    check_unary([](const Tensor& x) { return 0.3 * x; }, [](double x) { return x * 0.3; }, -3, 3);
    check_unary([](const Tensor& x) { return x / 3; }, [](double x) { return x / 3; }, -3, 3);
    check_unary([](const Tensor& x) { return 3 / x; }, [](double x) { return 3 / x; }, 0.3, 3, 2e-4);
  }
}

TEST_CASE("unary: nothing overflows on the way, and NaN is never swallowed") {
  check_values(uncial::softplus, {1e4, -1e4, kInf, -kInf, kNan}, {1e4, 0, kInf, 0, kNan});
  check_values(uncial::sigmoid, {1e4, -1e4, kInf, -kInf, kNan}, {1, 0, 1, 0, kNan});
  check_values(uncial::tanh, {1e4, -1e4, kInf, -kInf, kNan}, {1, -1, 1, -1, kNan});
  check_values(uncial::relu, {-kInf, kInf, kNan, 0}, {0, kInf, kNan, 0});
  check_values(uncial::exp, {1e4, -1e4, kInf, -kInf, kNan, 0}, {kInf, 0, kInf, 0, kNan, 1});
  check_values(uncial::log, {0, -1, kInf, kNan, 1}, {-kInf, kNan, kInf, kNan, 0});
  check_values([](const Tensor& x) { return clip(x, -1, 1); }, {kNan, kInf, -kInf}, {kNan, 1, -1});
  check_values([](const Tensor& x) { return elu(x); }, {-1e4, kInf, kNan}, {-1, kInf, kNan});
  check_values(uncial::gelu, {1e4, -1e4, kNan}, {1e4, 0, kNan});
  check_values(uncial::sign, {kNan, kInf, -kInf, 0}, {kNan, 1, -1, 0});
}

TEST_CASE("unary: a negative zero keeps its sign through numbers that change nothing") {
  const Tensor zero = tensor<float>({-0.0f});
  CHECK(std::signbit((zero * 1.0).item<float>()));
  CHECK(std::signbit((zero - 0.0).item<float>()));
  CHECK(std::signbit((zero / 2.0).item<float>()));
  CHECK_FALSE(std::signbit((-zero).item<float>()));
}

TEST_CASE("unary: gradients on the kinks are the ones the headers promise") {
  const auto slope_at = [](const Function& f, double x) {
    const Tensor leaf = parameter(tensor<double>({x}));
    f({leaf}).sum().backward();
    return leaf.grad().item();
  };
  CHECK(slope_at(uncial::relu, 0) == 0);
  CHECK(slope_at(uncial::abs, 0) == 0);
  CHECK(slope_at([](const Tensor& x) { return clip(x, -1, 1); }, 1) == 1);
  CHECK(slope_at([](const Tensor& x) { return clip(x, -1, 1); }, -1) == 1);
  CHECK(slope_at([](const Tensor& x) { return clip(x, -1, 1); }, 1.001) == 0);
  CHECK(slope_at([](const Tensor& x) { return pow(x, 0); }, 0) == 0);
  CHECK(slope_at([](const Tensor& x) { return pow(x, 1); }, 0) == 1);
}

TEST_CASE("unary: a third differentiation is refused, not answered wrongly") {
  const Tensor x = parameter(tensor<double>({0.5}));
  const auto derivative = [&](const Tensor& y) {
    return gradients(y.sum(), {x}, {}, {.create_graph = true})[0];
  };
  const Tensor second = derivative(derivative(tanh(x)));
  CHECK(second.item() == Approx(-2 * std::tanh(0.5) * (1 - std::tanh(0.5) * std::tanh(0.5))));
  check_error([&] { derivative(second); }, "unary_second: has no gradient");
}

TEST_CASE("unary: wrong arguments") {
  check_error([] { exp(zeros({2}, DType::int64)); },
              "exp: does not support int64; convert with x.to(DType::float32)");
  check_error([] { relu(zeros({2}, DType::boolean)); }, "relu: does not support bool");
  check_error([] { clip(zeros({2}), 2, 1); }, "clip: low 2 must not be above high 1");
  check_error([] { tanh(Tensor()); }, "undefined");
}
