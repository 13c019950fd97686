#include <algorithm>

#include "stage.h"
#include "uncial/core/shape.h"

namespace uncial::program {
namespace {

constexpr int64_t kLine = 64;
int64_t round_up(int64_t bytes) { return ceil_div(std::max<int64_t>(bytes, 1), kLine) * kLine; }

bool alive_together(const Block& a, const Block& b) {
  return a.first_stage <= b.last_stage && b.first_stage <= a.last_stage;
}

}  // namespace

/// Largest first, each at the lowest offset where nothing alive at the same time lies.
/// Source: "greedy by size" of Pisarchyk & Lee, "Efficient memory management for deep neural net inference",
/// 2020.
int64_t plan_arena(std::vector<Block*> blocks) {
  std::erase_if(blocks, [](const Block* b) { return !b->used(); });
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block* a, const Block* b) { return a->bytes > b->bytes; });
  const auto lower = [](const Block* a, const Block* b) { return a->offset < b->offset; };
  std::vector<Block*> placed;  // by offset
  int64_t total = 0;
  for (Block* b : blocks) {
    int64_t offset = 0;
    for (const Block* other : placed) {
      if (!alive_together(*b, *other)) continue;
      if (offset + round_up(b->bytes) <= other->offset) break;
      offset = std::max(offset, other->offset + round_up(other->bytes));
    }
    b->offset = offset;
    total = std::max(total, offset + round_up(b->bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), b, lower), b);
  }
  return total;
}

}  // namespace uncial::program
