#include "cli/serve_flag.h"

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "cli/page_server.h"
#include "cli/program.h"

namespace uncial::cli {

ServeFlag::ServeFlag(Program& program, std::string address) : text_(std::move(address)) {
  program.text("--serve", text_,
               "Show a page at this address to a browser on this machine; port 0: a free one", "HOST:PORT");
  program.flag("--serve-network", network_, "Let --serve listen where other machines reach it");
}

std::optional<ServeAddress> ServeFlag::address() const {
  if (text_.empty()) return std::nullopt;
  const ServeAddress address = parse_serve_address(text_, network_);
  require_page_server();
  return address;
}

void announce_page(const Program& program, const std::string& url) { program.print("page: {}\n", url); }

void stay_until_stopped(Program& program) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait(lock, program.stop_token(), [] { return false; });
}

}  // namespace uncial::cli
