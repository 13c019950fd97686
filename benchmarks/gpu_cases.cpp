// Operators at sizes beyond a GPU's caches, and the fused convolutions of small networks.
#include <utility>

#include "gpu_case.h"
#include "gpu_contenders.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/random.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"
#include "uncial/vision/augment.h"

namespace uncial::bench {
namespace {

using Function = std::function<Tensor(const Tensors&)>;

/// Operands are made on the CPU, so that all contestants have the same ones.
Tensor operand(const Shape& shape, uint64_t seed, double low = -1, double high = 1) {
  return rand(shape, seed, low, high);
}

/// A function of random tensors, which `shapes` names the extents of.
GpuEntry ours(const Function& f, std::function<std::vector<Shape>(int64_t n)> shapes, double low = -1,
              double high = 1) {
  return {"uncial", [=](Device device, int64_t n) {
            Tensors inputs;
            for (const Shape& shape : shapes(n))
              inputs.push_back(operand(shape, inputs.size() + 1, low, high).to(device));
            return recorded_on_gpu([f](const Tensors& in) { return Tensors{f(in)}; }, std::move(inputs));
          }};
}

GpuEntry library(const char* name, std::function<GpuContestant(int64_t n)> make) {
  return {name, [=](Device, int64_t n) { return make(n); }};
}

class Cases {
 public:
  Cases(Device device, bool small) : device_(device), small_(small) {}

  void add(GpuCase c, std::vector<GpuEntry> others = {}) const {
    if (has_gpu_libraries() && !device_.is_cpu())
      for (GpuEntry& other : others) c.entries.push_back(std::move(other));
    add_gpu_case(std::move(c), device_, small_);
  }

  void elementwise() const {
    const auto vector = [](int64_t n) { return std::vector<Shape>{{n}}; };
    const auto two = [](int64_t n) { return std::vector<Shape>{{n}, {n}}; };
    const auto each = [&](const char* name, double bytes, double flops, int64_t large,
                          const GpuEntry& entry) {
      add({.name = name, .small = 1000, .large = large, .bytes = bytes, .flops = flops, .entries = {entry}});
    };
    const int64_t large = 1 << 25;
    each("relu/32M", 8, 1, large, ours([](const Tensors& in) { return relu(in[0]); }, vector));
    each("gelu/32M", 8, 8, large, ours([](const Tensors& in) { return gelu(in[0]); }, vector));
    each("add/32M", 12, 1, large, ours([](const Tensors& in) { return in[0] + in[1]; }, two));
    each("sum/64M", 4, 1, 2 * large, ours([](const Tensors& in) { return sum(in[0]); }, vector));
    each("adam/16M", 28, 12, large / 2, {"uncial", adam});
  }

  /// Random numbers are the CPU's, to the bit.
  void random() const {
    add({.name = "dropout/32M",
         .small = 5,
         .large = 8192,
         .bytes = 8.0 * 4096,
         .flops = 4096,
         .tolerance = 0,
         .entries = {{"uncial", dropout_of}}});
    add({.name = "affine/60000_28x28",
         .small = 5,
         .large = 60'000,
         .bytes = 8.0 * 784,
         .flops = 11.0 * 784,
         .samples = 1,
         .tolerance = 0,
         .entries = {{"uncial", affine}}});
  }

  void softmax_of(const char* name, int64_t columns) const {
    const auto rows = [=](int64_t n) { return std::vector<Shape>{{n, columns}}; };
    add({.name = name,
         .small = 7,
         .large = (1 << 25) / columns,
         .bytes = 8.0 * double(columns),
         .flops = 4.0 * double(columns),
         .entries = {ours([](const Tensors& in) { return softmax(in[0]); }, rows, -4, 4)}},
        {library("cudnn", [=](int64_t n) {
          return library_softmax(operand({n, columns}, 1, -4, 4));
        })});
  }

  /// `bytes` and `flops` of each input value.
  void images(const char* name, double bytes, double flops, const Function& f,
              GpuContestant (*contender)(const Tensor&)) const {
    constexpr double kValues = 64.0 * 24 * 24;
    const auto shape = [](int64_t n) { return Shape{n, 64, 24, 24}; };
    add({.name = name,
         .small = 3,
         .large = 1024,
         .bytes = bytes * kValues,
         .flops = flops * kValues,
         .samples = 1,
         .entries = {ours(f, [=](int64_t n) { return std::vector<Shape>{shape(n)}; })}},
        {library("cudnn", [=](int64_t n) { return contender(operand(shape(n), 1)); })});
  }

  void product(const char* name, int64_t N, int64_t K, int64_t large, Precision precision) const {
    const bool half = precision == Precision::bf16;
    const Function f = [=](const Tensors& in) { return linear(in[0], in[1], {}, precision); };
    add({.name = name,
         .small = 33,
         .large = large,
         .bytes = 4.0 * (double(N + K) + double(N * K) / double(large)),
         .flops = 2.0 * double(N * K),
         .samples = 1,
         .tolerance = half ? 1e-2 : 1e-5,
         .on_tensor_cores = half,
         .entries = {ours(f,
                          [=](int64_t n) {
                            return std::vector<Shape>{{n, K}, {N, K}};
                          })}},
        {library("cublas", [=](int64_t n) {
          return library_product(n, N, K, half, operand({n, K}, 1), operand({N, K}, 2));
        })});
  }

  struct Conv {
    const char* name;
    int64_t in, out, side, kernel;
    int64_t after() const { return side - kernel + 1; }
    double flops() const { return 2.0 * double(out * in * kernel * kernel * after() * after()); }
    Shape x(int64_t n) const { return {n, in, side, side}; }
    Shape y(int64_t n) const { return {n, out, after(), after()}; }
    Shape w() const { return {out, in, kernel, kernel}; }
    LibraryConv library(int64_t n) const { return {n, in, side, side, out, kernel}; }
  };

  /// Forward and both gradients, one behind the other.
  void training(const Conv& c, int64_t large) const {
    add({.name = join("conv2d_training/", c.name),
         .small = 3,
         .large = large,
         .bytes = 4.0 * (3.0 * double(count(c.y(1))) + (c.in == 1 ? 2.0 : 3.0) * double(count(c.x(1)))),
         .flops = (c.in == 1 ? 2 : 3) * c.flops(),
         .samples = 1,
         .tolerance = 1e-4,
         .entries = {{"uncial", [=](Device device, int64_t n) { return train(c, device, n); }}}},
        {library("cudnn", [=](int64_t n) {
          return library_conv_training(c.library(n), operand(c.x(n), 1), operand(c.w(), 2),
                                       operand(c.y(n), 3));
        })});
  }

  /// With bias, ReLU and pooling in bfloat16: what is one kernel of ours.
  void fused(const Conv& c, int64_t large) const {
    const Function f = [](const Tensors& in) {
      return max_pool2d(relu(conv2d(in[0], in[1], in[2], {.precision = Precision::bf16})));
    };
    const double bytes = 4.0 * double(count(c.x(1)) + count(c.y(1)) / 4);
    add({.name = join("conv_relu_pool_bf16/", c.name),
         .small = 3,
         .large = large,
         .bytes = bytes,
         .flops = c.flops(),
         .samples = 1,
         .tolerance = 2e-2,
         .on_tensor_cores = true,
         .entries = {ours(f,
                          [=](int64_t n) {
                            return std::vector<Shape>{c.x(n), c.w(), {c.out}};
                          })}},
        {library("cudnn", [=](int64_t n) {
          LibraryConv spec = c.library(n);
          spec.bfloat16 = true;
          return library_conv_relu_pool(spec, operand(c.x(n), 1), operand(c.w(), 2), operand({c.out}, 3));
        })});
  }

 private:
  static GpuContestant train(const Conv& c, Device device, int64_t n) {
    const Tensor x = parameter(operand(c.x(n), 1).to(device)), w = parameter(operand(c.w(), 2).to(device));
    const bool pictures = c.in == 1;
    return recorded_on_gpu(
        [=](const Tensors& in) {
          const Tensor y = conv2d(pictures ? x.detach() : x, w);
          Tensors all{y.detach()};
          for (const Tensor& d : gradients(y, pictures ? Tensors{w} : Tensors{x, w}, in[0])) all.push_back(d);
          return all;
        },
        {operand(c.y(n), 3).to(device)});
  }
  static GpuContestant dropout_of(Device device, int64_t n) {
    const Tensor state = tensor<int64_t>({1, 2, 3}).to(device), samples = arange(0, double(n)).to(device);
    return recorded_on_gpu(
        [=](const Tensors& in) {
          return Tensors{dropout(in[0], 0.25, {state, samples})};
        },
        {operand({n, 4096}, 1).to(device)});
  }
  static GpuContestant adam(Device device, int64_t n) {
    const Tensor p = parameter(operand({n}, 1).to(device));
    p.set_grad(operand({n}, 2).to(device));
    const auto adam = std::make_shared<optim::Adam>(Tensors{p}, optim::AdamOptions{.lr = 1e-3});
    return {.run =
                [=](int64_t times) {
                  for (; times > 0; --times) adam->step();
                },
            .result = [=] { return on_host(p.detach()); }};
  }
  static GpuContestant affine(Device device, int64_t n) {
    const Tensor x = operand({n, 1, 28, 28}, 1, 0, 1).to(device), indices = arange(0, double(n)).to(device),
                 draw = tensor<int64_t>({1, 1}).to(device);
    const vision::Augment map = vision::RandomAffine({.degrees = 10, .zoom = 0.1, .shift = 2.0 / 28});
    return {.run =
                [=](int64_t times) {
                  for (; times > 0; --times) map->replay(x.view(), indices.view(), draw.view());
                },
            .result = [=] { return on_host(x); }};
  }
  static std::vector<float> on_host(const Tensor& x) {
    const Tensor here = x.to(Device::cpu());
    const auto values = here.span<float>();
    return {values.begin(), values.end()};
  }

  Device device_;
  bool small_;
};

}  // namespace

void add_gpu_cases(Device device, bool small) {
  const Cases cases(device, small);
  cases.elementwise();
  cases.random();
  cases.softmax_of("softmax/10", 10);
  cases.softmax_of("softmax/1024", 1024);
  const auto norm = [](const Tensors& in) {
    const Device d = in[0].device();
    return batch_norm(in[0], full({64}, 1, DType::float32, d), zeros({64}, DType::float32, d)).y;
  };
  cases.images(
      "max_pool/64_24", 5, 1, [](const Tensors& in) { return max_pool2d(in[0]); }, library_max_pool);
  cases.images(
      "avg_pool/64_24", 5, 1, [](const Tensors& in) { return avg_pool2d(in[0]); }, library_average_pool);
  cases.images("batch_norm/64_24", 12, 6, norm, library_batch_norm);
  cases.product("dense/4096_4096", 4096, 4096, 4096, Precision::float32);
  cases.product("dense_bf16/9216_128", 128, 9216, 4096, Precision::bf16);
  cases.product("dense_bf16/4096_4096", 4096, 4096, 4096, Precision::bf16);
  cases.training({"1_32_3x3_28", 1, 32, 28, 3}, 4096);
  cases.training({"32_64_3x3_26", 32, 64, 26, 3}, 4096);
  cases.fused({"1_32_3x3_28", 1, 32, 28, 3}, 4096);
  cases.fused({"32_64_3x3_26", 32, 64, 26, 3}, 4096);
}

}  // namespace uncial::bench
