#pragma once
/// @file warp_rows.h
/// What a warp keeps of the rows of a block of 16, so that a loop over columns or steps asks tables once; and
/// fragments from single elements.

#include "warp.h"

namespace uncial::cuda {

#if defined(__CUDA_ARCH__)

/// Where 16 rows of a factor begin in shared memory.
struct RowsAt {
  uint32_t address;
};
/// A value of each of 16 rows of sums.
template <class T>
struct OfRows {
  T values[2];
};

template <class Row>
__device__ void aim(const Warp&, RowsAt& rows, Row row) {
  rows.address = Warp::address(row(Warp::lane() % 16));
}
/// a[i] from rows of 16, each half of which lies offset(h) elements behind rows[i].
template <int kCount, class Offset>
__device__ void load_rows(const Warp&, FragmentA (&a)[kCount], const RowsAt (&rows)[kCount], Offset offset) {
  const uint32_t bytes = 2 * uint32_t(offset(Warp::lane() / 16));
  UNCIAL_UNROLL
  for (int i = 0; i < kCount; ++i)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a[i].words[0]), "=r"(a[i].words[1]), "=r"(a[i].words[2]), "=r"(a[i].words[3])
                 : "r"(rows[i].address + bytes));
}
template <class T, class Value>
__device__ void set_rows(const Warp&, OfRows<T>& rows, Value value) {
  rows.values[0] = value(Warp::lane() / 4), rows.values[1] = value(Warp::lane() / 4 + 8);
}
template <class T>
__device__ T of_row(const OfRows<T>& rows, int m) {
  return m < 8 ? rows.values[0] : rows.values[1];
}
/// a[m, k] = value(m, k)
template <class Value>
__device__ void gather(const Warp&, FragmentA& a, Value value) {
  UNCIAL_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int m = Warp::lane() / 4 + i % 2 * 8, k = Warp::lane() % 4 * 2 + i / 2 * 8;
    a.words[i] = uint32_t(value(m, k)) | uint32_t(value(m, k + 1)) << 16;
  }
}
/// b[k, n] = value(k, n)
template <class Value>
__device__ void gather(const Warp&, FragmentB& b, Value value) {
  UNCIAL_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int n = Warp::lane() / 4, k = Warp::lane() % 4 * 2 + i * 8;
    b.words[i] = uint32_t(value(k, n)) | uint32_t(value(k + 1, n)) << 16;
  }
}

#else

struct RowsAt {
  const uint16_t* row[16];
};
template <class T>
struct OfRows {
  T at[16];
};

template <class Row>
void aim(const Warp&, RowsAt& rows, Row row) {
  for (int m = 0; m < 16; ++m) rows.row[m] = row(m);
}
template <int kCount, class Offset>
void load_rows(const Warp&, FragmentA (&a)[kCount], const RowsAt (&rows)[kCount], Offset offset) {
  for (int i = 0; i < kCount; ++i)
    for (int m = 0; m < 16; ++m)
      for (int k = 0; k < 16; ++k) a[i].at[m][k] = rows[i].row[m][offset(k / 8) + k % 8];
}
template <class T, class Value>
void set_rows(const Warp&, OfRows<T>& rows, Value value) {
  for (int m = 0; m < 16; ++m) rows.at[m] = value(m);
}
template <class T>
T of_row(const OfRows<T>& rows, int m) {
  return rows.at[m];
}
template <class Value>
void gather(const Warp&, FragmentA& a, Value value) {
  for (int m = 0; m < 16; ++m)
    for (int k = 0; k < 16; ++k) a.at[m][k] = value(m, k);
}
template <class Value>
void gather(const Warp&, FragmentB& b, Value value) {
  for (int k = 0; k < 16; ++k)
    for (int n = 0; n < 8; ++n) b.at[k][n] = value(k, n);
}

#endif

}  // namespace uncial::cuda
