// A benchmark must not give a time to a wrong answer.
#include <benchmark/benchmark.h>

#include "kernel_case.h"
#include "support/catch.h"

using namespace uncial;
using namespace uncial::bench;

namespace {

/// Keeps the runs in the place of printing them.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override { all.insert(all.end(), runs.begin(), runs.end()); }
  const Run& find(const std::string& part) const {
    for (const Run& run : all)
      if (run.benchmark_name().find(part) != std::string::npos) return run;
    FAIL("no run of " << part);
    return all.front();
  }
  std::vector<Run> all;
};

Entry constant(const char* name, std::vector<float> values) {
  return {name, [values] {
            return writing(from_values(std::span<const float>(values), {int64_t(values.size())}), [] {});
          }};
}

}  // namespace

TEST_CASE("a contestant's answer is held to the reference before its time counts") {
  add_case(
      {.name = "verdict",
       .flops = 1e3,
       .bytes = 1e3,
       .tolerance = 1e-3,
       .samples = 1,
       .entries = {constant("reference", {1, 2, 4}), constant("close", {1, 2, 4.003f}),
                   constant("off", {1, 2.01f, 4}), constant("nan", {1, 2, NAN}), constant("short", {1, 2})}});
  int arguments = 2;
  char name[] = "test", time[] = "--benchmark_min_time=0.0001";
  char* argv[] = {name, time, nullptr};
  benchmark::Initialize(&arguments, argv);
  Collector runs;
  benchmark::RunSpecifiedBenchmarks(&runs);

  REQUIRE(runs.all.size() == 5);
  for (const char* right : {"reference", "close"}) {
    INFO(right);
    CHECK_FALSE(runs.find(right).error_occurred);
    CHECK(runs.find(right).counters.count("%peak") == 1);
  }
  for (const char* wrong : {"off", "nan", "short"}) {
    INFO(wrong);
    CHECK(runs.find(wrong).error_occurred);
  }
}
