#include "cli/number_flags.h"

#include <charconv>
#include <cmath>

#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

template <class T>
bool read_all(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view kind_of(int64_t) { return "a whole number"; }
std::string_view kind_of(double) { return "a number"; }

template <class T>
T parse(std::string_view name, std::string_view text, Range<T> range) {
  T value{};
  // NaN fails both comparisons of the range.
  if (read_all(text, value) && (range.above ? value > range.low : value >= range.low) && value <= range.high)
    return value;
  fail(ErrorKind::usage, name, ": got ", io::printable(text), ", expected ", kind_of(value), " ",
       range.above ? "above " : "from ", range.low, range.above ? " and up to " : " to ", range.high, ".");
}

}  // namespace

int64_t parse_number(std::string_view name, std::string_view text, Range<int64_t> range) {
  return parse(name, text, range);
}
double parse_number(std::string_view name, std::string_view text, Range<double> range) {
  return parse(name, text, range);
}

uint64_t parse_seed(std::string_view name, std::string_view text) {
  uint64_t value = 0;
  if (read_all(text, value)) return value;
  fail(ErrorKind::usage, name, ": got ", io::printable(text), ", expected a whole number from 0 to 2^64-1.");
}

std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace uncial::cli
