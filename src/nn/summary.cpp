#include "uncial/nn/summary.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"

namespace uncial::nn {
namespace {

/// Adds up what operators cost, for each place in the network.
class CostRecorder : public Recorder {
 public:
  explicit CostRecorder(const Context& context) : context_(context) {}

  void on_op(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs) override {
    Specs in, out;
    for (const Tensor& x : inputs) in.push_back(x.spec());
    for (const Tensor& y : outputs) out.push_back(y.spec());
    const Cost cost = op->cost(in, out);
    Cost& sum = costs_[context_.path()];
    sum.flops += cost.flops;
    sum.bytes += cost.bytes;
  }
  void on_host_access(const Tensor&, std::string_view) override {}

  /// What came together at `path` since it was last taken.
  Cost take(const std::string& path) { return std::exchange(costs_[path], {}); }

 private:
  const Context& context_;
  std::unordered_map<std::string, Cost> costs_;
};

/// What a module has itself, apart from its children.
class OwnFields : public Fields {
 public:
  void parameter(std::string_view, Tensor& tensor, const Initializer&) override {
    parameters += tensor.size();
  }
  void buffer(std::string_view, Tensor&, double) override {}
  void child(std::string_view, Module&) override { has_children = true; }
  int64_t parameters = 0;
  bool has_children = false;
};

SummaryRow row_of(const std::string& path, const Module& module, const Tensor& output, const Cost& cost,
                  const OwnFields& own) {
  return {path,           std::string(module.kind()),   output.shape(),
          own.parameters, std::llround(cost.flops / 2), std::llround(cost.bytes)};
}

/// Text and numbers as columns: the first `left` ones start, the others end at the same place in each line.
std::string aligned(const std::vector<std::vector<std::string>>& lines, size_t left) {
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string gap(widths[i] - line[i].size(), ' ');
      text += (i > 0 ? "  " : "") + (i < left ? line[i] + gap : gap + line[i]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

Summary summary(const Module& module, const Shape& input) {
  const NoGrad no_grad;
  const Tensors parameters = module.parameters();
  const Tensor x =
      parameters.empty() ? zeros(input) : zeros(input, parameters[0].dtype(), parameters[0].device());

  Summary result;
  Context context(Mode::eval);
  CostRecorder recorder(context);
  context.set_observer([&](const std::string& path, const Module& m, const Tensor&, const Tensor& y) {
    OwnFields own;
    const_cast<Module&>(m).visit(own);  // OwnFields only reads
    const Cost cost = recorder.take(path);
    if (own.has_children && own.parameters == 0 && cost.bytes == 0) return;  // a mere container
    result.rows.push_back(row_of(path, m, y, cost, own));
    result.multiply_adds += result.rows.back().multiply_adds;
    result.bytes += result.rows.back().bytes;
  });
  const RecorderScope scope(&recorder);
  context.run("", module, x);
  result.parameters = module.parameter_count();
  return result;
}

std::string Summary::table() const {
  std::vector<std::vector<std::string>> lines{
      {"layer", "kind", "output", "parameters", "multiply-adds", "bytes"}};
  for (const SummaryRow& row : rows)
    lines.push_back({row.path, row.kind, join(row.output), join(row.parameters), join(row.multiply_adds),
                     join(row.bytes)});
  lines.push_back({"total", "", "", join(parameters), join(multiply_adds), join(bytes)});
  return aligned(lines, 3);
}

}  // namespace uncial::nn
