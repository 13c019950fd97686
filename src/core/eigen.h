#pragma once
/// @file eigen.h
/// The one way to Eigen inside the library. Internal: no public header and no file that is compiled for one
/// instruction set may include it.
///
/// Its names live in a namespace of ours here. A user's program may use Eigen as well, compiled for other
/// instructions; under the same names the linker would mix both copies.

#include "uncial/core/error.h"

#define EIGEN_MPL2_ONLY         // leaves out what is under the LGPL
#define EIGEN_DONT_PARALLELIZE  // threads are the pool's
#define eigen_assert(condition) uncial::ensure(bool(condition), "Eigen: " #condition)  // never abort the host
#define Eigen uncial_eigen
#include <Eigen/QR>
#undef Eigen
