#pragma once
/// What reader and writer of safetensors files share.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "uncial/core/dtype.h"
#include "uncial/core/shape.h"

namespace uncial::io {

inline constexpr int64_t kMaxHeaderBytes = 100'000'000;  // what the reference implementation allows
inline constexpr size_t kMaxTensors = 100'000;
inline constexpr size_t kMaxNameBytes = 4096;
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// The format's names of our element types.
struct DTypeName {
  std::string_view name;
  DType dtype;
};
inline constexpr std::array<DTypeName, 7> kDTypeNames = {{{"F32", DType::float32},
                                                          {"F64", DType::float64},
                                                          {"BF16", DType::bfloat16},
                                                          {"I64", DType::int64},
                                                          {"I32", DType::int32},
                                                          {"U8", DType::uint8},
                                                          {"BOOL", DType::boolean}}};

/// One tensor as the header declares it; [begin, end) counts bytes after the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  int64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the JSON header of a file with `payload_bytes` bytes after it: keys once each, ranges
/// that follow one another without gap or overlap from 0 to `payload_bytes`, sizes that match shape and
/// dtype. Throws Error(data); `where` opens every message.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t payload_bytes,
                                           const std::string& where);

}  // namespace uncial::io
