// Times one network at one task and prints one line of JSON.
//   bench_net --model mnist_convnet --task train --batch 128 --threads 2
//   bench_net --model mine.json --image 3,32,32
//   bench_net --model lenet5 --task infer --batch 10000 --device cuda
//   bench_net --model lenet5 --device cuda --precision bf16 --unroll 16
// train, infer: samples_per_second. latency: microseconds of one sample's forward pass. epoch (60,000 samples
// through fit(), data as bytes), first (one prediction): value, seconds from the start of main, and
// samples_per_second of the median epoch of --epochs, whatever fit() does between its steps included.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/profile_flag.h"
#include "cli/program.h"
#include "timing.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/io/atomic_file.h"
#include "uncial/nn/summary.h"
#include "uncial/train/fit.h"
#include "workload.h"

namespace {

using namespace uncial;
using namespace uncial::bench;
using Json = nlohmann::ordered_json;

constexpr int64_t kEpochSamples = 60'000;
constexpr int64_t kMaxPixels = kEpochSamples * 28 * 28;  // of the data in memory, whatever the image size

struct Flags {
  std::string model = "mnist_convnet", image = "1,28,28", task = "train", precision_name = "float32";
  int64_t batch = 128, unroll = 1, epochs = 1;
  Device device;
  std::optional<double> seconds, patience;

  Precision precision() const { return precision_of(precision_name); }
  TimingOptions timing() const {
    TimingOptions options;
    if (seconds) options.seconds = *seconds;
    if (patience) options.patience = *patience;
    if (!device.is_cpu()) options.finish = [device = device] { cuda::synchronize(device); };
    return options;
  }
};

/// Extents written as C,H,W.
Shape extents(const std::string& text) {
  constexpr int64_t kMost = 4096;
  int64_t c = 0, h = 0, w = 0;
  int read = 0;
  const bool three =
      std::sscanf(text.c_str(), "%" SCNd64 ",%" SCNd64 ",%" SCNd64 "%n", &c, &h, &w, &read) == 3;
  require(three && size_t(read) == text.size() && std::min({c, h, w}) > 0 && std::max({c, h, w}) <= kMost,
          "--image: got ", io::printable(text), ", expected C,H,W like 3,32,32, each 1 to ", kMost, ".");
  return {c, h, w};
}

BenchNet net_of(const Flags& flags) {
  if (flags.model.ends_with(".json")) return described_net(flags.model, extents(flags.image));
  return find_bench_net(flags.model);
}

/// Uses the first `threads` cores that this process may use, as the peers do: one thread is one core.
void pin(int threads) {
  cpu_set_t allowed, chosen;
  CPU_ZERO(&chosen);
  if (threads <= 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&chosen) < threads; ++core)
    if (CPU_ISSET(core, &allowed)) CPU_SET(core, &chosen);
  sched_setaffinity(0, sizeof chosen, &chosen);
}

Samples samples_for(const BenchNet& spec, const Flags& flags) {
  const int64_t few = std::min(kEpochSamples, kMaxPixels / count(spec.sample));
  return Samples(spec.sample, std::max(flags.batch * flags.unroll, few), flags.device);
}

std::shared_ptr<nn::Module> made(const BenchNet& spec, const Flags& flags) {
  std::shared_ptr<nn::Module> net = spec.make();
  net->to(flags.device);
  return net;
}

/// Memory that this process holds now.
int64_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

/// Whether the step was replayed from a recording, and if not, why; what everything but the samples took of
/// memory since `before`, and what the step's temporaries would have taken with a place for each.
void describe(Json& result, const Compiled& step, int64_t before) {
  result["recorded"] = step.program() ? Json(true) : Json(step.reason());
  result["added_memory_kib"] = resident_kib() - before;
  if (step.program()) result["unplanned_kib"] = step.program()->unplanned_bytes() / 1024;
}

Json rate(const Measured& steps, int64_t batch) {
  return {{"samples_per_second", steps.value * double(batch)}, {"other_cpu", steps.others}};
}

Json train(const BenchNet& spec, const Flags& flags) {
  const Samples samples = samples_for(spec, flags);
  const int64_t memory = resident_kib();
  const auto net = made(spec, flags);
  TrainingStep step(*net, flags.precision(), flags.unroll);
  Tensor last;
  Json result =
      rate(steps_per_second([&](int64_t i) { last = step(samples, i, flags.batch); }, flags.timing()),
           flags.batch * flags.unroll);
  const double loss = last.item();
  require(std::isfinite(loss), "bench_net: the loss is ", loss, ", so the time means nothing.");
  result["loss"] = loss;
  describe(result, step.compiled(), memory);
  return result;
}

Json infer(const BenchNet& spec, const Flags& flags) {
  const Samples samples = samples_for(spec, flags);
  const int64_t memory = resident_kib();
  const auto net = made(spec, flags);
  InferenceStep step(*net, flags.precision(), flags.unroll);
  const int64_t each = flags.batch * flags.unroll;
  const auto run = [&](int64_t i) { step(samples.images(i, each)); };
  Json result;
  if (flags.task == "latency") {
    const Measured measured = median_microseconds(run, flags.timing());
    result = {{"microseconds", measured.value}, {"other_cpu", measured.others}};
  } else {
    result = rate(steps_per_second(run, flags.timing()), each);
  }
  describe(result, step.compiled(), memory);
  return result;
}

Json epochs(const BenchNet& spec, const Flags& flags) {
  const auto net = made(spec, flags);
  const train::History history = train::fit(*net, byte_samples(spec.sample, kEpochSamples),
                                            {.epochs = flags.epochs,
                                             .batch = flags.batch,
                                             .optimizer = optim::Adam({.lr = 1e-3}),
                                             .precision = flags.precision()});
  std::vector<double> rates;
  for (const train::EpochRecord& epoch : history.epochs) rates.push_back(epoch.samples_per_second);
  std::nth_element(rates.begin(), rates.begin() + int64_t(rates.size() / 2), rates.end());
  return {{"samples_per_second", rates[rates.size() / 2]}};
}

void first(const BenchNet& spec, const Flags& flags) {
  const auto net = made(spec, flags);
  net->eval();
  const NoGrad no_grad;
  const PrecisionScope precision(flags.precision());
  (*net)(Samples(spec.sample, 1, flags.device).images(0, 1)).to(Device::cpu());
}

/// The most memory this program held. Not getrusage()'s figure, which begins with that of the process before
/// exec.
int64_t peak_memory_kib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6));
  return 0;
}

Json measure(const BenchNet& spec, const Flags& flags, double start) {
  if (flags.task == "train") return train(spec, flags);
  if (flags.task == "infer" || flags.task == "latency") return infer(spec, flags);
  Json result;
  if (flags.task == "epoch")
    result = epochs(spec, flags);
  else
    first(spec, flags);
  result["value"] = now() - start;
  result["peak_memory_kib"] = peak_memory_kib();
  return result;
}

void run(cli::Program& program) {
  const double start = now();
  Flags flags;
  std::string names;
  for (const std::string& name : bench_net_names()) names += name + ", ";
  program.text("--model", flags.model, "The network: " + names + "or a description FILE.json", "NAME");
  program.text("--image", flags.image, "Extents of a described network's images: channels, height, width",
               "C,H,W");
  program.choice("--task", flags.task, {"train", "infer", "latency", "epoch", "first"}, "What is timed");
  program.number("--batch", flags.batch, {1, kEpochSamples}, "Samples a step; latency and first take one");
  program.number("--unroll", flags.unroll, {1, 64},
                 "train, infer: steps that are recorded as one, a batch each");
  program.number("--epochs", flags.epochs, {1, 1000}, "Of the task epoch");
  program.choice("--precision", flags.precision_name, {"float32", "bf16", "fp16", "tf32"},
                 "Of the layers' arithmetic");
  program.number("--seconds", flags.seconds, {0, 3600, true}, "Length of a timed run (1)");
  program.number("--patience", flags.patience, {0, 3600},
                 "Seconds to wait for other processes to rest before a run (20)");
  cli::ProfileFlag profile(program);
  program.parse();
  flags.device = program.common().device;
  if (flags.task == "latency" || flags.task == "first") flags.batch = flags.unroll = 1;
  const BenchNet net = net_of(flags);
  pin(program.common().threads);

  profile.start();
  Json line = {{"model", flags.model},         {"task", flags.task},
               {"batch", flags.batch},         {"unroll", flags.unroll},
               {"threads", num_threads()},     {"precision", flags.precision_name},
               {"device", join(flags.device)}, {"isa", isa()}};
  line.update(measure(net, flags, start));
  if (!flags.device.is_cpu()) line["device_peak_kib"] = cuda::memory_stats(flags.device).peak / 1024;
  profile.finish();
  program.write(line.dump() + "\n");
  program.save_results(line);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_net", "Times a network at a task and prints one line of JSON", argc, argv, run);
}
