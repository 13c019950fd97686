#pragma once
/// @file text.h
/// Options as text. Internal.

#include <charconv>
#include <initializer_list>
#include <string>
#include <utility>

namespace uncial::optim {

/// "adam lr=0.001 beta1=0.9": each number in the shortest form that reads back exactly.
inline std::string describe_options(std::string text,
                                    std::initializer_list<std::pair<const char*, double>> options) {
  for (const auto& [name, value] : options) {
    char digits[32];
    text += ' ';
    text += name;
    text += '=';
    text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  return text;
}

}  // namespace uncial::optim
