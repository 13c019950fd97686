// Measures what this machine can do at most and prints it as JSON: float32 multiply-adds for each instruction
// set, bfloat16 products, and the bandwidth of each memory level.
//   bench_roofline --threads 2 --seconds 0.5
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "roofline.h"
#include "uncial/core/parallel.h"

namespace {

using namespace uncial;
using namespace uncial::bench;
using Json = nlohmann::ordered_json;

void run(cli::Program& program) {
  std::optional<double> seconds;
  program.number("--seconds", seconds, {0, 600, true}, "Length of each measurement (0.2)");
  program.parse();
  const double each = seconds.value_or(0.2);

  Json peaks;
  for (const std::string& isa : peak_isas()) peaks[isa] = fma_peak(isa, num_threads(), each);
  const Roofline r = measure_roofline(each);
  Json bandwidth;
  for (const MemoryLevel& level : r.levels) bandwidth[level.name] = level.bandwidth;
  const Json result = {{"threads", r.threads},
                       {"isa", r.isa},
                       {"fma_gflops", peaks},
                       {"avx512_bf16_gflops", r.dot > 0 ? Json(r.dot) : Json("no AVX512_BF16")},
                       {"amx_bf16_gflops", r.amx > 0 ? Json(r.amx) : Json("no AMX")},
                       {"copy_gb_per_second", bandwidth}};
  program.write(result.dump(2) + "\n");
  program.save_results(result);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_roofline", "Measures what this machine can do at most", argc, argv, run);
}
