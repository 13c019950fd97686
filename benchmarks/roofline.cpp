#include "roofline.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "peak_loops.h"
#include "timing.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"

namespace uncial::bench {
namespace {

/// Best rate of several rounds: a ceiling is what the machine can do, not what it did while others worked.
/// `work` does its units once for each thread. Returns units a second of all threads together.
double best_rate(double units, int threads, double seconds, const std::function<void(int64_t)>& work) {
  double best = 0;
  const double start = now();
  do {
    const double from = now();
    parallel_for(threads, work);
    best = std::max(best, units * threads / (now() - from));
  } while (now() - start < seconds);
  return best;
}

int64_t cache_bytes(int name, int64_t if_unknown) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : if_unknown;
}

/// 0 where there is no such loop.
double loop_peak(const cpu::PeakLoop& loop, int64_t rounds, int threads, double seconds) {
  if (!loop.run) return 0;
  return 1e-9 *
         best_rate(loop.flops_a_round * double(rounds), threads, seconds, [&](int64_t) { loop.run(rounds); });
}

}  // namespace

std::vector<std::string> peak_isas() {
  std::vector<std::string> all = isas();
  std::erase_if(all, [](const std::string& isa) { return isa == "amx" || isa == "avx512-bf16"; });
  return all;
}

double fma_peak(const std::string& isa, int threads, double seconds) {
  // Some 6 ms a thread, so that waking threads costs little.
  return loop_peak(cpu::fma_loop(isa), 1'500'000, threads, seconds);
}

double amx_peak(int threads, double seconds) { return loop_peak(cpu::amx_loop(), 100'000, threads, seconds); }

double dot_peak(int threads, double seconds) {
  return loop_peak(cpu::dot_loop(), 1'500'000, threads, seconds);
}

double copy_bandwidth(int64_t bytes, int threads, double seconds) {
  const size_t half = size_t(bytes) / 2;
  const size_t times = std::max<size_t>(1, (size_t(64) << 20) / half);
  std::vector<std::unique_ptr<char[]>> memory;
  for (int t = 0; t < threads; ++t) memory.emplace_back(new char[2 * half]());
  return 1e-9 * best_rate(2.0 * double(half * times), threads, seconds, [&](int64_t t) {
           char* from = memory[size_t(t)].get();
           for (size_t i = 0; i < times; ++i) {
             std::memcpy(from + half, from, half);
             asm volatile("" : : "r"(from) : "memory");  // the copy must happen each time
           }
         });
}

double Roofline::bandwidth_for(double bytes) const {
  for (const MemoryLevel& level : levels)
    if (bytes <= double(level.capacity) * threads) return level.bandwidth;
  return levels.back().bandwidth;
}

double Roofline::least_seconds(double flops, double bytes) const {
  return 1e-9 * std::max(flops / fma, bytes / bandwidth_for(bytes));
}

Roofline measure_roofline(double seconds) {
  Roofline r;
  r.threads = num_threads();
  r.isa = isa();
  r.fma = fma_peak(r.isa, r.threads, seconds);
  r.dot = dot_peak(r.threads, seconds);
  r.amx = amx_peak(r.threads, seconds);
  const int64_t l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
  const int64_t l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
  const int64_t l3 = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 8 << 20) / r.threads;
  r.levels = {{"L1", l1}, {"L2", l2}, {"L3", l3}, {"memory", std::numeric_limits<int64_t>::max()}};
  for (MemoryLevel& level : r.levels)  // half of a cache surely holds what it is given; no cache holds four
    level.bandwidth =
        copy_bandwidth(level.name == "memory" ? 4 * std::max<int64_t>(l3, 16 << 20) : level.capacity / 2,
                       r.threads, seconds);
  return r;
}

}  // namespace uncial::bench
