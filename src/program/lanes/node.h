#pragma once
/// @file node.h
/// What a segment is made of. Internal.

#include <memory>
#include <string>
#include <vector>

#include "program/prepared.h"
#include "value.h"

namespace uncial::program::lanes {

/// One computation on a group; nodes of a segment run one after the other on each group, while its values are
/// in the cache. Members are value numbers: `*_lanes` of the lane table, `*_rows` of the program.
class Node {
 public:
  virtual ~Node() = default;
  virtual std::string name() const = 0;
  /// Once before the groups, on one thread: checks of operands, tables.
  virtual void begin(const LaneTable&, const Runtime&) {}
  virtual void run(const GroupRun& g) const = 0;
  virtual int64_t workspace_floats(const LaneTable&) const { return 0; }

  std::vector<int> lanes;  ///< lane values that it touches
  std::vector<int> makes;  ///< those of them that it writes
  std::vector<int> rows;   ///< row-major values that it touches
  std::vector<int> steps;  ///< recorded steps that it stands for
};

/// A node that also sums over the batch. Sums go to slots, which are added in a fixed order when all groups
/// are done; which group goes to which slot depends on the batch alone, so results have the same bits for any
/// number of threads.
class ReducingNode : public Node {
 public:
  /// Floats of one slot.
  virtual int64_t slot_floats(const LaneTable& table) const = 0;
  /// True when each group writes a slot of its own, and finish() looks at all of them; otherwise groups add
  /// to few slots, which arrive in finish() as their sum.
  virtual bool slot_a_group() const { return false; }
  /// Pieces of finish(), which may run at once.
  virtual int64_t tasks(const LaneTable&) const { return 1; }
  /// Turns sums (slot 0; the others follow `slot_floats` apart) into results.
  virtual void finish(const LaneTable& table, const Runtime& runtime, const float* sums,
                      int64_t task) const = 0;

  Block block = Block::unused(0);  ///< of the slots

  float* slot(const GroupRun& g) const { return slot(g.table, g.runtime, slot_a_group() ? g.group : g.slot); }
  float* slot(const LaneTable& table, const Runtime& runtime, int64_t s) const {
    return reinterpret_cast<float*>(runtime.arena + block.offset) + s * padded_slot(table);
  }
  int64_t padded_slot(const LaneTable& table) const { return ceil_div(slot_floats(table), 16) * 16; }
};

}  // namespace uncial::program::lanes
