#pragma once
/// What a Program holds; its parts are spread over program.cpp and run_main.cpp.

#include <CLI/CLI.hpp>
#include <chrono>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/stop_signals.h"

namespace uncial::cli {

struct Program::State {
  /// One declared flag: CLI11 collects its words, `apply` converts them.
  struct Flag {
    CLI::Option* option;
    std::string name;
    bool repeatable;
    std::function<void(const std::vector<std::string>&)> apply;
  };

  State(std::string program_name, const std::string& description, int count, char** words)
      : name(std::move(program_name)), app(description, name), argc(count), argv(words) {}

  StopSignals signals;  // first: threads that come later inherit its mask
  std::string name;
  CLI::App app;
  std::vector<Flag> flags;
  int argc;
  char** argv;
  std::string device = "cpu";
  std::unique_ptr<Output> output;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  CLI::Option* add(const std::string& flag_name, const std::string& help, const std::string& placeholder,
                   const std::string& value, std::function<void(const std::string&)> apply);
};

/// Thrown by parse() when --help or --version was answered.
struct Answered {};

}  // namespace uncial::cli
