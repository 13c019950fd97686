#include "dense_stages.h"

#include <algorithm>

#include "find_dense.h"
#include "tile_product.h"

namespace uncial::program::cuda {
namespace {

using uncial::cuda::TileFactor;
using uncial::cuda::TileProduct;

float* memory_of(const Runtime& runtime, int value) {
  return value < 0 ? nullptr : static_cast<float*>(runtime.views[size_t(value)].data);
}
TileFactor factor_of(const Runtime& runtime, const DenseFactor& f) {
  return {memory_of(runtime, f.source) + f.offset, f.step, f.k_step};
}

class DenseStage final : public Stage {
 public:
  explicit DenseStage(std::vector<DenseProduct> products) : products_(std::move(products)) {
    std::set<int> steps;
    for (const DenseProduct& p : products_) {
      steps.insert(p.steps.begin(), p.steps.end());
      for (int v : {p.a.source, p.b.source, p.c, p.bias, p.a_sums})
        if (v >= 0) values_.push_back(v);
    }
    steps_.assign(steps.begin(), steps.end());
  }
  std::string name() const override { return "tile_product"; }
  void run(const Runtime& runtime) override {
    std::vector<TileProduct> ready;
    for (const DenseProduct& p : products_) {
      ready.push_back({p.M, p.N, p.K, factor_of(runtime, p.a), factor_of(runtime, p.b),
                       memory_of(runtime, p.c), memory_of(runtime, p.bias), p.relu, false,
                       memory_of(runtime, p.a_sums), p.precision});
      if (int(ready.size()) < uncial::cuda::kMaxTileProducts && &p != &products_.back()) continue;
      uncial::cuda::run(ready.data(), int(ready.size()));
      ready.clear();
    }
  }

 private:
  std::vector<DenseProduct> products_;
};

}  // namespace

std::map<int, std::unique_ptr<Stage>> dense_stages(const Graph& graph, const std::vector<int>& runs_at,
                                                   std::vector<bool>& taken) {
  std::vector<DenseProduct> products = find_dense(graph, runs_at, taken);
  for (const DenseProduct& p : products)
    for (int s : p.steps) taken[size_t(s)] = true;
  std::map<int, std::unique_ptr<Stage>> stages;
  // As few launches as there can be: what is due next, with all that was recorded before.
  while (!products.empty()) {
    const int due = std::min_element(products.begin(), products.end(), [](const auto& p, const auto& q) {
                      return p.deadline < q.deadline;
                    })->deadline;
    const auto later = std::stable_partition(products.begin(), products.end(),
                                             [&](const DenseProduct& p) { return p.step < due; });
    stages[due] = std::make_unique<DenseStage>(std::vector(products.begin(), later));
    products.erase(products.begin(), later);
  }
  return stages;
}

}  // namespace uncial::program::cuda
