// Philox4x32-10 (core/random.h) with one stream in each lane: one evaluation gives four consecutive elements
// of every sample. A multiplication instruction gives 64-bit products of the lower half of each 64-bit lane,
// so the even and the odd lanes are evaluated apart, each word in the lower half of its own 64 bits. Upper
// halves hold rubbish, which no multiplication reads; nothing is masked off, and the words come together at
// the end.

#include "lane_dropout.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "lanes.h"
#include "low_halves.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::kNoWinner;
using uncial::cpu::LaneStreams;
using uncial::cpu::WinnerCode;
using V = Lanes<float>::V;
using Words = Lanes<uint32_t>::V;
using Wide = Lanes<uint64_t>::V;
constexpr int kLanes = Lanes<float>::count;

/// Every second lane of a stream's coordinates, in the lower halves.
struct Streams {
  Wide key0, key1, high, a, b;
  [[gnu::always_inline]] Streams(const LaneStreams& s, int odd)
      : key0(load_wide(s.key0, odd)),
        key1(load_wide(s.key1, odd)),
        high(load_wide(s.high, odd)),
        a(load_wide(s.a, odd)),
        b(load_wide(s.b, odd)) {}
  [[gnu::always_inline]] static Wide load_wide(const uint32_t* lanes, int odd) {
    const Wide both = Wide(load(lanes));
    return odd ? both >> 32 : both;
  }
};

/// The four words of block `block` of each stream, in the lower halves.
struct Philox {
  Wide c0, c1, c2, c3;
  [[gnu::always_inline]] Philox(const Streams& s, uint64_t block)
      : c0(Wide{} + (block & 0xFFFFFFFFu)), c1(s.high + (block >> 32)), c2(s.a), c3(s.b) {}
  [[gnu::always_inline]] void round(Wide key0, Wide key1) {
    const Wide p0 = multiply_low_halves(c0, Wide{} + 0xD2511F53u),
               p1 = multiply_low_halves(c2, Wide{} + 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ key0;
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ key1;
    c3 = p0;
  }
};

[[gnu::always_inline]] inline Words join(Wide even, Wide odd) {
  return Words((even & 0xFFFFFFFFu) | odd << 32);
}

/// words[i] = word 4 * block + i of each stream.
[[gnu::always_inline]] inline void draw(const Streams& even, const Streams& odd, uint64_t block,
                                        Words* words) {
  Philox e(even, block), o(odd, block);
  Wide even0 = even.key0, even1 = even.key1, odd0 = odd.key0, odd1 = odd.key1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    e.round(even0, even1);
    o.round(odd0, odd1);
    even0 += 0x9E3779B9u, odd0 += 0x9E3779B9u;
    even1 += 0xBB67AE85u, odd1 += 0xBB67AE85u;
  }
  words[0] = join(e.c0, o.c0);
  words[1] = join(e.c1, o.c1);
  words[2] = join(e.c2, o.c2);
  words[3] = join(e.c3, o.c3);
}

typedef WinnerCode Codes __attribute__((vector_size(kLanes), aligned(1), may_alias));

/// The lowest byte of each lane, which is all ones or zeros. g++ 12 takes the generic conversion apart lane
/// by lane: three times the time of the whole kernel.
[[gnu::always_inline]] inline Codes narrow(Words mask) {
#if defined(UNCIAL_SIMD_avx512)
  return Codes(_mm512_maskz_cvtepi32_epi8(0xffff, __m512i(mask)));
#elif defined(__SSE2__)
  typedef int64_t Parts __attribute__((vector_size(16)));
#if defined(UNCIAL_SIMD_avx2)
  const __m128i low = _mm256_castsi256_si128(__m256i(mask)),
                high = _mm256_extracti128_si256(__m256i(mask), 1);
#else
  const __m128i low = __m128i(mask), high = low;
#endif
  const __m128i words = _mm_packs_epi32(low, high);
  const int64_t bytes = Parts(_mm_packs_epi16(words, words))[0];
  Codes codes;
  __builtin_memcpy(&codes, &bytes, sizeof codes);
  return codes;
#else
  return __builtin_convertvector(mask, Codes);
#endif
}

/// Puts kNoWinner where `keep` (all ones or zeros in each lane) is 0.
[[gnu::always_inline]] inline void forget_dropped(WinnerCode* winners, Words keep) {
  Codes& codes = *reinterpret_cast<Codes*>(winners);
  const Codes kept = narrow(keep);
  codes = (codes & kept) | (~kept & kNoWinner);
}

template <bool has_winners>
void drop(const float* x, int64_t n, const LaneStreams& streams, uint32_t threshold, float scale, float* y,
          WinnerCode* winners) {
  const Streams even(streams, 0), odd(streams, 1);
  const Words least = Words{} + threshold;
  for (int64_t j = 0; j < n; j += 4) {
    Words words[4];
    draw(even, odd, uint64_t(j) / 4, words);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      if (j + i >= n) return;
      const int64_t at = (j + i) * kLanes;
      const Words keep = Words(words[i] >= least);
      store(y + at, V(Words(load(x + at) * scale) & keep));
      if (has_winners) forget_dropped(winners + at, keep);
    }
  }
}

void dropout(const float* x, int64_t n, const LaneStreams& streams, uint32_t threshold, float scale, float* y,
             WinnerCode* winners) {
  winners ? drop<true>(x, n, streams, threshold, scale, y, winners)
          : drop<false>(x, n, streams, threshold, scale, y, winners);
}

}  // namespace

extern const uncial::cpu::LaneDropoutSimd lane_dropout_simd = {kLanes, dropout};

}  // namespace UNCIAL_SIMD
