#pragma once
/// @file profile_state.h
/// What a Profile has collected. Internal.

#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "probe.h"
#include "uncial/program/profile.h"

namespace uncial {

struct Profile::State final : program::Probe {
  explicit State(const ProfileOptions& o) : options(o) {}

  void begin(const program::Program& program, const std::vector<program::Piece>& pieces) override;
  void ran(const void* who, Clock::time_point start, Clock::time_point end) override;
  void end(Clock::time_point start) override;

  /// One piece of one of the first replays, on one thread.
  struct Event {
    size_t row;
    int thread;
    Clock::time_point start, end;
  };
  struct Known {
    size_t row = 0;
    bool nested = false;   // its time is part of a stage's
    size_t stage_row = 0;  // then: the stage's row
  };

  const ProfileOptions options;
  std::mutex mutex;
  std::vector<ProfileRow> rows;
  std::vector<Event> events;
  int64_t replays = 0;
  double seconds = 0;

 private:
  size_t row_of(ProfileRow row);
  int thread_number();

  std::map<std::string, size_t> row_by_text_;
  std::unordered_map<const void*, Known> known_;  // pieces of the program that runs now
  std::unordered_map<std::thread::id, int> threads_;
  int concurrency_ = 1;
};

}  // namespace uncial
