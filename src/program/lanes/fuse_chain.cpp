// Which convolutions run row by row ahead of the one that reads them.

#include <algorithm>

#include "conv_nodes.h"

namespace uncial::program::lanes {
namespace {

class ChainFinder {
 public:
  ChainFinder(const Graph& graph, Fusions& found) : g_(graph), found_(found) {}

  void find() {
    for (auto& [next, fusion] : found_.convs)
      for (const auto& [ahead, other] : found_.convs)
        if (ahead != next && g_.value(other.result).buffer == g_.in_buffer(next, 0)) try_chain(ahead, next);
  }

 private:
  Conv conv(int s) const {
    return Conv(*g_.step(s).op, g_.value(g_.in(s, 0)).shape, g_.value(g_.in(s, 1)).shape);
  }
  Conv conv_of_weight_gradient(int s) const {
    return Conv(*g_.step(s).op, g_.value(g_.in(s, 0)).shape, g_.value(g_.out(s)).shape);
  }

  void try_chain(int ahead, int next) {
    const ConvFusion& a = found_.convs.at(ahead);
    const int y = g_.in_buffer(next, 0);
    const Conv first = conv(ahead), second = conv(next);
    if (a.pool >= 0 || a.sum.step >= 0 || !g_.temporary(y) ||
        g_.value(g_.in(next, 0)).shape != g_.value(a.result).shape)
      return;
    // With few multiply-adds an output, computing it again beats storing it and reading it back.
    if (!second.winograd() || second.C <= cpu::kPairedChannels || first.shape.groups != 1 ||
        first.C >= cpu::kManyChannels || first.C * first.shape.R * first.shape.S > cpu::kFewTaps)
      return;
    if (g_.readers(y).size() == 1) {
      if (untouched(ahead, next)) chain(ahead, next);
      return;
    }
    for (auto& [step, gradient] : found_.conv_gradients)
      if (gradient.weight >= 0 && gradient.input >= 0 && g_.in_buffer(gradient.weight, 0) == y) {
        const int other = gradient_ahead(ahead, gradient);
        if (other < 0 || conv_of_weight_gradient(gradient.weight) != second || !untouched(ahead, step))
          return;
        chain(ahead, next);
        gradient.ahead = ahead;
        gradient.ahead_gradient = other;
        found_.absorbed[size_t(other)] = true;
        return;
      }
  }
  void chain(int ahead, int next) {
    found_.convs.at(next).ahead = ahead;
    found_.absorbed[size_t(ahead)] = true;
  }

  /// The gradients of the convolution ahead, if they alone read `next`'s dx, and they and `next` alone read
  /// the rows in between; -1 otherwise.
  int gradient_ahead(int ahead, const ConvGradientFusion& next) const {
    const ConvFusion& a = found_.convs.at(ahead);
    const int y = g_.value(a.result).buffer, dx = g_.out_buffer(next.input);
    for (const auto& entry : found_.conv_gradients) {
      const ConvGradientFusion& f = entry.second;  // a name that lambdas may use
      if (g_.value(f.dy).buffer != dx || f.input >= 0 || f.weight < 0 || f.forward >= 0) continue;
      if (f.round >= 0) return -1;
      const bool same_relu = a.relu >= 0 ? f.relu_y >= 0 && g_.value(f.relu_y).buffer == y : f.relu_y < 0;
      if (!same_relu || g_.in_buffer(f.weight, 0) != g_.in_buffer(ahead, 0)) return -1;
      if (conv_of_weight_gradient(f.weight) != conv(ahead) || !g_.temporary(dx)) return -1;
      const auto mine = [&](int s) {
        return s == f.weight || (found_.absorbed[size_t(s)] && (g_.is(s, "sum") || reads_relu(s, y, dx)));
      };
      const auto& of_dx = g_.readers(dx);
      if (!std::all_of(of_dx.begin(), of_dx.end(), mine)) return -1;
      const auto& of_y = g_.readers(y);
      const auto known = [&](int s) {
        return (g_.is(s, "conv2d") && !found_.absorbed[size_t(s)]) || s == next.weight ||
               reads_relu(s, y, dx);
      };
      const auto convs = std::count_if(of_y.begin(), of_y.end(), [&](int s) { return g_.is(s, "conv2d"); });
      return convs == 1 && std::all_of(of_y.begin(), of_y.end(), known) ? entry.first : -1;
    }
    return -1;
  }
  /// The gradient of a ReLU that made y, of dx.
  bool reads_relu(int s, int y, int dx) const {
    return g_.is(s, "unary_backward") && g_.in_buffer(s, 0) == y && g_.in_buffer(s, 1) == dx;
  }

  /// Nobody changes what the convolution reads before step `end`, where it is computed again.
  bool untouched(int ahead, int end) const {
    for (int s = ahead + 1; s < end; ++s)
      for (size_t i = 0; i < g_.step(s).inputs.size(); ++i)
        if (!g_.step(s).is_view && g_.step(s).op->writes(i))
          for (int reader : {ahead, found_.convs.at(ahead).norm})
            for (size_t j = 0; reader >= 0 && j < g_.step(reader).inputs.size(); ++j)
              if (g_.in_buffer(s, i) == g_.in_buffer(reader, j)) return false;
    return true;
  }

  const Graph& g_;
  Fusions& found_;
};

}  // namespace

void find_chains(const Graph& graph, Fusions& found) { ChainFinder(graph, found).find(); }

}  // namespace uncial::program::lanes
