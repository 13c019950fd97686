#include "tiles/tile_dense.h"

#include <algorithm>

#include "kernels/lane_dense_buffers.h"
#include "support/isas.h"
#include "uncial/core/isa.h"

// Small integers are bfloat16 values and make every sum exact, whatever its order, so results must be equal.

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;
using guarded::Matrix;
using guarded::Weights;

constexpr int64_t kLanes = 16;

struct Shape {
  int64_t D, K, groups;
};
const Shape kShapes[] = {{1, 1, 1},    {7, 3, 2},    {16, 10, 1},  {100, 10, 4}, {193, 13, 3}, {97, 6, 5},
                         {784, 33, 8}, {64, 128, 4}, {130, 25, 7}, {600, 70, 3}, {33, 2, 9},   {256, 48, 6}};

/// body(kernels, shape, d0, d1) for ranges of inputs.
template <class Body>
void for_each_case(Body body) {
  test::for_each_tile_unit([&](const std::string& unit) {
    for (const Shape& s : kShapes)
      for (const bool whole : {true, false}) {
        INFO(unit << ", " << s.D << " -> " << s.K << ", " << s.groups << " groups");
        body(*tile_dense(), s, whole ? 0 : s.D / 3, whole ? s.D : s.D - s.D / 4);
      }
  });
}

}  // namespace

TEST_CASE("dense layers on the matrix unit sum weights times features for any range") {
  for_each_case([](const TileDenseKernels& dense, const Shape& s, int64_t d0, int64_t d1) {
    Integers next;
    const Matrix x(kLanes, s.D, s.groups);
    const Weights w(s.K, s.D);
    x.fill(next), w.fill(next);
    const int64_t rows = (s.K + 15) / 16 * 16;
    const Floats sums(s.groups * rows * kLanes), workspace(dense.workspace_floats(s.groups, s.K));
    dense.forward(x.view(), s.groups, w.memory.data(), w.pitch, s.K, d0, d1, sums.data(), workspace.data());
    int64_t wrong = 0;
    for (int64_t n = 0; n < s.groups * kLanes; ++n)
      for (int64_t k = 0; k < s.K; ++k) {
        float sum = 0;
        for (int64_t d = d0; d < d1; ++d) sum += w.at(k, d) * x.at(d, n);
        wrong += sums[(n / kLanes * rows + k) * kLanes + n % kLanes] != sum;
      }
    CHECK(wrong == 0);
    CHECK(sums.margins_untouched());
    CHECK(workspace.margins_untouched());
  });
}

TEST_CASE("parts of a dense layer's sums meet the bias and ReLU") {
  for_each_case([](const TileDenseKernels& dense, const Shape& s, int64_t, int64_t) {
    Integers next;
    const int64_t rows = (s.K + 15) / 16 * 16, floats = rows * kLanes;
    const Floats sums(3 * floats), bias(s.K), y(s.K * kLanes);
    for (int64_t i = 0; i < 3 * floats; ++i) sums[i] = next();
    for (int64_t k = 0; k < s.K; ++k) bias[k] = next();
    for (const bool biased : {true, false})
      for (const bool relu : {true, false}) {
        dense.finish(sums.data(), 3, floats, biased ? bias.data() : nullptr, relu, y.data(), s.K);
        int64_t wrong = 0;
        for (int64_t i = 0; i < s.K * kLanes; ++i) {
          const float sum =
              (biased ? bias[i / kLanes] : 0) + sums[i] + sums[floats + i] + sums[2 * floats + i];
          wrong += y[i] != (relu ? std::max(sum, 0.0f) : sum);
        }
        CHECK(wrong == 0);
        CHECK(y.margins_untouched());
      }
  });
}

TEST_CASE("input gradients of dense layers on the matrix unit, for any range") {
  for_each_case([](const TileDenseKernels& dense, const Shape& s, int64_t d0, int64_t d1) {
    Integers next;
    const Matrix dy(kLanes, s.K, s.groups), dx(kLanes, s.D, s.groups);
    const Weights w(s.K, s.D);
    dy.fill(next), w.fill(next);
    const Floats workspace(dense.workspace_floats(s.groups, s.K));
    dense.input_gradient(dy.view(), s.groups, w.memory.data(), w.pitch, s.K, dx.view(), d0, d1,
                         workspace.data());
    int64_t wrong = 0;
    for (int64_t n = 0; n < s.groups * kLanes; ++n)
      for (int64_t d = d0; d < d1; ++d) {
        float sum = 0;
        for (int64_t k = 0; k < s.K; ++k) sum += w.at(k, d) * dy.at(k, n);
        wrong += dx.at(d, n) != sum;
      }
    CHECK(wrong == 0);
    CHECK(dx.untouched_outside(d0, d1));
    CHECK(workspace.margins_untouched());
  });
}

TEST_CASE("weight gradients of dense layers on the matrix unit count the samples that there are") {
  for_each_case([](const TileDenseKernels& dense, const Shape& s, int64_t d0, int64_t d1) {
    for (const int64_t samples : {1, 5, 16}) {
      Integers next;
      const Matrix dy(kLanes, s.K, s.groups), x(kLanes, s.D, s.groups);
      const Weights dw(s.K, s.D);
      const int64_t count = (s.groups - 1) * kLanes + samples;
      for (int64_t n = 0; n < count; ++n) {  // the others stay guards
        for (int64_t k = 0; k < s.K; ++k) dy.at(k, n) = next(2);
        for (int64_t d = 0; d < s.D; ++d) x.at(d, n) = next(2);
      }
      const Floats workspace(dense.workspace_floats(s.groups, s.K));
      dense.weight_gradient(dy.view(), x.view(), s.groups, samples, dw.memory.data(), dw.pitch, s.K, d0, d1,
                            workspace.data());
      int64_t wrong = 0;
      for (int64_t k = 0; k < s.K; ++k)
        for (int64_t d = d0; d < d1; ++d) {
          float sum = 0;
          for (int64_t n = 0; n < count; ++n) sum += dy.at(k, n) * x.at(d, n);
          wrong += dw.at(k, d) != sum;
        }
      CHECK(wrong == 0);
      CHECK(dw.memory.untouched_outside([&](int64_t i) { return i % dw.pitch >= d0 && i % dw.pitch < d1; }));
      CHECK(workspace.margins_untouched());
    }
  });
}

}  // namespace uncial::cpu
