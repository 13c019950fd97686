#pragma once
/// @file description.h
/// Reading one object of a network description, with every check that hostile text needs. Internal.

#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "uncial/core/error.h"

namespace uncial::nn {

using Json = nlohmann::ordered_json;

/// Learned values that a description may still ask for.
struct Budget {
  int64_t left, limit;
};

/// Parses text whose objects have no key twice. Throws Error(data) with the byte where it stops being JSON.
Json parse_description(std::string_view text);

/// One JSON object: each getter names the place when it does not find what it wants, and finish() refuses
/// keys that nobody asked for. `fallback` is what a missing key means.
class Description {
 public:
  /// `place` is how messages call the object: "layers[2]", "" for the outermost.
  Description(const Json& object, std::string place, int depth, Budget& budget);

  const std::string& place() const { return place_; }
  int depth() const { return depth_; }
  Budget& budget() const { return budget_; }

  std::string text(const char* key);
  int64_t integer(const char* key, int64_t low, int64_t high);
  int64_t integer(const char* key, int64_t low, int64_t high, int64_t fallback);
  double number(const char* key, double low, double high, double fallback);
  bool flag(const char* key, bool fallback);
  /// Null when there is none.
  const Json* find(const char* key);
  const Json& list(const char* key);
  /// Takes `values` learned values from the budget.
  void spend(int64_t values);
  void finish() const;

  /// Throws Error(data) about the value of `key`.
  template <class... Parts>
  [[noreturn]] void wrong(const char* key, const Parts&... expected) const {
    const auto found = object_.find(key);
    fail(ErrorKind::data, "network description: ", at(key), ": got ",
         found == object_.end() ? "nothing" : shown(*found), ", expected ", expected..., ".");
  }
  /// "layers[2].kernel"
  std::string at(std::string_view key) const;

 private:
  /// A value as it may be printed: ASCII, on one line, short.
  static std::string shown(const Json& value);

  const Json& object_;
  std::string place_;
  int depth_;
  Budget& budget_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace uncial::nn
