#pragma once
/// What every example program shares: flags, exit codes, signals, messages.

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cli/number_flags.h"
#include "uncial/core/device.h"

namespace uncial::cli {

class Output;

/// The flags that all programs take.
struct CommonFlags {
  std::filesystem::path out;  ///< empty: default_root()
  uint64_t seed = 1;
  int threads = 0;  ///< 0: all cores
  Device device;
  std::filesystem::path json;  ///< empty: none
  bool quiet = false, overwrite = false;
};

/// A running program. Its body declares flags, calls parse(), and does the work.
class Program {
 public:
  Program(std::string name, const std::string& description, int argc, char** argv);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Flags: declare them before parse(), which fills the variables. The value before is the default that
  // --help shows; an empty optional stays empty when the flag is absent.
  void flag(const std::string& name, bool& value, const std::string& help);
  void number(const std::string& name, int64_t& value, Range<int64_t> range, const std::string& help);
  void number(const std::string& name, std::optional<int64_t>& value, Range<int64_t> range,
              const std::string& help);
  void number(const std::string& name, std::optional<double>& value, Range<double> range,
              const std::string& help);
  void text(const std::string& name, std::string& value, const std::string& help,
            const std::string& placeholder = "TEXT");
  /// One of `choices`.
  void choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
              const std::string& help);
  void choice(const std::string& name, std::optional<std::string>& value,
              const std::vector<std::string>& choices, const std::string& help);
  /// May be given several times. A name without dashes collects the words that belong to no flag.
  void list(const std::string& name, std::vector<std::string>& values, const std::string& help,
            const std::string& placeholder);

  /// Reads the command line and the UNCIAL_* variables, and applies threads, device and instruction set.
  /// Throws a usage Error, or Error(device).
  void parse();

  const std::string& name() const;
  const CommonFlags& common() const { return common_; }
  /// Writes to standard output; a reader that has gone away is no error.
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) const {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  void write(const std::string& text) const;
  /// A remark on standard error, unless --quiet.
  void note(const std::string& text) const;
  /// True when the program should draw progress.
  bool verbose() const { return !common_.quiet; }

  /// Turns the first Ctrl-C into a request that the work looks at; without it a signal ends the program.
  std::stop_token stop_token();
  /// Throws Error(stopped) once a stop was requested; the program then exits with 128 + signal.
  void throw_if_stopped(const std::string& advice = "") const;
  /// This command line, quoted for a shell, with --resume.
  std::string resume_command() const;

  /// The folder that results go to: --out or the default. Does not touch the disk.
  std::filesystem::path root() const;
  /// Opens `folders` of it ("figures") for writing, and the --json file: see Output.
  Output& open_output(const std::vector<std::string>& folders);
  /// Lets other programs write there. The Output is gone.
  void close_output();
  /// Makes sure that the --json file can be written; open_output() does it, too.
  void prepare_json() const;
  /// Writes `results` to --json if that was given, with what made them.
  void save_results(const nlohmann::ordered_json& results);

 private:
  friend int run_main(const std::string&, const std::string&, int, char**,
                      const std::function<void(Program&)>&);
  struct State;
  std::unique_ptr<State> state_;
  CommonFlags common_;
};

/// Runs `body`, turning what it throws into one line on standard error and the exit code: 0 fine, 1 fault of
/// ours, 2 usage, 3 bad data or model file, 4 input/output, 5 device or memory, 6 training diverged,
/// 128 + n stopped by signal n.
int run_main(const std::string& name, const std::string& description, int argc, char** argv,
             const std::function<void(Program&)>& body);

}  // namespace uncial::cli
