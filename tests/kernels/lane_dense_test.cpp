#include "simd/lane_dense.h"

#include <algorithm>

#include "kernels/lane_dense_buffers.h"
#include "support/isas.h"

// Integers make every sum exact, whatever its order, so results must be equal.

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;
using guarded::Matrix;
using guarded::Weights;
using test::for_each_isa;

struct Shape {
  int64_t D, K, groups;
};
const Shape kShapes[] = {{1, 1, 1},  {7, 3, 2},    {16, 10, 1},  {100, 10, 4}, {193, 13, 3},
                         {97, 6, 5}, {784, 33, 8}, {64, 128, 4}, {130, 25, 7}, {96, 12, 6},
                         {33, 2, 9}, {2701, 7, 3}, {40, 140, 5}, {70, 9, 37}};

TEST_CASE("forward sums weights times features for any ranges") {
  for_each_isa([](const std::string&) {
    const LaneDenseSimd& dense = lane_dense_simd();
    Integers next;
    for (const Shape& s : kShapes)
      for (const bool whole : {true, false})
        for (const bool add : {false, true})
          for (const bool with_bias : {false, true}) {
            const bool relu = (s.D + s.K) % 2 == 0;
            const int64_t k0 = whole ? 0 : s.K / 3, k1 = whole ? s.K : s.K - s.K / 4;
            const int64_t d0 = whole ? 0 : s.D / 3, d1 = whole ? s.D : s.D - s.D / 4;
            const Matrix x(dense.lanes, s.D, s.groups), y(dense.lanes, s.K, s.groups);
            const Weights w(s.K, s.D);
            const Floats bias(s.K);
            x.fill(next), w.fill(next), bias.fill(next);
            if (add)
              for (int64_t n = 0; n < s.groups * dense.lanes; ++n)
                for (int64_t k = k0; k < k1; ++k) y.at(k, n) = float(k);
            dense.forward(x.view(), s.groups, w.memory.data(), w.pitch, with_bias ? bias.data() : nullptr,
                          y.view(), k0, k1, d0, d1, add, relu);
            int64_t wrong = 0;
            for (int64_t n = 0; n < s.groups * dense.lanes; ++n)
              for (int64_t k = k0; k < k1; ++k) {
                double sum = (add ? double(k) : 0) + (with_bias ? double(bias[k]) : 0);
                for (int64_t d = d0; d < d1; ++d) sum += double(w.at(k, d)) * double(x.at(d, n));
                wrong += double(y.at(k, n)) != (relu ? std::max(sum, 0.0) : sum);
              }
            CAPTURE(s.D, s.K, s.groups, whole, add, with_bias, relu);
            CHECK(wrong == 0);
            CHECK(y.untouched_outside(k0, k1));
          }
  });
}

TEST_CASE("input_gradient sums weights times output gradients") {
  for_each_isa([](const std::string&) {
    const LaneDenseSimd& dense = lane_dense_simd();
    Integers next;
    for (const Shape& s : kShapes)
      for (const bool whole : {true, false}) {
        const int64_t d0 = whole ? 0 : s.D / 3, d1 = whole ? s.D : s.D - s.D / 4;
        const Matrix dy(dense.lanes, s.K, s.groups), dx(dense.lanes, s.D, s.groups);
        const Weights w(s.K, s.D);
        dy.fill(next), w.fill(next);
        dense.input_gradient(dy.view(), s.groups, w.memory.data(), w.pitch, s.K, dx.view(), d0, d1);
        int64_t wrong = 0;
        for (int64_t n = 0; n < s.groups * dense.lanes; ++n)
          for (int64_t d = d0; d < d1; ++d) {
            double sum = 0;
            for (int64_t k = 0; k < s.K; ++k) sum += double(w.at(k, d)) * double(dy.at(k, n));
            wrong += double(dx.at(d, n)) != sum;
          }
        CAPTURE(s.D, s.K, s.groups, whole);
        CHECK(wrong == 0);
        CHECK(dx.untouched_outside(d0, d1));
      }
  });
}

TEST_CASE("weight_gradient sums over the samples that are real, whatever the other lanes hold") {
  for_each_isa([](const std::string&) {
    const LaneDenseSimd& dense = lane_dense_simd();
    Integers next;
    for (const Shape& s : kShapes)
      for (const int64_t samples : {1, dense.lanes / 2 + 1, dense.lanes})
        for (const bool whole : {true, false})
          for (const bool add : {false, true}) {
            const int64_t d0 = whole ? 0 : s.D / 3, d1 = whole ? s.D : s.D - s.D / 4;
            const int64_t real = (s.groups - 1) * dense.lanes + samples;
            const Matrix dy(dense.lanes, s.K, s.groups), x(dense.lanes, s.D, s.groups);
            const Weights dw(s.K, s.D);
            const Floats workspace(s.groups * dense.lanes * 64);
            dy.fill(next), x.fill(next);
            for (int64_t n = real; n < s.groups * dense.lanes; ++n) {
              for (int64_t k = 0; k < s.K; ++k) dy.at(k, n) = guarded::guard();
              for (int64_t d = 0; d < s.D; ++d) x.at(d, n) = guarded::guard();
            }
            if (add)
              for (int64_t k = 0; k < s.K; ++k)
                for (int64_t d = d0; d < d1; ++d) dw.at(k, d) = float(k - d);
            dense.weight_gradient(dy.view(), x.view(), s.groups, samples, dw.memory.data(), dw.pitch, s.K, d0,
                                  d1, add, workspace.data());
            int64_t wrong = 0;
            for (int64_t k = 0; k < s.K; ++k)
              for (int64_t d = d0; d < d1; ++d) {
                double sum = add ? double(k - d) : 0;
                for (int64_t n = 0; n < real; ++n) sum += double(dy.at(k, n)) * double(x.at(d, n));
                wrong += double(dw.at(k, d)) != sum;
              }
            CAPTURE(s.D, s.K, s.groups, samples, whole, add);
            CHECK(wrong == 0);
            CHECK(dw.memory.untouched_outside(
                [&](int64_t i) { return i % dw.pitch >= d0 && i % dw.pitch < d1; }));
            CHECK(workspace.margins_untouched());
          }
  });
}

TEST_CASE("lane_sums adds up the samples that are real") {
  for_each_isa([](const std::string&) {
    const LaneDenseSimd& dense = lane_dense_simd();
    Integers next;
    for (const int64_t D : {1, 3, 16, 37})
      for (const int64_t samples : {1, dense.lanes / 2 + 1, dense.lanes}) {
        const Floats x(D * dense.lanes), sums(2 * D);
        for (int64_t i = 0; i < x.size(); ++i) x[i] = i % dense.lanes < samples ? next() : guarded::guard();
        dense.lane_sums(x.data(), D, samples, reinterpret_cast<double*>(sums.data()));
        int64_t wrong = 0;
        for (int64_t d = 0; d < D; ++d) {
          double sum = 0;
          for (int64_t n = 0; n < samples; ++n) sum += double(x[d * dense.lanes + n]);
          wrong += reinterpret_cast<const double*>(sums.data())[d] != sum;
        }
        CAPTURE(D, samples);
        CHECK(wrong == 0);
        CHECK(sums.margins_untouched());
      }
  });
}

}  // namespace
}  // namespace uncial::cpu
