#include "find_chains.h"

#include <algorithm>

#include "queries.h"

namespace uncial::program::cuda {
namespace {

class Finder : GpuQueries {
 public:
  explicit Finder(const Graph& graph)
      : GpuQueries(graph),
        fusions_(find_fusions(
            graph, [this](int v) { return image(v); }, [this](int v) { return plain(v); })) {}

  std::vector<FoundChain> find(const std::function<bool(const FoundChain&)>& fits) {
    std::vector<FoundChain> found;
    for (const auto& [conv, fusion] : fusions_.convs) {
      if (taken_.count(conv)) continue;
      FoundChain chain = chain_from(conv);
      while (!chain.links.empty() && !(complete(chain) && fits(chain))) chain = shortened(chain);
      if (chain.links.empty()) continue;
      for (const auto* steps : {&chain.forward, &chain.backward}) taken_.insert(steps->begin(), steps->end());
      found.push_back(std::move(chain));
    }
    return found;
  }

 private:
  bool image(int v) const {
    const Value& x = g_.value(v);
    return x.dtype == DType::float32 && x.shape.rank() == 4 && count(x.shape) > 0 && plain(v);
  }
  /// The convolution that reads a rounded value forwards, or -1.
  int conv_behind(int rounding) const {
    for (int s : g_.readers(g_.out_buffer(rounding)))
      if (g_.is(s, "conv2d") && g_.in_buffer(s, 0) == g_.out_buffer(rounding)) return s;
    return -1;
  }
  const ConvGradientFusion* gradient_of(int conv) const {
    for (const auto& [first, gradient] : fusions_.conv_gradients)
      if (gradient.weight >= 0 && same_window(g_.in(gradient.weight, 0), g_.in(conv, 0)) &&
          g_.value(g_.out(gradient.weight)).shape == g_.value(g_.in(conv, 1)).shape)
        return &gradient;
    return nullptr;
  }

  /// As many links as follow from one convolution, whether or not they can all be kept together.
  FoundChain chain_from(int conv) const {
    std::vector<int> convs;
    while (conv >= 0 && fusions_.convs.count(conv) && !taken_.count(conv) && rounded(conv) &&
           (convs.empty() || precision_of(conv) == precision_of(convs[0])) &&
           convs.size() < size_t(uncial::cuda::kMaxChain)) {
      convs.push_back(conv);
      const ConvFusion& fusion = fusions_.convs.at(conv);
      const int rounding = fusion.dropout >= 0 || fusion.norm >= 0 ? -1 : rounding_behind(fusion.result);
      conv = rounding >= 0 ? conv_behind(rounding) : -1;
    }
    return build(convs);
  }
  FoundChain shortened(const FoundChain& chain) const {
    std::vector<int> convs;
    for (size_t i = 0; i + 1 < chain.links.size(); ++i) convs.push_back(chain.links[i].conv);
    return build(convs);
  }
  /// What both factors were rounded to; float32 when they were not.
  Precision precision_of(int conv) const {
    const int of_x = rounding_of(g_.in(conv, 0)), of_w = rounding_of(g_.in(conv, 1));
    const bool both = of_x >= 0 && of_w >= 0 && g_.rounds_to(of_x) == g_.rounds_to(of_w);
    return both ? g_.rounds_to(of_x) : Precision::float32;
  }
  bool rounded(int conv) const {
    return fusions_.convs.at(conv).norm < 0 && rounds_factors(precision_of(conv));
  }

  FoundChain build(const std::vector<int>& convs) const {
    FoundChain chain;
    for (int conv : convs) add_link(chain, conv);
    if (chain.links.empty()) return chain;
    const ConvFusion& last = fusions_.convs.at(convs.back());
    chain.x = g_.in(rounding_of(g_.in(convs[0], 0)), 0);
    chain.precision = precision_of(convs[0]);
    chain.y = last.result;
    chain.dropout = last.dropout;
    if (const ConvGradientFusion* gradient = gradient_of(convs.back())) chain.dy = gradient->dy;
    // What only a rounding reads is rounded at once.
    std::set<int> readers = chain.forward;
    const int rounding = rounding_behind(chain.y);
    readers.insert(chain.backward.begin(), chain.backward.end());
    readers.insert(rounding);
    if (rounding >= 0 && g_.rounds_to(rounding) == chain.precision &&
        stays_inside(g_.value(chain.y).buffer, readers)) {
      chain.y = g_.out(rounding);
      chain.round_y = true;
      chain.forward.insert(rounding);
    }
    return chain;
  }
  void add_link(FoundChain& chain, int conv) const {
    const ConvFusion& fusion = fusions_.convs.at(conv);
    ChainLink link{.conv = conv, .spec = {extents(conv), fusion.relu >= 0, fusion.pool >= 0}};
    const int of_x = rounding_of(g_.in(conv, 0)), of_weights = rounding_of(g_.in(conv, 1));
    link.weights = g_.in(of_weights, 0);
    if (g_.step(conv).inputs.size() > 2) link.bias = g_.in(conv, 2);
    for (int s : {conv, of_x, fusion.relu, fusion.pool, fusion.dropout})
      if (s >= 0) chain.forward.insert(s);
    // A kept one (kept_step.h) stays: it hardly ever runs.
    if (g_.temporary(g_.out_buffer(of_weights))) chain.forward.insert(of_weights);
    if (const ConvGradientFusion* gradient = gradient_of(conv)) add_gradient(chain, link, *gradient);
    chain.links.push_back(link);
  }
  void add_gradient(FoundChain& chain, ChainLink& link, const ConvGradientFusion& gradient) const {
    link.weight_gradient = where_it_goes(g_.out(gradient.weight), chain.backward);
    chain.backward.insert(gradient.weight);
    if (gradient.input >= 0) chain.backward.insert(gradient.input);
    if (gradient.bias >= 0) {
      chain.backward.insert({gradient.bias, g_.writer(g_.in_buffer(gradient.bias, 0))});
      link.bias_gradient = where_it_goes(g_.out(gradient.bias), chain.backward);
    }
    // From dy as the convolution sees it back to dy before masks and pooling.
    for (int b = g_.in_buffer(gradient.weight, 1); b != g_.value(gradient.dy).buffer;) {
      const int s = g_.writer(b);
      chain.backward.insert(s);
      b = g_.in_buffer(s, g_.is(s, "unary_backward") ? 1 : 0);
    }
  }
  ConvExtents extents(int conv) const {
    const Shape &x = g_.value(g_.in(conv, 0)).shape, &w = g_.value(g_.in(conv, 1)).shape,
                &y = g_.value(g_.out(conv)).shape;
    const auto of = [&](const char* name) { return attribute<int64_t>(*g_.step(conv).op, name); };
    return {x[0], x[1], x[2],         x[3],          w[0],           w[2],        w[3],
            y[2], y[3], of("stride"), of("padding"), of("dilation"), of("groups")};
  }

  /// True when nobody outside needs what lies within, and gradients are asked of all links or of none.
  bool complete(const FoundChain& chain) const {
    const bool trains = chain.dy >= 0;
    std::set<int> seen_outside = {chain.y}, steps = chain.forward;
    for (size_t i = 0; i < chain.links.size(); ++i) {
      const ChainLink& link = chain.links[i];
      if ((link.weight_gradient >= 0) != trains) return false;
      seen_outside.insert({link.weight_gradient, link.bias_gradient});
      if (trains && !masks_fit(link, i == 0)) return false;
    }
    steps.insert(chain.backward.begin(), chain.backward.end());
    return closed(steps, seen_outside) && image(chain.x) && plain(chain.y) &&
           (chain.dy < 0 || plain(chain.dy));
  }
  /// The gradient undoes what the forward pass fused, and goes on to the layer before.
  bool masks_fit(const ChainLink& link, bool first) const {
    const ConvFusion& fusion = fusions_.convs.at(link.conv);
    const ConvGradientFusion& gradient = *gradient_of(link.conv);
    if ((gradient.input >= 0) == first) return false;
    if (fusion.pool >= 0)
      return gradient.forward == link.conv && (gradient.dropout >= 0) == (fusion.dropout >= 0);
    if (gradient.forward >= 0) return false;
    return fusion.relu >= 0 ? gradient.relu_y >= 0 && same_window(gradient.relu_y, fusion.result)
                            : gradient.relu_y < 0;
  }

  Fusions fusions_;
  std::set<int> taken_;
};

}  // namespace

std::vector<FoundChain> find_chains(const Graph& graph, const std::function<bool(const FoundChain&)>& fits) {
  return Finder(graph).find(fits);
}

}  // namespace uncial::program::cuda
