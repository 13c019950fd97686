#include "nn/orthonormal.h"

#include "core/eigen.h"

namespace uncial::nn {

/// Q of the QR decomposition of a normal matrix. Householder's reflections leave R's diagonal with either
/// sign; only with positive ones is Q uniform (Mezzadri, "How to generate random matrices from the classical
/// compact groups", 2007).
std::vector<double> orthonormal(int64_t count, int64_t length, Generator& generator) {
  using uncial_eigen::MatrixXd;
  MatrixXd normal(length, count);  // column-major: vector by vector
  for (double* x = normal.data(); x != normal.data() + normal.size(); ++x) *x = generator.normal();
  const uncial_eigen::HouseholderQR<MatrixXd> qr(normal);
  MatrixXd q = qr.householderQ() * MatrixXd::Identity(length, count);
  for (int64_t k = 0; k < count; ++k)
    if (qr.matrixQR()(k, k) < 0) q.col(k) = -q.col(k);
  return {q.data(), q.data() + q.size()};
}

}  // namespace uncial::nn
