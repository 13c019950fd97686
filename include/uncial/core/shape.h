#pragma once
/// @file shape.h
/// Extents and strides of a tensor: short vectors without an allocation.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string_view>

#include "uncial/core/error.h"

namespace uncial {

/// Highest rank of a tensor.
inline constexpr int kMaxRank = 8;

/// Up to kMaxRank integers, one for each axis.
class Extents {
 public:
  Extents() = default;
  Extents(std::initializer_list<int64_t> values) : Extents(std::span(values.begin(), values.size())) {}
  explicit Extents(std::span<const int64_t> values) {
    for (int64_t v : values) push_back(v);
  }
  static Extents filled(int rank, int64_t value) {
    Extents e;
    for (int i = 0; i < rank; ++i) e.push_back(value);
    return e;
  }

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int axis) const { return values_[size_t(axis)]; }
  int64_t& operator[](int axis) { return values_[size_t(axis)]; }
  int64_t back() const { return values_[size_t(rank_ - 1)]; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + rank_; }
  int64_t* begin() { return values_.data(); }
  int64_t* end() { return values_.data() + rank_; }

  void push_back(int64_t value) {
    require(rank_ < kMaxRank, "a tensor has at most ", kMaxRank, " axes.");
    values_[size_t(rank_++)] = value;
  }
  void insert(int axis, int64_t value);
  void erase(int axis);

  friend bool operator==(const Extents& a, const Extents& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<int64_t, kMaxRank> values_{};
  int rank_ = 0;
};

/// The extent of each axis, outermost first; () is a scalar.
using Shape = Extents;
/// Elements to step over for one index more along each axis; 0 repeats.
using Strides = Extents;

/// "(2, 3)"; a vector prints as "(3)", a scalar as "()".
std::ostream& operator<<(std::ostream& out, const Extents& extents);

/// Product of the extents (1 for a scalar). Throws a usage Error when one is negative or the product
/// overflows.
int64_t count(const Shape& shape);
/// Strides of a row-major tensor without gaps.
Strides row_major(const Shape& shape);
/// True when `strides` visits memory in row-major order without gaps (axes of extent 1 do not matter).
bool is_row_major(const Shape& shape, const Strides& strides);
/// The shape that both broadcast to (NumPy's rule). Throws a usage Error naming `what` and both shapes.
Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view what);
/// Brings an axis in [-rank, rank) to [0, rank). Throws a usage Error naming `what` otherwise.
int wrap_axis(int64_t axis, int rank, std::string_view what);

/// ceil(a / b) for a >= 0, b > 0.
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace uncial
