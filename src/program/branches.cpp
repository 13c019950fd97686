#include "branches.h"

#include <algorithm>
#include <map>
#include <memory>

namespace uncial::program {
namespace {

/// Bytes of one memory. Memories do not overlap: the arena, storages, inputs, and what operators share.
struct Range {
  const void* memory;
  int64_t begin, end;
  bool written;
};

bool meet(const Range& a, const Range& b) {
  return a.memory == b.memory && a.begin < b.end && b.begin < a.end && (a.written || b.written);
}

/// What each stage touches.
class Touched {
 public:
  Touched(const Graph& graph, const std::vector<std::unique_ptr<Stage>>& stages,
          const std::vector<Block*>& shared)
      : graph_(graph), ranges_(stages.size()) {
    for (size_t i = 0; i < stages.size(); ++i) {
      add_buffers(*stages[i], ranges_[i]);
      add_common(*stages[i], ranges_[i]);
      for (const Block* block : stages[i]->own_blocks()) add(*block, ranges_[i]);
    }
    for (const Block* block : shared)
      for (const int i : {block->first_stage, block->last_stage})
        if (block->used()) add(*block, ranges_[size_t(i)]);
  }
  bool meet(size_t a, size_t b) const {
    for (const Range& x : ranges_[a])
      for (const Range& y : ranges_[b])
        if (program::meet(x, y)) return true;
    return false;
  }

 private:
  using Ranges = std::vector<Range>;

  void add(const Block& block, Ranges& to) const {
    if (block.used()) to.push_back({&arena_, block.offset, block.offset + block.bytes, true});
  }
  void add_buffers(const Stage& stage, Ranges& to) const {
    std::map<int, bool> written;
    for (const int s : stage.steps()) {
      const Step& step = graph_.step(s);
      for (size_t i = 0; i < step.inputs.size(); ++i) written[graph_.in_buffer(s, i)] |= step.op->writes(i);
      for (size_t i = 0; i < step.outputs.size(); ++i) written[graph_.out_buffer(s, i)] = true;
    }
    for (const int v : stage.values()) written.emplace(graph_.value(v).buffer, true);
    for (const auto& [number, is_written] : written) {
      const Buffer& b = graph_.buffer(number);
      if (b.role == Role::temporary && b.last_stage >= b.first_stage)
        to.push_back({&arena_, b.arena_offset, b.arena_offset + b.bytes, is_written});
      else if (b.role != Role::temporary)
        to.push_back(
            {b.role == Role::input ? static_cast<const void*>(&b) : b.storage.get(), 0, b.bytes, is_written});
    }
  }
  /// The workspace of a program, and that of cuBLAS and cuDNN.
  void add_common(const Stage& stage, Ranges& to) const {
    for (const int s : stage.steps()) {
      Specs specs;
      for (const int v : graph_.step(s).inputs) specs.push_back(graph_.value(v).spec());
      if (graph_.step(s).op->workspace_bytes(specs) > 0) to.push_back({&workspace_, 0, 1, true});
      for (const char* product :
           {"matmul", "linear", "conv2d", "conv2d_input_gradient", "conv2d_weight_gradient"})
        if (graph_.is(s, product)) to.push_back({&libraries_, 0, 1, true});
    }
  }

  const Graph& graph_;
  std::vector<Ranges> ranges_;
  char arena_ = 0, workspace_ = 0, libraries_ = 0;  // their addresses are names
};

constexpr double kLaunch = 2e-6;  ///< seconds, in a graph
/// A stage has to take so much longer than its launch to run beside others: a fork and a join cost more than
/// the launch of a small one saves. On an H100 a step of keras_convnet whose counter alone was aside
/// took 64.4 us for 62.8, one of mnist_convnet with 33 MB of updates aside 133.2 us for 138.3.
constexpr double kWorthABranch = 4e-6;

/// Roughly, on a large GPU.
double seconds_of(const Graph& graph, const Stage& stage) {
  constexpr double kBytes = 2e12, kFlops = 5e13;
  Cost all;
  for (const int s : stage.steps()) {
    const Cost c = graph.program().cost(graph.step(s));
    all.flops += c.flops, all.bytes += c.bytes;
  }
  return kLaunch + std::max(all.bytes / kBytes, all.flops / kFlops);
}

/// Stage numbers, in order.
std::vector<size_t> longest_way(const std::vector<double>& seconds,
                                const std::vector<std::vector<size_t>>& followers) {
  std::vector<double> rest(seconds.size());  // from its begin to the end
  const auto longest = [&](const std::vector<size_t>& of) {
    return *std::max_element(of.begin(), of.end(), [&](size_t a, size_t b) { return rest[a] < rest[b]; });
  };
  std::vector<size_t> all;
  for (size_t i = seconds.size(); i-- > 0; all.push_back(i))
    rest[i] = seconds[i] + (followers[i].empty() ? 0 : rest[longest(followers[i])]);
  if (all.empty()) return {};
  std::vector<size_t> way{longest(all)};
  while (!followers[way.back()].empty()) way.push_back(longest(followers[way.back()]));
  return way;
}

/// Where one branch has to wait for the other: once for the last of several.
void add_waits(const std::vector<std::vector<size_t>>& followers, Branches& branches) {
  std::vector<int> needs(branches.stages.size(), -1);  // the last stage of the other branch
  for (size_t i = 0; i < followers.size(); ++i)
    for (const size_t f : followers[i])
      if (branches.stages[f].branch != branches.stages[i].branch) needs[f] = std::max(needs[f], int(i));
  int waited[2] = {-1, -1};
  for (size_t i = 0; i < needs.size(); ++i) {
    Branches::Place& place = branches.stages[i];
    if (place.branch == 1) branches.last_aside = int(i);
    if (needs[i] <= waited[place.branch]) continue;
    place.after = waited[place.branch] = needs[i];
    branches.stages[size_t(needs[i])].awaited = true;
  }
  if (branches.last_aside >= 0) branches.stages[size_t(branches.last_aside)].awaited = true;
}

}  // namespace

Branches plan_branches(const Graph& graph, const std::vector<std::unique_ptr<Stage>>& stages,
                       const std::vector<Block*>& shared) {
  const Touched touched(graph, stages, shared);
  std::vector<std::vector<size_t>> followers(stages.size());
  std::vector<double> seconds(stages.size(), 0);
  const auto captured = [&](size_t i) { return !stages[i]->asks_the_host(); };
  for (size_t i = 0; i < stages.size(); ++i) {
    if (!captured(i)) continue;
    seconds[i] = seconds_of(graph, *stages[i]);
    for (size_t later = i + 1; later < stages.size(); ++later)
      if (captured(later) && touched.meet(i, later)) followers[i].push_back(later);
  }
  Branches branches = Branches::in_order(stages.size());
  for (size_t i = 0; i < stages.size(); ++i)
    branches.stages[i].branch = seconds[i] > kLaunch + kWorthABranch ? 1 : 0;
  for (const size_t i : longest_way(seconds, followers)) branches.stages[i].branch = 0;
  add_waits(followers, branches);
  return branches;
}

}  // namespace uncial::program
