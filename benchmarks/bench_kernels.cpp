// Times every kernel beside a naive loop, Eigen and oneDNN, and holds each answer to the naive one; or
// operators on a GPU beside cuDNN and cuBLAS, held to the CPU's answer.
//   bench_kernels --threads 2 --benchmark_filter=conv2d_forward --benchmark_out=kernels.json
//   bench_kernels --device cuda --benchmark_filter=softmax
// All flags of Google Benchmark work. %peak is the share of what the measured multiply-add peak and memory
// bandwidth allow for the work. UNCIAL_ISA picks the instruction set.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "contenders.h"
#include "gpu_case.h"
#include "kernel_case.h"
#include "uncial/core/device.h"
#include "uncial/core/error.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"

namespace {

using namespace uncial;

/// Takes "NAME VALUE" out of the arguments; empty when it is not among them.
std::string take(int& argc, char** argv, std::string_view name) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] != name) continue;
    const std::string value = argv[i + 1];
    for (int k = i; k + 2 <= argc; ++k) argv[k] = argv[k + 2];
    argc -= 2;
    return value;
  }
  return {};
}

Device device_of(const std::string& text) {
  if (text == "cpu") return Device::cpu();
  int index = 0, read = 0;
  const bool numbered =
      std::sscanf(text.c_str(), "cuda:%d%n", &index, &read) == 1 && size_t(read) == text.size();
  require(text == "cuda" || (numbered && index >= 0), "bench_kernels: --device is cpu, cuda or cuda:N, got ",
          text, ".");
  return Device::cuda(index);
}

void add_cpu_cases() {
#if defined(UNCIAL_BENCH_CPU_KERNELS)
  bench::set_contenders_threads(num_threads());
  for (const auto add :
       {bench::add_conv_cases, bench::add_dense_cases, bench::add_pool_cases, bench::add_norm_cases,
        bench::add_loss_cases, bench::add_pointwise_cases, bench::add_reduce_cases, bench::add_augment_cases})
    add();
#else
  fail(ErrorKind::usage,
       "bench_kernels: kernels of the CPU are not to be had from a shared library; build with "
       "-DBUILD_SHARED_LIBS=OFF, or pass --device cuda.");
#endif
}

void add_gpu(Device device, bool small) {
  const bench::GpuCeiling& ceiling = bench::gpu_ceiling(device, small);
  benchmark::AddCustomContext("copy_gb_per_second", std::to_string(1e-9 * ceiling.copy));
  benchmark::AddCustomContext("float32_gflop_per_second", std::to_string(1e-9 * ceiling.float32));
  benchmark::AddCustomContext("bfloat16_gflop_per_second", std::to_string(1e-9 * ceiling.bfloat16));
  benchmark::AddCustomContext("call_microseconds", std::to_string(1e6 * ceiling.call));
  bench::add_gpu_cases(device, small);
}

void run(int argc, char** argv) {
  if (const std::string threads = take(argc, argv, "--threads"); !threads.empty())
    set_num_threads(std::atoi(threads.c_str()));
  const std::string device = take(argc, argv, "--device"), size = take(argc, argv, "--size");
  require(size.empty() || size == "small", "bench_kernels: --size is small (a test of this program), got ",
          size, ".");
  if (const char* name = std::getenv("UNCIAL_ISA")) set_isa(name);
  benchmark::Initialize(&argc, argv);
  require(!benchmark::ReportUnrecognizedArguments(argc, argv), "bench_kernels: unknown arguments.");
  benchmark::AddCustomContext("isa", std::string(isa()));
  benchmark::AddCustomContext("threads", std::to_string(num_threads()));
  if (device.empty()) {
    add_cpu_cases();
  } else {
    benchmark::AddCustomContext("device", device);
    add_gpu(device_of(device), size == "small");
  }
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return e.kind() == ErrorKind::usage ? 2 : e.kind() == ErrorKind::device ? 5 : 1;
  }
}
