#pragma once
/// @file error.h
/// One exception type for everything a caller can get wrong, with the kind of trouble it is.

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace uncial {

/// What kind of trouble an Error reports; programs map it to their exit code.
enum class ErrorKind : uint8_t {
  usage,     ///< wrong arguments: shapes, ranges, flags
  data,      ///< a data set or model file whose content is wrong
  io,        ///< reading, writing or the network failed
  device,    ///< no such device, or out of memory on it
  diverged,  ///< training produced NaN or infinity
  stopped,   ///< the caller asked for a stop
  internal,  ///< a fault of the library itself
};

/// Thrown by every function of the library. The message says what was called, what it got, and the way out.
class Error : public std::runtime_error {
 public:
  using Kind = ErrorKind;
  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// A broken promise inside the library: please report it.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& message) : Error(Kind::internal, message) {}
};

/// Joins `parts` with operator<< into one string ("C" locale, so numbers look the same everywhere).
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  (text << ... << parts);
  return std::move(text).str();
}

/// Throws Error(kind) whose message is `parts` joined.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, join(parts...));
}

/// Throws a usage Error with `parts` joined unless `ok`. The parts are formatted only on failure.
template <class... Parts>
void require(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw Error(ErrorKind::usage, join(parts...));
}

/// Throws InternalError unless `ok`: for promises the library makes to itself.
template <class... Parts>
void ensure(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw InternalError(join("uncial internal error: ", parts...));
}

}  // namespace uncial
