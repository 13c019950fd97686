#include "uncial/data/dataset.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "uncial/core/random.h"
#include "uncial/core/sha256.h"

namespace uncial::data {
namespace {

void check_content(const std::string& name, const Tensor& images, const Tensor& labels,
                   const std::vector<std::string>& classes) {
  require(images.dtype() == DType::uint8 && labels.dtype() == DType::uint8, "Dataset ", name,
          ": images and labels must be uint8, got ", images.dtype(), " and ", labels.dtype(), ".");
  require(classes.size() >= 1 && classes.size() <= 256, "Dataset ", name, ": got ", classes.size(),
          " classes, expected 1 to 256.");
  const auto bad = [&](const auto&... parts) { fail(ErrorKind::data, "Dataset ", name, ": ", parts...); };
  if (images.rank() != 4)
    bad("images have ", images.rank(), " dims ", images.shape(), ", need 4 (N, C, H, W).");
  if (labels.rank() != 1) bad("labels have ", labels.rank(), " dims ", labels.shape(), ", need 1.");
  if (images.size(0) != labels.size(0))
    bad(images.size(0), " images and ", labels.size(0), " labels; they must be as many.");
  if (images.size(0) == 0) bad("data set is empty.");
  for (int axis = 1; axis < 4; ++axis)
    if (images.size(axis) == 0) bad("images ", images.shape(), " have no pixels.");
  const auto values = labels.span<uint8_t>();
  const auto wrong =
      std::find_if(values.begin(), values.end(), [&](uint8_t v) { return v >= classes.size(); });
  if (wrong != values.end())
    bad("label ", int(*wrong), " at index ", wrong - values.begin(), ", expected below ", classes.size(),
        ".");
}

/// How many of `wanted` samples each class gives: its share, rounded so that the total is exact (largest
/// remainder; among equal remainders the lower class goes first).
std::vector<int64_t> shares(const std::vector<int64_t>& counts, int64_t wanted) {
  const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t(0));
  std::vector<int64_t> share(counts.size()), remainder(counts.size());
  for (size_t c = 0; c < counts.size(); ++c) {
    const __int128 product = __int128(counts[c]) * wanted;
    share[c] = int64_t(product / total);
    remainder[c] = int64_t(product % total);
  }
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainder[a] > remainder[b]; });
  const int64_t left = wanted - std::accumulate(share.begin(), share.end(), int64_t(0));
  for (int64_t i = 0; i < left; ++i) ++share[order[size_t(i)]];
  return share;
}

}  // namespace

Dataset::Dataset(std::string name, Tensor images, Tensor labels, std::vector<std::string> classes)
    : name_(std::move(name)),
      images_(std::move(images)),
      labels_(std::move(labels)),
      classes_(std::move(classes)) {
  images_ = images_.contiguous();
  labels_ = labels_.contiguous();
  check_content(name_, images_, labels_, classes_);
  indices_.resize(size_t(labels_.size()));
  std::iota(indices_.begin(), indices_.end(), int64_t(0));
}

Shape Dataset::sample_shape() const {
  require(images_.defined(), "Dataset: it is empty (default-made).");
  return {images_.size(1), images_.size(2), images_.size(3)};
}

const uint8_t* Dataset::pixels(int64_t i) const {
  require(i >= 0 && i < size(), "Dataset ", name_, ": sample ", i, " of ", size(), ".");
  return images_.data<uint8_t>() + indices_[size_t(i)] * count(sample_shape());
}

int Dataset::label(int64_t i) const {
  require(i >= 0 && i < size(), "Dataset ", name_, ": sample ", i, " of ", size(), ".");
  return labels_.data<uint8_t>()[indices_[size_t(i)]];
}

Dataset Dataset::subset(const std::vector<int64_t>& positions) const {
  Dataset out = *this;
  out.indices_.clear();
  out.indices_.reserve(positions.size());
  for (const int64_t p : positions) {
    require(p >= 0 && p < size(), "Dataset ", name_, ": subset asks for sample ", p, " of ", size(), ".");
    out.indices_.push_back(indices_[size_t(p)]);
  }
  return out;
}

Dataset Dataset::take(int64_t count) const {
  require(count >= 0 && count <= size(), "Dataset ", name_, ": take(", count, ") of ", size(), " samples.");
  Dataset out = *this;
  out.indices_.resize(size_t(count));
  return out;
}

std::pair<Dataset, Dataset> Dataset::split(const SplitOptions& options) const {
  require(options.validation > 0 && options.validation < size(), "Dataset ", name_,
          ": split needs 0 < validation < ", size(), ", got ", options.validation, ".");
  std::vector<std::vector<int64_t>> members(classes_.size());
  for (int64_t i = 0; i < size(); ++i) members[size_t(label(i))].push_back(i);
  const std::vector<int64_t> share = shares(class_counts(), options.validation);

  std::vector<bool> chosen(size_t(size()), false);
  for (size_t c = 0; c < members.size(); ++c) {
    Generator random(options.seed, Purpose::split, c);
    // The first share[c] steps of a Fisher-Yates shuffle draw without replacement.
    for (int64_t i = 0; i < share[c]; ++i) {
      const auto left = uint64_t(int64_t(members[c].size()) - i);
      std::swap(members[c][size_t(i)], members[c][size_t(i) + size_t(random.below(left))]);
      chosen[size_t(members[c][size_t(i)])] = true;
    }
  }
  std::vector<int64_t> rest, validation;
  for (int64_t i = 0; i < size(); ++i) (chosen[size_t(i)] ? validation : rest).push_back(i);
  return {subset(rest), subset(validation)};
}

ThreeParts Dataset::split_three(const SplitThreeOptions& options) const {
  require(options.validation > 0 && options.test > 0 && options.validation < size() - options.test,
          "split_three: validation ", options.validation, " and test ", options.test,
          " must be positive and together smaller than the ", size(), " samples of ", name_, ".");
  const auto [rest, test] = split({.validation = options.test, .seed = options.seed});
  const auto [train, validation] = rest.split({.validation = options.validation, .seed = options.seed});
  return {train, validation, test};
}

std::vector<int64_t> Dataset::class_counts() const {
  std::vector<int64_t> counts(classes_.size(), 0);
  for (int64_t i = 0; i < size(); ++i) ++counts[size_t(label(i))];
  return counts;
}

std::string Dataset::fingerprint() const {
  Sha256 hash;
  for (const int64_t extent : sample_shape()) hash.update(&extent, sizeof extent);
  const size_t sample_bytes = size_t(count(sample_shape()));
  for (int64_t i = 0; i < size(); ++i) {
    const auto label_byte = uint8_t(label(i));
    hash.update(&indices_[size_t(i)], sizeof(int64_t)).update(&label_byte, 1).update(pixels(i), sample_bytes);
  }
  return hash.hex();
}

std::pair<Tensor, Tensor> Dataset::range(int64_t first, int64_t count) const {
  require(first >= 0 && count >= 0 && first <= size() - count, "Dataset ", name_, ": range(", first, ", ",
          count, ") of ", size(), " samples.");
  std::vector<int64_t> positions(static_cast<size_t>(count));
  std::iota(positions.begin(), positions.end(), first);
  return gather(positions);
}

std::pair<Tensor, Tensor> Dataset::gather(std::span<const int64_t> positions) const {
  static const std::array<float, 256> kInk = [] {
    std::array<float, 256> table{};
    for (size_t i = 0; i < 256; ++i) table[i] = float(i) / 255.0f;
    return table;
  }();
  const Shape sample = sample_shape();
  const int64_t pixels_each = count(sample), n = int64_t(positions.size());
  Tensor images = empty({n, sample[0], sample[1], sample[2]}), labels = empty({n}, DType::int64);
  float* out = images.data<float>();
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t* in = pixels(positions[size_t(i)]);
    for (int64_t p = 0; p < pixels_each; ++p) *out++ = kInk[in[p]];
    labels.data<int64_t>()[i] = label(positions[size_t(i)]);
  }
  return {std::move(images), std::move(labels)};
}

}  // namespace uncial::data
