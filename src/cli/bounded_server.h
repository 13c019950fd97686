#pragma once
/// cpp-httplib's server with the bounds that it lacks: of bytes and seconds a request, of connections.

#include <httplib.h>

#include <atomic>

#include "cli/serve_address.h"

namespace uncial::cli {

/// What one connection, which carries one request, may cost.
struct ConnectionLimits {
  size_t request_bytes = 20'000;  ///< request line, headers and body together
  int request_seconds = 5;        ///< until all of it is there
  int write_seconds = 5;          ///< without progress
  int threads = 16;               ///< requests at once
  int waiting = 16;               ///< connections that wait for a thread; the system's queue holds the others
};

/// One request a connection: a thread is never held by a browser that keeps one open for later.
class BoundedServer : public httplib::Server {
 public:
  /// Listens at once, on the port that it puts into `address`. Throws Error(io).
  explicit BoundedServer(ServeAddress& address, const ConnectionLimits& limits = {});
  ~BoundedServer() override;
  /// Serves on this thread until stop_serving().
  void serve();
  void stop_serving();

 private:
  bool process_and_close_socket(socket_t socket) override;

  const ConnectionLimits limits_;
  std::atomic<bool> stopping_{false};
};

}  // namespace uncial::cli
