#include "train/feed.h"

#include <bit>
#include <cstring>

#include "core/device_memory.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/core/cuda.h"
#include "uncial/kernels/batch.h"

namespace uncial::train {
namespace {

kernels::EpochPlace* place_of(const View& v) { return v.as<kernels::EpochPlace>(); }

/// Inputs: images (uint8), labels, sources, order, rates, place, rate (overwritten). Outputs: a batch.
struct TakeBatchOp : Op {
  int64_t batch;
  explicit TakeBatchOp(int64_t samples) : batch(samples) {}
  std::string_view name() const override { return "take_batch"; }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1u << 6; }
  Specs infer(std::span<const Spec> in) const override {
    const Shape& x = in[0].shape;
    const Spec numbers{DType::int64, {batch}, in[0].device};
    return {{DType::float32, {batch, x[1], x[2], x[3]}, in[0].device}, numbers, numbers};
  }
  void run(const Call& c) const override {
    const kernels::SampleTable table{c.in[0].as<const uint8_t>(), c.in[1].as<const int64_t>(),
                                     c.in[2].as<const int64_t>(), c.in[3].as<const int64_t>(),
                                     c.in[4].as<const double>(),  c.out[0].size() / batch};
    kernels::take_batch<float>(c.device(), table, place_of(c.in[5]), batch, c.out[0].as<float>(),
                               c.out[1].as<int64_t>(), c.out[2].as<int64_t>(), c.in[6].as<double>());
  }
  std::vector<Attribute> attributes() const override { return {{"batch", batch}}; }
};

/// Inputs: sums, place (both overwritten), logits, labels, loss.
struct TallyBatchOp : Op {
  std::string_view name() const override { return "tally_batch"; }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 0b11; }
  Specs infer(std::span<const Spec> in) const override {
    require(in[2].dtype == DType::float32, "fit: the net must give float32, got ", in[2].dtype, ".");
    return {};
  }
  void run(const Call& c) const override {
    const View& logits = c.in[2];
    kernels::tally_batch<float>(
        c.device(), Rows<const float>{logits.as<const float>(), logits.shape[0], logits.shape[1]},
        c.in[3].as<const int64_t>(), c.in[4].as<const float>(), c.in[0].as<double>(), place_of(c.in[1]));
  }
};

/// Inputs: images (changed in place), source indices, {epoch, seed}.
struct AugmentOp : Op {
  vision::Augment augment;
  explicit AugmentOp(vision::Augment how) : augment(std::move(how)) {}
  std::string_view name() const override { return "augment"; }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1; }
  Specs infer(std::span<const Spec>) const override { return {}; }
  void run(const Call& c) const override { augment->replay(c.in[0], c.in[1], c.in[2]); }
  std::vector<Attribute> attributes() const override { return {{"augment", augment->describe()}}; }
};

void overwrite(const Tensor& x, const void* values) {
  if (x.device().is_cpu())
    std::memcpy(x.view().data, values, size_t(x.bytes()));
  else
    cuda::copy(x.view().data, x.device(), values, Device::cpu(), x.bytes());
  x.mark_changed();
}

constexpr int64_t kSums = 0, kPlace = 2, kDraw = 4, kOrder = 6;  // words of the plan

}  // namespace

Feed::Feed(const data::Dataset& data, Device device, vision::Augment augment) : augment_(std::move(augment)) {
  const Shape sample = data.sample_shape();
  const int64_t n = data.size(), pixels = count(sample);
  const Tensor images = empty({n, sample[0], sample[1], sample[2]}, DType::uint8),
               labels = empty({n}, DType::int64), sources = empty({n}, DType::int64);
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(images.data<uint8_t>() + i * pixels, data.pixels(i), size_t(pixels));
    labels.data<int64_t>()[i] = data.label(i);
    sources.data<int64_t>()[i] = data.source_index(i);
  }
  images_ = images.to(device);
  labels_ = labels.to(device);
  sources_ = sources.to(device);
}

bool Feed::fits(const data::Dataset& data, Device device) {
  return device.is_cpu() || data.size() * count(data.sample_shape()) < cuda::memory_stats(device).free / 2;
}

Tensor Feed::window(DType dtype, const Shape& shape, int64_t first) const {
  return Tensor(plan_.storage(), dtype, shape, row_major(shape), first);
}

void Feed::start(const Epoch& e) {
  ensure(int64_t(e.order.size()) == size() && !e.rates.empty(), "an epoch of ", e.order.size(), " of ",
         size(), " samples");
  const auto steps = int64_t(e.rates.size());
  const int64_t words_needed = kOrder + size() + steps;
  ensure(!plan_.defined() || plan_.size() == words_needed, "epochs of different lengths");
  if (!plan_.defined()) {  // and never again: recorded steps go on reading it
    plan_ = empty({words_needed}, DType::int64, images_.device());
    sums_ = window(DType::float64, {2}, kSums);
    place_ = window(DType::int64, {2}, kPlace);
    draw_ = window(DType::int64, {2}, kDraw);
    order_ = window(DType::int64, {size()}, kOrder);
    rates_ = window(DType::float64, {steps}, kOrder + size());
  }
  const auto word = [](double value) { return std::bit_cast<int64_t>(value); };
  std::vector<int64_t> words = {word(e.sums.loss), word(double(e.sums.correct)),
                                e.first_sample,    e.first_step,
                                e.number,          int64_t(e.seed)};
  words.reserve(size_t(words_needed));
  words.insert(words.end(), e.order.begin(), e.order.end());
  for (const double rate : e.rates) words.push_back(word(rate));
  overwrite(plan_, words.data());
}

data::Batch Feed::take(int64_t count, const Tensor& rate) {
  const NoGrad no_grad;
  const Tensors out = apply_op(std::make_shared<const TakeBatchOp>(count),
                               {images_, labels_, sources_, order_, rates_, place_, rate});
  if (augment_) apply_op(std::make_shared<const AugmentOp>(augment_), {out[0], out[2], draw_});
  return {out[0], out[1], out[2]};
}

void Feed::tally(const Tensor& logits, const Tensor& labels, const Tensor& loss) {
  const NoGrad no_grad;
  apply_op(std::make_shared<const TallyBatchOp>(), {sums_, place_, logits, labels, loss});
}

Feed::Sums Feed::sums() const {
  const Tensor here = sums_.to(Device::cpu());
  const auto values = here.span<double>();
  return {values[0], int64_t(values[1])};
}

}  // namespace uncial::train
