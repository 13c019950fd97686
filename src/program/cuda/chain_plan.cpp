#include "chain_plan.h"

#include <algorithm>
#include <deque>

#include "chain_cut.h"
#include "program/stage.h"
#include "uncial/core/random.h"
#include "uncial/core/shape.h"

namespace uncial::program::cuda {
namespace {

using namespace uncial::cuda;

/// Shared memory of a block, planned as an arena is; phases take the place of stages.
class SharedMemory {
 public:
  /// `bytes` from one phase to another; `at` becomes the offset in units of `unit` bytes.
  void want(int* at, int64_t bytes, int unit, int first, int last) {
    blocks_.push_back({.bytes = bytes, .first_stage = first, .last_stage = last});
    places_.push_back({at, unit});
  }
  void always(int* at, int64_t bytes, int unit) { want(at, bytes, unit, 0, 1 << 20); }
  int64_t plan() {
    std::vector<Block*> all;
    for (Block& b : blocks_) all.push_back(&b);
    const int64_t bytes = plan_arena(all);
    for (size_t i = 0; i < places_.size(); ++i) *places_[i].at = int(blocks_[i].offset / places_[i].unit);
    return bytes;
  }

 private:
  struct Place {
    int* at;
    int unit;
  };
  std::deque<Block> blocks_;
  std::vector<Place> places_;
};

/// Pixels lie an odd number of 16 bytes apart.
int pitch_of(int channels) { return channels / 8 % 2 == 1 ? channels : channels + 8; }

SharedImage image_of(int64_t channels, int64_t height, int64_t width, int64_t halo) {
  SharedImage x{};
  x.height = int(height), x.width = int(width), x.halo = int(halo);
  x.channels = round_up(channels, 8);
  x.pitch = pitch_of(x.channels);
  x.planes = 1, x.by_width = Divider(width), x.by_columns = Divider(x.columns());
  return x;
}
/// A sample as it came.
SharedImage planes_of(const ConvExtents& e) {
  SharedImage x = image_of(e.C, e.H, e.W, e.padding);
  x.channels = int(e.C), x.planes = int(e.C), x.pitch = 1;
  return x;
}

int64_t bytes_of(const SharedImage& x) { return round_up(x.elements(), 8) * 2; }

bool supported_layer(const ConvSpec& s) {
  const ConvExtents& e = s.e;
  return e.groups == 1 && e.N > 0 && e.C > 0 && e.K > 0 && (!s.pool || (e.P >= 2 && e.Q >= 2)) &&
         e.C * e.R * e.S < 1 << 14 && e.H * e.W < 1 << 14 && e.P * e.Q < 1 << 14 && e.padding < 64 &&
         std::max(e.C * e.H * e.W, e.K * e.P * e.Q) < 1 << 17;  // so that Divider is exact
}

bool all_supported(const std::vector<ConvSpec>& specs) {
  return !specs.empty() && specs.size() <= size_t(kMaxChain) &&
         std::all_of(specs.begin(), specs.end(), supported_layer);
}

/// Fewer channels than a unit has, so a unit is of several taps.
bool few_channels(const ConvExtents& e) { return e.C < 8; }

SharedImage input_image(const ConvSpec& s, bool first) {
  const ConvExtents& e = s.e;
  return first && few_channels(e) ? planes_of(e) : image_of(e.C, e.H, e.W, e.padding);
}

Taps taps_of(const ConvExtents& e, int64_t origin, int64_t stride, int64_t units_a_tap) {
  return {int(e.R),
          int(e.S),
          int(stride),
          int(e.dilation),
          int(origin),
          round_up(e.R * e.S * units_a_tap, 2),
          Divider(units_a_tap),
          Divider(e.S)};
}
Taps taps_of(const ConvSpec& s, bool first, const SharedImage& x) {
  const ConvExtents& e = s.e;
  if (!first || !few_channels(e)) return taps_of(e, -e.padding, e.stride, x.channels / 8);
  Taps taps = taps_of(e, -e.padding, e.stride, 1);
  taps.units = round_up(ceil_div(e.R * e.S * e.C, 8), 2), taps.by_channels = Divider(e.C);
  return taps;
}

FirstImage first_of(const ConvExtents& e) {
  return {e, few_channels(e), 0, Divider(e.W), Divider(e.H * e.W)};
}

void want_tables(SharedMemory& memory, ConvProduct& p) {
  memory.always(&p.rows_at, p.padded_rows() * 4, 4);
  memory.always(&p.units_at, p.taps.units * 4 * (p.gathered ? 8 : 1), 4);
}

/// Small images leave room for several blocks on a multiprocessor.
constexpr int kSmallBlocks = 3;

template <class Chain>
bool fits(const Chain& chain, const GpuLimits& limits) {
  return int64_t(chain.shared_bytes) * chain.resident <= limits.shared_bytes &&
         (chain.resident == 1 || chain.N >= chain.resident * limits.multiprocessors);
}

/// Threads of a block that has a multiprocessor for itself. What each warp costs by itself: some 150 cycles
/// (2026-11-26: networks of two convolutions on an H100).
constexpr int kThreads[] = {576, 768};
double cycles_of_warps(const Launch& launch) { return 150.0 * launch.warps(); }
constexpr int kSmallThreads = 256;

Launch launch_of(int64_t N, int threads, int resident, const GpuLimits& limits) {
  return {threads, resident, ceil_div(N, int64_t(limits.multiprocessors) * resident)};
}

}  // namespace

int64_t partial_floats(const BackwardLayer& l, int blocks) {
  return int64_t(blocks) * l.padded_filters() * l.width_of_partial();
}

namespace {

/// Words of shared memory a filter: what 8 pixels of 4 pairs of filters take lies in different banks.
int staging_pitch(const ConvProduct& p) {
  return round_up(std::max(0, (p.windows ? p.padded_rows() / 4 : p.padded_rows()) - 4), 16) + 4;
}

/// A plan and the cycles of a sample.
template <class Chain>
struct Costed {
  Chain chain;
  double cycles;
};

/// The fastest of what fits; nothing when nothing does.
template <class Chain, class Plan>
std::optional<Chain> best_of(int64_t N, const GpuLimits& limits, Plan plan) {
  std::optional<Costed<Chain>> best;
  const auto consider = [&](int threads, int resident) {
    const Costed<Chain> costed = plan(launch_of(N, threads, resident, limits));
    if (fits(costed.chain, limits) && (!best || costed.cycles < best->cycles)) best = costed;
  };
  consider(kSmallThreads, kSmallBlocks);
  if (!best)
    for (const int threads : kThreads) consider(threads, 1);
  if (!best) return {};
  best->chain.blocks = int(std::min<int64_t>(N, int64_t(limits.multiprocessors) * best->chain.resident));
  return best->chain;
}

Costed<ForwardChain> plan_forward_for(const std::vector<ConvSpec>& specs, const Launch& launch) {
  ForwardChain chain{};
  chain.layers = int(specs.size());
  chain.N = specs[0].e.N;
  double cycles = cycles_of_warps(launch);
  chain.threads = launch.threads, chain.resident = launch.resident;
  chain.first = first_of(specs[0].e);
  SharedMemory memory;
  for (int i = 0; i < chain.layers; ++i) {
    const ConvSpec& s = specs[size_t(i)];
    ForwardLayer& l = chain.layer[i];
    ConvProduct& p = l.product;
    l.filters = int(s.e.K), l.relu = s.relu;
    l.out_height = int(s.pool ? s.e.P / 2 : s.e.P), l.out_width = int(s.pool ? s.e.Q / 2 : s.e.Q);
    p.x = input_image(s, i == 0);
    p.taps = taps_of(s, i == 0, p.x);
    p.gathered = i == 0 && chain.first.gathered;
    p.height = int(s.e.P), p.width = int(s.e.Q), p.windows = s.pool;
    p.by_columns = Divider(s.pool ? p.width / 2 : p.width);
    cycles += cut_filters(p, s.e.K, launch, most_tiles(launch.threads * launch.resident));
    memory.always(&p.x.at, bytes_of(p.x), 2);
    memory.always(&p.weights_at, int64_t(p.packed_words()) * 4, 4);
    memory.always(&l.bias_at, p.filter_tiles * 8 * 4, 4);
    want_tables(memory, p);
    if (i + 1 < chain.layers) memory.always(&l.y_rows_at, int64_t(l.out_height) * l.out_width * 4, 4);
  }
  const ForwardLayer& last = chain.layer[chain.layers - 1];
  chain.staging_pitch = staging_pitch(last.product);
  chain.by_pixels = Divider(int64_t(last.out_height) * last.out_width);
  memory.always(&chain.staging_at, int64_t(last.product.filter_tiles) * 8 * chain.staging_pitch * 5, 4);
  memory.always(&chain.first.raw_at, round_up(specs[0].e.C * specs[0].e.H * specs[0].e.W, 4) * 4, 4);
  memory.always(&chain.stream_at, sizeof(RandomStream), 4);
  chain.shared_bytes = int(memory.plan());
  for (int i = 0; i + 1 < chain.layers; ++i) {
    chain.layer[i].y = chain.layer[i + 1].product.x;
    chain.layer[i].by_vectors = Divider(chain.layer[i].y.channels / 8);
  }
  return {chain, cycles};
}

}  // namespace

std::optional<ForwardChain> plan_forward(const std::vector<ConvSpec>& specs, const GpuLimits& limits) {
  if (!all_supported(specs)) return {};
  return best_of<ForwardChain>(specs[0].e.N, limits,
                               [&](const Launch& launch) { return plan_forward_for(specs, launch); });
}

namespace {

/// Returns the cycles of a sample.
double plan_layer(BackwardChain& chain, int i, const std::vector<ConvSpec>& specs, const Launch& launch) {
  const ConvSpec& s = specs[size_t(i)];
  const ConvExtents& e = s.e;
  BackwardLayer& l = chain.layer[i];
  l.filters = int(e.K), l.height = int(e.P), l.width = int(e.Q);
  l.x = input_image(s, i == 0);
  l.taps = taps_of(s, i == 0, l.x);
  double cycles = cut_gradient(l, launch);
  l.has_input_gradient = i > 0;
  if (i > 0) l.by_vectors = Divider(l.x.channels / 8);
  const int64_t outside = e.dilation * (e.R - 1) - e.padding;
  l.dy = image_of(e.K, e.P, e.Q, i > 0 ? outside : 0);
  l.dy.pitch = std::max(l.dy.pitch, pitch_of(l.padded_filters()));
  chain.zeros = std::max(chain.zeros, l.padded_filters());
  if (i == 0) return cycles;
  ConvProduct& p = l.product;
  p.x = l.dy;
  p.taps = taps_of(e, -outside, 1, p.x.channels / 8);
  p.height = int(e.H), p.width = int(e.W), p.by_columns = Divider(e.W);
  cycles += cut_filters(p, e.C, launch, 4);
  const ConvSpec& before = specs[size_t(i) - 1];
  const SharedImage& dx = chain.layer[i - 1].dy;
  l.pooled_before = before.pool;
  l.mask_by_x = before.relu && !before.pool;
  // What masks a gradient makes room for it, element by element.
  l.dy_takes_x = !before.pool && dx.pitch == l.x.pitch && dx.halo == l.x.halo;
  return cycles;
}

/// Two phases a layer: its weight gradient, and its input gradient, which is the next layer's dy.
void place_layer(BackwardChain& chain, int i, SharedMemory& memory) {
  BackwardLayer& l = chain.layer[i];
  const int phase = 2 * (chain.layers - 1 - i);
  const bool last = i + 1 == chain.layers, gathered = i == 0 && chain.first.gathered;
  memory.always(&l.x_rows_at, l.steps() * 16 * 4, 4);
  memory.always(&l.dy_rows_at, l.steps() * 16 * 4, 4);
  memory.always(&l.x_units_at, l.taps.units * 4 * (gathered ? 8 : 1), 4);
  if (!gathered) memory.always(&l.x_pixels_at, int64_t(l.x.height) * l.x.width * 4, 4);
  if (last && chain.roomy)
    memory.always(&l.dy.at, bytes_of(l.dy), 2);
  else if (last || !chain.layer[i + 1].dy_takes_x)
    memory.want(&l.dy.at, bytes_of(l.dy), 2, std::max(0, phase - 1), phase + 1);
  if (gathered)
    memory.always(&l.x.at, bytes_of(l.x), 2);
  else
    memory.want(&l.x.at, bytes_of(l.x), 2, phase, l.dy_takes_x ? phase + 3 : l.mask_by_x ? phase + 1 : phase);
  if (l.splits > 1)
    memory.want(&l.splits_at, int64_t(l.splits) * l.padded_filters() * l.width_of_partial() * 4, 4, phase,
                phase);
  if (i == 0) return;
  want_tables(memory, l.product);
  if (!l.dy_takes_x) memory.always(&l.dx_rows_at, l.product.rows() * 4, 4);
  if (l.pooled_before)
    memory.want(&l.codes_at, int64_t(l.x.height) * l.x.width * l.x.channels, 1, phase, phase + 1);
  memory.want(&l.product.weights_at, int64_t(l.product.packed_words()) * 4, 4,
              chain.roomy ? phase : phase + 1, phase + 1);
}

Costed<BackwardChain> plan_backward_for(const std::vector<ConvSpec>& specs, const Launch& launch,
                                        bool roomy) {
  BackwardChain chain{};
  chain.layers = int(specs.size());
  chain.N = specs[0].e.N;
  double cycles = cycles_of_warps(launch);
  chain.threads = launch.threads, chain.resident = launch.resident;
  chain.roomy = roomy;
  chain.first = first_of(specs[0].e);
  chain.pooled = specs.back().pool;
  chain.by_width = Divider(specs.back().e.Q / (chain.pooled ? 2 : 1));
  chain.by_groups = Divider(ceil_div(specs.back().e.K, kDyFilters));
  for (int i = 0; i < chain.layers; ++i) cycles += plan_layer(chain, i, specs, launch);
  SharedMemory memory;
  memory.always(&chain.first.raw_at, round_up(specs[0].e.C * specs[0].e.H * specs[0].e.W, 4) * 4, 4);
  memory.always(&chain.zeros_at, chain.zeros * 2, 2);
  for (int i = chain.layers - 1; i >= 0; --i) place_layer(chain, i, memory);
  chain.shared_bytes = int(memory.plan());
  for (int i = chain.layers - 1; i > 0; --i) {
    if (chain.layer[i].dy_takes_x) chain.layer[i - 1].dy.at = chain.layer[i].x.at;
    chain.layer[i].product.x.at = chain.layer[i].dy.at;
  }
  return {chain, cycles};
}

bool gradients_supported(const std::vector<ConvSpec>& specs) {
  for (size_t i = 1; i < specs.size(); ++i) {
    const ConvExtents& e = specs[i].e;
    if (e.stride != 1 || e.dilation * (e.R - 1) < e.padding || e.R != e.S) return false;
  }
  return true;
}

}  // namespace

std::optional<BackwardChain> plan_backward(const std::vector<ConvSpec>& specs, const GpuLimits& limits) {
  if (!all_supported(specs) || !gradients_supported(specs)) return {};
  for (const bool roomy : {true, false})
    if (auto chain = best_of<BackwardChain>(specs[0].e.N, limits, [&](const Launch& launch) {
          return plan_backward_for(specs, launch, roomy);
        }))
      return chain;
  return {};
}

}  // namespace uncial::program::cuda
