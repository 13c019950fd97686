#pragma once
/// @file ops.h
/// Every operator.
#include "uncial/ops/conv.h"
#include "uncial/ops/dropout.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/loss.h"
#include "uncial/ops/matmul.h"
#include "uncial/ops/norm.h"
#include "uncial/ops/pool.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"
