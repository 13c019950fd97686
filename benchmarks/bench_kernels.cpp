// Times every kernel beside a naive loop, Eigen and oneDNN, and holds each answer to the naive one.
//   bench_kernels --threads 2 --benchmark_filter=conv2d_forward --benchmark_out=kernels.json
// All flags of Google Benchmark work. %peak is the share of what the measured multiply-add peak and memory
// bandwidth allow for the work. UNCIAL_ISA picks the instruction set.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "contenders.h"
#include "kernel_case.h"
#include "uncial/core/error.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"

namespace {

using namespace uncial;

/// Takes "--threads N" out of the arguments; 0 when it is not among them.
int take_threads(int& argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) != "--threads") continue;
    const int threads = std::atoi(argv[i + 1]);
    for (int k = i; k + 2 <= argc; ++k) argv[k] = argv[k + 2];
    argc -= 2;
    return threads;
  }
  return 0;
}

void run(int argc, char** argv) {
  if (const int threads = take_threads(argc, argv); threads != 0) set_num_threads(threads);
  if (const char* name = std::getenv("UNCIAL_ISA")) set_isa(name);
  bench::set_contenders_threads(num_threads());
  benchmark::Initialize(&argc, argv);
  require(!benchmark::ReportUnrecognizedArguments(argc, argv), "bench_kernels: unknown arguments.");
  benchmark::AddCustomContext("isa", std::string(isa()));
  benchmark::AddCustomContext("threads", std::to_string(num_threads()));
  for (const auto add :
       {bench::add_conv_cases, bench::add_dense_cases, bench::add_pool_cases, bench::add_norm_cases,
        bench::add_loss_cases, bench::add_pointwise_cases, bench::add_reduce_cases, bench::add_augment_cases})
    add();
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return e.kind() == ErrorKind::usage ? 2 : 1;
  }
}
