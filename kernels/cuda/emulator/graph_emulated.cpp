// A graph of the emulator: copies of the functions that kernels are. What they took by value stays as it was,
// as kernel arguments do.

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "core/captured.h"
#include "graph.h"
#include "runtime.h"
#include "uncial/core/error.h"

namespace uncial::cuda {
namespace {

/// A kernel, or a point that was marked (an empty one), or a wait for a mark.
struct Node {
  std::function<void()> work = {};
  int mark = -1;  ///< of this number
  int wait = -1;  ///< for the mark of this number
};

}  // namespace

struct Graph::State {
  std::array<std::vector<Node>, kBranches> branches;
  std::map<int, int> points;  ///< by name, the number of the latest mark
  int current = 0, marks = 0;
  int64_t kernels = 0;
  size_t launches = 0;

  void add(Node node) {
    std::vector<Node>& nodes = branches[size_t(current)];
    ensure(current == 0 || !nodes.empty() || node.wait >= 0, "a branch of a graph begins without a wait");
    nodes.push_back(std::move(node));
  }
  /// As a real graph has to be: what ran in another branch was waited for.
  void require_joined() const {
    for (size_t i = 1; i < kBranches; ++i) {
      if (branches[i].empty()) continue;
      const int last = branches[i].back().mark;
      ensure(last >= 0 && std::any_of(branches[0].begin(), branches[0].end(),
                                      [&](const Node& node) { return node.wait == last; }),
             "branch ", i, " of a graph is not waited for");
    }
  }
};

namespace {
thread_local Graph::State* captured = nullptr;
}

bool capturing() { return captured != nullptr; }

void submit(std::function<void()> work) {
  if (!captured) return work();
  captured->add({.work = std::move(work)});
  ++captured->kernels;
}

void capture_branch(int branch) {
  if (captured) captured->current = branch;
}
void mark_point(int name) {
  if (captured) captured->add({.mark = captured->points[name] = captured->marks++});
}
void wait_for_point(int name) {
  if (captured) captured->add({.wait = captured->points.at(name)});
}

Graph::Graph() : state_(new State) {}
Graph::~Graph() = default;
void Graph::begin() { captured = state_.get(); }
void Graph::end() {
  captured = nullptr;
  state_->require_joined();
}
void Graph::abandon() noexcept {
  captured = nullptr;
  *state_ = {};
}

/// In each launch the branches go on in another way: the first as far as it can before the second moves, the
/// second as soon as it can, both by one kernel at a time. So who forgot to wait is found out.
void Graph::launch() {
  constexpr size_t kAll = ~size_t(0);
  constexpr std::array<std::array<size_t, kBranches>, 3> kSteps = {{{kAll, kAll}, {1, kAll}, {1, 1}}};
  State& s = *state_;
  const std::array<size_t, kBranches>& steps = kSteps[s.launches++ % kSteps.size()];
  std::vector<bool> passed(size_t(s.marks), false);
  std::array<size_t, kBranches> at{};
  const auto advance = [&](size_t branch) {
    const std::vector<Node>& nodes = s.branches[branch];
    size_t moved = 0;
    for (; at[branch] < nodes.size() && moved < steps[branch]; ++at[branch], ++moved) {
      const Node& node = nodes[at[branch]];
      if (node.wait >= 0 && !passed[size_t(node.wait)]) break;
      if (node.mark >= 0) passed[size_t(node.mark)] = true;
      if (node.work) node.work();
    }
    return moved > 0;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < kBranches; ++i) moved |= advance(i);
  }
  for (size_t i = 0; i < kBranches; ++i)
    ensure(at[i] == s.branches[i].size(), "branch ", i, " of a graph waits for itself");
}
int64_t Graph::nodes() const { return state_->kernels; }

struct Pace::State {};  // what was given to the emulator is done
Pace::Pace(Device) {}
Pace::~Pace() = default;
void Pace::next() {}

}  // namespace uncial::cuda
