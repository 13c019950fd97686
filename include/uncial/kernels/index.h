#pragma once
/// @file index.h
/// Reading and writing by index. x is (outer, n, inner), contiguous; indices are in [-n, n) (negative ones
/// count from the end), and an index outside throws a usage Error before anything is written.

#include "uncial/kernels/kernel.h"
#include "uncial/kernels/reduce.h"

/// y (outer, count, inner) = x[:, indices, :]
UNCIAL_KERNEL(gather, (const T* x, const int64_t* indices, int64_t count, T* y, kernels::ReduceShape x_shape))
/// x = 0; x[:, indices[i], :] += dy[:, i, :] in the order of i
UNCIAL_KERNEL(scatter_add,
              (const T* dy, const int64_t* indices, int64_t count, T* x, kernels::ReduceShape x_shape))
/// y (outer, inner) = x[o, index[o, i], i]. Indices are in [0, n).
UNCIAL_KERNEL(take_along, (const T* x, const int64_t* index, T* y, kernels::ReduceShape x_shape))
/// x = 0; x[o, index[o, i], i] = dy[o, i]. Indices are in [0, n).
UNCIAL_KERNEL(put_along, (const T* dy, const int64_t* index, T* x, kernels::ReduceShape x_shape))
/// y (count, classes) = 1 where the column is indices[row], else 0. Indices are in [0, classes).
UNCIAL_KERNEL(one_hot, (const int64_t* indices, int64_t count, int64_t classes, T* y))
