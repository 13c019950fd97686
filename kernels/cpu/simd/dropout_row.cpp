// Philox4x32-10 (core/random.h) with one counter in each lane: the loops over lanes become vector code.

#include "dropout_row.h"

namespace UNCIAL_SIMD {
namespace {

constexpr int kBlocks = 16;  // counters at a time: one AVX-512 vector of words
constexpr int kWords = 4 * kBlocks;

/// Words 4 * block ... 4 * block + kWords - 1 of the stream.
inline void philox_blocks(uint64_t block, uint32_t key0, uint32_t key1, uint32_t a, uint32_t b,
                          uint32_t* words) {
  uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (int l = 0; l < kBlocks; ++l) {
    const uint64_t counter = block + uint64_t(l);
    c0[l] = uint32_t(counter);
    c1[l] = uint32_t(counter >> 32);
    c2[l] = a;
    c3[l] = b;
  }
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
    for (int l = 0; l < kBlocks; ++l) {
      const uint64_t p0 = uint64_t(0xD2511F53u) * c0[l], p1 = uint64_t(0xCD9E8D57u) * c2[l];
      c0[l] = uint32_t(p1 >> 32) ^ c1[l] ^ key0;
      c1[l] = uint32_t(p1);
      c2[l] = uint32_t(p0 >> 32) ^ c3[l] ^ key1;
      c3[l] = uint32_t(p0);
    }
  for (int l = 0; l < kBlocks; ++l) {
    words[4 * l] = c0[l];
    words[4 * l + 1] = c1[l];
    words[4 * l + 2] = c2[l];
    words[4 * l + 3] = c3[l];
  }
}

template <class T>
void row(const T* x, T* y, int64_t n, T scale, uint32_t threshold, uint32_t key0, uint32_t key1, uint32_t a,
         uint32_t b) {
  uint32_t words[kWords];
  int64_t j = 0;
  for (; j + kWords <= n; j += kWords) {
    philox_blocks(uint64_t(j) / 4, key0, key1, a, b, words);
    for (int i = 0; i < kWords; ++i) y[j + i] = words[i] < threshold ? T(0) : x[j + i] * scale;
  }
  if (j == n) return;
  philox_blocks(uint64_t(j) / 4, key0, key1, a, b, words);
  for (int i = 0; j < n; ++i, ++j) y[j] = words[i] < threshold ? T(0) : x[j] * scale;
}

}  // namespace

extern const uncial::cpu::DropoutSimd dropout_simd = {row<float>, row<double>};

}  // namespace UNCIAL_SIMD
