#pragma once
/// @file profile.h
/// Where the time of recorded steps goes, layer by layer.
///
///     Profile profile;
///     {
///       const ProfileScope scope(profile);
///       train::fit(net, data, {.epochs = 1});
///     }
///     std::cout << profile.table();
///
/// What runs eagerly is not seen: see Compiled::reason().

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "uncial/autograd/origin.h"

namespace uncial {

/// Options of Profile.
struct ProfileOptions {
  int64_t trace_replays = 10;  ///< of the first so many replays every piece is kept for trace_json()
};

/// One layer's operators of one pass, or several layers' that were fused, over all replays.
struct ProfileRow {
  std::string layers;     ///< "0 conv2d + 1 relu"; empty: of no layer
  std::string operators;  ///< what ran
  Pass pass = Pass::forward;
  double seconds = 0;           ///< its share of the time that all threads together had, as wall time
  double flops = 0, bytes = 0;  ///< what the mathematics needs (Cost), whatever a kernel really does
};

/// What this machine can do at most now: float32 additions and multiplications a second of all threads of the
/// pool, with the instruction set in use, measured for `seconds` on numbers that stay in registers.
double measure_peak_flops(double seconds = 0.05);

/// Collects the times of replays, one at a time: threads that replay at once need a profile each. May be read
/// while nobody replays under a scope of it.
class Profile {
 public:
  explicit Profile(const ProfileOptions& options = {});
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  int64_t replays() const;
  /// Wall time of all replays.
  double seconds() const;
  /// In the order in which they run.
  std::vector<ProfileRow> rows() const;

  /// The rows as aligned columns: milliseconds a replay, share of the time, GFLOP/s, and, given what the
  /// machine can do (`peak_flops` FLOP/s of all threads), the share of that.
  std::string table(double peak_flops = 0) const;
  /// The first replays as a trace for chrome://tracing or ui.perfetto.dev.
  std::string trace_json() const;

  struct State;

 private:
  friend class ProfileScope;
  std::unique_ptr<State> state_;
};

/// While alive, replays that this thread asks for are profiled.
class ProfileScope {
 public:
  explicit ProfileScope(Profile& profile);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  void* previous_;
};

}  // namespace uncial
