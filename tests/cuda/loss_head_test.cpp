// The end of a network against plain loops in double precision: extents on both sides of what a thread takes
// at once, and of the number of rows from which blocks are smaller.

#include "loss_head.h"

#include <cmath>

#include "cuda/rounded_factor.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/core/cuda.h"
#include "uncial/kernels/dropout.h"

using namespace uncial;
using namespace uncial::cuda;
using namespace uncial::test;

namespace {

struct Case {
  int64_t N;
  int features, classes;
  bool relu = false, drops = false, round = false, round_bias = false, bias = true;
  double smoothing = 0;
  int64_t offset = 0;  ///< of the operands, in floats: 16-byte accesses need a multiple of 4
  Precision precision = Precision::bf16;  ///< when it rounds
};

const Case kCases[] = {{1, 1, 1},
                       {3, 7, 2, true},
                       {5, 128, 10, true, true, true, true},
                       {5, 128, 10, true, true, true, false, false, 0.1},
                       {33, 20, 4, false, true},
                       {7, 2052, 12, true, false, true, true},
                       {300, 36, 16, true, true, false, false, true, 0.2},
                       {270, 513, 5, true, true, true, true, true, 0, 1},
                       {4, 64, 9, false, false, false, false, true, 0, 3}};

/// Numbers on the host, and in the memory of a GPU.
struct Operand {
  Tensor host, memory;
  int64_t offset;
  Operand(const Shape& shape, uint64_t seed, int64_t at, Device gpu)
      : host(randn(shape, seed)), memory(zeros({count(shape) + at}, DType::float32)), offset(at) {
    for (int64_t i = 0; i < host.size(); ++i)
      memory.span<float>()[size_t(at + i)] = host.span<float>()[size_t(i)];
    memory = memory.to(gpu);
  }
  float* there() const { return static_cast<float*>(memory.view().data) + offset; }
  double operator()(int64_t i) const { return double(host.span<float>()[size_t(i)]); }
};

struct Result {
  Tensor memory;
  Shape shape;
  int64_t offset;
  Result(const Shape& s, int64_t at, Device gpu)
      : memory(full({count(s) + at}, NAN, DType::float32, gpu)), shape(s), offset(at) {}
  float* there() const { return static_cast<float*>(memory.view().data) + offset; }
  Tensor host() const { return memory.to(Device::cpu()).slice(0, {.start = offset}).reshape(shape); }
};

struct Problem {
  Case c;
  Operand z, w, bias;
  Tensor labels, samples, state, dloss, row_losses;
  Result loss, logits, dz, dw, dbias, x, dlogits;
  static constexpr double kDrop = 0.3;

  Problem(const Case& of, Device gpu)
      : c(of),
        z({c.N, c.features}, 1, c.offset, gpu),
        w({c.classes, c.features}, 2, c.offset, gpu),
        bias({c.classes}, 3, c.offset, gpu),
        labels(zeros({c.N}, DType::int64)),
        samples(zeros({c.N}, DType::int64)),
        state(tensor<int64_t>({11, 22, 33})),
        dloss(full({1}, double(c.N), DType::float32)),
        row_losses(full({c.N}, NAN, DType::float64, gpu)),
        loss({1}, 0, gpu),
        logits({c.N, c.classes}, c.offset, gpu),
        dz({c.N, c.features}, c.offset, gpu),
        dw({c.classes, c.features}, c.offset, gpu),
        dbias({c.classes}, 0, gpu),
        x({c.N, c.features}, 0, gpu),
        dlogits({c.N, kMaxHeadClasses}, 0, gpu) {
    for (int64_t n = 0; n < c.N; ++n) {
      labels.span<int64_t>()[size_t(n)] = n * 5 % c.classes;
      samples.span<int64_t>()[size_t(n)] = n * 3 + 1;
    }
  }
  void run(Device gpu) const {
    const Tensor right = labels.to(gpu), who = samples.to(gpu), key = state.to(gpu), factor = dloss.to(gpu);
    const auto integers = [](const Tensor& t) { return static_cast<const int64_t*>(t.view().data); };
    LossHead h{};
    h.N = c.N, h.features = c.features, h.classes = c.classes;
    h.z = z.there(), h.w = w.there(), h.bias = c.bias ? bias.there() : nullptr;
    h.relu = c.relu, h.precision = c.round ? c.precision : Precision::float32, h.round_bias = c.round_bias,
    h.scale = 1;
    if (c.drops) {
      h.dropout_state = integers(key), h.samples = integers(who);
      h.threshold = dropout_threshold(kDrop), h.scale = float(1 / (1 - kDrop));
    }
    h.labels = integers(right), h.smoothing = c.smoothing;
    h.dloss = static_cast<const float*>(factor.view().data);
    h.loss = loss.there(), h.logits = logits.there(), h.dz = dz.there(), h.dw = dw.there(),
    h.dbias = dbias.there();
    h.row_losses = static_cast<double*>(row_losses.view().data);
    h.x = x.there(), h.dlogits = dlogits.there();
    uncial::cuda::run(h);
    uncial::cuda::synchronize(gpu);
  }
  double factor(double v) const { return c.round ? double(rounded_factor(c.precision, float(v))) : v; }

  void check() const {
    Tensor y = zeros({c.N, c.classes}), to_z = zeros({c.N, c.features}),
           to_w = zeros({c.classes, c.features}), to_bias = zeros({c.classes});
    double all = 0;
    for (int64_t n = 0; n < c.N; ++n) {
      std::vector<double> in(size_t(c.features)), pass(in.size()), out(size_t(c.classes)), d(out.size());
      const RandomStream mask = DropoutMask{11, 22, 33, 0}.row(samples.span<int64_t>()[size_t(n)]);
      for (int f = 0; f < c.features; ++f) {
        const bool keeps = !c.drops || mask.block(uint64_t(f / 4))[size_t(f % 4)] >= dropout_threshold(kDrop);
        const double value = z(n * c.features + f), scale = c.drops ? double(float(1 / (1 - kDrop))) : 1;
        pass[size_t(f)] = keeps && !(c.relu && value <= 0) ? scale : 0;
        in[size_t(f)] = factor(double(float(value * pass[size_t(f)])));
      }
      double most = -INFINITY, sum = 0, mean = 0;
      for (int k = 0; k < c.classes; ++k) {
        double& logit = out[size_t(k)] = c.bias ? bias(k) : 0;
        for (int f = 0; f < c.features; ++f) logit += in[size_t(f)] * factor(w(k * c.features + f));
        y.span<float>()[size_t(n * c.classes + k)] = float(logit);
        most = std::max(most, logit);
      }
      for (double logit : out) sum += std::exp(logit - most);
      const int64_t right = labels.span<int64_t>()[size_t(n)];
      for (double logit : out) mean += (most + std::log(sum) - logit) / c.classes;
      all += (1 - c.smoothing) * (most + std::log(sum) - out[size_t(right)]) + c.smoothing * mean;
      for (int k = 0; k < c.classes; ++k) {
        const double target = (k == right ? 1 - c.smoothing : 0) + c.smoothing / c.classes,
                     raw = std::exp(out[size_t(k)] - most) / sum - target;
        d[size_t(k)] = factor(raw);
        to_bias.span<float>()[size_t(k)] +=
            float(c.round_bias ? double(rounded_factor(c.precision, float(raw))) : raw);
        for (int f = 0; f < c.features; ++f)
          to_w.span<float>()[size_t(k * c.features + f)] += float(d[size_t(k)] * in[size_t(f)]);
      }
      for (int f = 0; f < c.features; ++f) {
        double gradient = 0;
        for (int k = 0; k < c.classes; ++k) gradient += d[size_t(k)] * factor(w(k * c.features + f));
        to_z.span<float>()[size_t(n * c.features + f)] = float(gradient * pass[size_t(f)]);
      }
    }
    // Gradients are those of the sum of all losses, so that errors are not small because gradients are.
    // One that lies between two factors may be rounded to either.
    const double tolerance = !c.round ? 2e-5 : c.precision == Precision::bf16 ? 5e-3 : 6e-4;
    check_close(logits.host(), y, 2e-5);
    check_close(loss.host(), full({1}, all / double(c.N), DType::float32), 2e-5);
    check_close(dz.host(), to_z, tolerance);
    check_close(dw.host(), to_w, tolerance);
    check_close(dbias.host(), to_bias, tolerance);
  }
};

}  // namespace

TEST_CASE("the end of a network agrees with plain loops") {
  for_each_gpu([](Device gpu) {
    for (Case c : kCases)
      for (const Precision precision : {Precision::bf16, Precision::fp16}) {
        if (precision == Precision::fp16 && !c.round) continue;
        c.precision = precision;
        INFO(c.N << " rows of " << c.features << ", " << c.classes << " classes, offset " << c.offset << ", "
                 << name_of(precision));
        const Problem p(c, gpu);
        p.run(gpu);
        p.check();
      }
  });
}

TEST_CASE("a label that is no class is an error, whichever row it has") {
  for_each_gpu([](Device gpu) {
    Problem p(kCases[2], gpu);
    p.labels.span<int64_t>()[4] = 10;
    CHECK_THROWS_AS(p.run(gpu), Error);
  });
}
