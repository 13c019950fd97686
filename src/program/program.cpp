#include "uncial/program/program.h"

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "uncial/core/parallel.h"

namespace uncial::program {
namespace {

constexpr int64_t kLine = 64;
int64_t round_up(int64_t bytes) { return ceil_div(std::max<int64_t>(bytes, 1), kLine) * kLine; }

bool overlap_in_time(const Buffer& a, const Buffer& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

Program::Program(std::vector<Buffer> buffers, std::vector<Value> values, std::vector<Step> steps,
                 std::vector<int> inputs, std::vector<int> outputs)
    : buffers_(std::move(buffers)),
      values_(std::move(values)),
      steps_(std::move(steps)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)) {
  plan_memory();
  bind();
}

int64_t Program::unplanned_bytes() const {
  int64_t bytes = 0;
  for (const Buffer& b : buffers_)
    if (b.role == Role::temporary) bytes += round_up(b.bytes);
  return bytes;
}

/// Largest first, each at the lowest offset where nothing alive at the same time lies.
/// Source: "greedy by size" of Pisarchyk & Lee, "Efficient memory management for deep neural net inference",
/// 2020.
void Program::plan_memory() {
  std::vector<Buffer*> order;
  for (Buffer& b : buffers_)
    if (b.role == Role::temporary) order.push_back(&b);
  std::stable_sort(order.begin(), order.end(),
                   [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<Buffer*> placed;  // by offset
  for (Buffer* b : order) {
    int64_t offset = 0;
    for (const Buffer* other : placed) {
      if (!overlap_in_time(*b, *other)) continue;
      if (offset + round_up(b->bytes) <= other->arena_offset) break;
      offset = std::max(offset, other->arena_offset + round_up(other->bytes));
    }
    b->arena_offset = offset;
    arena_bytes_ = std::max(arena_bytes_, offset + round_up(b->bytes));
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), b,
                         [](const Buffer* x, const Buffer* y) { return x->arena_offset < y->arena_offset; }),
        b);
  }
}

View Program::view_of(const Value& value, void* base) const {
  return {base ? static_cast<std::byte*>(base) + value.offset * size_of(value.dtype) : nullptr, value.dtype,
          Device::cpu(), value.shape, value.strides};
}

void Program::bind() {
  for (const Step& s : steps_) {
    if (s.is_view) continue;
    Specs specs;
    for (int v : s.inputs) specs.push_back(values_[size_t(v)].spec());
    workspace_bytes_ = std::max(workspace_bytes_, s.op->workspace_bytes(specs));
  }
  arena_ = std::make_shared<Storage>(arena_bytes_ + workspace_bytes_, Device::cpu());
  for (const Step& s : steps_) {
    if (s.is_view) continue;
    BoundStep bound{s.op.get(), {}, {}};
    const auto add = [&](int v, std::vector<View>& views, bool output) {
      const Value& value = values_[size_t(v)];
      const Buffer& b = buffers_[size_t(value.buffer)];
      void* base = nullptr;
      if (b.role == Role::input)
        input_slots_.push_back(
            {b.input, bound_.size(), views.size(), value.offset * size_of(value.dtype), output});
      else if (b.role == Role::temporary)
        base = static_cast<std::byte*>(arena_->data()) + b.arena_offset;
      else
        base = b.storage->data();
      views.push_back(view_of(value, base));
      return b.role == Role::input ? nullptr : b.storage.get();
    };
    for (size_t i = 0; i < s.inputs.size(); ++i)
      if (Storage* storage = add(s.inputs[i], bound.in, false); storage && s.op->writes(i))
        written_.push_back(storage);
    for (int v : s.outputs)
      if (Storage* storage = add(v, bound.out, true)) written_.push_back(storage);
    bound_.push_back(std::move(bound));
  }
  std::sort(written_.begin(), written_.end());
  written_.erase(std::unique(written_.begin(), written_.end()), written_.end());
}

void Program::replay(std::span<const Tensor> inputs) {
  ensure(inputs.size() == inputs_.size(), "replay of ", inputs_.size(), " inputs with ", inputs.size());
  for (const InputSlot& slot : input_slots_) {
    const Tensor& x = inputs[size_t(slot.input)];
    auto& views = slot.output ? bound_[slot.step].out : bound_[slot.step].in;
    views[slot.index].data = static_cast<std::byte*>(x.view().data) + slot.byte_offset;
  }
  const FlushDenormals flush;
  void* workspace = static_cast<std::byte*>(arena_->data()) + arena_bytes_;
  for (Storage* storage : written_)
    storage->bump_version();  // first: a step that throws has written something
  for (const BoundStep& s : bound_) s.op->run({s.in, s.out, workspace});
}

Cost Program::cost() const {
  Cost total;
  for (const Step& s : steps_) {
    Specs in, out;
    for (int v : s.inputs) in.push_back(values_[size_t(v)].spec());
    for (int v : s.outputs) out.push_back(values_[size_t(v)].spec());
    const Cost c = s.op->cost(in, out);
    total.flops += c.flops;
    total.bytes += c.bytes;
  }
  return total;
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
  text << "arena " << arena_bytes_ << " bytes (" << unplanned_bytes() << " without sharing)\n";
  return std::move(text).str();
}

}  // namespace uncial::program
