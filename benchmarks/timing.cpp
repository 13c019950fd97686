#include "timing.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace uncial::bench {
namespace {

constexpr double kBusy = 0.04;   // a run is disturbed when others took more of the machine
constexpr double kQuiet = 0.06;  // the machine is quiet when they take less than so much of one core a core
constexpr int kTries = 3;

double others_share(const CpuTime& from, const CpuTime& to, double seconds) {
  const double others = to.machine - from.machine - (to.process - from.process);
  return std::max(0.0, others / (seconds * double(std::max(1u, std::thread::hardware_concurrency()))));
}

/// Sleeps until the rest of the machine is idle, `budget` seconds at most; returns the seconds it took.
double wait_for_quiet(double budget) {
  const double start = now();
  while (now() - start < budget) {
    const double began = now();
    const CpuTime before = cpu_time();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (others_share(before, cpu_time(), now() - began) < kQuiet) break;
  }
  return now() - start;
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

CpuTime cpu_time() {
  CpuTime time;
  std::ifstream stat("/proc/stat");
  std::string word;
  // user nice system idle iowait irq softirq steal: all but idle and iowait is somebody's work
  for (int field = -1; field < 8 && stat >> word; ++field)
    if (field >= 0 && field != 3 && field != 4) time.machine += std::stod(word);
  time.machine /= double(sysconf(_SC_CLK_TCK));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  for (const timeval& t : {usage.ru_utime, usage.ru_stime})
    time.process += double(t.tv_sec) + 1e-6 * double(t.tv_usec);
  return time;
}

Measured least_disturbed(const std::function<double()>& figure, double patience) {
  Measured best{0, 1e9};
  for (int i = 0; i < kTries && best.others >= kBusy; ++i) {
    patience -= wait_for_quiet(patience);
    const double start = now();
    const CpuTime before = cpu_time();
    const double value = figure();
    const double others = others_share(before, cpu_time(), now() - start);
    if (others < best.others) best = {value, others};
  }
  return best;
}

Measured steps_per_second(const std::function<void(int64_t)>& step, const TimingOptions& options) {
  const double start = now();
  int64_t done = 0;
  while (done < 2 || (now() - start < options.seconds / 2 && done < 1000)) step(done++);
  options.finish();
  const double began = now();
  step(done);
  options.finish();
  const int64_t steps = std::max<int64_t>(1, std::llround(options.seconds / (now() - began)));
  return least_disturbed(
      [&] {
        const double from = now();
        for (int64_t i = 0; i < steps; ++i) step(i);
        options.finish();
        return double(steps) / (now() - from);
      },
      options.patience);
}

Measured median_microseconds(const std::function<void(int64_t)>& step, const TimingOptions& options) {
  const auto run = [&] {
    std::vector<double> times;
    for (const double start = now(); now() - start < options.seconds || times.size() < 20;) {
      const double from = now();
      step(int64_t(times.size()));
      options.finish();
      times.push_back(now() - from);
    }
    std::nth_element(times.begin(), times.begin() + ptrdiff_t(times.size() / 2), times.end());
    return 1e6 * times[times.size() / 2];
  };
  run();
  return least_disturbed(run, options.patience);
}

}  // namespace uncial::bench
