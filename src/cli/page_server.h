#pragma once
/// Serves the page, and what it asks for, to browsers on this machine.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cli/serve_address.h"

namespace uncial::cli {

class ServeHub;

/// What the page is about; everything is called from the server's threads, several at once.
struct PageContent {
  std::function<std::string()> info;                             ///< info_json()
  std::function<std::string(std::span<const uint8_t>)> predict;  ///< look_json() of 28 x 28 pixels
  ServeHub* hub = nullptr;                                       ///< of a training, if there is one
};

/// Runs from its construction to its destruction, which closes the hub. Answers only whom is_trusted_host()
/// and is_same_origin() let in; docs/decisions/0013-page-and-server.md has the bounds.
class PageServer {
 public:
  /// Throws Error(io) when the address cannot be had, and what require_page_server() throws.
  PageServer(ServeAddress address, PageContent content);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  const std::string& url() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Throws a usage Error in a build without a server: to be asked before long work.
void require_page_server();

}  // namespace uncial::cli
