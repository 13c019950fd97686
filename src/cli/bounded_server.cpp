#include "cli/bounded_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "uncial/core/error.h"

namespace uncial::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAround{100};  // how often a wait looks whether to stop

/// An open connection. Reads end after the limits, and both ways end soon after a stop.
class BoundedStream : public httplib::Stream {
 public:
  BoundedStream(int socket, const ConnectionLimits& limits, const std::atomic<bool>& stopping)
      : socket_(socket),
        limits_(limits),
        stopping_(stopping),
        left_(limits.request_bytes),
        deadline_(Clock::now() + std::chrono::seconds(limits.request_seconds)) {}

  bool is_readable() const override { return left_ > 0 && ready(POLLIN, deadline_); }
  bool is_writable() const override {
    return ready(POLLOUT, Clock::now() + std::chrono::seconds(limits_.write_seconds));
  }
  ssize_t read(char* data, size_t size) override {
    // Small reads of lines are many: one byte at a time each would be a call of the system.
    if (begin_ == end_ && !fill()) return -1;
    const size_t count = std::min(size, end_ - begin_);
    std::memcpy(data, buffer_ + begin_, count);
    begin_ += count;
    return ssize_t(count);
  }
  ssize_t write(const char* data, size_t size) override {
    if (!is_writable()) return -1;
    return ::send(socket_, data, size, MSG_NOSIGNAL);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { name(::getpeername, ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { name(::getsockname, ip, port); }
  socket_t socket() const override { return socket_; }

 private:
  bool ready(short events, Clock::time_point deadline) const {
    while (Clock::now() < deadline && !(stopping_ && events == POLLIN)) {
      pollfd descriptor{socket_, events, 0};
      const int result = ::poll(&descriptor, 1, int(kLookAround.count()));
      if (result > 0) return true;
      if (result < 0 && errno != EINTR) return false;
    }
    return false;
  }

  bool fill() {
    if (!is_readable()) return false;
    const ssize_t count = ::recv(socket_, buffer_, std::min(sizeof buffer_, left_), 0);
    if (count <= 0) return false;
    begin_ = 0;
    end_ = size_t(count);
    left_ -= end_;
    return true;
  }

  template <class Query>
  void name(Query query, std::string& ip, int& port) const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (query(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
    char text[INET6_ADDRSTRLEN] = {};
    if (address.ss_family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
      ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
      port = ntohs(v4.sin_port);
    } else {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
      port = ntohs(v6.sin6_port);
    }
    ip = text;
  }

  const int socket_;
  const ConnectionLimits& limits_;
  const std::atomic<bool>& stopping_;
  size_t left_;
  const Clock::time_point deadline_;
  char buffer_[4096];
  size_t begin_ = 0, end_ = 0;
};

/// Threads and a short queue; who comes when it is full waits, and so does the system's queue of connections.
class BoundedQueue : public httplib::TaskQueue {
 public:
  BoundedQueue(int threads, int waiting) : waiting_(size_t(waiting)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  void enqueue(std::function<void()> task) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tasks_.size() < waiting_; });
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      changed_.notify_all();
      task();
    }
  }

  const size_t waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(const ServeAddress& address) {
  SocketAddress result;
  if (address.is_ipv6()) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(uint16_t(address.port));
    ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
    result.size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(uint16_t(address.port));
    ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);
    result.size = sizeof v4;
  }
  return result;
}

/// Our own, as httplib's would share a port with another program of the same user (SO_REUSEPORT).
int listening_socket(ServeAddress& address) {
  SocketAddress place = socket_address(address);
  const int fd = ::socket(place.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  if (fd >= 0)
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // a port is free at once after us
  auto* const raw = reinterpret_cast<sockaddr*>(&place.storage);
  if (fd < 0 || ::bind(fd, raw, place.size) != 0 || ::listen(fd, 64) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    fail(ErrorKind::io, "--serve: ", address.host, " port ", address.port, ": ", std::strerror(error),
         error == EADDRINUSE ? ". Stop the program that has it, or take another port; 0 takes a free one."
                             : ". Take another address or port.");
  }
  if (::getsockname(fd, raw, &place.size) == 0)
    address.port = ntohs(address.is_ipv6() ? reinterpret_cast<sockaddr_in6*>(raw)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(raw)->sin_port);
  return fd;
}

/// Reads on for a moment: closing with bytes unread would take the answer away from who still sends.
void linger(int socket) {
  ::shutdown(socket, SHUT_WR);
  char waste[4096];
  size_t left = 1 << 18;
  const auto end = Clock::now() + std::chrono::milliseconds(500);
  while (left > 0 && Clock::now() < end) {
    pollfd descriptor{socket, POLLIN, 0};
    if (::poll(&descriptor, 1, 100) <= 0) continue;
    const ssize_t count = ::recv(socket, waste, sizeof waste, 0);
    if (count <= 0) return;
    left -= std::min(left, size_t(count));
  }
}

}  // namespace

BoundedServer::BoundedServer(ServeAddress& address, const ConnectionLimits& limits) : limits_(limits) {
  svr_sock_ = listening_socket(address);
  new_task_queue = [this] { return new BoundedQueue(limits_.threads, limits_.waiting); };
}

BoundedServer::~BoundedServer() {
  // Only one that never served still has it: serve() ends when the socket is gone.
  if (const socket_t socket = svr_sock_.exchange(INVALID_SOCKET); socket != INVALID_SOCKET) ::close(socket);
}

void BoundedServer::serve() { listen_after_bind(); }

void BoundedServer::stop_serving() {
  stopping_ = true;
  stop();
}

bool BoundedServer::process_and_close_socket(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  BoundedStream stream(socket, limits_, stopping_);
  bool closed = true;
  const bool served = process_request(stream, /*close_connection=*/true, closed, nullptr);
  linger(socket);
  ::close(socket);
  return served;
}

}  // namespace uncial::cli
