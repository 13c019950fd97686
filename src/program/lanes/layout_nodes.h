#pragma once
/// @file layout_nodes.h
/// Into the lanes, out of them, and from one geometry to another. Internal.

#include "node.h"

namespace uncial::program::lanes {

/// A lane value for a tensor (N, D), (N, C, L) or (N, C, H, W).
inline LaneValue lane_of_shape(const Shape& x) {
  LaneValue v;
  v.C = x[1];
  v.H = x.rank() > 2 ? x[2] : 1;
  v.W = x.rank() > 3 ? x[3] : 1;
  return v;
}

class LoadNode final : public Node {
 public:
  LoadNode(int value, int to) : value_(value), to_(to) { lanes = makes = {to}, rows = {value}; }
  std::string name() const override { return "load"; }
  void run(const GroupRun& g) const override {
    const cpu::LaneImage y = g.image(to_);
    const int64_t size = y.C * y.H * y.W;
    g.table.kernels.layout.load(g.operand(value_) + g.first() * size, g.samples, size, y);
  }

 private:
  int value_, to_;
};

class StoreNode final : public Node {
 public:
  StoreNode(int from, int value) : from_(from), value_(value) { lanes = {from}, rows = {value}; }
  std::string name() const override { return "store"; }
  void run(const GroupRun& g) const override {
    const cpu::LaneImage x = g.image(from_);
    const int64_t size = x.C * x.H * x.W;
    g.table.kernels.layout.store(x, g.operand<float>(value_) + g.first() * size, g.samples, size);
  }

 private:
  int from_, value_;
};

/// Copies an image into another geometry, or reads a reshaped value as an image.
class CopyNode final : public Node {
 public:
  CopyNode(int from, int to) : from_(from), to_(to) { lanes = {from, to}, makes = {to}; }
  std::string name() const override { return "copy"; }
  void run(const GroupRun& g) const override {
    const LaneValue& v = g.table.values[size_t(to_)];
    const cpu::LaneImage x = g.image(from_, v.C, v.H, v.W), y = g.image(to_);
    for (int64_t c = 0; c < y.C; ++c)
      for (int64_t h = 0; h < y.H; ++h)
        std::copy_n(x.data + c * x.plane + h * x.row, y.W * g.table.kernels.lanes,
                    y.data + c * y.plane + h * y.row);
  }

 private:
  int from_, to_;
};

}  // namespace uncial::program::lanes
