#include "simd/lane_dropout.h"

#include "kernels/guarded.h"
#include "support/isas.h"
#include "uncial/kernels/dropout.h"

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;
using test::for_each_isa;

/// The streams of samples 1000, 1001, ... of a mask.
LaneStreams streams_of(const DropoutMask& mask, int lanes) {
  LaneStreams all{};
  for (int i = 0; i < lanes; ++i) {
    const RandomStream stream = mask.row(1000 + i);
    all.key0[i] = stream.key()[0];
    all.key1[i] = stream.key()[1];
    all.high[i] = uint32_t(stream.first() >> 32);
    all.a[i] = stream.a();
    all.b[i] = stream.b();
  }
  return all;
}

bool dropped(const DropoutMask& mask, int64_t lane, int64_t j) {
  return mask.row(1000 + lane).block(uint64_t(j) / 4)[size_t(j % 4)] < mask.threshold;
}

TEST_CASE("dropout draws each sample's mask from its own stream") {
  for_each_isa([](const std::string&) {
    const LaneDropoutSimd& simd = lane_dropout_simd();
    Integers next;
    for (const int64_t n : {1, 3, 4, 6, 130, 1601})
      for (const double p : {0.0, 0.25, 0.5, 1.0}) {
        const DropoutMask mask{0x123456789abcdefu, 0x3300000007u, 5, dropout_threshold(p)};
        const int64_t size = n * simd.lanes;
        const Floats x(size), y(size);
        x.fill(next);
        std::vector<WinnerCode> winners(size_t(size) + 64, 2);
        simd.dropout(x.data(), n, streams_of(mask, simd.lanes), mask.threshold, 1.25f, y.data(),
                     winners.data());
        int64_t wrong = 0;
        for (int64_t i = 0; i < size; ++i) {
          const bool drop = dropped(mask, i % simd.lanes, i / simd.lanes);
          wrong += y[i] != (drop ? 0 : x[i] * 1.25f);
          wrong += winners[size_t(i)] != (drop ? kNoWinner : 2);
        }
        for (size_t i = size_t(size); i < winners.size(); ++i) wrong += winners[i] != 2;
        CAPTURE(n, p);
        CHECK(wrong == 0);
        CHECK(y.margins_untouched());

        simd.dropout(x.data(), n, streams_of(mask, simd.lanes), mask.threshold, 1.25f, x.data(), nullptr);
        for (int64_t i = 0; i < size; ++i) wrong += x[i] != y[i];
        CHECK(wrong == 0);
      }
  });
}

TEST_CASE("dropout keeps the decisions of the row-major kernel, and drops NaN") {
  for_each_isa([](const std::string&) {
    const LaneDropoutSimd& simd = lane_dropout_simd();
    const DropoutMask mask{99, 3, 1, dropout_threshold(0.5)};
    const int64_t n = 300;
    const Floats x(n * simd.lanes), y(x.size());
    for (int64_t i = 0; i < x.size(); ++i) x[i] = i % 7 ? float(i) : guarded::guard();
    simd.dropout(x.data(), n, streams_of(mask, simd.lanes), mask.threshold, 2, y.data(), nullptr);
    std::vector<float> row(static_cast<size_t>(n)), kept(static_cast<size_t>(n));
    for (int64_t lane = 0; lane < simd.lanes; ++lane) {
      for (int64_t j = 0; j < n; ++j) row[size_t(j)] = x[j * simd.lanes + lane];
      const int64_t sample = 1000 + lane;
      const int64_t state[] = {int64_t(mask.seed), int64_t(mask.layer), int64_t(mask.epoch)};
      cpu::dropout<float>({row.data(), 1, n}, &sample, state, mask.threshold, 2, {kept.data(), 1, n});
      int64_t wrong = 0;
      for (int64_t j = 0; j < n; ++j)
        wrong +=
            std::bit_cast<uint32_t>(kept[size_t(j)]) != std::bit_cast<uint32_t>(y[j * simd.lanes + lane]);
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("dropout keeps an element whose word equals the threshold") {
  for_each_isa([](const std::string&) {
    const LaneDropoutSimd& simd = lane_dropout_simd();
    DropoutMask mask{4, 2, 1, 0};
    mask.threshold = mask.row(1000 + simd.lanes - 1).block(0)[2];
    const Floats x(3 * simd.lanes);
    for (int64_t i = 0; i < x.size(); ++i) x[i] = 1;
    simd.dropout(x.data(), 3, streams_of(mask, simd.lanes), mask.threshold, 2, x.data(), nullptr);
    CHECK(x[x.size() - 1] == 2);
  });
}

}  // namespace
}  // namespace uncial::cpu
