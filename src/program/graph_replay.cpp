#include "graph_replay.h"

#include <algorithm>

#include "core/device_memory.h"
#include "schedule.h"

namespace uncial::program {

GraphReplay::GraphReplay(const Program& program, Schedule& schedule)
    : schedule_(schedule),
      in_place_(program.device(), [this] { run_stages(); }),
      copied_(program.device(), [this] { run_stages(); }) {}

void GraphReplay::run_stages() {
  using namespace uncial::cuda;
  constexpr int kStart = -1;
  const Branches& branches = schedule_.branches;
  const bool aside = branches.last_aside >= 0;
  if (aside) {
    mark_point(kStart);
    use_branch(1);
    wait_for_point(kStart);
  }
  for (size_t i = 0; i < schedule_.stages.size(); ++i) {
    Stage& stage = *schedule_.stages[i];
    if (stage.asks_the_host()) continue;
    const Branches::Place& place = branches.stages[i];
    use_branch(place.branch);
    if (place.after >= 0) wait_for_point(place.after);
    stage.run(schedule_.runtime);
    if (place.awaited) mark_point(int(i));
  }
  use_branch(0);
  if (aside) wait_for_point(branches.last_aside);
}

/// An input in memory that the program changes: no plan knows of that.
bool GraphReplay::changes(std::span<const Tensor> inputs) const {
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& x) {
    return std::binary_search(schedule_.written.begin(), schedule_.written.end(), x.storage().get());
  });
}

void GraphReplay::run(std::span<const Tensor> inputs, int64_t times) {
  if (in_place_.nodes() == 0 && changes(inputs))
    schedule_.branches = Branches::in_order(schedule_.stages.size());
  for (const auto& stage : schedule_.stages)
    if (stage->asks_the_host()) stage->run(schedule_.runtime);
  std::vector<const void*> places;
  for (const Tensor& x : inputs) places.push_back(x.view().data);
  if (in_place_.nodes() == 0 || places == places_) {
    places_ = std::move(places);
    return in_place_.run(times);
  }
  if (copies_.empty())
    for (const Tensor& x : inputs) copies_.push_back(empty_like(x));
  for (size_t i = 0; i < inputs.size(); ++i)
    uncial::cuda::copy(copies_[i].view().data, copies_[i].device(), inputs[i].view().data, inputs[i].device(),
                       inputs[i].bytes());
  schedule_.bind_inputs(copies_);
  copied_.run(times);
}

}  // namespace uncial::program
