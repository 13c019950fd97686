#pragma once
/// Checking that a call fails in the way it promises.

#include <initializer_list>
#include <string>
#include <string_view>

#include "support/catch.h"
#include "uncial/core/error.h"

namespace uncial::test {

/// `call` must throw an Error of this kind whose message has every one of `parts`.
template <class F, class... Parts>
void check_error(ErrorKind kind, F&& call, Parts... parts) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    INFO("message: " << message);
    CHECK(int(error.kind()) == int(kind));
    for (const std::string_view part : std::initializer_list<std::string_view>{std::string_view(parts)...}) {
      INFO("looked for: " << part);
      CHECK(message.find(part) != std::string::npos);
    }
    // One line, so that it can be printed as it is.
    CHECK(message.find('\n') == std::string::npos);
    return;
  }
  FAIL_CHECK("no uncial::Error was thrown");
}

/// For damaged input: `call` must return true (the damage did not matter) or throw an Error of this kind.
template <class F>
void check_right_or_error(ErrorKind kind, F&& call) {
  try {
    const bool right = call();
    CHECK(right);
  } catch (const Error& error) {
    INFO("message: " << error.what());
    CHECK(int(error.kind()) == int(kind));
  }
}

}  // namespace uncial::test
