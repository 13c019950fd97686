#pragma once
/// Ctrl-C and its relatives as a std::stop_token.

#include <stop_token>

namespace uncial::cli {

/// While alive, a thread waits for SIGINT, SIGTERM and SIGHUP. Until token() was asked for, a signal ends the
/// process at once with 128 + its number; afterwards the first one requests a stop and only the second ends
/// the process. Files stay whole either way, as they are replaced atomically. Signals that the parent
/// ignores (nohup) stay ignored. Make it before any other thread: they inherit the blocked signals.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  std::stop_token token();
  /// The signal that requested the stop, or 0.
  int received() const;

 private:
  struct State;
  State* state_;
};

/// "SIGINT" for 2, ...
const char* signal_name(int number);

}  // namespace uncial::cli
