#pragma once
/// @file libraries.h
/// cuBLAS and cuDNN: handles of this thread, on its stream, and their errors.

#include <cublas_v2.h>
#include <cudnn.h>

#include "runtime.h"

namespace uncial::cuda {

cublasHandle_t blas();
cudnnHandle_t dnn();
/// Throw a device Error naming `what` unless all went well.
void check(cublasStatus_t status, const char* what);
void check(cudnnStatus_t status, const char* what);

}  // namespace uncial::cuda
