#pragma once
/// @file node.h
/// The tape: one node for each operator that ran while somebody wanted a gradient. Internal.

#include <memory>
#include <string>
#include <vector>

#include "uncial/autograd/op.h"

namespace uncial {

struct Node;

/// Frees a chain of nodes without recursion: a graph may be a million operators deep.
void release_node(std::shared_ptr<Node> node);

/// What the tape knows about one tensor.
struct TapeState {
  bool requires_grad = false;
  Tensor grad;                 // leaves only
  std::shared_ptr<Node> node;  // who made it; null for leaves
  size_t output = 0;           // which of its outputs it is

  ~TapeState() {
    if (node) release_node(std::move(node));
  }
};

/// Where the gradient of an input goes: to the node that made it, or to a leaf; to nobody when both are null.
struct Edge {
  std::shared_ptr<Node> node;
  size_t output = 0;
  std::shared_ptr<TapeState> leaf;
  explicit operator bool() const { return node || leaf; }
};

struct Node {
  std::shared_ptr<const Op> op;
  uint64_t sequence = 0;  // creation order: a consumer always comes after what it consumes
  std::vector<Edge> edges;
  Specs input_specs, output_specs;
  Tensors inputs, outputs;  // saved ones; outputs detached, since a node that owns its output is a cycle
  std::vector<uint64_t> input_versions, output_versions;
  std::string layer;  // where it comes from, when somebody records
  bool freed = false;

  void free_saved() {
    freed = true;
    inputs.clear();
    outputs.clear();
  }
  ~Node() {
    for (Edge& e : edges)
      if (e.node) release_node(std::move(e.node));
  }
};

/// Appends `op` to the tape: `outputs` become results of a new node.
void append_to_tape(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs);

/// a + b of equal shapes, recordable; sums gradients that meet.
Tensor accumulate(const Tensor& a, const Tensor& b);

}  // namespace uncial
