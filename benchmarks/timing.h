#pragma once
// Timing on a machine that others use too. The rules are the peer harness's (its common.py), so that a figure
// of ours and one of a peer were taken alike.

#include <cstdint>
#include <functional>

namespace uncial::bench {

/// Seconds on a steady clock.
double now();

/// CPU seconds since some moment: of the whole machine (zero where it cannot be known), and of this process.
struct CpuTime {
  double machine = 0, process = 0;
};
CpuTime cpu_time();

/// A figure and the share of the machine's CPU time that other processes took while it was measured.
struct Measured {
  double value = 0;
  double others = 0;
};

struct TimingOptions {
  double seconds = 1;                    ///< length of a timed run
  double patience = 20;                  ///< seconds to wait for a quiet machine, in all
  std::function<void()> finish = [] {};  ///< waits for what steps have left running, on a GPU
};

/// Runs `figure` until it was undisturbed (others took less than 4 %), three times at most, each time after a
/// wait for a quiet machine; returns the least disturbed.
Measured least_disturbed(const std::function<double()>& figure, double patience);

/// Steps a second, one started after the other, all of them finished. A warm-up finds how many steps fill the
/// time; step(i) is told how often it ran.
Measured steps_per_second(const std::function<void(int64_t)>& step, const TimingOptions& options);

/// Median microseconds of one step, finished before the next starts, of 20 steps at least.
Measured median_microseconds(const std::function<void(int64_t)>& step, const TimingOptions& options);

}  // namespace uncial::bench
