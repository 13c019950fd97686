#pragma once
/// @file probe.h
/// How running programs tell a profile what took how long. Without a profile all of it costs a null check.
/// Internal.

#include <chrono>
#include <string>
#include <vector>

namespace uncial::program {

class Program;

/// Something that is timed. Times come by its address, from any thread.
struct Piece {
  const void* who = nullptr;
  std::string name;
  std::vector<int> steps;  ///< recorded steps that it stands for
  /// Runs inside another piece, the stage, maybe on several threads at once.
  const void* stage = nullptr;
};

class Probe {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Probe() = default;
  /// A replay of `program` begins, which consists of these pieces.
  virtual void begin(const Program& program, const std::vector<Piece>& pieces) = 0;
  virtual void ran(const void* who, Clock::time_point start, Clock::time_point end) = 0;
  virtual void end(Clock::time_point start) = 0;
};

/// The probe of this thread's ProfileScope, or null.
Probe* current_probe();

/// Times its own life as that of the piece `who`.
class Probed {
 public:
  Probed(Probe* probe, const void* who) : probe_(probe), who_(who) {
    if (probe_) start_ = Probe::Clock::now();
  }
  ~Probed() {
    if (probe_) probe_->ran(who_, start_, Probe::Clock::now());
  }
  Probed(const Probed&) = delete;
  Probed& operator=(const Probed&) = delete;

 private:
  Probe* probe_;
  const void* who_;
  Probe::Clock::time_point start_;
};

}  // namespace uncial::program
