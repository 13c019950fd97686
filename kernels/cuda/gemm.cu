#include "uncial/kernels/gemm.h"

#include "few_bits.h"
#include "grid.h"

#if !defined(UNCIAL_CUDA_EMULATED)
#include "libraries.h"
#endif

namespace uncial::cuda {
namespace {

constexpr int kTile = 16;

/// Any strides: a block computes kTile x kTile elements of c, whose factors pass through shared memory.
template <class T>
void multiply_any(const Gemm<T>& g) {
  const int64_t rows = ceil_div(g.M, kTile), columns = ceil_div(g.N, kTile);
  each_block(
      g.batch * rows * columns, kTile * kTile, 3 * kTile * kTile * int64_t(sizeof(T)),
      [=] UNCIAL_BODY(const Block& block) {
        T* left = block.memory<T>();
        T *right = left + kTile * kTile, *sums = right + kTile * kTile;
        const int64_t matrix = block.index / (rows * columns), m0 = block.index / columns % rows * kTile,
                      n0 = block.index % columns * kTile;
        const T *a = g.a + matrix * g.a_batch, *b = g.b + matrix * g.b_batch;
        block.each_thread([&](int t) {
          const int64_t n = n0 + t % kTile;
          sums[t] = g.bias && n < g.N ? g.bias[n] : T(0);
        });
        for (int64_t k0 = 0; k0 < g.K; k0 += kTile) {
          block.each_thread([&](int t) {
            const int64_t m = m0 + t / kTile, n = n0 + t % kTile, ka = k0 + t % kTile, kb = k0 + t / kTile;
            left[t] = m < g.M && ka < g.K ? seen_factor(a[m * g.a_row + ka * g.a_col], g.few_bits) : T(0);
            right[t] = n < g.N && kb < g.K ? seen_factor(b[kb * g.b_row + n * g.b_col], g.few_bits) : T(0);
          });
          block.each_thread([&](int t) {
            T sum = sums[t];
            for (int k = 0; k < kTile; ++k) sum += left[t / kTile * kTile + k] * right[k * kTile + t % kTile];
            sums[t] = sum;
          });
        }
        block.each_thread([&](int t) {
          const int64_t m = m0 + t / kTile, n = n0 + t % kTile;
          if (m < g.M && n < g.N) g.c[(matrix * g.M + m) * g.N + n] = sums[t];
        });
      },
      "gemm");
}

#if !defined(UNCIAL_CUDA_EMULATED)

/// A strided operand as cuBLAS sees it, column by column: `rows` x `columns`, as it is or transposed.
struct Operand {
  cublasOperation_t how = CUBLAS_OP_N;
  int64_t distance = 0;  ///< from column to column
  bool fits = true;

  Operand(int64_t rows, int64_t row_step, int64_t columns, int64_t column_step) {
    if ((row_step == 1 || rows == 1) && (column_step >= rows || columns == 1))
      distance = columns == 1 ? rows : column_step;
    else if ((column_step == 1 || columns == 1) && (row_step >= columns || rows == 1))
      how = CUBLAS_OP_T, distance = rows == 1 ? columns : row_step;
    else
      fits = false;
    fits = fits && distance < (int64_t(1) << 31);
  }
};

template <class T>
bool multiply_by_library(const Gemm<T>& g) {
  // c is row-major, which is its transpose column by column: c^T = b^T a^T.
  const Operand left(g.N, g.b_col, g.K, g.b_row), right(g.K, g.a_col, g.M, g.a_row);
  constexpr int64_t kMost = (int64_t(1) << 31) - 1;
  if (!left.fits || !right.fits || g.M > kMost || g.N > kMost || g.K > kMost || g.batch > kMost) return false;
  constexpr bool kFloat = sizeof(T) == 4;
  const T one = 1, none = 0;
  const cudaDataType_t type = kFloat ? CUDA_R_32F : CUDA_R_64F;
  const cublasComputeType_t arithmetic = !kFloat      ? CUBLAS_COMPUTE_64F
                                         : g.few_bits ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                      : CUBLAS_COMPUTE_32F;
  check(cublasGemmStridedBatchedEx(blas(), left.how, right.how, int(g.N), int(g.M), int(g.K), &one, g.b, type,
                                   int(left.distance), g.b_batch, g.a, type, int(right.distance), g.a_batch,
                                   &none, g.c, type, int(g.N), g.M * g.N, int(g.batch), arithmetic,
                                   CUBLAS_GEMM_DEFAULT),
        "gemm");
  if (const T* bias = g.bias) {
    T* c = g.c;
    const int64_t N = g.N;
    each(
        g.batch * g.M * g.N, [=] UNCIAL_BODY(int64_t i) { c[i] += bias[i % N]; }, "gemm");
  }
  return true;
}

#endif

}  // namespace

template <class T>
void gemm(const Gemm<T>& g) {
  if (g.batch * g.M * g.N == 0) return;
#if !defined(UNCIAL_CUDA_EMULATED)
  if (g.K > 0 && multiply_by_library(g)) return;
#endif
  multiply_any(g);
}

template void gemm<float>(const Gemm<float>&);
template void gemm<double>(const Gemm<double>&);

}  // namespace uncial::cuda
