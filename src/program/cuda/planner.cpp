#include "planner.h"

#include <algorithm>
#include <map>

#include "chain_stages.h"
#include "dense_stages.h"
#include "head_stage.h"
#include "program/joined_stage.h"
#include "program/kept_step.h"
#include "program/step_stage.h"

namespace uncial::program::cuda {
namespace {

class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph), taken_(size_t(graph.steps()), false) {}

  GpuPlan plan() {
    const GpuLimits limits = uncial::cuda::gpu_limits();
    if (limits.multiplies_bfloat16)
      find_chains(graph_, [&](const FoundChain& found) { return add(found, limits); });
    for (int s = 0; s < graph_.steps(); ++s)
      if (graph_.is(s, "cross_entropy")) add_head(s);
    if (limits.multiplies_bfloat16) dense_ = dense_stages(graph_, runs_at(), taken_);
    for (int s = 0; s < graph_.steps(); ++s) {
      add_dense(s);
      if (const auto ready = stages_.find(s); ready != stages_.end())
        plan_.stages.push_back(std::move(ready->second));
      if (graph_.step(s).is_view || taken_[size_t(s)]) continue;
      plan_.stages.push_back(step_stage(graph_, s));
    }
    add_dense(graph_.steps());
    plan_.stages = join_stages(graph_, std::move(plan_.stages));
    place();
    return std::move(plan_);
  }

 private:
  /// A chain runs forwards where its last step was, and backwards where the first of its gradients was.
  bool add(const FoundChain& found, const GpuLimits& limits) {
    const auto chain = plan_chain(graph_, found, limits);
    if (!chain) return false;
    chains_.push_back(chain);
    if (auto weights = weights_stage(graph_, chain)) plan_.stages.push_back(std::move(weights));
    for (const auto* steps : {&found.forward, &found.backward})
      for (int s : *steps) taken_[size_t(s)] = true;
    stages_[*found.forward.rbegin()] = forward_stage(graph_, chain);
    if (chain->trains()) stages_[*found.backward.begin()] = backward_stage(graph_, chain);
    return true;
  }
  /// By step, where what stands for it runs; -1: nobody knows.
  std::vector<int> runs_at() const {
    std::vector<int> at(taken_.size(), -1);
    for (int s = 0; s < graph_.steps(); ++s)
      if (!taken_[size_t(s)]) at[size_t(s)] = s;
    for (const auto& [s, stage] : stages_)
      for (int part : stage->steps()) at[size_t(part)] = s;
    return at;
  }
  void add_dense(int s) {
    if (const auto ready = dense_.find(s); ready != dense_.end())
      plan_.stages.push_back(std::move(ready->second));
  }
  void add_head(int cross_entropy) {
    const auto head = find_head(graph_, cross_entropy, taken_);
    if (!head) return;
    for (int s : head->steps) taken_[size_t(s)] = true;
    stages_[cross_entropy] = head_stage(graph_, *head);
  }
  void place() {
    for (int i = 0; i < int(plan_.stages.size()); ++i)
      for (Block* block : plan_.stages[size_t(i)]->own_blocks()) block->use(i);
    for (const auto& chain : chains_) {
      int first = -1, last = -1;
      for (int i = 0; i < int(plan_.stages.size()); ++i) {
        const auto& steps = plan_.stages[size_t(i)]->steps();
        if (steps.empty()) continue;
        if (first < 0 && chain->found.forward.count(steps[0])) first = last = i;
        if (chain->found.backward.count(steps[0])) last = i;
      }
      for (PlannedChain::Memory& m : chain->memory)
        for (Block* b : {&m.packed, &m.packed_transposed, &m.kept, &m.codes, &m.partial}) {
          if (b->bytes == 0) continue;
          b->use(b == &m.partial ? last : first);
          b->use(b == &m.packed ? first : last);
          plan_.blocks.push_back(b);
        }
    }
  }

  const Graph& graph_;
  std::vector<bool> taken_;
  std::map<int, std::unique_ptr<Stage>> stages_;  // by the step at which they run
  std::map<int, std::unique_ptr<Stage>> dense_;   // by the step before which they run
  std::vector<std::shared_ptr<PlannedChain>> chains_;
  GpuPlan plan_;
};

}  // namespace

GpuPlan plan_for_gpu(const Graph& graph) { return Planner(graph).plan(); }

}  // namespace uncial::program::cuda
