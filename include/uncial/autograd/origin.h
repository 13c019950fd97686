#pragma once
/// @file origin.h
/// Where in a training step an operator comes from: so that a recorded program can be read layer by layer.

#include <string>

namespace uncial {

/// What an operator is part of.
enum class Pass { forward, backward, update };

struct Origin {
  std::string layer;  ///< path and kind of the innermost module ("2.body.0 conv2d"); empty outside of modules
  Pass pass = Pass::forward;
};

/// Of the operators that this thread applies now.
const Origin& current_origin();

/// Names the origin of operators applied on this thread while it lives. Does nothing unless somebody records:
/// eager steps need no names.
class OriginScope {
 public:
  explicit OriginScope(Origin origin);
  ~OriginScope();
  OriginScope(const OriginScope&) = delete;
  OriginScope& operator=(const OriginScope&) = delete;

 private:
  bool active_;
  Origin previous_;
};

}  // namespace uncial
