#pragma once
/// @file random.h
/// Counter-based random numbers: the same on every machine, for any number of threads and in any order.
/// Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace uncial {

/// Philox4x32-10: four 32-bit words from a 128-bit counter and a 64-bit key. No state.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * counter[0], p1 = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(p1 >> 32) ^ counter[1] ^ key[0], uint32_t(p1),
               uint32_t(p0 >> 32) ^ counter[3] ^ key[1], uint32_t(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// What a stream of random numbers is for; part of its address, so that no two uses share numbers.
enum class Purpose : uint8_t {
  generator = 0,
  initial_weights,
  shuffle,
  split,
  dropout,
  augment,
  synthetic,
  derived_seed = 0xff,  ///< the library's own: seeds made from seeds
};

/// A seed of its own for something that a 64-bit number (the hash of a name) tells apart from its siblings.
/// Two derived seeds are equal by accident alone: one chance in 2^64 for each pair.
constexpr uint64_t derived_seed(uint64_t seed, uint64_t number, uint32_t kind = 0) {
  const auto words =
      philox({uint32_t(number), uint32_t(Purpose::derived_seed) << 24, uint32_t(number >> 32), kind},
             {uint32_t(seed), uint32_t(seed >> 32)});
  return uint64_t(words[1]) << 32 | words[0];
}

/// A keyed stream: word i of the stream (seed, purpose, a, b) never depends on who asks or when.
/// `a` and `b` are the use's own coordinates, such as epoch and sample index.
///
/// Philox's key is the seed; its counter holds everything else side by side: 8 bits of purpose, 32 of a, 40
/// of b, 48 of the block. So streams of one seed never meet. Larger coordinates are hashed into the seed with
/// derived_seed(), nothing is cut off. After 2^48 blocks a stream starts again.
class RandomStream {
 public:
  constexpr RandomStream(uint64_t seed, Purpose purpose, uint64_t a = 0, uint64_t b = 0)
      : a_(uint32_t(a)), b_(uint32_t(b)), high_(uint64_t(purpose) << 56 | (b >> 32 & 0xff) << kBlockBits) {
    const uint64_t beyond = (a >> 32) << 24 | b >> 40;
    if (beyond != 0) seed = derived_seed(seed, beyond, 1);
    key_ = {uint32_t(seed), uint32_t(seed >> 32)};
  }

  /// Words 4*block .. 4*block+3 of the stream.
  constexpr std::array<uint32_t, 4> block(uint64_t block) const {
    const uint64_t low = high_ | (block & ((uint64_t(1) << kBlockBits) - 1));
    return philox({uint32_t(low), uint32_t(low >> 32), a_, b_}, key_);
  }

  // For kernels that compute many blocks at once: Philox's arguments for block i are the key and the counter
  // {lower half of first() + i, upper half of it, a(), b()}.
  constexpr std::array<uint32_t, 2> key() const { return key_; }
  constexpr uint64_t first() const { return high_; }
  constexpr uint32_t a() const { return a_; }
  constexpr uint32_t b() const { return b_; }

 private:
  static constexpr int kBlockBits = 48;
  std::array<uint32_t, 2> key_{};
  uint32_t a_, b_;
  uint64_t high_;
};

/// A 32-bit word as a float in [0, 1): the upper 24 bits, exact.
constexpr float unit_float(uint32_t word) { return float(word >> 8) * 0x1p-24f; }
/// Two 32-bit words as a double in [0, 1): 53 bits, exact.
constexpr double unit_double(uint32_t high, uint32_t low) {
  return double((uint64_t(high) << 32 | low) >> 11) * 0x1p-53;
}

/// A sequential generator over one RandomStream, for code that draws numbers one after the other.
/// Its whole state is (seed, position), so saving and restoring it is exact. Satisfies
/// UniformRandomBitGenerator.
class Generator {
 public:
  using result_type = uint64_t;
  explicit Generator(uint64_t seed = 0, Purpose purpose = Purpose::generator, uint64_t a = 0, uint64_t b = 0)
      : stream_(seed, purpose, a, b) {}

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t(0); }
  uint64_t operator()() {
    const auto w = stream_.block(position_++);
    return uint64_t(w[1]) << 32 | w[0];
  }
  /// Uniform in [0, 1).
  double uniform() {
    const uint64_t u = (*this)();
    return unit_double(uint32_t(u >> 32), uint32_t(u));
  }
  /// Standard normal (Box-Muller; one of the pair is used).
  double normal() {
    const auto w = stream_.block(position_++);
    const double radius = std::sqrt(-2 * std::log1p(-unit_double(w[0], w[1])));
    return radius * std::cos(6.283185307179586 * unit_double(w[2], w[3]));
  }
  /// Uniform integer in [0, bound), without modulo bias. Precondition: bound > 0.
  uint64_t below(uint64_t bound) {
    const uint64_t limit = max() - max() % bound;
    uint64_t u;
    do u = (*this)();
    while (u >= limit);
    return u % bound;
  }
  const RandomStream& stream() const { return stream_; }
  /// The block that the next number comes from; each takes one.
  uint64_t position() const { return position_; }
  void seek(uint64_t position) { position_ = position; }

 private:
  RandomStream stream_;
  uint64_t position_ = 0;
};

/// FNV-1a of a text: turns a parameter's path into a stream coordinate.
constexpr uint64_t hash_text(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : text) h = (h ^ uint8_t(c)) * 0x100000001b3u;
  return h;
}

}  // namespace uncial
