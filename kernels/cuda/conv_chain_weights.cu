#include "conv_chain.h"
#include "partial_sums.h"
#include "warp.h"

// Weights into the order of the tensor cores before a chain runs, and partial sums of their gradients
// together afterwards: one launch each for all layers.

namespace uncial::cuda {
namespace {

constexpr int kMaxJobs = 2 * kMaxChain;

struct Pack {
  PackJob jobs[kMaxJobs];
  Divider by_tiles[kMaxJobs], by_channels[kMaxJobs];  ///< of a step; of a tap, padded
  int ends[kMaxJobs];

  UNCIAL_BODY void operator()(int64_t word) const {
    let_next_kernel_start();  // all blocks fit at once
    int i = int(word), j = 0;
    while (i >= ends[j]) ++j;
    if (j > 0) i -= ends[j - 1];
    const PackJob& job = jobs[j];
    const int fragment = i / kPackedWords, step = by_tiles[j].quotient(fragment),
              tile = by_tiles[j].remainder(fragment, step);
    const auto element = [&](int k, int n) {
      return weight(job, by_channels[j], step * 16 + k, tile * 8 + n);
    };
    job.packed[i] = job.precision == Precision::fp16 ? packed_word<Float16Format>(i % kPackedWords, element)
                                                     : packed_word<Bfloat16Format>(i % kPackedWords, element);
  }
  /// Channels of a tap among the inner places of the product.
  UNCIAL_BODY static int padded(const PackJob& job) {
    return job.taps_are_channels ? job.C : ((job.transposed ? job.K : job.C) + 7) / 8 * 8;
  }
  /// Of the product: inner place k, column n.
  UNCIAL_BODY static float weight(const PackJob& job, const Divider& by_channels, int k, int n) {
    const int inner = job.transposed ? job.K : job.C, outer = job.transposed ? job.C : job.K;
    const int taps = job.R * job.S, tap = by_channels.quotient(k), c = by_channels.remainder(k, tap);
    if (tap >= taps || c >= inner || n >= outer) return 0.0f;
    return job.transposed ? at(job, c, n, taps - 1 - tap) : at(job, n, c, tap);
  }
  UNCIAL_BODY static float at(const PackJob& job, int k, int c, int tap) {
    return job.weights[(k * job.C + c) * job.R * job.S + tap];
  }
};

using SlotSums = PartialSums<32, 32>;
constexpr int kOutputs = 32;  // of a block

struct Gather {
  GatherJob jobs[kMaxChain];
  int64_t ends[kMaxChain];

  UNCIAL_BODY static int width(const GatherJob& job) { return job.units * 8 + 8; }
  UNCIAL_BODY void operator()(const Block& block) const {
    int j = 0;
    while (block.index >= ends[j]) ++j;
    const GatherJob& job = jobs[j];
    const int first = int(block.index - (j == 0 ? 0 : ends[j - 1])) * kOutputs;
    SlotSums::add(block, job.partial + first, int64_t(job.padded_filters) * width(job), int(job.slots),
                  job.filters * width(job) - first, [&](int column, float sum) {
                    const int i = first + column, filter = i / width(job);
                    put(job, filter, i - filter * width(job), sum);
                  });
  }
  UNCIAL_BODY static void put(const GatherJob& job, int filter, int k, float sum) {
    const int taps = job.R * job.S, padded = job.taps_are_channels ? job.C : (job.C + 7) / 8 * 8;
    if (k == job.units * 8 && job.bias) job.bias[filter] = sum;
    const int tap = k / padded, c = k % padded;
    if (tap < taps && c < job.C && k < job.units * 8 && job.weights)
      job.weights[(filter * job.C + c) * taps + tap] = sum;
  }
};

}  // namespace

void run(const PackJob* jobs, int count) {
  Pack pack{};
  int total = 0;
  for (int j = 0; j < count; ++j) {
    pack.jobs[j] = jobs[j];
    pack.by_tiles[j] = Divider(jobs[j].filter_tiles);
    pack.by_channels[j] = Divider(Pack::padded(jobs[j]));
    pack.ends[j] = total += jobs[j].filter_tiles * (jobs[j].units / 2) * kPackedWords;
  }
  each(total, pack, "pack_weights");
}

void run(const GatherJob* jobs, int count) {
  Gather gather{};
  int64_t total = 0;
  for (int j = 0; j < count; ++j) {
    gather.jobs[j] = jobs[j];
    gather.ends[j] = total += ceil_div(int64_t(jobs[j].filters) * Gather::width(jobs[j]), kOutputs);
  }
  each_block(total, SlotSums::kThreads, SlotSums::kSharedBytes, gather, "weight_gradients");
}

}  // namespace uncial::cuda
