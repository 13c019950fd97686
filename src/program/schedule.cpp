#include "schedule.h"

#include <algorithm>

#include "channels/planner.h"
#include "cuda/planner.h"
#include "kept_step.h"
#include "lanes/planner.h"
#include "layout.h"

namespace uncial::program {
namespace {

std::vector<std::unique_ptr<Stage>> as_recorded(const Graph& graph) {
  std::vector<std::unique_ptr<Stage>> stages;
  for (int s = 0; s < graph.steps(); ++s)
    if (!graph.step(s).is_view) stages.push_back(step_stage(graph, s));
  return stages;
}

/// Places temporaries and what planners keep from stage to stage in one arena.
void place(const Program& program, std::vector<Buffer>& buffers, std::vector<Block*> all,
           Schedule& schedule) {
  std::vector<Block> blocks;
  for (const Buffer& b : buffers) blocks.push_back(Block::unused(b.bytes));
  for (int i = 0; i < int(schedule.stages.size()); ++i)
    for (int v : schedule.stages[size_t(i)]->values())
      blocks[size_t(program.values()[size_t(v)].buffer)].use(i);
  for (size_t b = 0; b < buffers.size(); ++b)
    if (buffers[b].role == Role::temporary) all.push_back(&blocks[b]);
  for (const auto& stage : schedule.stages)
    for (Block* block : stage->own_blocks()) all.push_back(block);
  schedule.arena_bytes = plan_arena(std::move(all));
  for (size_t b = 0; b < buffers.size(); ++b) {
    buffers[b].arena_offset = blocks[b].offset;
    buffers[b].first_stage = blocks[b].used() ? blocks[b].first_stage : 0;
    buffers[b].last_stage = blocks[b].last_stage;
  }
}

int64_t largest_workspace(const Program& program, const Schedule& schedule) {
  int64_t bytes = 0;
  for (const auto& stage : schedule.stages)
    for (int s : stage->steps()) {
      Specs specs;
      for (int v : program.steps()[size_t(s)].inputs) specs.push_back(program.values()[size_t(v)].spec());
      bytes = std::max(bytes, program.steps()[size_t(s)].op->workspace_bytes(specs));
    }
  return bytes;
}

void bind(const Program& program, Schedule& schedule) {
  auto* base = static_cast<std::byte*>(schedule.memory->data());
  schedule.runtime.arena = base;
  schedule.runtime.workspace = base + schedule.arena_bytes;
  for (int v = 0; v < int(program.values().size()); ++v) {
    const Value& value = program.values()[size_t(v)];
    const Buffer& b = program.buffers()[size_t(value.buffer)];
    const int64_t offset = value.offset * size_of(value.dtype);
    std::byte* data = nullptr;
    if (b.role == Role::input)
      schedule.input_values.push_back({v, b.input, offset});
    else if (b.role == Role::temporary)
      data = base + b.arena_offset + offset;
    else
      data = static_cast<std::byte*>(b.storage->data()) + offset;
    schedule.runtime.views.push_back({data, value.dtype, value.device, value.shape, value.strides});
  }
}

void find_written(const Graph& graph, Schedule& schedule) {
  const Program& program = graph.program();
  const auto add = [&](int v) {
    if (Storage* storage = program.buffers()[size_t(program.values()[size_t(v)].buffer)].storage.get())
      schedule.written.push_back(storage);
  };
  for (int number = 0; number < graph.steps(); ++number) {
    const Step& s = graph.step(number);
    if (s.is_view || is_kept(graph, number)) continue;
    for (size_t i = 0; i < s.inputs.size(); ++i)
      if (s.op->writes(i)) add(s.inputs[i]);
    for (int v : s.outputs) add(v);
  }
  std::sort(schedule.written.begin(), schedule.written.end());
  schedule.written.erase(std::unique(schedule.written.begin(), schedule.written.end()),
                         schedule.written.end());
}

}  // namespace

std::unique_ptr<Schedule> make_schedule(const Program& program, std::vector<Buffer>& buffers,
                                        const PlanOptions& options) {
  auto schedule = std::make_unique<Schedule>();
  const Graph graph(program);
  if (options.fuse) keep_rounded_weights(graph, buffers);
  const bool fuse = options.fuse && program.device().is_cpu();
  const LayoutChoice choice = fuse ? choose_layout(graph) : LayoutChoice{};
  std::vector<Block*> blocks;  // of values that the stages keep alive
  if (choice.layout == Layout::lanes) {
    lanes::Planner planner(graph, choice.samples);
    schedule->stages = planner.plan();
    for (lanes::LaneValue& v : planner.table()->values)
      if (!v.local) blocks.push_back(&v.block);
  } else if (choice.layout == Layout::channels) {
    channels::Planner planner(graph, choice.samples);
    schedule->stages = planner.plan();
    for (channels::Image& image : planner.table()->images) blocks.push_back(&image.block);
  } else if (options.fuse && !program.device().is_cpu()) {
    cuda::GpuPlan plan = cuda::plan_for_gpu(graph);
    schedule->stages = std::move(plan.stages);
    blocks = std::move(plan.blocks);
  } else {
    schedule->stages = as_recorded(graph);
  }
  place(program, buffers, blocks, *schedule);
  schedule->workspace_bytes = largest_workspace(program, *schedule);
  schedule->memory =
      std::make_shared<Storage>(schedule->arena_bytes + schedule->workspace_bytes, program.device());
  bind(program, *schedule);
  find_written(graph, *schedule);
  if (!program.device().is_cpu()) {
    schedule->branches = plan_branches(graph, schedule->stages, blocks);
    schedule->graphs = std::make_unique<GraphReplay>(program, *schedule);
  }
  return schedule;
}

}  // namespace uncial::program
