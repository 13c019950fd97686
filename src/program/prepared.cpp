#include "prepared.h"

#include <algorithm>

#include "cut.h"
#include "probe.h"
#include "uncial/core/parallel.h"

namespace uncial::program {

void Prepared::bind(const Graph& graph, std::vector<int> sources, bool fixed) {
  sources_ = std::move(sources);
  storage_ = std::make_shared<Storage>(floats() * int64_t(sizeof(float)), Device::cpu());
  if (!fixed) return;
  for (int v : sources_) origins_.emplace_back(*graph.buffer(graph.value(v).buffer).storage);
}

bool Origin::take_stale(const View& now) {
  const bool same = storage_->generation() == generation_;
  generation_ = storage_->generation();
  if (!storage_->handed_out()) return !same;
  const auto* values = now.as<const float>();
  const int64_t size = now.size();
  if (same && std::equal(copy_.begin(), copy_.end(), values, values + size)) return false;
  copy_.assign(values, values + size);
  return true;
}

bool Prepared::take_stale(const Runtime& runtime) {
  bool stale = origins_.empty();
  for (size_t i = 0; i < origins_.size(); ++i)
    stale = origins_[i].take_stale(runtime.views[size_t(sources_[i])]) || stale;
  return stale;
}

void update(const std::vector<std::shared_ptr<Prepared>>& all, const Runtime& runtime) {
  std::vector<Prepared*> stale;
  Cut cut;
  for (const auto& p : all) {
    if (!p->take_stale(runtime)) continue;
    stale.push_back(p.get());
    cut.add(p->tasks());
  }
  parallel_for(cut.total(), [&](int64_t number) {
    const auto [job, task] = cut.find(number);
    const Probed probed(runtime.probe, stale[job]);
    stale[job]->make(runtime, task);
  });
}

}  // namespace uncial::program
