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
  for (int v : sources_) origins_.push_back({graph.buffer(graph.value(v).buffer).storage.get(), ~uint64_t(0), {}});
}

bool Prepared::Origin::take_stale(const View& weights) {
  const bool same = storage->generation() == generation;
  generation = storage->generation();
  if (!storage->handed_out()) return !same;
  const auto* now = weights.as<const float>();
  const int64_t size = weights.size();
  if (same && std::equal(copy.begin(), copy.end(), now, now + size)) return false;
  copy.assign(now, now + size);
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
