#include "cli/serve_hub.h"

#include <nlohmann/json.hpp>

namespace uncial::cli {

void ServeHub::update(const nlohmann::ordered_json& parts) {
  std::map<std::string, std::string> texts;  // made before the lock
  for (const auto& [name, value] : parts.items())
    texts[name] = value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    for (auto& [name, text] : texts) parts_[name] = {std::move(text), version_};
  }
  changed_.notify_all();
}

ServeHub::News ServeHub::news(uint64_t seen, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return closed_ || version_ > seen; });
  News news{.json = "", .version = version_};
  for (const auto& [name, part] : parts_) {
    if (part.version <= seen) continue;
    news.json += (news.json.empty() ? "{\"" : ",\"") + name + "\":" + part.json;
  }
  if (!news.json.empty()) news.json += '}';
  return news;
}

void ServeHub::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

bool ServeHub::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::unique_ptr<ServeHub::Reader> ServeHub::join() {
  const std::lock_guard lock(mutex_);
  if (readers_ == kReaders || closed_) return nullptr;
  ++readers_;
  return std::make_unique<Reader>(*this);
}

ServeHub::Reader::~Reader() {
  {
    const std::lock_guard lock(hub_.mutex_);
    --hub_.readers_;
  }
  hub_.changed_.notify_all();
}

int ServeHub::readers() const {
  const std::lock_guard lock(mutex_);
  return readers_;
}

void ServeHub::wait_for_readers(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return readers_ == 0; });
}

}  // namespace uncial::cli
