// Eigen's matrix product, for dense layers and (behind im2col) for convolutions. The only file here that is
// compiled for the instruction set of the machine that builds: Eigen chooses its vectors at compile time.
#include "contenders.h"

#if defined(UNCIAL_BENCH_EIGEN)
#include <Eigen/Core>

#include "uncial/core/parallel.h"

namespace uncial::bench {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<Matrix>;
using ConstMap = Eigen::Map<const Matrix>;

/// Calls visit(pixel of the image, place in cols) for all that a filter sees, cols being (C R S, P Q).
template <class Visit>
void for_columns(const ConvExtents& e, Visit visit) {
  int64_t place = 0;
  for (int64_t c = 0; c < e.C; ++c)
    for (int64_t r = 0; r < e.R; ++r)
      for (int64_t s = 0; s < e.S; ++s)
        for (int64_t p = 0; p < e.P; ++p)
          for (int64_t q = 0; q < e.Q; ++q, ++place) {
            const int64_t h = p * e.stride - e.padding + r * e.dilation;
            const int64_t w = q * e.stride - e.padding + s * e.dilation;
            if (h >= 0 && h < e.H && w >= 0 && w < e.W) visit((c * e.H + h) * e.W + w, place);
          }
}

struct Work {
  ConvExtents e;
  int64_t depth = e.C * e.R * e.S, pixels = e.P * e.Q, x_size = e.C * e.H * e.W, y_size = e.K * pixels;

  Matrix columns(const float* image) const {
    Matrix cols = Matrix::Zero(depth, pixels);
    for_columns(e, [&](int64_t from, int64_t to) { cols.data()[to] = image[from]; });
    return cols;
  }

  void forward(int64_t n, const float* x, const float* w, float* y) const {
    Map(y + n * y_size, e.K, pixels).noalias() = ConstMap(w, e.K, depth) * columns(x + n * x_size);
  }

  void input_gradient(int64_t n, const float* dy, const float* w, float* dx) const {
    const Matrix cols = ConstMap(w, e.K, depth).transpose() * ConstMap(dy + n * y_size, e.K, pixels);
    float* image = dx + n * x_size;
    std::fill(image, image + x_size, 0.f);
    for_columns(e, [&](int64_t to, int64_t from) { image[to] += cols.data()[from]; });
  }

  /// Some images to a block, whose sums are added at the end.
  void weight_gradient(const float* x, const float* dy, float* dw) const {
    constexpr int64_t kBlocks = 8;
    std::vector<Matrix> sums(kBlocks, Matrix::Zero(e.K, depth));
    parallel_for(kBlocks, [&](int64_t block) {
      for (int64_t n = block; n < e.N; n += kBlocks)
        sums[size_t(block)].noalias() +=
            ConstMap(dy + n * y_size, e.K, pixels) * columns(x + n * x_size).transpose();
    });
    Map total(dw, e.K, depth);
    total.setZero();
    for (const Matrix& sum : sums) total += sum;
  }
};

void run(const ConvExtents& e, ConvPass pass, const float* a, const float* b, float* result) {
  const Work work{e};
  if (pass == ConvPass::weight_gradient) return work.weight_gradient(a, b, result);
  parallel_for(e.N, [&](int64_t n) {
    if (pass == ConvPass::forward)
      work.forward(n, a, b, result);
    else
      work.input_gradient(n, a, b, result);
  });
}

Shape result_shape(const ConvExtents& e, ConvPass pass) {
  if (pass == ConvPass::forward) return {e.N, e.K, e.P, e.Q};
  if (pass == ConvPass::input_gradient) return {e.N, e.C, e.H, e.W};
  return {e.K, e.C, e.R, e.S};
}

}  // namespace

bool eigen_has(const ConvExtents& e, ConvPass) { return e.groups == 1; }
bool eigen_has_product() { return true; }

Contestant eigen_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b) {
  const Tensor result = empty(result_shape(e, pass));
  return writing(result, [=] { run(e, pass, a.data<float>(), b.data<float>(), result.data<float>()); });
}

Contestant eigen_product(const Tensor& a, const Tensor& b) {
  const int64_t M = a.size(0), N = b.size(0), K = a.size(1);
  const Tensor c = empty({M, N});
  return writing(c, [=] {
    const float *pa = a.data<float>(), *pb = b.data<float>();
    float* pc = c.data<float>();
    parallel_blocks(M, std::max<int64_t>(1, (M + 1) / 2), [=](int64_t begin, int64_t end) {
      Map(pc + begin * N, end - begin, N).noalias() =
          ConstMap(pa + begin * K, end - begin, K) * ConstMap(pb, N, K).transpose();
    });
  });
}

}  // namespace uncial::bench

#else

namespace uncial::bench {
bool eigen_has(const ConvExtents&, ConvPass) { return false; }
bool eigen_has_product() { return false; }
Contestant eigen_conv(const ConvExtents&, ConvPass, const Tensor&, const Tensor&) { return {}; }
Contestant eigen_product(const Tensor&, const Tensor&) { return {}; }
}  // namespace uncial::bench

#endif
