#pragma once
/// @file tile_products.h
/// Products of tiles where eight of them are registers: two by two tiles of sums, or one by four, with the
/// factors in the rest. For the matrix unit and its emulation.

#if defined(UNCIAL_TILES_EMULATED)
#include "tiles_emulated.h"
#else
#include "tiles_amx.h"
#endif

namespace UNCIAL_SIMD {

/// Sum i * kB + j += a[i] b[j], where both are `depth` tiles, `a_step` and `b_step` bytes apart.
template <int kA, int kB>
[[gnu::always_inline]] inline void add_products(Tiles& t, const char* const* a, int64_t a_step,
                                                const char* const* b, int64_t b_step, int64_t depth) {
  static_assert(kA * kB <= 4 && kA <= 2);
  for (int64_t i = 0, ai = 0, bi = 0; i < depth; ++i, ai += a_step, bi += b_step) {
    if constexpr (kB == 4) {
      t.load<7>(a[0] + ai);
      t.load<4>(b[0] + bi);
      t.multiply_add<0, 7, 4>();
      t.load<5>(b[1] + bi);
      t.multiply_add<1, 7, 5>();
      t.load<6>(b[2] + bi);
      t.multiply_add<2, 7, 6>();
      t.load<4>(b[3] + bi);
      t.multiply_add<3, 7, 4>();
    } else {
      t.load<4>(a[0] + ai);
      t.load<6>(b[0] + bi);
      t.multiply_add<0, 4, 6>();
      if constexpr (kB == 2) {
        t.load<7>(b[1] + bi);
        t.multiply_add<1, 4, 7>();
      }
      if constexpr (kA == 2) {
        t.load<5>(a[1] + ai);
        t.multiply_add<kB, 5, 6>();
        if constexpr (kB == 2) t.multiply_add<3, 5, 7>();
      }
    }
  }
}

}  // namespace UNCIAL_SIMD
