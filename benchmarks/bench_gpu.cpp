// Times operators on a GPU at sizes beyond its caches, beside what the GPU can do: its copy speed, and the
// time of a call that does nothing much. One line of JSON for each.
//   bench_gpu --device cuda --only 'softmax|pool'
// Each answer is held to the CPU's, at a small size, before its time counts. %copy is the share of the
// measured copy bandwidth that the bytes amount to which an operator must move: operands read once, results
// written once.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <regex>

#include "cli/program.h"
#include "timing.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"
#include "uncial/core/random.h"
#include "uncial/io/atomic_file.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"
#include "uncial/vision/augment.h"

namespace {

using namespace uncial;
using Json = nlohmann::ordered_json;

/// What a case runs, with its operands made.
using Run = std::function<Tensor()>;

struct Case {
  std::string name;
  std::function<Run(Device, int64_t n)> make;
  int64_t small, large;     ///< n for the check and for the clock
  double bytes, flops;      ///< for each of n; a multiply-add counts 2
  double samples = 0;       ///< images for each of n
  double tolerance = 1e-5;  ///< as a share of the largest value
};

/// Operands are made on the CPU, so that both devices have the same ones.
Tensor operand(const Shape& shape, uint64_t seed, Device device, double low = -1, double high = 1) {
  return rand(shape, seed, low, high).to(device);
}

Case elementwise(const std::string& name, Tensor (*f)(const Tensor&)) {
  return {name, [f](Device d, int64_t n) { return [f, x = operand({n}, 1, d)] { return f(x); }; },
          1000, 1 << 25,
          8,    1};
}

Case images(const std::string& name, std::function<Tensor(const Tensor&)> f, double bytes, double flops) {
  return {name,
          [f](Device d, int64_t n) {
            return [f, x = operand({n, 64, 24, 24}, 1, d)] { return f(x); };
          },
          3,
          1024,
          bytes * 64 * 24 * 24,
          flops * 64 * 24 * 24,
          1};
}

Case rows(const std::string& name, int64_t columns, std::function<Tensor(const Tensor&)> f) {
  return {name,
          [f, columns](Device d, int64_t n) {
            return [f, x = operand({n, columns}, 1, d, -4, 4)] { return f(x); };
          },
          7,
          (1 << 25) / columns,
          8.0 * double(columns),
          4.0 * double(columns)};
}

Case convolution(const std::string& name, int64_t in, int64_t out, int64_t side, int64_t kernel) {
  const int64_t after = side - kernel + 1;
  return {name,
          [=](Device d, int64_t n) {
            return [x = operand({n, in, side, side}, 1, d), w = operand({out, in, kernel, kernel}, 2, d),
                    b = operand({out}, 3, d)] { return conv2d(x, w, b); };
          },
          3,
          4096,
          4.0 * double(in * side * side + out * after * after),
          2.0 * double(out * in * kernel * kernel * after * after),
          1};
}

Run adam_step(Device device, int64_t n) {
  const Tensor p = parameter(operand({n}, 1, device));
  p.set_grad(operand({n}, 2, device));
  const auto adam = std::make_shared<optim::Adam>(Tensors{p}, optim::AdamOptions{.lr = 1e-3});
  return [=] {
    adam->step();
    return p.detach();
  };
}

Run affine(Device device, int64_t n) {
  std::vector<int64_t> indices(static_cast<size_t>(n));
  std::iota(indices.begin(), indices.end(), 0);
  return [x = operand({n, 1, 28, 28}, 1, device, 0, 1), indices] {
    vision::RandomAffine({.degrees = 10, .zoom = 0.1, .shift = 2.0 / 28})->apply(x, indices, {});
    return x;
  };
}

std::vector<Case> cases() {
  const auto square = [](Device d, int64_t n) {
    return [a = operand({n, n}, 1, d), b = operand({n, n}, 2, d)] { return matmul(a, b); };
  };
  return {
      elementwise("relu", relu),
      elementwise("gelu", gelu),
      {"add",
       [](Device d, int64_t n) { return [x = operand({n}, 1, d), y = operand({n}, 2, d)] { return x + y; }; },
       1000, 1 << 25, 12, 1},
      {"sum", [](Device d, int64_t n) { return [x = operand({n}, 1, d)] { return sum(x); }; }, 1000, 1 << 26,
       4, 1},
      {"dropout",
       [](Device d, int64_t n) {
         return [x = operand({n, 4096}, 1, d), state = tensor<int64_t>({1, 2, 3}).to(d),
                 samples = arange(0, double(n)).to(d)] {
           return dropout(x, 0.25, {state, samples});
         };
       },
       5, 8192, 8 * 4096, 4096, 0, 0},
      images(
          "max_pool2d 2x2", [](const Tensor& x) { return max_pool2d(x, {.kernel = 2}); }, 5, 1),
      images(
          "avg_pool2d 2x2", [](const Tensor& x) { return avg_pool2d(x, {.kernel = 2}); }, 5, 1),
      images(
          "batch_norm",
          [](const Tensor& x) {
            return batch_norm(x, full({64}, 1, x.dtype(), x.device()), zeros({64}, x.dtype(), x.device())).y;
          },
          12, 6),
      rows("softmax 10", 10, [](const Tensor& x) { return softmax(x); }),
      rows("softmax 1024", 1024, [](const Tensor& x) { return softmax(x); }),
      {"adam", adam_step, 1000, 1 << 24, 28, 12},
      {"affine 28x28", affine, 5, 60'000, 8 * 784, 11 * 784, 1, 0},
      convolution("conv 1-32 3x3 28", 1, 32, 28, 3),
      convolution("conv 32-64 3x3 26", 32, 64, 26, 3),
      {"matmul", square, 33, 4096, 12.0 * 4096, 2.0 * 4096 * 4096},
  };
}

double largest(const Tensor& x) {
  const auto values = x.span<float>();
  double most = 0;
  for (const float v : values) most = std::isfinite(v) ? std::max(most, std::abs(double(v))) : INFINITY;
  return most;
}

/// Largest difference from the CPU's answer at the small size, as a share of its largest value.
double gap(const Case& c, Device device) {
  const Tensor expected = c.make(Device::cpu(), c.small)().contiguous(),
               got = c.make(device, c.small)().to(Device::cpu()).contiguous();
  if (!(got.shape() == expected.shape())) return INFINITY;
  return largest(got - expected) / std::max(largest(expected), 1e-30);
}

/// Median seconds of a run, of 9 rounds of so many runs that a round takes a few milliseconds.
double seconds_of(const Run& run, Device device, double seconds) {
  const auto round = [&](int64_t times) {
    const double from = bench::now();
    for (int64_t i = 0; i < times; ++i) run();
    if (!device.is_cpu()) cuda::synchronize(device);
    return (bench::now() - from) / double(times);
  };
  constexpr int kRounds = 9;
  round(2);
  const int64_t times = std::clamp<int64_t>(int64_t(seconds / kRounds / round(3)), 1, 10'000);
  std::vector<double> measured;
  for (int i = 0; i < kRounds; ++i) measured.push_back(round(times));
  std::nth_element(measured.begin(), measured.begin() + kRounds / 2, measured.end());
  return measured[kRounds / 2];
}

struct Ceiling {
  double copy = 0;  ///< bytes a second, read and written
  double call = 0;  ///< seconds of an operator on one element
};

Ceiling measure_ceiling(Device device, double seconds, int64_t elements) {
  const Tensor x = operand({elements}, 1, device), y = empty({elements}, DType::float32, device);
  const Tensor one = operand({1}, 1, device);
  const Run copy = [=] {
    y.copy_(x);
    return y;
  };
  return {8.0 * double(elements) / seconds_of(copy, device, seconds),
          seconds_of([=] { return relu(one); }, device, seconds)};
}

Json measure(const Case& c, Device device, const Ceiling& ceiling, double seconds, bool small) {
  Json line = {{"kernel", c.name}, {"device", join(device)}};
  const double error = gap(c, device);
  line["error"] = error;
  require(error <= c.tolerance, "bench_gpu: ", c.name, " differs by ", error,
          " from the CPU's answer, allowed ", c.tolerance, ": its time means nothing.");
  const int64_t n = small ? c.small : c.large;
  const double time = seconds_of(c.make(device, n), device, seconds), count = double(n);
  line["microseconds"] = 1e6 * time;
  line["gb_per_second"] = 1e-9 * c.bytes * count / time;
  line["%copy"] = 100 * c.bytes * count / time / ceiling.copy;
  line["gflop_per_second"] = 1e-9 * c.flops * count / time;
  if (c.samples > 0) line["samples_per_second"] = c.samples * count / time;
  return line;
}

std::regex expression(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    fail(ErrorKind::usage, "--only: got ", io::printable(text), ", expected a regular expression.");
  }
}

void run(cli::Program& program) {
  std::string only = ".";
  std::optional<double> seconds;
  bool small = false;
  program.text("--only", only, "Cases whose names match", "RE");
  program.number("--seconds", seconds, {0, 60, true}, "Time for each case (0.1)");
  program.flag("--small", small, "Small operands: a test of this program, no measurement");
  program.parse();
  const Device device = program.common().device;
  const double time = seconds.value_or(0.1);
  const std::regex wanted = expression(only);
  const NoGrad no_grad;

  Json all = Json::array();
  const auto report = [&](Json line) {
    program.write(line.dump() + "\n");
    all.push_back(std::move(line));
  };
  const Ceiling ceiling = measure_ceiling(device, time, small ? 1 << 16 : 1 << 26);
  report({{"device", join(device)},
          {"copy_gb_per_second", 1e-9 * ceiling.copy},
          {"call_microseconds", 1e6 * ceiling.call}});
  for (const Case& c : cases())
    if (std::regex_search(c.name, wanted)) report(measure(c, device, ceiling, time, small));
  program.save_results(all);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_gpu", "Times operators on a GPU beside what it can do, in lines of JSON", argc,
                       argv, run);
}
