#pragma once
// The networks that bench_net measures. The first four are those of the peer harness, layer by layer: a
// change there or here makes the comparison worthless.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "uncial/nn/nn.h"

namespace uncial::bench {

/// A network for images of one size and ten classes.
struct BenchNet {
  std::string name;
  Shape sample;  ///< (C, H, W)
  std::function<std::shared_ptr<nn::Module>()> make;
};

/// All of them, in the order in which tables show them.
const std::vector<BenchNet>& bench_nets();
std::vector<std::string> bench_net_names();
/// Throws a usage Error for a name that is not in the list.
const BenchNet& find_bench_net(std::string_view name);

/// The network that a description (uncial/nn/network.h) in `path` says, for images of these extents. Throws
/// Error(data) when it is no such thing, and a usage Error when it does not turn the images into ten classes.
BenchNet described_net(const std::string& path, const Shape& sample);

}  // namespace uncial::bench
