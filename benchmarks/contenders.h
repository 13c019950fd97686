#pragma once
// Other implementations at the same work. Their results are row-major N C H W like ours; layouts of their own
// are made before the clock starts.

#include "kernel_case.h"
#include "uncial/kernels/conv.h"

namespace uncial::bench {

enum class ConvPass { forward, input_gradient, weight_gradient };

/// Our own kernels with the batch in the lanes, direct or by Winograd's algorithm; false where a planned
/// program would not use them.
bool lanes_has(const ConvExtents& e, bool winograd);
Contestant lanes_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b, bool winograd);

enum class DensePass { forward, input_gradient, weight_gradient };

/// Dense layers with the batch in the lanes; `tiles`: of bfloat16 factors, where the processor is faster with
/// them. Operands are x and w, dy and w, or dy and x.
bool lanes_has_dense(int64_t samples, bool tiles);
Contestant lanes_dense(DensePass pass, const Tensor& a, const Tensor& b, bool tiles);

/// im2col and Eigen's matrix product, image by image on all threads; false when built without Eigen, and for
/// groups.
bool eigen_has(const ConvExtents& e, ConvPass pass);
Contestant eigen_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b);
/// c (M, N) = a (M, K) times b (N, K) transposed, M cut into blocks for the threads.
bool eigen_has_product();
Contestant eigen_product(const Tensor& a, const Tensor& b);

/// oneDNN's own choice of layout and algorithm.
bool onednn_has();
Contestant onednn_conv(const ConvExtents& e, ConvPass pass, const Tensor& a, const Tensor& b);
Contestant onednn_product(const Tensor& a, const Tensor& b);
/// Threads of the libraries that have a pool of their own.
void set_contenders_threads(int threads);

}  // namespace uncial::bench
