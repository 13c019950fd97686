#pragma once
/// @file fuse_queries.h
/// Questions about recorded steps that fusing asks. Internal.

#include <string>

#include "graph.h"

namespace uncial::program {

class FuseQueries {
 public:
  explicit FuseQueries(const Graph& graph) : g_(graph) {}

  bool is_relu_gradient(int s) const {
    return s >= 0 && g_.is(s, "unary_backward") && attribute<std::string>(*g_.step(s).op, "of") == "relu";
  }
  bool is_2x2(int s) const {
    const Op& op = *g_.step(s).op;
    return attribute<int64_t>(op, "kernel") == 2 && attribute<int64_t>(op, "stride") == 2 &&
           attribute<int64_t>(op, "padding") == 0;
  }
  /// The only reader of a temporary buffer; -1 when there are others.
  int only_reader(int buffer) const {
    return g_.temporary(buffer) && g_.readers(buffer).size() == 1 ? g_.readers(buffer)[0] : -1;
  }

  bool changes_between(int begin, int end, int buffer) const {
    for (int s = begin; s < end; ++s)
      for (size_t i = 0; i < g_.step(s).inputs.size(); ++i)
        if (!g_.step(s).is_view && g_.step(s).op->writes(i) && g_.in_buffer(s, i) == buffer) return true;
    return false;
  }

  int only_relu(int buffer) const {
    const int relu = only_reader(buffer);
    return relu >= 0 && g_.is(relu, "relu") ? relu : -1;
  }

  bool same_window(int a, int b) const {
    const Value &x = g_.value(a), &y = g_.value(b);
    return x.buffer == y.buffer && x.offset == y.offset && x.shape == y.shape && x.strides == y.strides;
  }

 protected:
  const Graph& g_;
};

}  // namespace uncial::program
