#pragma once
/// @file dtype.h
/// The element types of a Tensor, chosen at run time, and the bridge from there to templates.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "uncial/core/error.h"

namespace uncial {

enum class DType : uint8_t { float32, float64, int64, int32, uint8, boolean, bfloat16 };

/// bfloat16 storage: the upper half of a float32. Arithmetic happens in float32.
struct bfloat16 {
  uint16_t bits = 0;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  explicit constexpr bfloat16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? uint16_t((u >> 16) | 0x40u) : uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit constexpr operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
  friend constexpr bool operator==(bfloat16 a, bfloat16 b) { return float(a) == float(b); }
};

/// Bytes of one element.
int64_t size_of(DType dtype);
/// "float32", "int64", ...
std::string_view name_of(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

inline bool is_floating(DType t) {
  return t == DType::float32 || t == DType::float64 || t == DType::bfloat16;
}

/// The DType of a C++ type.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::float32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::float64;
  else if constexpr (std::is_same_v<T, int64_t>)
    return DType::int64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return DType::int32;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return DType::uint8;
  else if constexpr (std::is_same_v<T, bool>)
    return DType::boolean;
  else {
    static_assert(std::is_same_v<T, bfloat16>, "not an element type of uncial");
    return DType::bfloat16;
  }
}

/// A set of element types that an operator supports.
template <class... Ts>
struct Types {};

inline constexpr Types<float, double> floats{};
inline constexpr Types<float, double, int64_t, int32_t, uint8_t> numbers{};
inline constexpr Types<float, double, int64_t, int32_t, uint8_t, bool> all_types{};
inline constexpr Types<float, double, int64_t, int32_t, uint8_t, bool, bfloat16> storage_types{};

/// Calls `f.template operator()<T>()` with the T of `types` that `dtype` names.
/// Throws a usage Error naming `what` when the set lacks it.
template <class... Ts, class F>
decltype(auto) dispatch(Types<Ts...>, DType dtype, std::string_view what, F&& f) {
  using Result = decltype(f.template operator()<typename std::tuple_element<0, std::tuple<Ts...>>::type>());
  if constexpr (std::is_void_v<Result>) {
    const bool found = ((dtype == dtype_of<Ts>() && (f.template operator()<Ts>(), true)) || ...);
    if (!found)
      fail(ErrorKind::usage, what, ": does not support ", name_of(dtype),
           "; convert with x.to(DType::float32).");
  } else {
    Result result{};
    const bool found = ((dtype == dtype_of<Ts>() && (result = f.template operator()<Ts>(), true)) || ...);
    if (!found)
      fail(ErrorKind::usage, what, ": does not support ", name_of(dtype),
           "; convert with x.to(DType::float32).");
    return result;
  }
}

}  // namespace uncial
