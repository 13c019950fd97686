#pragma once
/// One declaration checks an operator: value against a slow reference, gradient against differences, strided
/// inputs, thread counts, instruction sets.

#include <string_view>
#include <vector>

#include "support/catch.h"
#include "support/errors.h"
#include "support/gradcheck.h"
#include "support/isas.h"

namespace uncial::test {

/// What check_op() needs to know.
struct OpCheck {
  Function op;
  Function reference{};              ///< slow, plain loops, sharing no code with `op`; may be empty
  std::vector<Tensors> inputs;       ///< float64 ones are differentiated and also tried in float32
  double value_tolerance = 1e-12;    ///< in float64, see check_close(); 0 asks for equality
  double gradient_tolerance = 1e-6;  ///< of gradient_gap(); 0 skips gradients
  double second_tolerance = 0;       ///< of second_gradient_gap(); 0 skips second derivatives
  double float_tolerance = 2e-6;     ///< in float32, on every instruction set; 0 skips float32
  bool sums = false;  ///< results are long sums: float32 errors count relative to the largest element
};

/// Runs `op` on every input, as it is and as a strided view, with 1, 2 and 3 threads (same bits), on every
/// instruction set of this machine and on its GPUs, and compares with the reference and with differences.
void check_op(const OpCheck& check);

/// |actual - expected| <= tolerance * max(1, |expected|) for every element; NaN matches NaN, infinity itself.
/// Shapes must be equal; values are compared as float64.
void check_close(const Tensor& actual, const Tensor& expected, double tolerance = 1e-12);

/// Same dtype, shape and bits, wherever they are.
bool same_bits(const Tensor& a, const Tensor& b);

/// `call` must throw a usage Error whose message contains `part`.
template <class F>
void check_error(F&& call, std::string_view part) {
  check_error(ErrorKind::usage, call, part);
}

/// The values of x in a view that is neither contiguous nor in row-major order: every second element of a
/// larger, transposed tensor.
Tensor as_strided(const Tensor& x);

/// t where x is, and in its dtype when both are floating; an undefined t stays so. For what an operator takes
/// besides the inputs of a check.
Tensor beside(const Tensor& x, const Tensor& t);

/// f of each element, in float64, by a plain loop over indices.
Tensor slow_map(const Tensor& x, const std::function<double(double)>& f);
/// f of each pair of elements, broadcast by NumPy's rule, in float64, by a plain loop over indices.
Tensor slow_zip(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& f);
/// Calls body with each index of the shape in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Extents&)>& body);
/// The element at an index; axes of extent 1 and missing leading ones repeat.
double element(const Tensor& x, const Extents& index);

/// Thread count while alive.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};
}  // namespace uncial::test
