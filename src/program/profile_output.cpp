#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "profile_state.h"

namespace uncial {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return "forward";
    case Pass::backward:
      return "backward";
    default:
      return "update";
  }
}

/// At most `width` characters; longer texts end in dots.
std::string fitted(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 3) + "...";
}

size_t widest(const std::vector<ProfileRow>& rows, std::string ProfileRow::*text, size_t least, size_t most) {
  size_t width = least;
  for (const ProfileRow& row : rows) width = std::max(width, (row.*text).size());
  return std::min(width, most);
}

}  // namespace

std::string Profile::table(double peak_flops) const {
  const std::vector<ProfileRow>& rows = state_->rows;
  const int64_t replays = std::max<int64_t>(1, state_->replays);
  const size_t layers = widest(rows, &ProfileRow::layers, 6, 40);
  const size_t operators = widest(rows, &ProfileRow::operators, 8, 60);
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::fixed << std::left << std::setw(int(layers)) << "layers"
       << "  " << std::setw(int(operators)) << "what ran"
       << "  pass      " << std::right << std::setw(10) << "ms" << std::setw(8) << "% time" << std::setw(10)
       << "GFLOP/s";
  if (peak_flops > 0) text << std::setw(8) << "% peak";
  text << '\n';
  for (const ProfileRow& row : rows) {
    const double rate = row.seconds > 0 ? row.flops / row.seconds : 0;
    text << std::left << std::setw(int(layers)) << fitted(row.layers, layers) << "  "
         << std::setw(int(operators)) << fitted(row.operators, operators) << "  " << std::setw(10)
         << name_of(row.pass) << std::right << std::setprecision(3) << std::setw(10)
         << 1e3 * row.seconds / double(replays) << std::setprecision(1) << std::setw(8)
         << (state_->seconds > 0 ? 100 * row.seconds / state_->seconds : 0) << std::setw(10) << 1e-9 * rate;
    if (peak_flops > 0) text << std::setw(8) << 100 * rate / peak_flops;
    text << '\n';
  }
  text << state_->replays << " replays, " << std::setprecision(3) << 1e3 * state_->seconds / double(replays)
       << " ms each\n";
  return std::move(text).str();
}

std::string Profile::trace_json() const {
  Json events = Json::array();
  const auto zero = state_->events.empty() ? State::Clock::time_point() : state_->events.front().start;
  const auto microseconds = [](State::Clock::duration d) {
    return std::chrono::duration<double, std::micro>(d).count();
  };
  for (const State::Event& e : state_->events) {
    const ProfileRow& row = state_->rows[e.row];
    events.push_back({{"name", row.layers.empty() ? row.operators : row.layers},
                      {"cat", name_of(row.pass)},
                      {"ph", "X"},
                      {"ts", microseconds(e.start - zero)},
                      {"dur", microseconds(e.end - e.start)},
                      {"pid", 1},
                      {"tid", e.thread},
                      {"args", {{"ran", row.operators}}}});
  }
  // names may come from a user's modules: what is no UTF-8 is replaced
  return Json{{"displayTimeUnit", "ms"}, {"traceEvents", events}}.dump(-1, ' ', false,
                                                                       Json::error_handler_t::replace);
}

}  // namespace uncial
