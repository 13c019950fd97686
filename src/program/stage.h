#pragma once
/// @file stage.h
/// What a planned program runs, one after the other. Internal.

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "probe.h"
#include "uncial/program/program.h"

namespace uncial::program {

/// Where everything lies while a program runs.
struct Runtime {
  std::vector<View> views;  ///< by value number; those of inputs change from replay to replay
  std::byte* arena = nullptr;
  std::byte* workspace = nullptr;  ///< Program-wide scratch of operators, as large as the largest asks for
  Probe* probe = nullptr;          ///< who wants to know how long each piece takes
};

/// A piece of the arena, alive from one stage to another; plan_arena() gives it a place.
struct Block {
  int64_t bytes = 0;
  int first_stage = 0, last_stage = 0;
  int64_t offset = 0;
  void use(int stage) {
    first_stage = std::min(first_stage, stage);
    last_stage = std::max(last_stage, stage);
  }
  /// Alive during no stage until used.
  static Block unused(int64_t size) { return {size, std::numeric_limits<int>::max(), -1, 0}; }
  bool used() const { return last_stage >= first_stage; }
};

/// Places blocks so that those alive at one time do not overlap; returns the bytes they take together.
int64_t plan_arena(std::vector<Block*> blocks);

/// One operator on row-major tensors, or a planned piece that stands for several.
class Stage {
 public:
  virtual ~Stage() = default;
  /// Operators that it computes, for tables and profiles.
  virtual std::string name() const = 0;
  virtual void run(const Runtime& runtime) = 0;
  /// Numbers of the steps that it stands for.
  const std::vector<int>& steps() const { return steps_; }
  /// Values (by number) that it reads or writes as row-major tensors.
  const std::vector<int>& values() const { return values_; }
  /// What a profile tells apart; the stage itself comes first.
  virtual std::vector<Piece> pieces() const { return {{this, name(), steps_, nullptr}}; }
  /// True when the host decides at each run whether there is anything to do. Such a stage reads what no stage
  /// writes, and runs before a captured graph, not in it.
  virtual bool asks_the_host() const { return false; }
  /// Memory of its own in the arena.
  virtual std::vector<Block*> own_blocks() { return {}; }

 protected:
  std::vector<int> steps_, values_;
};

}  // namespace uncial::program
