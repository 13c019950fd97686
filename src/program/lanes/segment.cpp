#include "segment.h"

#include <algorithm>

#include "program/cut.h"
#include "scratch.h"
#include "uncial/core/parallel.h"

namespace uncial::program::lanes {
namespace {

/// Batches of at least so many groups are cut into kSlots for their sums, smaller ones into a slot a group.
/// Few slots keep their memory and the final sum small; many let more threads work at once.
constexpr int64_t kSlots = 4;

}  // namespace

void Segment::add(std::unique_ptr<Node> node) {
  for (int v : node->rows) values_.push_back(v);
  steps_.insert(steps_.end(), node->steps.begin(), node->steps.end());
  if (auto* reduction = dynamic_cast<ReducingNode*>(node.get())) reductions_.push_back(reduction);
  nodes_.push_back(std::move(node));
}

void Segment::prepare(std::shared_ptr<Prepared> prepared) {
  for (int v : prepared->sources()) values_.push_back(v);
  if (std::find(prepared_.begin(), prepared_.end(), prepared) == prepared_.end())
    prepared_.push_back(std::move(prepared));
}

int64_t Segment::slots(const ReducingNode& node) const {
  return node.slot_a_group() ? table_->groups() : std::min(table_->groups(), kSlots);
}

void Segment::place_local_values() {
  std::vector<Block*> blocks;
  for (LaneValue& v : table_->values)
    if (v.local) v.block.first_stage = std::numeric_limits<int>::max(), v.block.last_stage = -1;
  for (int i = 0; i < int(nodes_.size()); ++i) {
    workspace_floats_ = std::max(workspace_floats_, nodes_[size_t(i)]->workspace_floats(*table_));
    for (int number : nodes_[size_t(i)]->lanes) {
      LaneValue& v = table_->values[size_t(number)];
      if (!v.local) continue;
      if (!v.block.used()) blocks.push_back(&v.block);
      v.block.bytes = v.group_bytes;
      v.block.use(i);
    }
  }
  local_bytes_ = plan_arena(std::move(blocks));
}

std::vector<Block*> Segment::own_blocks() {
  std::vector<Block*> blocks;
  for (ReducingNode* r : reductions_) blocks.push_back(&r->block);
  return blocks;
}

std::string Segment::name() const {
  std::string text;
  for (const auto& node : nodes_) text += (text.empty() ? "" : " | ") + node->name();
  return text;
}

std::vector<Piece> Segment::pieces() const {
  std::vector<Piece> all = {{this, "wait for other threads", {}, nullptr}};
  add_pieces(prepared_, this, all);
  for (const auto& node : nodes_) all.push_back({node.get(), node->name(), node->steps, this});
  return all;
}

void Segment::run(const Runtime& runtime) {
  for (const auto& node : nodes_) node->begin(*table_, runtime);
  update(prepared_, runtime);
  run_groups(runtime);
  finish(runtime);
}

void Segment::run_groups(const Runtime& runtime) {
  const int64_t groups = table_->groups(), lanes = table_->kernels.lanes;
  // Without sums every group is a task; with them a task is a slot, whose groups follow one another.
  const bool sums = std::any_of(reductions_.begin(), reductions_.end(),
                                [](const ReducingNode* r) { return !r->slot_a_group(); });
  const int64_t tasks = sums ? std::min(groups, kSlots) : groups;
  parallel_for(tasks, [&](int64_t task) {
    std::byte* local = cpu::scratch<std::byte>(cpu::ScratchSlot::group, local_bytes_);
    float* workspace = cpu::scratch<float>(cpu::ScratchSlot::group_workspace, workspace_floats_);
    if (sums)
      for (const ReducingNode* r : reductions_)
        if (!r->slot_a_group()) std::fill_n(r->slot(*table_, runtime, task), r->padded_slot(*table_), 0.0f);
    for (int64_t group = task * groups / tasks; group < (task + 1) * groups / tasks; ++group)
      run_group({.table = *table_,
                 .runtime = runtime,
                 .local = local,
                 .workspace = workspace,
                 .group = group,
                 .samples = std::min(lanes, table_->samples - group * lanes),
                 .slot = task});
  });
}

void Segment::run_group(const GroupRun& g) const {
  for (const auto& node : nodes_) {
    const Probed probed(g.runtime.probe, node.get());
    node->run(g);
    for (int v : node->makes)
      if (const Halo& h = table_->values[size_t(v)].halo; !h.none() && !table_->values[size_t(v)].codes)
        table_->kernels.layout.clear_halo(g.image(v), h.before, h.below, h.behind);
  }
}

void Segment::finish(const Runtime& runtime) {
  constexpr int64_t kPiece = 4096;  // floats that one task adds up
  Cut sums, results;
  for (const ReducingNode* r : reductions_) {
    sums.add(r->slot_a_group() || slots(*r) == 1 ? 0 : ceil_div(r->padded_slot(*table_), kPiece));
    results.add(r->tasks(*table_));
  }
  parallel_for(sums.total(), [&](int64_t number) {
    const auto [job, task] = sums.find(number);
    const ReducingNode& r = *reductions_[job];
    const Probed probed(runtime.probe, static_cast<const Node*>(&r));
    const int64_t size = r.padded_slot(*table_), end = std::min((task + 1) * kPiece, size);
    float* total = r.slot(*table_, runtime, 0);
    for (int64_t s = 1; s < slots(r); ++s) {
      const float* slot = r.slot(*table_, runtime, s);
      for (int64_t i = task * kPiece; i < end; ++i) total[i] += slot[i];
    }
  });
  parallel_for(results.total(), [&](int64_t number) {
    const auto [job, task] = results.find(number);
    const ReducingNode& r = *reductions_[job];
    const Probed probed(runtime.probe, static_cast<const Node*>(&r));
    r.finish(*table_, runtime, r.slot(*table_, runtime, 0), task);
  });
}

}  // namespace uncial::program::lanes
