#include "kept_step.h"

#include <map>
#include <set>

#include "prepared.h"
#include "step_stage.h"

namespace uncial::program {
namespace {

class KeptStage final : public Stage {
 public:
  KeptStage(const Graph& graph, int step)
      : step_(graph, step),
        operand_(graph.in(step, 0)),
        origin_(*graph.buffer(graph.in_buffer(step, 0)).storage),
        result_(graph.buffer(graph.out_buffer(step)).storage) {
    steps_ = step_.steps();
    values_ = step_.values();
  }
  std::string name() const override { return step_.name() + " (kept)"; }
  bool asks_the_host() const override { return true; }
  void run(const Runtime& runtime) override {
    if (!origin_.take_stale(runtime.views[size_t(operand_)])) return;
    step_.run(runtime);
    result_->touch();
  }

 private:
  StepStage step_;
  int operand_;
  Origin origin_;
  std::shared_ptr<Storage> result_;
};

}  // namespace

void keep_rounded_weights(const Graph& graph, std::vector<Buffer>& buffers) {
  std::set<int> changed;
  for (int s = 0; s < graph.steps(); ++s)
    for (size_t i = 0; i < graph.step(s).inputs.size(); ++i)
      if (graph.step(s).op->writes(i)) changed.insert(graph.in_buffer(s, i));
  // A weight that is read several times is kept once.
  std::map<std::pair<int, Precision>, std::shared_ptr<Storage>> kept;
  for (int s = 0; s < graph.steps(); ++s) {
    if (!graph.is_rounding(s)) continue;
    const int from = graph.in_buffer(s, 0), to = graph.out_buffer(s);
    if (graph.buffer(from).role != Role::external || graph.writer(from) >= 0 || changed.count(from) ||
        !graph.whole(graph.in(s, 0)) || !graph.temporary(to) || changed.count(to))
      continue;
    buffers[size_t(to)].role = Role::external;
    std::shared_ptr<Storage>& storage = kept[{from, graph.rounds_to(s)}];
    if (!storage)
      storage = std::make_shared<Storage>(buffers[size_t(to)].bytes, graph.buffer(from).storage->device());
    buffers[size_t(to)].storage = storage;
  }
}

bool is_kept(const Graph& graph, int step) {
  return graph.is_rounding(step) && graph.buffer(graph.out_buffer(step)).role == Role::external;
}

std::unique_ptr<Stage> step_stage(const Graph& graph, int step) {
  if (is_kept(graph, step)) return std::make_unique<KeptStage>(graph, step);
  return std::make_unique<StepStage>(graph, step);
}

}  // namespace uncial::program
