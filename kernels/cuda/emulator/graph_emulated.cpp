// A graph of the emulator: copies of the functions that kernels are. What they took by value stays as it was,
// as kernel arguments do.

#include <vector>

#include "core/captured.h"
#include "graph.h"
#include "runtime.h"
#include "uncial/core/error.h"

namespace uncial::cuda {
namespace {
thread_local std::vector<std::function<void()>>* captured = nullptr;
}

struct Graph::State {
  std::vector<std::function<void()>> nodes;
};

bool capturing() { return captured != nullptr; }

void submit(std::function<void()> work) {
  if (captured)
    captured->push_back(std::move(work));
  else
    work();
}

Graph::Graph() : state_(new State) {}
Graph::~Graph() = default;
void Graph::begin() { captured = &state_->nodes; }
void Graph::end() { captured = nullptr; }
void Graph::abandon() noexcept {
  captured = nullptr;
  state_->nodes.clear();
}
void Graph::launch() {
  for (const auto& node : state_->nodes) node();
}
int64_t Graph::nodes() const { return int64_t(state_->nodes.size()); }

struct Pace::State {};  // what was given to the emulator is done
Pace::Pace(Device) {}
Pace::~Pace() = default;
void Pace::next() {}

}  // namespace uncial::cuda
