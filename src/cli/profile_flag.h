#pragma once
/// The flag --profile FILE of programs that train or predict.

#include <filesystem>
#include <optional>
#include <string>

#include "uncial/program/profile.h"

namespace uncial::cli {

class Program;

/// Declares the flag; between start() and finish() the recorded steps of this thread are profiled if it was
/// given.
class ProfileFlag {
 public:
  explicit ProfileFlag(Program& program);
  /// After parse(). Makes sure that FILE can be written: see claim_file().
  void start();
  /// Writes the trace to FILE (for chrome://tracing or ui.perfetto.dev) and the table to standard error.
  void finish();

 private:
  Program& program_;
  std::string file_;
  Profile profile_;
  std::optional<ProfileScope> scope_;
};

}  // namespace uncial::cli
