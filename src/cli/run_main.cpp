#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>

#include "cli/paths.h"
#include "cli/program_state.h"
#include "uncial/config.h"
#include "uncial/core/error.h"
#include "uncial/core/isa.h"
#include "uncial/core/log.h"
#include "uncial/core/parallel.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

/// Opens /dev/null on standard streams that are closed, so that no result file gets their numbers.
void fill_standard_streams() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2) fd = ::dup(fd);
  if (fd > 2) ::close(fd);
}

void ignore_signal(int number) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  sigaction(number, &action, nullptr);
}

/// A write to standard error that cannot fail the program.
void say(std::string text) {
  text += '\n';
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    rest.remove_prefix(size_t(n));
  }
}

void install_log_sink() {
  const char* value = std::getenv("UNCIAL_VERBOSE");
  const bool verbose = value && *value && std::string_view(value) != "0";
  set_log_sink([verbose](LogLevel level, std::string_view message) {
    if (level == LogLevel::warning) say(join("warning: ", message));
    if (level != LogLevel::warning && verbose) say(join("info: ", message));
  });
}

int exit_code(ErrorKind kind, int signal) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::data:
      return 3;
    case ErrorKind::io:
      return 4;
    case ErrorKind::device:
      return 5;
    case ErrorKind::diverged:
      return 6;
    case ErrorKind::stopped:
      return signal != 0 ? 128 + signal : 1;
    case ErrorKind::internal:
      return 1;
  }
  return 1;
}

int report(std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  say("error: " + message);
  return code;
}

}  // namespace

int run_main(const std::string& name, const std::string& description, int argc, char** argv,
             const std::function<void(Program&)>& body) {
  fill_standard_streams();
  ignore_signal(SIGPIPE);  // a reader that went away is told by EPIPE
  ignore_signal(SIGXFSZ);  // a file size limit by EFBIG
  install_log_sink();
  int code = 0;
  try {
    Program program(name, description, argc, argv);
    try {
      body(program);
    } catch (const Answered&) {
    } catch (const Error& error) {
      code = report(error.what(), exit_code(error.kind(), program.state_->signals.received()));
    }
    if (std::fflush(stdout) != 0 && errno != EPIPE && code == 0)
      code = report(join("standard output: cannot be written: ", std::strerror(errno), "."), 4);
  } catch (const Error& error) {
    code = report(error.what(), exit_code(error.kind(), 0));
  } catch (const std::bad_alloc&) {
    code = report(name + ": out of memory. Close other programs, or use a smaller --batch.", 5);
  } catch (const std::filesystem::filesystem_error& error) {
    code = report(io::printable(error.what()), 4);
  } catch (const std::exception& error) {
    code = report(join(name, ": internal fault: ", error.what(), ". Please report it."), 1);
  }
  set_log_sink({});
  return code;
}

void Program::write(const std::string& text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 || errno == EPIPE) return;
  fail(ErrorKind::io, "standard output: cannot be written: ", std::strerror(errno), ".");
}

void Program::note(const std::string& text) const {
  if (!common_.quiet) say(text);
}

std::filesystem::path Program::root() const { return common_.out.empty() ? default_root() : common_.out; }

Output& Program::open_output(const std::vector<std::string>& folders) {
  state_->output = std::make_unique<Output>(root(), folders, common_.overwrite);
  prepare_json();
  return *state_->output;
}

void Program::close_output() { state_->output.reset(); }

void Program::prepare_json() const {
  if (common_.json.empty()) return;
  const std::filesystem::path folder = common_.json.parent_path();
  io::require_writable_folder(folder.empty() ? "." : folder);
  claim_file(common_.json, common_.overwrite);
}

void Program::save_results(const nlohmann::ordered_json& results) {
  if (common_.json.empty()) return;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - state_->start;
  nlohmann::ordered_json all = {{"program", name()},
                                {"seed", common_.seed},
                                {"threads", num_threads()},
                                {"isa", isa()},
                                {"seconds", seconds.count()}};
  all.update(results);
  save_json(common_.json, all, common_.overwrite);
}

}  // namespace uncial::cli
