#pragma once
/// What a page shows of a training: written by the thread that trains, read by those that serve.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace uncial::cli {

/// Named parts of a state, each with the number of its last change. Holds the newest only, so a slow reader
/// costs no memory and misses nothing that still holds.
class ServeHub {
 public:
  /// Replaces the parts that the object `parts` has.
  void update(const nlohmann::ordered_json& parts);

  struct News {
    std::string json;      ///< an object with the parts changed since; empty: none
    uint64_t version = 0;  ///< what the next question is about
  };
  /// What changed after `seen`; waits for it up to `patience`, but not once close() was called.
  News news(uint64_t seen, std::chrono::milliseconds patience);
  /// Nothing more will come: wakes all who wait.
  void close();
  bool closed() const;

  /// A reader that stays; there are at most kReaders at once.
  class Reader {
   public:
    explicit Reader(ServeHub& hub) : hub_(hub) {}
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

   private:
    ServeHub& hub_;
  };
  static constexpr int kReaders = 8;
  /// A Reader, or null when there are too many.
  std::unique_ptr<Reader> join();
  int readers() const;
  /// Waits until nobody reads any more, up to `patience`.
  void wait_for_readers(std::chrono::milliseconds patience);

 private:
  struct Part {
    std::string json;
    uint64_t version;
  };
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Part> parts_;
  uint64_t version_ = 0;
  int readers_ = 0;
  bool closed_ = false;
};

}  // namespace uncial::cli
