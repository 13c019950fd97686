#include "gpu_case.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "gpu_contenders.h"
#include "timing.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"
#include "uncial/core/random.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"

namespace uncial::bench {
namespace {

constexpr double kRound = 2e-3;  // seconds: long beside what a wait costs
constexpr int kRounds = 9;

void wait(Device device) {
  if (!device.is_cpu()) cuda::synchronize(device);
}

double seconds_of_round(const GpuContestant& c, Device device, int64_t times) {
  const double from = now();
  c.run(times);
  wait(device);
  return (now() - from) / double(times);
}

/// How many runs a round has; the first ones are the warm-up.
int64_t runs_a_round(const GpuContestant& c, Device device) {
  for (int i = 0; i < 3; ++i) seconds_of_round(c, device, i == 2 ? 20 : 1);
  return std::clamp<int64_t>(int64_t(kRound / seconds_of_round(c, device, 3)), 1, 2000);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + int64_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Largest difference as a share of the largest expected value; infinite for NaN or another size.
double gap(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, largest = 1e-30;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = std::abs(double(got[i]) - double(expected[i]));
    difference = std::isfinite(d) ? std::max(difference, d) : INFINITY;
    largest = std::max(largest, std::abs(double(expected[i])));
  }
  return difference / largest;
}

std::vector<float> answer(const GpuEntry& entry, Device device, int64_t n) {
  const GpuContestant contestant = entry.make(device, n);
  contestant.run(1);
  return contestant.result();
}

double seconds_of(const GpuContestant& contestant, Device device) {
  const int64_t times = runs_a_round(contestant, device);
  std::vector<double> rounds;
  for (int i = 0; i < kRounds; ++i) rounds.push_back(seconds_of_round(contestant, device, times));
  return median(rounds);
}

struct Chosen {
  GpuCase c;
  Device device;
  bool small;
};

void measure(benchmark::State& state, const Chosen& chosen, const GpuEntry& entry) {
  const GpuCase& c = chosen.c;
  const double error =
      gap(answer(entry, chosen.device, c.small), answer(c.entries[0], Device::cpu(), c.small));
  state.counters["error"] = error;
  if (!(error <= c.tolerance)) {
    state.SkipWithError(join("wrong answer: differs by ", error, ", allowed ", c.tolerance).c_str());
    return;
  }
  const int64_t n = chosen.small ? c.small : c.large;
  const GpuContestant contestant = entry.make(chosen.device, n);
  const int64_t times = runs_a_round(contestant, chosen.device);
  std::vector<double> rounds;
  for ([[maybe_unused]] auto _ : state) {
    rounds.push_back(seconds_of_round(contestant, chosen.device, times));
    state.SetIterationTime(rounds.back());
  }
  const double seconds = median(rounds), bytes = c.bytes * double(n), flops = c.flops * double(n);
  const GpuCeiling& ceiling = gpu_ceiling(chosen.device, chosen.small);
  const double peak = c.on_tensor_cores ? ceiling.bfloat16 : ceiling.float32;
  const double memory = bytes / ceiling.copy, arithmetic = peak > 0 ? flops / peak : 0;
  state.counters["us"] = 1e6 * seconds;
  state.counters["GB/s"] = 1e-9 * bytes / seconds;
  state.counters["GFLOP/s"] = 1e-9 * flops / seconds;
  state.counters["%copy"] = 100 * memory / seconds;
  state.counters["%peak"] = 100 * arithmetic / seconds;
  state.counters["calls"] = seconds / ceiling.call;
  if (c.samples > 0) state.counters["samples/s"] = c.samples * double(n) / seconds;
  state.SetLabel(std::max(memory, arithmetic) < ceiling.call ? "launch bound"
                 : arithmetic > memory                       ? "flops bound"
                                                             : "memory bound");
}

/// What one contestant cannot do ends its own benchmark only.
void measure_or_say_why(benchmark::State& state, const Chosen& chosen, const GpuEntry& entry) {
  try {
    measure(state, chosen, entry);
  } catch (const Error& e) {
    state.SkipWithError(e.what());
  }
}

}  // namespace

GpuContestant recorded_on_gpu(std::function<Tensors(const Tensors&)> function, Tensors inputs) {
  const auto step = std::make_shared<Compiled>(compile(std::move(function)));
  const auto last = std::make_shared<Tensors>();
  return {.run = [=](int64_t times) { *last = step->repeat(inputs, times); },
          .result =
              [=] {
                std::vector<float> all;
                for (const Tensor& y : *last) {
                  const Tensor here = y.to(Device::cpu()).contiguous();
                  const auto values = here.span<float>();
                  all.insert(all.end(), values.begin(), values.end());
                }
                return all;
              }};
}

const GpuCeiling& gpu_ceiling(Device device, bool small) {
  static const GpuCeiling ceiling = [&] {
    const int64_t elements = small ? 1 << 16 : 1 << 26;
    const Tensor x = rand({elements}, 1).to(device), y = empty({elements}, DType::float32, device);
    const GpuContestant one =
        recorded_on_gpu([](const Tensors& in) { return Tensors{relu(in[0])}; }, {x.slice(0, {.stop = 1})});
    const GpuContestant copy = {[=](int64_t times) {
                                  for (; times > 0; --times) y.copy_(x);
                                },
                                {}};
    GpuCeiling c{.copy = 8.0 * double(elements) / seconds_of(copy, device), .call = seconds_of(one, device)};
    if (has_gpu_libraries() && !device.is_cpu()) {
      const int64_t side = small ? 64 : 8192;
      const double flops = 2.0 * double(side) * double(side) * double(side);
      c.copy = std::max(c.copy, 8.0 * double(elements) / seconds_of(library_copy(4 * elements), device));
      c.float32 = flops / seconds_of(library_product(side, side, side, false), device);
      c.bfloat16 = flops / seconds_of(library_product(side, side, side, true), device);
    }
    return c;
  }();
  return ceiling;
}

void add_gpu_case(GpuCase gpu_case, Device device, bool small) {
  const auto chosen = std::make_shared<const Chosen>(Chosen{std::move(gpu_case), device, small});
  for (const GpuEntry& entry : chosen->c.entries)
    benchmark::RegisterBenchmark(
        (chosen->c.name + "/" + entry.name).c_str(),
        [chosen, entry](benchmark::State& state) { measure_or_say_why(state, *chosen, entry); })
        ->Iterations(kRounds)  // asked for more, it would make all operands anew
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace uncial::bench
