#pragma once
/// @file tile_dense_stages.h
/// Dense layers of bfloat16 factors on the matrix unit. Internal.

#include "planner.h"

namespace uncial::program::lanes {

/// True when `op`, a product of bfloat16 factors, can run there.
bool runs_on_tiles(const Planner& p, const Op& op);

/// Lane values and row-major values by number; `bias` may be -1.
std::unique_ptr<Stage> tile_dense_forward(Planner& p, int step, int64_t K, int64_t D, int x, int w, int bias,
                                          int y);
std::unique_ptr<Stage> tile_dense_input_gradient(Planner& p, int step, int64_t K, int64_t D, int dy, int w,
                                                 int dx);
std::unique_ptr<Stage> tile_dense_weight_gradient(Planner& p, int step, int64_t K, int64_t D, int dy, int x,
                                                  int dw);

}  // namespace uncial::program::lanes
