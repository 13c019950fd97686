#include "uncial/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/inference.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

namespace uncial::train {
namespace {

void check(std::string_view what, const EvaluateOptions& o) {
  require(o.batch >= 1, what, ": batch must be >= 1, got ", o.batch, ".");
  require(o.top_k >= 1, what, ": top_k must be >= 1, got ", o.top_k, ".");
  require(o.calibration_bins >= 1, what, ": calibration_bins must be >= 1, got ", o.calibration_bins, ".");
}

Tensor probabilities_of(const Tensor& logits) {
  const NoGrad no_grad;
  return softmax(logits).to(Device::cpu()).to(DType::float32).contiguous();
}

/// One sample's logits and truth. Ranks are taken from logits: different ones may round to equal
/// probabilities.
struct Sample {
  std::span<const double> logits;
  int64_t label;

  int64_t prediction() const { return std::max_element(logits.begin(), logits.end()) - logits.begin(); }
  /// Classes that are ranked before the label; of equal ones the first is ranked first, as in prediction().
  int64_t rank() const {
    const double own = logits[size_t(label)];
    int64_t before = 0;
    for (int64_t c = 0; c < int64_t(logits.size()); ++c)
      before += logits[size_t(c)] > own || (logits[size_t(c)] == own && c < label);
    return before;
  }
};

/// Gap between confidence and accuracy, averaged over equal bins of confidence, weighted by their samples.
class Calibration {
 public:
  explicit Calibration(int bins) : bins_(size_t(bins)) {}
  void add(double confidence, bool hit) {
    if (std::isnan(confidence)) return;
    const auto place = size_t(confidence * double(bins_.size()));
    Bin& bin = bins_[std::min(place, bins_.size() - 1)];
    bin.confidence += confidence;
    bin.hits += hit;
  }
  double error(int64_t samples) const {
    double gap = 0;
    for (const Bin& bin : bins_) gap += std::abs(bin.confidence - double(bin.hits));
    return gap / double(samples);
  }

 private:
  struct Bin {
    double confidence = 0;
    int64_t hits = 0;
  };
  std::vector<Bin> bins_;
};

double ratio(int64_t part, int64_t whole) { return whole > 0 ? double(part) / double(whole) : 0; }

std::vector<ClassReport> class_reports(const Tensor& confusion, const std::vector<std::string>& names) {
  const auto n = int64_t(names.size());
  const int64_t* counts = confusion.data<int64_t>();
  std::vector<ClassReport> reports;
  for (int64_t c = 0; c < n; ++c) {
    int64_t of_class = 0, predicted = 0;
    for (int64_t other = 0; other < n; ++other) {
      of_class += counts[c * n + other];
      predicted += counts[other * n + c];
    }
    const int64_t hits = counts[c * n + c];
    reports.push_back({.name = names[size_t(c)],
                       .count = of_class,
                       .precision = ratio(hits, predicted),
                       .recall = ratio(hits, of_class),
                       .f1 = ratio(2 * hits, of_class + predicted)});
  }
  return reports;
}

}  // namespace

std::pair<double, double> wilson_interval(int64_t hits, int64_t total) {
  require(total > 0 && hits >= 0 && hits <= total,
          "wilson_interval: needs 0 <= hits <= total and total > 0, got ", hits, " of ", total, ".");
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the standard normal distribution
  const double n = double(total), p = double(hits) / n, scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  // The ends are exact: rounding must not exclude a share that was seen.
  return {hits == 0 ? 0 : centre - half, hits == total ? 1 : centre + half};
}

Report evaluate(const Tensor& logits, const data::Dataset& data, const EvaluateOptions& options) {
  check("evaluate", options);
  require(data.size() > 0, "evaluate: the data set '", data.name(), "' is empty.");
  require_logits("evaluate", logits, data.size(), int64_t(data.classes().size()));
  const auto classes = int64_t(data.classes().size());
  const Tensor rows = logits.detach().to(Device::cpu()).to(DType::float64).contiguous();

  Report report;
  report.samples = data.size();
  report.loss = score(rows, labels_of(data)).loss;
  report.probabilities = probabilities_of(logits);
  report.confusion = zeros({classes, classes}, DType::int64);
  Calibration calibration(options.calibration_bins);
  int64_t top_k_hits = 0, hits = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    const Sample s{rows.span<double>().subspan(size_t(i * classes), size_t(classes)), data.label(i)};
    const int64_t predicted = s.prediction();
    ++report.confusion.data<int64_t>()[s.label * classes + predicted];
    hits += predicted == s.label;
    top_k_hits += s.rank() < options.top_k;
    calibration.add(report.probabilities.data<float>()[i * classes + predicted], predicted == s.label);
  }
  report.errors = report.samples - hits;
  report.accuracy = ratio(hits, report.samples);
  std::tie(report.accuracy_low, report.accuracy_high) = wilson_interval(hits, report.samples);
  report.top_k_accuracy = ratio(top_k_hits, report.samples);
  report.calibration_error = calibration.error(report.samples);
  report.classes = class_reports(report.confusion, data.classes());
  return report;
}

Report evaluate(const nn::Module& net, const data::Dataset& data, const EvaluateOptions& options) {
  check("evaluate", options);
  require_net_fits("evaluate", net, data);
  return evaluate(Inference(net, options.precision).logits(data, options.batch), data, options);
}

Tensor predict(const nn::Module& net, const Tensor& images, const EvaluateOptions& options) {
  check("predict", options);
  require(images.rank() == 4, "predict: images must be (N, C, H, W), got ", images.shape(),
          images.rank() == 3 ? "; for a single image pass images.unsqueeze(0)." : ".");
  require(images.size(0) > 0, "predict: no images.");
  return probabilities_of(Inference(net, options.precision).logits(images, options.batch));
}

double accuracy(const nn::Module& net, const data::Dataset& data) {
  require_net_fits("accuracy", net, data);
  const Tensor logits = Inference(net).logits(data, EvaluateOptions{}.batch);
  return ratio(score(logits, labels_of(data)).hits, data.size());
}

}  // namespace uncial::train
