#pragma once
/// @file segment.h
/// A run of nodes that handles one group after another, depth first. Internal.

#include <memory>

#include "node.h"

namespace uncial::program::lanes {

class Segment final : public Stage {
 public:
  explicit Segment(std::shared_ptr<LaneTable> table) : table_(std::move(table)) {}

  void add(std::unique_ptr<Node> node);
  void prepare(std::shared_ptr<Prepared> prepared);
  bool empty() const { return nodes_.empty(); }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  std::vector<ReducingNode*> reductions() const { return reductions_; }

  /// Once all nodes are there: places the values that only this segment uses. The memory that a thread needs
  /// is asked for when it runs.
  void place_local_values();
  /// How many slots sums go to.
  int64_t slots(const ReducingNode& node) const;

  std::vector<Block*> own_blocks() override;
  std::string name() const override;
  std::vector<Piece> pieces() const override;
  void run(const Runtime& runtime) override;

 private:
  void run_groups(const Runtime& runtime);
  void run_group(const GroupRun& g) const;
  void finish(const Runtime& runtime);

  std::shared_ptr<LaneTable> table_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<ReducingNode*> reductions_;
  std::vector<std::shared_ptr<Prepared>> prepared_;
  int64_t local_bytes_ = 0, workspace_floats_ = 0;
};

}  // namespace uncial::program::lanes
