#include "uncial/autograd/origin.h"

#include <utility>

#include "uncial/autograd/op.h"

namespace uncial {
namespace {
thread_local Origin current;
}

const Origin& current_origin() { return current; }

OriginScope::OriginScope(Origin origin) : active_(current_recorder() != nullptr) {
  if (active_) previous_ = std::exchange(current, std::move(origin));
}
OriginScope::~OriginScope() {
  if (active_) current = std::move(previous_);
}

}  // namespace uncial
