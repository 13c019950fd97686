#pragma once
/// The flags --serve and --serve-network of programs that show a page.

#include <optional>
#include <string>

#include "cli/serve_address.h"

namespace uncial::cli {

class Program;

class ServeFlag {
 public:
  /// Declares the flags; `address` is what --serve starts as, empty: no page.
  explicit ServeFlag(Program& program, std::string address = "");
  /// After parse(): where to serve, if anywhere. Throws a usage Error, also in a build without a
  /// server.
  std::optional<ServeAddress> address() const;

 private:
  std::string text_;
  bool network_ = false;
};

/// Says where the page is, on standard output, where scripts read it with port 0.
void announce_page(const Program& program, const std::string& url);
/// Returns when a stop by signal is requested, at once if that has happened. The signal is an ordinary end
/// then.
void stay_until_stopped(Program& program);

}  // namespace uncial::cli
