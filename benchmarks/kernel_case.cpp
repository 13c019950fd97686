#include "kernel_case.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "roofline.h"
#include "timing.h"
#include "uncial/core/parallel.h"
#include "uncial/program/compile.h"

namespace uncial::bench {
namespace {

/// A case and its reference's answer, computed when the first contestant asks.
struct Shared {
  KernelCase kernel_case;
  std::vector<float> expected;
};

const std::vector<float>& expected_of(Shared& shared) {
  if (shared.expected.empty()) {
    const Contestant reference = shared.kernel_case.entries[0].make();
    reference.run();
    shared.expected = reference.result();
  }
  return shared.expected;
}

/// Largest difference as a share of the largest expected value; infinite for NaN or another size.
double gap(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, largest = 1e-30;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = std::abs(double(got[i]) - double(expected[i]));
    if (!(d <= difference)) difference = std::isnan(d) ? INFINITY : d;
    largest = std::max(largest, std::abs(double(expected[i])));
  }
  return difference / largest;
}

/// Memory speeds change little while the programs runs, so they are measured once; the clock does.
Roofline& roofline() {
  static Roofline r = measure_roofline(0.05);
  return r;
}

void measure(benchmark::State& state, Shared& shared, const Entry& entry) {
  const KernelCase& c = shared.kernel_case;
  const Contestant contestant = entry.make();
  contestant.run();
  const double error = gap(contestant.result(), expected_of(shared));
  state.counters["error"] = error;
  if (!(error <= c.tolerance)) {
    state.SkipWithError(join("wrong answer: differs by ", error, ", allowed ", c.tolerance).c_str());
    return;
  }
  Roofline ceiling = roofline();
  const double before = fma_peak(ceiling.isa, ceiling.threads, 0.01);
  const double start = now();
  for ([[maybe_unused]] auto _ : state) contestant.run();
  const double seconds = (now() - start) / double(state.iterations());
  ceiling.fma = (before + fma_peak(ceiling.isa, ceiling.threads, 0.01)) / 2;

  state.counters["GFLOP/s"] = 1e-9 * c.flops / seconds;
  state.counters["GB/s"] = 1e-9 * c.bytes / seconds;
  state.counters["peak_GFLOP/s"] = ceiling.fma;
  state.counters["%peak"] = 100 * ceiling.least_seconds(c.flops, c.bytes) / seconds;
  state.counters["samples/s"] = c.samples / seconds;
  state.SetLabel(c.flops / ceiling.fma > c.bytes / ceiling.bandwidth_for(c.bytes) ? "flops bound"
                                                                                  : "memory bound");
}

}  // namespace

void add_case(KernelCase kernel_case) {
  const auto shared = std::make_shared<Shared>(Shared{std::move(kernel_case), {}});
  for (const Entry& entry : shared->kernel_case.entries)
    benchmark::RegisterBenchmark((shared->kernel_case.name + "/" + entry.name).c_str(),
                                 [shared, entry](benchmark::State& state) { measure(state, *shared, entry); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
}

std::vector<float> values_of(const Tensor& x) {
  const auto values = x.span<float>();
  return {values.begin(), values.end()};
}

Contestant recorded(std::function<Tensors(const Tensors&)> function, Tensors inputs) {
  const auto step = std::make_shared<Compiled>(compile(std::move(function)));
  const auto result = std::make_shared<Tensor>();
  (*step)(inputs);  // records
  return {.run = [=] { *result = (*step)(inputs)[0]; },
          .result = [=] { return values_of(result->contiguous()); }};
}

Contestant writing(Tensor y, std::function<void()> run) {
  return {.run = std::move(run), .result = [y] { return values_of(y); }};
}

}  // namespace uncial::bench
