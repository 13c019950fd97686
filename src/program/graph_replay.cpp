#include "graph_replay.h"

#include "core/device_memory.h"
#include "schedule.h"

namespace uncial::program {

GraphReplay::GraphReplay(const Program& program, Schedule& schedule)
    : schedule_(schedule),
      in_place_(program.device(), [this] { run_stages(); }),
      copied_(program.device(), [this] { run_stages(); }) {}

void GraphReplay::run_stages() {
  for (const auto& stage : schedule_.stages)
    if (!stage->asks_the_host()) stage->run(schedule_.runtime);
}

void GraphReplay::run(std::span<const Tensor> inputs, int64_t times) {
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
