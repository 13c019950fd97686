#pragma once
/// @file warp.h
/// Matrix products of a warp: 16x8 blocks of float32 sums of products of 16-bit factors (bfloat16, where no
/// other format is named), on tensor cores, or in the emulator with whole matrices in the place of the
/// threads' shares.
///
/// On the GPU a fragment is what one of 32 threads holds of a matrix (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16"); bodies never index one: they hand in where rows lie and get elements out.

#include <cstdint>
#include <type_traits>

#include "factor_format.h"
#include "grid.h"

namespace uncial::cuda {

/// The larger one, or NaN when one of them is.
UNCIAL_BODY inline float larger(float a, float b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
#else
  return b > a || b != b ? b : a;
#endif
}

/// The largest of four values and which it was: the first of equals; NaN counts as larger than all numbers.
struct Largest {
  float value;
  int place;  ///< of NaN: any of them
  UNCIAL_BODY static Largest of(float a, float b, float c, float d) {
    const float value = larger(larger(a, b), larger(c, d));
    return {value, a == value ? 0 : b == value ? 1 : c == value ? 2 : 3};
  }
};

struct alignas(8) Pair {
  float first, second;
};

// nvcc reads this once for the GPU and once for the host, where bodies do not run.
#if defined(__CUDA_ARCH__)

struct FragmentA {  ///< 16x16
  uint32_t words[4];
};
struct FragmentB {  ///< 16x8
  uint32_t words[2];
};
struct FragmentC {  ///< 16x8
  float values[4];
};

struct Warp {
  int index;  ///< within the block

  __device__ static int lane() { return int(threadIdx.x % kWarp); }
  __device__ static uint32_t address(const uint16_t* p) { return uint32_t(__cvta_generic_to_shared(p)); }

  template <class F>
  __device__ void each_lane(F f) const {
    f(lane());
  }
  /// value(lane) of all lanes combined, by a fixed tree; every lane gets the result.
  template <class Value, class Combine>
  __device__ auto reduce(Value value, Combine combine) const {
    auto v = value(lane());
    UNCIAL_UNROLL
    for (int o = kWarp / 2; o > 0; o /= 2) v = combine(v, __shfl_xor_sync(~0u, v, o));
    return v;
  }
  template <class Value>
  __device__ auto sum(Value value) const {
    return reduce(value, [](auto a, auto b) { return a + b; });
  }
  /// f() by one lane.
  template <class F>
  __device__ void once(F f) const {
    if (lane() == 0) f();
  }
  /// From rows of 16: row(m, h) has elements 8h to 8h + 7 of row m. All addresses are of shared memory, and
  /// multiples of 16 bytes.
  template <class Row>
  __device__ void load_rows(FragmentA& a, Row row) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a.words[0]), "=r"(a.words[1]), "=r"(a.words[2]), "=r"(a.words[3])
                 : "r"(address(row(lane() % 16, lane() / 16))));
  }
  /// From columns: column(k, h) has elements 8h to 8h + 7 of column k.
  template <class Column>
  __device__ void load_columns(FragmentA& a, Column column) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a.words[0]), "=r"(a.words[1]), "=r"(a.words[2]), "=r"(a.words[3])
                 : "r"(address(column(lane() % 8 + lane() / 16 * 8, lane() / 8 % 2))));
  }
  /// Two at once; row(k, j) has the 8 elements of row k of b[j].
  template <class Row>
  __device__ void load_rows(FragmentB& first, FragmentB& second, Row row) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(first.words[0]), "=r"(first.words[1]), "=r"(second.words[0]), "=r"(second.words[1])
                 : "r"(address(row(lane() % 16, lane() / 16))));
  }
  /// Two at once from columns: column(n, h, j) has elements 8h to 8h + 7 of column n of b[j].
  template <class Column>
  __device__ void load_columns(FragmentB& first, FragmentB& second, Column column) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(first.words[0]), "=r"(first.words[1]), "=r"(second.words[0]), "=r"(second.words[1])
                 : "r"(address(column(lane() % 8, lane() / 8 % 2, lane() / 16))));
  }
  /// As pack() left it.
  __device__ void load_packed(FragmentB& b, const uint32_t* packed) const {
    const uint2 words = reinterpret_cast<const uint2*>(packed)[lane()];
    b.words[0] = words.x, b.words[1] = words.y;
  }
  template <class Format = Bfloat16Format>
  __device__ void fill(FragmentB& b, float value) const {
    b.words[0] = b.words[1] = Format::pair(value, value);
  }
  template <class Format = Bfloat16Format>
  __device__ void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b) const {
#if __CUDA_ARCH__ >= 800
    if constexpr (std::is_same_v<Format, Float16Format>) {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
          "{%0,%1,%2,%3};"
          : "+f"(c.values[0]), "+f"(c.values[1]), "+f"(c.values[2]), "+f"(c.values[3])
          : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]),
            "r"(b.words[1]));
    } else {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
          "{%0,%1,%2,%3};"
          : "+f"(c.values[0]), "+f"(c.values[1]), "+f"(c.values[2]), "+f"(c.values[3])
          : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]),
            "r"(b.words[1]));
    }
#endif
  }
  /// c[., n] = value(n)
  template <class Value>
  __device__ void set_columns(FragmentC& c, Value value) const {
    const int n = lane() % 4 * 2;
    c.values[0] = c.values[2] = value(n);
    c.values[1] = c.values[3] = value(n + 1);
  }
  /// c[m, n] and c[m, n + 1] = value(m, n) for all m and even n.
  template <class Value>
  __device__ void set_pairs(FragmentC& c, Value value) const {
    const Pair above = value(lane() / 4, lane() % 4 * 2), below = value(lane() / 4 + 8, lane() % 4 * 2);
    c.values[0] = above.first, c.values[1] = above.second;
    c.values[2] = below.first, c.values[3] = below.second;
  }
  /// use(m, n, c[m, n], c[m, n + 1]) for all m and even n.
  template <class Use>
  __device__ void each_pair(const FragmentC& c, Use use) const {
    use(lane() / 4, lane() % 4 * 2, c.values[0], c.values[1]);
    use(lane() / 4 + 8, lane() % 4 * 2, c.values[2], c.values[3]);
  }
  /// use(w, n, first, second) for all w < 8 and even n with the largest of rows w and w + 8 of both, in
  /// columns n and n + 1.
  template <class Use>
  __device__ void each_largest(const FragmentC& above, const FragmentC& below, Use use) const {
    use(lane() / 4, lane() % 4 * 2,
        Largest::of(above.values[0], above.values[2], below.values[0], below.values[2]),
        Largest::of(above.values[1], above.values[3], below.values[1], below.values[3]));
  }
};

#else

struct FragmentA {
  uint16_t at[16][16];
};
struct FragmentB {
  uint16_t at[16][8];
};
struct FragmentC {
  float at[16][8];
};

struct Warp {
  int index;

  template <class F>
  void each_lane(F f) const {
    in_any_order(kWarp, [&](int64_t lane) { f(int(lane)); });
  }
  template <class Value, class Combine>
  auto reduce(Value value, Combine combine) const {
    decltype(value(0)) v[kWarp];
    each_lane([&](int lane) { v[lane] = value(lane); });
    for (int o = kWarp / 2; o > 0; o /= 2)
      for (int lane = 0; lane < o; ++lane) v[lane] = combine(v[lane], v[lane + o]);
    return v[0];
  }
  template <class Value>
  auto sum(Value value) const {
    return reduce(value, [](auto a, auto b) { return a + b; });
  }
  template <class F>
  void once(F f) const {
    f();
  }
  template <class Row>
  void load_rows(FragmentA& a, Row row) const {
    for (int m = 0; m < 16; ++m)
      for (int k = 0; k < 16; ++k) a.at[m][k] = row(m, k / 8)[k % 8];
  }
  template <class Column>
  void load_columns(FragmentA& a, Column column) const {
    for (int m = 0; m < 16; ++m)
      for (int k = 0; k < 16; ++k) a.at[m][k] = column(k, m / 8)[m % 8];
  }
  template <class Row>
  void load_rows(FragmentB& first, FragmentB& second, Row row) const {
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 8; ++n) first.at[k][n] = row(k, 0)[n], second.at[k][n] = row(k, 1)[n];
  }
  template <class Column>
  void load_columns(FragmentB& first, FragmentB& second, Column column) const {
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 8; ++n)
        first.at[k][n] = column(n, k / 8, 0)[k % 8], second.at[k][n] = column(n, k / 8, 1)[k % 8];
  }
  void load_packed(FragmentB& b, const uint32_t* packed) const {
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 8; ++n) {
        const uint32_t word = packed[(n * 4 + k % 8 / 2) * 2 + k / 8];
        b.at[k][n] = uint16_t(word >> k % 2 * 16);
      }
  }
  template <class Format = Bfloat16Format>
  void fill(FragmentB& b, float value) const {
    for (auto& row : b.at)
      for (uint16_t& v : row) v = uint16_t(Format::pair(value, value));
  }
  template <class Format = Bfloat16Format>
  void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b) const {
    float left[16][16], right[16][8];
    for (int k = 0; k < 16; ++k) {
      for (int m = 0; m < 16; ++m) left[m][k] = Format::value(a.at[m][k]);
      for (int n = 0; n < 8; ++n) right[k][n] = Format::value(b.at[k][n]);
    }
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 8; ++n)
        for (int k = 0; k < 16; ++k) c.at[m][n] += left[m][k] * right[k][n];
  }
  template <class Value>
  void set_columns(FragmentC& c, Value value) const {
    for (auto& row : c.at)
      for (int n = 0; n < 8; ++n) row[n] = value(n);
  }
  template <class Value>
  void set_pairs(FragmentC& c, Value value) const {
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 8; n += 2) {
        const Pair pair = value(m, n);
        c.at[m][n] = pair.first, c.at[m][n + 1] = pair.second;
      }
  }
  template <class Use>
  void each_pair(const FragmentC& c, Use use) const {
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 8; n += 2) use(m, n, c.at[m][n], c.at[m][n + 1]);
  }
  template <class Use>
  void each_largest(const FragmentC& above, const FragmentC& below, Use use) const {
    const auto largest = [&](int w, int n) {
      return Largest::of(above.at[w][n], above.at[w + 8][n], below.at[w][n], below.at[w + 8][n]);
    };
    for (int w = 0; w < 8; ++w)
      for (int n = 0; n < 8; n += 2) use(w, n, largest(w, n), largest(w, n + 1));
  }
};

#endif

/// Word `word` of a packed FragmentB whose elements are value(k, n).
template <class Format = Bfloat16Format, class Value>
UNCIAL_BODY uint32_t packed_word(int word, Value value) {
  const int lane = word / 2, n = lane / 4, k = lane % 4 * 2 + word % 2 * 8;
  return Format::pair(value(k, n), value(k + 1, n));
}

/// work(warp) for each warp of the block, then all wait.
template <class Work>
UNCIAL_BODY void each_warp(const Block& block, Work work) {
#if defined(__CUDA_ARCH__)
  work(Warp{int(threadIdx.x) / kWarp});
  __syncthreads();
#elif !defined(__CUDACC__)
  in_any_order(block.threads / kWarp, [&](int64_t w) { work(Warp{int(w)}); });
#endif
  (void)block, (void)work;  // nvcc's host pass has neither
}

}  // namespace uncial::cuda
