#pragma once
/// Strict numbers from the command line: no locale, no trailing text, nothing outside the range.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace uncial::cli {

/// What a numeric flag accepts: [low, high], or (low, high] when `above` is set.
template <class T>
struct Range {
  T low, high;
  bool above = false;
};

/// The whole of `text` as a number in `range`. Throws a usage Error "NAME: got TEXT, expected ...".
int64_t parse_number(std::string_view name, std::string_view text, Range<int64_t> range);
double parse_number(std::string_view name, std::string_view text, Range<double> range);
/// Any seed: 0..2^64-1.
uint64_t parse_seed(std::string_view name, std::string_view text);

/// The shortest text that reads back as `value`.
std::string number_text(double value);

}  // namespace uncial::cli
