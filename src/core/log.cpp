#include "uncial/core/log.h"

#include <atomic>
#include <mutex>

namespace uncial {
namespace {

std::mutex mutex;
LogSink sink;
std::atomic<bool> enabled{false};

}  // namespace

void set_log_sink(LogSink new_sink) {
  const std::lock_guard lock(mutex);
  sink = std::move(new_sink);
  enabled = bool(sink);
}

bool log_enabled() { return enabled.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (!log_enabled()) return;
  const std::lock_guard lock(mutex);
  if (sink) sink(level, message);
}

}  // namespace uncial
