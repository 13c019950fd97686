#include "train/inference.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

namespace uncial::train {
namespace {

/// Joins the logits of `batch` samples at a time; `images_of(first, count)` hands out the images.
Tensor in_batches(Compiled& step, int64_t samples, int64_t batch,
                  const std::function<Tensor(int64_t first, int64_t count)>& images_of) {
  Tensor all;
  for (int64_t first = 0; first < samples; first += batch) {
    const int64_t count = std::min(batch, samples - first);
    const Tensor logits = step({images_of(first, count)})[0];
    require_logits("predict", logits, count, -1);
    if (!all.defined()) all = empty({samples, logits.size(1)}, logits.dtype(), logits.device());
    all.slice(0, {.start = first, .stop = first + count}).copy_(logits);
  }
  return all;
}

}  // namespace

Inference::Inference(const nn::Module& net, Precision precision)
    : device_(net.device()), context_(nn::Mode::eval), step_(compile([this, &net](const Tensors& in) {
        const NoGrad no_grad;
        return Tensors{net.forward(in[0], context_)};
      })) {
  context_.set_precision(precision);
}

Tensor Inference::logits(const Tensor& images, int64_t batch) {
  return in_batches(step_, images.size(0), batch, [&](int64_t first, int64_t count) {
    return images.slice(0, {.start = first, .stop = first + count}).to(device_);
  });
}

Tensor Inference::logits(Feed& feed, int64_t batch) {
  std::vector<int64_t> order(size_t(feed.size()));
  std::iota(order.begin(), order.end(), int64_t(0));
  feed.start({.order = std::move(order), .rates = std::vector<double>(size_t(ceil_div(feed.size(), batch)))});
  const Tensor no_rate = zeros({}, DType::float64, device_);
  const Tensor one_batch = tensor<int64_t>({batch, 1}).to(device_);
  return in_batches(step_, feed.size(), batch, [&](int64_t, int64_t count) {
    const Tensor images = feed.take(count, no_rate).images;
    feed.move(one_batch);
    return images;
  });
}

Tensor Inference::logits(const data::Dataset& data, int64_t batch) {
  if (!device_.is_cpu() && Feed::fits(data, device_)) {
    Feed feed(data, device_);
    return logits(feed, batch);
  }
  return in_batches(step_, data.size(), batch,
                    [&](int64_t first, int64_t count) { return data.range(first, count).first.to(device_); });
}

void require_logits(std::string_view what, const Tensor& logits, int64_t n, int64_t classes) {
  const bool fits = logits.rank() == 2 && logits.size(0) == n && (classes < 0 || logits.size(1) == classes);
  if (fits) return;
  const std::string expected = classes < 0 ? "classes" : join(classes);
  fail(ErrorKind::usage, what, ": the net gives ", logits.shape(), " for ", n, n == 1 ? " image" : " images",
       ", expected (", n, ", ", expected, "): one number a class; does it end with Flatten and Dense?");
}

void require_net_fits(std::string_view what, const nn::Module& net, const data::Dataset& data) {
  require(data.size() > 0, what, ": the data set '", data.name(), "' is empty.");
  nn::Context context(nn::Mode::eval);
  Tensor logits;
  try {
    const NoGrad no_grad;
    logits = net.forward(data.range(0, 1).first.to(net.device()), context);
  } catch (const Error& e) {
    fail(e.kind(), what, ": the net cannot take the images ", data.sample_shape(), " of '", data.name(),
         "': ", e.what());
  }
  require_logits(what, logits, 1, int64_t(data.classes().size()));
}

Tensor labels_of(const data::Dataset& data) {
  Tensor labels = empty({data.size()}, DType::int64);
  const auto values = labels.span<int64_t>();
  for (int64_t i = 0; i < data.size(); ++i) values[size_t(i)] = data.label(i);
  return labels;
}

Score score(const Tensor& logits, const Tensor& labels) {
  const Tensor rows = logits.detach().to(Device::cpu()).to(DType::float64).contiguous();
  const int64_t classes = rows.size(1);
  const auto label = labels.span<int64_t>();
  Score result;
  for (size_t i = 0; i < label.size(); ++i) {
    const double* row = rows.data<double>() + int64_t(i) * classes;
    const double* largest = std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - *largest);
    result.loss += std::log(sum) - (row[label[i]] - *largest);
    result.hits += largest - row == label[i];
  }
  result.loss /= double(label.size());
  return result;
}

}  // namespace uncial::train
