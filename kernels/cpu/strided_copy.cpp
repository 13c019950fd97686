#include "uncial/kernels/strided_copy.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "strided_loop.h"
#include "uncial/core/convert.h"

namespace uncial::cpu {
namespace {

/// The side of a square that a transposing copy moves at a time: 32 rows of 64-byte lines stay in L1.
constexpr int64_t kTile = 32;

/// The run of y is contiguous or not; x is walked along its own stride.
template <class From, class To>
void copy_runs(const View& x, const View& y) {
  const StridedLoop<2> loop(y.shape, {x.strides, y.strides});
  const int64_t sx = loop.run_stride(0), sy = loop.run_stride(1);
  const From* from = x.as<const From>();
  To* to = y.as<To>();
  parallel_runs(loop, [=](const std::array<int64_t, 2>& offsets, int64_t length) {
    const From* in = from + offsets[0];
    To* out = to + offsets[1];
    if constexpr (std::is_same_v<From, To>) {
      if (sx == 1 && sy == 1) {
        std::memcpy(out, in, size_t(length) * sizeof(To));
        return;
      }
    }
    if (sx == 1 && sy == 1) {
      for (int64_t i = 0; i < length; ++i) out[i] = convert<To>(in[i]);
    } else {
      for (int64_t i = 0; i < length; ++i) out[i * sy] = convert<To>(in[i * sx]);
    }
  });
}

/// True when the last axis of y is the second last of x: a matrix transposition, walked in squares so that
/// both sides use whole cache lines.
template <class T>
bool copy_transposed(const View& x, const View& y) {
  const StridedLoop<2> loop(y.shape, {x.strides, y.strides});
  const int last = loop.shape.rank() - 1;
  if (last < 1 || loop.strides[1][last] != 1 || loop.strides[0][last - 1] != 1) return false;
  const int64_t rows = loop.shape[last - 1], cols = loop.shape[last];
  const int64_t sx = loop.strides[0][last], sy = loop.strides[1][last - 1];
  StridedLoop<2> matrices = loop;
  matrices.shape.erase(last - 1);
  for (Strides& s : matrices.strides) s.erase(last - 1);
  const int64_t count_of_matrices = count(matrices.shape) / std::max<int64_t>(cols, 1),
                strips = ceil_div(rows, kTile);
  parallel_blocks(count_of_matrices * strips,
                  std::max<int64_t>(1, kElementGrain / (kTile * std::max<int64_t>(cols, 1))),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t task = begin; task < end; ++task) {
                      const RunCursor<2> cursor(matrices, task / strips);
                      const T* in = x.as<const T>() + cursor.offsets[0];
                      T* out = y.as<T>() + cursor.offsets[1];
                      const int64_t top = task % strips * kTile, bottom = std::min(rows, top + kTile);
                      for (int64_t left = 0; left < cols; left += kTile)
                        for (int64_t r = top; r < bottom; ++r)
                          for (int64_t c = left; c < std::min(cols, left + kTile); ++c)
                            out[r * sy + c] = in[c * sx + r];
                    }
                  });
  return true;
}

}  // namespace

template <class T>
void strided_copy(View x, View y) {
  if (x.dtype == y.dtype) {
    if (!copy_transposed<T>(x, y)) copy_runs<T, T>(x, y);
    return;
  }
  dispatch(storage_types, x.dtype, "strided_copy", [&]<class From>() { copy_runs<From, T>(x, y); });
}

template <class T>
void strided_fill(double value, View y) {
  const T v = convert<T>(value);
  const StridedLoop<1> loop(y.shape, {y.strides});
  const int64_t step = loop.run_stride(0);
  parallel_runs(loop, [&](const std::array<int64_t, 1>& offsets, int64_t length) {
    T* out = y.as<T>() + offsets[0];
    if (step == 1)
      std::fill_n(out, length, v);
    else
      for (int64_t i = 0; i < length; ++i) out[i * step] = v;
  });
}

#define UNCIAL_INSTANTIATE(T)                \
  template void strided_copy<T>(View, View); \
  template void strided_fill<T>(double, View);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
UNCIAL_INSTANTIATE(int64_t)
UNCIAL_INSTANTIATE(int32_t)
UNCIAL_INSTANTIATE(uint8_t)
UNCIAL_INSTANTIATE(bool)
UNCIAL_INSTANTIATE(bfloat16)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cpu
