// In a build without cpp-httplib.
#include "cli/page_server.h"
#include "uncial/core/error.h"

namespace uncial::cli {

struct PageServer::State {
  std::string url;
};

void require_page_server() {
  fail(
      ErrorKind::usage,
      "--serve: this build has no server. Install cpp-httplib (Debian: libcpp-httplib-dev) and build again.");
}

PageServer::PageServer(ServeAddress, PageContent) { require_page_server(); }
PageServer::~PageServer() = default;

const std::string& PageServer::url() const { return state_->url; }

}  // namespace uncial::cli
