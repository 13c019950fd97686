#include "joined_stage.h"

#include <algorithm>
#include <set>

#include "step_stage.h"

namespace uncial::program {
namespace {

class JoinedStage final : public Stage {
 public:
  JoinedStage(const Graph& graph, const std::vector<int>& steps) : op_(graph.step(steps[0]).op) {
    for (int s : steps) {
      steps_.push_back(s);
      calls_.emplace_back(graph, s);
      values_.insert(values_.end(), calls_.back().values().begin(), calls_.back().values().end());
    }
  }
  std::string name() const override { return join(op_->name(), " x ", calls_.size()); }
  void run(const Runtime& runtime) override {
    std::vector<Call> calls;
    for (StepStage& call : calls_) calls.push_back(call.call(runtime));
    op_->run_all(calls);
  }

 private:
  std::shared_ptr<const Op> op_;
  std::vector<StepStage> calls_;
};

/// Steps that may run at once.
class Row {
 public:
  explicit Row(const Graph& graph) : graph_(graph) {}

  bool takes(int s) const {
    if (steps_.empty()) return true;
    const Op &last = *graph_.step(steps_.back()).op, &next = *graph_.step(s).op;
    if (!last.joins(next)) return false;
    const Touched now = touched(s);
    const auto meets = [](const std::set<int>& a, const std::set<int>& b) {
      return std::any_of(a.begin(), a.end(), [&](int buffer) { return b.count(buffer) > 0; });
    };
    return !meets(now.all, all_.written) && !meets(now.written, all_.all);
  }
  void add(int s) {
    steps_.push_back(s);
    const Touched now = touched(s);
    all_.all.insert(now.all.begin(), now.all.end());
    all_.written.insert(now.written.begin(), now.written.end());
  }
  const std::vector<int>& steps() const { return steps_; }
  void clear() { steps_.clear(), all_ = {}; }

 private:
  struct Touched {
    std::set<int> all, written;  // buffers
  };
  Touched touched(int s) const {
    Touched t;
    const Step& step = graph_.step(s);
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      t.all.insert(graph_.in_buffer(s, i));
      if (step.op->writes(i)) t.written.insert(graph_.in_buffer(s, i));
    }
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      t.all.insert(graph_.out_buffer(s, i));
      t.written.insert(graph_.out_buffer(s, i));
    }
    return t;
  }

  const Graph& graph_;
  std::vector<int> steps_;
  Touched all_;
};

/// Worth a launch of its own: some 5 us of memory traffic on a large GPU, beside what else is under way.
constexpr double kBytesApart = 1 << 24;

/// A row in one piece, or in two: what could begin before the last of the stages that the row waits for is
/// done, if that is a lot. `made_by` is the stage of each step.
std::vector<std::vector<int>> pieces_of(const Graph& graph, const std::vector<int>& row,
                                        const std::vector<int>& made_by) {
  std::vector<int> ready;  // the last stage that each step waits for
  for (const int s : row) {
    ready.push_back(-1);
    for (size_t i = 0; i < graph.step(s).inputs.size(); ++i)
      if (const int writer = graph.writer(graph.in_buffer(s, i)); writer >= 0)
        ready.back() = std::max(ready.back(), made_by[size_t(writer)]);
  }
  const int last = *std::max_element(ready.begin(), ready.end());
  std::vector<int> early, late;
  double bytes = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    if (ready[i] < last) bytes += graph.program().cost(graph.step(row[i])).bytes;
    (ready[i] < last ? early : late).push_back(row[i]);
  }
  if (bytes < kBytesApart) return {row};
  return {early, late};
}

}  // namespace

std::vector<std::unique_ptr<Stage>> join_stages(const Graph& graph,
                                                std::vector<std::unique_ptr<Stage>> stages) {
  std::vector<std::unique_ptr<Stage>> joined;
  std::vector<std::unique_ptr<Stage>> waiting;  // those of the row
  std::vector<int> made_by(size_t(graph.steps()), -1);
  const auto add = [&](std::unique_ptr<Stage> stage) {
    for (const int s : stage->steps()) made_by[size_t(s)] = int(joined.size());
    joined.push_back(std::move(stage));
  };
  Row row(graph);
  const auto finish = [&] {
    if (waiting.size() > 1)
      for (const std::vector<int>& piece : pieces_of(graph, row.steps(), made_by))
        add(std::make_unique<JoinedStage>(graph, piece));
    else if (waiting.size() == 1)
      add(std::move(waiting[0]));
    waiting.clear();
    row.clear();
  };
  for (auto& stage : stages) {
    if (!dynamic_cast<const StepStage*>(stage.get())) {
      finish();
      add(std::move(stage));
      continue;
    }
    const int s = stage->steps()[0];
    if (!row.takes(s)) finish();
    row.add(s);
    waiting.push_back(std::move(stage));
  }
  finish();
  return joined;
}

}  // namespace uncial::program
