#include "description.h"

#include <vector>

namespace uncial::nn {
namespace {

constexpr size_t kMaxTextBytes = size_t(1) << 20;
// A module takes two levels (an object and the list of its layers): far more than modules may be nested, and
// few enough for the tree to be taken down without trouble.
constexpr size_t kMaxJsonDepth = 256;

/// Watches the parser: nesting, and keys given twice (of which the parser would keep the last).
class ParseGuard {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      keys_.emplace_back();
      if (keys_.size() > kMaxJsonDepth)
        fail(ErrorKind::data, "network description: nested more than ", kMaxJsonDepth, " levels deep.");
    } else if (event == Event::object_end || event == Event::array_end) {
      keys_.pop_back();
    } else if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      fail(ErrorKind::data, "network description: the key ", parsed.dump(-1, ' ', true),
           " is given twice in one object.");
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

Json parse_description(std::string_view text) {
  if (text.size() > kMaxTextBytes)
    fail(ErrorKind::data, "network description: got ", text.size(), " bytes, expected at most ",
         kMaxTextBytes, ".");
  ParseGuard guard;
  try {
    return Json::parse(text.begin(), text.end(), std::ref(guard));
  } catch (const Json::parse_error& error) {
    fail(ErrorKind::data, "network description@byte ", error.byte,
         ": got text that is not JSON, expected an object such as {\"kind\": \"dense\", \"in\": 784, "
         "\"out\": 10}.");
  } catch (const Json::exception&) {  // a number out of range
    fail(ErrorKind::data, "network description: got a number that no double can hold.");
  }
}

Description::Description(const Json& object, std::string place, int depth, Budget& budget)
    : object_(object), place_(std::move(place)), depth_(depth), budget_(budget) {
  if (!object.is_object())
    fail(ErrorKind::data, "network description: ", at(""), ": got ", shown(object),
         ", expected an object {...}.");
}

std::string Description::at(std::string_view key) const {
  if (place_.empty() && key.empty()) return "the outermost value";
  if (place_.empty() || key.empty()) return place_ + std::string(key);
  return join(place_, '.', key);
}

std::string Description::shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr size_t kLongest = 40;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

const Json* Description::find(const char* key) {
  asked_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

std::string Description::text(const char* key) {
  const Json* value = find(key);
  if (!value || !value->is_string()) wrong(key, "a string");
  return value->get<std::string>();
}

int64_t Description::integer(const char* key, int64_t low, int64_t high) {
  const Json* value = find(key);
  const bool fits = value && value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t(INT64_MAX));
  if (!fits || value->get<int64_t>() < low || value->get<int64_t>() > high)
    wrong(key, "an integer in [", low, ", ", high, "]");
  return value->get<int64_t>();
}

int64_t Description::integer(const char* key, int64_t low, int64_t high, int64_t fallback) {
  return find(key) ? integer(key, low, high) : fallback;
}

double Description::number(const char* key, double low, double high, double fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high))
    wrong(key, "a number in [", low, ", ", high, "]");
  return value->get<double>();
}

bool Description::flag(const char* key, bool fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) wrong(key, "true or false");
  return value->get<bool>();
}

const Json& Description::list(const char* key) {
  const Json* value = find(key);
  if (!value || !value->is_array()) wrong(key, "a list [...]");
  return *value;
}

void Description::spend(int64_t values) {
  if (values > budget_.left)
    fail(ErrorKind::data, "network description: ", at(""), ": the net would have more than ", budget_.limit,
         " parameters; raise BuildOptions::max_parameters if that is meant.");
  budget_.left -= values;
}

void Description::finish() const {
  for (const auto& [key, value] : object_.items())
    if (asked_.find(key) == asked_.end())
      fail(ErrorKind::data, "network description: ", at(""), ": got the key ", shown(key),
           ", which modules of this kind do not have.");
}

}  // namespace uncial::nn
