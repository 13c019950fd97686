// Philox4x32-10 (core/random.h) with one counter in each 64-bit lane: the upper halves stay zero, so that one
// 32 x 32 -> 64 bit multiplication a lane gives both halves of a product. Several vectors are under way at
// once, because each round waits for the one before.

#include "dropout_row.h"

#include <type_traits>

#include "lanes.h"
#include "low_halves.h"

namespace UNCIAL_SIMD {
namespace {

using V = Lanes<uint64_t>::V;
constexpr int kLanes = Lanes<uint64_t>::count;
constexpr int kVectors = kVectorBytes == 64 ? 4 : 2;  // as many as the registers hold, four words each
constexpr int kWords = 4 * kLanes * kVectors;

/// Words 4 * block ... 4 * block + kWords - 1 of the stream.
inline void philox_words(uint64_t block, const uncial::cpu::PhiloxStream& stream, uint32_t* words) {
  uint32_t key0 = stream.key0, key1 = stream.key1;
  V c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors], counter = {};
  for (int l = 0; l < kLanes; ++l) counter[l] = stream.first + block + uint64_t(l);
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v, counter += uint64_t(kLanes)) {
    c0[v] = counter & 0xFFFFFFFFu;
    c1[v] = counter >> 32;
    c2[v] = V{} + stream.a;
    c3[v] = V{} + stream.b;
  }
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const V p0 = multiply_low_halves(c0[v], V{} + 0xD2511F53u),
              p1 = multiply_low_halves(c2[v], V{} + 0xCD9E8D57u);
      c0[v] = (p1 >> 32) ^ c1[v] ^ (V{} + key0);
      c1[v] = p1 & 0xFFFFFFFFu;
      c2[v] = (p0 >> 32) ^ c3[v] ^ (V{} + key1);
      c3[v] = p0 & 0xFFFFFFFFu;
    }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v)  // pairs of words make one lane; then block after block
    Pairs<uint64_t>{c0[v] | c1[v] << 32, c2[v] | c3[v] << 32}.to(
        reinterpret_cast<uint64_t*>(words + 4 * v * kLanes));
}

/// x * scale, or 0 for a word below the threshold. A mask instead of a choice: half of all branches would be
/// mispredicted where the compiler finds no vector code.
template <class T>
[[gnu::always_inline]] inline T kept(T x, T scale, uint32_t word, uint32_t threshold) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const Bits mask = Bits(0) - Bits(word >= threshold);
  return __builtin_bit_cast(T, __builtin_bit_cast(Bits, x * scale) & mask);
}

template <class T>
void row(const T* x, T* y, int64_t n, T scale, uint32_t threshold, uncial::cpu::PhiloxStream stream) {
  alignas(64) uint32_t words[kWords] = {};
  int64_t j = 0;
  for (; j + kWords <= n; j += kWords) {
    philox_words(uint64_t(j) / 4, stream, words);
    for (int i = 0; i < kWords; ++i) y[j + i] = kept(x[j + i], scale, words[i], threshold);
  }
  if (j == n) return;
  philox_words(uint64_t(j) / 4, stream, words);
  for (int i = 0; j < n; ++i, ++j) y[j] = kept(x[j], scale, words[i], threshold);
}

void stream_words(uint64_t block, int64_t count, uncial::cpu::PhiloxStream stream, uint32_t* words) {
  constexpr int64_t kBlocks = kWords / 4;
  for (; count >= kBlocks; count -= kBlocks, block += uint64_t(kBlocks), words += kWords)
    philox_words(block, stream, words);
  if (count == 0) return;
  alignas(64) uint32_t last[kWords] = {};
  philox_words(block, stream, last);
  for (int64_t i = 0; i < 4 * count; ++i) words[i] = last[i];
}

}  // namespace

extern const uncial::cpu::DropoutSimd dropout_simd = {row<float>, row<double>, stream_words};

}  // namespace UNCIAL_SIMD
