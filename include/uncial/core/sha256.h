#pragma once
/// @file sha256.h
/// SHA-256 (FIPS 180-4), for pinned data and checkpoints.

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace uncial {

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  Sha256& update(const void* data, size_t bytes);
  /// Lower-case hex digest; call once, last.
  std::string hex();

 private:
  void compress(const uint8_t* block);
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> buffer_{};
  uint64_t bytes_ = 0;
};

/// Lower-case hex digest of `bytes` bytes at `data`.
std::string sha256_hex(const void* data, size_t bytes);

}  // namespace uncial
