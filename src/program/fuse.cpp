#include "fuse.h"

#include <algorithm>

#include "fuse_queries.h"

namespace uncial::program {
namespace {

class Finder : FuseQueries {
 public:
  using Test = std::function<bool(int value)>;
  Finder(const Graph& graph, const Test& fits, const Test& plain, bool sums)
      : FuseQueries(graph), fits_(fits), plain_(plain), sums_(sums) {
    found_.absorbed.assign(size_t(graph.steps()), false);
  }

  Fusions find() {
    for (int s = 0; s < g_.steps(); ++s)
      if (may_lower_gradient(s)) add_gradient(s);
    for (auto& [first, gradient] : found_.conv_gradients) fuse_rounding(gradient);
    for (int s = 0; s < g_.steps(); ++s) {
      if (g_.is(s, "conv2d") && fits_(g_.in(s, 0)) && plain_(g_.in(s, 1))) fuse_forward(s);
      const bool image = !g_.step(s).is_view && !found_.absorbed[size_t(s)] && !g_.step(s).inputs.empty() &&
                         fits_(g_.in(s, 0));
      if (image && (g_.is(s, "batch_norm") || g_.is(s, "batch_norm_inference"))) fuse_norm(s);
      if (image && g_.is(s, "batch_norm_backward")) fuse_norm_gradient(s);
    }
    for (auto& [first, gradient] : found_.conv_gradients)
      if (gradient.forward < 0) fuse_relu_gradient(gradient);
    return std::move(found_);
  }

 private:
  bool may_lower_gradient(int s) const {
    if (g_.is(s, "conv2d_input_gradient"))
      return g_.step(s).inputs.size() == 2 && fits_(g_.in(s, 0)) && plain_(g_.in(s, 1)) && fits_(g_.out(s));
    return g_.is(s, "conv2d_weight_gradient") && fits_(g_.in(s, 0)) && fits_(g_.in(s, 1));
  }
  void absorb(int s) { found_.absorbed[size_t(s)] = true; }

  /// Which of conv2d's operands the gradients of one dy belong to.
  int dy_value(int s) const { return g_.is(s, "conv2d_input_gradient") ? g_.in(s, 0) : g_.in(s, 1); }
  int dy_buffer(int s) const { return g_.value(dy_value(s)).buffer; }

  /// Gradients that share dy and the convolution's attributes and extents go together.
  void add_gradient(int s) {
    const bool weight = g_.is(s, "conv2d_weight_gradient");
    for (auto& [first, other] : found_.conv_gradients) {
      const int o = other.input >= 0 ? other.input : other.weight;
      int& free = weight ? other.weight : other.input;
      if (dy_buffer(o) != dy_buffer(s) || free >= 0 || !same_convolution(o, s)) continue;
      free = s;
      absorb(s);
      return;
    }
    ConvGradientFusion gradient;
    (weight ? gradient.weight : gradient.input) = s;
    gradient.dy = dy_value(s);
    gradient.bias = find_bias_sum(dy_buffer(s));
    found_.conv_gradients[s] = gradient;
  }
  bool same_convolution(int a, int b) const {
    const auto filter = [&](int s) {
      return g_.is(s, "conv2d_input_gradient") ? g_.value(g_.in(s, 1)).shape : g_.value(g_.out(s)).shape;
    };
    const auto image = [&](int s) {
      return g_.is(s, "conv2d_input_gradient") ? g_.value(g_.out(s)).shape : g_.value(g_.in(s, 0)).shape;
    };
    for (const char* name : {"stride", "padding", "dilation", "groups"})
      if (attribute<int64_t>(*g_.step(a).op, name) != attribute<int64_t>(*g_.step(b).op, name)) return false;
    return filter(a) == filter(b) && image(a) == image(b);
  }

  /// The sum over samples of the sum over pixels of dy, which makes the bias gradient; -1 when there is none.
  int find_bias_sum(int dy) {
    for (int s : g_.readers(dy)) {
      if (!g_.is(s, "sum") || attribute<int64_t>(*g_.step(s).op, "first_axis") != 2) continue;
      const Shape& x = g_.value(g_.in(s, 0)).shape;
      const int next = only_reader(g_.out_buffer(s));
      if (x.rank() != 3 || next < 0 || !g_.is(next, "sum")) continue;
      if (attribute<int64_t>(*g_.step(next).op, "first_axis") != 0 ||
          attribute<int64_t>(*g_.step(next).op, "last_axis") != 1)
        continue;
      absorb(s);
      absorb(next);
      return next;
    }
    return -1;
  }
  /// True when all readers of a gradient belong to `gradient`.
  bool belongs_to(int buffer, const ConvGradientFusion& gradient) const {
    if (!g_.temporary(buffer)) return false;
    const auto& readers = g_.readers(buffer);
    return std::all_of(readers.begin(), readers.end(), [&](int s) {
      const bool sum = gradient.bias >= 0 && g_.is(s, "sum") && found_.absorbed[size_t(s)];
      return s == gradient.input || s == gradient.weight || s == gradient.round || sum;
    });
  }
  /// What rounds dy to 16 bits: from then on dy is the value before it. Masks of activations and pooling
  /// may come first or last, for they only set values to 0.
  void fuse_rounding(ConvGradientFusion& gradient) {
    const int dy = g_.value(gradient.dy).buffer, s = g_.writer(dy);
    if (s < 0 || !g_.is_rounding(s) || !fits_(g_.in(s, 0)) || !belongs_to(dy, gradient)) return;
    gradient.round = s;
    gradient.dy = g_.in(s, 0);
    absorb(s);
  }
  ConvGradientFusion* gradient_of(int dy_buffer_number) {
    for (auto& [first, gradient] : found_.conv_gradients)
      if (g_.value(gradient.dy).buffer == dy_buffer_number) return &gradient;
    return nullptr;
  }

  void fuse_forward(int conv) {
    ConvFusion fusion{.result = g_.out(conv)};
    if (const int norm = only_norm(fusion.result); norm >= 0) {
      fusion.norm = norm;
      fusion.result = g_.out(norm);
      absorb(norm);
    }
    fuse_sum(conv, fusion.sum, fusion.result);
    if (const int relu = only_relu(g_.value(fusion.result).buffer); relu >= 0) {
      fusion.relu = relu;
      fusion.result = g_.out(relu);
    }
    if (fusion.sum.step < 0) fuse_pool(conv, fusion);
    if (fusion.relu >= 0) absorb(fusion.relu);
    if (fusion.pool >= 0) absorb(fusion.pool);
    found_.convs[conv] = fusion;
  }
  /// The addition that alone reads `result` of `step`, when its other operand is there before the step.
  void fuse_sum(int step, SumFusion& sum, int& result) {
    const int add = sums_ ? only_reader(g_.value(result).buffer) : -1;
    if (add < 0 || !g_.is(add, "add") || !fits_(g_.out(add))) return;
    const size_t mine = g_.in_buffer(add, 0) == g_.value(result).buffer ? 0 : 1;
    const int other = g_.in(add, 1 - mine), b = g_.value(other).buffer;
    const Shape& shape = g_.value(result).shape;
    if (shape.rank() != 4 || !fits_(other) || g_.value(other).shape != shape ||
        g_.value(g_.out(add)).shape != shape)
      return;
    if (b == g_.value(result).buffer || g_.writer(b) >= step || changes_between(step, add, b)) return;
    sum = {add, other};
    result = g_.out(add);
    absorb(add);
  }

  int only_norm(int value) const {
    const int norm = only_reader(g_.value(value).buffer);
    if (norm < 0 || !g_.is(norm, "batch_norm_inference") || !fits_(g_.in(norm, 0))) return -1;
    if (g_.value(g_.in(norm, 0)).shape != g_.value(value).shape) return -1;
    for (size_t i = 1; i < 5; ++i)
      if (!plain_(g_.in(norm, i))) return -1;
    return norm;
  }

  /// A pooling is fused when nothing else needs the whole image: in training, when its gradient can go by
  /// winner codes straight into the convolution's gradients.
  void fuse_pool(int conv, ConvFusion& fusion) {
    const int y = g_.value(fusion.result).buffer;
    if (!g_.temporary(y)) return;
    int pool = -1, pool_gradient = -1, relu_gradient = -1;
    for (int s : g_.readers(y)) {
      int* role = g_.is(s, "max_pool2d") && is_2x2(s)                                       ? &pool
                  : g_.is(s, "max_pool2d_backward") && is_2x2(s) && g_.in_buffer(s, 1) == y ? &pool_gradient
                  : fusion.relu >= 0 && is_relu_gradient(s) && g_.in_buffer(s, 0) == y      ? &relu_gradient
                                                                                            : nullptr;
      if (!role || *role >= 0) return;
      *role = s;
    }
    if (pool < 0) return;
    if (pool_gradient >= 0) {
      int dy = g_.out_buffer(pool_gradient);
      if (fusion.relu >= 0) {
        if (relu_gradient < 0 || only_reader(dy) != relu_gradient) return;
        dy = g_.out_buffer(relu_gradient);
      }
      ConvGradientFusion* gradient = gradient_of(dy);
      if (!gradient || !belongs_to(dy, *gradient)) return;
      gradient->dy = g_.in(pool_gradient, 0);
      gradient->forward = conv;
      absorb(pool_gradient);
      if (relu_gradient >= 0) absorb(relu_gradient);
    } else if (relu_gradient >= 0) {
      return;
    }
    fusion.pool = pool;
    fusion.result = g_.out(pool);
    if (pool_gradient >= 0) fuse_dropout(fusion, *gradient_of_pool(pool_gradient));
  }
  ConvGradientFusion* gradient_of_pool(int pool_gradient) {
    for (auto& [first, gradient] : found_.conv_gradients)
      if (gradient.dy == g_.in(pool_gradient, 0)) return &gradient;
    return nullptr;
  }

  /// Dropout behind the pooling, when nothing else reads the pooled values or their gradient.
  void fuse_dropout(ConvFusion& fusion, ConvGradientFusion& gradient) {
    const int dropout = only_reader(g_.value(fusion.result).buffer);
    const int dy = g_.value(gradient.dy).buffer, undo = g_.writer(dy);
    if (dropout < 0 || !g_.is(dropout, "dropout") || undo < 0 || !g_.is(undo, "dropout")) return;
    if (!g_.temporary(dy) || g_.readers(dy).size() != 1) return;
    for (size_t i : {1, 2})
      if (!same_window(g_.in(dropout, i), g_.in(undo, i))) return;
    if (attribute<double>(*g_.step(dropout).op, "p") != attribute<double>(*g_.step(undo).op, "p")) return;
    fusion.dropout = dropout;
    fusion.result = g_.out(dropout);
    gradient.dropout = undo;
    gradient.dy = g_.in(undo, 0);
    absorb(dropout);
    absorb(undo);
  }

  void fuse_relu_gradient(ConvGradientFusion& gradient) {
    const int dy = g_.value(gradient.dy).buffer, s = g_.writer(dy);
    if (!is_relu_gradient(s) || !belongs_to(dy, gradient)) return;
    gradient.relu_y = g_.in(s, 0);
    gradient.dy = g_.in(s, 1);
    absorb(s);
  }

  void fuse_norm(int norm) {
    NormFusion fusion{.result = g_.out(norm)};
    fuse_sum(norm, fusion.sum, fusion.result);
    if (const int relu = only_relu(g_.value(fusion.result).buffer); relu >= 0) {
      fusion.relu = relu;
      fusion.result = g_.out(relu);
      absorb(relu);
    }
    found_.norms[norm] = fusion;
  }
  /// The ReLU's gradient and the addition of two gradients before it go with the sums of the first
  /// normalisation that reads them.
  void fuse_norm_gradient(int norm) {
    NormFusion fusion{.dy = g_.in(norm, 0)};
    const int dy = g_.in_buffer(norm, 0), s = g_.writer(dy);
    if (!g_.temporary(dy) || g_.readers(dy)[0] != norm) {
      found_.norms[norm] = fusion;
      return;
    }
    const bool shared = g_.readers(dy).size() > 1;
    int last = norm;
    if (is_relu_gradient(s) && (!shared || keeps_shape(s, norm))) {
      fusion.relu_y = g_.in(s, 0);
      fusion.dy = g_.in(s, 1);
      fusion.steps = {s};
      last = s;
    }
    const int summed = g_.value(fusion.dy).buffer, sum = g_.writer(summed);
    const bool alone = last == norm || only_reader(summed) == last;
    if (sums_ && sum >= 0 && g_.is(sum, "accumulate") && alone && keeps_shape(sum, norm) &&
        (last == norm || keeps_shape(last, norm))) {
      fusion.dy = g_.in(sum, 0);
      fusion.more = g_.in(sum, 1);
      fusion.steps.push_back(sum);
    }
    if (fusion.more >= 0 || (shared && !fusion.steps.empty()))
      fusion.joined = g_.in(norm, 0);
    else if (fusion.relu_y >= 0)
      fusion.own_relu = own_relu(norm, fusion.relu_y);
    for (int absorbed : fusion.steps) absorb(absorbed);
    found_.norms[norm] = std::move(fusion);
  }
  /// True when all operands of step s are images like the normalisation's, in lanes.
  bool keeps_shape(int s, int norm) const {
    const Shape& x = g_.value(g_.in(norm, 1)).shape;
    const auto like_x = [&](int v) { return fits_(v) && g_.value(v).shape == x; };
    return std::all_of(g_.step(s).inputs.begin(), g_.step(s).inputs.end(), like_x) && like_x(g_.in(norm, 0));
  }
  /// The normalisation that `norm` is the gradient of, when relu_y is all that came of it and its parameters
  /// are still the same.
  int own_relu(int norm, int relu_y) const {
    const int forward = g_.writer(g_.in_buffer(norm, 3));
    if (forward < 0 || !g_.is(forward, "batch_norm")) return -1;
    const auto found = found_.norms.find(forward);
    if (found == found_.norms.end() || found->second.relu < 0 || found->second.sum.step >= 0) return -1;
    if (g_.value(found->second.result).buffer != g_.value(relu_y).buffer) return -1;
    if (!same_window(g_.in(forward, 0), g_.in(norm, 1)) || !same_window(g_.in(forward, 1), g_.in(norm, 2)))
      return -1;
    for (size_t i : {0, 1, 2})
      if (changes_between(forward, norm, g_.in_buffer(forward, i))) return -1;
    return forward;
  }

  const Test &fits_, &plain_;
  const bool sums_;
  Fusions found_;
};

}  // namespace

Fusions find_fusions(const Graph& graph, const std::function<bool(int value)>& fits,
                     const std::function<bool(int value)>& plain, bool sums) {
  return Finder(graph, fits, plain, sums).find();
}

}  // namespace uncial::program
