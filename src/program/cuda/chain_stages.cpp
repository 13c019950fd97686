#include "chain_stages.h"

#include <algorithm>

#include "program/kept_step.h"
#include "program/prepared.h"
#include "uncial/kernels/dropout.h"

namespace uncial::program::cuda {
namespace {

using namespace uncial::cuda;

template <class T>
T* in_arena(const Runtime& runtime, const Block& block) {
  return reinterpret_cast<T*>(runtime.arena + block.offset);
}
template <class T>
T* memory_of(const Runtime& runtime, int value) {
  return value < 0 ? nullptr : static_cast<T*>(runtime.views[size_t(value)].data);
}

class ChainStage : public Stage {
 public:
  ChainStage(std::shared_ptr<PlannedChain> chain, const std::set<int>& steps) : chain_(std::move(chain)) {
    steps_.assign(steps.begin(), steps.end());
  }

 protected:
  PackJob pack(const Runtime& runtime, size_t i, bool transposed) const {
    const ConvExtents& e = chain_->found.links[i].spec.e;
    const ConvProduct& p = transposed ? chain_->backward.layer[i].product : chain_->forward.layer[i].product;
    const PlannedChain::Memory& memory = chain_->memory[i];
    return {memory_of<float>(runtime, chain_->found.links[i].weights),
            transposed ? in_arena<uint32_t>(runtime, memory.packed_transposed) : packed(runtime, i),
            int(e.K),
            int(e.C),
            int(e.R),
            int(e.S),
            p.filter_tiles,
            p.taps.units,
            i == 0 && chain_->forward.first.gathered,
            transposed,
            chain_->found.precision};
  }
  uint32_t* packed(const Runtime& runtime, size_t i) const {
    if (!chain_->kept_weights.empty()) return static_cast<uint32_t*>(chain_->kept_weights[i]->data());
    return in_arena<uint32_t>(runtime, chain_->memory[i].packed);
  }
  size_t links() const { return chain_->found.links.size(); }

  std::shared_ptr<PlannedChain> chain_;
};

class WeightsStage final : public ChainStage {
 public:
  WeightsStage(const Graph& graph, std::shared_ptr<PlannedChain> chain) : ChainStage(std::move(chain), {}) {
    for (const ChainLink& link : chain_->found.links) {
      values_.push_back(link.weights);
      origins_.emplace_back(*graph.buffer(graph.value(link.weights).buffer).storage);
    }
  }
  std::string name() const override { return "conv_chain's weights (kept)"; }
  bool asks_the_host() const override { return true; }
  void run(const Runtime& runtime) override {
    std::vector<PackJob> stale;
    for (size_t i = 0; i < links(); ++i)
      if (origins_[i].take_stale(runtime.views[size_t(values_[i])])) stale.push_back(pack(runtime, i, false));
    if (!stale.empty()) uncial::cuda::run(stale.data(), int(stale.size()));
  }

 private:
  std::vector<Origin> origins_;
};

class ForwardStage final : public ChainStage {
 public:
  ForwardStage(const Graph& graph, std::shared_ptr<PlannedChain> chain)
      : ChainStage(std::move(chain), chain->found.forward) {
    const FoundChain& found = chain_->found;
    values_ = {found.x, found.y};
    for (const ChainLink& link : found.links) {
      values_.push_back(link.weights);
      if (link.bias >= 0) values_.push_back(link.bias);
    }
    if (found.dropout < 0) return;
    state_ = graph.in(found.dropout, 1), samples_ = graph.in(found.dropout, 2);
    values_.insert(values_.end(), {state_, samples_});
    const double p = attribute<double>(*graph.step(found.dropout).op, "p");
    chain_->forward.dropout = {nullptr, nullptr, dropout_threshold(p), float(1 / (1 - p))};
    chain_->backward.scale = chain_->forward.dropout.scale;
  }
  std::string name() const override {
    return chain_->found.dropout >= 0 ? "conv_chain+dropout" : "conv_chain";
  }
  void run(const Runtime& runtime) override {
    ForwardChain chain = chain_->forward;
    const FoundChain& found = chain_->found;
    std::vector<PackJob> jobs;
    for (size_t i = 0; i < links(); ++i) {
      if (chain_->kept_weights.empty()) jobs.push_back(pack(runtime, i, false));
      if (chain_->trains() && i > 0) jobs.push_back(pack(runtime, i, true));
      ForwardLayer& l = chain.layer[i];
      const PlannedChain::Memory& memory = chain_->memory[i];
      l.product.weights = packed(runtime, i);
      l.bias = memory_of<float>(runtime, found.links[i].bias);
      if (!chain_->trains()) continue;
      l.codes = in_arena<uint8_t>(runtime, memory.codes);
      if (i + 1 < links()) l.kept = in_arena<uint16_t>(runtime, memory.kept);
    }
    chain.x = memory_of<float>(runtime, found.x);
    chain.y = memory_of<float>(runtime, found.y);
    chain.dropout.state = memory_of<int64_t>(runtime, state_);
    chain.dropout.samples = memory_of<int64_t>(runtime, samples_);
    if (!jobs.empty()) uncial::cuda::run(jobs.data(), int(jobs.size()));
    uncial::cuda::run(chain);
  }

 private:
  int state_ = -1, samples_ = -1;
};

class BackwardStage final : public ChainStage {
 public:
  explicit BackwardStage(std::shared_ptr<PlannedChain> chain)
      : ChainStage(std::move(chain), chain->found.backward) {
    const FoundChain& found = chain_->found;
    values_ = {found.x, found.dy};
    for (const ChainLink& link : found.links) {
      values_.push_back(link.weight_gradient);
      if (link.bias_gradient >= 0) values_.push_back(link.bias_gradient);
    }
  }
  std::string name() const override { return "conv_chain_backward"; }
  void run(const Runtime& runtime) override {
    BackwardChain chain = chain_->backward;
    const FoundChain& found = chain_->found;
    std::vector<GatherJob> jobs;
    for (size_t i = 0; i < links(); ++i) {
      BackwardLayer& l = chain.layer[i];
      const PlannedChain::Memory& memory = chain_->memory[i];
      l.partial = in_arena<float>(runtime, memory.partial);
      if (i > 0) {
        const PlannedChain::Memory& before = chain_->memory[i - 1];
        l.product.weights = in_arena<uint32_t>(runtime, memory.packed_transposed);
        l.kept = in_arena<uint16_t>(runtime, before.kept);
        if (found.links[i - 1].spec.pool) l.codes = in_arena<uint8_t>(runtime, before.codes);
      }
      const ConvExtents& e = found.links[i].spec.e;
      jobs.push_back({l.partial, chain.blocks, l.filters, l.padded_filters(), int(e.C), int(e.R), int(e.S),
                      l.taps.units, i == 0 && chain.first.gathered,
                      memory_of<float>(runtime, found.links[i].weight_gradient),
                      memory_of<float>(runtime, found.links[i].bias_gradient)});
    }
    chain.x = memory_of<float>(runtime, found.x);
    chain.dy = memory_of<float>(runtime, found.dy);
    chain.codes = in_arena<uint8_t>(runtime, chain_->memory.back().codes);
    uncial::cuda::run(chain);
    uncial::cuda::run(jobs.data(), int(jobs.size()));
  }
};

}  // namespace

std::shared_ptr<PlannedChain> plan_chain(const Graph& graph, const FoundChain& found,
                                         const GpuLimits& limits) {
  std::vector<ConvSpec> specs;
  for (const ChainLink& link : found.links) specs.push_back(link.spec);
  const auto forward = plan_forward(specs, limits);
  const auto backward = found.dy >= 0 ? plan_backward(specs, limits) : BackwardChain{};
  if (!forward || !backward) return nullptr;
  auto chain = std::make_shared<PlannedChain>();
  chain->found = found;
  chain->forward = *forward, chain->backward = *backward;
  chain->forward.round_y = found.round_y;
  chain->forward.precision = chain->backward.precision = found.precision;
  chain->backward.scale = 1;
  const bool keeps_weights =
      !chain->trains() && std::all_of(found.links.begin(), found.links.end(), [&](const ChainLink& link) {
        return is_kept(graph, graph.writer(graph.in_buffer(link.conv, 1)));
      });
  for (size_t i = 0; i < specs.size(); ++i) {
    PlannedChain::Memory& memory = chain->memory.emplace_back();
    const ForwardLayer& f = forward->layer[i];
    const int64_t packed_bytes = 4 * int64_t(f.product.packed_words());
    if (keeps_weights)
      chain->kept_weights.push_back(std::make_shared<Storage>(packed_bytes, graph.program().device()));
    else
      memory.packed.bytes = packed_bytes;
    if (!chain->trains()) continue;
    const bool last = i + 1 == specs.size();
    const int64_t places = forward->N * f.out_height * f.out_width * (last ? f.filters : f.y.channels);
    memory.codes.bytes = places;
    memory.kept.bytes = last ? 0 : 2 * places;
    memory.packed_transposed.bytes = i > 0 ? 4 * int64_t(backward->layer[i].product.packed_words()) : 0;
    memory.partial.bytes = 4 * partial_floats(backward->layer[i], backward->blocks);
  }
  return chain;
}

std::unique_ptr<Stage> weights_stage(const Graph& graph, std::shared_ptr<PlannedChain> chain) {
  if (chain->kept_weights.empty()) return nullptr;
  return std::make_unique<WeightsStage>(graph, std::move(chain));
}
std::unique_ptr<Stage> forward_stage(const Graph& graph, std::shared_ptr<PlannedChain> chain) {
  return std::make_unique<ForwardStage>(graph, std::move(chain));
}
std::unique_ptr<Stage> backward_stage(const Graph&, std::shared_ptr<PlannedChain> chain) {
  return std::make_unique<BackwardStage>(std::move(chain));
}

}  // namespace uncial::program::cuda
