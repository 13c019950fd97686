#include "prepared.h"

#include "cut.h"
#include "uncial/core/parallel.h"

namespace uncial::program {

void Prepared::bind(const Graph& graph, std::vector<int> sources, bool fixed) {
  sources_ = std::move(sources);
  storage_ = std::make_shared<Storage>(floats() * int64_t(sizeof(float)), Device::cpu());
  if (!fixed) return;
  for (int v : sources_)
    origins_.push_back({graph.buffer(graph.value(v).buffer).storage.get(), ~uint64_t(0)});
}

bool Prepared::take_stale() {
  bool stale = origins_.empty();
  for (Origin& origin : origins_) {
    stale = stale || origin.version != origin.storage->version();
    origin.version = origin.storage->version();
  }
  return stale;
}

void update(const std::vector<std::shared_ptr<Prepared>>& all, const Runtime& runtime) {
  std::vector<Prepared*> stale;
  Cut cut;
  for (const auto& p : all) {
    if (!p->take_stale()) continue;
    stale.push_back(p.get());
    cut.add(p->tasks());
  }
  parallel_for(cut.total(), [&](int64_t number) {
    const auto [job, task] = cut.find(number);
    stale[job]->make(runtime, task);
  });
}

}  // namespace uncial::program
