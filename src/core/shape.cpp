#include "uncial/core/shape.h"

#include <algorithm>
#include <ostream>

namespace uncial {

void Extents::insert(int axis, int64_t value) {
  push_back(value);
  std::rotate(begin() + axis, end() - 1, end());
}

void Extents::erase(int axis) {
  std::rotate(begin() + axis, begin() + axis + 1, end());
  --rank_;
}

std::ostream& operator<<(std::ostream& out, const Extents& extents) {
  out << '(';
  for (int i = 0; i < extents.rank(); ++i) out << (i ? ", " : "") << extents[i];
  return out << ')';
}

int64_t count(const Shape& shape) {
  int64_t product = 1;
  bool zero = false, overflow = false;
  for (int64_t extent : shape) {
    require(extent >= 0, "shape ", shape, " has a negative extent.");
    zero = zero || extent == 0;
    overflow = overflow || __builtin_mul_overflow(product, extent, &product);
  }
  if (zero) return 0;
  // 8 bytes is the widest element: a larger count could not be turned into bytes.
  require(!overflow && product <= INT64_MAX / 8, "shape ", shape,
          " has more elements than memory can address.");
  return product;
}

Strides row_major(const Shape& shape) {
  Strides strides = Extents::filled(shape.rank(), 1);
  // Unsigned: beside an extent of 0, where no stride is ever used, others may be as large as they like.
  for (int i = shape.rank() - 2; i >= 0; --i)
    strides[i] = int64_t(uint64_t(strides[i + 1]) * uint64_t(std::max<int64_t>(shape[i + 1], 1)));
  return strides;
}

bool is_row_major(const Shape& shape, const Strides& strides) {
  if (count(shape) == 0) return true;
  int64_t expected = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view what) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result = Extents::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const int64_t ea = i <= a.rank() ? a[a.rank() - i] : 1, eb = i <= b.rank() ? b[b.rank() - i] : 1;
    require(ea == eb || ea == 1 || eb == 1, what, ": shapes ", a, " and ", b, " do not broadcast: axis -", i,
            " is ", ea, " and ", eb, "; they must be equal or one of them 1.");
    result[rank - i] = ea == 1 ? eb : ea;
  }
  return result;
}

int wrap_axis(int64_t axis, int rank, std::string_view what) {
  require(axis >= -rank && axis < rank, what, ": axis ", axis, " is outside [", -rank, ", ", rank,
          ") of a tensor of rank ", rank, ".");
  return int(axis < 0 ? axis + rank : axis);
}

}  // namespace uncial
