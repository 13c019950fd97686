#include "uncial/program/program.h"

#include <iomanip>
#include <sstream>

#include "schedule.h"
#include "uncial/core/cuda.h"
#include "uncial/core/parallel.h"

namespace uncial::program {

Program::Program(std::vector<Buffer> buffers, std::vector<Value> values, std::vector<Step> steps,
                 std::vector<int> inputs, std::vector<int> outputs, const PlanOptions& options)
    : buffers_(std::move(buffers)),
      values_(std::move(values)),
      steps_(std::move(steps)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)) {
  schedule_ = make_schedule(*this, buffers_, options);
}
Program::~Program() = default;

int64_t Program::arena_bytes() const { return schedule_->arena_bytes; }

int64_t Program::unplanned_bytes() const {
  int64_t bytes = 0;
  for (const Buffer& b : buffers_)
    if (b.role == Role::temporary) bytes += b.bytes;
  return bytes;
}

void Program::replay(std::span<const Tensor> inputs, int64_t times) {
  ensure(inputs.size() == inputs_.size(), "replay of ", inputs_.size(), " inputs with ", inputs.size());
  Schedule& s = *schedule_;
  s.bind_inputs(inputs);
  const FlushDenormals flush;
  for (Storage* storage : s.written)
    storage->bump_version();  // first: a step that throws has written something
  s.runtime.probe = current_probe();
  if (s.graphs && !s.runtime.probe) return s.graphs->run(inputs, times);
  for (; times > 0; --times)
    if (s.runtime.probe)
      replay_probed();
    else
      for (const auto& stage : s.stages) stage->run(s.runtime);
}

void Program::replay_probed() {
  Schedule& s = *schedule_;
  std::vector<Piece> pieces;
  for (const auto& stage : s.stages)
    for (Piece& piece : stage->pieces()) pieces.push_back(std::move(piece));
  s.runtime.probe->begin(*this, pieces);
  const auto start = Probe::Clock::now();
  for (const auto& stage : s.stages) {
    const Probed probed(s.runtime.probe, stage.get());
    stage->run(s.runtime);
    if (!device().is_cpu()) uncial::cuda::synchronize(device());
  }
  s.runtime.probe->end(start);
}

Cost Program::cost() const {
  Cost total;
  for (const Step& s : steps_) {
    const Cost c = cost(s);
    total.flops += c.flops;
    total.bytes += c.bytes;
  }
  return total;
}

Cost Program::cost(const Step& step) const {
  Specs in, out;
  for (int v : step.inputs) in.push_back(values_[size_t(v)].spec());
  for (int v : step.outputs) out.push_back(values_[size_t(v)].spec());
  return step.op->cost(in, out);
}

std::vector<std::string> Program::stages() const {
  std::vector<std::string> names;
  for (const auto& stage : schedule_->stages) names.push_back(stage->name());
  return names;
}

std::string Program::describe() const {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& s = steps_[i];
    text << std::setw(4) << i << "  " << std::left << std::setw(26) << s.op->name() << std::right;
    for (int v : s.inputs) text << ' ' << values_[size_t(v)].shape;
    text << " ->";
    for (int v : s.outputs) text << ' ' << values_[size_t(v)].shape;
    text << (s.is_view ? "  (view)\n" : "\n");
  }
  for (size_t i = 0; i < schedule_->stages.size(); ++i) {
    const bool aside = !schedule_->branches.stages.empty() && schedule_->branches.stages[i].branch > 0;
    text << (aside ? "aside " : "runs  ") << schedule_->stages[i]->name() << "\n";
  }
  text << "arena " << arena_bytes() << " bytes (" << unplanned_bytes() << " without sharing)\n";
  return std::move(text).str();
}

}  // namespace uncial::program
