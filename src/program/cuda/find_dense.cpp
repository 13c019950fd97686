#include "find_dense.h"

#include <algorithm>

#include "queries.h"

namespace uncial::program::cuda {
namespace {

constexpr int64_t kMostExtent = int64_t(1) << 30;

/// Large products are cuBLAS's on factors of 11 bits, and what goes with them steps of their own: 465 us for
/// 4096 cubed, which took 860 by tiles (H100, 2026-11-27). Where the two meet was not measured.
bool is_large(int64_t M, int64_t N, int64_t K) {
  return std::min({M, N, K}) >= 1024 && M * N >= (int64_t(1) << 33) / K;
}

class Finder : GpuQueries {
 public:
  Finder(const Graph& graph, const std::vector<int>& runs_at, const std::vector<bool>& taken)
      : GpuQueries(graph), runs_at_(runs_at), taken_(taken) {}

  std::vector<DenseProduct> find() {
    for (int s = 0; s < g_.steps(); ++s)
      if (!taken_[size_t(s)] && multiplies_rounded(s)) products_.push_back(product_of(s));
    for (DenseProduct& p : products_) add_sums(p);
    for (const DenseProduct& p : products_) ours_.insert(p.steps.begin(), p.steps.end());
    for (DenseProduct& p : products_)
      for (DenseFactor* f : {&p.a, &p.b}) skip_rounding(p, *f);
    for (DenseProduct& p : products_) p.deadline = deadline_of(p);
    return std::move(products_);
  }

 private:
  bool free(int s) const { return s >= 0 && !taken_[size_t(s)]; }
  /// What a value was rounded to; float32 when it was not.
  Precision rounded_to(int v) const {
    const int s = g_.writer(g_.value(v).buffer);
    return s >= 0 ? g_.rounds_to(s) : Precision::float32;
  }
  bool multiplies_rounded(int s) const {
    if (!g_.is(s, "linear") && !g_.is(s, "matmul")) return false;
    const Value &a = g_.value(g_.in(s, 0)), &b = g_.value(g_.in(s, 1)), &c = g_.value(g_.out(s));
    if (c.shape.rank() != 2 || a.shape.rank() != 2 || b.shape.rank() != 2 || !plain(g_.out(s))) return false;
    for (int64_t extent : {c.shape[0], c.shape[1], a.shape[1]})
      if (extent < 1 || extent > kMostExtent) return false;
    if (is_large(c.shape[0], c.shape[1], a.shape[1])) return false;
    const Precision precision = rounded_to(g_.in(s, 0));
    return rounds_factors(precision) && precision == rounded_to(g_.in(s, 1));
  }

  DenseProduct product_of(int s) const {
    const Value &a = g_.value(g_.in(s, 0)), &b = g_.value(g_.in(s, 1)), &c = g_.value(g_.out(s));
    const int n = g_.is(s, "linear") ? 0 : 1;  // the axis of b
    DenseProduct p{.step = s, .M = c.shape[0], .N = c.shape[1], .K = a.shape[1]};
    p.a = {g_.in(s, 0), 0, a.strides[0], a.strides[1]};
    p.b = {g_.in(s, 1), 0, b.strides[n], b.strides[1 - n]};
    p.c = g_.out(s);
    p.precision = rounded_to(g_.in(s, 0));
    p.steps = {s};
    if (g_.is(s, "linear")) p.bias = g_.in(s, 2);
    if (const int relu = g_.only_relu(p.c); free(relu)) {
      p.relu = true;
      p.c = g_.out(relu);
      p.steps.insert(relu);
    }
    p.c = copied_to(p, p.c);
    return p;
  }
  /// A copy that alone reads a result is left out, when nothing has to do with its target before.
  int copied_to(DenseProduct& p, int v) const {
    const int copy = only_reader(g_.value(v).buffer);
    if (!free(copy) || !g_.is(copy, "copy") || !g_.whole(v)) return v;
    const int target = g_.out(copy), b = g_.value(target).buffer;
    const Value& from = g_.value(g_.in(copy, 0));
    if (!g_.whole(target) || !plain(target) || !is_row_major(from.shape, from.strides) ||
        count(from.shape) != count(g_.value(v).shape) || g_.writer(b) != copy)
      return v;
    const auto& readers = g_.readers(b);
    if (!std::all_of(readers.begin(), readers.end(), [&](int s) { return s > copy; })) return v;
    p.steps.insert(copy);
    return target;
  }

  /// The gradient of a bias: the sum of the factor a over k.
  void add_sums(DenseProduct& p) {
    const Value& a = g_.value(p.a.source);
    for (int s : g_.readers(a.buffer)) {
      if (!free(s) || !g_.is(s, "sum") || sums_.count(s)) continue;
      const Value& x = g_.value(g_.in(s, 0));
      if (!plain(g_.in(s, 0)) || x.offset != a.offset || x.shape != Shape{p.K, p.M} || p.a.step != 1 ||
          p.a.k_step != p.M || attribute<int64_t>(*g_.step(s).op, "first_axis") != 0 ||
          attribute<int64_t>(*g_.step(s).op, "last_axis") != 1 || !g_.whole(g_.out(s)))
        continue;
      sums_.insert(s);
      p.steps.insert(s);
      p.a_sums = copied_to(p, g_.out(s));
      return;
    }
  }

  /// Reads what a rounding reads, when the rounding has no other readers than products.
  void skip_rounding(DenseProduct& p, DenseFactor& f) {
    const Value& x = g_.value(f.source);
    const int rounding = g_.writer(x.buffer);
    if (!removable(rounding)) return;
    f = {g_.in(rounding, 0), x.offset, f.step, f.k_step};
    p.steps.insert(rounding);
  }
  bool removable(int rounding) const {
    const int from = g_.in(rounding, 0), b = g_.out_buffer(rounding);
    if (!free(rounding) || !g_.temporary(b) || !g_.whole(g_.out(rounding)) || !plain(from)) return false;
    const auto& readers = g_.readers(b);
    const int change = first_change(rounding, g_.value(from).buffer);
    return std::all_of(readers.begin(), readers.end(),
                       [&](int s) { return ours_.count(s) && runs_before(s, change); });
  }
  /// Whether the product that step s is a part of was recorded before another step.
  bool runs_before(int s, int other) const {
    return std::all_of(products_.begin(), products_.end(),
                       [&](const DenseProduct& p) { return !p.steps.count(s) || p.step < other; });
  }
  /// The first step from `begin` on that changes a buffer in place.
  int first_change(int begin, int buffer) const {
    for (int s = begin; s < g_.steps(); ++s)
      if (changes_between(s, s + 1, buffer)) return s;
    return g_.steps();
  }

  int deadline_of(const DenseProduct& p) const {
    int deadline = g_.steps();
    for (int v : {p.c, p.a_sums}) {
      if (v < 0) continue;
      for (int s : g_.readers(g_.value(v).buffer)) {
        deadline = std::min(deadline, runs_at_[size_t(s)]);
      }
    }
    for (int v : {p.a.source, p.b.source, p.bias})
      if (v >= 0) deadline = std::min(deadline, first_change(p.step, g_.value(v).buffer));
    return std::max(deadline, p.step + 1);
  }

  const std::vector<int>& runs_at_;
  const std::vector<bool>& taken_;
  std::vector<DenseProduct> products_;
  std::set<int> sums_, ours_;
};

}  // namespace

std::vector<DenseProduct> find_dense(const Graph& graph, const std::vector<int>& runs_at,
                                     const std::vector<bool>& taken) {
  return Finder(graph, runs_at, taken).find();
}

}  // namespace uncial::program::cuda
