#pragma once
/// @file fuse.h
/// Which recorded steps become one node: a convolution with its activation and pooling, all gradients of one
/// convolution, normalisation with its activation. Internal.

#include <functional>
#include <map>
#include <vector>

#include "graph.h"

namespace uncial::program {

/// An addition of two values that goes with the making of the later one: the end of a residual block.
struct SumFusion {
  int step = -1;   ///< of the addition, or -1
  int other = -1;  ///< value that is there already
};

/// conv2d [batch_norm_inference] [add] [relu] [max_pool2d of 2x2 windows [dropout]]. What lies between exists
/// nowhere.
struct ConvFusion {
  int norm = -1, relu = -1, pool = -1;  ///< steps
  SumFusion sum = {};                   ///< not with a pooling
  int dropout = -1;  ///< step: dropped places lose their winner, so that the gradient draws no mask
  int result = -1;   ///< value that comes out at the end
  int winners = -1;  ///< lane value of the winner codes, once the convolution is lowered
  int ahead = -1;    ///< step of the convolution that makes its input, a few rows at a time
};

/// conv2d_input_gradient, conv2d_weight_gradient and the bias gradient of one dy, with the gradients of the
/// activation and pooling that the forward pass fused.
struct ConvGradientFusion {
  int input = -1, weight = -1, bias = -1;  ///< steps; bias is the last of its two sums
  int dy = -1;                             ///< value: the gradient before the fused steps
  int round = -1;                          ///< step that rounds dy for all of them, or -1
  int relu_y = -1;                         ///< value: the activation's output, or -1
  int forward = -1;                        ///< the convolution whose pooling is undone, or -1
  int dropout = -1;                        ///< step of the dropout that is undone with it, or -1
  int ahead = -1;                          ///< as ConvFusion's
  int ahead_gradient = -1;                 ///< key of that convolution's gradients, which run with these
};

/// batch_norm, batch_norm_inference or their gradient, with an addition and a ReLU behind.
struct NormFusion {
  int relu = -1;       ///< forward: the step
  SumFusion sum = {};  ///< forward
  int result = -1;     ///< forward: value that comes out
  int dy = -1;         ///< gradient: value before the activation's gradient
  int relu_y = -1;     ///< gradient: the activation's output, or -1
  int own_relu = -1;   ///< gradient: the normalisation's step when relu_y is its own output, or -1
  int more = -1;       ///< gradient: value that is added to dy before the activation's gradient, or -1
  int joined = -1;     ///< gradient: value that others read, too, or that the addition makes, or -1
  std::vector<int> steps = {};  ///< gradient: the addition and the activation's gradient
};

struct Fusions {
  std::map<int, ConvFusion> convs;                   ///< by conv2d step
  std::map<int, ConvGradientFusion> conv_gradients;  ///< by the first of their steps
  std::map<int, NormFusion> norms;                   ///< by step
  std::vector<bool> absorbed;                        ///< steps that belong to another's node
};

/// `fits` says whether a value may be in lanes, `plain` whether it is row-major memory that stays as it is;
/// where operands of a convolution do not, nothing is fused. `sums`: additions go with what makes an operand.
Fusions find_fusions(const Graph& graph, const std::function<bool(int value)>& fits,
                     const std::function<bool(int value)>& plain, bool sums = false);

}  // namespace uncial::program
