#pragma once
// Numbers as text, the same under every locale.

#include <charconv>
#include <cmath>
#include <string>

namespace uncial::train {

/// The shortest text that reads back as the same double; "nan", "inf".
inline std::string shortest(double value) {
  if (std::isnan(value)) return "nan";  // to_chars writes "-nan" for some
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// With `decimals` digits after the point.
inline std::string fixed_decimals(double value, int decimals) {
  if (std::isnan(value)) return "nan";
  char text[400];  // the largest double has 309 digits before the point
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr};
}

}  // namespace uncial::train
