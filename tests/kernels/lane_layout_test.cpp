#include "simd/lane_layout.h"

#include "kernels/guarded.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Image;
using test::for_each_isa;

struct Shape {
  int64_t C, H, W, halo;
};
const Shape kShapes[] = {{1, 28, 28, 0}, {3, 5, 7, 0},  {1, 1, 3, 0},  {2, 1, 1, 0},  {1, 28, 28, 1},
                         {2, 3, 16, 1},  {3, 4, 33, 2}, {2, 6, 13, 1}, {70, 1, 1, 0}, {2, 1, 20, 3}};

int64_t offset(const Shape& s, int64_t c, int64_t h, int64_t w) { return (c * s.H + h) * s.W + w; }

TEST_CASE("load puts samples into lanes and zeros into the rest, and leaves the halo alone") {
  for_each_isa([](const std::string&) {
    const LaneLayoutSimd& layout = lane_layout_simd();
    for (const Shape& s : kShapes)
      for (int64_t samples = 1; samples <= layout.lanes; ++samples) {
        const int64_t size = s.C * s.H * s.W, distance = size + 5;
        const Floats x((samples - 1) * distance + size);
        const Image y(layout.lanes, s.C, s.H, s.W, s.halo);
        for (int64_t i = 0; i < samples; ++i)
          for (int64_t j = 0; j < size; ++j) x[i * distance + j] = float(i * 10000 + j + 1);
        layout.load(x.data(), samples, distance, y.view());
        int64_t wrong = 0;
        y.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
          wrong += y.at(c, h, w, lane) != (lane < samples ? float(lane * 10000 + offset(s, c, h, w) + 1) : 0);
        });
        CHECK(wrong == 0);
        CHECK(y.halo_untouched());
      }
  });
}

TEST_CASE("store is the reverse of load and writes nothing else") {
  for_each_isa([](const std::string&) {
    const LaneLayoutSimd& layout = lane_layout_simd();
    for (const Shape& s : kShapes)
      for (int64_t samples = 1; samples <= layout.lanes; ++samples) {
        const int64_t size = s.C * s.H * s.W, distance = size + 5;
        const Image x(layout.lanes, s.C, s.H, s.W, s.halo);
        const Floats y((samples - 1) * distance + size);
        x.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
          x.at(c, h, w, lane) = float(lane * 10000 + offset(s, c, h, w) + 1);
        });
        layout.store(x.view(), y.data(), samples, distance);
        int64_t wrong = 0;
        for (int64_t i = 0; i < samples; ++i)
          for (int64_t j = 0; j < size; ++j) wrong += y[i * distance + j] != float(i * 10000 + j + 1);
        CHECK(wrong == 0);
        CHECK(y.untouched_outside([&](int64_t i) { return i % distance < size; }));
      }
  });
}

TEST_CASE("clear_halo writes zeros around the pixels and nowhere else") {
  for_each_isa([](const std::string&) {
    const LaneLayoutSimd& layout = lane_layout_simd();
    const int64_t lanes = layout.lanes, C = 3, H = 4, W = 5, before = 1, below = 2, behind = 3, gap = 1;
    const int64_t row = (before + W + behind + gap) * lanes, plane = (before + H + below + gap) * row;
    const Floats memory(C * plane);
    const auto place = [&](int64_t i) {
      struct Place {
        int64_t h, w;
      };
      return Place{i % plane / row - before, i % row / lanes - before};
    };
    const auto in_pixels = [&](int64_t i) {
      const auto [h, w] = place(i);
      return h >= 0 && h < H && w >= 0 && w < W;
    };
    const auto in_halo = [&](int64_t i) {
      const auto [h, w] = place(i);
      return !in_pixels(i) && h < H + below && w < W + behind;
    };
    layout.clear_halo({memory.data() + before * (row + lanes), C, H, W, plane, row}, before, below, behind);
    CHECK(memory.untouched_outside(in_halo));
    int64_t wrong = 0;
    for (int64_t i = 0; i < memory.size(); ++i) wrong += in_halo(i) && memory[i] != 0;
    CHECK(wrong == 0);
  });
}

}  // namespace
}  // namespace uncial::cpu
